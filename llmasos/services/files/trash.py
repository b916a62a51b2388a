"""The workspace's trash, for what is too large to be sealed: what lies there for long goes."""

from __future__ import annotations

import logging
import stat
import threading
import time
from pathlib import Path

from llmasos.services.files import effects
from llmasos.services.files.place import TEMPORARY, TRASH, Place

DAY = 24 * 60 * 60
log = logging.getLogger(__name__)


def empty(root: Path, days: int, stop: threading.Event, *, now: float | None = None) -> int:
    """Remove what was put there more than so many days ago; nothing where it is 0 days.

    Returns:
        How many things went. One that can't be removed stays, and is tried again the next time.
    """
    if not days:
        return 0
    until, count = (time.time() if now is None else now) - days * DAY, 0
    try:
        names = [path.name for path in (root / TRASH).iterdir()]
    except OSError:
        return 0
    for name in names:
        box = Place(root, (TRASH, name))
        # A box of our own, by its name; its time is that of the move into it.
        if stop.is_set() or not name.startswith(TEMPORARY):
            continue
        try:
            status = box.stat()
            if status is not None and stat.S_ISDIR(status.st_mode) and status.st_mtime < until:
                effects.remove(box)
                count += 1
        except OSError as error:
            log.warning("something old in a trash can't be removed: %s", error.strerror)
    return count
