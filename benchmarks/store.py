"""What encryption at rest costs: the store against plain SQLite of the same shape and settings, in one run.

    python -m benchmarks.store [--records N] [--samples N] [--memories N] [--kills N]
    python -m benchmarks.store --pages       # with the pages sealed too (extra `sqlcipher`)

Then how fast a hundred thousand memories are searched, and ready after a start; what is lost by `kill -9` (recovery.py; with
`--kills 0` that isn't asked); what of a person's words can be read on the disk (canaries.py); and what can be changed there
unseen (tampering.py).

All write JSON records under random ids into an indexed table, all in one transaction, and read them back in random order, by
a call that takes a kind and an id and gives the value. Plain SQLite is read in two ways: as the manuals of `sqlite3` and `json`
show it, which is what a program without the store would do; and with what the store does to save time itself, a cursor that is
kept and the decoder without `json.loads` around it (`_bare`), so that what is left is what sealing takes, with the lock.

What counts is CPU time, taken in slices of a few milliseconds, of all kinds in turn, and of all slices of a kind the lowest
tenth: how fast a machine is changes from second to second, and a slice that nobody disturbs is as fast as any. The disk takes
the same time for all: it would only move the ratio towards 1.

A memory is 1 KB of text with its 384-dimensional vector; a note is 1 KB of text alone.

Memories that are searched have 12 words of a vocabulary of 20,000, by Zipf's law, and random unit vectors; a query has
three words, one of them common. What a query's own vector costs (6 to 11 ms with the default embedder) isn't in it. The
start is the reading, opening and taking up of the sealed snapshot of the index, and its first search.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import random
import sqlite3
import statistics
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks import canaries, tampering
from benchmarks.recovery import kill9
from benchmarks.row import at_least, at_most, row
from llmasos.core.base.types import JSON
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.store.database import SETTINGS
from llmasos.services.memory.retrieval import CALIBRATED, WIDTH, Index, Item, pack

NOTE: dict[str, JSON] = {"text": "All work and no play makes Jack a dull boy. " * 23, "importance": 3}
MEMORY: dict[str, JSON] = {**NOTE, "vector": base64.b64encode(random.randbytes(384 * 4)).decode()}


SLICE = 400
"""Records that are written, or read, before another kind has its turn."""


class Kept(Protocol):
    """What is compared."""

    def __init__(self, folder: Path) -> None:
        """An empty one in a folder."""

    def transaction(self) -> AbstractContextManager[object]:
        """In which all is written."""

    def insert(self, ids: list[str], value: JSON) -> None:
        """Write some, inside it."""

    def get(self, kind: str, id: str, /) -> Any:
        """Read one."""


SELECT = "SELECT value FROM records WHERE kind = ? AND id = ? AND subject = ?"


class Plain:
    """The same table without encryption, read as the manuals of `sqlite3` and `json` show."""

    def __init__(self, folder: Path) -> None:
        self.db = sqlite3.connect(folder / "plain.db", isolation_level=None)
        for setting in SETTINGS:
            self.db.execute(setting)
        self.db.execute(
            "CREATE TABLE records (seq INTEGER PRIMARY KEY, kind TEXT, id TEXT, subject TEXT, rev INTEGER,"
            " value TEXT, UNIQUE (kind, id, subject))"
        )
        self.db.execute("CREATE INDEX by_subject ON records (subject, kind)")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """In which all is written."""
        self.db.execute("BEGIN IMMEDIATE")
        yield
        self.db.execute("COMMIT")

    def insert(self, ids: list[str], value: JSON) -> None:
        """Write some, inside it."""
        for id in ids:
            self.db.execute(
                "INSERT INTO records (kind, id, subject, rev, value) VALUES (?, ?, ?, 1, ?)"
                " ON CONFLICT (kind, id, subject) DO UPDATE SET rev = rev + 1, value = excluded.value",
                ("memory", id, "person", json.dumps(value)),
            )

    def get(self, kind: str, id: str, *, subject: str = "person") -> Any:
        """Read one."""
        (value,) = self.db.execute(SELECT, (kind, id, subject)).fetchone()
        return json.loads(value)


class Bare(Plain):
    """The same, read with what the store does to save time: a cursor that is kept, and the decoder alone."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.point = self.db.cursor().execute
        self.decode = json.JSONDecoder().raw_decode

    def get(self, kind: str, id: str, *, subject: str = "person") -> Any:
        """Read one."""
        (value,) = next(self.point(SELECT, (kind, id, subject)))
        return self.decode(value)[0]


class Sealed:
    """The store."""

    pages_sealed = False

    def __init__(self, folder: Path) -> None:
        home = folder / "home"
        self.store = Store.open(home, Keyring.open(home), pages_sealed=self.pages_sealed)
        self.store.put("warm", "up", None)  # makes the subject's key
        self.get = self.store.get

    def transaction(self) -> AbstractContextManager[object]:
        """In which all is written."""
        return self.store.transaction()

    def insert(self, ids: list[str], value: JSON) -> None:
        """Write some, inside it."""
        for id in ids:
            self.store.put("memory", id, value)


def measure(kinds: Sequence[type[Kept]], value: JSON, records: int) -> dict[str, tuple[list[float], list[float]]]:
    """Microseconds of CPU for one insert and for one read, in slices: of each kind a slice, then of each the next one."""
    ids = [uuid.uuid4().hex for _ in range(records)]
    order = random.sample(ids, len(ids))
    taken: dict[str, tuple[list[float], list[float]]] = {kind.__name__: ([], []) for kind in kinds}
    with ExitStack() as ending:
        kept = [kind(Path(ending.enter_context(tempfile.TemporaryDirectory()))) for kind in kinds]
        writing = {one: ExitStack() for one in kept}
        for one, opened in writing.items():
            opened.enter_context(one.transaction())
        for at in range(0, records, SLICE):
            for one in kept:
                start = time.process_time()
                one.insert(ids[at : at + SLICE], value)
                taken[type(one).__name__][0].append((time.process_time() - start) / SLICE * 1e6)
            random.shuffle(kept)  # who comes first has colder caches
        for one, opened in writing.items():
            start = time.process_time()
            opened.close()
            ended = (time.process_time() - start) / records * 1e6
            inserted, read = taken[type(one).__name__]
            taken[type(one).__name__] = [each + ended for each in inserted], read
        for at in range(0, records, SLICE):
            for one in kept:
                some, get = order[at : at + SLICE], one.get
                start = time.process_time()
                for id in some:
                    get("memory", id)
                taken[type(one).__name__][1].append((time.process_time() - start) / SLICE * 1e6)
            random.shuffle(kept)
        assert all(one.get("memory", order[0]) == value for one in kept)
    return taken


class Paged(Sealed):
    """The store, its pages sealed too."""

    pages_sealed = True


def undisturbed(slices: list[float]) -> float:
    """What a slice takes where nothing disturbs it."""
    return statistics.quantiles(slices, n=10)[0]


class Vectors:
    """Random directions, one for each text."""

    name = CALIBRATED

    async def embed(self, texts: Sequence[str], kind: str) -> Any:
        """As an embedder."""
        return np.stack([direction(random.Random(text)) for text in texts])


def direction(draw: random.Random) -> Any:
    """A unit vector."""
    vector = np.random.default_rng(draw.getrandbits(32)).standard_normal(WIDTH, np.float32)
    return vector / np.linalg.norm(vector)


def memories(count: int) -> Index:
    """An index of made-up memories, the same each time."""
    draw = random.Random(7)
    words = [f"w{number:05d}" for number in range(20_000)]
    weights = np.cumsum([1 / (rank + 10) for rank in range(len(words))]).tolist()
    index = Index(Vectors())
    for number in range(count):
        text = " ".join(draw.choices(words, cum_weights=weights, k=12))
        index.add(
            Item(
                uuid.UUID(int=draw.getrandbits(128)).hex[:24],
                text,
                number + 1,
                "2026-03-01T12:00",
                pack(direction(draw)),
            )
        )
    return index


def searched(count: int, samples: int) -> tuple[list[float], list[float]]:
    """Milliseconds of searches, and seconds of starts."""
    queries = [f"w{5 * number:05d} w{900 + number:05d} w{9000 + number:05d}" for number in range(samples)]
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        home = Path(folder) / "home"
        with Store.open(home, Keyring.open(home)) as store:
            snapshot = store.snapshot("memory")
            index = memories(count)
            snapshot.write(index.pack(), 1)
            found, started = [], []
            for query in queries:
                begun = time.perf_counter()
                hits = runner.run(index.search(query))
                found.append((time.perf_counter() - begun) * 1e3)
                assert hits
            for query in queries[:9]:
                begun = time.perf_counter()
                again = Index(Vectors())
                kept = snapshot.read(1)
                assert kept is not None
                assert again.load(kept)
                hits = runner.run(again.search(query))
                started.append(time.perf_counter() - begun)
                assert hits
                del again, kept
    return found, started


def rows(
    records: int = 20_000, samples: int = 4, count: int = 100_000, kills: int = 200, *, paged: bool = False
) -> list[dict[str, Any]]:
    """The figures as rows."""
    kinds: list[type[Kept]] = [Plain, Sealed, Paged if paged else Bare]
    inserts: dict[tuple[str, str], list[float]] = defaultdict(list)
    reads: dict[tuple[str, str], list[float]] = defaultdict(list)
    for _ in range(samples):
        for shape, value in (("memory", MEMORY), ("note", NOTE)):
            for kind, (inserted, read) in measure(kinds, value, records).items():
                inserts[kind, shape] += inserted
                reads[kind, shape] += read

    def ratio(kept: str, shape: str = "memory") -> float:
        return undisturbed(inserts["Plain", shape]) / undisturbed(inserts[kept, shape])

    def extra(kept: str, shape: str = "memory", over: str = "Plain") -> float:
        return undisturbed(reads[kept, shape]) - undisturbed(reads[over, shape])

    command = f"python -m benchmarks.store --records {records} --samples {samples} --memories {count}"
    size: dict[str, Any] = {"n": records, "command": command}

    if paged:
        size["command"] += " --pages"
        return [
            row("store_insert_ratio_pages", ratio("Paged"), "x", **size),
            row("store_insert_ratio_pages_note", ratio("Paged", "note"), "x", **size),
            row("store_insert_ratio", ratio("Sealed"), "x", **size),
            row("store_read_extra_us_pages", extra("Paged"), "us", **size),
            row("store_read_extra_us_pages_note", extra("Paged", "note"), "us", **size),
            row("store_read_extra_us", extra("Sealed"), "us", **size),
            row("plain_read_us", undisturbed(reads["Plain", "memory"]), "us", **size),
        ]
    found, started = searched(count, 25)
    search, start = statistics.median(found), statistics.median(started)
    large: dict[str, Any] = {"n": count, "command": command}
    return [
        row("store_insert_ratio", ratio("Sealed"), "x", **size, **at_least(ratio("Sealed"), 0.8)),
        row("store_insert_ratio_note", ratio("Sealed", "note"), "x", **size),
        row("store_read_extra_us", extra("Sealed"), "us", **size, **at_most(extra("Sealed"), 3)),
        row("store_read_extra_us_note", extra("Sealed", "note"), "us", **size),
        row("store_read_extra_us_bare", extra("Sealed", over="Bare"), "us", **size),
        row("store_read_extra_us_bare_note", extra("Sealed", "note", "Bare"), "us", **size),
        row("plain_read_us", undisturbed(reads["Plain", "memory"]), "us", **size),
        row("plain_read_us_note", undisturbed(reads["Plain", "note"]), "us", **size),
        row("search_100k_ms", search, "ms", samples=found, **large, **at_most(search, 15)),
        row("snapshot_start_s", start, "s", samples=started, **large, **at_most(start, 0.3)),
        *(kill9(kills) if kills else ()),
        *canaries.rows(),
        *tampering.rows(),
    ]


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--memories", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--pages", action="store_true", help="what sealed pages cost too, and nothing else")
    said = parser.parse_args()
    print(json.dumps({"rows": rows(said.records, said.samples, said.memories, said.kills, paged=said.pages)}, indent=1))


if __name__ == "__main__":
    main()
