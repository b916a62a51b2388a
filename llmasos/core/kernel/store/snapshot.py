"""What was computed from the store, kept beside it, sealed: an index that takes seconds to build.

It is bound to the revision that it was computed at. One that is older, or was changed, or sealed with a key that is
gone, is as good as none.
"""

from __future__ import annotations

import logging
import mmap
from pathlib import Path

from llmasos.core.base.durable import owner_only, replace_file, scrub
from llmasos.core.base.errors import StoreError
from llmasos.core.kernel import crypto

FOLDER = "index"
log = logging.getLogger(__name__)


class Snapshot:
    """One of them.

    Args:
        path: Its file.
        cipher: Seals it.
        place: What it is, and of which store.
    """

    def __init__(self, path: Path, cipher: crypto.Cipher, place: bytes) -> None:
        self._path = path
        self._cipher = cipher
        self._place = place

    def read(self, revision: int) -> memoryview | None:
        """What was written at a revision; None where it is another's, or isn't there."""
        try:
            # Mapped, not read: a hundred megabytes needn't be copied to be opened.
            with self._path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as sealed:
                whole = memoryview(sealed)
                try:
                    return self._cipher.open_into(whole, self._aad(revision), bytearray(len(whole)))
                finally:
                    whole.release()
        except (OSError, ValueError, StoreError):  # ValueError: the file is empty
            return None

    def write(self, data: bytes, revision: int) -> None:
        """Keep this, in place of what there was; where it can't be written, there is none."""
        try:
            owner_only(self._path.parent)
            replace_file(self._path, self._cipher.seal(data, self._aad(revision)))
        except OSError as error:
            log.warning("an index isn't kept: %s", error)

    def drop(self) -> None:
        """Overwrite and remove it."""
        scrub(self._path)

    def _aad(self, revision: int) -> bytes:
        return b"llmasos/snapshot/1|" + self._place + b"|%d" % revision
