"""Changing files: whole or not at all, over nothing that is there, through descriptors only."""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import stat
import sys
import threading
from collections.abc import Callable, Iterable
from functools import cache

from llmasos.core.base.errors import SyscallError
from llmasos.services.files import origin
from llmasos.services.files.place import TEMPORARY, Place, check_ordinary, names_in, open_file

_CHUNK = 1 << 20
_RENAME_NOREPLACE = 1  # linux/fs.h
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def temporary() -> str:
    """A name that nobody else has, hidden and known as ours."""
    return f"{TEMPORARY}{secrets.token_hex(8)}.tmp"


def write_atomic(
    place: Place,
    data: bytes,
    *,
    expected: os.stat_result | None,
    mode: int | None = None,
    mtime_ns: int = 0,
    sync: bool = True,
    made_by: Iterable[str] = (),
) -> bool:
    """Put a file in place, new or instead of the old one; a crash leaves the old or the new, never half.

    Args:
        place: Where; its folder exists.
        data: The whole content.
        expected: What was there when it was decided; None for nothing.
        mode: Permissions; the old file's or the usual ones where None.
        mtime_ns: When it was modified, for bringing an old file back; 0 for now.
        sync: Whether it is on the disk on return; who writes many says so once at the end.
        made_by: Whose words it is, where they aren't the person's: the file has this label before it has its name.

    Returns:
        Whether it has that label.

    Raises:
        SyscallError: EBUSY, something else is there by now.
        OSError: The disk is full, or the like; nothing has changed.
    """
    with place.folder() as (folder, name):
        spare = temporary()
        descriptor = os.open(spare, _NEW_FILE, 0o666, dir_fd=folder)
        try:
            try:
                _write_all(descriptor, data)
                if mode is None and expected is not None:
                    mode = stat.S_IMODE(expected.st_mode)
                if expected is not None:
                    _give(descriptor, expected)
                if mode is not None:
                    os.fchmod(descriptor, mode)
                labelled = origin.put_on(descriptor, made_by)
                if mtime_ns:
                    os.utime(descriptor, ns=(mtime_ns, mtime_ns))
                if sync:
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if expected is None:
                rename_new(folder, spare, folder, name)
            else:
                check_same(folder, name, expected, place.shown)
                os.replace(spare, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            _unlink_quietly(folder, spare)
            raise
        if sync:
            os.fsync(folder)
    return labelled


def append(place: Place, data: bytes, *, expected: os.stat_result) -> None:
    """Add bytes at a file's end; on trouble it is cut back to what it was.

    Raises:
        SyscallError: EBUSY, it has changed since it was looked at.
        OSError: The disk is full, or the like; nothing has changed.
    """
    with place.folder() as (folder, name):
        check_same(folder, name, expected, place.shown)
        descriptor = open_file(folder, name, place.shown, os.O_WRONLY | os.O_APPEND)
        try:
            _write_all(descriptor, data)
            os.fsync(descriptor)
        except BaseException:
            os.ftruncate(descriptor, expected.st_size)
            raise
        finally:
            os.close(descriptor)


def truncate(place: Place, size: int, *, mtime_ns: int) -> None:
    """Cut a file back to a size and give it its old time."""
    with place.folder() as (folder, name):
        descriptor = open_file(folder, name, place.shown, os.O_WRONLY)
        try:
            os.ftruncate(descriptor, size)
            os.utime(descriptor, ns=(mtime_ns, mtime_ns))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def rename(source: Place, destination: Place) -> None:
    """Move, over nothing.

    Raises:
        FileExistsError: Something is there.
        OSError: EXDEV, it lies on another disk, or the like.
    """
    with source.folder() as (old, name), destination.folder() as (new, new_name):
        rename_new(old, name, new, new_name)
        os.fsync(new)
        os.fsync(old)


def copy(source: Place, destination: Place, spare: str, stop: threading.Event) -> None:
    """Copy a file or folder with permissions and times; it appears under its name only when it is whole.

    Args:
        source: What.
        destination: Where; its folder exists and nothing has its name.
        spare: A temporary name in the destination's folder.
        stop: Asks it to give up.
    """
    with source.folder() as (old, name), destination.folder() as (new, new_name):
        try:
            _copy(old, name, new, spare, source.shown, stop)
            rename_new(new, spare, new, new_name)
        except BaseException:
            remove_in(new, spare)
            raise
        os.fsync(new)


def remove(place: Place) -> None:
    """Remove a file, or a folder with all that is in it; nothing where nothing is."""
    try:
        with place.folder() as (folder, name):
            remove_in(folder, name)
            os.fsync(folder)
    except FileNotFoundError:
        return


def remove_in(folder: int, name: str) -> None:
    """The same in an open folder."""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(status.st_mode):
        os.unlink(name, dir_fd=folder)
        return
    descriptor = os.open(name, _FOLDER, dir_fd=folder)
    try:
        if not status.st_mode & stat.S_IWUSR:
            os.fchmod(descriptor, 0o700)  # the person's own folder, locked against changes: emptying it is one
        for below in names_in(descriptor):
            remove_in(descriptor, below)
    finally:
        os.close(descriptor)
    os.rmdir(name, dir_fd=folder)


def rename_new(old: int, name: str, new: int, new_name: str) -> None:
    """Rename over nothing, in one step where the system can.

    Raises:
        FileExistsError: Something has the new name.
    """
    call = _renameat2()
    if call is not None:
        if call(old, os.fsencode(name), new, os.fsencode(new_name), _RENAME_NOREPLACE) == 0:
            return
        number = ctypes.get_errno()
        # EINVAL and ENOSYS: this file system, or this kernel, doesn't know the flag.
        if number not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
            raise OSError(number, os.strerror(number), new_name)
    try:
        os.stat(new_name, dir_fd=new, follow_symlinks=False)
    except FileNotFoundError:
        os.rename(name, new_name, src_dir_fd=old, dst_dir_fd=new)
    else:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new_name)


def check_same(folder: int, name: str, expected: os.stat_result, shown: str) -> None:
    """Make sure that a file is still the one that was looked at.

    Raises:
        SyscallError: EBUSY, it isn't.
    """
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns) != (
        expected.st_dev,
        expected.st_ino,
        expected.st_size,
        expected.st_mtime_ns,
    ):
        raise SyscallError(
            "EBUSY", f"{shown} was changed by another program just now; nothing was done.", "Say it again."
        )


def _copy(old: int, name: str, new: int, new_name: str, shown: str, stop: threading.Event) -> None:
    if stop.is_set():
        raise SyscallError("ECANCELED", f"Copying {shown} was stopped; nothing is left of it.")
    status = os.stat(name, dir_fd=old, follow_symlinks=False)
    check_ordinary(status.st_mode, shown)
    if stat.S_ISLNK(status.st_mode):
        os.symlink(os.readlink(name, dir_fd=old), new_name, dir_fd=new)
        return
    if not stat.S_ISDIR(status.st_mode):
        _copy_file(old, name, new, new_name, shown, stop)
        return
    os.mkdir(new_name, 0o700, dir_fd=new)
    source = os.open(name, _FOLDER, dir_fd=old)
    target = os.open(new_name, _FOLDER, dir_fd=new)
    try:
        for below in names_in(source):
            _copy(source, below, target, below, f"{shown}/{below}", stop)
        os.fchmod(target, stat.S_IMODE(status.st_mode))
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
    finally:
        os.close(source)
        os.close(target)


def _copy_file(old: int, name: str, new: int, new_name: str, shown: str, stop: threading.Event) -> None:
    source = open_file(old, name, shown)
    try:
        status = os.fstat(source)
        target = os.open(new_name, _NEW_FILE, 0o600, dir_fd=new)
        try:
            while chunk := os.read(source, _CHUNK):
                if stop.is_set():
                    raise SyscallError("ECANCELED", f"Copying {shown} was stopped; nothing is left of it.")
                _write_all(target, chunk)
            origin.put_on(target, origin.read_from(source))
            os.fchmod(target, stat.S_IMODE(status.st_mode) & 0o1777)  # a copy is nobody's setuid program
            os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
            os.fsync(target)
        finally:
            os.close(target)
    finally:
        os.close(source)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _give(descriptor: int, like: os.stat_result) -> None:
    """Keep the old file's owner and group, as far as we may."""
    status = os.fstat(descriptor)
    if (status.st_uid, status.st_gid) != (like.st_uid, like.st_gid):
        try:
            os.fchown(descriptor, like.st_uid, like.st_gid)
        except PermissionError:
            return


def _unlink_quietly(folder: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return


@cache
def _renameat2() -> Callable[[int, bytes, int, bytes, int], int] | None:
    if sys.platform != "linux":
        return None
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is None:  # a C library of before 2018
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    function.restype = ctypes.c_int
    call: Callable[[int, bytes, int, bytes, int], int] = function
    return call
