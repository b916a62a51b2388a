"""seccomp for native commands: programs of all kinds, so here what they may not do is named, and the rest works.

Named are the ways to the network, to other processes, to devices, to another root folder or other namespaces, and the
doors of Linux that most of its errors were found behind. What is younger than this table doesn't exist for a command.
"""

from __future__ import annotations

import errno

from .seccomp import ALLOW, MISSING, PRETEND, REFUSE, Argument, Bits, Table, Unlike, Verdict, program

KNOWN = 462
"""The last system call that was looked at (mseal, Linux 6.10)."""

_NAMESPACES = 0x7E020000  # CLONE_NEW*
_CREATE = 0o100 | 0o20000000  # O_CREAT, __O_TMPFILE
_SET_ID = 0o6000
_OUT_OF_BAND = 1  # MSG_OOB
_AF_UNIX, _STREAM = (1,), tuple(1 | cloexec | nonblock for cloexec in (0, 0o2000000) for nonblock in (0, 0o4000))
_TO_TERMINALS = (0x5412, 0x541C, 0x541D)  # TIOCSTI, TIOCLINUX, TIOCCONS
_ITSELF = Argument(0, (0,))
_NO_ATTRIBUTES = 0x00050000 | errno.ENOTSUP


def _rows(verdict: Verdict, text: str) -> dict[str, tuple[int | None, int | None, Verdict]]:
    """Rows of one verdict, written as `name x86_64 aarch64`, with "-" for none."""
    found = {}
    for name, x86, arm in map(str.split, filter(str.strip, text.splitlines())):
        found[name] = (None if x86 == "-" else int(x86), None if arm == "-" else int(arm), verdict)
    return found


_NETWORK = """
    socket 41 198
    connect 42 203
    bind 49 200
    listen 50 201
    accept 43 202
    accept4 288 242
"""
_OTHER_PROCESSES = """
    ptrace 101 117
    process_vm_readv 310 270
    process_vm_writev 311 271
    kcmp 312 272
    pidfd_getfd 438 438
    process_madvise 440 440
    migrate_pages 256 238
    move_pages 279 239
    perf_event_open 298 241
    shmget 29 194
    shmat 30 196
    shmctl 31 195
    shmdt 67 197
    semget 64 190
    semop 65 193
    semctl 66 191
    semtimedop 220 192
    msgget 68 186
    msgsnd 69 189
    msgrcv 70 188
    msgctl 71 187
    mq_open 240 180
    mq_unlink 241 181
    mq_timedsend 242 182
    mq_timedreceive 243 183
    mq_notify 244 184
    mq_getsetattr 245 185
"""
_THE_MACHINE = """
    mount 165 40
    umount2 166 39
    pivot_root 155 41
    chroot 161 51
    open_tree 428 428
    move_mount 429 429
    fsopen 430 430
    fsconfig 431 431
    fsmount 432 432
    fspick 433 433
    mount_setattr 442 442
    statmount 457 457
    listmount 458 458
    unshare 272 97
    setns 308 268
    bpf 321 280
    userfaultfd 323 282
    keyctl 250 219
    add_key 248 217
    request_key 249 218
    open_by_handle_at 304 265
    name_to_handle_at 303 264
    fanotify_init 300 262
    fanotify_mark 301 263
    kexec_load 246 104
    kexec_file_load 320 294
    init_module 175 105
    finit_module 313 273
    delete_module 176 106
    reboot 169 142
    swapon 167 224
    swapoff 168 225
    acct 163 89
    quotactl 179 60
    quotactl_fd 443 443
    syslog 103 116
    settimeofday 164 170
    clock_settime 227 112
    clock_adjtime 305 266
    adjtimex 159 171
    sethostname 170 161
    setdomainname 171 162
    iopl 172 -
    ioperm 173 -
    modify_ldt 154 -
    vhangup 153 58
    nfsservctl 180 42
    lookup_dcookie 212 18
    uselib 134 -
    _sysctl 156 -
    sysfs 139 -
    ustat 136 -
"""
_LOOKED_FOR = """
    io_uring_setup 425 425
    io_uring_enter 426 426
    io_uring_register 427 427
    memfd_create 319 279
    memfd_secret 447 447
    openat2 437 437
    clone3 435 435
    inotify_init 253 -
    inotify_init1 294 26
    inotify_add_watch 254 27
"""
"""Programs do without these. The flags of clone3 and openat2 lie in memory, where no filter sees them."""

TABLE: Table = {
    **_rows(REFUSE, _NETWORK + _OTHER_PROCESSES + _THE_MACHINE),
    **_rows(MISSING, _LOOKED_FOR),
    # A pair of sockets that know each other only; one that sends datagrams could send them to anybody with a name.
    "socketpair": (53, 199, (Argument(0, _AF_UNIX), Argument(1, _STREAM))),
    # Out-of-band data on such pairs has had holes, and nobody uses it.
    "sendto": (44, 206, (Bits(((3, _OUT_OF_BAND),)),)),
    "sendmsg": (46, 211, (Bits(((2, _OUT_OF_BAND),)),)),
    "sendmmsg": (307, 269, (Bits(((3, _OUT_OF_BAND),)),)),
    "recvfrom": (45, 207, (Bits(((3, _OUT_OF_BAND),)),)),
    "recvmsg": (47, 212, (Bits(((2, _OUT_OF_BAND),)),)),
    "recvmmsg": (299, 243, (Bits(((3, _OUT_OF_BAND),)),)),
    "clone": (56, 220, (Bits(((0, _NAMESPACES),)),)),
    "ioctl": (16, 29, (Unlike(1, _TO_TERMINALS),)),
    "prlimit64": (302, 261, (_ITSELF,)),
    "setpriority": (141, 140, (_ITSELF, Argument(1, (0,)))),
    "sched_setaffinity": (203, 122, (_ITSELF,)),
    "sched_setscheduler": (144, 119, (_ITSELF,)),
    "sched_setparam": (142, 118, (_ITSELF,)),
    "sched_setattr": (314, 274, (_ITSELF,)),
    "ioprio_set": (251, 30, (Argument(0, (1,)), Argument(1, (0,)))),
    # Nobody else gets the person's rights by what a command leaves behind: no set-user-ID, no set-group-ID.
    "open": (2, None, (Bits(((1, _CREATE), (2, _SET_ID))),)),
    "openat": (257, 56, (Bits(((2, _CREATE), (3, _SET_ID))),)),
    "creat": (85, None, (Bits(((1, _SET_ID),)),)),
    "mknod": (133, None, (Bits(((1, _SET_ID),)),)),
    "mknodat": (259, 33, (Bits(((2, _SET_ID),)),)),
    "chmod": (90, None, (Bits(((1, _SET_ID),)),)),
    "fchmod": (91, 52, (Bits(((1, _SET_ID),)),)),
    "fchmodat": (268, 53, (Bits(((2, _SET_ID),)),)),
    "fchmodat2": (452, 452, (Bits(((2, _SET_ID),)),)),
}
"""In a root folder of its own, where nothing but the workspace can be changed."""

_IN_PLAIN_SIGHT: Table = {
    # Landlock doesn't look at these, so they would reach files outside the workspace. As for plugins, what copies a
    # file's mode and times is told that it worked.
    **_rows(
        PRETEND,
        """
        chmod 90 -
        fchmod 91 52
        fchmodat 268 53
        fchmodat2 452 452
        chown 92 -
        fchown 93 55
        lchown 94 -
        fchownat 260 54
        utime 132 -
        utimes 235 -
        futimesat 261 -
        utimensat 280 88
        """,
    ),
    **_rows(
        _NO_ATTRIBUTES,
        """
        setxattr 188 5
        lsetxattr 189 6
        fsetxattr 190 7
        getxattr 191 8
        lgetxattr 192 9
        fgetxattr 193 10
        listxattr 194 11
        llistxattr 195 12
        flistxattr 196 13
        removexattr 197 14
        lremovexattr 198 15
        fremovexattr 199 16
        """,
    ),
    # All of a command's processes stay in one group, so that all are ended at once.
    **_rows(
        REFUSE,
        """
        setsid 112 157
        setpgid 109 154
        """,
    ),
}


def compiled(machine: str, *, hidden: bool) -> bytes:
    """The filter of an architecture.

    Args:
        machine: Which.
        hidden: Whether commands have a root folder and processes of their own.
    """
    return program(machine, table(hidden=hidden), unnamed=ALLOW, known=KNOWN)


def table(*, hidden: bool) -> Table:
    """What is named, where commands have a root folder of their own and where they don't."""
    return TABLE if hidden else {**TABLE, **_IN_PLAIN_SIGHT}
