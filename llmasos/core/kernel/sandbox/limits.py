"""What one child may use up. A call has a wall clock besides (worker.py), and an unused child ends."""

from __future__ import annotations

import resource

MEMORY = 512 << 20
"""Bytes of address space. With half of it numpy can't be imported."""
CPU = 60
"""Seconds of processor time in a child's whole life; worker.py replaces one between two calls before that."""
FILES = 64
FILE = 64 << 20
"""Bytes of a file that a child writes, where it was granted a folder for that."""
THREADS, TASKS = 256, 8192
"""Threads that its user may have in all: where those are plugins' alone, and where the person's programs count too."""

COMMAND_MEMORY, COMMAND_SPACE = 2 << 30, 8 << 30
"""Bytes that one process of a command may write to, and of its address space: some programs reserve much of that."""
COMMAND_CPU = 600
COMMAND_FILE = 1 << 30
"""Bytes of one file."""
COMMAND_FILES = 1024


def apply(*, alone: bool, memory: int = MEMORY, writes: bool = False) -> None:
    """Set those of a plugin for this process; none can be raised again.

    Args:
        alone: Whether its user, or its user namespace, has nothing but plugins.
        memory: Bytes of address space.
        writes: Whether it may write files somewhere.

    Raises:
        OSError, ValueError: One couldn't be set.
    """
    _set(
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, CPU),
        (resource.RLIMIT_FSIZE, FILE if writes else 0),  # without a grant it can open no file for writing anyway
        (resource.RLIMIT_NOFILE, FILES),
        (resource.RLIMIT_NPROC, THREADS if alone else TASKS),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    )


def apply_to_command(*, beside: int) -> None:
    """Set those of a native command.

    Args:
        beside: How many processes and threads its user, or its user namespace, has without it.

    Raises:
        OSError, ValueError: One couldn't be set.
    """
    _set(
        (resource.RLIMIT_DATA, COMMAND_MEMORY),
        (resource.RLIMIT_AS, COMMAND_SPACE),
        (resource.RLIMIT_CPU, COMMAND_CPU),
        (resource.RLIMIT_FSIZE, COMMAND_FILE),
        (resource.RLIMIT_NOFILE, COMMAND_FILES),
        (resource.RLIMIT_NPROC, beside + THREADS),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    )


def _set(*limits: tuple[int, int]) -> None:
    for what, most in limits:
        _, hard = resource.getrlimit(what)
        if hard != resource.RLIM_INFINITY:
            most = min(most, hard)
        resource.setrlimit(what, (most, most))
