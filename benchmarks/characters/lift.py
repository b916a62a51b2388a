"""Facts of a card, chosen among four answers by their likelihood after the system's own prompt; with a wrong card, and with none."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.characters.cast import Asked, asked, bare, card, people
from llmasos.core.base.settings import Settings
from llmasos.core.engine.base import Engine
from llmasos.core.engine.sources import LlamaEngines
from llmasos.services.characters.card import Card
from llmasos.services.characters.events import Event
from llmasos.services.characters.prompt import Company, compile_prompt
from llmasos.services.language.context import split, template_of
from llmasos.services.language.models import ability

OWN, PERSON = "0" * 16, "ada"
CARDS = ("card", "wrong_card", "no_card")


@dataclass
class Lift:
    """Whether the true answer was the likeliest, with each card."""

    right: dict[str, list[bool]] = field(default_factory=lambda: {name: [] for name in CARDS})


async def lift(seed: str, model: str = "smollm2", most: int = 0) -> Lift:
    """Ask all questions of all characters.

    Args:
        seed: Of the wrong answers, and of whose card is the wrong one.
        model: Who is asked.
        most: Only so many questions; 0 for all.
    """
    engine = await LlamaEngines(Settings(home=Path(), model=model), None).speech()
    found, cast = Lift(), people()
    try:
        questions = asked(seed)
        random.Random(seed).shuffle(questions)
        questions = sorted(
            questions[: most or None], key=lambda pair: pair[0].whose
        )  # a card's prompt is computed once
        for one, wrong in questions:
            cards = (card(cast[one.whose]), card(cast[wrong]), bare(cast[one.whose]))
            for name, made in zip(CARDS, cards, strict=True):
                found.right[name].append(await _chosen(engine, made, one) == 0)
    finally:
        await engine.shutdown()
    return found


async def _chosen(engine: Engine, made: Card, one: Asked) -> int:
    """The number of the answer that is likeliest for each of its tokens."""
    company = Company(OWN, PERSON, {OWN: made.called})
    heard = [Event(1, "2026-03-01T12:00:00+00:00", PERSON, one.question, frozenset({OWN, PERSON}))]
    guided = ability(engine.name).tiny
    prompt = compile_prompt(made, company, [], [], heard, guided=guided)
    head, tail = split(template_of(engine), prompt.messages, prompt.stable)
    await engine.keep_prefix(head)
    sequence = await engine.open()
    try:
        return (await engine.choose(sequence, head + tail, one.options)).index
    finally:
        await engine.close(sequence)
