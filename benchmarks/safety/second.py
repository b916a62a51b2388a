"""What the bundled model's second opinion is worth on doubtful sentences."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.safety.sets import doubtful
from llmasos.core.base.settings import Settings
from llmasos.core.engine.sources import LlamaEngines
from llmasos.services.safety.finding import COARSE, Finding
from llmasos.services.safety.judge import SecondOpinion

DOUBT = Finding("insult", COARSE, sure=False)


async def measure() -> tuple[float, float, list[float]]:
    """The shares that are held of what should be and of what shouldn't, and milliseconds for each sentence."""
    with tempfile.TemporaryDirectory() as folder:
        engine = await LlamaEngines(Settings.load(home=Path(folder)), None).speech()
        try:
            judge = SecondOpinion().of(engine, 0)
            await judge("It rains.", DOUBT)  # measures its preference once
            held: dict[str, list[bool]] = {"hold": [], "say": []}
            each = []
            for case in doubtful():
                start = time.perf_counter()
                held[case.kind].append(bool(await judge(case.text, DOUBT)))
                each.append((time.perf_counter() - start) * 1000)
        finally:
            await engine.shutdown()
    return sum(held["hold"]) / len(held["hold"]), sum(held["say"]) / len(held["say"]), each
