"""Who owns a home: the first program carries its kernel; when that ends, however it ends, another one can."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class OwnerLock:
    """A lock that one program of a home holds; the operating system lets go of it when the program ends."""

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
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._descriptor = descriptor
        os.register_at_fork(after_in_child=self.release)  # a forked child must not hold what it doesn't serve
        return True

    def holder(self) -> int:
        """The process id of who took it last; 0 where nobody ever did."""
        try:
            return int(self._path.read_text())
        except (OSError, ValueError):
            return 0

    def is_held(self) -> bool:
        """Whether some program holds it."""
        if self._descriptor is not None:
            return True
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    def release(self) -> None:
        """Let go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
