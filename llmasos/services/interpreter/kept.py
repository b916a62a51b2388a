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
        id = hashlib.sha256(f"{person}\n{_folded(line)}".encode()).hexdigest()[:24]
        kept = Kept(id, line, program, self._clock.now().isoformat(timespec="seconds"))
        mine = self._mine(person)
        with self._store.transaction():
            self._store.put(KIND, id, _to_json(person, kept))
            mine.pop(id, None)
            mine[id] = kept
            while len(mine) > MOST:
                oldest = next(iter(mine))
                del mine[oldest]
                self._store.delete(KIND, oldest)

    def of(self, person: str) -> list[Kept]:
        """All that is kept, oldest first."""
        return list(self._mine(person).values())

    def remove(self, person: str, id: str) -> bool:
        """Forget one; False where there is none."""
        if self._mine(person).pop(id, None) is None:
            return False
        with self._store.transaction():
            self._store.delete(KIND, id)
        return True

    def recall(self, person: str, said: str) -> Program | None:
        """The program of a sentence that was explained, or that differs from one only in its values."""
        line = " ".join(said.split())
        for kept in reversed(self._mine(person).values()):
            program = fitted(kept, line)
            if program is not None:
                return program
        return None

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
            records = [(r.id, r.value) for r in self._store.scan(KIND) if r.value["person"] == person]
            records.sort(key=lambda record: record[1]["at"])
            self._by_person[person] = {id: _from_json(id, value) for id, value in records}
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
