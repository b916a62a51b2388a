"""Doors of the operating system that a plugin has no business at."""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
from typing import Any

from .native import LIBC, X86, syscall

Ground = dict[str, Any]
NEW_USER, NEW_FILES = 0x10000000, 0x00020000


def open_io_uring(_: Ground) -> object:
    return syscall(425, 425, 4, ctypes.create_string_buffer(120)) >= 0


def keep_a_kernel_key(_: Ground) -> object:
    return syscall(248, 217, b"user", b"llmasos-attack", b"x", 1, -2) > 0  # in its own process keyring


def load_bpf(_: Ground) -> object:
    attributes = ctypes.create_string_buffer(128)
    for at, value in enumerate((2, 4, 4, 1)):  # an array of one element
        ctypes.c_uint32.from_buffer(attributes, 4 * at).value = value
    return syscall(321, 280, 0, attributes, 128) >= 0


def measure_the_processor(_: Ground) -> object:
    attributes = ctypes.create_string_buffer(128)
    ctypes.c_uint32.from_buffer(attributes).value = 1  # of software, the task clock
    ctypes.c_uint32.from_buffer(attributes, 4).value = 128
    ctypes.c_uint64.from_buffer(attributes, 8).value = 1
    ctypes.c_uint64.from_buffer(attributes, 40).value = 0b1100000  # without the kernel
    return syscall(298, 241, attributes, 0, -1, -1, 0) >= 0


def handle_page_faults(_: Ground) -> object:
    return syscall(323, 282, 1) >= 0  # user faults only


def make_a_memory_file(_: Ground) -> object:
    return os.memfd_create("x") >= 0


def mount(ground: Ground) -> object:
    place = ground["open_folder"].encode()
    if LIBC.mount(b"x", place, b"tmpfs", 0, None):
        return False
    return LIBC.umount2(place, 2) == 0


def mount_by_descriptor(_: Ground) -> object:
    return syscall(430, 430, b"tmpfs", 0) >= 0  # fsopen


def clone_a_mount(ground: Ground) -> object:
    return syscall(428, 428, -100, ground["open_folder"].encode(), 1) >= 0  # open_tree


def enter_a_user_namespace(_: Ground) -> object:
    return LIBC.unshare(NEW_USER) == 0


def enter_a_mount_namespace(_: Ground) -> object:
    return LIBC.unshare(NEW_FILES) == 0


def enter_the_kernels_namespace(ground: Ground) -> object:
    return LIBC.setns(os.pidfd_open(ground["kernel"]), 0x40000000) == 0


def clone_with_hidden_flags(_: Ground) -> object:
    arguments = (ctypes.c_uint64 * 11)(0, 0, 0, 0, 17)  # a process, ended by SIGCHLD
    child = syscall(435, 435, arguments, 88)
    if not child:
        os._exit(0)
    return child


def change_root(ground: Ground) -> object:
    os.chroot(ground["open_folder"])
    return True


def name_the_host(_: Ground) -> object:
    name = os.uname().nodename.encode()
    return LIBC.sethostname(name, len(name)) == 0


def read_the_kernels_log(_: Ground) -> object:
    return syscall(103, 116, 3, ctypes.create_string_buffer(100), 100)


def attach_shared_memory(ground: Ground) -> object:
    return syscall(30, 196, ground["shared_memory"], 0, 0o10000)  # to read


def make_a_message_queue(_: Ground) -> object:
    return syscall(71, 189, syscall(68, 186, 0, 0o600), 0, 0) == 0  # and remove it


def open_a_posix_queue(_: Ground) -> object:
    attributes, name = (ctypes.c_long * 8)(0, 1, 8), f"llmasos-attack-{os.getpid()}".encode()
    queue = syscall(240, 180, name, os.O_CREAT | os.O_RDWR, 0o600, attributes)
    syscall(241, 181, name)
    return queue >= 0


def type_into_a_terminal(ground: Ground) -> object:
    terminal = os.open(ground["terminal"], os.O_RDWR)
    fcntl.ioctl(terminal, 0x5412, b"x")  # TIOCSTI
    return True


def use_the_32_bit_door(_: Ground) -> object:
    if not X86:
        return False
    # mov eax, 20 (getpid); int 0x80; ret
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
    function = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
    return function() == os.getpid()


def use_the_x32_door(_: Ground) -> object:
    return X86 and syscall(0x40000000 + 39, 0) == os.getpid()


def filter_its_own_calls(_: Ground) -> object:
    """A filter of its own could make a failing call look like a successful one to our code."""
    return syscall(317, 277, 2, 0, (ctypes.c_uint32 * 1)(0x7FFF0000)) == 0


def advise_another_process(ground: Ground) -> object:
    span = (ctypes.c_ulong * 2)(ground["kernel_address"], 4096)
    return syscall(440, 440, os.pidfd_open(ground["kernel"]), span, 1, 20, 0) >= 0
