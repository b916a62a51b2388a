"""seccomp: the system calls that a child may make, by name; every other one fails with EPERM.

The filter is a program for the kernel's BPF machine: is the architecture the one we run on, then a binary search
for the number, then, for a few, a look at the arguments. It stays for good and holds for all threads.
Sources: the kernel's Documentation/userspace-api/seccomp_filter.rst; numbers from its unistd headers.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from .libc import call


class Argument(NamedTuple):
    """An argument that must be one of some values.

    Attributes:
        at: Which, from 0.
        values: The values, of 32 bits, which is how the kernel reads all of these but pointers.
        wide: The upper half must be 0; for pointers.
    """

    at: int
    values: tuple[int, ...]
    wide: bool = False


class Bits(NamedTuple):
    """Bits of arguments that a call must not have, all together: `open` with O_CREAT and a mode that has setuid.

    Attributes:
        at: Argument -> bits of its lower half; the call is refused where each of them has one of its bits.
    """

    at: tuple[tuple[int, int], ...]


class Unlike(NamedTuple):
    """An argument that must be none of some values.

    Attributes:
        at: Which, from 0.
        values: The values, of 32 bits.
    """

    at: int
    values: tuple[int, ...]


Verdict = int | tuple[Argument | Bits | Unlike, ...]
"""A number of seccomp's, or what the arguments of an allowed call must and must not be."""

ALLOW = 0x7FFF0000
KILL = 0x80000000  # the whole process
_ERRNO = 0x00050000
REFUSE = _ERRNO | errno.EPERM
MISSING = _ERRNO | errno.ENOSYS
PRETEND = _ERRNO  # answered with success, and nothing is done
_SET_FILTER, _IS_KNOWN = 1, 2

_THREAD = (0x3D0F00, 0x7D0F00)  # exactly what glibc and musl start a thread with: no process, no namespace
_FCNTL = (0, 1, 2, 3, 4, 1030)  # duplicate, flags; not F_SETOWN, F_SETSIG, F_NOTIFY, F_SETLEASE
_IOCTL = (0x5401, 0x5421, 0x5450, 0x5451)  # is it a terminal, non-blocking, close on exec; not TIOCSTI, TIOCLINUX
_AF_UNIX = (1,)
_STREAM = tuple(1 | cloexec | nonblock for cloexec in (0, 0o2000000) for nonblock in (0, 0o4000))
"""No SOCK_DGRAM: one end of such a pair can send to any socket that has a name."""
_SENDING = (0, 0x40, 0x4000, 0x4040)  # MSG_DONTWAIT, MSG_NOSIGNAL; not MSG_OOB, which has had holes
_RECEIVING = (0, 0x2, 0x40, 0x42, 0x100)  # MSG_PEEK, MSG_DONTWAIT, MSG_WAITALL

NUMBERS = {"x86_64": (0xC000003E, 317), "aarch64": (0xC00000B7, 277)}
"""What the kernel calls an architecture (AUDIT_ARCH_*), and the number of seccomp itself."""

Table = Mapping[str, tuple[int | None, int | None, Verdict]]
"""name: number on x86_64, on aarch64 (None where it has none), verdict."""

TABLE: Table = {
    # Reading, and writing to what is open. Which files can be opened is Landlock's part.
    "read": (0, 63, ALLOW),
    "write": (1, 64, ALLOW),
    "pread64": (17, 67, ALLOW),
    "pwrite64": (18, 68, ALLOW),
    "readv": (19, 65, ALLOW),
    "writev": (20, 66, ALLOW),
    "lseek": (8, 62, ALLOW),
    "open": (2, None, ALLOW),
    "openat": (257, 56, ALLOW),
    "close": (3, 57, ALLOW),
    "close_range": (436, 436, ALLOW),
    "dup": (32, 23, ALLOW),
    "dup2": (33, None, ALLOW),
    "dup3": (292, 24, ALLOW),
    "fcntl": (72, 25, (Argument(1, _FCNTL),)),
    "ioctl": (16, 29, (Argument(1, _IOCTL),)),
    "getdents64": (217, 61, ALLOW),
    "stat": (4, None, ALLOW),
    "fstat": (5, 80, ALLOW),
    "lstat": (6, None, ALLOW),
    "newfstatat": (262, 79, ALLOW),
    "statx": (332, 291, ALLOW),
    "access": (21, None, ALLOW),
    "faccessat": (269, 48, ALLOW),
    "faccessat2": (439, 439, ALLOW),
    "getcwd": (79, 17, ALLOW),
    "umask": (95, 166, ALLOW),
    "fadvise64": (221, 223, ALLOW),
    # What copies a file's mode and times is told that it worked: shutil.copy would fail without need.
    "chmod": (90, None, PRETEND),
    "fchmod": (91, 52, PRETEND),
    "fchmodat": (268, 53, PRETEND),
    "fchmodat2": (452, 452, PRETEND),
    "utime": (132, None, PRETEND),
    "utimes": (235, None, PRETEND),
    "futimesat": (261, None, PRETEND),
    "utimensat": (280, 88, PRETEND),
    "setxattr": (188, 5, _ERRNO | errno.ENOTSUP),
    "lsetxattr": (189, 6, _ERRNO | errno.ENOTSUP),
    "fsetxattr": (190, 7, _ERRNO | errno.ENOTSUP),
    "getxattr": (191, 8, _ERRNO | errno.ENOTSUP),
    "lgetxattr": (192, 9, _ERRNO | errno.ENOTSUP),
    "fgetxattr": (193, 10, _ERRNO | errno.ENOTSUP),
    "listxattr": (194, 11, _ERRNO | errno.ENOTSUP),
    "llistxattr": (195, 12, _ERRNO | errno.ENOTSUP),
    "flistxattr": (196, 13, _ERRNO | errno.ENOTSUP),
    # Memory.
    "mmap": (9, 222, ALLOW),
    "mprotect": (10, 226, ALLOW),
    "munmap": (11, 215, ALLOW),
    "mremap": (25, 216, ALLOW),
    "madvise": (28, 233, ALLOW),
    "brk": (12, 214, ALLOW),
    "membarrier": (324, 283, ALLOW),
    # Threads, and the end.
    "clone": (56, 220, (Argument(0, _THREAD),)),
    "clone3": (435, 435, MISSING),  # its flags lie in memory, where no filter sees them; libc falls back to clone
    "futex": (202, 98, ALLOW),
    "set_robust_list": (273, 99, ALLOW),
    "set_tid_address": (218, 96, ALLOW),
    "rseq": (334, 293, ALLOW),
    "sched_yield": (24, 124, ALLOW),
    "sched_getaffinity": (204, 123, ALLOW),
    "exit": (60, 93, ALLOW),
    "exit_group": (231, 94, ALLOW),
    "restart_syscall": (219, 128, ALLOW),
    # Signals: how to take them, none to send.
    "rt_sigaction": (13, 134, ALLOW),
    "rt_sigprocmask": (14, 135, ALLOW),
    "rt_sigreturn": (15, 139, ALLOW),
    "sigaltstack": (131, 132, ALLOW),
    "setitimer": (38, 103, ALLOW),
    "getitimer": (36, 102, ALLOW),
    # Waiting: select and asyncio.
    "poll": (7, None, ALLOW),
    "ppoll": (271, 73, ALLOW),
    "select": (23, None, ALLOW),
    "pselect6": (270, 72, ALLOW),
    "epoll_create1": (291, 20, ALLOW),
    "epoll_ctl": (233, 21, ALLOW),
    "epoll_wait": (232, None, ALLOW),
    "epoll_pwait": (281, 22, ALLOW),
    "epoll_pwait2": (441, 441, ALLOW),
    "eventfd2": (290, 19, ALLOW),
    "pipe": (22, None, ALLOW),
    "pipe2": (293, 59, ALLOW),
    # A pair of sockets that know each other only. No socket(), so nothing to connect or to bind.
    "socketpair": (53, 199, (Argument(0, _AF_UNIX), Argument(1, _STREAM))),
    "sendto": (44, 206, (Argument(4, (0,), wide=True), Argument(3, _SENDING))),  # to the other end, not to an address
    "recvfrom": (45, 207, (Argument(3, _RECEIVING),)),
    "shutdown": (48, 210, ALLOW),
    "getsockname": (51, 204, ALLOW),
    "getpeername": (52, 205, ALLOW),
    # Time.
    "clock_gettime": (228, 113, ALLOW),
    "clock_getres": (229, 114, ALLOW),
    "clock_nanosleep": (230, 115, ALLOW),
    "nanosleep": (35, 101, ALLOW),
    "gettimeofday": (96, 169, ALLOW),
    "time": (201, None, ALLOW),
    "times": (100, 153, ALLOW),
    # Who and where am I.
    "getpid": (39, 172, ALLOW),
    "getppid": (110, 173, ALLOW),
    "gettid": (186, 178, ALLOW),
    "getpgrp": (111, None, ALLOW),
    "getsid": (124, 156, ALLOW),
    "getuid": (102, 174, ALLOW),
    "geteuid": (107, 175, ALLOW),
    "getgid": (104, 176, ALLOW),
    "getegid": (108, 177, ALLOW),
    "getgroups": (115, 158, ALLOW),
    "getresuid": (118, 148, ALLOW),
    "getresgid": (120, 150, ALLOW),
    "uname": (63, 160, ALLOW),
    "sysinfo": (99, 179, ALLOW),
    "getrusage": (98, 165, ALLOW),
    "getrlimit": (97, 163, ALLOW),
    "prlimit64": (302, 261, (Argument(0, (0,)),)),  # of itself only
    "getrandom": (318, 278, ALLOW),
}

WRITING: Table = {
    # Where a folder was granted to write to; which files these reach is Landlock's part.
    "mkdir": (83, None, ALLOW),
    "mkdirat": (258, 34, ALLOW),
    "rmdir": (84, None, ALLOW),
    "unlink": (87, None, ALLOW),
    "unlinkat": (263, 35, ALLOW),
    "rename": (82, None, ALLOW),
    "renameat": (264, 38, ALLOW),
    "renameat2": (316, 276, ALLOW),
    "ftruncate": (77, 46, ALLOW),
    "fsync": (74, 82, ALLOW),
    "fdatasync": (75, 83, ALLOW),
    "fcntl": (72, 25, (Argument(1, (*_FCNTL, 5, 6, 7)),)),  # locks, for databases
}
"""What is added to the table for a child that may write somewhere."""


def is_available() -> bool:
    """Whether the running kernel can hold a filter, and we have a table for its architecture."""
    machine = os.uname().machine
    if machine not in NUMBERS or struct.calcsize("P") != 8:
        return False
    try:
        for verdict in (KILL, _ERRNO, ALLOW):
            call("syscall", NUMBERS[machine][1], _IS_KNOWN, 0, ctypes.c_uint32(verdict))
    except OSError:
        return False
    return True


def allowed(machine: str) -> list[str]:
    """The system calls of an architecture that do what they say, with all or with some arguments."""
    column = list(NUMBERS).index(machine)
    return [
        name
        for name, row in TABLE.items()
        if row[column] is not None and (row[2] == ALLOW or not isinstance(row[2], int))
    ]


def load(program: bytes) -> None:
    """Filter all further system calls of this thread, and of those that it will start.

    Needs no_new_privs, and a process of one thread.

    Raises:
        OSError: It isn't in force.
    """
    code = ctypes.create_string_buffer(program, len(program))
    filter_ = _Program(len(program) // _STEP.size, ctypes.addressof(code))
    call("syscall", NUMBERS[os.uname().machine][1], _SET_FILTER, 0, filter_)


def compiled(machine: str, *, writes: bool = False) -> bytes:
    """The filter of an architecture for a plugin.

    Args:
        machine: The architecture.
        writes: Whether it is for a child that may write somewhere.
    """
    return program(machine, {**TABLE, **WRITING} if writes else TABLE)


def program(machine: str, table: Table, *, unnamed: int = REFUSE, known: int = 0) -> bytes:
    """A filter as a program of BPF.

    Args:
        machine: The architecture.
        table: The system calls that it names.
        unnamed: The verdict on those that it doesn't.
        known: The last number that `unnamed` is about; what comes later, no table can have thought of.
    """
    audit, _ = NUMBERS[machine]
    head = [(_LOAD, 0, 0, _ARCH), (_EQUAL, 1, 0, audit), (_RETURN, 0, 0, KILL), (_LOAD, 0, 0, _NUMBER)]
    return b"".join(_STEP.pack(*step) for step in [*head, *_search(_spans(machine, table, unnamed, known))])


_STEP = struct.Struct("<HBBI")  # operation, jump if true, jump if false, operand
_LOAD, _EQUAL, _AT_LEAST, _SOME, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16  # where they are in struct seccomp_data
_X32 = 0x40000000  # numbers of a second ABI that x86_64 kernels may have

_Steps = list[tuple[int, int, int, int]]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_void_p))


def _spans(machine: str, table: Table, unnamed: int, known: int) -> list[tuple[int, Verdict]]:
    """Where each verdict begins; it ends where the next begins."""
    column = list(NUMBERS).index(machine)
    named = {row[:2][column]: row[2] for row in table.values()}
    end = max(known, *(number for number in named if number is not None)) + 1
    every = [(number, named.get(number, unnamed)) for number in range(end)]
    every.append((end, MISSING if known else REFUSE))
    if machine == "x86_64":
        every.append((_X32, KILL))
    return [one for i, one in enumerate(every) if i == 0 or one[1] != every[i - 1][1]]


def _search(spans: list[tuple[int, Verdict]]) -> _Steps:
    """Steps that end with the verdict on the number that is loaded."""
    if len(spans) == 1:
        return list(_decide(spans[0][1]))
    middle = len(spans) // 2
    below, above = _search(spans[:middle]), _search(spans[middle:])
    return [(_AT_LEAST, len(below), 0, spans[middle][0]), *below, *above]  # struct refuses a jump beyond 255


def _decide(verdict: Verdict) -> Iterator[tuple[int, int, int, int]]:
    if isinstance(verdict, int):
        yield _RETURN, 0, 0, verdict
        return
    for one in verdict:
        if isinstance(one, Bits):
            for left, (at, bits) in zip(range(len(one.at) - 1, -1, -1), one.at, strict=True):
                yield _LOAD, 0, 0, _ARGUMENTS + 8 * at
                yield _SOME, 0, 2 * left + 1, bits
            yield _RETURN, 0, 0, REFUSE
            continue
        if isinstance(one, Unlike):
            yield _LOAD, 0, 0, _ARGUMENTS + 8 * one.at
            for left, value in zip(range(len(one.values) - 1, -1, -1), one.values, strict=True):
                yield _EQUAL, left, 0 if left else 1, value
            yield _RETURN, 0, 0, REFUSE
            continue
        at, values, wide = one
        where = _ARGUMENTS + 8 * at  # little endian, both of them: the lower half comes first
        if wide:
            yield from ((_LOAD, 0, 0, where + 4), (_EQUAL, 1, 0, 0), (_RETURN, 0, 0, REFUSE))
        yield _LOAD, 0, 0, where
        for left, value in zip(range(len(values), 0, -1), values, strict=True):
            yield _EQUAL, left, 0, value
        yield _RETURN, 0, 0, REFUSE
    yield _RETURN, 0, 0, ALLOW
