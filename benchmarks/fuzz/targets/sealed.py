"""Files of the home that whoever can write there can change: keyring, sealed logs, intents, audit log, checkpoints.

The keys are the same for all inputs, and the attacker doesn't have them: what is changed is what lies on the disk.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

from benchmarks.fuzz.mutate import Bytes, Json
from benchmarks.fuzz.target import Target
from llmasos.core.base.clock import MockClock
from llmasos.core.base.errors import StoreError
from llmasos.core.kernel import crypto, keyring_file
from llmasos.core.kernel.audit import Anchor, AuditLog, verify
from llmasos.core.kernel.audit.chain import BrokenChain
from llmasos.core.kernel.audit.log import Record
from llmasos.core.kernel.intents import FILE, Intents
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.sealed_log import SealedLog

CLOCK = MockClock(datetime(2026, 11, 27, 10, 30, tzinfo=UTC))
PASSPHRASE = "correct horse"


@contextmanager
def the_same_keys() -> Iterator[None]:
    """Keys and nonces that are the same each time, so that a file with an input tells all of it. For making seeds only."""
    draw = Random(20261127)
    with (
        mock.patch.object(secrets, "token_bytes", draw.randbytes),
        mock.patch.object(secrets, "token_hex", lambda size=16: draw.randbytes(size).hex()),
        mock.patch.object(crypto, "urandom", draw.randbytes),
    ):
        yield


def made(home: Path, *, passphrase: str | None = None) -> Keyring:
    """The keyring of a home."""
    with the_same_keys():
        return Keyring.open(home, passphrase=passphrase)


class Keyrings(Target):
    """keyring.json, with its key in a file, under a passphrase, or with the recovery code."""

    name = "keyrings"
    share = 40
    expected = (StoreError,)

    def __init__(self, folder: Path) -> None:
        self._home = folder / "home"
        keyring = made(self._home)
        self._code = keyring.created_recovery_code or ""
        with the_same_keys():
            for subject in ("person", "character:1", "character:2"):
                keyring.dek(subject)
            keyring.shred("character:2")
        plain = json.loads((self._home / keyring_file.NAME).read_bytes())
        with the_same_keys():
            keyring.rotate()
        rotated = json.loads((self._home / keyring_file.NAME).read_bytes())
        other = folder / "other"
        with mock.patch.object(crypto.Argon2Cost, "__init__", _cheap), the_same_keys():
            Keyring.open(other, passphrase=PASSPHRASE)
        locked = json.loads((other / keyring_file.NAME).read_bytes())
        keys = (
            "format",
            "store",
            "check",
            "custody",
            "kind",
            "recovery",
            "root",
            "subjects",
            "rotating",
            "mac",
            "older",
        )
        seeds = [plain, rotated, locked, {**plain, "rotating": plain["root"]}]
        self._seeds = [json.dumps(seed).encode() for seed in seeds]
        super().__init__(folder, Json(seeds, (*keys, "key-file", "passphrase", "os-keyring", "memory", "memory_kib")))

    def make(self, rng: Random) -> bytes:
        """A keyring, mostly changed; after one that opens come those that don't."""
        return rng.choice(self._seeds) if rng.random() < 0.05 else super().make(rng)

    def run(self, data: bytes) -> None:
        """A keyring that holds the keys that it should, or why it doesn't open."""
        (self._home / keyring_file.NAME).write_bytes(data)
        if len(data) % 4 == 0:
            keyring_file.read(self._home)
            Keyring.recover(self._home, self._code, passphrase=None)
        keyring = Keyring.open(self._home, passphrase=PASSPHRASE)
        for token in keyring.live():
            keyring.find(token)


def _cheap(cost: Any, memory_kib: int = 64, iterations: int = 1, lanes: int = 1) -> None:
    for name, value in (("memory_kib", memory_kib), ("iterations", iterations), ("lanes", lanes)):
        object.__setattr__(cost, name, value)


class Logs(Target):
    """Sealed logs: what was typed, and what the program tells of itself."""

    name = "logs"
    share = 120
    expected = (StoreError,)

    def __init__(self, folder: Path) -> None:
        self._log = SealedLog(folder / "history.sealed", bytes(32))
        with the_same_keys():
            for line in ("files.read notes.md", "你好\nzwei Zeilen", "", "x" * 300, "\ud800"):
                self._log.append(line)
        super().__init__(folder, Bytes([self._log.path.read_bytes()], [b"\n", b"0000002c ", b"=", b"AAAA"]))

    def run(self, data: bytes) -> None:
        """Its lines, or that one was changed."""
        self._log.path.write_bytes(data)
        for line in self._log.lines():
            line.encode("utf-8", "surrogatepass")


class Unfinished(Target):
    """The file of what was about to happen when a program was killed."""

    name = "intents"
    share = 150
    refuses = False
    expected = (StoreError,)

    def __init__(self, folder: Path) -> None:
        self._intents = Intents(folder / FILE, bytes(32))
        with the_same_keys():
            for number in (1, 2, 300):
                self._intents.begin(number, {"id": number, "call": {"syscall": "files.move", "args": {}}, "said": "移"})
            self._intents.outcome(300, {"error": ""})
            self._intents.end([2])
        super().__init__(folder, Bytes([self._intents.path.read_bytes()]))

    def run(self, data: bytes) -> None:
        """What was at work, without what can't be read any more."""
        self._intents.path.write_bytes(data)
        for left in self._intents.left():
            assert left.record["id"] == left.number


class Audits(Target):
    """The audit log with its checkpoints: opened, checked, shown. A change is trouble that is told, never an error."""

    name = "audits"
    share = 4
    expected = (BrokenChain,)

    def __init__(self, folder: Path) -> None:
        self._keyring = made(folder / "home")
        self._logs = folder / "audit"
        self._anchor = Anchor(folder / "anchor.jsonl")
        with the_same_keys():
            log = AuditLog(
                self._logs, self._keyring, CLOCK, self._anchor, file_bytes=1500, facts=lambda: {"store_revision": 3}
            )
            for number in range(9):
                log.append(Record(at="2026-11-27", pid=number, syscall="files.read", outcome="ok", labels=("web",)))
            log.close()
        self._files = {path.name: path.read_bytes() for path in sorted(self._logs.glob("*.log"))}
        self._points = self._anchor.path.read_bytes()
        self._point = Json(
            [json.loads(self._points.splitlines()[-1])], ("store", "number", "head", "at", "facts", "signature")
        )
        seeds = [name.encode() + b"\n" + content for name, content in self._files.items()]
        self._bytes = Bytes(seeds, [b".log\n", b" ", b"0" * 64])
        super().__init__(folder, self._bytes)

    def make(self, rng: Random) -> bytes:
        """A file of the log with its name in front, or a file of checkpoints."""
        if rng.random() < 0.4:
            lines = [
                self._point(rng) if rng.random() < 0.7 else self._points.strip() for _ in range(rng.randrange(1, 4))
            ]
            return b"anchor\n" + b"\n".join(lines) + b"\n"
        if rng.random() < 0.2:
            name = rng.choice(
                (b"99999999999999999999999.log", b"-5.log", b"000000000000.log", b"x.log", b" 7.log", "٣.log".encode())
            )
            return name + b"\n" + self._bytes.seed(rng).partition(b"\n")[2]
        return self._bytes(rng)

    def run(self, data: bytes) -> None:
        """What is there, with what is wrong with it."""
        name, _, content = data.partition(b"\n")
        for path in self._logs.glob("*.log"):
            path.unlink()
        for known, whole in self._files.items():
            (self._logs / known).write_bytes(whole)
        self._anchor.path.write_bytes(content if name == b"anchor" else self._points)
        if name != b"anchor":
            plain = name.decode("utf-8", "replace").replace("/", "").replace("\0", "")[:60] or "0.log"
            (self._logs / (plain if plain.endswith(".log") else f"{plain}.log")).write_bytes(content)
        points = list(self._anchor.checkpoints(self._keyring.store_id.hex()))
        verify(self._logs, points, self._keyring)
        log = AuditLog(self._logs, self._keyring, CLOCK, self._anchor)
        try:
            log.newest_facts()
            if not log.trouble:
                log.append(Record(at="2026-11-27", note="more"))
            list(log.records())
        finally:
            log.close()


TARGETS: tuple[type[Target], ...] = (Keyrings, Logs, Unfinished, Audits)
