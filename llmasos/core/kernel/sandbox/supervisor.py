"""Waits for a native command, tells how it ended, and leaves none of its processes behind.

It is the first process of a namespace, whose end is the end of all others, or it adopts what a command leaves behind
and ends that. It has given up its privileges, but is outside the command's confinement.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable

from .libc import call

INTERRUPT = b"i"
"""What the kernel sends to interrupt a command, as Ctrl-C does; when its end of the channel closes, all end."""

_ADOPT = 36  # PR_SET_CHILD_SUBREAPER


def supervise(channel: int, command: int) -> int | None:
    """Wait until a command ends, or nobody wants it any more. It isn't let go yet: its number stays its own.

    Args:
        channel: To the kernel.
        command: The process id of the first process of a process group.

    Returns:
        How it ended: its exit code, or minus the number of the signal that ended it; None where it goes on.
    """
    woken, wakes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wakes)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while (ended := _ended(command)) is None:
        ready, _, _ = select.select([channel, woken], [], [])
        if channel in ready:
            if not os.read(channel, 1):
                return None
            _kill(os.killpg, command, signal.SIGINT)
        if woken in ready:
            os.read(woken, 512)
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status


def adopt() -> None:
    """Become the parent of all that a command's processes leave behind."""
    call("prctl", _ADOPT, 1, 0, 0, 0)


def end_adopted(group: int) -> None:
    """End a process group, and whoever left it, until nobody is left.

    Args:
        group: Its number. Its first process must not have been let go, else the number could be another's.
    """
    _kill(os.killpg, group)
    while True:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        with open(f"/proc/self/task/{os.getpid()}/children") as children:  # noqa: PTH123 - pathlib costs 4 ms
            for pid in children.read().split():
                _kill(os.kill, int(pid))
        time.sleep(0.002)


def _ended(command: int) -> os.waitid_result | None:
    """How it ended, None where it didn't; whoever else has ended and was adopted is let go."""
    while found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        if found.si_pid == command:
            return found
        os.waitpid(found.si_pid, 0)
    return None


def _kill(how: Callable[[int, int], None], whom: int, number: int = signal.SIGKILL) -> None:
    try:
        how(whom, number)
    except ProcessLookupError:
        return
