"""How entries of the audit log hang together: a line each, and each line fixes all lines before it.

    line   = number SP base64(sealed record) SP base64(tag) LF
    head_n = SHA-256(head_(n-1) | number | sealed record)      anybody can recompute it
    tag_n  = HMAC-SHA-256(key_n, head_n), 16 bytes             only who has key_n can make it
    key_(n+1) = SHA-256("ratchet" | key_n)                     and from it no earlier key follows

The ratchet is the forward-secure MAC of Bellare and Yee ("Forward-Security in Private-Key Cryptography", CT-RSA 2003):
who steals the key that is in memory now can't rewrite what was written before. The chain alone doesn't show that the
newest lines were cut off; checkpoints in a second place do (anchor.py).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TAG = 16
MOST = 1 << 62
"""Entries: a number that a head can be made of, however many follow."""
START = bytes(32)
"""The head before the first line of a home's first file."""


class BrokenChain(Exception):
    """A line that doesn't follow from those before it.

    Attributes:
        path: The file.
        line: Its number in the file, from 1.
        why: What is wrong.
    """

    def __init__(self, path: Path, line: int, why: str) -> None:
        super().__init__(f"{path.name}, line {line}: {why}")
        self.path, self.line, self.why = path, line, why


@dataclass(frozen=True, slots=True)
class Link:
    """One line, taken apart: its number in the log and in its file, what it holds, and the head after it."""

    number: int
    line: int
    sealed: bytes
    tag: bytes
    head: bytes


class Chain:
    """The end of a chain, to which the next line is tied.

    Args:
        number: Lines so far.
        head: The head after them.
        key: The key of the next line.
    """

    __slots__ = ("head", "key", "number")

    def __init__(self, number: int, head: bytes, key: bytes) -> None:
        self.number, self.head, self.key = number, head, key

    def tie(self, sealed: bytes) -> bytes:
        """The line for a sealed record; the chain goes on from it."""
        number = self.number + 1
        head = next_head(self.head, number, sealed)
        tag = hmac.digest(self.key, head, "sha256")[:TAG]
        self.number, self.head, self.key = number, head, hashlib.sha256(b"ratchet" + self.key).digest()
        return b"%d %b %b\n" % (number, base64.b64encode(sealed), base64.b64encode(tag))

    def follow(self, link: Link) -> bool:
        """Whether this is the next line; the chain goes on from it then."""
        if not hmac.compare_digest(hmac.digest(self.key, link.head, "sha256")[:TAG], link.tag):
            return False
        self.number, self.head, self.key = link.number, link.head, hashlib.sha256(b"ratchet" + self.key).digest()
        return True


def next_head(head: bytes, number: int, sealed: bytes) -> bytes:
    """The head after a line."""
    return hashlib.sha256(head + number.to_bytes(8, "big") + sealed).digest()


def files(folder: Path) -> list[Path]:
    """The files of a log, oldest first."""
    return sorted(folder.glob("*.log"))


def first_of(path: Path) -> tuple[int, bytes]:
    """How many entries stand before a file's, and the head after them: its name, and its first line.

    Raises:
        BrokenChain: It begins with something else.
    """
    with path.open("rb") as file:
        try:
            first, head = int(path.stem), bytes.fromhex(file.readline(65).decode())
            if len(head) != len(START) or not 0 <= first < MOST:
                raise ValueError
            return first, head
        except ValueError:
            raise BrokenChain(path, 1, "the file doesn't begin as it should") from None


def links(path: Path) -> Iterator[Link]:
    """The lines of a file.

    Raises:
        BrokenChain: A line isn't one, or has another number than its place.
    """
    number, head = first_of(path)
    with path.open("rb") as file:
        file.readline()
        for at, line in enumerate(file, 2):
            number += 1
            said, _, rest = line.rstrip(b"\n").partition(b" ")
            body, _, tag = rest.partition(b" ")
            if not line.endswith(b"\n"):
                raise BrokenChain(path, at, "the line is torn")
            if said != b"%d" % number:
                raise BrokenChain(path, at, f"entry {number} is missing or out of its place")
            try:
                sealed, mac = base64.b64decode(body, validate=True), base64.b64decode(tag, validate=True)
            except binascii.Error:
                raise BrokenChain(path, at, "the line was changed") from None
            head = next_head(head, number, sealed)
            yield Link(number, at, sealed, mac, head)
