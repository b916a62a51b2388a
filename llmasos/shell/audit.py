"""`llmasos audit`: what was asked of the kernel and what it decided; whether that log is whole; and a copy of it."""

from __future__ import annotations

import json
import sys
from collections import deque
from pathlib import Path
from typing import Any

from llmasos.compose import open_audit
from llmasos.core.base.clock import SystemClock
from llmasos.core.base.errors import StoreError, UsageError
from llmasos.core.base.settings import Settings
from llmasos.core.kernel.audit import Anchor, AuditLog, BrokenChain, Record, public_key, verify, verify_with_key
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.keyring_file import NAME as KEYRING
from llmasos.core.kernel.ownership import OwnerLock
from llmasos.core.kernel.store import Store
from llmasos.shell.keys import asker
from llmasos.shell.safe import one_line

SHOWN = 40
"""Entries that `show` prints, the newest."""


def run_audit(settings: Settings, action: str, *, as_json: bool, log: str = "", anchor: str = "", key: str = "") -> int:
    """Show, verify, export, accept, or print the public key.

    Args:
        settings: Which home.
        action: What to do.
        as_json: Print JSON.
        log: A copied log to verify without a keyring.
        anchor: Its checkpoints.
        key: The public key of its home.

    Raises:
        UsageError: There is no home there, or half of what a copied log needs.
        StoreError: The log is broken where it was to be shown.
    """
    if log or key:
        return _verify_copy(log, anchor, key)
    if not (settings.home / KEYRING).exists():
        raise UsageError(f"There is no home in {settings.home}.", "Name one with --home.")
    keyring = Keyring.open(settings.home, ask=asker())
    if action == "key":
        print(public_key(keyring).hex())
        return 0
    if action == "accept":
        return _accept(settings, keyring)
    audit = open_audit(settings, keyring, SystemClock(), looks=True)
    if action == "verify":
        count, wrong = verify(audit.folder, audit.anchor.checkpoints(audit.store_id), keyring)
        with Store.open(settings.home, keyring) as store:
            wrong += [doubts] if (doubts := store.older_than(audit.newest_facts())) else []
        return _told(count, wrong, as_json=as_json)
    try:
        if action == "export":
            _export(audit, keyring)
        else:
            _show(audit, as_json=as_json)
    except BrokenChain as broken:
        raise StoreError(f"The audit log is broken at {broken}.", "See 'llmasos audit verify'.") from None
    return 0


def _show(audit: AuditLog, *, as_json: bool) -> None:
    for number, record in deque(audit.records(), SHOWN):
        print(json.dumps(_row(number, record), ensure_ascii=False) if as_json else _line(number, record))


def _export(audit: AuditLog, keyring: Keyring) -> None:
    """Everything, opened, a line of JSON each: entries, checkpoints, and the key that they are signed with."""
    for number, record in audit.records():
        print(json.dumps(_row(number, record), ensure_ascii=False))
    for point in audit.anchor.checkpoints(audit.store_id):
        print(json.dumps({"checkpoint": json.loads(point.signed), "signature": point.signature.hex()}))
    print(json.dumps({"public_key": public_key(keyring).hex()}))


def _row(number: int, record: Record) -> dict[str, Any]:
    return {"number": number, **{name: value for name, value in record._asdict().items() if value}}


def _line(number: int, record: Record) -> str:
    if record.note:
        return f"{number:7}  {record.at[:19]}  {one_line(record.note)}"
    entry = f"  #{record.entry}" if record.entry else ""
    by = f": {', '.join(record.by)}" if record.by else ""
    decided = f"{record.verdict or 'not decided'} ({record.rule}{by})" if record.rule else "not decided"
    said = f"{record.actor}  {record.syscall}  {decided}  {record.outcome}{entry}"
    return f"{number:7}  {record.at[:19]}  {one_line(said)}"


def _told(count: int, wrong: list[str], *, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"entries": count, "wrong": wrong}, ensure_ascii=False))
    elif wrong:
        print("\n".join(f"llmasos: the audit log: {line}" for line in wrong), file=sys.stderr)
    else:
        print(f"The audit log is whole: {count:,} entries.")
    return 1 if wrong else 0


def _verify_copy(log: str, anchor: str, key: str) -> int:
    if not (log and anchor and key):
        raise UsageError(
            "A copied log is verified with its checkpoints and the public key.",
            "llmasos audit verify --log FOLDER --anchor FILE --key HEX; 'llmasos audit key' prints the key.",
        )
    try:
        public = bytes.fromhex(key)
        if len(public) != 32:
            raise ValueError
    except ValueError:
        raise UsageError("The key isn't one: it has 64 hexadecimal digits.", "See 'llmasos audit key'.") from None
    for path in (Path(log), Path(anchor)):
        if not path.exists():
            raise UsageError(f"There is no {path}.", "Correct the path.")
    points = Anchor(Path(anchor)).all()
    return _told(*verify_with_key(Path(log), points, public), as_json=False)


def _accept(settings: Settings, keyring: Keyring) -> int:
    lock = OwnerLock(settings.home)
    if not lock.acquire():
        raise UsageError("A program carries this home just now.", "End it first: 'llmasos down', or close its shell.")
    try:
        with Store.open(settings.home, keyring) as store:
            audit = open_audit(settings, keyring, SystemClock(), store)
            if not audit.trouble:
                print("The audit log goes on from what was signed last; there is nothing to accept.")
                return 0
            what = audit.trouble
            audit.accept()
            audit.close()
        print(f"Accepted, and signed as it is now; an old log is set aside in {audit.folder}. What was wrong: {what}.")
    finally:
        lock.release()
    return 0
