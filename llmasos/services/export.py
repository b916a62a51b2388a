"""Everything that is kept of a person, as open files: JSON, a calendar, and character cards."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from llmasos.core.kernel.store import Record
from llmasos.services.calendars.importing import ICAL
from llmasos.services.calendars.writing import calendar
from llmasos.services.characters.card import Card
from llmasos.services.characters.cast import KIND as CHARACTER
from llmasos.services.characters.events import KIND as HEARD
from llmasos.services.schedule.event import KIND as EVENT
from llmasos.services.schedule.event import Event

DERIVED = ("files.vector", "files.words", "files.document")
"""Kinds that are computed from other things and are made anew where they are missing."""
_LEFT_OUT = frozenset({"vector", "password"})
"""What of a value is computed anew, or isn't for files that lie open: what a calendar's server wants to be told."""


def export(
    records: Iterable[Record], now: datetime, blob: Callable[[str, str], bytes | None] = lambda _subject, _id: None
) -> Iterator[tuple[str, str | bytes]]:
    """Files as (name, content): JSON for each kind of record, a calendar, each character's card and what it heard.

    Its portrait lies beside the card. Values are as they are kept, with who said them; only vectors and passwords are
    left out.

    Args:
        records: All of them.
        now: The present.
        blob: Gives what is kept beside the records, by subject and id.
    """
    kinds: dict[str, list[dict[str, Any]]] = {}
    heard: dict[str, list[Any]] = {}
    cards: dict[str, Card] = {}
    portraits: dict[str, str] = {}
    for record in records:
        value = _bare(record.value)
        if record.kind in DERIVED:
            continue
        if record.kind == HEARD:
            heard.setdefault(record.subject, []).append(value)
        elif record.kind == CHARACTER:
            cards[record.subject] = Card.from_json(value["card"])
            portraits[record.subject] = value.get("portrait", "")
            kinds.setdefault(record.kind, []).append({"id": record.id, "value": value})
        else:
            kinds.setdefault(record.kind, []).append({"id": record.id, "value": value})
    for kind, rows in sorted(kinds.items()):
        yield f"{_file(kind)}.json", _json(rows)
    if EVENT in kinds:
        known = {row["id"]: row["value"] for row in kinds.get(ICAL, ())}
        yield "calendar.ics", calendar([Event.from_json(row["value"]) for row in kinds[EVENT]], known, now)
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
        if picture := portraits.get(subject) and blob(subject, portraits[subject]):
            yield f"characters/{name}.png", picture
        if subject in heard:
            yield f"characters/{name}-heard.json", _json(heard[subject])


def _bare(value: Any) -> Any:
    """A value without what is left out, however deep it lies."""
    if isinstance(value, Mapping):
        return {name: _bare(part) for name, part in value.items() if name not in _LEFT_OUT}
    return [_bare(part) for part in value] if isinstance(value, list) else value


def _file(name: str) -> str:
    """A name that every file system takes."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._")[:80] or "unnamed"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"
