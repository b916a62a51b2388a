"""A log that only the keyring's holder can read: shell history, and the program's own log.

One record is one line: a newline, its length, and the sealed text in base64. The newline stands in front, so
that a line torn by `kill -9` is ended by the next one; the length tells a torn line from a changed one. Lines
can be dropped or reordered unseen by whoever can write the file: this is no audit log.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from llmasos.core.base.durable import replace_file
from llmasos.core.base.errors import StoreError
from llmasos.core.kernel import crypto

MAX_BYTES = 1024 * 1024
KEEP = 2
_LENGTH = 8  # hex digits


class SealedLog:
    """An append-only log. Safe for threads and for several processes.

    Args:
        path: The file; end its name in `.sealed`, by which a lost keyring is noticed.
        key: From `Keyring.derive(PURPOSE)`.
        max_bytes: When the file is larger, it becomes `NAME.1`, and that one `NAME.2`.
        keep: How many such older files are kept.
    """

    def __init__(self, path: Path, key: bytes, *, max_bytes: int = MAX_BYTES, keep: int = KEEP) -> None:
        self.path = path
        self._cipher = crypto.Cipher(key)
        self._aad = b"llmasos/log/1|" + path.name.encode("utf-8", "surrogatepass")
        self._max_bytes = max_bytes
        self._keep = keep

    def append(self, text: str) -> None:
        """Write a record; it may have several lines. On return it survives `kill -9`.

        Raises:
            StoreError: The file can't be written.
        """
        sealed = base64.b64encode(self._cipher.seal(text.encode("utf-8", "surrogatepass"), self._aad))
        line = b"\n%0*x %b" % (_LENGTH, len(sealed), sealed)
        try:
            fd = self._open_locked()
            try:
                while line:
                    line = line[os.write(fd, line) :]
            finally:
                os.close(fd)
        except OSError as error:
            raise self._trouble(error) from error

    def lines(self) -> Iterator[str]:
        """All records that are kept, oldest first; torn ones are left out.

        Raises:
            StoreError: A record was changed, or sealed with another key.
        """
        for path in [*self._older(), self.path]:
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                continue
            for line in content.split(b"\n"):
                text = self._text(line)
                if text is not None:
                    yield text

    def erase(self, match: Callable[[str], bool]) -> None:
        """Take out all records that match; older files are written anew too, and their old blocks overwritten.

        Raises:
            StoreError: A file can't be written.
        """

        def goes(line: bytes) -> bool:
            try:
                text = self._text(line)
            except StoreError:  # not ours to read, and so not what is meant
                return False
            return text is not None and match(text)

        try:
            # Who appends waits, and then looks whether this still is the file; so it is replaced last.
            fd = self._open_locked()
            try:
                for path in filter(Path.exists, [*self._older(), self.path]):
                    lines = path.read_bytes().split(b"\n")
                    kept = [line for line in lines if not goes(line)]
                    if len(kept) < len(lines):
                        replace_file(path, b"\n".join(kept), scrub=True)
            finally:
                os.close(fd)
        except OSError as error:
            raise self._trouble(error) from error

    def _text(self, line: bytes) -> str | None:
        """The record of a line; None where it has none, or a torn one."""
        length, _, sealed = line.partition(b" ")
        if not line or not _whole(length, sealed):
            return None
        try:
            body = base64.b64decode(sealed, validate=True)
        except binascii.Error:
            body = b""
        return self._cipher.open(body, self._aad).decode("utf-8", "surrogatepass")

    def _trouble(self, error: OSError) -> StoreError:
        return StoreError(f"The log {self.path} can't be written: {error.strerror}.", "See its disk and owner.")

    def clear(self) -> None:
        """Delete all records, older files too."""
        for path in [*self._older(), self.path]:
            path.unlink(missing_ok=True)

    def _older(self) -> list[Path]:
        return [self._numbered(number) for number in range(self._keep, 0, -1)]

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}") if number else self.path

    def _open_locked(self) -> int:
        """The file, opened for this one record: another process may have moved it away since the last one."""
        while True:
            fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX)
                ours = os.fstat(fd)
                if ours.st_nlink and self.path.exists() and self.path.stat().st_ino == ours.st_ino:
                    if ours.st_size <= self._max_bytes:
                        return fd
                    for number in range(self._keep, 0, -1):
                        if self._numbered(number - 1).exists():
                            self._numbered(number - 1).replace(self._numbered(number))
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)


class SealedHandler(logging.Handler):
    """Writes the program's log, with tracebacks, to a sealed log and nowhere else."""

    def __init__(self, log: SealedLog, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self._log = log
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Seal one record."""
        try:
            self._log.append(self.format(record))
        except Exception:  # noqa: BLE001  a log that fails must not take the program with it
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's name
        """Say that a record was lost, but not what was in it, as logging's own answer would."""
        kind = sys.exc_info()[0]
        if sys.stderr is not None:
            sys.stderr.write(f"llmasos: a log record was lost ({kind.__name__ if kind else 'unknown'}).\n")


def _whole(length: bytes, sealed: bytes) -> bool:
    try:
        return len(length) == _LENGTH and int(length, 16) == len(sealed)
    except ValueError:
        return False
