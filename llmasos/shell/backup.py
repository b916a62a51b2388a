"""`llmasos backup` and `llmasos restore`: a home in one file, tested, and put back."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from llmasos.compose import audit_anchor, open_audit
from llmasos.core.base.clock import SystemClock
from llmasos.core.base.durable import owner_only
from llmasos.core.base.errors import LlmasosError, NeedsAnswer, StoreError, UsageError
from llmasos.core.base.paths import expanded
from llmasos.core.base.settings import Settings
from llmasos.core.kernel import backup, home, keyring_file
from llmasos.core.kernel.audit import Anchor
from llmasos.core.kernel.custody import KEY_FILE
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.ownership import OwnerLock
from llmasos.core.kernel.store import Store
from llmasos.shell.keys import asker

WITHOUT_KEYS = (
    "It is sealed, and the keys aren't in it: keep keyring.json apart, without it nobody can read this, nor can you."
)
WITH_KEYS = (
    "Its keys are in it, wrapped: whoever has it and your passphrase, your desktop's keyring, your key file or your "
    "recovery code can read all of it, also what you erase from now on. Keep few of them."
)
KEPT_KEYS = "The keys of the home that was here serve it: a character that was erased since the backup stays erased."
OLD_KEYS = "Its keys are those in the backup: what was erased after it was made can be read again."


def run_backup(settings: Settings, paths: Sequence[str], *, with_keys: bool, as_json: bool) -> int:
    """Make a backup, or with `verify` before it try one out.

    Raises:
        UsageError: There is no home, or the words make no sense.
        StoreError: It can't be written, or isn't sound.
    """
    if len(paths) == 2 and paths[0] == "verify":
        return _verify(settings, expanded(paths[1]), as_json=as_json)
    if len(paths) != 1:
        raise UsageError("One folder or file is named.", "llmasos backup FOLDER|FILE, or: llmasos backup verify FILE")
    if not home.is_home(settings.home):
        raise UsageError(f"There is no home in {settings.home}.", "Name one with --home.")
    now = SystemClock().now()
    target = expanded(paths[0]).resolve()
    if target.is_dir():
        target /= f"llmasos-{now:%Y-%m-%dT%H%M%S}{backup.ENDING}"
    keyring = Keyring.open(settings.home, ask=asker())
    with Store.open(settings.home, keyring) as store:
        made = backup.make(
            store, Anchor(audit_anchor(settings)), target, at=now.isoformat(timespec="seconds"), with_keys=with_keys
        )
    size = target.stat().st_size
    if as_json:
        print(json.dumps({"file": str(target), "bytes": size, "keys": made.keys, "members": len(made.files)}))
    else:
        print(f"Wrote {target}, {size / 1e6:.1f} MB. {WITH_KEYS if with_keys else WITHOUT_KEYS}")
    return 0


def run_restore(settings: Settings, file: Path, *, into: str, replaces: bool) -> int:
    """Put a backup back, once it has been tried out.

    Args:
        settings: Which home.
        file: The backup.
        into: Another folder than the home's; empty for the home itself.
        replaces: Set a home that is there aside.

    Raises:
        UsageError: There is a home already, or a program carries it.
        StoreError: The backup isn't sound, or its keys are missing.
    """
    place = expanded(into).resolve() if into else settings.home
    settings = replace(settings, home=place)
    manifest = backup.read_manifest(file)
    if (place / home.STORE).exists() and not replaces:
        raise UsageError(
            f"There is a home in {place}.", "With --replace it is set aside; --into FOLDER restores to another place."
        )
    if place.exists() and OwnerLock(place).is_held():
        raise UsageError("A program carries this home just now.", "End it first: 'llmasos down', or close its shell.")
    ask = _once(asker())
    fresh = owner_only(_emptied(place.with_name(f"{place.name}.restoring")))
    try:
        backup.unpack(file, fresh)
        ours = _bring_keys(place, fresh, manifest)
        keyring = _open(fresh, ask)
        tested = backup.test(file, fresh, keyring)
        (fresh / backup.CHECKPOINTS).unlink()
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    aside = _set_aside(place)
    fresh.rename(place)
    # Signed as it is now, or the next start would take it for a rollback, which it is.
    keyring = Keyring.open(place, ask=ask)
    with Store.open(place, keyring) as store:
        audit = open_audit(settings, keyring, SystemClock(), store)
        audit.accept(f"restored from a backup of {manifest.at}")
        audit.close()
    print(f"Restored {place} as it was on {manifest.at}: {_counted(tested)}. {KEPT_KEYS if ours else OLD_KEYS}")
    if aside:
        print(f"What was there is in {aside}; it can be read as before, so remove it when you don't need it.")
    if keyring.created_recovery_code:
        print(f"Its recovery code, shown once: {keyring.created_recovery_code}")
    return 0


def _verify(settings: Settings, file: Path, *, as_json: bool) -> int:
    with tempfile.TemporaryDirectory(prefix="llmasos-") as name:
        folder = Path(name)
        manifest = backup.unpack(file, folder)
        if _store_of(settings.home) == manifest.store:
            keyring = Keyring.open(settings.home, ask=asker())
        elif manifest.keys:
            keyring = Keyring.open(folder, ask=asker())
        else:
            raise StoreError(
                "The keys of this backup aren't here.", "Name its home with --home, or a folder with its keyring.json."
            )
        tested = backup.test(file, folder, keyring)
    if as_json:
        print(json.dumps({"at": manifest.at, "keys": manifest.keys, **asdict(tested)}))
    else:
        print(f"The backup of {manifest.at} can be restored: {_counted(tested)}, each of them opened.")
    return 0


def _counted(tested: backup.Tested) -> str:
    return f"{tested.records:,} records and files, {tested.entries:,} entries of the audit log"


def _bring_keys(place: Path, fresh: Path, manifest: backup.Manifest) -> bool:
    """Give the restored home its keys; whether they are those of the home that is there, which are the newest."""
    ours = _store_of(place) == manifest.store
    if not ours and not manifest.keys:
        raise StoreError(
            "The keys aren't in this backup, and aren't here.",
            f"Put the keyring.json of its home into {place} first, and its keyring.key where there was one.",
        )
    # A key file is worth bringing in any case: the keyring of the backup may be the one that it opens.
    for name in [home.KEYRING, KEY_FILE] if ours else [KEY_FILE]:
        if (place / name).is_file():
            (fresh / name).write_bytes((place / name).read_bytes())
            (fresh / name).chmod(0o600)
    return ours


def _open(fresh: Path, ask: Callable[[str], str] | None) -> Keyring:
    """The restored home's keyring; with the recovery code where its key is nowhere."""
    content, _ = keyring_file.read(fresh)
    try:
        return Keyring.open(fresh, ask=ask)
    except StoreError as error:
        if content["custody"]["kind"] == "passphrase":
            raise
        if ask is None:
            raise NeedsAnswer(str(error), "At a terminal the recovery code is asked for.") from None
        print(f"{error.what}", file=sys.stderr)
        return Keyring.recover(fresh, ask("Recovery code: "), ask=ask)


def _set_aside(place: Path) -> Path | None:
    if not place.exists():
        return None
    if not any(place.iterdir()):
        place.rmdir()
        return None
    aside = place.with_name(f"{place.name}.before-{SystemClock().now():%Y-%m-%dT%H%M%S}")
    place.rename(aside)
    return aside


def _store_of(folder: Path) -> str:
    """The store id of a home's keyring; empty where there is none."""
    try:
        return str(keyring_file.read(folder)[0]["store"])
    except LlmasosError:
        return ""


def _emptied(folder: Path) -> Path:
    """A folder of ours that an earlier attempt may have left."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def _once(ask: Callable[[str], str] | None) -> Any:
    """Asks each question once: the same keyring is opened in two places."""
    return lru_cache(maxsize=None)(ask) if ask else None
