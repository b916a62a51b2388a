"""What tells a memory that answers a question from one that is merely near: the cosine, how far it stands out, the model.

    python -m benchmarks.memory.standing
    python -m benchmarks.memory.standing --model    # what the default model makes of them; some minutes

Facts with questions in other words (other_words.txt) that were written for choosing the bounds of
services/characters/knowing.py, weighing.py and fitting.py. Half of them are told, among ordinary lines; all are asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from llmasos.core.base.settings import Settings
from llmasos.core.engine.base import Engine
from llmasos.core.engine.embed import Embedder, make_embedder
from llmasos.core.engine.llama import LlamaEngine, LlamaModel
from llmasos.core.engine.sources import DEFAULT, running_file
from llmasos.services.characters import fitting
from llmasos.services.characters.conversation import LOOKED
from llmasos.services.characters.kinds import of_another
from llmasos.services.characters.knowing import knows
from llmasos.services.characters.weighing import answering
from llmasos.services.memory.retrieval import Index, Item
from llmasos.services.script import has_chinese

SEEDS = 8
WRONG = 0.05
"""Share of questions for what was never told that may be answered."""


class Kept:
    """An embedder that makes each vector once.

    Args:
        embedder: What makes them.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.name = embedder.name
        self._known: dict[tuple[str, str], Any] = {}

    async def embed(self, texts: Any, kind: Any) -> Any:
        """As the embedder."""
        for text in texts:
            if (text, kind) not in self._known:
                self._known[text, kind] = (await self._embedder.embed([text], kind))[0]
        return np.stack([self._known[text, kind] for text in texts])


def read() -> tuple[list[tuple[str, str, str]], list[str]]:
    """The facts, each with its two questions, and what is said in between."""
    lines = Path(__file__).with_name("other_words.txt").read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if line and not line.startswith("#")]
    facts = [tuple(part.strip() for part in line.split("|")) for line in lines if "|" in line]
    return facts, [line for line in lines if "|" not in line]  # type: ignore[return-value]  # three each


async def main(*, model: bool) -> None:
    """Print the figures.

    Args:
        model: Whether they are those of the default model, weighing.
    """
    embedder = make_embedder()
    try:
        kept = Kept(embedder)
        facts, between = read()
        english = [fact for fact in facts if not has_chinese(fact[0])]
        if model:
            await _weighed(kept, english, [line for line in between if not has_chinese(line)])
            return
        for name, some in (("English", english), ("English and Chinese", facts)):
            said = [line for line in between if some is facts or not has_chinese(line)]
            print(f"{name}: {len(some)} facts, half of them told, {SEEDS} times; {len(said)} lines in between")
            await _bounds(kept, some, said)
            await _as_it_is(kept, some, said)
    finally:
        await embedder.close()


async def _bounds(kept: Kept, facts: list[tuple[str, str, str]], between: list[str]) -> None:
    """How many are answered right with a bound that is wrong for few of those that were never told."""
    vectors = await kept.embed([fact[0] for fact in facts] + between, "passage")
    rows = []
    for seed in range(SEEDS):
        told = random.Random(seed).sample(range(len(facts)), len(facts) // 2)
        there = [*told, *range(len(facts), len(vectors))]
        for number, fact in enumerate(facts):
            near = vectors[there] @ (await kept.embed([fact[2]], "query"))[0]
            best = int(np.argmax(near))
            rows.append((number in told, there[best] == number, near[best], near[best] - np.quantile(near, 0.75)))
    was_told, right = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    print(f"  in other words the nearest is the right one: {np.mean(right[was_told]):.1%} of those that were told")
    for name, values in (("the cosine", [row[2] for row in rows]), ("what stands out", [row[3] for row in rows])):
        worth = np.array(values)
        bound = np.quantile(worth[~was_told], 1 - WRONG)
        answered = np.mean((worth > bound)[was_told] & right[was_told])
        print(
            f"  {name} above {bound:.3f}, wrong for {WRONG:.0%} never told: {answered:.1%} of the told answered right"
        )


async def _weighed(kept: Kept, facts: list[tuple[str, str, str]], between: list[str]) -> None:
    """What the system makes of the questions where the default model weighs."""
    with tempfile.TemporaryDirectory() as home:
        prepared = await asyncio.to_thread(running_file, DEFAULT, Settings(home=Path(home)))
    loaded = await LlamaModel.load_async(prepared.path)
    try:
        engine = await LlamaEngine.create(loaded, n_ctx=2048, n_seq=2)
        try:
            print(f"English, weighed by {loaded.info.name}, once")
            await _as_it_is(kept, facts, between, engine)
        finally:
            await engine.shutdown()
    finally:
        loaded.close()


async def _as_it_is(
    kept: Kept, facts: list[tuple[str, str, str]], between: list[str], engine: Engine | None = None
) -> None:
    """What the system makes of the questions, weighed by a model or not."""
    found: dict[str, list[bool]] = defaultdict(list)
    took: list[float] = []
    for seed in range(1 if engine else SEEDS):
        told = set(random.Random(seed).sample(range(len(facts)), len(facts) // 2))
        index = Index(kept)
        for number, text in enumerate([facts[number][0] for number in sorted(told)] + between):
            index.add(Item(str(number), text, number, vector=await index.embed(text)))
        for number, (fact, *questions) in enumerate(facts):
            for which, question in zip(("in its words", "in others"), questions, strict=True):
                hits = (await index.search(question, 12, wide=True))[:LOOKED]
                told_of = [hit for hit in hits if not of_another(question, hit.item.text)]
                began = time.perf_counter()
                weighed = fitting.answering(question, told_of) if has_chinese(question) else None
                if engine:
                    weighed = await answering(engine, 0, question, told_of)
                took.append(time.perf_counter() - began)
                answers = [hit for hit in told_of if knows(question, hit)] if weighed is None else weighed
                sure = [hit.item.text for hit in answers]
                if number in told:
                    found[f"told, asked {which}: among five"].append(fact in [hit.item.text for hit in hits])
                    found[f"told, asked {which}: answered with it"].append(sure[:1] == [fact])
                else:
                    found[f"never told, asked {which}: not answered"].append(not sure)
    if engine:
        print(f"  weighing took {1000 * median(took):.0f} ms (median)")
    for what, values in sorted(found.items()):
        print(f"  {what}: {np.mean(values):.1%} (n = {len(values)})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", action="store_true", help="let the default model weigh")
    asyncio.run(main(model=parser.parse_args().model))
