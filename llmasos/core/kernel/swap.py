"""Swap space: contexts that don't run, sealed, in memory and then in files.

The key is drawn when a kernel starts and never written down: what is left of an earlier kernel's swap can be read by
nobody, and is deleted. A context that is lost is computed anew from its text, so nothing here needs to survive.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import OrderedDict
from pathlib import Path

from llmasos.core.base.durable import owner_only
from llmasos.core.base.errors import StoreError
from llmasos.core.kernel.crypto import Cipher, random_key

log = logging.getLogger(__name__)


class Swap:
    """Sealed bytes by number; the least recently used go from memory to files, and from files away.

    Usable from any thread; `put`, `get` and `spill` take some milliseconds for a context of 1,000 tokens.

    Args:
        folder: Where the files are; whatever is in it is deleted.
        memory: Bytes kept in memory at most.
        disk: Bytes kept in files at most; 0 uses none.
    """

    def __init__(self, folder: Path, *, memory: int, disk: int) -> None:
        self._folder = folder
        self._budget = {"memory": memory, "disk": disk}
        self._cipher = Cipher(random_key())
        self._memory: OrderedDict[int, bytes] = OrderedDict()  # least recently used first
        self._disk: OrderedDict[int, int] = OrderedDict()  # sizes
        self._lock = threading.RLock()
        self._rooms: list[bytearray] = []
        """Memory that was used before, one piece at most: touching fresh memory costs more than decrypting into it."""
        self._lost = 0
        for left in folder.glob("*.kv"):
            left.unlink(missing_ok=True)

    def put(self, key: int, data: bytes) -> bool:
        """Keep bytes under a number, in place of what was there; False where there is no room for them at all."""
        sealed = self._cipher.seal(data, _place(key))
        with self._lock:
            self.drop(key)
            self._memory[key] = sealed
            while sum(map(len, self._memory.values())) > self._budget["memory"]:
                self.spill(next(iter(self._memory)))
            return key in self._memory or key in self._disk

    def get(self, key: int) -> memoryview | None:
        """What is kept under a number; None where nothing is, or where it was lost.

        It stands in memory that is used again: give it back with `used`, and don't look at it then.
        """
        with self._lock:
            sealed = self._memory.get(key)
            if sealed is not None:
                self._memory.move_to_end(key)
            elif key in self._disk:
                self._disk.move_to_end(key)
                sealed = self._read(key)
        if sealed is None:
            return None
        with self._lock:
            room = self._rooms.pop() if self._rooms else bytearray()
        if len(room) < len(sealed):
            room = bytearray(len(sealed))
        try:
            return self._cipher.open_into(sealed, _place(key), room)
        except StoreError:
            self._lose(key, "was damaged")
            return None

    def used(self, data: memoryview) -> None:
        """Take back what `get` gave."""
        room = data.obj
        data.release()
        with self._lock:
            if isinstance(room, bytearray) and not self._rooms:
                self._rooms.append(room)

    def spill(self, key: int) -> bool:
        """Move an entry from memory to a file; False where it had to be given up."""
        with self._lock:
            sealed = self._memory.pop(key, None)
            if sealed is None:
                return key in self._disk
            if len(sealed) > self._budget["disk"]:
                self._lose(key)
                return False
            while sum(self._disk.values()) + len(sealed) > self._budget["disk"]:
                self._lose(next(iter(self._disk)))
            try:
                owner_only(self._folder)
                self._file(key).write_bytes(sealed)
            except OSError as error:  # a full disk costs computing, not the conversation
                self._lose(key, f"couldn't be written: {error.strerror}")
                return False
            self._disk[key] = len(sealed)
            return True

    def drop(self, key: int) -> None:
        """Forget an entry; its file is gone when this returns."""
        with self._lock:
            self._memory.pop(key, None)
            if self._disk.pop(key, None) is not None:
                self._file(key).unlink(missing_ok=True)

    def __contains__(self, key: int) -> bool:
        return key in self._memory or key in self._disk

    def stats(self) -> dict[str, float]:
        """Counters: `entries`, `memory_bytes`, `disk_bytes`, `lost` (given up for want of room, or damaged)."""
        with self._lock:
            return {
                "entries": len(self._memory) + len(self._disk),
                "memory_bytes": sum(map(len, self._memory.values())),
                "disk_bytes": sum(self._disk.values()),
                "lost": self._lost,
            }

    def close(self) -> None:
        """Forget everything and delete the files."""
        with self._lock:
            for key in [*self._memory, *self._disk]:
                self.drop(key)
            with contextlib.suppress(OSError):
                self._folder.rmdir()

    def _read(self, key: int) -> bytes | None:
        try:
            return self._file(key).read_bytes()
        except OSError as error:
            self._lose(key, f"couldn't be read: {error.strerror}")
            return None

    def _lose(self, key: int, why: str = "") -> None:
        self._lost += 1
        self.drop(key)
        with contextlib.suppress(OSError):  # half of it may have been written
            self._file(key).unlink(missing_ok=True)
        if why:
            log.warning("a context that was swapped out %s; it is computed anew", why)

    def _file(self, key: int) -> Path:
        return self._folder / f"{key}.kv"


def _place(key: int) -> bytes:
    return f"llmasos swap {key}".encode()
