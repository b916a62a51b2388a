"""A session: one person at one front end, in one workspace. What a call may ask back goes through it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

from llmasos.core.base.types import Call, Result

LONGEST_CONSENT = 366 * 86400.0
"""Seconds for which consent can be given; what should last longer is given until it is revoked."""


@dataclass(frozen=True, slots=True)
class Lasting:
    """Yes, and beyond this session.

    Attributes:
        pattern: The calls it is about, as `device.* name=lamp*`; empty for the pattern of the question.
        seconds: For how long; None until it is revoked.
    """

    pattern: str = ""
    seconds: float | None = None


Answer: TypeAlias = Literal["once", "session", "no"] | Lasting
"""Yes this time, yes for this session, no; or yes for longer."""


@dataclass(frozen=True, slots=True)
class Consent:
    """A question before an effect.

    Attributes:
        call: What would run.
        shown: Argument -> resolved value, as the person should see it.
        effect: How far it reaches.
        rule: The policy rule that asks.
        subject: Who wants it.
        pattern: The calls that a lasting consent would be about; empty where none can be given.
        labels: Where the request and its arguments come from, as far as that isn't the person.
        note: Why it is asked, where that isn't plain: a rate is used up.
        others: What the same request will do besides and needs consent too; the answer is for all of it.
    """

    call: Call
    shown: Mapping[str, str]
    effect: str
    rule: str
    subject: str
    pattern: str = ""
    labels: tuple[str, ...] = ()
    note: str = ""
    others: tuple[Consent, ...] = ()


class FrontEnd(Protocol):
    """What a session shows to and asks of its person: a terminal, a script, nobody."""

    async def before(self, call: Call, shown: Mapping[str, str], effect: str) -> None:
        """A call is about to run, with resolved values."""

    async def after(self, result: Result) -> None:
        """A call has ended."""

    async def consent(self, question: Consent) -> Answer | None:
        """The person's answer, or None where nobody can answer."""

    async def choose(self, question: str, options: Sequence[str]) -> int | None:
        """The index of one of several options, or None where nobody can or wants to answer."""

    async def explain(self, question: str, options: Sequence[str]) -> int | str | None:
        """The index of one of several readings of a sentence, other words for what was meant, or None."""

    async def secret(self, question: str, *, hidden: bool = True) -> str | None:
        """What the person types and nobody else may see, or None where nobody can; it isn't kept by the front end."""

    async def words(self, piece: str) -> None:
        """A piece of streamed text that belongs to the running call."""

    async def written(self, piece: str) -> None:
        """A piece of what a native command writes, shown on return; bytes that are no text are surrogates."""


class Nobody:
    """A front end without a person: shows nothing, answers nothing; with `yes`, consents to what policy asks about."""

    def __init__(self, *, yes: bool = False) -> None:
        self.yes = yes

    async def before(self, call: Call, shown: Mapping[str, str], effect: str) -> None:
        """Not shown."""

    async def after(self, result: Result) -> None:
        """Not shown."""

    async def consent(self, question: Consent) -> Answer | None:
        """Yes where it was said beforehand, else nobody is there."""
        return "once" if self.yes else None

    async def choose(self, question: str, options: Sequence[str]) -> int | None:
        """Nobody chooses."""
        return None

    async def explain(self, question: str, options: Sequence[str]) -> int | str | None:
        """As for `choose`: who can't choose can't explain."""
        return await self.choose(question, options)

    async def secret(self, question: str, *, hidden: bool = True) -> str | None:
        """Nobody types."""
        return None

    async def words(self, piece: str) -> None:
        """Not shown; the whole text is in the result."""

    async def written(self, piece: str) -> None:
        """Not shown; its beginning is in the result."""


class Inside(Nobody):
    """The front end of calls that are made inside another call: that one is shown, these aren't.

    Args:
        front: Who sees the outer call, is asked, and gets streamed words.
    """

    def __init__(self, front: FrontEnd) -> None:
        super().__init__()
        self._front = front

    async def consent(self, question: Consent) -> Answer | None:
        """As outside."""
        return await self._front.consent(question)

    async def choose(self, question: str, options: Sequence[str]) -> int | None:
        """As outside."""
        return await self._front.choose(question, options)

    async def secret(self, question: str, *, hidden: bool = True) -> str | None:
        """As outside."""
        return await self._front.secret(question, hidden=hidden)

    async def words(self, piece: str) -> None:
        """As outside."""
        await self._front.words(piece)

    async def written(self, piece: str) -> None:
        """As outside."""
        await self._front.written(piece)


@dataclass
class Session:
    """One person at one front end.

    Attributes:
        person: Who.
        workspace: The folder that `files.*` sees.
        front: How to show and ask.
        cwd: The current folder inside the workspace, relative, "" at its top.
        resumes: Whether it goes on with the conversation of the session before.
        program: In which program the person sits, as `program_id` names it; empty where that isn't known.
        state: What services keep for this session only.
    """

    person: str
    workspace: Path
    front: FrontEnd
    cwd: str = ""
    resumes: bool = False
    program: str = ""
    state: dict[str, Any] = field(default_factory=dict)
