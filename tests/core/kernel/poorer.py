"""Plays a machine that has less: `python poorer.py MACHINE COMMAND...` runs a command under a seccomp filter.

no-landlock   a kernel without Landlock (ENOSYS)
off-landlock  Landlock isn't among the active modules (EOPNOTSUPP)
no-seccomp    a kernel without seccomp (ENOSYS)
no-users      nobody may make namespaces
no-mounts     namespaces can be made, and nothing done with them, as by ordinary users of Ubuntu 24.04
no-pivot      the root folder can't be changed
late-landlock Landlock is there, and fails when it should be put in force
late-seccomp  the same of seccomp
other         a processor we have no list of system calls for
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from pathlib import Path
from types import ModuleType

SANDBOX = Path(__file__).parents[3] / "llmasos" / "core" / "kernel" / "sandbox"
NEW = 0x10000000 | 0x00020000 | 0x40000000 | 0x08000000 | 0x04000000 | 0x20000000
LOAD, EQUAL, SOME, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000

Steps = list[tuple[int, int, int, int]]


def refuse(number: int, error: int) -> Steps:
    """Fail a call."""
    return [(LOAD, 0, 0, 0), (EQUAL, 0, 1, number), (RETURN, 0, 0, ERRNO | error)]


def refuse_where(number: int, argument: int, bits: int, error: int) -> Steps:
    """Fail a call that has any of these bits in an argument."""
    rest = [(LOAD, 0, 0, 16 + 8 * argument), (SOME, 0, 1, bits), (RETURN, 0, 0, ERRNO | error)]
    return [(LOAD, 0, 0, 0), (EQUAL, 0, len(rest), number), *rest]


def machine(name: str) -> Steps:
    """What it refuses."""
    arm = os.uname().machine == "aarch64"
    seccomp, unshare, clone = (277, 97, 220) if arm else (317, 272, 56)
    return {
        "no-landlock": [step for number in (444, 445, 446) for step in refuse(number, errno.ENOSYS)],
        "off-landlock": [step for number in (444, 445, 446) for step in refuse(number, errno.EOPNOTSUPP)],
        "no-seccomp": refuse(seccomp, errno.ENOSYS),
        "no-users": [
            *refuse_where(unshare, 0, NEW, errno.EPERM),
            *refuse_where(clone, 0, NEW, errno.EPERM),
            *refuse(435, errno.ENOSYS),
        ],
        "no-mounts": refuse(40 if arm else 165, errno.EACCES),
        "no-pivot": refuse(41 if arm else 155, errno.EPERM),
        "late-landlock": refuse(446, errno.EPERM),
        "late-seccomp": refuse_where(seccomp, 0, 1, errno.EACCES),
        "other": [],
    }[name]


def main(name: str, *command: str) -> None:
    """Be that machine and run the command."""
    sys.modules["confinement"] = ModuleType("confinement")
    sys.modules["confinement"].__path__ = [str(SANDBOX)]
    from confinement import libc, seccomp  # type: ignore[import-not-found]

    steps = [*machine(name), (RETURN, 0, 0, ALLOW)]
    libc.call("prctl", 38, 1, 0, 0, 0)
    if name == "other":
        ctypes.CDLL(None).personality(8)  # PER_LINUX32: uname says i686 or armv8l
    else:
        seccomp.load(b"".join(struct.pack("<HBBI", *step) for step in steps))
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
