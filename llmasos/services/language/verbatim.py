"""A reply as the model wrote it, for programs: pieces with what they cost, moderated and otherwise untouched."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

from llmasos.core.engine.base import Piece
from llmasos.services.safety import Moderation, Notice
from llmasos.services.safety.moderation import Reply
from llmasos.services.sentences import END

Ended = Literal["", "stop", "length", "held"]


@dataclass(frozen=True, slots=True)
class Verbatim:
    """A piece of a reply.

    Attributes:
        text: What may be said now.
        ended: Why the reply is over: the model or a stop string ended it, it reached its length, or something in it was
            held back; empty while it goes on.
        written: Tokens of the reply so far.
        read: Tokens of the conversation.
        cached: Those of them that had been computed before.
    """

    text: str
    ended: Ended = ""
    written: int = 0
    read: int = 0
    cached: int = 0


async def moderated(
    pieces: AsyncGenerator[Piece, None], reply: Reply, moderation: Moderation
) -> AsyncGenerator[Verbatim, None]:
    """Pieces as they come; sentence by sentence where the policy's level of moderation isn't off.

    Args:
        pieces: What the engine writes.
        reply: The step that sentences take.
        moderation: Whether they take it.
    """
    waiting, written, held = "", 0, False
    async with aclosing(pieces):
        async for piece in pieces:
            written += len(piece.tokens)
            waiting += piece.text
            ready = len(waiting)
            if not (piece.done or moderation.off):
                ready = max((end.end() for end in END.finditer(waiting)), default=0)
            said, waiting = waiting[:ready], waiting[ready:]
            if said and not moderation.off:
                passed = [words async for words in reply.passed(said)]
                held = held or any(isinstance(words, Notice) for words in passed)
                said = "".join(passed)
            done: Ended = "length" if piece.done == "length" else "stop" if piece.done else ""
            if done or reply.ended:
                yield Verbatim(said, "held" if held else done, written)
                return
            if said:
                yield Verbatim(said, "", written)
