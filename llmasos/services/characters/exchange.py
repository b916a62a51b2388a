"""Character cards as files: read from JSON, PNG or CHARX, written so that undo takes the file away again.

A file can be a lorebook of its own too; which it is, its content says.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmasos.core.base.errors import SyscallError
from llmasos.core.base.foreign import parse_json
from llmasos.core.base.values import done
from llmasos.core.kernel.trap import Caller
from llmasos.services.characters import charx, png, worldinfo
from llmasos.services.characters.card import LARGEST, Card
from llmasos.services.files import changes, effects, imprint
from llmasos.services.files.place import Place, folders, missing_folders
from llmasos.services.files.resolve import existing, target
from llmasos.services.files.space import Space
from llmasos.services.files.task import in_thread
from llmasos.services.files.trouble import in_words

_PACKED: Mapping[str, Callable[[Card, bytes], bytes]] = {
    ".png": png.write,
    ".charx": lambda card, _: charx.write(card),
}
"""Forms of a card that aren't text, by the ending of the file."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a file holds.

    Attributes:
        shown: The file as a person reads its name.
        card: A character's card; None where it is a lorebook.
        book: A lorebook, as a card has it; empty where it is a card.
        note: What the person should know besides.
        portrait: The picture that a card came in, without the card; empty where it came in none.
    """

    shown: str
    card: Card | None = None
    book: dict[str, Any] = field(default_factory=dict)
    note: str = ""
    portrait: bytes = b""


async def load(caller: Caller, path: str, private: Sequence[Path]) -> Loaded:
    """The card or the lorebook in a file.

    Raises:
        SyscallError: No such file, or neither in it.
    """
    place = await existing(caller, Space.of(caller.session, private), path, want="file")
    with in_words(f"read {place.shown}"):
        data = await in_thread(lambda _: _read(place))
    if isinstance(data, charx.Unpacked):
        return Loaded(place.shown, data.card, note=data.note)
    if data.startswith(png.SIGNATURE):
        return Loaded(place.shown, png.read(data), portrait=png.portrait(data))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SyscallError(
            "EILSEQ", f"{place.shown} is neither a PNG picture nor a CHARX archive nor JSON text."
        ) from None
    try:
        raw = parse_json(text)
    except ValueError as error:
        raise SyscallError("EINVAL", f"{place.shown} isn't JSON: {error}.") from None
    if worldinfo.is_book(raw):
        return Loaded(place.shown, book=worldinfo.read(raw))
    return Loaded(place.shown, Card.from_json(raw))


async def save(caller: Caller, path: str, card: Card, private: Sequence[Path], portrait: bytes = b"") -> dict[str, Any]:
    """Write a card to a new file, in the form that its name says.

    A picture ends in `.png`, an archive in `.charx`; anything else is JSON, V2 in `.v2.json` and V3 else. The portrait
    is the picture.

    Raises:
        SyscallError: EEXIST, or the place can't be written; E2BIG, the portrait leaves no room for the card.
    """
    space = Space.of(caller.session, private)
    place = export_place(space, path)
    made_by = [label for label in card.written_by.split(", ") if label]
    packed = _PACKED.get(place.path.suffix.lower())
    if packed is None:
        version = 2 if place.path.name.lower().endswith(".v2.json") else 3
        await changes.write(changes.Room(caller, space), place, card.to_text(version) + "\n", made_by)
    else:
        data = packed(card, portrait)
        with in_words(f"write {place.shown}"):
            made = missing_folders(place.parent)
            payload = {"after": imprint.digest(data), "made": [list(folder.parts) for folder in made]}
            await changes.Room(caller, space).keep("files.unwrite", place, payload)
            with folders(place.parent, made):
                await in_thread(lambda _: effects.write_atomic(place, data, expected=None, made_by=made_by))
    return done(f"Wrote {card.name}'s card to {place.shown}.", ref=space.ref(place))


def export_place(space: Space, path: str) -> Place:
    """Where a card is written; `.json` where the name says none of its forms.

    Raises:
        SyscallError: EEXIST, something is there.
    """
    place = target(space, path)
    if place.path.suffix.lower() not in (".json", *_PACKED):
        if place.is_folder():
            raise SyscallError("EISDIR", f"{place.shown} is a folder.", "Name a file in it.")
        place = place.parent.child(f"{place.parts[-1]}.json")
    if place.exists():
        raise SyscallError("EEXIST", f"{place.shown} is there already.", "Choose another name.")
    return place


def _read(place: Place) -> bytes | charx.Unpacked:
    """What is in a file; of an archive only the card, whatever else it holds."""
    descriptor = place.open()
    with os.fdopen(descriptor, "rb") as file:
        if file.read(len(charx.SIGNATURE)) == charx.SIGNATURE:
            return charx.read(file)
        file.seek(0)
        limit = png.LARGEST_PICTURE
        data = file.read(limit + 1)
    is_picture = data.startswith(png.SIGNATURE)
    if len(data) > (limit if is_picture else LARGEST):
        raise SyscallError(
            "E2BIG", f"{place.shown} is larger than any {'picture with a card' if is_picture else 'card or lorebook'}."
        )
    return data
