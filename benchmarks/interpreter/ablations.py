"""What each part of the interpreter is worth: the same sentences without it.

    python -m benchmarks.interpreter.ablations [--every=3] ["no spans" ...]

`all`: as it ships. `no adapter`: the base model under the same grammar. `no spans`: free text may be any text.
`no grammar`: the model writes what it likes. `no numbers`: numbers may be any. `keeps optional`: unsure optional arguments
stay. `read once`: an unsure program isn't read again with the definitions in the opposite order. `examples`: no language model; the syscall of the nearest example sentence of the documentation (embeddings),
which has no arguments. Then retrieval: how often the right definition is among the eight that are shown, of all
plugins of the set together.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from benchmarks.interpreter import Answer, measure
from benchmarks.interpreter.sets import Case, all_sets
from llmasos.compose import Machine
from llmasos.core.base.types import Call
from llmasos.core.engine import models
from llmasos.core.engine.embed import Embedder, make_embedder
from llmasos.services.interpreter import calibration, decoding
from llmasos.services.interpreter.candidates import Candidates
from llmasos.services.interpreter.interpreter import SHOWN
from llmasos.services.interpreter.reading import Reading

SETS = ("en", "zh", "programs_en", "plugins", "foreign_single", "foreign_choose", "foreign_none")
PARTS = ("all", "no adapter", "no spans", "no numbers", "keeps optional", "no grammar", "read once")
Change = Callable[[Machine], None]


def _patched_grammar(change: Callable[[str], str]) -> Any:
    whole = decoding.grammar
    return mock.patch.object(decoding, "grammar", lambda *args, **named: change(whole(*args, **named)))


def _any_text(lark: str) -> str:
    return re.sub(r"^SUBSTRING: .*$", r"SUBSTRING: /[^\\n]{1,200}/", lark, flags=re.MULTILINE)


def _any_number(lark: str) -> str:
    free = {"integer": r"/-?(0|[1-9][0-9]{0,17})/", "number": r"/-?(0|[1-9][0-9]{0,17})(\\.[0-9]{1,12})?/"}
    for kind, rule in free.items():
        lark = re.sub(rf"^({kind}(?:signed)?): .*$", rf"\1: {rule}", lark, flags=re.MULTILINE)
    return lark


@contextmanager
def _without(part: str) -> Iterator[tuple[dict[str, Any], Change | None]]:
    """(settings, change) of a run without a part."""
    if part == "no adapter":
        yield {"interpreter_model": str(models.locate("smollm2"))}, None
    elif part == "no spans":
        with _patched_grammar(_any_text):
            yield {}, None
    elif part == "no numbers":
        with _patched_grammar(_any_number):
            yield {}, None
    elif part == "keeps optional":
        with mock.patch.object(decoding, "OPTIONAL", 0.0):
            yield {}, None
    elif part == "read once":
        with mock.patch.object(calibration, "READ_AGAIN_BELOW", 0.0):
            yield {}, None
    elif part == "no grammar":
        yield {}, _unconstrained
    else:
        yield {}, None


def _unconstrained(machine: Machine) -> None:
    slot, get = machine.interpreting, machine.interpreting.get

    async def free() -> Any:
        engine = await get()
        engine.constrain = lambda _: None  # type: ignore[assignment,method-assign,return-value]  # on purpose
        return engine

    slot.get = free  # type: ignore[method-assign]


def line(part: str, measured: dict[str, list[Answer]]) -> str:
    """A row of the table: exact shares."""
    shares = (f"{sum(a.exact for a in measured[name]) / len(measured[name]):6.1%}" for name in SETS)
    return f"| {part} | " + " | ".join(shares) + " |"


async def nearest_examples(sets: dict[str, list[Case]]) -> dict[str, list[Answer]]:
    """The syscall of the example sentence that is nearest in meaning."""
    examples: list[tuple[str, str]] = []

    def collect(machine: Machine) -> None:
        examples.extend((row.name, example) for row in machine.kernel.table for example in row.examples)

    await measure({}, change=collect)
    embedder = make_embedder()
    vectors = await embedder.embed([text for _, text in examples], "query")
    found = {}
    for name in ("en", "zh"):
        asked = await embedder.embed([case.utterance for case in sets[name]], "query")
        best = (asked @ vectors.T).argmax(1)
        found[name] = [
            Answer(case, Reading((Call(examples[int(index)][0]),), 0.0))
            for case, index in zip(sets[name], best, strict=True)
        ]
    await embedder.close()
    return found


async def recall(cases: list[Case], embedder: Embedder) -> dict[str, float]:
    """How often all functions of a request are among those shown, when all plugins of the set are installed."""
    pool = list({tool["name"]: tool for case in cases for tool in case.tools}.values())
    both, single = Candidates(embedder), Candidates()
    hits = {"words": 0, "words and meaning": 0, "first eight": 0}
    for case in cases:
        wanted = {name for name, _ in case.program}
        for way, chosen in (
            ("words", await single.nearest(case.utterance, pool, SHOWN)),
            ("words and meaning", await both.nearest(case.utterance, pool, SHOWN)),
            ("first eight", pool[:SHOWN]),
        ):
            hits[way] += wanted <= {tool["name"] for tool in chosen}
    return {f"{way}, of {len(pool)}": count / len(cases) for way, count in hits.items()}


def main() -> None:
    """Print the table and the recall."""
    every = next((int(word.partition("=")[2]) for word in sys.argv if word.startswith("--every=")), 1)
    sets = {name: found[::every] for name, found in all_sets().items()}
    chosen = {name: sets[name] for name in SETS}
    print("| | " + " | ".join(SETS) + " |\n|---|" + "---|" * len(SETS))
    parts = [word for word in sys.argv[1:] if word in PARTS] or PARTS
    for part in parts:
        with _without(part) as (settings, change):
            print(line(part, asyncio.run(measure(chosen, settings, change))), flush=True)
    for name, answers in asyncio.run(nearest_examples(sets)).items():
        print(f"examples, {name}: syscall {sum(a.syscall for a in answers) / len(answers):.1%}")

    async def told() -> dict[str, float]:
        embedder = make_embedder()
        try:
            return await recall(sets["plugins"], embedder)
        finally:
            await embedder.close()

    for way, share in asyncio.run(told()).items():
        print(f"among the {SHOWN} shown, by {way}: {share:.1%}")


if __name__ == "__main__":
    main()
