"""What is about to happen, written down before it does, in a small file that a killed program leaves behind.

One sealed record for each call at work, appended by one `write`, and a mark where it has ended; when no call is at work
the file is emptied. So an intent costs a system call and not a transaction, and of a call that has ended nothing stays.
"""

from __future__ import annotations

import errno
import json
import os
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from struct import Struct
from typing import Any

from llmasos.core.base.errors import StoreError
from llmasos.core.base.types import JSON
from llmasos.core.kernel import crypto

FILE = "intents.sealed"
_HEAD = Struct(">QI")
"""Number of the call, and bytes of the sealed record behind it; none say that the call has ended."""


class Intents:
    """The calls at work of one home. Only the program that carries the home may have it open.

    Args:
        path: The file.
        key: From `Keyring.derive(PURPOSE)`.
    """

    def __init__(self, path: Path, key: bytes) -> None:
        self.path = path
        self._cipher = crypto.Cipher(key)
        self._at_work: set[int] = set()
        self._fd = -1
        self._closed: weakref.finalize[..., Intents] = weakref.finalize(self, int)

    def left(self) -> list[tuple[int, Any]]:
        """The calls that an earlier program left at work, oldest first: number and record.

        Raises:
            StoreError: The file was changed outside.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return []
        found: dict[int, Any] = {}
        for number, sealed in _records(content):
            if sealed:
                found[number] = json.loads(self._cipher.open(sealed, _aad(number)))
            else:
                found.pop(number, None)
        return sorted(found.items())

    def clear(self) -> None:
        """Forget what an earlier program left; it stands somewhere else now."""
        if self.path.exists():
            os.truncate(self.path, 0)

    def begin(self, number: int, record: JSON, *, survives_power_loss: bool = False) -> None:
        """Write down a call before it happens. On return it survives `kill -9`.

        Raises:
            StoreError: The file can't be written; the call must not be made.
        """
        self._write(self._sealed(number, record))
        if survives_power_loss:
            os.fdatasync(self._open())
        self._at_work.add(number)

    def end(self, number: int) -> None:
        """The call has ended, and its outcome stands somewhere else."""
        if number not in self._at_work:
            return
        self._at_work.discard(number)
        if self._at_work:
            self._write(_HEAD.pack(number, 0))
        else:
            os.ftruncate(self._open(), 0)

    def erase(self, kept: Iterable[tuple[int, JSON]]) -> None:
        """Write the file anew with these records of calls at work, because of others nothing may stay."""
        if self._at_work:
            self._rewrite([self._sealed(number, record) for number, record in kept if number in self._at_work])

    def _sealed(self, number: int, record: JSON) -> bytes:
        body = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        sealed = self._cipher.seal(body, _aad(number))
        return _HEAD.pack(number, len(sealed)) + sealed

    def _write(self, data: bytes) -> None:
        try:
            file = self._open()
            written = os.write(file, data)
            if written < len(data):  # the disk is full: half a record would hide those behind it
                os.ftruncate(file, os.fstat(file).st_size - written)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise StoreError(
                f"What is about to happen can't be written to {self.path}: {error.strerror}.", "See its disk and owner."
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._closed()
        self._fd = -1

    def _open(self) -> int:
        if self._fd < 0:
            self._fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._closed = weakref.finalize(self, os.close, self._fd)
        return self._fd

    def _rewrite(self, records: list[bytes]) -> None:
        self.close()
        fresh = self.path.with_name(f".{self.path.name}.new")
        fresh.unlink(missing_ok=True)
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(b"".join(records))
        fresh.replace(self.path)


def _records(content: bytes) -> Iterator[tuple[int, bytes]]:
    """(number, sealed record) of each whole record; one that is torn ends the file."""
    at = 0
    while at + _HEAD.size <= len(content):
        number, length = _HEAD.unpack_from(content, at)
        at += _HEAD.size
        if at + length > len(content):
            return
        yield number, content[at : at + length]
        at += length


def _aad(number: int) -> bytes:
    return b"llmasos/intent/1|%d" % number
