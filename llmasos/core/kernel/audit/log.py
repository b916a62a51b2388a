"""Writing the audit log, and going on with it at the next start.

Records are sealed: the log stands beside the store and says as much of a person as the store does. It is kept in files
of some two megabytes; the oldest go, and what is left still hangs together.
"""

from __future__ import annotations

import errno
import json
import os
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from llmasos.core.base.clock import Clock
from llmasos.core.base.durable import owner_only, sync_file, sync_folder
from llmasos.core.base.errors import StoreError
from llmasos.core.base.types import JSON
from llmasos.core.kernel import crypto
from llmasos.core.kernel.audit.anchor import Anchor, Checkpoint
from llmasos.core.kernel.audit.chain import START, BrokenChain, Chain, Link, files, first_of, links
from llmasos.core.kernel.keyring import Keyring

FOLDER = "audit"
FILE_BYTES = 2 * 1024 * 1024
KEEP = 64
"""Files that are kept."""
EVERY = 256
"""Entries between two checkpoints."""

_to_json = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str).encode


class Record(NamedTuple):
    """One thing that was asked of the kernel.

    Attributes:
        at: When, ISO 8601.
        pid: The process that asked.
        actor: Its subject, as policy names it.
        syscall: What was asked for.
        verdict: What policy said: allow, ask or deny; empty where it came to no decision.
        rule: The rule that said it.
        args: Keyed tag of the arguments: equal ones have equal tags, and nobody can read them.
        outcome: `ok`, or the error's code.
        entry: Number in the journal; 0 where there is none.
        layers: What the code that ran was confined with; empty for the kernel's own.
        labels: Where the request and what it is about come from.
        by: Which of them decided: for which the rule is about the call; none where it is whatever they are.
        note: What happened, where it was no call.
    """

    at: str
    pid: int = 0
    actor: str = ""
    syscall: str = ""
    verdict: str = ""
    rule: str = ""
    args: str = ""
    outcome: str = "ok"
    entry: int = 0
    layers: str = ""
    labels: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    note: str = ""


_NAMES = Record._fields
_DEFAULTS = tuple(Record._field_defaults.get(name) for name in _NAMES)


class AuditLog:
    """The log of one home. Only the program that carries the home may have it open.

    Args:
        folder: Where its files are; made, 0700.
        keyring: Seals it, ties it and signs it.
        clock: What dates it.
        anchor: Where checkpoints go.
        facts: What else a checkpoint says.
        doubts: Given what the newest checkpoint said else, why that doesn't fit what is there now; empty where it does.
        looks: Only look: nothing is changed, not even a torn end cut off.
        file_bytes: When a file is larger, the next one begins.
        keep: How many files are kept.

    Attributes:
        trouble: Why the log, or what its newest checkpoint tells of, isn't what it was; empty where it is. Then nothing
            with an effect may be done, until the person has accepted it.
    """

    def __init__(
        self,
        folder: Path,
        keyring: Keyring,
        clock: Clock,
        anchor: Anchor,
        *,
        facts: Callable[[], Mapping[str, Any]] = dict,
        doubts: Callable[[Mapping[str, Any]], str] = lambda facts: "",
        looks: bool = False,
        file_bytes: int = FILE_BYTES,
        keep: int = KEEP,
    ) -> None:
        self.folder = owner_only(folder)
        self.anchor = anchor
        self.store_id = keyring.store_id.hex()
        self._keyring = keyring
        self._clock = clock
        self._facts = facts
        self._doubts = doubts
        self._file_bytes, self._keep = file_bytes, keep
        self._cipher = crypto.Cipher(keyring.derive("audit/seal"))
        self._tagger = crypto.Tagger(keyring.derive("audit/args"))
        self._signer: Any = None
        self._fd, self._size = -1, 0
        self._closed: weakref.finalize[..., AuditLog] = weakref.finalize(self, int)
        self._anchored = 0
        self._named = False  # whether the newest file's name survives power loss
        self.trouble, self._what = "", "audit log"
        self._chain = Chain(0, START, b"")
        if not looks:
            self._go_on()
            if not self.trouble:
                self._trim()

    @property
    def alarm(self) -> str:
        """The trouble as a sentence; empty where there is none."""
        return f"The {self._what} isn't what it was: {self.trouble}." if self.trouble else ""

    def append(self, record: Record) -> None:
        """Write an entry. On return it survives `kill -9`.

        Raises:
            StoreError: It can't be written; nothing with an effect may be done then.
        """
        fields = zip(_NAMES, record, _DEFAULTS, strict=True)
        said = {name: value for name, value, default in fields if value != default}
        self._write(self._cipher.seal(_to_json(said).encode("utf-8", "surrogatepass"), _aad(self._chain.number + 1)))
        if self._chain.number - self._anchored >= EVERY:
            self.checkpoint()

    def note(self, words: str) -> None:
        """Write down something that was no call."""
        self.append(Record(at=self._clock.now().isoformat(), note=words))

    def tag(self, args: Mapping[str, JSON]) -> str:
        """The keyed tag of arguments; all that JSON can't hold, which no syscall takes, have the same."""
        try:
            written = _to_json(args)
        except (TypeError, ValueError, RecursionError):
            written = "unwritable"
        return self._tagger.tag(written.encode("utf-8", "surrogatepass")).hex()

    def checkpoint(self) -> None:
        """Sign how far the log has come, in the second place.

        Raises:
            StoreError: It can't be written.
        """
        if self.trouble or self._anchored == self._chain.number:
            return
        point = Checkpoint(
            self.store_id,
            self._chain.number,
            self._chain.head.hex(),
            self._clock.now().isoformat(),
            dict(self._facts()),
        )
        self._sync()  # what is signed must not be lost, or its absence would be taken for tampering
        self._signer = self._signer or signer(self._keyring)
        self.anchor.add(replace(point, signature=self._signer.sign(point.signed)))
        self._anchored = self._chain.number

    def accept(self, why: str = "") -> None:
        """Sign what is there, though it isn't what was written: the person has seen it.

        Where it is the log itself, a new one begins, and the old one is set aside.

        Args:
            why: What to write down other than that the person accepted it.
        """
        what, self.trouble = self.trouble, ""
        if what and self._what == "audit log":
            aside = owner_only(self.folder / f"set-aside-{self._clock.now():%Y-%m-%dT%H%M%S}")
            for path in files(self.folder):
                path.rename(aside / path.name)
            # One number is left out: the entry that was signed last isn't the one before the next.
            self._chain = Chain(max(self._anchored, self._chain.number) + 1, START, b"")
            self._closed()
            self._fd, self._size = -1, 0
        self.note(why or f"accepted by the person: {what}")
        self.checkpoint()

    def records(self) -> Iterator[tuple[int, Record]]:
        """All entries that are kept, oldest first; up to the first that was changed.

        Raises:
            BrokenChain: There is one.
        """
        for path in files(self.folder):
            for link in links(path):
                yield link.number, self._opened(path, link)

    def close(self) -> None:
        """Sign how far it has come, and close it."""
        try:
            self.checkpoint()
        finally:
            self._closed()
            self._fd = -1

    def _opened(self, path: Path, link: Link) -> Record:
        try:
            said = json.loads(self._cipher.open(link.sealed, _aad(link.number)))
        except StoreError:
            raise BrokenChain(path, link.line, "the entry was changed") from None
        said |= {name: tuple(said.get(name, ())) for name in ("labels", "by")}
        return Record(**{name: value for name, value in said.items() if name in _NAMES})

    def _go_on(self) -> None:
        """Find the end of the log, and look whether it is the one that was signed last."""
        there = _with_header(self.folder)
        signed = self._signed()
        heads: dict[int, bytes] = {0: START}
        if there:
            self._size = _without_torn_end(there[-1])
            try:
                first, head = first_of(there[-1])
                self._chain = Chain(first, head, tie_key(self._keyring, first))
                heads[first] = head
                for link in links(there[-1]):
                    if not self._chain.follow(link):
                        raise BrokenChain(there[-1], link.line, "the entry was changed")
                    heads[link.number] = link.head
            except BrokenChain as broken:
                self.trouble = str(broken)
        else:
            self._chain = Chain(0, START, tie_key(self._keyring, 0))
        for point in signed:
            self._anchored = point.number
            # Whoever signed since it was made synced the folder before.
            self._named = bool(there) and there[-1].stem.isdecimal() and int(there[-1].stem) < point.number
            if self.trouble:
                break
            if point.number > self._chain.number:
                self.trouble = f"{point.number} entries were signed, and {self._chain.number} are there"
            elif heads.get(point.number, bytes.fromhex(point.head)).hex() != point.head:
                self.trouble = f"entry {point.number} isn't the one that was signed"
            elif doubts := self._doubts(point.facts):
                self.trouble, self._what = doubts, "store"

    def newest_facts(self) -> Mapping[str, Any]:
        """What the newest checkpoint said else; nothing where there is none."""
        return next((point.facts for point in self._signed()), {})

    def _signed(self) -> list[Checkpoint]:
        """The newest checkpoint."""
        # Not the last line but the highest number: an old line could have been written again behind it.
        return sorted(self.anchor.checkpoints(self.store_id), key=lambda point: point.number)[-1:]

    def _write(self, sealed: bytes) -> None:
        if self.trouble:
            raise StoreError(self.alarm, "Look at 'llmasos audit verify'.")
        before = self._chain.number, self._chain.head, self._chain.key
        try:
            fd = self._open()
            line = self._chain.tie(sealed)
            written = os.write(fd, line)
            if written < len(line):
                os.ftruncate(fd, self._size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self._chain = Chain(*before)
            raise self._unwritable(error) from error
        self._size += len(line)

    def _sync(self) -> None:
        """Make what was written survive power loss."""
        try:
            for path in files(self.folder)[-1:]:  # older ones were synced when the next one began
                sync_file(path)
            if not self._named:
                sync_folder(self.folder)
                self._named = True
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> StoreError:
        return StoreError(
            f"The audit log in {self.folder} can't be written: {error.strerror}.",
            "Until it can, nothing is changed. See its disk and owner.",
        )

    def _trim(self, new: int = 0) -> None:
        """Let the oldest files go, so that there is room for so many new ones."""
        there = files(self.folder)
        for old in there[: max(0, len(there) + new - self._keep)]:
            old.unlink()

    def _open(self) -> int:
        """The file to append to: the newest one, or a new one where that is full."""
        if self._fd >= 0 and self._size <= self._file_bytes:
            return self._fd
        self._closed()
        there = files(self.folder)
        if there and self._size <= self._file_bytes:
            path, header = there[-1], b""
        else:
            path, header = self.folder / f"{self._chain.number:012d}.log", b"%b\n" % self._chain.head.hex().encode()
            self._chain.key = tie_key(self._keyring, self._chain.number)
            for old in there[-1:]:
                sync_file(old)
            self._named = False
            self._trim(1)
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._closed = weakref.finalize(self, os.close, self._fd)
        if header:
            self._size = os.write(self._fd, header)
        return self._fd


def tie_key(keyring: Keyring, first: int) -> bytes:
    """The key of the first line of the file that goes on after so many entries."""
    return keyring.derive(f"audit/tie/{first}")


def signer(keyring: Keyring) -> Any:
    """The home's Ed25519 key."""
    # Imported here: the first checkpoint comes long after the prompt.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(keyring.derive("audit/sign"))


def public_key(keyring: Keyring) -> bytes:
    """The public half of the key that signs checkpoints: all that a stranger needs to check them."""
    public: bytes = signer(keyring).public_key().public_bytes_raw()
    return public


def _with_header(folder: Path) -> list[Path]:
    """The files, without a newest one that a killed program made and wrote nothing whole to."""
    there = files(folder)
    if there and not _whole(there[-1].read_bytes()):
        there.pop().unlink()
    return there


def _without_torn_end(path: Path) -> int:
    """Cut off what a killed program, or a power cut, left of lines that weren't finished; returns the size."""
    content = path.read_bytes()
    whole = _whole(content)
    if whole < len(content):
        os.truncate(path, whole)
    return whole


def _whole(content: bytes) -> int:
    """So many bytes are whole lines.

    A block that never got to the disk reads as zeros, which no line holds. What stands behind it was written after the
    last checkpoint, or its absence is found by that.
    """
    return content.rfind(b"\n", 0, content.find(b"\0") if b"\0" in content else None) + 1


def _aad(number: int) -> bytes:
    return b"llmasos/audit/1|%d" % number
