"""Everything that is kept of a person, as open files: JSON, a calendar, and character cards."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

from llmasos.core.kernel.store import Record
from llmasos.services.characters.card import Card
from llmasos.services.characters.cast import KIND as CHARACTER
from llmasos.services.characters.events import KIND as HEARD
from llmasos.services.schedule.event import KIND as EVENT
from llmasos.services.schedule.event import Event, zone_of

DERIVED = ("files.vector",)
"""Kinds that are computed from other things and are made anew where they are missing."""
_VECTOR = "vector"


def export(records: Iterable[Record]) -> Iterator[tuple[str, str]]:
    """Files as (name, text): JSON for each kind of record, a calendar, and each character's card and what it heard.

    Values are as they are kept, with who said them; only vectors are left out.
    """
    kinds: dict[str, list[dict[str, Any]]] = {}
    heard: dict[str, list[Any]] = {}
    cards: dict[str, Card] = {}
    for record in records:
        value = _bare(record.value)
        if record.kind in DERIVED:
            continue
        if record.kind == HEARD:
            heard.setdefault(record.subject, []).append(value)
        elif record.kind == CHARACTER:
            cards[record.subject] = Card.from_json(value["card"])
            kinds.setdefault(record.kind, []).append({"id": record.id, "value": value})
        else:
            kinds.setdefault(record.kind, []).append({"id": record.id, "value": value})
    for kind, rows in sorted(kinds.items()):
        yield f"{_file(kind)}.json", _json(rows)
    if EVENT in kinds:
        yield "calendar.ics", calendar(Event.from_json(row["value"]) for row in kinds[EVENT])
    names: set[str] = set()
    for subject in sorted({*cards, *heard}):
        card = cards.get(subject)
        name = base = _file(card.name) if card else _file(subject)
        number = 1
        while name.casefold() in names:
            number += 1
            name = f"{base}-{number}"
        names.add(name.casefold())
        if card:
            yield f"characters/{name}.json", card.to_text() + "\n"
        if subject in heard:
            yield f"characters/{name}-heard.json", _json(heard[subject])


def calendar(events: Iterable[Event]) -> str:
    """Events as iCalendar (RFC 5545)."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//llmasos//export//EN"]
    for event in events:
        lines += ["BEGIN:VEVENT", f"UID:{event.id}@llmasos"]
        lines.append(f"DTSTAMP:{datetime.fromisoformat(event.created).astimezone(UTC):%Y%m%dT%H%M%SZ}")
        lines.append(f"SUMMARY:{_escaped(event.title)}")
        lines.append(f"DTSTART{_moment(event, event.start)}")
        if event.end:
            lines.append(f"DTEND{_moment(event, event.end)}")
        if event.rule.startswith("FREQ="):  # a repetition by another calendar has no rule in this form
            lines.append(f"RRULE:{event.rule}")
            lines += [f"EXDATE{_moment(event, skipped)}" for skipped in event.skipped]
        lines.append("END:VEVENT")
    return "".join(f"{folded}\r\n" for line in [*lines, "END:VCALENDAR"] for folded in _folded(line))


def _moment(event: Event, wall: str) -> str:
    """`;PARAMETERS:VALUE` of a wall-clock time."""
    moment = datetime.fromisoformat(wall)
    if not event.timed:
        return f";VALUE=DATE:{date.fromisoformat(wall[:10]):%Y%m%d}"
    if event.zone[:1] in "+-" or event.zone == "UTC":
        return f":{moment.replace(tzinfo=zone_of(event.zone)).astimezone(UTC):%Y%m%dT%H%M%SZ}"
    return f";TZID={event.zone}:{moment:%Y%m%dT%H%M%S}"


def _escaped(text: str) -> str:
    for plain, written in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\r\n", "\\n"), ("\n", "\\n"), ("\r", "\\n")):
        text = text.replace(plain, written)
    return text


def _folded(line: str) -> Iterator[str]:
    """A line in pieces of at most 75 bytes, each further one begun by a space."""
    piece = ""
    for letter in line:
        if len((piece + letter).encode("utf-8", "replace")) > 75:
            yield piece
            piece = " "
        piece += letter
    yield piece


def _bare(value: Any) -> Any:
    """A value without its vectors."""
    if isinstance(value, Mapping):
        return {name: _bare(part) for name, part in value.items() if name != _VECTOR}
    return [_bare(part) for part in value] if isinstance(value, list) else value


def _file(name: str) -> str:
    """A name that every file system takes."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._")[:80] or "unnamed"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"
