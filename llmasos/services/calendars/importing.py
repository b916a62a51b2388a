"""Which changes an import makes: each event once, in its newest version, and nothing where it is here already."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from llmasos.core.kernel.store import Store
from llmasos.services.calendars.reading import Entry, Found, event_id, without
from llmasos.services.calendars.writing import essence
from llmasos.services.changes import Change
from llmasos.services.schedule.event import KIND, Event
from llmasos.services.schedule.ringer import TOLD

ICAL = "event.ical"
"""What is kept beside an imported event: `uid occurrence sequence changed digest raw was`."""
NEW, CHANGED, CANCELLED = "new", "changed", "cancelled"
SAME, OLDER, LEFT = "unchanged", "older than what is here", "cancelled by you, which stays so"
GONE = "cancelled by their author"


@dataclass(slots=True)
class Plan:
    """What an import will do.

    Attributes:
        changes: Record by record.
        counts: How many events are new, changed, ...
        noted: What was left out in reading, in words.
    """

    changes: list[Change] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    noted: str = ""

    @property
    def said(self) -> str:
        """The counts in words: "12 new, 3 unchanged"."""
        return ", ".join(f"{count:,} {what}" for what, count in self.counts.items() if count) or "no events"


def planned(found: Found, store: Store, now: datetime) -> Plan:
    """What there is to be done with what was read."""
    plan = Plan(noted=found.noted)
    whole = {entry.uid for entry in found.entries if not entry.occurrence}
    owners: dict[str, Event] = {}
    for entry in found.entries:
        record, here = store.get(ICAL, entry.event.id), store.get(KIND, entry.event.id)
        what = _what(entry, record, here)
        plan.counts[what] += 1
        if what in (NEW, CHANGED):
            event = entry.event
            if here is not None:
                was = Event.from_json(here)
                # What it was entered as stays: nothing rings anew because its words changed.
                event = replace(event, created=was.created, by=was.by, said=was.said)
                if (was.start, was.zone) != (event.start, event.zone):
                    plan.changes.append((TOLD, event.id, {"until": now.astimezone(UTC).isoformat()}))
            plan.changes.append((KIND, event.id, event.to_json()))
            plan.changes.append((ICAL, event.id, _kept(entry)))
        elif what == CANCELLED:
            plan.changes += [
                (KIND, entry.event.id, None),
                (TOLD, entry.event.id, None),
                (ICAL, entry.event.id, _kept(entry)),
            ]
        if entry.occurrence and entry.uid not in whole and what in (NEW, CHANGED, CANCELLED, GONE):
            _apart(entry, store, owners)
    plan.changes += [(KIND, id, event.to_json()) for id, event in owners.items()]
    return plan


def _what(entry: Entry, record: Mapping[str, Any] | None, here: Mapping[str, Any] | None) -> str:
    if record is None and here is None:
        return GONE if entry.cancelled else NEW
    if record is None:  # one of ours that comes back
        assert here is not None
        if entry.cancelled:
            return CANCELLED
        return SAME if essence(entry.event) == essence(Event.from_json(dict(here))) else CHANGED
    newer = entry.newer(int(record["sequence"]), str(record["changed"]))
    if newer < 0:
        return OLDER
    if entry.digest == record["digest"] and _json(essence(entry.event)) == _json(record["was"]):
        return SAME if here is not None or entry.cancelled else LEFT
    if entry.cancelled:
        return CANCELLED if here is not None else SAME
    if here is None and newer == 0:
        return LEFT
    return CHANGED


def _apart(entry: Entry, store: Store, owners: dict[str, Event]) -> None:
    """Something else is told of one time of a repetition that is here already: it leaves that time out."""
    id = event_id(entry.uid, "", "")
    value = store.get(KIND, id)
    owner = owners.get(id) or (Event.from_json(value) if value else None)
    if owner is not None and owner.rule:
        owners[id] = without(owner, entry.occurrence)


def _kept(entry: Entry) -> dict[str, Any]:
    return {
        "uid": entry.uid, "occurrence": entry.occurrence, "sequence": entry.sequence, "changed": entry.changed,
        "digest": entry.digest, "raw": entry.raw, "was": essence(entry.event),
    }  # fmt: skip


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def steps(changes: Sequence[Change], store: Store) -> list[list[Any]]:
    """What takes changes back: kind, id, the value before, and a digest of the one after."""
    return [[kind, id, store.get(kind, id), digest(value)] for kind, id, value in changes]


def digest(value: Any) -> str:
    """A digest of a record, by which a later change is noticed."""
    return hashlib.blake2b(_json(value).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
