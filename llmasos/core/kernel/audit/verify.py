"""Checking the audit log whole: every tag, every head, every checkpoint."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from llmasos.core.kernel.audit.anchor import Checkpoint
from llmasos.core.kernel.audit.chain import START, BrokenChain, Chain, files, first_of, links
from llmasos.core.kernel.audit.log import public_key, tie_key
from llmasos.core.kernel.keyring import Keyring


def verify(folder: Path, points: Iterable[Checkpoint], keyring: Keyring) -> tuple[int, list[str]]:
    """Check a log with the home's keys.

    Returns:
        How many entries are kept, and what is wrong: each with its place. Nothing where all is well.
    """
    return _verify(folder, points, public_key(keyring), keyring)


def verify_with_key(folder: Path, points: Iterable[Checkpoint], public: bytes) -> tuple[int, list[str]]:
    """Check a log with nothing but the public key: all up to the newest checkpoint, and nothing of what came after.

    Args:
        folder: The log.
        points: Its checkpoints, oldest first.
        public: The home's Ed25519 public key, 32 bytes.
    """
    return _verify(folder, points, public, None)


def _verify(
    folder: Path, points: Iterable[Checkpoint], public: bytes, keyring: Keyring | None
) -> tuple[int, list[str]]:
    wrong: list[str] = []
    heads: dict[int, bytes] = {}
    count, before = 0, (0, START)
    kept = files(folder)
    for path in kept:
        try:
            first, head = first_of(path)
            heads[first] = head
            if path is not kept[0] and (first, head) != before:
                raise BrokenChain(path, 1, f"it doesn't go on after entry {before[0]}")
            chain = Chain(first, head, tie_key(keyring, first) if keyring else b"")
            for link in links(path):
                if keyring and not chain.follow(link):
                    raise BrokenChain(path, link.line, "the entry was changed")
                heads[link.number] = link.head
                before = link.number, link.head
                count += 1
        except BrokenChain as broken:
            wrong.append(str(broken))
            return count, wrong + _unsigned(points, heads, public, broken=True)
    return count, wrong + _unsigned(points, heads, public, broken=False)


def _unsigned(points: Iterable[Checkpoint], heads: dict[int, bytes], public: bytes, *, broken: bool) -> list[str]:
    """What the checkpoints say against the log."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    key = Ed25519PublicKey.from_public_bytes(public)
    wrong: list[str] = []
    oldest, newest, signed = min(heads, default=0), max(heads, default=0), -1
    for point in points:
        try:
            key.verify(point.signature, point.signed)
        except InvalidSignature:
            wrong.append(f"the checkpoint of {point.at} wasn't signed by this home")
            continue
        if point.number < signed:
            wrong.append(f"the checkpoint of {point.at} goes back from entry {signed} to {point.number}")
        signed = max(signed, point.number)
        if oldest <= point.number <= newest and heads.get(point.number, b"").hex() != point.head:
            wrong.append(f"entry {point.number} isn't the one that was signed at {point.at}")
    if signed > newest and not broken:
        wrong.append(f"{signed} entries were signed, and {newest} are there: the newest were cut off")
    return wrong
