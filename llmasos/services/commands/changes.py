"""What a command changed: the workspace before and after it, compared."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from llmasos.services.commands.keeping import Before, Kept, digest, is_sure
from llmasos.services.commands.survey import Thing, shown, survey
from llmasos.services.files.imprint import imprint
from llmasos.services.files.place import Place

NAMED = 3
"""Things that a summary names."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that isn't what it was.

    Attributes:
        path: From the workspace's top.
        before: What it was; None where nothing was there.
        after: What it is; None where nothing is.
        imprint: Of a folder that is new, with all that is in it: names, sizes and times. Empty where it can't be told.
    """

    path: str
    before: Kept | None
    after: Thing | None
    imprint: str = ""

    def to_json(self) -> dict[str, Any]:
        """For the store."""
        return {
            "path": self.path,
            "before": self.before.to_json() if self.before else None,
            "after": self.after.to_json() if self.after else None,
            "imprint": self.imprint,
        }

    @staticmethod
    def from_json(value: dict[str, Any]) -> Change:
        """It again."""
        before, after = value["before"], value["after"]
        return Change(
            value["path"],
            Kept.from_json(before) if before else None,
            Thing.from_json(after) if after else None,
            value["imprint"],
        )

    @property
    def is_new_folder(self) -> bool:
        """Whether a folder stands where none was."""
        return (
            self.after is not None
            and self.after.kind == "folder"
            and (self.before is None or self.before.thing.kind != "folder")
        )


@dataclass(frozen=True, slots=True)
class Changes:
    """All that isn't what it was.

    Attributes:
        changes: One for each thing; of a new folder one for all of it.
        unchanged: What is as it was, files with their stamps of now.
        unseen: Folders that couldn't be looked into, so that nobody knows what was changed in them.
    """

    changes: list[Change] = field(default_factory=list)
    unchanged: dict[str, Kept] = field(default_factory=dict)
    unseen: tuple[str, ...] = ()


def compare(root: Path, before: Before, skipped: Collection[str], stop: threading.Event) -> Changes:
    """Look at the workspace again.

    Args:
        root: Its real path.
        before: What it was.
        skipped: Paths that weren't looked at.
        stop: Asks it to give up.
    """
    folders = {path for path, kept in before.items() if kept.thing.kind == "folder"}
    now = survey(root, skipped, stop, known=folders)
    found = Changes(unseen=now.unseen)
    for path, kept in before.items():
        thing = now.things.get(path)
        if thing is None and any(path.startswith(f"{folder}/") for folder in now.unseen):
            continue
        if thing is not None and _same(root, path, kept, thing):
            if thing.kind == "file" and not kept.is_still(thing):
                kept = replace(kept, thing=thing, sure=is_sure(thing, time.time_ns()))
            found.unchanged[path] = kept
        else:
            found.changes.append(_change(root, path, kept, thing))
    found.changes.extend(_change(root, path, None, thing) for path, thing in now.things.items() if path not in before)
    return found


def summary(changes: list[Change]) -> str:
    """What was changed, in a few words: the outermost of it."""
    paths = sorted(change.path for change in changes)
    outer: list[str] = []
    for path in paths:
        if not (outer and path.startswith(f"{outer[-1]}/")):
            outer.append(path)
    named = ", ".join(map(shown, outer[:NAMED]))
    return f"{named} and {len(outer) - NAMED:,} more" if len(outer) > NAMED else named


def _same(root: Path, path: str, kept: Kept, thing: Thing) -> bool:
    """Whether it is for its reader what it was; another time alone is no change."""
    old = kept.thing
    if (old.kind, old.target) != (thing.kind, thing.target) or (old.mode != thing.mode and old.kind != "link"):
        return False
    if thing.kind != "file" or kept.is_still(thing):
        return True
    if old.size != thing.size:
        return False
    try:
        return digest(Place(root, tuple(path.split("/")))) == kept.digest
    except OSError:
        return False


def _change(root: Path, path: str, before: Kept | None, after: Thing | None) -> Change:
    change = Change(path, before, after)
    return Change(path, before, after, tree_imprint(root, path)) if change.is_new_folder else change


def tree_imprint(root: Path, path: str) -> str:
    """What a folder is with all that is in it; empty where that can't be told."""
    try:
        return imprint(Place(root, tuple(path.split("/"))), content=False)
    except (OSError, RecursionError):
        return ""
