"""How fast things are found among 100,000 files and 100,000 memories, and how fast real texts are indexed.

    python -m benchmarks.files [--files N] [--memories N] [--texts N] [--queries N]
    llmasos bench files

The files that are searched are real ones on the disk, 100 in a folder: a name of two words and a text of twelve, words
of a vocabulary of 20,000 by Zipf's law; their vectors and the memories' are random. A query goes through `search.find`:
through the door, all places, the query's own vector by the embedder in use. A third of the queries name a file, a third
has words that stand inside, a third has words that are nowhere, so that everything is searched. `find_cpu_p95_ms` is the same in processor time of this process: without the embedder's, and without
waiting for other programs.

The texts that are indexed are on every machine like this one: pages of /usr/share/doc and the sources of Python's
standard library, copied into an empty workspace. `index_rate` has reading, words, vectors and sealing in it; `index_cpu_ms` is
the processor time of a text, with the embedder's and its start.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import shutil
import statistics
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.answers import Engines
from benchmarks.row import at_most, row
from benchmarks.store import direction, memories
from llmasos.compose import Machine, compose
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call
from llmasos.core.kernel.session import Nobody
from llmasos.services.files.space import Space
from llmasos.services.files.text import decode

SOURCES = (Path("/usr/share/doc"), Path(sysconfig.get_path("stdlib")))
MOST = 64 << 10
"""Bytes of a text that is indexed."""
_VOCABULARY = 20_000
_IN_FOLDER = 100


def real_texts(count: int) -> list[Path]:
    """Texts of this machine, half of each source, the same each time."""
    found: list[Path] = []
    for source in SOURCES:
        suffixes = ("", ".txt", ".md", ".rst", ".html", ".py")
        some = (p for p in sorted(source.rglob("*")) if p.suffix in suffixes and "site-packages" not in p.parts)
        texts: list[Path] = []
        for path in some:
            if len(texts) >= count // len(SOURCES):
                break
            if path.is_symlink() or not path.is_file() or not 200 <= path.stat().st_size <= MOST:
                continue
            if decode(path.read_bytes()) is not None:
                texts.append(path)
        found += texts
    return found


def make_files(folder: Path, count: int) -> list[str]:
    """Made-up files, the same each time; some of their names."""
    draw = random.Random(11)
    words = [f"w{number:05d}" for number in range(_VOCABULARY)]
    weights = np.cumsum([1 / (rank + 10) for rank in range(len(words))]).tolist()
    names = []
    for number in range(count):
        place = folder / f"folder {number // _IN_FOLDER:04d}"
        if number % _IN_FOLDER == 0:
            place.mkdir(parents=True)
        name = " ".join(draw.choices(words[1_000:], k=2))
        (place / f"{name} {number}.txt").write_text(" ".join(draw.choices(words, cum_weights=weights, k=12)))
        if number % 997 == 0:
            names.append(f"{name} {number}")
    return names


async def found_in(files: int, count: int, queries: int) -> tuple[list[float], list[float]]:
    """Milliseconds of searches, by the clock and of this process's processor time."""
    with tempfile.TemporaryDirectory() as place:
        top = Path(place) / "work"
        names = make_files(top, files)
        machine = await compose(Settings.load(home=Path(place) / "home", seed=1), engines=Engines())
        try:
            process, session = machine.session(top, Nobody())
            await _fill(machine, Space.of(session))
            index = memories(count)
            index._embedder = machine.embedder
            machine.memory._indexes[session.person] = index
            draw = random.Random(3)
            samples, busy = [], []
            for number in range(queries + 3):
                kinds = (
                    draw.choice(names),
                    f"w{draw.randrange(200):05d} w{draw.randrange(2_000):05d} w{draw.randrange(_VOCABULARY):05d}",
                    f"nowhere{number} xylophone{number}",
                )
                call = Call("search.find", {"query": kinds[number % 3]})
                began, used = time.perf_counter(), time.process_time()
                result = await machine.kernel.trap(process, session, call)
                if number >= 3:  # the first of each kind loads what the others find loaded
                    samples.append((time.perf_counter() - began) * 1e3)
                    busy.append((time.process_time() - used) * 1e3)
                assert result.ok, result
                assert number % 3 or result.value["items"], result.value
            return samples, busy
        finally:
            await machine.close()


async def _fill(machine: Machine, space: Space) -> None:
    """Read all files, and give them random vectors."""
    index, store = machine.files._index, machine.kernel.store
    catalogue = await index.current(store, space)
    while not catalogue.complete:
        catalogue = await index.current(store, space)
    while await index.read_texts(store, space, None, 600):
        pass
    for number in catalogue.without_vector():
        catalogue.enter_vector(number, direction(random.Random(number)))


async def indexed(count: int) -> tuple[int, int, float, float, float]:
    """How many texts and bytes, and seconds for their words, for their vectors, and of processor time for both."""
    texts = real_texts(count)
    used = _used()
    counts = (0, 0, 0.0, 0.0)
    with tempfile.TemporaryDirectory() as place:
        top = Path(place) / "work"
        for number, path in enumerate(texts):
            target = top / f"{number // 100:02d}" / f"{number} {path.name}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        size = sum(path.stat().st_size for path in texts)
        machine = await compose(Settings.load(home=Path(place) / "home", seed=1), engines=Engines())
        try:
            _, session = machine.session(top, Nobody())
            index, store, space = machine.files._index, machine.kernel.store, Space.of(session)
            await machine.embedder.embed(["started"], "query")
            began = time.perf_counter()
            await index.current(store, space)
            while await index.read_texts(store, space, None, 600):
                pass
            read = time.perf_counter()
            while await index.embed(store, space):
                pass
            counts = (len(texts), size, read - began, time.perf_counter() - read)
        finally:
            await machine.close()
    return (*counts, _used() - used)


def _used() -> float:
    """Seconds of processor time, of this process and of those that it started and that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def rows(files: int = 100_000, count: int = 100_000, texts: int = 1_000, queries: int = 150) -> list[dict[str, Any]]:
    """The figures as rows."""
    command = f"python -m benchmarks.files --files {files} --memories {count} --texts {texts} --queries {queries}"
    samples, busy = map(sorted, asyncio.run(found_in(files, count, queries)))
    high, worked = (values[int(0.95 * (len(values) - 1))] for values in (samples, busy))
    number, size, reading, embedding, used = asyncio.run(indexed(texts))
    both = number / (reading + embedding)
    return [
        row("find_p95_ms", high, "ms", n=queries, samples=samples, command=command, **at_most(high, 100)),
        row("find_p50_ms", statistics.median(samples), "ms", n=queries, command=command),
        row("find_cpu_p95_ms", worked, "ms", n=queries, samples=busy, command=command),
        row("index_rate", both, "texts/s", n=number, command=command),
        row("index_rate_words", number / reading, "texts/s", n=number, command=command),
        row("index_cpu_ms", 1e3 * used / number, "ms/text", n=number, command=command),
        row("index_mb", size / 1e6, "MB", n=number, command=command),
    ]


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--memories", type=int, default=100_000)
    parser.add_argument("--texts", type=int, default=1_000)
    parser.add_argument("--queries", type=int, default=150)
    said = parser.parse_args()
    print(json.dumps({"rows": rows(said.files, said.memories, said.texts, said.queries)}, indent=1))


if __name__ == "__main__":
    main()
