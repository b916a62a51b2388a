"""Readings that the person corrected or confirmed: used at once for the same sentence and for others built like it."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from llmasos.core.base.clock import Clock
from llmasos.core.base.types import Call, Program
from llmasos.core.kernel.store import Store

KIND = "reading"
MOST = 500
"""Kept for one person; the oldest goes first."""
LIKE = 0.5
"""Share of common words from which a kept sentence is shown to the model as an example."""
_WORD = re.compile(r"[\u3400-\u9fff]|[^\W_]+")


@dataclass(frozen=True, slots=True)
class Kept:
    """One kept reading."""

    id: str
    said: str
    program: Program
    at: str


class KeptReadings:
    """What each person's sentences mean, where they said so.

    Args:
        store: Where they are kept, sealed.
        clock: Says when.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._by_person: dict[str, dict[str, Kept]] = {}

    def keep(self, person: str, said: str, program: Program) -> None:
        """Remember what a sentence meant; a second time replaces the first."""
        line = " ".join(said.split())
        id = _id(person, line)
        kept = Kept(id, line, program, self._clock.now().isoformat(timespec="seconds"))
        mine = self._mine(person)
        others = [other for other in mine if other != id]
        gone = others[: max(len(others) + 1 - MOST, 0)]
        with self._store.transaction():
            for old in (id, *gone):  # the same one too, so that its new form is the newest in the store's order
                self._store.delete(KIND, old)
            self._store.put(KIND, id, _to_json(person, kept))
        for old in (id, *gone):
            mine.pop(old, None)
        mine[id] = kept

    def of(self, person: str) -> list[Kept]:
        """All that is kept, oldest first."""
        return list(self._mine(person).values())

    def remove(self, person: str, id: str) -> bool:
        """Forget one; False where there is none."""
        if id not in self._mine(person):
            return False
        self._store.delete(KIND, id)
        del self._mine(person)[id]
        return True

    def recall(self, person: str, said: str) -> Program | None:
        """The program of a sentence that was explained, or that differs from one only in its values.

        None too where it differs only in its values from two that mean different things.
        """
        line = " ".join(said.split())
        exact = self._mine(person).get(_id(person, line))
        if exact is not None:
            return exact.program
        found = [program for kept in self._mine(person).values() if (program := fitted(kept, line)) is not None]
        return found[-1] if found and all(program == found[-1] for program in found) else None

    def like(self, person: str, said: str) -> tuple[str, Program] | None:
        """The kept sentence that shares most words with this one, with its program; None where none is near."""
        words = set(_WORD.findall(said.casefold()))
        best, found = LIKE, None
        for kept in self._mine(person).values():
            theirs = set(_WORD.findall(kept.said.casefold()))
            share = len(words & theirs) / max(len(words | theirs), 1)
            if share >= best:
                best, found = share, kept
        return (found.said, found.program) if found else None

    def _mine(self, person: str) -> dict[str, Kept]:
        if person not in self._by_person:
            records = [record for record in self._store.scan(KIND) if record.value["person"] == person]
            self._by_person[person] = {record.id: _from_json(record.id, record.value) for record in records}
        return self._by_person[person]


def fitted(kept: Kept, line: str) -> Program | None:
    """The kept program with the values of another sentence in the same places; None where it is built otherwise."""
    values = {v for call in kept.program for v in call.args.values() if isinstance(v, str)}
    places: list[str] = []
    pattern, at = "", 0
    template = _trimmed(kept.said)
    found = sorted(_occurrences(template, values))
    for start, value in found:
        if start < at:
            continue  # inside a longer value
        pattern += re.escape(template[at:start])
        if value in places:
            pattern += f"(?P=v{places.index(value)})"
        else:
            pattern += f"(?P<v{len(places)}>\\S(?:.{{0,78}}?\\S)?)"
            places.append(value)
        at = start + len(value)
    pattern += re.escape(template[at:])
    fixed = "".join(template[i] for i in _outside(template, found))
    if not _WORD.search(fixed):
        return None if _folded(template) != _folded(line) else kept.program
    match = re.fullmatch(pattern.replace("\\ ", r"\s+"), _trimmed(line), re.IGNORECASE)
    if match is None:
        return None
    new = {value: match[f"v{number}"] for number, value in enumerate(places)}
    return tuple(
        replace(call, args={k: new.get(v, v) if isinstance(v, str) else v for k, v in call.args.items()})
        for call in kept.program
    )


def _occurrences(text: str, values: set[str]) -> Iterator[tuple[int, str]]:
    """(place, value) of each value that stands in a text; longer values first where they begin alike."""
    for value in sorted(values, key=len, reverse=True):
        at = text.find(value) if value else -1
        if at >= 0:
            yield at, value


def _outside(text: str, found: list[tuple[int, str]]) -> Iterator[int]:
    inside = {i for start, value in found for i in range(start, start + len(value))}
    return (i for i in range(len(text)) if i not in inside)


def _trimmed(line: str) -> str:
    return unicodedata.normalize("NFC", line).strip(" .!?。！？")


def _folded(line: str) -> str:
    return " ".join(_WORD.findall(unicodedata.normalize("NFKC", line).casefold()))


def _to_json(person: str, kept: Kept) -> dict[str, Any]:
    calls = [{**call.to_json(), "references": sorted(call.references)} for call in kept.program]
    return {"person": person, "said": kept.said, "program": calls, "at": kept.at}


def _from_json(id: str, value: dict[str, Any]) -> Kept:
    program = tuple(Call(c["syscall"], c["args"], frozenset(c["references"])) for c in value["program"])
    return Kept(id, value["said"], program, value["at"])
