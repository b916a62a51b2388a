"""Small files that are either the old one or the new one, and folders that stay, also after power loss.

What POSIX promises is little: a file's bytes are on the disk when the file was synced, its name when its folder was,
and in between any of what was done may be there, in any order (Pillai et al., "All File Systems Are Not Created
Equal", OSDI 2014). tests/power.py builds all that a disk may hold then.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def replace_file(path: Path, data: bytes, *, scrub: bool = False) -> None:
    """Write a file whole: temporary file, fsync, rename, fsync of the folder. Mode 0600.

    Args:
        path: The file.
        data: Its new content.
        scrub: Overwrite the old content's blocks afterwards. A copy-on-write file system or a flash disk may
            still keep them; a program can do nothing about that.
    """
    old = os.open(path, os.O_RDWR | os.O_CLOEXEC) if scrub and path.exists() else None
    try:
        fresh = path.with_name(f".{path.name}.new")
        fresh.unlink(missing_ok=True)
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        sync_folder(path.parent)
        if old is not None:
            os.pwrite(old, bytes(os.fstat(old).st_size), 0)
            os.fsync(old)
    finally:
        if old is not None:
            os.close(old)


def scrub(path: Path) -> None:
    """Overwrite a file and remove it, if it is there. What `replace_file` says of disks holds here too."""
    if path.is_symlink() or not path.is_file():
        path.unlink(missing_ok=True)
        return
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()


def sync_file(path: Path) -> None:
    """Make what was written to a file survive power loss, whoever wrote it."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_folder(folder: Path) -> None:
    """Make renames and new names in a folder survive power loss."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold a lock file against other processes and threads; it ends with the holder, also by kill -9."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def make_folder(folder: Path) -> Path:
    """Make a folder, 0700, and those above it that aren't there; their names survive power loss."""
    if folder.is_dir():
        return folder
    if folder.parent != folder:
        make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    with suppress(PermissionError):  # one that we may write to and not read
        sync_folder(folder.parent)
    return folder


def owner_only(folder: Path) -> Path:
    """Make a folder that nobody but its owner can enter, and close one that others can."""
    make_folder(folder)
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)
    return folder
