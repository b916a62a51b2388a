"""How many processes a command may have. RLIMIT_NPROC says so for every user but root, whose processes nobody counts.

For root the process ids of a namespace of its own are made few, which takes Linux 6.14: before that, pid_max is the
whole machine's.
"""

from __future__ import annotations

import os
import resource

from . import identity

IDS = 600
"""Of these the kernel keeps 300 back once it has given out all, so that at least half can be in use at once."""
_SINCE = (6, 14)
_PID_MAX = "/proc/sys/kernel/pid_max"


def is_counted() -> bool:
    """Whether RLIMIT_NPROC binds a process of ours that has given up its privileges."""
    child = os.fork()
    if not child:
        try:
            identity.drop(own_user=False)
            resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
            if not os.fork():
                os._exit(0)
            os._exit(1)
        except BlockingIOError:
            os._exit(0)
        finally:
            os._exit(2)
    return not os.waitpid(child, 0)[1]


def lacking(*, counted: bool, hidden: bool) -> str:
    """Why the number of a command's processes can't be limited, in one sentence; empty where it can.

    Args:
        counted: As `is_counted` says.
        hidden: Whether it gets process ids of its own.
    """
    if counted:
        return ""
    if not hidden:
        return "As root, without namespaces, the number of a command's processes can't be limited here."
    if _linux() < _SINCE:
        return "As root the number of a command's processes can't be limited before Linux 6.14."
    return ""


def mine() -> int:
    """How many processes and threads our user has: all of them count, where there are no namespaces."""
    user, total = str(os.getuid()), 0
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib costs 4 ms, here and below
        if not name.isdecimal():
            continue
        try:
            with open(f"/proc/{name}/status") as status:  # noqa: PTH123
                said = dict(line.split(":", 1) for line in status)
        except OSError:  # it has ended
            continue
        if said["Uid"].split()[0] == user:
            total += int(said["Threads"])
    return total


def limit() -> None:
    """Limit it where nobody counts, by the first process of a namespace of process ids, with /proc at its place.

    Raises:
        OSError: It isn't limited.
    """
    if _linux() < _SINCE:
        raise OSError("the number of processes can't be limited")
    with open(_PID_MAX, "w") as most:  # noqa: PTH123
        most.write(str(IDS))
    with open(_PID_MAX) as most:  # noqa: PTH123
        if int(most.read()) != IDS:
            raise OSError("the number of processes isn't limited")


def _linux() -> tuple[int, int]:
    major, minor, *_ = os.uname().release.split(".")
    return int(major), int("".join(c for c in minor if c.isdigit()) or 0)
