"""Google-style docstrings, read for the parts that a syscall needs."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field

_SECTION = re.compile(r"(Args|Returns|Raises|Examples):\s*$")
_ENTRY = re.compile(r"(\w+)(?: \([^)]*\))?:\s*(.*)")


@dataclass(frozen=True, slots=True)
class Docstring:
    """A docstring's parts.

    Attributes:
        summary: Its first paragraph, on one line.
        body: The paragraphs after it, before any section.
        arguments: Argument name -> description.
        examples: The lines of `Examples:`, each a sentence that means this call.
    """

    summary: str = ""
    body: str = ""
    arguments: dict[str, str] = field(default_factory=dict)
    examples: tuple[str, ...] = ()


def parse(text: str | None) -> Docstring:
    """Read a docstring; sections other than `Args` and `Examples` are passed over."""
    sections: dict[str, list[str]] = {"": []}
    current = ""
    for line in inspect.cleandoc(text or "").splitlines():
        heading = _SECTION.match(line)
        if heading:
            current = heading[1]
            sections[current] = []
        else:
            sections[current].append(line)
    summary, _, body = "\n".join(sections[""]).strip().partition("\n\n")
    arguments: dict[str, str] = {}
    last = ""
    for line in inspect.cleandoc("\n" + "\n".join(sections.get("Args", []))).splitlines():
        entry = _ENTRY.match(line)
        if entry:
            last = entry[1]
            arguments[last] = entry[2]
        elif last and line.strip():
            arguments[last] += " " + line.strip()
    examples = tuple(line.strip() for line in sections.get("Examples", []) if line.strip())
    return Docstring(" ".join(summary.split()), body.strip(), arguments, examples)
