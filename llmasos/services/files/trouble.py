"""What the operating system refuses, in words for the person."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from llmasos.core.base.errors import Errno, SyscallError

_CODES: dict[int, tuple[Errno, str, str]] = {
    errno.ENOSPC: ("EIO", "the disk is full", "Nothing was changed; free some space and say it again."),
    errno.EDQUOT: (
        "EIO",
        "the disk quota is used up",
        "Nothing was changed; free some space and say it again.",
    ),
    errno.EACCES: ("EACCES", "the system doesn't permit it", "Check who owns it and its permissions."),
    errno.EPERM: ("EACCES", "the system doesn't permit it", "Check who owns it and its permissions."),
    errno.EROFS: ("EACCES", "it is on a disk that can't be written", "Choose another folder."),
    errno.ENAMETOOLONG: ("EINVAL", "the name is too long", "Choose a shorter one."),
    errno.ELOOP: (
        "EACCES",
        "it is a link that appeared meanwhile",
        "Look at what it is; links are not followed here.",
    ),
    errno.ENOENT: ("ENOENT", "it is gone", "Look again with 'files.list'."),
    errno.EEXIST: ("EEXIST", "something is there already", "Choose another name."),
    errno.ENOTEMPTY: ("EEXIST", "something is there already", "Choose another name."),
    errno.ENOTDIR: ("ENOTDIR", "what should be a folder is none", "Look with 'files.list'."),
    errno.EISDIR: ("EISDIR", "it is a folder", "Name a file."),
    errno.EFBIG: ("E2BIG", "the file would become too large", "Split it."),
    errno.EXDEV: ("ENOTSUP", "it lies on another disk", "Copy it, then delete the original."),
}


@contextmanager
def in_words(doing: str) -> Iterator[None]:
    """Turn an OSError into a SyscallError that says what could not be done, why, and what to do.

    Args:
        doing: What was tried, to follow "Can't": "write notes.md".
    """
    try:
        yield
    except OSError as error:
        code, why, remedy = _CODES.get(error.errno or 0, ("EIO", error.strerror or str(error), "Try again."))
        raise SyscallError(code, f"Can't {doing}: {why}.", remedy) from error
