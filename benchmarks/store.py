"""What encryption at rest costs: the store against plain SQLite of the same shape and settings, in one run.

    python benchmarks/store.py [--records N] [--samples N]

Both write records of 1 KB under random ids into an indexed table with a JSON value, all in one transaction, and
read them back one by one in random order; rounds alternate, so that a busy machine slows both. Prints rows as JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import statistics
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any, Protocol

from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.store.database import SETTINGS

VALUE = {"text": "All work and no play makes Jack a dull boy. " * 23, "importance": 3}


class Kept(Protocol):
    """What is compared."""

    def insert(self, ids: list[str]) -> None:
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
            "CREATE TABLE records (seq INTEGER PRIMARY KEY, kind TEXT, id TEXT, subject TEXT, rev INTEGER, value TEXT,"
            " UNIQUE (kind, id, subject))"
        )
        self.db.execute("CREATE INDEX by_subject ON records (subject, kind)")

    def insert(self, ids: list[str]) -> None:
        self.db.execute("BEGIN IMMEDIATE")
        for id in ids:
            self.db.execute(
                "INSERT INTO records (kind, id, subject, rev, value) VALUES (?, ?, ?, 1, ?)"
                " ON CONFLICT (kind, id, subject) DO UPDATE SET rev = rev + 1, value = excluded.value",
                ("memory", id, "person", json.dumps(VALUE)),
            )
        self.db.execute("COMMIT")

    def one(self, id: str) -> Any:
        (value,) = self.db.execute(
            "SELECT value FROM records WHERE kind = ? AND id = ? AND subject = ?", ("memory", id, "person")
        ).fetchone()
        return json.loads(value)


class Sealed:
    """The store."""

    def __init__(self, folder: Path) -> None:
        self.store = Store.open(folder / "home", Keyring.open(folder / "home"))
        self.store.put("warm", "up", None)  # makes the subject's key

    def insert(self, ids: list[str]) -> None:
        with self.store.transaction():
            for id in ids:
                self.store.put("memory", id, VALUE)

    def one(self, id: str) -> Any:
        return self.store.get("memory", id)


def measure(kept: Kept, ids: list[str], order: list[str]) -> tuple[float, float]:
    """Seconds for all inserts, and seconds for all reads."""
    start = time.perf_counter()
    kept.insert(ids)
    inserted = time.perf_counter()
    for id in order:
        assert kept.one(id) == VALUE
    return inserted - start, time.perf_counter() - inserted


def rows(records: int, samples: int) -> list[dict[str, Any]]:
    """The figures as rows."""
    ratios, extras, plain_us, sealed_us = [], [], [], []
    for _ in range(samples):
        ids = [uuid.uuid4().hex for _ in range(records)]
        order = random.sample(ids, len(ids))
        with tempfile.TemporaryDirectory() as folder:
            plain = measure(Plain(Path(folder)), ids, order)
            sealed = measure(Sealed(Path(folder)), ids, order)
        ratios.append(plain[0] / sealed[0])
        plain_us.append(plain[1] / records * 1e6)
        sealed_us.append(sealed[1] / records * 1e6)
        extras.append(sealed_us[-1] - plain_us[-1])
    command = f"python benchmarks/store.py --records {records} --samples {samples}"

    def row(id: str, value: float, unit: str, must: str, holds: bool | None) -> dict[str, Any]:
        return {
            "id": id,
            "value": round(value, 2),
            "unit": unit,
            "must": must,
            "holds": holds,
            "n": records,
            "samples": samples,
            "command": command,
        }

    ratio, extra = statistics.median(ratios), statistics.median(extras)
    return [
        row("store_insert_ratio", ratio, "x", ">= 0.8", ratio >= 0.8),
        row("store_read_extra_us", extra, "us", "<= 3", extra <= 3),
        row("store_read_us", statistics.median(sealed_us), "us", "", None),
        row("plain_read_us", statistics.median(plain_us), "us", "", None),
    ]


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--samples", type=int, default=9)
    said = parser.parse_args()
    print(json.dumps({"rows": rows(said.records, said.samples)}, indent=1))


if __name__ == "__main__":
    main()
