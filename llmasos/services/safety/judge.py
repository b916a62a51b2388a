"""A second opinion where the rules are unsure: which of two sources a model takes a sentence to be from.

Asked plainly whether a sentence is rude, a model of 135M says no more than chance; where a text comes from is what it
has learned. What it says of a sentence counts beside what it says of an empty one, since every model prefers one of the
answers (Zhao et al., "Calibrate Before Use", ICML 2021).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from llmasos.core.base.errors import EngineError, error_name
from llmasos.core.engine.base import Choice, Engine
from llmasos.services.safety.finding import Finding
from llmasos.services.safety.moderation import Judge

log = logging.getLogger(__name__)

_FORM = '"{}"\nThis sentence comes from'
_SOURCES = (" a dirty joke", " a school book")
_NEUTRAL = "It is so."
LONGEST = 300
"""Characters of a sentence that are judged."""
PATIENCE = 5.0
"""Seconds that a sentence waits for an opinion; then the rules alone decide."""


class SecondOpinion:
    """Asks the model that speaks; its preference is measured once for each."""

    def __init__(self) -> None:
        self._preferences: dict[str, float] = {}

    def of(self, engine: Engine, owner: int, room: Callable[[], Awaitable[object]] | None = None) -> Judge:
        """A judge for one reply.

        Args:
            engine: The model.
            owner: The pid whose reply it is.
            room: Makes room for a sequence that was promised none; awaited before the model is asked.
        """

        async def judge(sentence: str, finding: Finding) -> bool | None:
            try:
                async with asyncio.timeout(PATIENCE):
                    if room:
                        await room()
                    said = await _asked(engine, owner, sentence)
                    if not engine.capabilities.log_probs:  # a server names an answer and doesn't say how sure it is
                        return said.index == 0
                    return _leans(said) > await self._preference(engine, owner)
            except (EngineError, TimeoutError) as error:  # all sequences are in use, or the machine is busy
                log.info("no second opinion: %s", error_name(error))
                return None

        return judge

    async def _preference(self, engine: Engine, owner: int) -> float:
        if engine.fingerprint not in self._preferences:
            self._preferences[engine.fingerprint] = _leans(await _asked(engine, owner, _NEUTRAL))
        return self._preferences[engine.fingerprint]


async def _asked(engine: Engine, owner: int, sentence: str) -> Choice:
    words = sentence.strip()[:LONGEST]
    sequence = await engine.open(owner)
    try:
        return await engine.choose(sequence, engine.tokenize(_FORM.format(words)), _SOURCES)
    finally:
        await engine.close(sequence)


def _leans(choice: Choice) -> float:
    """How much likelier the first source is than the second, in nats a token."""
    return choice.log_probs[0] - choice.log_probs[1]
