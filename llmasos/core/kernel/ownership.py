"""Who owns a home: the first of several programs rings, so that no reminder is told twice; then the next one."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class OwnerLock:
    """A lock that one program of a home holds; the kernel lets go of it when the program ends, however it ends."""

    def __init__(self, home: Path) -> None:
        self._path = home / "owner.lock"
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take it if nobody has it; True where it is ours."""
        if self._descriptor is not None:
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
