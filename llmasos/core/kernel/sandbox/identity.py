"""Who a child is: a user of its own where llmasos runs as root, else the person; without privileges in both cases."""

from __future__ import annotations

import contextlib
import ctypes
import os

from .libc import call

_FIRST, _HOW_MANY = 60_578, 600
"""User ids that distributions give to nobody. One each, so that not even two children are the same user."""

_KEEP_CAPABILITIES = 8  # PR_SET_KEEPCAPS
_VERSION = 0x20080522
_READ = 1 << 2  # CAP_DAC_READ_SEARCH


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("words", ctypes.c_uint32 * 6),)  # effective, permitted, inheritable; then their upper halves


def is_own() -> bool:
    """Whether children get a user of their own."""
    return os.geteuid() == 0


def drop() -> None:
    """Give up root and every capability. Must come before no_new_privs.

    A child of root keeps one right of root's, to read: Python, or the plugin, may lie in a folder that only root
    can enter, and what it may open is Landlock's to say.

    Raises:
        OSError: It is still what it was.
    """
    kept = 0
    if is_own():
        call("prctl", _KEEP_CAPABILITIES, 1, 0, 0, 0)
        nobody = _FIRST + os.getpid() % _HOW_MANY
        # In a container that knows no other user, root is an ordinary user of the machine already.
        with contextlib.suppress(OSError):
            os.setgroups([])
            os.setresgid(nobody, nobody, nobody)
            os.setresuid(nobody, nobody, nobody)
            kept = _READ
    call("capset", _Header(_VERSION, 0), _Sets((ctypes.c_uint32 * 6)(kept, kept)))
