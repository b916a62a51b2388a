"""Checkpoints of the audit log in a second place: what the log can't show of itself, that its end was cut off.

A checkpoint is a line of JSON, signed with Ed25519 (RFC 8032): how many entries the log had, the head of its chain, and
facts about the store. The file can hold checkpoints of several homes; put it where whoever can change the home can't.
"""

from __future__ import annotations

import base64
import binascii
import errno
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmasos.core.base.durable import make_folder, replace_file, sync_folder
from llmasos.core.base.errors import StoreError
from llmasos.core.base.foreign import parse_json
from llmasos.core.kernel.audit.chain import MOST


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What one says.

    Attributes:
        store: The home's store id, hexadecimal.
        number: Entries in the log.
        head: Head of the chain after them, hexadecimal.
        at: When, ISO 8601.
        facts: What else was so: the store's revision, the policy.
        signature: Over all of the above.
    """

    store: str
    number: int
    head: str
    at: str
    facts: Mapping[str, Any]
    signature: bytes = b""

    @property
    def signed(self) -> bytes:
        """What the signature is over."""
        said = {"at": self.at, "facts": self.facts, "head": self.head, "number": self.number, "store": self.store}
        return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()

    @property
    def line(self) -> bytes:
        """How it stands in the file."""
        said = json.loads(self.signed) | {"signature": base64.b64encode(self.signature).decode()}
        return json.dumps(said, sort_keys=True, separators=(",", ":")).encode() + b"\n"


class Anchor:
    """The file with checkpoints.

    Args:
        path: Where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._there = False

    def add(self, checkpoint: Checkpoint) -> None:
        """Append one; on return it survives power loss.

        Raises:
            StoreError: It can't be written.
        """
        try:
            make_folder(self.path.parent)
            fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                size = os.fstat(fd).st_size
                # Behind what a power cut left half written, a line of its own.
                torn = size and os.pread(fd, 1, size - 1) != b"\n"
                line = b"\n" * bool(torn) + checkpoint.line
                if os.write(fd, line) < len(line):
                    os.ftruncate(fd, size)
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(fd)
            finally:
                os.close(fd)
            if not self._there:  # made just now, or by a program that didn't come as far as this
                sync_folder(self.path.parent)
                self._there = True
        except OSError as error:
            raise StoreError(
                f"The checkpoint of the audit log can't be written to {self.path}: {error.strerror}.",
                "See its disk and owner, or name another file with LLMASOS_AUDIT_ANCHOR.",
            ) from error

    def forget(self, store: str) -> None:
        """Remove the checkpoints of a home that was erased; the file too where nothing is left in it.

        Raises:
            StoreError: It can't be written.
        """
        others = b"".join(point.line for point in self.all() if point.store != store)
        try:
            if others:
                replace_file(self.path, others)
            else:
                self.path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{self.path} can't be written: {error.strerror}.", "See its disk and owner.") from error

    def checkpoints(self, store: str) -> Iterator[Checkpoint]:
        """Those of a home, oldest first."""
        return (point for point in self.all() if point.store == store)

    def all(self) -> Iterator[Checkpoint]:
        """All of them, oldest first; lines that are none are left out."""
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return
        for line in lines:
            try:
                said = parse_json(line)
                signature = base64.b64decode(said.pop("signature"), validate=True)
                point = Checkpoint(**said, signature=signature)
                bytes.fromhex(point.head)
            except (ValueError, TypeError, KeyError, AttributeError, binascii.Error):
                continue
            texts = (point.store, point.head, point.at)
            known = type(point.number) is int and 0 <= point.number < MOST
            if known and isinstance(point.facts, dict) and all(isinstance(text, str) for text in texts):
                yield point
