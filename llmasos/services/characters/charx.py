"""Character cards in CHARX archives: a ZIP whose `card.json` is a card, with pictures and sounds beside it.

An archive comes from strangers. Nothing of it is written anywhere: the card alone is unpacked, in memory and up to the
limit of a card, so that no name in it can be a path that leads somewhere. Its table of contents is read up to a limit
too. What is written is an archive of the card alone. Format: Character Card Specification V3, "CHARX".
"""

from __future__ import annotations

import errno
import io
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from llmasos.core.base.errors import SyscallError
from llmasos.services.characters.card import LARGEST, Card

SIGNATURE = b"PK\x03\x04"
CARD = "card.json"
LARGEST_ARCHIVE = 1 << 30
"""Bytes of an archive; all but the card is only counted, so that pictures may be large."""
CONTENTS = 1 << 20
"""Bytes of its table of contents: some ten thousand files."""
SHOWN = 3
"""Files that are named of those that are left."""
_LONGEST_NAME = 60
_PIECE = 1 << 16
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How the card may be packed: what unpacks these can be told where to stop."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What came out of an archive.

    Attributes:
        card: The card.
        left: Names of the files that weren't taken, in the order of the archive.
        size: How many bytes they say they have.
    """

    card: Card
    left: Sequence[str] = ()
    size: int = 0

    @property
    def note(self) -> str:
        """What was left, for the person; empty where nothing was."""
        if not self.left:
            return ""
        names = ", ".join(_readable(name) for name in self.left[:SHOWN])
        more = f" and {len(self.left) - SHOWN} more" if len(self.left) > SHOWN else ""
        size = f"{self.size / (1 << 20):,.1f} MiB"
        return f"Left in the archive: {names}{more} ({size}); only a PNG card's own picture is kept."


def read(file: BinaryIO) -> Unpacked:
    """The card of an archive.

    Args:
        file: At its beginning, open for reading, and able to seek.

    Raises:
        SyscallError: EINVAL, it is no archive with a card; E2BIG, it is larger than any.
    """
    size = file.seek(0, io.SEEK_END)
    if size > LARGEST_ARCHIVE:
        raise SyscallError("E2BIG", f"The archive has {size:,} bytes; {LARGEST_ARCHIVE:,} is the limit.")
    try:
        with zipfile.ZipFile(_Bounded(file)) as archive:
            there = [one for one in archive.infolist() if not one.filename.endswith("/")]
            found = next((one for one in there if one.filename == CARD), None)
            if found is None:
                raise SyscallError("EINVAL", f"There is no {CARD} in this archive, so it holds no character.")
            left = [one for one in there if one is not found]
            data = _card(archive, found)
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # a place before the beginning of the file is EINVAL
            raise
        raise _damaged() from None
    # What the library raises for archives that were made to hurt; RuntimeError also for those with a password.
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError, OverflowError):
        raise _damaged() from None
    try:
        card = Card.from_text(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise SyscallError("EINVAL", f"The archive's {CARD} isn't text.") from None
    return Unpacked(card, [one.filename for one in left], sum(one.file_size for one in left))


def _card(archive: zipfile.ZipFile, found: zipfile.ZipInfo) -> bytes:
    if found.compress_type not in _METHODS:
        raise SyscallError("EINVAL", f"The archive's {CARD} is packed in a way that isn't read.", "Pack it as a ZIP.")
    data = bytearray()
    with archive.open(found) as packed:
        while piece := packed.read(_PIECE):  # counted, as what it says of its size may be wrong
            data += piece
            if len(data) > LARGEST:
                raise SyscallError("E2BIG", f"The archive's {CARD} unpacks to more than {LARGEST:,} bytes.")
    return bytes(data)


def write(card: Card) -> bytes:
    """An archive with the card in it and nothing else; of the same card the same bytes."""
    data = io.BytesIO()
    about = zipfile.ZipInfo(CARD)  # its time is that of the format's beginning
    about.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(about, card.to_text() + "\n")
    return data.getvalue()


class _Bounded(io.RawIOBase):
    """A file of which nobody reads more than a table of contents at once: the library takes that whole.

    Args:
        file: The file.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def seekable(self) -> bool:
        """It is."""
        return True

    def readable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As of the file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As of the file."""
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        """As of the file, up to the limit.

        Raises:
            SyscallError: E2BIG.
        """
        data = self._file.read(CONTENTS + 1 if size < 0 else min(size, CONTENTS + 1))
        if len(data) > CONTENTS:
            raise SyscallError("E2BIG", "The archive's table of contents is larger than that of any card.")
        return data


def _readable(name: str) -> str:
    shown = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[: _LONGEST_NAME - 1]}…"


def _damaged() -> SyscallError:
    return SyscallError("EINVAL", "The archive is damaged or locked.", "Export the character again.")
