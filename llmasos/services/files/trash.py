"""The workspace's trash, for what is too large to be sealed: what lies there for long goes, and what is too much."""

from __future__ import annotations

import logging
import stat
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from llmasos.services.files import effects, imprint
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
    until = (time.time() if now is None else now) - days * DAY
    return sum(_remove(box) for at, box in _boxes(root) if at < until and not stop.is_set())


def make_room(root: Path, most: int, stop: threading.Event, *, sparing: str) -> int:
    """Remove what was put there first, until all of it has at most so many bytes; nothing where that is 0.

    Args:
        root: The workspace.
        most: Bytes.
        stop: Asks it to give up.
        sparing: The name of a box that stays, however large.

    Returns:
        How many things went.
    """
    if not most:
        return 0
    boxes = [(at, box, _weight(box)) for at, box in sorted(_boxes(root), key=lambda found: found[0])]
    total, count = sum(size for _, _, size in boxes), 0
    for _, box, size in boxes:
        if total <= most or stop.is_set():
            break
        if box.parts[-1] != sparing and _remove(box):
            total -= size
            count += 1
    return count


def forget(payload: Mapping[str, Any]) -> None:
    """Remove what an effect put there for its undo, by what it kept of it (`files.untrash`)."""
    aside = tuple(payload["aside"])
    if aside[:1] == (TRASH,) and len(aside) > 1 and aside[1].startswith(TEMPORARY):
        _remove(Place(Path(payload["root"]), aside[:2]))


def _boxes(root: Path) -> Iterator[tuple[float, Place]]:
    """Boxes of our own, known by their names, each with the time of the move into it."""
    try:
        names = [path.name for path in (root / TRASH).iterdir()]
    except OSError:
        return
    for name in names:
        box = Place(root, (TRASH, name))
        try:
            status = box.stat() if name.startswith(TEMPORARY) else None
        except OSError:
            continue
        if status is not None and stat.S_ISDIR(status.st_mode):
            yield status.st_mtime, box


def _weight(box: Place) -> int:
    try:
        return imprint.weight(box)[0]
    except OSError:
        return 0


def _remove(box: Place) -> bool:
    try:
        effects.remove(box)
    except OSError as error:
        log.warning("something old in a trash can't be removed: %s", error.strerror)
        return False
    return True
