"""What the bundled model's second opinion is worth: on doubtful sentences, and what it costs the harmless ones."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.safety.sets import doubtful, harmless
from llmasos.core.base.settings import Settings
from llmasos.core.engine.sources import LlamaEngines
from llmasos.services.safety import rules
from llmasos.services.safety.finding import COARSE, Finding
from llmasos.services.safety.judge import SecondOpinion

DOUBT = Finding("insult", COARSE, sure=False)


@dataclass
class Opinions:
    """What the model said.

    Attributes:
        hold: Of each doubtful sentence that should be held back, whether it would be.
        say: The same of those that shouldn't.
        over: Harmless sentences of the whole set that the rules doubt and the model would hold back.
        each: Milliseconds for each doubtful sentence.
    """

    hold: list[bool] = field(default_factory=list)
    say: list[bool] = field(default_factory=list)
    over: list[str] = field(default_factory=list)
    each: list[float] = field(default_factory=list)


async def measure() -> Opinions:
    """Ask the bundled model."""
    found = Opinions()
    with tempfile.TemporaryDirectory() as folder:
        engine = await LlamaEngines(Settings.load(home=Path(folder)), None).speech()
        try:
            judge = SecondOpinion().of(engine, 0)
            await judge("It rains.", DOUBT)  # measures its preference once
            for case in doubtful():
                start = time.perf_counter()
                (found.hold if case.kind == "hold" else found.say).append(bool(await judge(case.text, DOUBT)))
                found.each.append((time.perf_counter() - start) * 1000)
            for case in harmless():
                doubt = rules.doubtful(rules.look(case.text), "strict")
                if doubt and await judge(case.text, doubt):
                    found.over.append(case.text)
        finally:
            await engine.shutdown()
    return found
