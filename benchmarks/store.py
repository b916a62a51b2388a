"""What encryption at rest costs: the store against plain SQLite of the same shape and settings, in one run.

    python benchmarks/store.py [--records N] [--samples N]

Both write JSON records under random ids into an indexed table, all in one transaction, and read them back in
random order. Rounds alternate; what counts is CPU time, and of all rounds the best, so that other work on the
machine counts little. The disk takes the same time for both: it would only move the ratio towards 1.

A memory is 1 KB of text with its 384-dimensional vector; a note is 1 KB of text alone.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import sqlite3
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any, Protocol

from llmasos.core.base.types import JSON
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.store.database import SETTINGS

NOTE: dict[str, JSON] = {"text": "All work and no play makes Jack a dull boy. " * 23, "importance": 3}
MEMORY: dict[str, JSON] = {**NOTE, "vector": base64.b64encode(random.randbytes(384 * 4)).decode()}


class Kept(Protocol):
    """What is compared."""

    def insert(self, ids: list[str], value: JSON) -> None:
        """Write all in one transaction."""

    def one(self, id: str) -> Any:
        """Read one."""


class Plain:
    """The same table without encryption."""

    def __init__(self, folder: Path) -> None:
        self.db = sqlite3.connect(folder / "plain.db", isolation_level=None)
        for setting in SETTINGS:
            self.db.execute(setting)
        self.db.execute(
            "CREATE TABLE records (seq INTEGER PRIMARY KEY, kind TEXT, id TEXT, subject TEXT, rev INTEGER,"
            " value TEXT, UNIQUE (kind, id, subject))"
        )
        self.db.execute("CREATE INDEX by_subject ON records (subject, kind)")

    def insert(self, ids: list[str], value: JSON) -> None:
        """Write all in one transaction."""
        self.db.execute("BEGIN IMMEDIATE")
        for id in ids:
            self.db.execute(
                "INSERT INTO records (kind, id, subject, rev, value) VALUES (?, ?, ?, 1, ?)"
                " ON CONFLICT (kind, id, subject) DO UPDATE SET rev = rev + 1, value = excluded.value",
                ("memory", id, "person", json.dumps(value)),
            )
        self.db.execute("COMMIT")

    def one(self, id: str) -> Any:
        """Read one."""
        (value,) = self.db.execute(
            "SELECT value FROM records WHERE kind = ? AND id = ? AND subject = ?", ("memory", id, "person")
        ).fetchone()
        return json.loads(value)


class Sealed:
    """The store."""

    def __init__(self, folder: Path) -> None:
        self.store = Store.open(folder / "home", Keyring.open(folder / "home"))
        self.store.put("warm", "up", None)  # makes the subject's key

    def insert(self, ids: list[str], value: JSON) -> None:
        """Write all in one transaction."""
        with self.store.transaction():
            for id in ids:
                self.store.put("memory", id, value)

    def one(self, id: str) -> Any:
        """Read one."""
        return self.store.get("memory", id)


def measure(kept: Kept, value: JSON, ids: list[str], order: list[str]) -> tuple[float, float]:
    """Microseconds of CPU for one insert, and for one read."""
    start = time.process_time()
    kept.insert(ids, value)
    inserted = time.process_time()
    for id in order:
        kept.one(id)
    read = time.process_time()
    assert kept.one(order[0]) == value
    return (inserted - start) / len(ids) * 1e6, (read - inserted) / len(ids) * 1e6


def rows(records: int, samples: int) -> list[dict[str, Any]]:
    """The figures as rows."""
    best: dict[str, tuple[float, float]] = {}
    for _ in range(samples):
        ids = [uuid.uuid4().hex for _ in range(records)]
        order = random.sample(ids, len(ids))
        kinds: tuple[type[Plain] | type[Sealed], ...] = (Plain, Sealed)
        for kept in kinds:
            for shape, value in (("memory", MEMORY), ("note", NOTE)):
                with tempfile.TemporaryDirectory() as folder:
                    insert, read = measure(kept(Path(folder)), value, ids, order)
                name = f"{kept.__name__} {shape}"
                was = best.get(name, (insert, read))
                best[name] = min(insert, was[0]), min(read, was[1])

    def row(id: str, value: float, unit: str, must: str = "", holds: bool | None = None) -> dict[str, Any]:
        return {
            "id": id,
            "value": round(value, 2),
            "unit": unit,
            "must": must,
            "holds": holds,
            "n": records,
            "samples": samples,
            "command": f"python benchmarks/store.py --records {records} --samples {samples}",
        }

    ratio = {shape: best[f"Plain {shape}"][0] / best[f"Sealed {shape}"][0] for shape in ("memory", "note")}
    extra = {shape: best[f"Sealed {shape}"][1] - best[f"Plain {shape}"][1] for shape in ("memory", "note")}
    return [
        row("store_insert_ratio", ratio["memory"], "x", ">= 0.8", ratio["memory"] >= 0.8),
        row("store_insert_ratio_note", ratio["note"], "x"),
        row("store_read_extra_us", extra["memory"], "us", "<= 3", extra["memory"] <= 3),
        row("store_read_extra_us_note", extra["note"], "us"),
        row("store_read_us_note", best["Sealed note"][1], "us"),
        row("plain_read_us_note", best["Plain note"][1], "us"),
    ]


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--samples", type=int, default=9)
    said = parser.parse_args()
    print(json.dumps({"rows": rows(said.records, said.samples)}, indent=1))


if __name__ == "__main__":
    main()
