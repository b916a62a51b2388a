"""Taking changes to characters back, where nothing has happened to them since."""

from __future__ import annotations

from typing import Any

from llmasos.core.base.errors import SyscallError
from llmasos.core.kernel.syscall import inverse
from llmasos.core.kernel.trap import Caller
from llmasos.services.characters.cast import Cast
from llmasos.services.characters.conversation import Conversations


class Undo:
    """The inverses of `character.*`; the class that takes them in has what they need."""

    cast: Cast
    conversations: Conversations

    @inverse("character.create")
    async def uncreate(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Take back a character that has said nothing yet, or the last version of its card."""
        character = self.cast.get(payload["id"])
        if character is None or len(character.versions) != payload["version"]:
            raise SyscallError("ESTALE", "That character has changed since, so it was left as it is.")
        if "voice" in payload:
            self.cast.give_voice(character, payload["voice"])
            if payload["only_voice"] and "portrait" not in payload:
                return f"{character.name} draws its words as before."
        if "portrait" in payload:
            self.cast.restore_portrait(character, payload["portrait"])
            if payload["only_voice"]:
                return f"{character.name} looks as before."
        if payload["version"]:
            self.cast.restore_version(character)
            return f"{character.name} is as before."
        if len(self.cast.log(character)):
            raise SyscallError(
                "ESTALE",
                f"{character.name} has memories by now, so it was left as it is.",
                f"'character.delete {character.name}' erases them too.",
            )
        await self.conversations.end(character)
        self.cast.erase(character)
        return f"{character.name} is gone again."

    @inverse("character.import")
    async def unimport(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Take back an import."""
        message: str = await self.uncreate(caller, payload)
        return message

    @inverse("character.chat")
    async def unsay(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Take back the last exchange: the character never heard it."""
        character = self.cast.get(payload["id"])
        log = self.cast.log(character) if character else None
        if character is None or log is None or log.next_number > payload["first"] + 2:
            raise SyscallError("ESTALE", "The conversation has gone on since, so it was left as it is.")
        log.retract(payload["first"])
        return f"{character.name} no longer knows of it."
