"""character.*: virtual characters, each a process with a card, a voice of its own and a memory of its own."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from llmasos.core.base.clock import Clock
from llmasos.core.base.errors import SyscallError
from llmasos.core.base.values import done, items, record, text
from llmasos.core.kernel.journal import Entry
from llmasos.core.kernel.process import Process, State
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.syscall import Kind, inverse, syscall
from llmasos.core.kernel.trap import Caller
from llmasos.services.characters import exchange
from llmasos.services.characters.card import Card
from llmasos.services.characters.cast import Cast, Character, new_id
from llmasos.services.characters.events import Event
from llmasos.services.characters.honesty import asks_if_human, truth
from llmasos.services.characters.prompt import compile_prompt, speaks_chinese
from llmasos.services.files.space import Space
from llmasos.services.hygiene import Manners
from llmasos.services.matching import pick
from llmasos.services.memory.retrieval import Embedder
from llmasos.services.memory.words import has_chinese
from llmasos.services.models import CONFIGURE, ability
from llmasos.services.speech import SAMPLING, Speaker, Voice

Name = Annotated[str, Kind("character")]
Before = Callable[[int], Awaitable[None]]

LINE = 4_000
"""Characters of one line said to a character."""
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class CharacterRef:
    """A character as the Python API names it.

    Attributes:
        id: Its id.
        name: Its name.
        owner: Whose it is.
        created: Whether it was made just now.
    """

    id: str
    name: str
    owner: str
    created: bool = False


class Characters:
    """All characters of a home.

    Args:
        store: Where they are kept.
        clock: Says when something was said.
        speaker: Their voice; its process table is where they live.
        embedder: Finds their memories by meaning; None finds by words alone.
        private: Folders that cards are neither read from nor written to.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        speaker: Speaker,
        embedder: Embedder | None = None,
        *,
        private: Sequence[Path] = (),
    ) -> None:
        self._cast = Cast(store, clock, embedder)
        self._clock = clock
        self._processes = speaker.processes
        self._speaker = speaker
        self._private = private
        self._running: dict[str, Process] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    # The Python API.

    async def create(
        self,
        owner: str,
        name: str,
        *,
        personality: str = "",
        role: str = "",
        language: str = "",
        new: bool = False,
    ) -> CharacterRef:
        """Get a character by owner and name, or create it.

        Args:
            owner: Whose it is.
            name: What it is called.
            personality: How it is; another one than before is a new version of the card, and the memory is
                kept.
            role: What it is.
            language: What it speaks.
            new: Make a fresh one even where there is one of this name.

        Raises:
            SyscallError: EINVAL, the name can't be one.
        """
        card = Card.make(name, personality=personality, role=role, language=language)
        if new:
            self._cast.set_aside(owner, card.name)
        known = self._cast.find(owner, card.name)
        if known is None:
            return _ref(self._cast.add(owner, card), created=True)
        changed = known.card.changed(personality=personality, role=role, language=language)
        if changed:
            self._cast.revise(known, changed)
        return _ref(known)

    async def set_aside(self, owner: str, name: str) -> None:
        """Free a name for a fresh character; who had it goes on as "NAME (1)"."""
        self._cast.set_aside(owner, name)

    async def chat(self, ref: CharacterRef, message: str, *, person: str = "") -> AsyncGenerator[str, None]:
        """Say something to a character; its reply, piece by piece.

        Args:
            ref: Who.
            message: What is said.
            person: Who says it; the owner where empty.

        Raises:
            SyscallError: ENOENT, it was deleted; EBUSY, its process is stopped; ECANCELED, it was killed
                meanwhile.
        """
        character = self._cast.get(ref.id)
        if character is None:
            raise SyscallError("ENOENT", f"{ref.name} was deleted.", "Create it again.")
        async with aclosing(self._turn(character, person or ref.owner, message)) as pieces:
            async for piece in pieces:
                yield piece

    # The syscalls.

    @syscall("character.create", effect="write")
    async def create_call(
        self,
        caller: Caller,
        name: Name,
        personality: str | None = None,
        role: str | None = None,
        language: str | None = None,
    ) -> dict[str, Any]:
        """Create a virtual character, or change one that is there.

        Args:
            name: What it is called.
            personality: How it is.
            role: What it is.
            language: What it speaks.

        Examples:
            create a character called Ottilie, patient and a little vain
            I'd like a ship's cook named Bram to talk to
            make me a sarcastic librarian called Vesper
            创建一个叫阿岚的角色，性格温柔
        """
        said = {"personality": personality or "", "role": role or "", "language": language or ""}
        card = Card.make(name, **said)
        known = self._cast.find(caller.session.person, card.name)
        if known:
            changed = known.card.changed(**said)
            if changed is None:
                return done(f"{known.name} is there already.", ref=known.name)
            return await self._revise(caller, "character.create", known, changed)
        return await self._add(caller, "character.create", card, f"Created {card.name}{_described(card)}.")

    @syscall("character.chat", effect="write", preview="named")
    async def chat_call(self, caller: Caller, name: Name, message: str) -> dict[str, Any]:
        """Say something to a character.

        Args:
            name: To whom.
            message: What is said.

        Examples:
            ask Ottilie how her garden is doing
            tell Bram the soup was too salty
            say good night to Vesper
            跟阿岚说今天下雨了
        """
        character = await self._named(caller, name)

        async def before(first: int) -> None:
            caller.prepare("character.chat", {"id": character.id, "first": first})

        said = ""
        async with aclosing(self._turn(character, caller.session.person, message, before)) as pieces:
            async for piece in pieces:
                said += piece
                await caller.session.front.words(piece)
        note = ""
        if (
            speaks_chinese(character.card, message)
            and ability((await self._speaker.engine()).name).english_only
        ):
            note = f"The model in use writes English only. {CONFIGURE}"
        return text(said.strip(), source="character", ref=character.name, title=character.name, note=note)

    @syscall("character.list", effect="read")
    async def list(self, caller: Caller) -> dict[str, Any]:
        """Who there is.

        Examples:
            which characters do I have
            who can I talk to here
            我有哪些角色
        """
        rows = []
        for character in self._cast.of(caller.session.person):
            process = self._alive(character)
            rows.append(
                {
                    "ref": character.name,
                    "name": character.name,
                    "role": character.card.role,
                    "personality": character.card.text("personality", person=caller.session.person),
                    "memories": len(self._cast.log(character)),
                    "process": process.pid if process else "",
                }
            )
        empty = "There are no characters yet; 'create a character called Alice' makes one."
        return items("character", rows, ["name", "role", "personality", "memories", "process"], empty=empty)

    @syscall("character.show", effect="read")
    async def show(self, caller: Caller, name: Name) -> dict[str, Any]:
        """A character's card and what it remembers.

        Args:
            name: Who.

        Examples:
            show me Ottilie's card
            what does Bram remember
            看看阿岚的资料
        """
        character = await self._named(caller, name)
        person = caller.session.person
        card, log = character.card, self._cast.log(character)
        process = self._alive(character)
        seen = log.witnessed(character.id, person)

        def speaker(event: Event) -> str:
            return character.name if event.speaker == character.id else event.speaker

        fields = {
            "role": card.role or None,
            "personality": card.text("personality", person=person) or None,
            "language": card.language or None,
            "description": card.text("description", person=person)[:600] or None,
            "scenario": card.text("scenario", person=person)[:600] or None,
            "created": character.created,
            "version": len(character.versions) + 1,
            "process": process.pid if process else None,
            "memories": len(log),
            "remembers": "\n".join(f"{speaker(event)}: {event.text}" for event in seen[-_SHOWN:]) or None,
        }
        return record(character.name, fields, ref=character.name)

    @syscall("character.delete", effect="final", preview="delete_preview")
    async def delete(self, caller: Caller, name: Name) -> dict[str, Any]:
        """Delete a character and erase its memory, for good.

        Args:
            name: Who.

        Examples:
            delete Vesper for good
            get rid of the character Bram and everything it knows
            把阿岚这个角色删掉
        """
        character = await self._named(caller, name)
        count = len(self._cast.log(character))
        process = self._alive(character)
        if process:
            await self._processes.kill(process.pid)
        self._running.pop(character.id, None)
        self._cast.erase(character)
        self._erase_traces(caller, character)
        return done(f"Deleted {character.name} and {_memories(count)}.")

    @syscall("character.import", effect="write")
    async def import_call(self, caller: Caller, path: Annotated[str, Kind("path")]) -> dict[str, Any]:
        """Read a character from a card file, JSON or PNG.

        Args:
            path: Which file.

        Examples:
            import the character card cards/ottilie.png
            load a character from bram.json
            从 alan.png 导入角色
        """
        card, shown = await exchange.load(caller, path, self._private)
        known = self._cast.find(caller.session.person, card.name)
        if known:
            if known.card.to_json() == card.to_json():
                return done(f"{known.name} is there already.", ref=known.name)
            return await self._revise(caller, "character.import", known, card)
        return await self._add(caller, "character.import", card, f"{card.name} came in from {shown}.")

    @syscall("character.export", effect="write", preview="export_preview")
    async def export_call(
        self, caller: Caller, name: Name, path: Annotated[str, Kind("path")]
    ) -> dict[str, Any]:
        """Write a character's card to a file: a picture where it ends in .png, else JSON.

        Args:
            name: Who.
            path: Where to.

        Examples:
            export Ottilie to cards/ottilie.json
            save Bram's card as bram.png
            把阿岚导出到 alan.json
        """
        character = await self._named(caller, name)
        return await exchange.save(caller, path, character.card, self._private)

    async def named(self, caller: Caller, name: str, **_: str) -> dict[str, str]:
        """The character that is meant."""
        return {"name": (await self._meant(caller, name)).name}

    async def export_preview(self, caller: Caller, name: str, path: str) -> dict[str, str]:
        """The character and the whole path."""
        character = await self._meant(caller, name)
        place = exchange.export_place(Space.of(caller.session, self._private), path)
        return {"name": character.name, "path": place.shown}

    async def delete_preview(self, caller: Caller, name: str) -> dict[str, str]:
        """What will go."""
        character = await self._meant(caller, name)
        cards = (
            "its card" if not character.versions else f"its card in {len(character.versions) + 1} versions"
        )
        return {"name": character.name, "erases": f"{cards} and {_memories(len(self._cast.log(character)))}"}

    @inverse("character.create")
    async def uncreate(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Take back a character that has said nothing yet, or the last version of its card."""
        character = self._cast.get(payload["id"])
        if character is None or len(character.versions) != payload["version"]:
            raise SyscallError("ESTALE", "That character has changed since, so it was left as it is.")
        if payload["version"]:
            self._cast.restore_version(character)
            return f"{character.name} is as before."
        if len(self._cast.log(character)):
            raise SyscallError(
                "ESTALE",
                f"{character.name} has memories by now, so it was left as it is.",
                f"'character.delete {character.name}' erases them too.",
            )
        process = self._alive(character)
        if process:
            await self._processes.kill(process.pid)
        self._cast.erase(character)
        return f"{character.name} is gone again."

    @inverse("character.import")
    async def unimport(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Take back an import."""
        message: str = await self.uncreate(caller, payload)
        return message

    @inverse("character.chat")
    async def unsay(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Take back the last exchange: the character never heard it."""
        character = self._cast.get(payload["id"])
        log = self._cast.log(character) if character else None
        if character is None or log is None or log.next_number > payload["first"] + 2:
            raise SyscallError("ESTALE", "The conversation has gone on since, so it was left as it is.")
        log.retract(payload["first"])
        return f"{character.name} no longer knows of it."

    async def look(self, caller: Caller, query: str) -> Sequence[dict[str, Any]]:
        """Conversations as rows of `search.find`."""
        person = caller.session.person
        rows = []
        for character in self._cast.of(person):
            log = self._cast.log(character)
            for hit in await log.recall(query, character.id, person, before=log.next_number, limit=_SHOWN):
                words = f"to {character.name}: {hit.item.text}"
                rows.append({"ref": character.name, "text": words, "score": hit.relevance})
        return rows

    # How it works.

    async def _add(self, caller: Caller, inverse_name: str, card: Card, message: str) -> dict[str, Any]:
        id = new_id()
        caller.prepare(inverse_name, {"id": id, "version": 0})
        self._cast.add(caller.session.person, card, id=id)
        return done(message, ref=card.name)

    async def _revise(
        self, caller: Caller, inverse_name: str, known: Character, card: Card
    ) -> dict[str, Any]:
        caller.prepare(inverse_name, {"id": known.id, "version": len(known.versions) + 1})
        self._cast.revise(known, card)
        note = "It remembers what it knew."
        return done(
            f"Changed {known.name}'s card (version {len(known.versions) + 1}).", ref=known.name, note=note
        )

    async def _turn(
        self, character: Character, person: str, message: str, before: Before | None = None
    ) -> AsyncGenerator[str, None]:
        """One line and its reply, both kept; `before` is told the first event's number before it happens."""
        line = message.strip()
        if not line:
            raise SyscallError("EINVAL", f"There is nothing to say to {character.name}.")
        if len(line) > LINE:
            raise SyscallError("E2BIG", f"One line has at most {LINE:,} characters; this has {len(line):,}.")
        async with self._turns[character.id]:
            process = self._process(character)
            if process.state is State.STOPPED:
                remedy = f"Let it go on with 'process.resume {process.pid}'."
                raise SyscallError("EBUSY", f"{character.name} is stopped.", remedy)
            log = self._cast.log(character)
            present = (character.id, person)
            if before:
                await before(log.next_number)
            number = log.next_number
            seen = log.witnessed(*present)
            await log.append(at=self._now(), speaker=person, text=line, witnesses=present)
            said = ""
            try:
                if asks_if_human(line):
                    said = truth(character.card.called, line)
                    yield said
                    return
                async with aclosing(self._reply(character, process, person, line, number, seen)) as pieces:
                    async for piece in pieces:
                        said += piece
                        yield piece
            finally:
                # Also when it was cut short: what was heard was heard.
                if said.strip() and self._cast.get(character.id):
                    await log.append(
                        at=self._now(), speaker=character.id, text=said.strip(), witnesses=present
                    )

    async def _reply(
        self,
        character: Character,
        process: Process,
        person: str,
        line: str,
        number: int,
        seen: Sequence[Event],
    ) -> AsyncGenerator[str, None]:
        engine = await self._speaker.engine()
        tiny = ability(engine.name).tiny
        # A long thread makes a tiny model repeat itself. The window moves by whole steps, so that what the
        # model has computed of it serves several turns.
        step = 2 if tiny else 16
        start = max(0, len(seen) - len(seen) % step - step)
        history = seen[start:]
        oldest = history[0].number if history else number
        log = self._cast.log(character)
        recalled = await log.recall(line, character.id, person, before=oldest if not tiny else number)
        prompt = compile_prompt(
            character.card, person, history, recalled[: 1 if tiny else 3], line, guided=tiny
        )
        own = [event.text for event in seen if event.speaker == character.id]
        if prompt.answer:
            yield prompt.answer
            return
        voice = Voice(
            sampling=replace(
                SAMPLING,
                temperature=0.55 if tiny else 0.7,
                repeat_penalty=1.08,
                max_tokens=80 if tiny else 300,
            ),
            manners=Manners(
                name=character.card.called,
                person=person,
                said=own[-6:],
                sentences=2 if tiny else 0,
                in_character=True,
            ),
            stop=("\nUser:", "\nuser:", f"\n{person}:"),
            attempts=4,
            keep=True,
        )
        words = False
        stream = self._speaker.stream(process, prompt.messages, voice, stable=prompt.stable)
        async with aclosing(stream) as pieces:
            async for piece in pieces:
                words = True
                yield piece
        if not words:
            yield "我不知道该怎么说。" if has_chinese(line) else "I don't know what to say to that."

    def _process(self, character: Character) -> Process:
        """The character's process, started at first use and again after it was killed."""
        process = self._alive(character)
        if process is None:
            process = self._running[character.id] = self._processes.spawn(
                self._processes.init,
                name=character.name,
                program="character",
                subject=f"character:{character.name}",
                owner=character.owner,
                priority="interactive",
            )
        return process

    def _alive(self, character: Character) -> Process | None:
        process = self._running.get(character.id)
        return process if process and process.alive else None

    async def _named(self, caller: Caller, name: str) -> Character:
        """The character that is meant; the one that was shown, where there was a preview.

        Raises:
            SyscallError: ENOENT with who there is; EAMBIG.
        """
        person = caller.session.person
        shown = self._cast.get(caller.session.state.pop(_shown(caller, name), ""))
        known = shown or self._cast.find(person, name)
        if known:
            return known
        found: Character = await pick(
            caller,
            name,
            self._cast.of(person),
            names=lambda c: [c.name],
            label=lambda c: c.name,
            what="character",
            remedy=f"'character.create {name[:40]}' makes one.",
        )
        return found

    async def _meant(self, caller: Caller, name: str) -> Character:
        """`_named` for a preview: asked once, the answer holds for the call."""
        caller.session.state.pop(_shown(caller, name), None)  # of a call that was then refused
        character = await self._named(caller, name)
        caller.session.state[_shown(caller, name)] = character.id
        return character

    def _erase_traces(self, caller: Caller, character: Character) -> None:
        """Take a deleted character out of the journal, with whatever else was said in the same breath."""
        name, current = character.name.casefold(), caller.entry.id if caller.entry else None
        requests: set[str] = set()

        def about(entry: Entry) -> bool:
            if not str(entry.call.get("syscall", "")).startswith("character."):
                return False
            payload = (entry.inverse or {}).get("payload") or {}
            named = str((entry.call.get("args") or {}).get("name", "")).casefold()
            return payload.get("id") == character.id or named == name or name in entry.message.casefold()

        def collect(entry: Entry) -> bool:
            if entry.id == current or about(entry):
                requests.add(entry.request)
            return False

        journal = caller.kernel.journal
        journal.erase(collect)
        requests.discard("")
        journal.erase(lambda entry: entry.id == current or about(entry) or entry.request in requests)

    def _now(self) -> str:
        return self._clock.now().isoformat(timespec="seconds")


def _ref(character: Character, *, created: bool = False) -> CharacterRef:
    return CharacterRef(character.id, character.name, character.owner, created)


def _described(card: Card) -> str:
    words = [w for w in (card.role, str(card.data.get("personality", ""))) if w]
    return f" ({', '.join(words)})" if words else ""


def _memories(count: int) -> str:
    return "no memories" if not count else "1 memory" if count == 1 else f"{count} memories"


def _shown(caller: Caller, name: str) -> str:
    return f"{caller.call.syscall} {name}"
