"""Whose words a file holds, where they aren't the person's: a label that lies with the file and goes where it goes.

An extended attribute, so that the text itself stays as it is. It survives renaming, copying, and coming back by undo;
what leaves for a file system or a program that knows no attributes loses it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from urllib.parse import quote, unquote

from llmasos.core.kernel.labels import is_source, kept
from llmasos.core.kernel.trap import Caller
from llmasos.services.files.place import Place

ATTRIBUTE = "user.llmasos.source"
MADE = frozenset({"model", "character"})
"""Labels of what no person wrote."""
NOTE = "Made by a model."
FILE = "file"
"""The label of all that is read from a file, which is kept by none."""
_LONGEST = 2_000
"""Characters of an attribute; file systems take about twice as much."""


def of(caller: Caller, *arguments: str) -> tuple[str, ...]:
    """Whose words a call's arguments say, where they aren't the person's, as a file with them keeps it."""
    return tuple(_kept(kept(caller.call, *arguments)))


def read(place: Place) -> tuple[str, ...]:
    """Whose words a file says; empty where nothing says so."""
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
    return tuple(_kept(map(unquote, said.split(","))))


def put_on(descriptor: int, made_by: Iterable[str]) -> bool:
    """The same on an open file."""
    labels = _written(_kept(made_by))
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
    about = _about(made_by)
    if not about:
        return ""
    return f"It is labelled as {about}." if kept else f"This file system can't label it as {about}."


def said(made_by: Iterable[str]) -> str:
    """What the person should know beside what a file says; empty where the words may be theirs."""
    about = _about(made_by)
    return f"{about[0].upper()}{about[1:]}." if about else ""


def _about(made_by: Iterable[str]) -> str:
    labels = set(made_by)
    others = ", ".join(sorted(labels - MADE))
    made = "made by a model" if labels & MADE else ""
    return " and ".join(filter(None, (made, f"holding words from {others}" if others else "")))


def _kept(labels: Iterable[str]) -> list[str]:
    """Of labels those that a file keeps; others may have written its attribute."""
    return sorted({label for label in labels if is_source(label) and label != FILE and label.isprintable()})


def _written(labels: list[str]) -> str:
    """Labels as an attribute; where they are too many, what kinds there are."""
    words = ",".join(quote(label, safe=":") for label in labels)
    if len(words) <= _LONGEST:
        return words
    kinds = {kind if not name else f"{kind}:*" for kind, _, name in (label.partition(":") for label in labels)}
    return ",".join(sorted(kinds))
