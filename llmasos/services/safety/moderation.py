"""The moderation step: each sentence of a model on its way to a person, at the level that policy sets.

A sentence passes as it is, or a notice is said in its place. Nothing is ever changed within a sentence, and nothing is
left out without a notice.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from llmasos.core.base.errors import StoreError
from llmasos.core.kernel.policy import Moderation as Level
from llmasos.services.safety import crisis, notice, rules
from llmasos.services.safety.finding import SEVERE, Finding
from llmasos.services.safety.held import HeldBack
from llmasos.services.safety.notice import Notice
from llmasos.services.sentences import whole

log = logging.getLogger(__name__)

Judge = Callable[[str, Finding], Awaitable[bool | None]]
"""Whether a sentence should be held back for what it may be about; None where nobody can tell."""
_ENDED = ".!?…。！？\"'”’)"
_FEW = 3
"""Letters up to which a sentence may be a part of a word that is spelled out."""
_SEEN = 120
"""Characters before a sentence that are looked at with it."""


class Moderation:
    """The step, for all replies of a home.

    Args:
        level: How strict to be, asked for each sentence, so that a policy that changes holds at once.
        held: Keeps what was held back; None keeps nothing.
    """

    def __init__(self, level: Callable[[], Level], held: HeldBack | None = None) -> None:
        self._level = level
        self._held = held

    @property
    def off(self) -> bool:
        """Whether nothing is held back."""
        return self._level() == "off"

    def reply(self, person: str, who: str, judge: Judge | None = None) -> Reply:
        """The step for one reply.

        Args:
            person: Whom it is said to.
            who: Who says it.
            judge: Decides where the rules are unsure and the level is strict.
        """
        return Reply(self._level, lambda sentence, finding: self._keep(person, who, sentence, finding), judge)

    def aid(self, line: str, before: Iterable[str] = ()) -> Notice | None:
        """What is said to a person in a crisis instead of a reply; None where their line is no sign of one.

        Args:
            line: What they said.
            before: What they said before it, the last lines of the same conversation.
        """
        if self._level() == "off" or not crisis.is_one(line, before):
            return None
        return Notice(crisis.answer(line), "crisis")

    def _keep(self, person: str, who: str, sentence: str, finding: Finding) -> int:
        if self._held is None:
            return 0
        try:
            return self._held.keep(person, who, finding.reason, sentence.strip())
        except StoreError as error:  # it isn't shown either way
            log.warning("what was held back isn't kept: %s", error)
            return 0


class Reply:
    """One reply on its way; made by `Moderation.reply`.

    Attributes:
        ended: Whether nothing more may come: what was held back was so bad that what follows isn't wanted.
    """

    def __init__(
        self, level: Callable[[], Level], keep: Callable[[str, Finding], int], judge: Judge | None = None
    ) -> None:
        self._level = level
        self._keep = keep
        self._judge = judge
        self._before = ""
        self.ended = False

    async def passed(self, words: str) -> AsyncIterator[str]:
        """What may be said of the next words, whole sentences: each itself, or a notice in its place."""
        for sentence in whole(words):
            if self.ended:
                return
            finding = await self._finding(sentence)
            self._before = _open(self._before, sentence)
            if finding is None:
                yield sentence
            else:
                self.ended = finding.grade >= SEVERE
                yield notice.in_place_of(sentence, finding, self._keep(sentence, finding))

    async def _finding(self, sentence: str) -> Finding | None:
        level = self._level()
        if level == "off":
            return None
        found = rules.look(sentence, self._before)
        held = rules.worst(found, level)
        doubt = None if held else rules.doubtful(found, level)
        if doubt and self._judge and await self._judge(sentence, doubt):
            return doubt
        return held


def _open(before: str, sentence: str) -> str:
    """What the next sentence may go on with: a line that has no end, letters of a word that is spelled out."""
    bare = sentence.strip()
    goes_on = not bare.endswith(tuple(_ENDED)) or sum(map(str.isalpha, bare)) <= _FEW
    return f"{before} {bare}".strip()[-_SEEN:] if goes_on else ""
