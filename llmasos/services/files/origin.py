"""Whose words a file holds, where they aren't the person's: a label that lies with the file and goes where it goes.

An extended attribute, so that the text itself stays as it is. It survives renaming, copying, and coming back by undo;
what leaves for a file system or a program that knows no attributes loses it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from llmasos.core.kernel.trap import Caller
from llmasos.services.files.place import Place

ATTRIBUTE = "user.llmasos.source"
MADE = frozenset({"model", "character"})
"""Labels of what no person wrote."""
NOTE = "Made by a model."
_LONGEST = 200


def of(caller: Caller, *arguments: str) -> tuple[str, ...]:
    """Who made what a call's arguments say, where that was no person."""
    labels = frozenset[str]().union(*(caller.call.origins.get(argument, ()) for argument in arguments))
    return tuple(sorted(labels & MADE))


def read(place: Place) -> tuple[str, ...]:
    """Who made what a file says; empty where nothing says so."""
    try:
        with place.reader() as file:
            return read_from(file.fileno())
    except OSError:
        return ()


def put(place: Place, made_by: Iterable[str]) -> bool:
    """Label a file, or take its label off; whether it is there now."""
    try:
        with place.reader() as file:
            return put_on(file.fileno(), made_by)
    except OSError:
        return False


def read_from(descriptor: int) -> tuple[str, ...]:
    """The same of an open file."""
    if not hasattr(os, "getxattr"):
        return ()
    try:
        said = os.getxattr(descriptor, ATTRIBUTE)[:_LONGEST].decode("ascii", "replace")
    except OSError:  # it has none, or the file system keeps none
        return ()
    return tuple(sorted(MADE.intersection(said.split(","))))


def put_on(descriptor: int, made_by: Iterable[str]) -> bool:
    """The same on an open file."""
    labels = ",".join(sorted(MADE.intersection(made_by)))
    if not hasattr(os, "setxattr"):
        return False
    try:
        if labels:
            os.setxattr(descriptor, ATTRIBUTE, labels.encode())
        elif read_from(descriptor):
            os.removexattr(descriptor, ATTRIBUTE)
    except OSError:
        return False
    return bool(labels)


def note(made_by: Iterable[str], *, kept: bool) -> str:
    """What the person should know beside a file that was written; empty where they wrote it."""
    if not tuple(made_by):
        return ""
    return "It is labelled as made by a model." if kept else "This file system can't label it as made by a model."
