"""Answers from what there is: every place is asked for sentences, the best one is quoted with its source.

A place is only looked at where the person may make the syscall that finds the same, and a file only where they may read
it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llmasos.core.base.errors import LlmasosError
from llmasos.core.base.values import text
from llmasos.core.kernel.trap import Caller
from llmasos.services.answers import question as questions
from llmasos.services.answers.passage import Passage
from llmasos.services.answers.question import Question
from llmasos.services.answers.rank import Embedder, Ranked, ranked
from llmasos.services.script import has_chinese

Look = Callable[[Caller, Question], Awaitable[Sequence[Passage]]]
"""Sentences of one place that may answer."""
UNKNOWN = "I don't know: nothing in your files, memories, plans or conversations answers that."
UNKNOWN_CHINESE = "我不知道：你的文件、记忆、日程和对话里没有答案。"
QUOTATION = "Quoted, not written by a model."
LONGEST = 500
"""Characters of a question that is looked up."""
QUOTED = 3
"""Sentences of one answer at most."""
CLOSE = 0.93
"""Share of the best one's score that others have which are quoted too."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What answers, best first.

    Attributes:
        quoted: The sentences.
    """

    quoted: tuple[Passage, ...]

    @property
    def words(self) -> str:
        """Each sentence with its source."""
        return "\n".join(f"“{passage.text}”\n  {passage.where}" for passage in self.quoted)

    @property
    def labels(self) -> list[str]:
        """Whose words are in it."""
        sources = {passage.source for passage in self.quoted} - {"person", "system"}
        return sorted(sources | {label for passage in self.quoted for label in passage.labels})


@dataclass(frozen=True, slots=True)
class Place:
    """Where to look.

    Attributes:
        syscall: The call that finds the same; who may not make it, gets nothing from here.
        look: How.
    """

    syscall: str
    look: Look


class Grounds:
    """What answers are taken from.

    Args:
        places: Where to look.
        embedder: What compares meanings; None for words alone.
    """

    def __init__(self, places: Sequence[Place], embedder: Embedder | None = None) -> None:
        self._places = places
        self._embedder = embedder

    async def value(self, caller: Caller, said: str) -> dict[str, Any] | None:
        """The answer as the value of a call; that there is none, where only these places could have one; else None."""
        found = await self.quoted(caller, said)
        if found or len(said) > LONGEST or not questions.about_own_things(said):
            return found
        return text(UNKNOWN_CHINESE if has_chinese(said) else UNKNOWN, source="system")

    async def quoted(self, caller: Caller, said: str) -> dict[str, Any] | None:
        """The answer as the value of a call; None where there is none."""
        # What is longer is no question, or one with its own text to it.
        found = await self.answer(caller, said) if len(said) <= LONGEST else None
        if found is None:
            return None
        first = found.quoted[0]
        value = text(found.words, source=first.source, ref=first.ref, note=QUOTATION)
        return {**value, "labels": found.labels} if found.labels else value

    async def answer(self, caller: Caller, said: str) -> Answer | None:
        """What answers a question; None where nothing does, or nothing was asked."""
        if not questions.is_one(said):
            return None
        found = await self.ranked(caller, said)
        good = [one for one in found if one.score >= one.enough]
        if not good:
            return None
        quoted: dict[str, Passage] = {}
        for one in good:
            if one.score >= CLOSE * good[0].score:
                quoted.setdefault(one.passage.text, one.passage)
        return Answer(tuple(quoted.values())[:QUOTED])

    async def ranked(self, caller: Caller, said: str) -> list[Ranked]:
        """All sentences that were looked at, the likeliest first."""
        question = questions.read(said)
        if not question.terms:
            return []
        passages: list[Passage] = []
        for place in self._places:
            if may(caller, place.syscall, query=said):
                passages += await place.look(caller, question)
        try:
            return await ranked(question, passages, self._embedder)
        except LlmasosError:  # the embedder broke; words still answer
            return await ranked(question, passages, None)


def may(caller: Caller, syscall: str, **args: str) -> bool:
    """Whether policy lets a caller make a call without asking anybody."""
    kernel = caller.kernel
    decision = kernel.policy.decide(
        caller.process.subject,
        syscall,
        "read",
        args,
        labels=caller.labels,
        rates=kernel.rates,
        used=kernel.used(caller.process),
    )
    return decision.verdict == "allow"
