"""Which memory answers a question, by the model that speaks: how much likelier the one makes the other.

What a model of 135M says when it is asked whether a memory answers a question is chance. But it has learned what
follows what: after "My cat is called Pepper." a question for a cat's name is likelier than after another line, and so
is the line after the question. Both are counted, each against what is said after something plain, as some lines are
likely everywhere (pointwise mutual information; Church and Hanks 1990). What the embedder found counts beside it.

Weights and bound were chosen on sentences that are in no benchmark: `python -m benchmarks.memory.standing`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from llmasos.core.base.errors import EngineError, error_name
from llmasos.core.engine.base import Engine, LiveSequence
from llmasos.services.memory.retrieval import Hit

log = logging.getLogger(__name__)

_ASKED = '"{}"\nA question that this answers: "'
_TOLD = 'You ask me: "{}"\nYou told me before: "'
_END = '{}"'
_PLAIN, _PLAIN_QUESTION = "I had a long day.", "What do I think?"
LONGEST = 200
"""Characters of a question or a memory that are weighed."""
SURE = 0.09
"""What stands out so far answers a question, whatever else does; the model isn't asked."""
NEAR = 100.0
"""Nats that a cosine of 1 above the usual is worth."""
ANSWERS = 18.0
"""Nats from which on a memory answers a question."""
PATIENCE = 5.0
"""Seconds that a reply waits for it; then what stands out decides."""


async def answering(engine: Engine, owner: int, question: str, hits: Sequence[Hit]) -> list[Hit] | None:
    """Those of some memories that answer a question, best first; None where the model can't say.

    Args:
        engine: The model that speaks.
        owner: The pid whose reply it is.
        question: What is asked.
        hits: What was found by meaning.
    """
    plain = [hit for hit in hits if hit.above is not None and hit.above >= SURE]
    if plain or not hits:
        return plain
    if not engine.capabilities.log_probs:
        return None
    try:
        async with asyncio.timeout(PATIENCE):
            shared = await likelier(engine, owner, question, [hit.item.text for hit in hits])
    except (EngineError, TimeoutError) as error:  # all sequences are in use, or the machine is busy
        log.info("memories weren't weighed: %s", error_name(error))
        return None
    worth = [nats + NEAR * (hit.above or 0.0) for nats, hit in zip(shared, hits, strict=True)]
    order = sorted(range(len(hits)), key=lambda at: -worth[at])
    return [hits[at] for at in order if worth[at] >= ANSWERS]


async def likelier(engine: Engine, owner: int, question: str, texts: Sequence[str]) -> list[float]:
    """How much likelier, in nats, a question and each of some texts make each other.

    Raises:
        EngineError: As for `choose`.
    """
    asked, said = _cut(question), [_cut(text) for text in texts]
    sequence = await engine.open(owner)
    try:
        plain = (await _nats(engine, sequence, _ASKED.format(_PLAIN), [asked]))[0]
        before = [(await _nats(engine, sequence, _ASKED.format(text), [asked]))[0] - plain for text in said]
        usual = await _nats(engine, sequence, _TOLD.format(_PLAIN_QUESTION), said)
        after = await _nats(engine, sequence, _TOLD.format(asked), said)
    finally:
        await engine.close(sequence)
    return [one + then - else_ for one, then, else_ in zip(before, after, usual, strict=True)]


async def _nats(engine: Engine, sequence: LiveSequence, prompt: str, texts: Sequence[str]) -> list[float]:
    """The log-probability of each of some texts after a prompt."""
    options = [_END.format(text) for text in texts]
    choice = await engine.choose(sequence, engine.tokenize(prompt), options)
    return [mean * len(engine.tokenize(one)) for mean, one in zip(choice.log_probs, options, strict=True)]


def _cut(text: str) -> str:
    return " ".join(text.split())[:LONGEST]
