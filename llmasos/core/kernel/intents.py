"""What is about to happen, written down before it does, in a small file that a killed program leaves behind.

One sealed record for each call at work, appended by one `write`, another one with its outcome, and a mark where that
stands somewhere else; when there is nothing left to know the file is emptied. So an effect costs two system calls and
no transaction: the store takes many outcomes at once.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from struct import Struct
from typing import Any, NamedTuple

from llmasos.core.base.durable import replace_file, sync_folder
from llmasos.core.base.errors import StoreError
from llmasos.core.base.types import JSON
from llmasos.core.kernel import crypto

log = logging.getLogger(__name__)

FILE = "intents.sealed"
_HEAD = Struct(">QI")
"""Number of the call, and bytes of the sealed record behind it; none say that nothing must be known of it any more."""
_OUTCOME = 1 << 31
"""Added to the bytes of a record that is an outcome."""


_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Left(NamedTuple):
    """What the file says of a call: its number, its record, and its outcome where it had come so far."""

    number: int
    record: Any
    outcome: Any


class Intents:
    """The calls at work of one home. Only the program that carries the home may have it open.

    Args:
        path: The file.
        key: From `Keyring.derive(PURPOSE)`.
    """

    def __init__(self, path: Path, key: bytes) -> None:
        self.path = path
        self._cipher = crypto.Cipher(key)
        self._known: set[int] = set()
        self._fd = -1
        self._named = False  # whether the file's name survives power loss
        self._closed: weakref.finalize[..., Intents] = weakref.finalize(self, int)

    def left(self) -> list[Left]:
        """The calls that an earlier program left, oldest first."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return []
        found: dict[int, Left] = {}
        for number, sealed, is_outcome in _records(content):
            if not sealed:
                found.pop(number, None)
                continue
            try:
                said = json.loads(self._cipher.open(sealed, _aad(number, is_outcome)))
            except StoreError as error:
                # Half of it is on the disk, after a power cut. (Who could change it could remove it as well.)
                log.warning("what was about to happen can't be read and is left out: %s", error)
                continue
            if not is_outcome:
                found[number] = Left(number, said, None)
            elif number in found:
                found[number] = found[number]._replace(outcome=said)
        return sorted(found.values())

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
            self._sync()
        self._known.add(number)

    def outcome(self, number: int, said: JSON, *, survives_power_loss: bool = False) -> None:
        """What came of a call, as its last word here. On return it survives `kill -9`.

        Raises:
            StoreError: The file can't be written.
        """
        self._write(self._sealed(number, said, is_outcome=True))
        if survives_power_loss:
            self._sync()

    def end(self, numbers: Iterable[int]) -> None:
        """What is to know of these calls stands somewhere else."""
        ended = self._known.intersection(numbers)
        self._known -= ended
        if not ended:
            return
        if self._known:
            self._write(b"".join(_HEAD.pack(number, 0) for number in ended))
        else:
            os.ftruncate(self._open(), 0)

    def erase(self, kept: Iterable[tuple[int, JSON]]) -> None:
        """Write the file anew with these records of calls at work, because of others nothing may stay."""
        if self._known:
            self._rewrite([self._sealed(number, record) for number, record in kept if number in self._known])

    def _sealed(self, number: int, said: JSON, *, is_outcome: bool = False) -> bytes:
        sealed = self._cipher.seal(_to_json(said).encode("utf-8", "surrogatepass"), _aad(number, is_outcome))
        return _HEAD.pack(number, len(sealed) | is_outcome * _OUTCOME) + sealed

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

    def _sync(self) -> None:
        os.fsync(self._open())
        if not self._named:
            sync_folder(self.path.parent)
            self._named = True

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
        replace_file(self.path, b"".join(records))
        self._named = True


def _records(content: bytes) -> Iterator[tuple[int, bytes, bool]]:
    """(number, sealed record, whether it is an outcome) of each whole record; one that is torn ends the file."""
    at = 0
    while at + _HEAD.size <= len(content):
        number, length = _HEAD.unpack_from(content, at)
        is_outcome = length >= _OUTCOME
        length -= is_outcome * _OUTCOME
        at += _HEAD.size
        if at + length > len(content):
            return
        yield number, content[at : at + length], is_outcome
        at += length


def _aad(number: int, is_outcome: bool) -> bytes:
    return (b"llmasos/outcome/1|%d" if is_outcome else b"llmasos/intent/1|%d") % number
