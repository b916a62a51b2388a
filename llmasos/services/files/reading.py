"""What `files.list` and `files.read` show."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Any

from llmasos.core.base.errors import SyscallError
from llmasos.core.base.values import items, text
from llmasos.services.files import origin
from llmasos.services.files.documents import KINDS, Document
from llmasos.services.files.documents.reader import kind_of
from llmasos.services.files.place import Place, display
from llmasos.services.files.space import Space
from llmasos.services.files.text import SHOWN, decode, kind, size_words
from llmasos.services.files.trouble import in_words

LISTED = 1_000
"""Entries of a folder that are shown."""

COLUMNS = ("name", "size", "modified")


def listing(space: Space, folder: Place, zone: tzinfo | None) -> dict[str, Any]:
    """A folder's content: folders first, then files, in the order in which people number them."""
    rows: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    hidden = 0
    with in_words(f"list {folder.shown}"), os.scandir(folder.path) as found:
        for entry in found:
            if entry.name.startswith("."):
                hidden += 1
                continue
            place = folder.child(entry.name)
            if space.is_private(place.path):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue  # gone meanwhile
            name = display(entry.name)
            is_folder = stat.S_ISDIR(status.st_mode)
            rows.append(((not is_folder, _natural(name), name), row(space, place, status, zone, name=name)))
    rows.sort(key=lambda pair: pair[0])
    notes = []
    if len(rows) > LISTED:
        notes.append(f"{LISTED:,} of {len(rows):,} are shown.")
    if hidden:
        notes.append(f"{hidden} hidden {'is' if hidden == 1 else 'are'} left out.")
    empty = f"{folder.shown if folder.parts else 'The workspace'} is empty."
    shown = items("file", [r for _, r in rows[:LISTED]], COLUMNS, empty=" ".join([empty, *notes]))
    return {**shown, "note": " ".join(notes)}


def row(space: Space, place: Place, status: os.stat_result, zone: tzinfo | None, *, name: str) -> dict[str, Any]:
    """One file as a row of a table, with exact figures for programs beside the readable ones."""
    is_folder = stat.S_ISDIR(status.st_mode)
    other = not is_folder and not stat.S_ISREG(status.st_mode)
    what = "link" if stat.S_ISLNK(status.st_mode) else "special" if other else "folder" if is_folder else "file"
    return {
        "ref": space.ref(place),
        "name": f"{name}/" if is_folder else name,
        "size": size_words(status.st_size) if what == "file" else "" if is_folder else what,
        "modified": datetime.fromtimestamp(status.st_mtime, zone).strftime("%Y-%m-%d %H:%M"),
        "what": what,
        "bytes": 0 if is_folder else status.st_size,
    }


def found(
    space: Space, places: Sequence[Place], zone: tzinfo | None, *, empty: str, notes: Sequence[str]
) -> dict[str, Any]:
    """What a search came to, by whole paths."""
    rows = []
    for place in places:
        status = place.stat()
        if status is not None:
            rows.append(row(space, place, status, zone, name=place.shown))
    return {**items("file", rows, COLUMNS, empty=" ".join([empty, *notes])), "note": " ".join(notes)}


def contents(space: Space, place: Place, most: int = SHOWN) -> dict[str, Any]:
    """A file's text, from its beginning where it is large.

    Raises:
        SyscallError: EILSEQ, it is no text; the message says what it is.
    """
    words, size, cut = words_of(place, most)
    note = (
        f"The first {size_words(most)} of {size_words(size)} are shown."
        if cut
        else ""
        if words
        else "The file is empty."
    )
    format = "markdown" if place.name.lower().endswith((".md", ".markdown")) else "plain"
    made_by = origin.read(place)
    note = " ".join(filter(None, (note, origin.said(made_by))))
    return text(
        words, source="file", ref=space.ref(place), title=place.shown, format=format, note=note, sources=made_by
    )


def document(space: Space, place: Place, found: Document, most: int = SHOWN) -> dict[str, Any]:
    """What a document says, from its beginning where it is long."""
    words = found.text
    cut = f"The first {size_words(most)} of its text are shown." if len(words) > most else ""
    what = f"The text of {KINDS[kind_of(place.name)]}; what isn't text isn't shown."
    made_by = origin.read(place)
    note = " ".join(filter(None, (what, cut, found.note, origin.said(made_by))))
    return text(words[:most], source="file", ref=space.ref(place), title=place.shown, note=note, sources=made_by)


def words_of(place: Place, most: int) -> tuple[str, int, bool]:
    """A file's text, its size in bytes, and whether the text is only the beginning.

    Raises:
        SyscallError: EILSEQ, it is no text.
    """
    with in_words(f"read {place.shown}"), place.reader() as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read(most)
    cut = size > len(data)
    decoded = decode(data, cut=cut)
    if decoded is None:
        what = f"{place.shown} is {kind(place.name, data)} of {size_words(size)}, not text."
        raise SyscallError("EILSEQ", what, "It can be copied, moved and deleted, but not shown.")
    return decoded.words, size, cut


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Sorts `page 2` before `page 10`."""
    pieces = re.findall(r"[0-9]+|[^0-9]+", name.casefold())
    return [(0, int(p), "") if p[0].isdigit() else (1, 0, p) for p in pieces]
