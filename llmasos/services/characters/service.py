"""character.*: virtual characters, each a process with a card, a voice of its own and a memory of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any

from llmasos.core.base.clock import Clock
from llmasos.core.base.errors import CutOff, SyscallError
from llmasos.core.base.values import done, items, record, text
from llmasos.core.kernel.labels import kept
from llmasos.core.kernel.session import Session
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.syscall import Kind, Written, syscall
from llmasos.core.kernel.trap import Caller
from llmasos.services.characters import exchange, naming
from llmasos.services.characters.api import SHOWN, CharacterApi
from llmasos.services.characters.card import Card
from llmasos.services.characters.cast import Cast, Character, new_id
from llmasos.services.characters.conversation import Conversations
from llmasos.services.characters.erasure import erase_traces
from llmasos.services.characters.making import Making
from llmasos.services.characters.prompt import foreign, speaks_chinese
from llmasos.services.characters.relations import relations, told
from llmasos.services.characters.remembering import Remembering
from llmasos.services.characters.undo import Undo
from llmasos.services.files import origin
from llmasos.services.files.space import Space
from llmasos.services.language.models import CONFIGURE, ability
from llmasos.services.language.speech import Speaker
from llmasos.services.memory.retrieval import Embedder
from llmasos.services.safety import Notice
from llmasos.services.safety.service import note as held_back

Name = Annotated[str, Kind("character")]
_VOICE = {"seed": (0, 2**31 - 1), "temperature": (0, 2), "top_p": (0.01, 1), "max_tokens": (1, 2_000)}
"""What can be said of how a character draws its words, and in which bounds."""


class Characters(CharacterApi, Remembering, Undo):
    """All characters of a home.

    Args:
        store: Where they are kept.
        clock: Says when something was said.
        speaker: Their voice; its process table is where they live.
        embedder: Finds their memories by meaning; None finds by words alone.
        private: Folders that cards are neither read from nor written to.
        model_of: The model that a character was given, by its id; empty where it speaks with the one of all.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        speaker: Speaker,
        embedder: Embedder | None = None,
        *,
        private: Sequence[Path] = (),
        model_of: Callable[[str], str] = lambda _id: "",
    ) -> None:
        cast = Cast(store, clock, embedder)
        super().__init__(cast, Conversations(cast, clock, speaker))
        self._speaker = speaker
        self._private = private
        self._model_of = model_of

    async def names(self, session: Session) -> list[str]:
        """What a person's characters are called."""
        return [character.name for character in self.cast.of(session.person)]

    @syscall("character.create", effect="write")
    async def create_call(
        self,
        caller: Caller,
        name: Name,
        personality: str | None = None,
        role: str | None = None,
        language: str | None = None,
        scenario: Annotated[str | None, Written()] = None,
        goals: Annotated[str | None, Written()] = None,
        lore: Annotated[str | None, Written()] = None,
        seed: Annotated[int | None, Written()] = None,
        temperature: Annotated[float | None, Written()] = None,
        top_p: Annotated[float | None, Written()] = None,
        max_tokens: Annotated[int | None, Written()] = None,
    ) -> dict[str, Any]:
        """Create a virtual character, or change one that is there.

        Args:
            name: What it is called.
            personality: How it is.
            role: What it is.
            language: What it speaks.
            scenario: Where and when one meets it.
            goals: What it wants, one on each line.
            lore: What it knows of its world, as a JSON list: texts, or objects with `keys` and `content`.
            seed: Of what it says: the same talk goes the same way again.
            temperature: How freely it draws its words, 0 to 2.
            top_p: Share of the likeliest words that it draws from, above 0 to 1.
            max_tokens: Where a reply ends at the latest.

        Examples:
            create a character called Ottilie, patient and a little vain
            I'd like a ship's cook named Bram to talk to
            make me a sarcastic librarian called Vesper
            创建一个叫阿岚的角色，性格温柔
        """
        said: dict[str, Any] = {
            "personality": personality or "",
            "role": role or "",
            "scenario": scenario or "",
            "language": language or "",
            "goals": [goal.strip() for goal in (goals or "").splitlines() if goal.strip()],
            "lore": _lore(lore),
            "written_by": ", ".join(origin.of(caller, "personality", "role", "scenario", "goals", "lore")),
        }
        voice = _voice(seed=seed, temperature=temperature, top_p=top_p, max_tokens=max_tokens)
        card = Card.make(name, **said)
        known = self.cast.find(caller.session.person, card.name)
        if known is None:
            return await self._add(caller, "character.create", card, f"Created {card.name}{_described(card)}.", voice)
        changed = known.card.changed(**said)
        voice = {**known.voice, **voice}
        if changed is None and voice == known.voice:
            return done(f"{known.name} is there already.", ref=known.name)
        return await self._revise(caller, "character.create", known, changed, voice)

    @syscall("character.chat", effect="write", preview="named", bound=True)
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
        character = await naming.named(caller, self.cast, name)

        async def before(first: int) -> None:
            caller.prepare("character.chat", {"id": character.id, "first": first})

        said = cut = ""
        making = Making()
        notices: list[Notice] = []
        sources = kept(caller.call, "message")
        turn = self.conversations.turn(character, caller.session.person, message, before, sources)
        try:
            async with aclosing(turn) as pieces:
                async for piece in pieces:
                    said += piece
                    making.add(piece)
                    if isinstance(piece, Notice):
                        notices.append(piece)
                    await caller.session.front.words(piece)
        except CutOff as error:
            if not said.strip():
                raise
            cut = str(error)
        if any(notice.kind == "crisis" for notice in notices):  # no character's words, and under nobody's name
            return text(said.strip(), source="system", ref=character.name)
        language = ""
        if (
            not cut
            and making.maker == "model"
            and (speaks_chinese(character.card, message) or foreign(character.card))
            and ability((await self._speaker.engine()).name).english_only
        ):
            language = f"The model in use writes English only. {CONFIGURE}"
        note = " ".join(filter(None, (held_back(caller, notices), cut, language)))
        return text(
            said.strip(), source=making.source, ref=character.name, title=character.name, note=note,
            sources=making.sources,
        )  # fmt: skip

    @syscall("character.list", effect="read")
    async def list(self, caller: Caller) -> dict[str, Any]:
        """Who there is.

        Examples:
            which characters do I have
            who can I talk to here
            我有哪些角色
        """
        rows = []
        for character in self.cast.of(caller.session.person):
            process = self.conversations.alive(character)
            rows.append(
                {
                    "ref": character.name,
                    "name": character.name,
                    "role": character.card.role,
                    "personality": character.card.text("personality", person=caller.session.person),
                    "memories": len(self.cast.log(character)),
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
        character = await naming.named(caller, self.cast, name)
        person = caller.session.person
        card, log = character.card, self.cast.log(character)
        process = self.conversations.alive(character)
        seen = log.witnessed(character.id, person)
        known = relations(character.id, seen)
        thoughts = self.cast.thoughts(character).known_to(character.id, person)

        fields = {
            "role": card.role or None,
            "personality": card.text("personality", person=person) or None,
            "language": card.language or None,
            "written by": card.written_by or None,
            "description": card.text("description", person=person)[:600] or None,
            "scenario": card.text("scenario", person=person)[:600] or None,
            "created": character.created,
            "version": len(character.versions) + 1,
            "process": process.pid if process else None,
            "goals": "; ".join(card.goals) or None,
            "lore": _entries(len(card.book.entries)) if card.book.entries else None,
            "model": self._model_of(character.id) or None,
            "portrait": f"PNG, {-(-self.cast.portrait_size(character) // 1024):,} KiB" if character.portrait else None,
            "voice": ", ".join(f"{name} {value:g}" for name, value in character.voice.items()) or None,
            "memories": len(log),
            "knows": "\n".join(told(one, self._called(one.who, person)) for one in known.values()) or None,
            "thinks": "\n".join(one.text for one in thoughts[:3]) or None,
            "remembers": "\n".join(f"{self._called(e.speaker, person)}: {e.text}" for e in seen[-SHOWN:]) or None,
        }
        made = {"character"} if any(event.speaker == character.id and event.is_models for event in seen) else set[str]()
        made |= {source for event in seen[-SHOWN:] for source in event.sources}
        made |= {"model"} if any(thought.written_by == "model" for thought in thoughts[:3]) else set[str]()
        sources = made | set(card.written_by.split(", ")) - {""}
        return record(character.name, fields, ref=character.name, sources=sources)

    @syscall("character.delete", effect="final", preview="delete_preview", bound=True)
    async def delete(self, caller: Caller, name: Name) -> dict[str, Any]:
        """Delete a character and erase its memory, for good.

        Args:
            name: Who.

        Examples:
            delete Vesper for good
            get rid of the character Bram and everything it knows
            把阿岚这个角色删掉
        """
        character = await naming.named(caller, self.cast, name)
        count = len(self.cast.log(character))
        await self.conversations.end(character)
        self.cast.erase(character)
        erase_traces(caller, character)
        return done(f"Deleted {character.name} and {_memories(count)}.")

    @syscall("character.import", effect="write")
    async def import_call(
        self,
        caller: Caller,
        path: Annotated[str, Kind("path")],
        name: Annotated[str | None, Written(), Kind("character")] = None,
    ) -> dict[str, Any]:
        """Read a character from a card file, JSON, PNG or CHARX; or a lorebook, for one that is there.

        Args:
            path: Which file.
            name: Who a lorebook is for; asked where there are several and it isn't said.

        Examples:
            import the character card cards/ottilie.png
            load a character from bram.json
            从 alan.png 导入角色
        """
        loaded = await exchange.load(caller, path, self._private)
        if loaded.card is None:
            return await self._learn(caller, loaded, name)
        card, known = loaded.card, self.cast.find(caller.session.person, loaded.card.name)
        if name is not None and name.strip().casefold() != card.name.casefold():
            raise SyscallError(
                "EINVAL", f"{loaded.shown} is the card of {card.name}, not a lorebook.", "Import it without a name."
            )
        portrait = loaded.portrait
        if known:
            if known.card.to_json() != card.to_json():
                return await self._revise(caller, "character.import", known, card, note=loaded.note, portrait=portrait)
            if not portrait or self.cast.has_portrait(known, portrait):
                return done(f"{known.name} is there already.", ref=known.name)
            message = f"{known.name} is there already, and looks as in {loaded.shown} now."
            return await self._revise(caller, "character.import", known, None, message=message, portrait=portrait)
        message = f"{card.name} came in from {loaded.shown}."
        return await self._add(caller, "character.import", card, message, note=loaded.note, portrait=portrait)

    async def _learn(self, caller: Caller, loaded: exchange.Loaded, name: str | None) -> dict[str, Any]:
        """A character gets the entries of a lorebook."""
        if name is not None:
            known = await naming.named(caller, self.cast, name)
        else:
            known = await naming.only(caller, self.cast, f"Whose lorebook is {loaded.shown} to be?")
        card, new = known.card.with_book(loaded.book)
        if card is None:
            return done(f"{known.name} knows all of {loaded.shown} already.", ref=known.name)
        version = len(known.versions) + 2
        message = f"{known.name} has {_entries(new)} of {loaded.shown} in the lorebook (version {version})."
        return await self._revise(caller, "character.import", known, card, message=message)

    @syscall("character.export", effect="write", preview="export_preview")
    async def export_call(self, caller: Caller, name: Name, path: Annotated[str, Kind("path")]) -> dict[str, Any]:
        """Write a character's card to a file: a picture where it ends in .png, an archive in .charx, else JSON.

        Args:
            name: Who.
            path: Where to.

        Examples:
            export Ottilie to cards/ottilie.json
            save Bram's card as bram.png
            把阿岚导出到 alan.json
        """
        character = await naming.named(caller, self.cast, name)
        return await exchange.save(caller, path, character.card, self._private, self.cast.portrait(character))

    @syscall("character.rest", effect="read", spoken=False)
    async def rest(self, caller: Caller, name: Name) -> dict[str, Any]:
        """End a character's process and free its context; it comes back, memory and all, when it is next spoken to.

        Args:
            name: Who.
        """
        character = await naming.named(caller, self.cast, name)
        await self.conversations.end(character)
        return done(f"{character.name} rests.", ref=character.name)

    def _called(self, who: str, person: str) -> str:
        known = self.cast.get(who)
        return known.name if known else who if who == person else "somebody"

    async def named(self, caller: Caller, name: str, **_: str) -> dict[str, str]:
        """The character that is meant."""
        return {"name": (await naming.meant(caller, self.cast, name)).name}

    async def export_preview(self, caller: Caller, name: str, path: str) -> dict[str, str]:
        """The character and the whole path."""
        character = await naming.meant(caller, self.cast, name)
        place = exchange.export_place(Space.of(caller.session, self._private), path)
        return {"name": character.name, "path": place.shown}

    async def delete_preview(self, caller: Caller, name: str) -> dict[str, str]:
        """What will go."""
        character = await naming.meant(caller, self.cast, name)
        cards = "its card" if not character.versions else f"its card in {len(character.versions) + 1} versions"
        return {"name": character.name, "erases": f"{cards} and {_memories(len(self.cast.log(character)))}"}

    async def _add(
        self,
        caller: Caller,
        inverse_name: str,
        card: Card,
        message: str,
        voice: Mapping[str, float] | None = None,
        *,
        note: str = "",
        portrait: bytes = b"",
    ) -> dict[str, Any]:
        id = new_id()
        caller.prepare(inverse_name, {"id": id, "version": 0})
        self.cast.add(caller.session.person, card, id=id, voice=voice, portrait=portrait)
        return done(message, ref=card.name, note=_noted(note, _refused(card)))

    async def _revise(
        self,
        caller: Caller,
        inverse_name: str,
        known: Character,
        card: Card | None,
        voice: Mapping[str, float] | None = None,
        *,
        message: str = "",
        note: str = "",
        portrait: bytes = b"",
    ) -> dict[str, Any]:
        """A new version of the card, another voice or portrait, or several of these; None leaves what there is."""
        version = len(known.versions) + (card is not None)
        payload: dict[str, Any] = {
            "id": known.id, "version": version, "voice": known.voice, "only_voice": card is None,
            **({"portrait": known.portrait} if portrait else {}),
        }  # fmt: skip
        caller.prepare(inverse_name, payload)
        if voice is not None:
            self.cast.give_voice(known, voice)
        if card is None:
            if portrait:
                self.cast.give_portrait(known, portrait)
            return done(message or f"Changed how {known.name} draws its words.", ref=known.name)
        self.cast.revise(known, card, portrait)
        said = message or f"Changed {known.name}'s card (version {len(known.versions) + 1})."
        return done(said, ref=known.name, note=_noted("It remembers what it knew.", note, _refused(card)))


def _described(card: Card) -> str:
    words = [w for w in dict.fromkeys((card.role, str(card.data.get("personality", "")))) if w]
    return f" ({', '.join(words)})" if words else ""


def _memories(count: int) -> str:
    return "no memories" if not count else "1 memory" if count == 1 else f"{count} memories"


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count:,} entries"


def _noted(*notes: str) -> str:
    return " ".join(filter(None, notes))


def _refused(card: Card) -> str:
    """What the person should know of a card's lorebook."""
    refused = card.book.refused
    if not refused:
        return ""
    return f"{len(refused)} of its lorebook's patterns could run for ever, so they never match: {refused[0][:60]!r}."


def _lore(said: str | None) -> Sequence[Any]:
    if not said:
        return []
    try:
        rows = json.loads(said)
    except (json.JSONDecodeError, RecursionError) as error:
        raise SyscallError("EINVAL", f"The lore isn't JSON: {error}.") from None
    fits = isinstance(rows, list) and all(
        isinstance(row, str) or (isinstance(row, dict) and isinstance(row.get("content"), str)) for row in rows
    )
    if not fits:
        raise SyscallError("EINVAL", "The lore is no list of texts, or of objects with 'keys' and 'content'.")
    return list(rows)


def _voice(**said: float | None) -> dict[str, float]:
    """How a character is to draw its words, of what was said.

    Raises:
        SyscallError: EINVAL, a value can't be.
    """
    for name, value in said.items():
        least, most = _VOICE[name]
        if value is not None and not least <= value <= most:
            raise SyscallError("EINVAL", f"{name} is between {least:g} and {most:,g}, not {value:g}.")
    return {name: value for name, value in said.items() if value is not None}
