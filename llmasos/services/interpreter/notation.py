"""The notation the adapter writes: a program as lines of text. Used alike by training, grammar and parser.

    files.find
     query: dentist invoice
    files.move
     source: $1
     destination: paid bills

A name at the start of a line begins a call; an indented line is an argument, in the order of the definition. A string
is written as it was said; every other type, and a string that holds a line break, as JSON. `none` alone says that
nothing fits. Short and without quoting, so that a small model copies the person's words token by token.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from llmasos.core.base.foreign import parse_json

NOTHING = "none"
END = "<|im_end|>"

StringArgument = Callable[[str, str], bool | None]
"""Whether (syscall, argument) holds a plain string; None where it may hold one or something else."""

Either = Callable[[str, str, str, Any], Any]
"""(syscall, argument, text, the text as JSON) -> the value."""

Exchange = tuple[str, str]
"""A sentence and its program as `write` writes it."""


def prompt_parts(sentence: str, definitions: str = "", before: Sequence[Exchange] = ()) -> list[tuple[str, bool]]:
    """What the model reads before it writes a program, as (text, whether it is template).

    Only template text may be tokenized with special tokens: `<|im_end|>` typed by a person is plain text.

    Args:
        sentence: One line, normalised.
        definitions: Functions described by `definitions.render`, for those that aren't in the adapter's weights.
        before: Earlier sentences with their programs: what was said just now, or how this person once corrected a
            reading.
    """
    parts = [("<|im_start|>system\n", True), (definitions, False), (f"{END}\n", True)] if definitions else []
    for said, program in before:
        parts += [*_asked(said), (program, False), (f"{END}\n", True)]
    return [*parts, *_asked(sentence)]


def _asked(sentence: str) -> list[tuple[str, bool]]:
    return [("<|im_start|>user\n", True), (sentence, False), (f"{END}\n<|im_start|>assistant\n", True)]


def prompt(sentence: str, definitions: str = "", before: Sequence[Exchange] = ()) -> str:
    """The prompt in one piece, as the training data holds it."""
    return "".join(text for text, _ in prompt_parts(sentence, definitions, before))


def write(calls: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
    """A program as text; ends with a line break."""
    lines: list[str] = []
    for name, args in calls:
        lines.append(name)
        for argument, value in args.items():
            plain = isinstance(value, str) and "\n" not in value
            lines.append(f" {argument}: {value if plain else json.dumps(value, ensure_ascii=False)}")
    return "\n".join(lines or [NOTHING]) + "\n"


def read(
    text: str, is_string: StringArgument, either: Either = lambda _name, _argument, _text, value: value
) -> list[tuple[str, dict[str, Any]]]:
    """The program in a text that `write` or the model wrote.

    Args:
        text: The program.
        is_string: Which arguments hold plain strings.
        either: Decides where an argument may hold a string or something else.

    Raises:
        ValueError: A line fits nothing.
    """
    calls: list[tuple[str, dict[str, Any]]] = []
    for line in text.rstrip("\n").split("\n"):
        if line == NOTHING and not calls:
            continue
        if not line.startswith(" "):
            calls.append((line, {}))
            continue
        argument, separator, value = line[1:].partition(": ")
        if not separator or not calls:
            raise ValueError(f"no argument line: {line!r}")
        name, args = calls[-1]
        plain = is_string(name, argument)
        args[argument] = (
            value if plain else parse_json(value) if plain is False else _either(value, name, argument, either)
        )
    return calls


def _either(text: str, name: str, argument: str, either: Either) -> Any:
    try:
        value = parse_json(text)
    except ValueError:
        return text
    return either(name, argument, text, value)
