"""What one child may use up. A call has a wall clock besides (worker.py), and an unused child ends."""

from __future__ import annotations

import resource

MEMORY = 512 << 20
"""Bytes of address space. With half of it numpy can't be imported."""
CPU = 60
"""Seconds of processor time in a child's whole life; worker.py replaces one between two calls before that."""
FILES = 64
THREADS, TASKS = 256, 4096
"""Threads that its user may have in all: where that is a user of its own, and where it is the person."""


def apply(*, own_user: bool) -> None:
    """Set them for this process; none can be raised again.

    Args:
        own_user: Whether it will run as a user of its own.

    Raises:
        OSError, ValueError: One couldn't be set.
    """
    for what, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, CPU),
        (resource.RLIMIT_FSIZE, 0),  # nothing that it could open for writing is a file
        (resource.RLIMIT_NOFILE, FILES),
        (resource.RLIMIT_NPROC, THREADS if own_user else TASKS),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        _, hard = resource.getrlimit(what)
        if hard != resource.RLIM_INFINITY:
            most = min(most, hard)
        resource.setrlimit(what, (most, most))
