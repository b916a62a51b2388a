"""Who a child is: a user of its own where llmasos runs as root, else the person; without privileges in both cases."""

from __future__ import annotations

import ctypes
import os

from .libc import call

_FIRST, _HOW_MANY = 60_578, 600
"""User ids that distributions give to nobody. One each, so that not even two children are the same user."""

_KEEP_CAPABILITIES, _DROP_FROM_BOUNDS, _SECURE = 8, 24, 28  # PR_SET_KEEPCAPS, PR_CAPBSET_DROP, PR_SET_SECUREBITS
_ROOT_IS_NOBODY = 0b11101111
"""No privileges for being root, none raised or kept later, and all of this locked; but for PR_SET_KEEPCAPS itself."""
_VERSION = 0x20080522
_READ, _BECOME = 1 << 2, (1 << 6) | (1 << 7)  # CAP_DAC_READ_SEARCH; CAP_SETGID and CAP_SETUID


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("words", ctypes.c_uint32 * 6),)  # effective, permitted, inheritable; then their upper halves


def is_free() -> bool:
    """Whether children can be given a user of their own: by root, but not by a container's that knows no other user."""
    if os.geteuid():
        return False
    with open("/proc/self/uid_map") as spans:  # noqa: PTH123 - pathlib costs 4 ms
        known = [(int(first), int(count)) for first, _, count in map(str.split, spans)]
    return any(first <= _FIRST and first + count >= _FIRST + _HOW_MANY for first, count in known)


def forswear() -> None:
    """Let no program that this process starts get a privilege, root's own programs neither. Comes before `drop`."""
    try:
        for capability in range(64):
            call("prctl", _DROP_FROM_BOUNDS, capability, 0, 0, 0)
    except PermissionError:
        return  # it has none to give up
    except OSError:  # the last one that this kernel knows
        pass
    call("prctl", _SECURE, _ROOT_IS_NOBODY, 0, 0, 0)


def drop(*, own_user: bool, writes: bool = False) -> None:
    """Give up every privilege. Must come before no_new_privs.

    A child with a user of its own keeps one right of root's, to read: Python, or the plugin, may lie in a folder
    that only root can enter, and what it may open is Landlock's to say. One that may write somewhere is still the
    person to the file system, so that what it makes there is theirs; where that is, Landlock says too.

    Args:
        own_user: Whether to become a user of its own, as `is_free` says.
        writes: Whether it may write files somewhere.

    Raises:
        OSError: It is still what it was.
    """
    if own_user:
        call("prctl", _KEEP_CAPABILITIES, 1, 0, 0, 0)
        nobody = _FIRST + os.getpid() % _HOW_MANY
        os.setgroups([])
        os.setresgid(nobody, nobody, nobody)
        os.setresuid(nobody, nobody, nobody)
        if writes:
            _keep(_READ | _BECOME)
            call("setfsgid", 0)
            call("setfsuid", 0)
            if call("setfsuid", -1) != 0:  # it answers with what is in force, and with no error
                raise OSError("the person can't be kept as the owner of files")
    _keep(_READ if own_user else 0)


def _keep(rights: int) -> None:
    call("capset", _Header(_VERSION, 0), _Sets((ctypes.c_uint32 * 6)(rights, rights)))
