"""Readings that the person corrected or confirmed: used at once for the same sentence and for others built like it."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from llmasos.core.base.clock import Clock
from llmasos.core.base.types import Call, Program, from_records, to_records
from llmasos.core.kernel.store import Store
from llmasos.services.interpreter.reading import Kept

KIND = "reading"
MOST = 500
"""Kept for one person; the oldest goes first."""
ENOUGH = 4
"""Words, or Chinese characters, of a frame that are its own even where each is ordinary."""
LIKE = 0.5
"""Share of common words from which a kept sentence is shown to the model as an example."""
CHOSEN = frozenset({"status", "priority", "setting"})
"""Arguments whose values come from a list and need not be said: no other word of a sentence may take their place."""
_LONGEST = 80
"""Characters of a value in another sentence."""
_WORD = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+")
_FILE = re.compile(r"[\w)]\.\w{1,5}$|/")
_LETTER = re.compile(r"[^\W\d_]")
_INSIDE = re.compile(r"[^\W\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]{2}")
"""Two characters between which no value begins or ends: both of one word, in a script with spaces."""
_JOINS = re.compile(r"[,;，；、]|\b(?:and|then|but)\b|然后|并且|接着", re.IGNORECASE)
"""Where a second command or thing may begin."""


class KeptReadings:
    """What each person's sentences mean, where they said so.

    Args:
        store: Where they are kept, sealed.
        clock: Says when.
        ordinary: Whether a word is one that many sentences hold: frames of nothing else are too wide.
    """

    def __init__(self, store: Store, clock: Clock, ordinary: Callable[[str], bool] = lambda word: False) -> None:
        self._store = store
        self._clock = clock
        self._ordinary = ordinary

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

    def of(self, person: str) -> list[Kept]:
        """All that is kept, oldest first."""
        return list(self._mine(person).values())

    def remove(self, person: str, id: str) -> bool:
        """Forget one; False where there is none."""
        if id not in self._mine(person):
            return False
        self._store.delete(KIND, id)
        return True

    def erase(self, match: Callable[[str], bool]) -> None:
        """Forget sentences that hold what is erased for good."""
        for record in list(self._store.scan(KIND)):
            if match(record.value["said"]):
                self._store.delete(KIND, record.id)

    def recall(self, person: str, said: str) -> Program | None:
        """The program of a sentence that was explained, or that differs from one only in its values.

        None too where it differs only in its values from two that mean different things.
        """
        line = " ".join(said.split())
        mine = self._mine(person)
        exact = mine.get(_id(person, line))
        if exact is not None:
            return exact.program
        telling = [kept for kept in mine.values() if self._tells(frame_of(kept))]
        found = [(fit, kept) for kept in telling if (fit := fitted(kept, line))]
        if not found:
            return None
        closest = max(frame_of(kept).size for _, kept in found)
        programs = [fit for fit, kept in found if frame_of(kept).size == closest]
        return programs[0] if all(program == programs[0] for program in programs) else None

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
        # From the store each time: another program of this home may have removed one.
        records = (record for record in self._store.scan(KIND) if record.value["person"] == person)
        return {record.id: _from_json(record.id, record.value) for record in records}

    def _tells(self, frame: Frame) -> bool:
        """Whether a frame is of this person's own words: "open ..." would take all that can be opened."""
        words = words_of(" ".join(frame.fixed))
        return any(not self._ordinary(word) for word in words) or len(words) >= ENOUGH


@dataclass(frozen=True, slots=True)
class Frame:
    """A sentence with places for its values.

    Attributes:
        fixed: What stands before, between and after the places; the same in all sentences built alike.
        values: The value at each place.
        may_differ: Whether another sentence may be built alike.
    """

    fixed: tuple[str, ...]
    values: tuple[str, ...]
    may_differ: bool

    @property
    def size(self) -> int:
        """Characters that are the same in all sentences built alike."""
        return sum(map(len, self.fixed))

    def read(self, line: str) -> dict[str, str] | None:
        """Which values stand in a sentence in place of the frame's own; None where it is built otherwise.

        None too where it can be cut in two ways: which is meant in "move the letter to Ana to the archive"?
        """
        start, end = self.fixed[0].casefold(), self.fixed[-1].casefold()
        folded = line.casefold()
        if not self.may_differ or not folded.startswith(start) or not folded.endswith(end):
            return None
        if len(line) > self.size + _LONGEST * len(self.values):
            return None
        fewest = re.fullmatch(self._pattern("?"), line, re.IGNORECASE)
        most = re.fullmatch(self._pattern(""), line, re.IGNORECASE)
        if fewest is None or most is None or fewest.groups() != most.groups():
            return None
        return dict(zip(dict.fromkeys(self.values), fewest.groups(), strict=True))

    def _pattern(self, lazy: str) -> str:
        pattern = re.escape(self.fixed[0])
        groups: dict[str, int] = {}
        for number, value in enumerate(self.values):
            if value in groups:
                pattern += f"(?P=v{groups[value]})"
            else:
                groups[value] = len(groups)
                between = self.fixed[1:-1][max(number - 1, 0) : number + 1]
                # Beside another place only words: where two long values meet isn't seen.
                some = rf"\S(?:.{{0,{_LONGEST - 2}}}{lazy}\S)?{lazy}" if all(map(str.strip, between)) else r"\S+"
                # Chinese has spaces around Latin words, or none: "放点 blues 吧".
                pattern += f" ?(?P<v{groups[value]}>{some}) ?"
            pattern += re.escape(self.fixed[number + 1])
        return pattern


def fitted(kept: Kept, line: str) -> Program | None:
    """The kept program with the values of another sentence in the same places; None where it is built otherwise."""
    if _folded(kept.said) == _folded(line):
        return kept.program
    new = frame_of(kept).read(_trimmed(line))
    if new is None or not all(_alike(old, value) for old, value in new.items()):
        return None
    return tuple(
        replace(call, args={k: new.get(_nfc(v), v) if _varies(call, k) else v for k, v in call.args.items()})
        for call in kept.program
    )


def words_of(text: str) -> list[str]:
    """The words of a text in lower case; each Chinese character is one."""
    return _WORD.findall(text.casefold())


def frame_of(kept: Kept) -> Frame:
    """The frame of a kept sentence."""
    values = {_nfc(v) for call in kept.program for k, v in call.args.items() if _varies(call, k) and v}
    return _frame(_trimmed(kept.said), frozenset(values))


@lru_cache(maxsize=2 * MOST)
def _frame(said: str, values: frozenset[str]) -> Frame:
    found = list(_places(said, values))
    fixed, at = [], 0
    for start, value in found:
        fixed.append(said[at:start])
        at = start + len(value)
    fixed.append(said[at:])
    places = tuple(value for _, value in found)
    # What only stands inside another value would have to change with it.
    inside = any(value not in places for value in values if next(_occurrences(said, value), None) is not None)
    may_differ = bool(_WORD.search("".join(fixed)) and all(fixed[1:-1]) and not inside)
    return Frame(tuple(fixed), places, may_differ)


def _places(text: str, values: Iterable[str]) -> Iterator[tuple[int, str]]:
    """(place, value) of values in a text, left to right; of two that overlap the first, and of two there the longer."""
    end = 0
    found = sorted(
        ((at, value) for value in values for at in _occurrences(text, value)), key=lambda f: (f[0], -len(f[1]))
    )
    for at, value in found:
        if at >= end:
            yield at, value
            end = at + len(value)


def _occurrences(text: str, value: str) -> Iterator[int]:
    """Where a value stands in a text, between words."""
    at = text.find(value)
    while at >= 0:
        end = at + len(value)
        if not _INSIDE.fullmatch(text[max(at - 1, 0) : at + 1]) and not _INSIDE.fullmatch(text[end - 1 : end + 1]):
            yield at
        at = text.find(value, at + 1)


def _varies(call: Call, argument: str) -> bool:
    """Whether a value may be another one in another sentence."""
    value = call.args[argument]
    return isinstance(value, str) and argument not in call.references and argument not in CHOSEN


def _alike(old: str, new: str) -> bool:
    """Whether a value can stand for another: no word for a number, no file for a name, no two things for one."""
    same_kind = bool(_FILE.search(old)) == bool(_FILE.search(new))
    letters = _LETTER.search(old) or not _LETTER.search(new)
    joined = _JOINS.search(old) or not _JOINS.search(new)
    return bool(same_kind and letters and joined)


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _trimmed(line: str) -> str:
    return _nfc(line).strip(" .!?。！？")


def _folded(line: str) -> str:
    """A sentence without what makes no difference: case, width, the mark at its end."""
    folded = " ".join(unicodedata.normalize("NFKC", line).casefold().split())
    return _trimmed(folded) or folded


def _id(person: str, line: str) -> str:
    return hashlib.sha256(f"{person}\n{_folded(line)}".encode()).hexdigest()[:24]


def _to_json(person: str, kept: Kept) -> dict[str, Any]:
    return {"person": person, "said": kept.said, "program": to_records(kept.program), "at": kept.at}


def _from_json(id: str, value: dict[str, Any]) -> Kept:
    return Kept(id, value["said"], from_records(value["program"]), value["at"])
