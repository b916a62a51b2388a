"""What a character witnessed: a log that only grows, sealed with its own key, and the search over it.

Each event says who was there. What reaches a prompt is asked for with the names of those who will read the
answer, and only events that all of them witnessed are given: nobody learns from a character what they
weren't there for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from llmasos.core.kernel.store import Store
from llmasos.services.characters.facts import Claim, frame
from llmasos.services.characters.fitting import of_its_sort_first
from llmasos.services.characters.making import Maker
from llmasos.services.memory.retrieval import Embedder, Hit, Index, Item

KIND = "character.event"
Told = Literal["said", "told"]
"""Said in a talk, or told outside of one (`character.remember`): known, and no part of the talk."""
BEYOND = 4
"""So many times as many hits are looked at as are wanted, since some are out of date."""
INVENTED = 0.4
CHARACTER_ID = re.compile(r"[0-9a-f]{16}")  # as cast.new_id makes them
_QUESTION = re.compile(
    r"[?？]\s*$|^(?:who|what|when|where|why|how|which|do|does|did|is|are|can|could|will|would|have)\b",
    re.IGNORECASE,
)
_DOES = re.compile(
    r"(?:I|We)(?:'ve| have)? (?!(?:see|know|think|guess|agree|understand|mean|hope|do|did|don't|can|can't|will)\b)"
    r"[a-z]+ (?!(?:it|that|so|you|this)\b)\S+"
)
_FACT = re.compile(
    r"\b(?:my|our|i'm|i am|i was|i like|i love|i hate|i have|i've|i live|i work|i prefer|"
    r"i need|i want|remember|call me|"
    r"promise|always|never|birthday|allergic)\b|\d|我[的叫是有爱喜住在想]|记住|生日|答应|过敏",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes:
        number: Its place, from 1.
        at: When, ISO 8601.
        speaker: Who said it: a person's name, or a character's id.
        text: What was said.
        witnesses: Who was there, the speaker included.
        vector: The embedding; empty where there is none.
        kind: Whether it was part of a talk.
        sources: Whose words it is, as labels name it, where they aren't the speaker's.
        made_by: What made it, where a character said it; empty for persons, and for what was kept before that was.
    """

    number: int
    at: str
    speaker: str
    text: str
    witnesses: frozenset[str]
    vector: str = ""
    kind: Told = "said"
    sources: tuple[str, ...] = ()
    made_by: Maker | Literal[""] = ""

    @property
    def is_models(self) -> bool:
        """Whether a model made it, if a character said it."""
        return self.made_by in ("", "model")

    def known_to(self, names: Iterable[str]) -> bool:
        """Whether all of them were there."""
        return self.witnesses.issuperset(names)


class EventLog:
    """One character's memory.

    Args:
        store: Where it is kept.
        subject: Whose key seals it.
        own: The character's id, with which it signs what it says.
        embedder: Finds by meaning; None finds by words alone.
    """

    def __init__(self, store: Store, subject: str, own: str, embedder: Embedder | None = None) -> None:
        self._store = store
        self._subject = subject
        self._own = own
        self._events: dict[int, Event] = {}
        self._index = Index(embedder)
        self._frames: dict[tuple[str, str], list[int]] = {}
        """By speaker and frame the numbers of the lines that are facts of it, ascending; also of some that are gone."""
        self._last = 0
        self.erasing: list[Callable[[Sequence[int]], None]] = []
        """Told of the numbers of events that are deleted: forget what you made of them."""
        for record in store.scan(KIND, subject=subject):
            self._enter(_from(record.value))

    def __len__(self) -> int:
        return len(self._events)

    @property
    def next_number(self) -> int:
        """The number of the event that comes next. Numbers aren't used again."""
        return self._last + 1

    async def append(
        self,
        *,
        at: str,
        speaker: str,
        text: str,
        witnesses: Iterable[str],
        kind: Told = "said",
        sources: Iterable[str] = (),
        made_by: Maker | Literal[""] = "",
    ) -> Event:
        """Write an event down; it is kept when this returns."""
        return self.keep(at, speaker, text, witnesses, await self.vector(speaker, text, kind), kind, sources, made_by)

    async def vector(self, speaker: str, text: str, kind: Told = "said") -> str:
        """What `keep` needs to find it by its meaning; empty for what isn't looked for."""
        remembered = speaker != self._own and (kind == "told" or importance(text) > 0)
        return await self._index.embed(text) if remembered else ""

    def keep(
        self,
        at: str,
        speaker: str,
        text: str,
        witnesses: Iterable[str],
        vector: str,
        kind: Told = "said",
        sources: Iterable[str] = (),
        made_by: Maker | Literal[""] = "",
    ) -> Event:
        """As `append`, with the vector made before: for what several write down at once."""
        event = Event(self.next_number, at, speaker, text, frozenset(witnesses), vector, kind, tuple(sources), made_by)
        self._store.put(KIND, f"{event.number:08d}", _to(event), subject=self._subject)
        self._enter(event)
        return event

    def retract(self, first: int) -> int:
        """Take back all events from a number on, when the person undoes them; how many there were."""
        return self.erase([number for number in self._events if number >= first])

    def erase(self, numbers: Iterable[int]) -> int:
        """Delete events; how many there were."""
        there = [number for number in numbers if number in self._events]
        with self._store.transaction():
            for number in there:
                self._store.delete(KIND, f"{number:08d}", subject=self._subject)
            for told in self.erasing:
                told(there)
        for number in there:
            del self._events[number]
            self._index.remove(str(number))
        return len(there)

    def get(self, number: int) -> Event | None:
        """The event of a number; None where there is none any more."""
        return self._events.get(number)

    def since(self, first: int) -> list[Event]:
        """The events from a number on."""
        return [event for number, event in sorted(self._events.items()) if number >= first]

    def witnessed(self, *names: str) -> list[Event]:
        """The events at which all of these were present, oldest first."""
        return [event for _, event in sorted(self._events.items()) if event.known_to(names)]

    async def recall(self, query: str, *names: str, before: int, limit: int = 3, wide: bool = False) -> list[Hit]:
        """What others said that fits a query and that all of these witnessed, best first.

        A line that is found brings along the newest one that says the same otherwise. What somebody has corrected since
        isn't among it, where the correction is.

        Args:
            query: The new line.
            names: Who will read what is made of it.
            before: Only events with smaller numbers.
            limit: At most so many.
            wide: Also what may be meant; who asks judges it.
        """

        def seen(item: Item) -> bool:
            event = self._events[item.order]
            return event.number < before and event.known_to(names)

        hits = await self._index.search(query, max(BEYOND * limit, 12), where=seen, wide=wide)
        return of_its_sort_first(query, current(self._with_newest(hits, seen)))[:limit]

    async def search(self, query: str, *names: str, limit: int) -> list[Hit]:
        """As `recall`, out of all events, what was corrected included; `complete` hits have all words of the query."""
        return await self._index.search(query, limit, where=lambda item: self._events[item.order].known_to(names))

    def _with_newest(self, hits: Sequence[Hit], seen: Callable[[Item], bool]) -> list[Hit]:
        """Hits, each behind the newest line of the same frame: "I've moved to Porto" for "I live in Rome"."""
        found = {hit.item.order for hit in hits}
        whole: list[Hit] = []
        for hit in hits:
            same = self._frames.get((hit.item.source, frame(hit.item.text)), ())
            newest = next((n for n in reversed(same) if (item := self._index.get(str(n))) and seen(item)), 0)
            if newest > hit.item.order and newest not in found:
                item = self._index.get(str(newest))
                assert item is not None
                whole.append(replace(hit, item=item, complete=False))
                found.add(newest)
            whole.append(hit)
        return whole

    def _enter(self, event: Event) -> None:
        self._events[event.number] = event
        self._last = max(self._last, event.number)
        # What another character says is made by a model: it counts less than what a person said.
        worth = 1.0 if event.kind == "told" else importance(event.text)
        weight = worth * (INVENTED if CHARACTER_ID.fullmatch(event.speaker) else 1.0)
        # What the character said itself is no evidence, and questions know nothing.
        if event.speaker != self._own and weight > 0:
            self._index.add(
                Item(str(event.number), event.text, event.number, event.at, event.vector, weight, event.speaker)
            )
            if what := frame(event.text):
                self._frames.setdefault((event.speaker, what), []).append(event.number)


def current(hits: Sequence[Hit]) -> list[Hit]:
    """Hits without those that another one of the same speaker supersedes."""
    claims = [Claim.of(hit.item.text) for hit in hits]

    def outdated(hit: Hit, claim: Claim) -> bool:
        return any(
            other.item.order > hit.item.order and other.item.source == hit.item.source and newer.supersedes(claim)
            for other, newer in zip(hits, claims, strict=True)
        )

    return [hit for hit, claim in zip(hits, claims, strict=True) if not outdated(hit, claim)]


def importance(text: str) -> float:
    """How much a line is worth, by rule: 1 for facts about the speaker, 0 for questions and greetings.

    What else somebody says of their own doings is worth a little more than other lines.
    """
    if _QUESTION.search(text.strip()) and not re.search(r"[.!。！]\s*\S", text):
        return 0.0
    if _FACT.search(text):
        return 1.0
    if _DOES.match(text):
        return 0.8
    return 0.6 if len(text.split()) > 3 or len(text) > 24 or re.search(r"[\u3400-\u9fff]{6,}", text) else 0.0


def _to(event: Event) -> dict[str, Any]:
    return {
        "number": event.number,
        "at": event.at,
        "speaker": event.speaker,
        "text": event.text,
        "witnesses": sorted(event.witnesses),
        "vector": event.vector,
        **({"kind": event.kind} if event.kind != "said" else {}),
        **({"sources": list(event.sources)} if event.sources else {}),
        **({"made_by": event.made_by} if event.made_by else {}),
    }


def _from(value: dict[str, Any]) -> Event:
    return Event(
        value["number"],
        value["at"],
        value["speaker"],
        value["text"],
        frozenset(value["witnesses"]),
        value["vector"],
        value.get("kind", "said"),
        tuple(value.get("sources", ())),
        value.get("made_by", ""),
    )
