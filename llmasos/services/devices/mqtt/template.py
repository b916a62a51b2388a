"""The few forms of templates that devices announce, read by a small parser of our own.

    {{ value_json.state }}    {{ value_json['l1'].power | float(0) / 10 | round(1) }}
    {{ 'ON' if value_json.contact == false else 'OFF' }}
    {% if value_json.state == 'on' %}ON{% else %}OFF{% endif %}
    {"position": {{ position }}}

Home Assistant hands them to Jinja, which runs programs: loops, calls, attributes of Python objects. A device may be
anybody's, so here is nothing that runs: names, paths into the message, comparisons, arithmetic, one choice, a list of
filters. Anything else is `Unsupported`, and said.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from llmasos.services.devices.mqtt.expression import DEEPEST, Expression, Names, Reader, Unsupported, constant
from llmasos.services.devices.mqtt.values import UNDEFINED, Message, plain, text

LONGEST = 1_000
"""Characters of a template."""
LONGEST_RESULT = 10_000

_BLOCK = re.compile(r"\{\{-?(?P<print>.*?)-?\}\}|\{%-?\s*(?P<do>.*?)\s*-?%\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Template:
    """A template that was read.

    Attributes:
        source: As it was announced.
    """

    source: str
    _parts: tuple[Expression, ...]

    def render(self, names: Names) -> str | None:
        """The text with its values; None where the message has no such value, or none that fits."""
        try:
            values = [part(names) for part in self._parts]
            if any(value is UNDEFINED for value in values):
                return None
            words = "".join(map(text, values)).strip()
        except (ValueError, TypeError, ArithmeticError, LookupError):  # also a number of too many digits to be written
            return None
        return words if len(words) <= LONGEST_RESULT else None

    def of_message(self, payload: str) -> str | None:
        """The text for a message, as `value` and as `value_json`."""
        return self.render({"value": payload, "value_json": Message(payload)})


def parse(source: str) -> Template:
    """Read a template.

    Raises:
        Unsupported: It is none of the forms above; the message names what isn't read.
    """
    if len(source) > LONGEST:
        raise Unsupported(f"it is longer than {LONGEST:,} characters")
    pieces = _pieces(source)
    parts, rest = _sequence(pieces, 0, (), 0)
    assert rest == len(pieces)
    return Template(source, tuple(parts))


Piece = tuple[str, str]
"""(`text`, `print` or `do`; what stands there)"""


def _pieces(source: str) -> list[Piece]:
    found: list[Piece] = []
    at = 0
    for match in _BLOCK.finditer(source):
        if match.start() > at:
            found.append(("text", source[at : match.start()]))
        found.append(("print", match["print"]) if match["print"] is not None else ("do", match["do"]))
        at = match.end()
    if at < len(source):
        found.append(("text", source[at:]))
    if any(kind == "text" and re.search(r"\{\{|\{%|\{#", words) for kind, words in found):
        raise Unsupported("it isn't closed")
    return found


def _sequence(pieces: Sequence[Piece], at: int, ends: tuple[str, ...], depth: int) -> tuple[list[Expression], int]:
    """The parts up to a block that ends them; at the end where none does."""
    parts: list[Expression] = []
    while at < len(pieces):
        kind, words = pieces[at]
        if kind == "text":
            parts.append(constant(words))
        elif kind == "print":
            parts.append(Reader(words).whole())
        else:
            first = words.split(None, 1)[0] if words.split() else ""
            if first in ends:
                return parts, at
            if first != "if":
                raise Unsupported(f"{{% {first} %}} isn't read")
            if depth >= DEEPEST:
                raise Unsupported("it is nested too deeply")
            chosen, at = _choice(pieces, at, depth + 1)
            parts.append(chosen)
            continue
        at += 1
    if ends:
        raise Unsupported("an 'if' isn't closed")
    return parts, at


def _choice(pieces: Sequence[Piece], at: int, depth: int) -> tuple[Expression, int]:
    """`{% if %} ... {% elif %} ... {% else %} ... {% endif %}`, and where it ends."""
    cases: list[tuple[Expression, list[Expression]]] = []
    otherwise: list[Expression] = []
    while True:
        words = pieces[at][1].split(None, 1)
        if words[0] == "else":
            otherwise, at = _sequence(pieces, at + 1, ("endif",), depth)
            break
        if len(words) < 2:
            raise Unsupported("an 'if' has no condition")
        condition = Reader(words[1]).whole()
        body, at = _sequence(pieces, at + 1, ("elif", "else", "endif"), depth)
        cases.append((condition, body))
        if pieces[at][1].split()[0] == "endif":
            break

    def choose(names: Names) -> str:
        body = next((body for condition, body in cases if plain(condition(names))), otherwise)
        return "".join(text(part(names)) for part in body)

    return choose, at + 1


__all__ = ["LONGEST", "Template", "Unsupported", "parse"]
