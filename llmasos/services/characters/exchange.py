"""Character cards as files: read from JSON or PNG, written so that undo takes the file away again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llmasos.core.base.errors import SyscallError
from llmasos.core.base.values import done
from llmasos.core.kernel.trap import Caller
from llmasos.services.characters import png
from llmasos.services.characters.card import LARGEST, Card
from llmasos.services.files import changes, effects, imprint
from llmasos.services.files.place import Place, folders, missing_folders
from llmasos.services.files.resolve import existing, target
from llmasos.services.files.space import Space
from llmasos.services.files.task import in_thread
from llmasos.services.files.trouble import in_words


async def load(caller: Caller, path: str, private: Sequence[Path]) -> tuple[Card, str]:
    """The card in a file, and the file as a person reads its name.

    Raises:
        SyscallError: No such file, or no card in it.
    """
    place = await existing(caller, Space.of(caller.session, private), path, want="file")
    with in_words(f"read {place.shown}"):
        data = await in_thread(lambda _: _read(place))
    if data.startswith(png.SIGNATURE):
        return png.read(data), place.shown
    try:
        return Card.from_text(data.decode("utf-8-sig")), place.shown
    except UnicodeDecodeError:
        raise SyscallError("EILSEQ", f"{place.shown} is neither a PNG picture nor JSON text.") from None


async def save(caller: Caller, path: str, card: Card, private: Sequence[Path]) -> dict[str, Any]:
    """Write a card to a new file: a picture where the name ends in `.png`, V2 in `.v2.json`, else V3 as JSON.

    Raises:
        SyscallError: EEXIST, or the place can't be written.
    """
    space = Space.of(caller.session, private)
    place = export_place(space, path)
    made_by = [label for label in card.written_by.split(", ") if label]
    if place.path.suffix.lower() != ".png":
        version = 2 if place.path.name.lower().endswith(".v2.json") else 3
        await changes.write(changes.Room(caller, space), place, card.to_text(version) + "\n", made_by)
    else:
        data = png.write(card)
        with in_words(f"write {place.shown}"):
            made = missing_folders(place.parent)
            payload = {"after": imprint.digest(data), "made": [list(folder.parts) for folder in made]}
            await changes.Room(caller, space).keep("files.unwrite", place, payload)
            with folders(place.parent, made):
                await in_thread(lambda _: effects.write_atomic(place, data, expected=None, made_by=made_by))
    return done(f"Wrote {card.name}'s card to {place.shown}.", ref=space.ref(place))


def export_place(space: Space, path: str) -> Place:
    """Where a card is written; `.json` where the name says neither.

    Raises:
        SyscallError: EEXIST, something is there.
    """
    place = target(space, path)
    if place.path.suffix.lower() not in (".json", ".png"):
        if place.is_folder():
            raise SyscallError("EISDIR", f"{place.shown} is a folder.", "Name a file in it.")
        place = place.parent.child(f"{place.parts[-1]}.json")
    if place.exists():
        raise SyscallError("EEXIST", f"{place.shown} is there already.", "Choose another name.")
    return place


def _read(place: Place) -> bytes:
    descriptor = place.open()
    with os.fdopen(descriptor, "rb") as file:
        limit = max(LARGEST, png.LARGEST_PICTURE)
        data = file.read(limit + 1)
    if len(data) > limit:
        raise SyscallError("E2BIG", f"{place.shown} is larger than any card: over {limit:,} bytes.")
    return data
