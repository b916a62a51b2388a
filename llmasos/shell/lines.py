"""Calls as a person reads them, in one line: those that were understood, and the one that is about to run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.text import Text

from llmasos.core.base.types import Call
from llmasos.services.interpreter.reading import Reading
from llmasos.shell.safe import one_line, safe, shortened

CHARACTERS = "characters"
DERIVED = "not said, chosen:"
MORE = "more characters"

VALUE_CELLS = 56
"""Cells of one value in a line; what is cut off says how much."""

CONSENT_CHARACTERS = 4000
"""Characters of one value in a question: the person should see what goes, and still see the question."""

COLOURS = {"read": "cyan", "write": "green", "destroy": "yellow", "final": "bold red", "external": "magenta"}


def understood(reading: Reading) -> Text:
    """The program a sentence was read as, dim, with how sure the model is and how long it took."""
    program = reading.program
    several = len(program) > 1
    lines = [f"→ {f'{number}  ' if several else ''}{written(call)}" for number, call in enumerate(program, 1)]
    if lines:
        lines[-1] += f"  {reading.confidence * 100:.0f} %  {reading.ms:.0f} ms"
    if reading.derived:
        lines.append(f"  {DERIVED} {', '.join(reading.derived)}")
    return Text("\n".join(lines), style="dim")


def written(call: Call) -> str:
    """A call as it could be typed."""
    return " ".join([call.syscall, *(f"{name}={_value(value)}" for name, value in call.args.items())])


def call(name: str, shown: Mapping[str, str], effect: str, *, number: int = 0) -> Text:
    """The line before an effect.

    Args:
        name: The syscall.
        shown: Argument -> resolved value.
        effect: Its colour says how far it reaches.
        number: Its place in a program; 0 where it is the only one.
    """
    line = Text(f"{number}  " if number else "", style="dim")
    line.append(name, style=COLOURS.get(effect, "bold"))
    values = dict(shown)
    if {"source", "destination"} <= set(values):
        source, destination = values.pop("source"), values.pop("destination")
        line.append(f"  {_brief(source)} → {_brief(destination)}", style="default")
    if len(values) == 1 and len(shown) == 1:
        line.append(f"  {_brief(next(iter(values.values())))}", style="default")
        return line
    for place, (argument, value) in enumerate(values.items()):
        line.append("  " if place == 0 else " · ", style="dim")
        line.append(f"{one_line(argument)}: ", style="dim")
        line.append(_brief(value), style="default")
    return line


def whole(value: str) -> str:
    """A value for a question: as it is, or with how much of it isn't shown."""
    if len(value) <= CONSENT_CHARACTERS:
        return safe(value)
    return f"{safe(value[:CONSENT_CHARACTERS])}\n… {len(value) - CONSENT_CHARACTERS:,} {MORE}"


def _value(value: Any) -> str:
    if isinstance(value, str):
        return shortened(value, 6) if value.startswith("$") else f'"{shortened(value, VALUE_CELLS)}"'
    return shortened(json.dumps(value, ensure_ascii=False), VALUE_CELLS)


def _brief(value: str) -> str:
    brief = shortened(value, VALUE_CELLS)
    cut = brief.endswith("…") and not value.endswith("…")
    return f"{brief} ({len(value):,} {CHARACTERS})" if cut else brief
