"""character.remember, memories and forget: what a character knows, from outside of a talk with it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Any

from llmasos.core.base.errors import SyscallError
from llmasos.core.base.values import done, items, sourced
from llmasos.core.kernel.journal import Entry
from llmasos.core.kernel.labels import kept
from llmasos.core.kernel.syscall import Kind, inverse, syscall
from llmasos.core.kernel.trap import Caller
from llmasos.services.characters import naming
from llmasos.services.characters.cast import Cast, Character
from llmasos.services.characters.conversation import LINE, Conversations
from llmasos.services.characters.events import Event, current, importance
from llmasos.services.characters.facts import supersedes
from llmasos.services.memory.words import means_everything, normalized

Name = Annotated[str, Kind("character")]
SHOWN = 20
"""Memories that are shown at most."""
SURE = 0.3
"""Relevance from which a memory without all the query's words may be meant by `forget`."""


class Remembering:
    """What a person does with a character's memory; the class that takes it in has what it needs."""

    cast: Cast
    conversations: Conversations

    @syscall("character.remember", effect="write", spoken=False)
    async def remember_call(self, caller: Caller, name: Name, text: str) -> dict[str, Any]:
        """Tell a character a fact outside of a talk; it counts as told by you.

        Args:
            name: Whom.
            text: The fact.
        """
        character = await naming.named(caller, self.cast, name)
        fact, person = " ".join(text.split()), caller.session.person
        if not fact or len(fact) > LINE:
            raise SyscallError("EINVAL", f"A fact has 1 to {LINE:,} characters; this has {len(fact):,}.")
        async with self.conversations.turns[character.id]:
            log = self.cast.log(character)
            caller.prepare("character.remember", {"id": character.id, "number": log.next_number})
            at = caller.kernel.clock.now().isoformat(timespec="seconds")
            await log.append(
                at=at,
                speaker=person,
                text=fact,
                witnesses=(character.id, person),
                kind="told",
                sources=kept(caller.call, "text"),
            )
        return done(f"{character.name} knows: {fact}", ref=fact)

    @inverse("character.remember")
    async def untell(self, caller: Caller, payload: dict[str, Any]) -> str:
        """The character never heard of it."""
        character = self.cast.get(payload["id"])
        if character is None or not self.cast.log(character).erase([payload["number"]]):
            raise SyscallError("ESTALE", "That memory has gone since.")
        await self.conversations.end(character)
        return f"{character.name} no longer knows of it."

    @syscall("character.memories", effect="read", spoken=False)
    async def memories_call(self, caller: Caller, name: Name, query: str | None = None) -> dict[str, Any]:
        """What a character remembers of what it was told in your presence, and what it makes of it.

        What was corrected since is marked `outdated`.

        Args:
            name: Who.
            query: What about; the latest where it is left out.
        """
        character = await naming.named(caller, self.cast, name)
        person = caller.session.person
        log, present = self.cast.log(character), (character.id, person)
        known = log.witnessed(*present)
        if query is None or means_everything(query):
            heard = (event for event in reversed(known) if event.speaker != character.id)
            found = [event for event in heard if event.kind == "told" or importance(event.text) > 0][:SHOWN]
            newer = list(found)
        else:
            hits = await log.search(query, *present, limit=SHOWN)
            found = [event for hit in hits if (event := log.get(hit.item.order))]
            newer = [event for hit in current(hits) if (event := log.get(hit.item.order))]
        rows = [self._row(event, newer) for event in found]
        thoughts = self.cast.thoughts(character)
        own = thoughts.known_to(*present) if query is None else thoughts.fitting(query, *present, limit=5)
        rows += [
            {
                "ref": thought.text, "text": thought.text, "said": "", "who": f"thought ({thought.written_by})",
                "id": thought.id, "evidence": list(thought.evidence), "outdated": False,
            }
            for thought in own[:5]
        ]  # fmt: skip
        others = (event for event in found if self.cast.get(event.speaker))
        made = {"character"} if any(event.is_models for event in others) else set[str]()
        made |= {"model"} if any(thought.written_by == "model" for thought in own) else set[str]()
        empty = f"{character.name} knows nothing about that."
        columns = ["text", "who", "said", *(["source"] if any("source" in row for row in rows) else [])]
        return items("memory", rows, columns, empty=empty, sources=made)

    @syscall("character.forget", effect="final", preview="forget_preview", spoken=False, bound=True)
    async def forget_call(self, caller: Caller, name: Name, query: str) -> dict[str, Any]:
        """Erase what a character was told about something, and what it made of it, for good.

        Args:
            name: Who.
            query: What about.
        """
        character = await naming.named(caller, self.cast, name)
        shown = caller.session.state.pop(_pending(name, query), None)
        log = self.cast.log(character)
        await self.conversations.end(character)  # its live context has read them
        async with self.conversations.turns[character.id]:  # what it was just saying is written down first
            going = await self._meant(caller, character, query)
            if shown is not None:  # what was told while the question stood is not erased unseen
                going = [event for event in going if event.number in shown]
            texts = [normalized(event.text) for event in going]
            known = log.witnessed(character.id, caller.session.person)
            echoes = [event.number for event in known if any(text in normalized(event.text) for text in texts)]
            log.erase({*echoes, *(event.number for event in going)})
        current_id = caller.entry.id if caller.entry else None
        caller.erase(lambda entry: entry.id == current_id or _mentions(entry, texts))
        return done(f"{character.name} has forgotten for good: {_count(going)}.", ref=character.name)

    async def forget_preview(self, caller: Caller, name: str, query: str) -> dict[str, str]:
        """The very lines that will go."""
        character = await naming.meant(caller, self.cast, name)
        going = await self._meant(caller, character, query)
        caller.session.state[_pending(name, query)] = {event.number for event in going}
        return {"name": character.name, "query": query, "erases": "\n".join(event.text for event in going)}

    async def _meant(self, caller: Caller, character: Character, query: str) -> list[Event]:
        """What is to be forgotten: all that has every word of the query, else what is surely meant."""
        log, present = self.cast.log(character), (character.id, caller.session.person)
        if means_everything(query):
            going = log.witnessed(*present)
        else:
            hits = await log.search(query, *present, limit=len(log))
            meant = [hit for hit in hits if hit.complete] or [hit for hit in hits[:1] if hit.relevance >= SURE]
            going = [event for hit in meant if (event := log.get(hit.item.order))]
        if not going:
            raise SyscallError("ENOENT", f"{character.name} knows nothing about {query!r}.")
        return sorted(going, key=lambda event: event.number)

    def _row(self, event: Event, newer: Sequence[Event]) -> dict[str, Any]:
        speaker = self.cast.get(event.speaker)
        outdated = event not in newer or any(
            other.number > event.number and other.speaker == event.speaker and supersedes(other.text, event.text)
            for other in newer
        )
        row = {
            "ref": event.text, "text": event.text, "said": event.at[:16].replace("T", " "),
            "who": speaker.name if speaker else event.speaker, "id": str(event.number), "at": event.at,
            "outdated": outdated,
        }  # fmt: skip
        return sourced(row, event.sources)


def _pending(name: str, query: str) -> str:
    return f"character.forget {name} {query}"


def _mentions(entry: Entry, texts: Collection[str]) -> bool:
    said = normalized(" ".join([entry.request, entry.message, *map(str, entry.call.get("args", {}).values())]))
    return any(text in said for text in texts)


def _count(events: Collection[Event]) -> str:
    return "1 memory" if len(events) == 1 else f"{len(events)} memories"
