"""What a character has made of what it witnessed: each thought names its evidence, and is known to whom that was.

    topic    somebody comes back to a subject again and again
    sitting  what of an earlier talk is worth keeping, in the words in which it was said

A thought is found by its words. Its id is a digest of what it is about, so that thinking the same again, in whichever
process, changes it and makes no second one.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from llmasos.core.kernel.store import Store
from llmasos.services.characters.events import CHARACTER_ID, Event, importance
from llmasos.services.language import extract
from llmasos.services.memory.words import surfaces, terms
from llmasos.services.script import has_chinese

KIND = "character.thought"
OFTEN = 3
"""Times that a subject comes up before it is a topic."""
MANY = 20
"""Lines that are many."""
PAUSE = timedelta(hours=1)
"""Without a line for so long, a talk is over."""
SITTING = 6
"""Lines worth remembering that make a talk worth a thought."""
QUOTED = 3
"""Lines of a talk that its thought quotes."""


@dataclass(frozen=True, slots=True)
class Thought:
    """One thought.

    Attributes:
        id: A digest of what it is about.
        kind: See above.
        about: Whom it is about: a person, or a character's id.
        text: What it says.
        evidence: Numbers of the events that it is drawn from.
        witnesses: Who was there at all of them.
        written_by: "rule", or "model" where a model put it into words.
    """

    id: str
    kind: Literal["topic", "sitting"]
    about: str
    text: str
    evidence: tuple[int, ...]
    witnesses: frozenset[str]
    written_by: Literal["rule", "model"] = "rule"


class Thoughts:
    """What one character thinks.

    Args:
        store: Where it is kept.
        subject: Whose key seals it.
    """

    def __init__(self, store: Store, subject: str) -> None:
        self._store = store
        self._subject = subject
        self._thoughts = {record.id: _from(record.id, record.value) for record in store.scan(KIND, subject=subject)}

    def __len__(self) -> int:
        return len(self._thoughts)

    def known_to(self, *names: str) -> list[Thought]:
        """Those that may be told where these are present, the one with the newest evidence first."""
        there = [thought for thought in self._thoughts.values() if thought.witnesses.issuperset(names)]
        return sorted(there, key=lambda thought: (-thought.evidence[-1], thought.id))

    def fitting(self, line: str, *names: str, limit: int = 1) -> list[Thought]:
        """Those of them that a line brings to mind."""
        asked = set(terms(line, query=True))
        scored = [(len(asked & set(terms(thought.text))), thought) for thought in self.known_to(*names)]
        return [thought for score, thought in sorted(scored, key=lambda pair: -pair[0]) if score][:limit]

    def keep(self, thoughts: Iterable[Thought], *, again: bool = False) -> list[Thought]:
        """Write thoughts down; those of them whose evidence is new, or all of them, in other words."""
        fresh = [thought for thought in thoughts if again or not self._same(thought)]
        with self._store.transaction():
            for thought in fresh:
                self._store.put(KIND, thought.id, _to(thought), subject=self._subject)
        self._thoughts |= {thought.id: thought for thought in fresh}
        return fresh

    def without(self, numbers: Iterable[int]) -> None:
        """Forget what was drawn from these events."""
        gone = frozenset(numbers)
        lost = [thought.id for thought in self._thoughts.values() if gone.intersection(thought.evidence)]
        with self._store.transaction():
            for id in lost:
                self._store.delete(KIND, id, subject=self._subject)
        for id in lost:
            del self._thoughts[id]

    def _same(self, thought: Thought) -> bool:
        known = self._thoughts.get(thought.id)
        return known is not None and known.evidence == thought.evidence


def drawn(own: str, events: Sequence[Event], names: Mapping[str, str]) -> Iterator[Thought]:
    """What can be made of events, by rule.

    Args:
        own: The character's id.
        events: What it witnessed, oldest first.
        names: What characters are called, by id.
    """
    heard = [e for e in events if e.speaker != own and not CHARACTER_ID.fullmatch(e.speaker) and importance(e.text) > 0]
    yield from _topics(heard, names)
    for talk in _talks(events):
        if talk[-1] is not events[-1]:  # the one that goes on isn't over yet
            yield from _sitting([event for event in heard if talk[0].number <= event.number <= talk[-1].number], names)


def _topics(heard: Sequence[Event], names: Mapping[str, str]) -> Iterator[Thought]:
    groups: defaultdict[tuple[str, str, frozenset[str]], list[Event]] = defaultdict(list)
    for event in heard:
        for term in sorted(set(terms(event.text))):
            if len(term) > 2 or (has_chinese(term) and len(term) > 1):
                groups[event.speaker, term, event.witnesses].append(event)
    for (speaker, term, witnesses), found in sorted(groups.items(), key=lambda pair: (pair[0][0], pair[0][1])):
        # Of many lines, a word that a third of them has is no subject.
        if len(found) < OFTEN or len(found) > max(MANY, len(heard)) // 3:
            continue
        word = Counter(word for event in found for word in surfaces(event.text, term)).most_common(1)[0][0]
        who, newest = names.get(speaker, speaker), found[-1]
        chinese = has_chinese(newest.text)
        text = (
            f"{who}常常说到{word}：“{newest.text}”" if chinese else f'{who} often speaks of "{word}": "{newest.text}"'
        )
        id = _digest("topic", speaker, term, *sorted(witnesses))
        yield Thought(id, "topic", speaker, text, tuple(event.number for event in found), witnesses)


def _talks(events: Sequence[Event]) -> list[list[Event]]:
    """Events in talks, with a pause between any two."""
    talks: list[list[Event]] = []
    for event in events:
        at = datetime.fromisoformat(event.at)
        if not talks or at - datetime.fromisoformat(talks[-1][-1].at) > PAUSE:
            talks.append([])
        talks[-1].append(event)
    return talks


def _sitting(heard: Sequence[Event], names: Mapping[str, str]) -> Iterator[Thought]:
    groups: defaultdict[tuple[str, frozenset[str]], list[Event]] = defaultdict(list)
    for event in heard:
        groups[event.speaker, event.witnesses].append(event)
    for (speaker, witnesses), found in sorted(groups.items(), key=lambda pair: pair[1][0].number):
        if len(found) < SITTING:
            continue
        facts = [event for event in found if importance(event.text) >= 1] or found
        chosen = [facts[i] for i in extract.best([event.text for event in facts], QUOTED)]
        who, day = names.get(speaker, speaker), found[0].at[:10]
        chinese = has_chinese(chosen[0].text)
        quotes = "".join(f"“{event.text}”" if chinese else f' "{event.text}"' for event in chosen)
        text = f"{day}，{who}说：{quotes}" if chinese else f"On {day} {who} told:{quotes}"
        id = _digest("sitting", speaker, str(found[0].number), *sorted(witnesses))
        yield Thought(id, "sitting", speaker, text, tuple(event.number for event in chosen), witnesses)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]


def _to(thought: Thought) -> dict[str, Any]:
    value = asdict(thought) | {"evidence": list(thought.evidence), "witnesses": sorted(thought.witnesses)}
    del value["id"]
    return value


def _from(id: str, value: Mapping[str, Any]) -> Thought:
    rest = {**value, "evidence": tuple(value["evidence"]), "witnesses": frozenset(value["witnesses"])}
    return Thought(id, **rest)
