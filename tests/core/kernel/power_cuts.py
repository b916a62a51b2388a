"""What must survive a power cut: programs that promise it, and what is looked for afterwards (tests/power.py)."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llmasos.core.base import settings
from llmasos.core.base.clock import MockClock
from llmasos.core.base.durable import owner_only
from llmasos.core.base.errors import LlmasosError
from llmasos.core.base.settings import Settings
from llmasos.core.kernel import backup
from llmasos.core.kernel.audit import Anchor, AuditLog
from llmasos.core.kernel.audit.log import Record
from llmasos.core.kernel.journal import Journal
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.sealed_log import SealedLog
from llmasos.core.kernel.store import Store
from tests.power import Disk, recorded, states

Promised = tuple[Any, ...]
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@dataclass
class Found:
    """What came of the power cuts of one program.

    Attributes:
        states: How many different states there were.
        lost: What was promised and isn't there.
        unreadable: States that couldn't be opened, and why.
    """

    states: int = 0
    lost: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


class Lost(AssertionError):
    """Something that was promised isn't there."""


def keys(root: Path, disk: Disk) -> None:
    """Keys are made, shredded and replaced."""
    keyring = Keyring.open(root / "home")
    disk.promise(("store", keyring.store_id.hex()))

    def promise(*subjects: str) -> None:
        for subject in subjects:
            dek = keyring.dek(subject)
            disk.promise(("key", subject, dek.version, dek.key.hex()))

    promise("person", "alice", "bob")
    disk.promise(("shredding", "bob"))
    keyring.shred("bob")
    disk.promise(("shredded", "bob"))
    keyring.rotate()
    promise("person", "alice")
    keyring.rotate_kek()
    disk.promise(("code", keyring.created_recovery_code))
    promise("carol")


def keys_there(root: Path, promised: Promised) -> None:
    keyring = Keyring.open(root / "home")
    gone = {what[1] for what in promised if what[0] == "shredding"}
    for what in promised:
        if what[0] == "store" and keyring.store_id.hex() != what[1]:
            raise Lost("the home is another one")
        if what[0] == "shredded" and keyring.find(keyring.token(what[1])) is not None:
            raise Lost(f"the key of {what[1]} is back")
        if what[0] == "key" and what[1] not in gone:
            dek = keyring.find(keyring.token(what[1]), what[2])
            if dek is None or dek.key.hex() != what[3]:
                raise Lost(f"key {what[2]} of {what[1]}")
        if what[0] == "code":
            Keyring.recover(root / "home", what[1])


def effects(root: Path, disk: Disk) -> None:
    """Calls act outside, and the audit log is signed, beside all else that is written."""
    clock = MockClock(NOW)
    keyring = Keyring.open(root / "home")
    with Store.open(root / "home", keyring) as store:
        log = AuditLog(root / "home" / "audit", keyring, clock, Anchor(root / "state" / "anchor"), facts=store.facts,
                       file_bytes=1_500)  # fmt: skip
        journal = Journal(store, clock)
        for number in range(9):
            store.put("note", str(number), "n" * 300)
            log.append(Record(at="2026", syscall="device.turn_on", entry=number))
            effect = "write" if number % 3 == 1 else "external"
            entry = journal.intend(
                person="ann", workspace="/w", pid=1, request=f"request {number}", call={"syscall": "s", "args": {}},
                effect=effect,
            )  # fmt: skip
            if effect == "external":
                disk.promise(("intent", entry.id))
            if number == 5:
                other = journal.intend(person="ann", workspace="/w", pid=1, request="secret", call={}, effect="write")
                journal.erase(lambda e: e.request == "secret")
                journal.failed(other.id, "")
            if number != 3:
                journal.done(entry.id)
                if effect == "external":
                    disk.promise(("done", entry.id))
            if number % 4 == 2:
                log.checkpoint()
                disk.promise(("signed", number))
        # What it has written lies as it is: a program that ends properly isn't what is looked at.
        journal.close()


def effects_there(root: Path, promised: Promised) -> None:
    clock = MockClock(NOW)
    keyring = Keyring.open(root / "home")
    with Store.open(root / "home", keyring) as store:
        store.verify()
        anchor = Anchor(root / "state" / "anchor")
        log = AuditLog(root / "home" / "audit", keyring, clock, anchor, facts=store.facts, doubts=store.older_than)
        if log.trouble:
            raise Lost(f"taken for tampering: {log.trouble}")
        signed = list(anchor.checkpoints(keyring.store_id.hex()))
        if len(signed) < sum(what[0] == "signed" for what in promised):
            raise Lost("a checkpoint")
        log.append(Record(at="2026", syscall="device.turn_off"))
        log.checkpoint()
        if len(list(anchor.checkpoints(keyring.store_id.hex()))) != len(signed) + 1:
            raise Lost("the checkpoint that was written next")
        log.close()
        journal = Journal(store, clock)
        undecided = {entry.id for entry in journal.undecided()}
        known = {entry.id: entry.state for entry in journal.entries(100)}
        for what, number in promised:
            if what == "intent" and known.get(number) != "done" and number not in undecided:
                raise Lost(f"what acted outside as {number}")
            if what == "done" and known.get(number) != "done":
                raise Lost(f"the outcome of what acted outside as {number}")
        journal.close()


def choices(root: Path, disk: Disk) -> None:
    """Settings are chosen."""
    home = owner_only(root / "home")
    for number in range(3):
        settings.keep(home, policy=f"policy{number}", owner="ann")
        disk.promise(number)


def choices_there(root: Path, promised: Promised) -> None:
    (root / "home").mkdir(exist_ok=True)
    found = Settings.load({}, home=root / "home").policy
    if promised and found not in {f"policy{number}" for number in range(promised[-1], 3)}:
        raise Lost(f"policy {promised[-1]}: {found} is set")


def copies(root: Path, disk: Disk) -> None:
    """A backup is made, and lines are taken out of a log."""
    keyring = Keyring.open(root / "home")
    lines = SealedLog(root / "home" / "shell-history.sealed", keyring.derive("shell history"))
    with Store.open(root / "home", keyring) as store:
        store.put("note", "one", "n" * 300)
        store.sync()
        backup.make(store, Anchor(root / "anchor"), root / "one.llmasos-backup", at="2026")
        disk.promise("backup")
        for word in ("hello", "secret", "world"):
            lines.append(word)
        lines.erase(lambda line: line == "secret")
        disk.promise("erased")


def copies_there(root: Path, promised: Promised) -> None:
    keyring = Keyring.open(root / "home")
    there = list(SealedLog(root / "home" / "shell-history.sealed", keyring.derive("shell history")).lines())
    if "erased" in promised and there != ["hello", "world"]:
        raise Lost(f"the history is {there}")
    file = root / "one.llmasos-backup"
    if "backup" in promised and not file.exists():
        raise Lost("the backup")
    if file.exists():
        with tempfile.TemporaryDirectory() as folder:
            backup.unpack(file, Path(folder))
            backup.test(file, Path(folder), keyring)


PROGRAMS: dict[str, tuple[Callable[[Path, Disk], None], Callable[[Path, Promised], None]]] = {
    "keys": (keys, keys_there),
    "effects": (effects, effects_there),
    "settings": (choices, choices_there),
    "copies": (copies, copies_there),
}


def cut(name: str, folder: Path, *, seed: int = 1, every: int = 1) -> Found:
    """Run a program on a recorded disk, and look at what a power cut may leave at each moment of it.

    Args:
        name: Which program.
        folder: An empty folder.
        seed: Of the states that are drawn where there are too many.
        every: Look at each, or at every so-manieth.
    """
    run, look = PROGRAMS[name]
    root = folder / "run"
    root.mkdir(parents=True)
    with recorded(root, seed) as disk:
        run(root, disk)
    found = Found()
    for state, promised in states(disk, folder / "states", every):
        found.states += 1
        try:
            look(state, promised)
        except Lost as lost:
            found.lost.append(f"{state.name}: {lost}")
        except LlmasosError as error:
            found.unreadable.append(f"{state.name}: {error}")
        shutil.rmtree(state)
    return found
