"""One decoding: a prompt, a grammar, the text that the model writes, and the program in it."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from llmasos.core.base.errors import NotUnderstood
from llmasos.core.base.types import REFERENCE, Call, Program
from llmasos.core.engine.base import Engine, LiveSequence, Sampling
from llmasos.services.interpreter import notation, once
from llmasos.services.interpreter.definitions import render, schema_of
from llmasos.services.interpreter.grammar import MAX_CALLS, alternatives, grammar
from llmasos.services.interpreter.lead_ins import is_greeting, without_lead_in
from llmasos.services.interpreter.notation import Exchange
from llmasos.services.interpreter.sentence import Sentence

log = logging.getLogger(__name__)

Tool = Mapping[str, Any]

_SAMPLING = Sampling(temperature=0.0, repeat_penalty=1.0, max_tokens=320, copies=True)
_WORDS = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+")
_UNASKED = 3
"""Words behind a question that make it end too early; Chinese characters count as words."""
OPTIONAL = 0.55
"""An optional argument of a foreign function that was begun with less probability is left out."""
_PAIRS = {'"': '"', "'": "'", "“": "”", "‘": "’", "「": "」", "《": "》", "`": "`"}


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the model.

    Attributes:
        words: The sentence.
        tools: The functions that may be called.
        described: Those of them that are described in the prompt; the adapter knows the others.
        only: Whether the prompt says that there are no others.
        before: Earlier exchanges that stand in the prompt.
        earlier: Texts of them that values may be copied from.
        names: Known names that values may be.
        may_be_nothing: Whether `none` is an answer.
    """

    words: Sentence
    tools: Sequence[Tool]
    described: Sequence[Tool] = ()
    only: bool = False
    before: Sequence[Exchange] = ()
    earlier: Sequence[str] = ()
    names: Sequence[str] = ()
    may_be_nothing: bool = False


@dataclass(frozen=True, slots=True)
class Doubt:
    """How sure an argument is: the probabilities that it was written at all, and of its value."""

    begun: float
    value: float


@dataclass(frozen=True, slots=True)
class Decoded:
    """One decoded program.

    Attributes:
        program: The calls.
        likelihood: Probability of the whole text under the grammar.
        sure: Probability of the least certain of the calls' names.
        doubts: For each argument in the order it was written, how likely it was begun, and its value.
    """

    program: Program
    likelihood: float
    sure: float
    doubts: tuple[Doubt, ...] = ()


_CERTAIN = Doubt(1.0, 1.0)


async def decode(engine: Engine, sequence: LiveSequence, question: Question) -> Decoded:
    """The likeliest program.

    Args:
        engine: The model.
        sequence: An empty one; while it is open, a second decoding of the same sentence shares its prompt.
        question: What is asked.

    Raises:
        NotUnderstood: The sentence is longer than the model can read, or its program than it may write.
    """
    constraint = engine.constrain(
        grammar(
            question.words,
            question.tools,
            may_be_nothing=question.may_be_nothing,
            may_derive=bool(question.described),
            names=question.names,
            earlier=question.earlier,
            max_calls=MAX_CALLS if question.words.may_ask_for_more else 1,
        )
    )
    definitions = render(question.described, only=question.only) if question.described else ""
    parts = notation.prompt_parts(question.words.line, definitions, question.before)
    # Marks in the person's words or in definitions are plain text, never special tokens.
    prompt = [token for text, template in parts for token in engine.tokenize(text, special=template)]
    if len(prompt) + _SAMPLING.max_tokens > engine.n_ctx:
        raise NotUnderstood(
            f"The sentence and its definitions take {len(prompt)} tokens; the interpreter reads {engine.n_ctx}.",
            "Say it in fewer words, or offer fewer tools.",
        )
    text, pieces = "", []
    async for piece in engine.generate(sequence, prompt, sampling=_SAMPLING, constraint=constraint):
        text += piece.text
        pieces.append((piece.text, sum(piece.log_probs)))
    doubts = _doubts(pieces)
    program = program_of(text, question.words, question.tools)
    if question.described:
        program = once.spread(program, question.described, [doubt.value for doubt in doubts], question.words.line)
        program = without_unsure(program, question.described, doubts, OPTIONAL)
        program = once.without_repeated(program, question.described, question.words.line)
    return Decoded(program, *_confidence(pieces), tuple(doubts))


def program_of(text: str, words: Sentence, tools: Iterable[Tool]) -> Program:
    """The calls in what the model wrote.

    Raises:
        NotUnderstood: The text was cut off inside a value.
    """
    schemas = {str(tool["name"]): schema_of(tool).get("properties") or {} for tool in tools}

    def is_string(name: str, argument: str) -> bool | None:
        return _plain_text(schemas.get(name, {}).get(argument, {}))

    def read(name: str, argument: str, text: str, value: Any) -> Any:
        """The JSON in a union's place, if the union has its type; else the text, which a string of it may hold."""
        return value if _has_type(value, schemas[name][argument]) else text

    try:
        calls = notation.read(text, is_string, read)
    except ValueError:
        # Only a text cut at the token limit gets here: a value that never ended.
        log.info("a program was cut off after %d characters", len(text))
        raise NotUnderstood("The sentence is too long to take apart.", "Say it in smaller steps.") from None
    program = tuple(_call(number, name, args, words) for number, (name, args) in enumerate(calls))
    if len(program) == 2 and is_greeting(str(program[0].args.get("question", ""))):
        program = program[1:]
    return (_with_whole_question(program[0], words),) if len(program) == 1 else program


def _with_whole_question(call: Call, words: Sentence) -> Call:
    """The only call, its question up to the end of the sentence where the model stopped in the middle.

    Of 1,842 questions written by hand four end before three words that aren't part of them ("in your opinion").
    """
    asked = call.args.get("question")
    if call.syscall != "assistant.answer" or not isinstance(asked, str) or words.gap or words.appended:
        return call
    before, found, after = words.said.partition(asked)
    if not found or len(_WORDS.findall(after)) < _UNASKED:
        return call
    return replace(call, args={**call.args, "question": words.said[len(before) :].strip().rstrip(".?!。？！…~～ ")})


def without_unsure(program: Program, tools: Sequence[Tool], doubts: Sequence[Doubt], threshold: float) -> Program:
    """The program without optional arguments of these functions that were begun with less probability than a threshold.

    What isn't said is left out; a model that has hardly seen a definition likes to fill in what it could.
    """
    required = {str(tool["name"]): set(schema_of(tool).get("required") or ()) for tool in tools}
    left = iter(doubts)
    calls = []
    for call in program:
        doubt = {name: next(left, _CERTAIN) for name in call.args}
        needed = required.get(call.syscall, set(call.args))
        sure = [(n, v) for n, v in call.args.items() if n in needed or doubt[n].begun >= threshold]
        calls.append(replace(call, args=dict(sure), references=call.references & {n for n, _ in sure}))
    return tuple(calls)


def _doubts(pieces: Sequence[tuple[str, float]]) -> list[Doubt]:
    """One for each argument line, from (text, log-probability) of each piece."""
    found: list[Doubt] = []
    line, begun, value = "", 0.0, 0.0
    for text, log_prob in pieces:
        if ": " in line:
            value += log_prob
        else:
            begun += log_prob
        line += text
        while "\n" in line:
            whole, _, line = line.partition("\n")
            if whole.startswith(" "):
                found.append(Doubt(math.exp(begun), math.exp(value)))
            begun = value = 0.0
    return found


def _call(number: int, name: str, args: dict[str, Any], words: Sentence) -> Call:
    said: dict[str, Any] = {}
    references = set()
    for argument, value in args.items():
        if not isinstance(value, str):
            said[argument] = value
            continue
        value = value.strip()
        reference = REFERENCE.fullmatch(value)
        # A "$1" that the person typed is text.
        if reference and 0 < int(reference[1]) <= number and not re.search(rf"\{value}(?!\w)", words.line):
            references.add(argument)
            said[argument] = value
        elif value:
            value = _unquoted(words.original(value))
            said[argument] = without_lead_in(value) if argument == "question" else value
    return Call(name, said, frozenset(references))


def _plain_text(schema: Any) -> bool | None:
    """Whether an argument line holds plain text; None where its union may hold it."""
    if not isinstance(schema, Mapping):
        return False
    if "enum" in schema or "const" in schema:
        choices = schema.get("enum") or [schema.get("const")]
        return all(isinstance(choice, str) for choice in choices)
    parts = alternatives(schema)
    if parts:
        return None if any(_plain_text(part) for part in parts) else False
    return bool(schema.get("type", "string") == "string" and "properties" not in schema)


def _has_type(value: Any, schema: Any) -> bool:
    kinds = {part.get("type") for part in alternatives(schema)}
    names = {bool: "boolean", int: "integer", float: "number", type(None): "null", list: "array", dict: "object"}
    kind = names.get(type(value))
    return kind in kinds or (kind == "integer" and "number" in kinds)


def _unquoted(value: str) -> str:
    """A value without the quotes around it: quotes delimit and aren't part."""
    if len(value) > 2 and _PAIRS.get(value[0]) == value[-1] and value[0] not in value[1:-1]:
        return value[1:-1]
    return value


def _confidence(pieces: Sequence[tuple[str, float]]) -> tuple[float, float]:
    """(probability of the whole text, that of its least certain name), from (text, log-probability) of each piece."""
    whole, names = 0.0, [0.0]
    at_line_start, in_name = True, True
    for text, log_prob in pieces:
        if at_line_start:
            in_name = not text.startswith(" ")
            if in_name:
                names.append(0.0)
        whole += log_prob
        if in_name:
            names[-1] += log_prob
        if text:
            at_line_start = text.endswith("\n")
    return math.exp(whole), math.exp(min(names))
