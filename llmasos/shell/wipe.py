"""`llmasos wipe`: a home is erased, keys first."""

from __future__ import annotations

import shutil
from pathlib import Path

from llmasos.compose import audit_anchor
from llmasos.core.base.durable import scrub
from llmasos.core.base.errors import LlmasosError, NeedsAnswer, StoreError, UsageError
from llmasos.core.base.settings import Settings
from llmasos.core.kernel import custody, home, keyring_file
from llmasos.core.kernel.audit import Anchor
from llmasos.core.kernel.ownership import OwnerLock
from llmasos.shell import keys

LEFT = (
    "Your workspaces with their .llmasos-trash, backups, and exports are files of your own and still there. A disk may "
    "keep old blocks; what stood in them was sealed with keys that are gone."
)


def run_wipe(settings: Settings) -> int:
    """Erase a home, and homes that a restore set aside beside it.

    Raises:
        UsageError: There is no home, or a program carries it.
        NeedsAnswer: Nobody is there to type its name.
    """
    place = settings.home
    if not home.is_home(place):
        raise UsageError(f"There is no home in {place}.", "Name one with --home.")
    if not settings.yes:
        if not keys.at_terminal():
            raise NeedsAnswer("Erasing a home asks for its name.", "Run it at a terminal, or with --yes.")
        print(
            f"This erases {place} for good: memories, tasks, events, characters, history, keys. No undo, no recovery."
        )
        if input(f"Type its name to go on ({place.name}): ").strip() != place.name:
            print("That isn't its name; nothing was erased.")
            return 1
    lock = OwnerLock(place)
    if not lock.acquire():
        raise UsageError("A program carries this home just now.", "End it first: 'llmasos down', or close its shell.")
    aside = sorted(path for path in place.parent.glob(f"{place.name}.before-*") if home.is_home(path))
    try:
        left = [path for folder in (*aside, place) for path in _erase(settings, folder)]
    finally:
        lock.release()
    for folder in (*aside, place):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    print(f"Erased {place}{f' and {len(aside)} older ones beside it' if aside else ''}. {LEFT}")
    if left:
        print(f"Left, as it isn't llmasos's own: {', '.join(map(str, left))}.")
    return 0


def _erase(settings: Settings, place: Path) -> list[Path]:
    """Erase what belongs to a home; returns what doesn't and is still there."""
    try:
        store = str(keyring_file.read(place)[0]["store"])
    except LlmasosError:
        store = ""  # without a keyring nothing outside can be told to be its own
    try:
        if store:
            custody.forget(place, store, kept="")
    except StoreError as error:  # the desktop's keyring doesn't let go; all else goes all the same
        print(f"llmasos: {error}")
    for name in home.KEYS:
        scrub(place / name)
    for path in home.everything(place):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    if store:
        Anchor(audit_anchor(settings)).forget(store)
    return sorted(place.iterdir())
