"""The filter as a program: run step by step for every number, on both architectures, and compared with the table."""

from __future__ import annotations

import errno
import re
import struct
from pathlib import Path

import pytest

from llmasos.core.kernel.sandbox import seccomp, seccomp_commands
from llmasos.core.kernel.sandbox.seccomp import ALLOW, KILL, MISSING, NUMBERS, PRETEND, REFUSE, TABLE, WRITING, Argument

LOAD, EQUAL, AT_LEAST, SOME, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
X86, ARM = "x86_64", "aarch64"


def verdict(
    machine: str,
    number: int,
    *arguments: int,
    audit: int | None = None,
    writes: bool = False,
    program: bytes | None = None,
) -> int:
    """What the filter says to a call, as the kernel's machine would run it."""
    words = [word & (1 << 64) - 1 for word in (*arguments, *[0] * (6 - len(arguments)))]
    data = struct.pack("<IIQ6Q", number, audit or NUMBERS[machine][0], 0, *words)
    steps = list(struct.iter_unpack("<HBBI", program or seccomp.compiled(machine, writes=writes)))
    at = accumulator = 0
    while True:
        operation, then, otherwise, operand = steps[at]
        at += 1
        if operation == LOAD:
            (accumulator,) = struct.unpack_from("<I", data, operand)
        elif operation in (EQUAL, AT_LEAST, SOME):
            holds = {EQUAL: accumulator == operand, AT_LEAST: accumulator >= operand, SOME: accumulator & operand}
            at += then if holds[operation] else otherwise
        else:
            assert operation == RETURN
            return operand


def number(machine: str, name: str) -> int:
    found = TABLE[name][:2][list(NUMBERS).index(machine)]
    assert found is not None
    return found


@pytest.mark.parametrize("writes", [False, True])
@pytest.mark.parametrize("machine", NUMBERS)
def test_every_number_has_the_verdict_of_the_table(machine: str, writes: bool) -> None:
    column = list(NUMBERS).index(machine)
    table = {row[:2][column]: row[2] for row in {**TABLE, **(WRITING if writes else {})}.values()}
    for one in range(1024):
        wanted = table.get(one, REFUSE)
        if isinstance(wanted, int):
            assert verdict(machine, one, writes=writes) == wanted
            assert verdict(machine, one, *[-1] * 6, writes=writes) == wanted
        else:
            fitting = [0] * 6
            for argument in wanted:
                fitting[argument.at] = argument.values[-1]
            assert verdict(machine, one, *fitting, writes=writes) == ALLOW
            for argument in wanted:
                wrong = list(fitting)
                wrong[argument.at] = 0x7ABC_DEF1
                assert verdict(machine, one, *wrong, writes=writes) == REFUSE


@pytest.mark.parametrize("machine", NUMBERS)
def test_another_architecture_is_the_end(machine: str) -> None:
    i386, arm = 0x40000003, 0x40000028
    for audit in (i386, arm, NUMBERS[ARM if machine == X86 else X86][0]):
        assert verdict(machine, number(machine, "getpid"), audit=audit) == KILL


def test_x32_is_the_end() -> None:
    for one in (0x40000000, 0x40000000 + 39, 0x7FFFFFFF, 0xFFFFFFFF):
        assert verdict(X86, one) == KILL


@pytest.mark.parametrize("machine", NUMBERS)
def test_arguments(machine: str) -> None:
    def said(name: str, *arguments: int) -> int:
        return verdict(machine, number(machine, name), *arguments)

    thread, process, namespace = 0x3D0F00, 0x1200011, 0x10000000
    assert said("clone", thread) == said("clone", 0x7D0F00) == ALLOW
    assert said("clone", process) == said("clone", thread | namespace) == said("clone", thread & ~0x10000) == REFUSE
    assert said("clone3") == MISSING
    assert said("socketpair", 1, 1) == said("socketpair", 1, 1 | 0o2000000 | 0o4000) == ALLOW
    assert said("socketpair", 1, 2) == said("socketpair", 2, 1) == said("socketpair", 1, 5) == REFUSE
    assert said("sendto", 3, 0, 0, 0x4000, 0) == ALLOW
    assert said("sendto", 3, 0, 0, 0, 0x1000) == said("sendto", 3, 0, 0, 0, 1 << 32) == REFUSE, "an address"
    assert said("sendto", 3, 0, 0, 1) == said("recvfrom", 3, 0, 0, 1) == REFUSE, "out of band"
    assert said("prlimit64", 0, 7) == ALLOW
    assert said("prlimit64", 1, 7) == REFUSE
    assert said("ioctl", 0, 0x5421) == ALLOW
    assert said("ioctl", 0, 0x5412) == said("ioctl", 0, 0x541C) == said("ioctl", 0, 0x8901) == REFUSE
    assert said("fcntl", 0, 3) == said("fcntl", 0, 1030) == ALLOW
    assert said("fcntl", 0, 8) == said("fcntl", 0, 10) == said("fcntl", 0, 1026) == said("fcntl", 0, 1024) == REFUSE
    assert said("fchmod") == said("utimensat") == PRETEND
    assert said("fsetxattr") & 0xFFFF == errno.ENOTSUP


FORBIDDEN = [
    "socket",
    "connect",
    "bind",
    "listen",
    "accept",
    "accept4",
    "sendmsg",
    "recvmsg",
    "sendmmsg",
    "setsockopt",
    "getsockopt",
    "execve",
    "execveat",
    "fork",
    "vfork",
    "kill",
    "tkill",
    "tgkill",
    "rt_sigqueueinfo",
    "pidfd_open",
    "pidfd_send_signal",
    "pidfd_getfd",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "io_uring_setup",
    "io_uring_enter",
    "bpf",
    "keyctl",
    "add_key",
    "request_key",
    "memfd_create",
    "memfd_secret",
    "userfaultfd",
    "perf_event_open",
    "unshare",
    "setns",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "fsopen",
    "open_tree",
    "move_mount",
    "mount_setattr",
    "openat2",
    "name_to_handle_at",
    "open_by_handle_at",
    "setuid",
    "setresuid",
    "setgid",
    "setgroups",
    "capset",
    "prctl",
    "seccomp",
    "landlock_create_ruleset",
    "personality",
    "mkdirat",
    "unlinkat",
    "renameat2",
    "linkat",
    "symlinkat",
    "mknodat",
    "truncate",
    "ftruncate",
    "fallocate",
    "fchown",
    "fchownat",
    "readlinkat",
    "inotify_init1",
    "inotify_add_watch",
    "fanotify_init",
    "shmget",
    "shmat",
    "msgget",
    "semget",
    "mq_open",
    "syslog",
    "reboot",
    "kexec_load",
    "init_module",
    "finit_module",
    "delete_module",
    "swapon",
    "settimeofday",
    "clock_settime",
    "adjtimex",
    "sethostname",
    "setpriority",
    "sched_setaffinity",
    "quotactl",
    "acct",
    "vhangup",
    "lookup_dcookie",
    "kcmp",
    "process_madvise",
    "splice",
    "tee",
    "vmsplice",
    "sendfile",
    "copy_file_range",
    "mlock",
]


def test_what_nobody_may_is_not_in_the_table() -> None:
    assert not set(FORBIDDEN) & set(TABLE)
    assert set(FORBIDDEN) & set(WRITING) == {"mkdirat", "unlinkat", "renameat2", "ftruncate"}


HEADERS = {
    X86: Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    ARM: Path("/usr/include/asm-generic/unistd.h"),
}


@pytest.mark.parametrize("machine", NUMBERS)
def test_numbers_are_those_of_the_kernels_headers(machine: str) -> None:
    if not HEADERS[machine].exists():
        pytest.skip("no headers of the kernel here")
    pattern = r"^#define __NR(?:3264)?_(\w+)\s+(\d+)"
    theirs = dict(re.findall(pattern, HEADERS[machine].read_text(), re.MULTILINE))
    theirs |= {"newfstatat": theirs["fstatat"]} if "fstatat" in theirs else {}
    column = list(NUMBERS).index(machine)
    every = {**TABLE, **WRITING, **seccomp_commands.table(hidden=False)}
    young = {"fchmodat2", "statmount", "listmount"}  # than some headers
    theirs.setdefault("name_to_handle_at", "264")  # those of aarch64 may lie behind a condition
    theirs.setdefault("open_by_handle_at", "265")
    ours = {name: row[:2][column] for name, row in every.items() if name not in young}
    assert {name: theirs.get(name) for name in ours} == {n: None if v is None else str(v) for n, v in ours.items()}
    assert int(theirs["seccomp"]) == NUMBERS[machine][1]
    known = set(theirs) | {"umount2"}
    assert set(FORBIDDEN) - known <= {"fork", "vfork", "memfd_secret", "kexec_load", "lookup_dcookie"}


COMMANDS = [(machine, hidden) for machine in NUMBERS for hidden in (True, False)]
NEVER = [
    "socket", "connect", "bind", "listen", "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "kcmp", "bpf",
    "keyctl", "add_key", "request_key", "userfaultfd", "perf_event_open", "mount", "umount2", "pivot_root", "chroot",
    "fsopen", "open_tree", "move_mount", "mount_setattr", "unshare", "setns", "open_by_handle_at", "init_module",
    "finit_module", "kexec_load", "reboot", "swapon", "settimeofday", "clock_settime", "sethostname", "syslog", "shmat",
    "semget", "msgget", "mq_open", "quotactl", "acct", "fanotify_init",
]  # fmt: skip


@pytest.mark.parametrize(("machine", "hidden"), COMMANDS)
def test_what_a_command_may_not(machine: str, hidden: bool) -> None:
    table, program = seccomp_commands.table(hidden=hidden), seccomp_commands.compiled(machine, hidden=hidden)
    column = list(NUMBERS).index(machine)

    def said(name: str, *arguments: int) -> int:
        found = table[name][:2][column]
        assert found is not None
        return verdict(machine, found, *arguments, program=program)

    for name in NEVER:
        assert said(name) == said(name, *[-1] * 6) == REFUSE, name
    for name in ("clone3", "openat2", "io_uring_setup", "memfd_create"):
        assert said(name) == MISSING
    assert said("clone", 0x1200011) == said("clone", 0x3D0F00) == ALLOW
    for namespace in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert said("clone", 0x1200011 | namespace) == REFUSE
    assert said("socketpair", 1, 1) == ALLOW
    assert said("socketpair", 1, 2) == said("socketpair", 1, 5) == said("socketpair", 2, 1) == REFUSE
    assert said("ioctl", 0, 0x5401) == said("ioctl", 0, 0x5413) == ALLOW
    assert said("ioctl", 0, 0x5412) == said("ioctl", 0, 0x541C) == said("ioctl", 0, 0x541D) == REFUSE
    assert said("prlimit64", 0, 7) == said("setpriority", 0, 0, 5) == said("sched_setaffinity", 0) == ALLOW
    assert said("prlimit64", 1) == said("setpriority", 0, 1) == said("setpriority", 2, 0) == REFUSE
    assert said("sched_setaffinity", 1) == said("ioprio_set", 1, 1) == REFUSE
    create, temporary, mode = 0o100, 0o20200000, 0o755
    assert said("openat", -100, 0, create, mode) == said("openat", -100, 0, 0, 0o4755) == ALLOW
    for flags in (create, create | 0o1, temporary):
        for bits in (0o4000, 0o2000, 0o6000):
            assert said("openat", -100, 0, flags, mode | bits) == REFUSE
    assert said("mknodat", -100, 0, 0o100755) == ALLOW
    assert said("mknodat", -100, 0, 0o104755) == REFUSE
    if hidden:
        assert said("fchmodat", -100, 0, 0o755) == said("fchmod", 3, 0o1777) == said("fchmodat2", -100, 0, 0) == ALLOW
        assert (
            said("fchmodat", -100, 0, 0o4755) == said("fchmod", 3, 0o2755) == said("fchmodat2", 3, 0, 0o4000) == REFUSE
        )
    else:
        assert said("fchmodat", -100, 0, 0o755) == said("utimensat") == said("fchownat") == PRETEND
        assert said("fsetxattr") & 0xFFFF == errno.ENOTSUP
        assert said("setsid") == said("setpgid") == REFUSE


@pytest.mark.parametrize(("machine", "hidden"), COMMANDS)
def test_what_else_there_is_works_for_a_command_and_nothing_later(machine: str, hidden: bool) -> None:
    table, program = seccomp_commands.table(hidden=hidden), seccomp_commands.compiled(machine, hidden=hidden)
    named = {row[:2][list(NUMBERS).index(machine)] for row in table.values()}
    for one in set(range(seccomp_commands.KNOWN + 1)) - named:
        assert verdict(machine, one, *[-1] * 6, program=program) == ALLOW
    for one in (seccomp_commands.KNOWN + 1, 512, 547, 0x3FFFFFFF):
        assert verdict(machine, one, program=program) == MISSING
    assert verdict(machine, 0, program=program, audit=0x40000003) == KILL
    if machine == X86:
        assert verdict(machine, 0x40000000, program=program) == KILL


def test_a_filter_the_kernel_takes() -> None:
    for machine in NUMBERS:
        for program in (
            seccomp.compiled(machine),
            *(seccomp_commands.compiled(machine, hidden=h) for h in (True, False)),
        ):
            assert 100 < len(program) // 8 < 4096
    assert Argument(0, (1,)).wide is False
