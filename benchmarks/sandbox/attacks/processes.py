"""Reaching other processes, starting some, and staying when it should end."""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from .native import syscall

Ground = dict[str, Any]


def kill_the_kernel(ground: Ground) -> object:
    os.kill(ground["kernel"], signal.SIGTERM)
    return True


def kill_the_zygote(_: Ground) -> object:
    os.kill(os.getppid(), 0)
    return True


def kill_a_thread(ground: Ground) -> object:
    return syscall(234, 131, ground["kernel"], ground["kernel"], signal.SIGTERM) == 0


def kill_by_queue(ground: Ground) -> object:
    information = ctypes.create_string_buffer(128)
    ctypes.c_int.from_buffer(information, 8).value = -1  # SI_QUEUE
    return syscall(129, 138, ground["kernel"], signal.SIGTERM, information) == 0


def kill_by_pidfd(ground: Ground) -> object:
    signal.pidfd_send_signal(os.pidfd_open(ground["kernel"]), signal.SIGTERM)
    return True


def kill_by_owned_pipe(ground: Ground) -> object:
    heard, said = os.pipe()
    fcntl.fcntl(heard, fcntl.F_SETOWN, ground["kernel"])
    fcntl.fcntl(heard, 10, signal.SIGTERM)  # F_SETSIG
    fcntl.fcntl(heard, fcntl.F_SETFL, os.O_ASYNC)
    os.write(said, b"x")
    time.sleep(0.05)  # whether it died is looked at from outside


def trace_the_kernel(ground: Ground) -> object:
    return syscall(101, 117, 16, ground["kernel"], 0, 0) == 0  # PTRACE_ATTACH


def read_the_kernels_memory(ground: Ground) -> object:
    return _from_memory(ground["kernel"])


def read_the_kernels_memory_by_call(ground: Ground) -> object:
    local, there = ctypes.create_string_buffer(8), ground["kernel_address"]
    here = (ctypes.c_ulong * 2)(ctypes.addressof(local), 8)
    return syscall(310, 270, ground["kernel"], here, 1, (ctypes.c_ulong * 2)(there, 8), 1, 0)


def read_the_kernels_environment(ground: Ground) -> object:
    return Path(f"/proc/{ground['kernel']}/environ").read_bytes()


def read_the_zygotes_memory(_: Ground) -> object:
    return _from_memory(os.getppid())


def list_processes(_: Ground) -> object:
    return os.listdir("/proc")


def take_a_descriptor(ground: Ground) -> object:
    return syscall(438, 438, os.pidfd_open(ground["kernel"]), 1, 0)


def compare_descriptors(ground: Ground) -> object:
    return syscall(312, 272, os.getpid(), ground["kernel"], 0, 0, 0) >= 0


def limit_the_kernel(ground: Ground) -> object:
    return resource.prlimit(ground["kernel"], resource.RLIMIT_NOFILE)


def slow_the_kernel(ground: Ground) -> object:
    os.setpriority(os.PRIO_PROCESS, ground["kernel"], 19)
    return True


def place_the_kernel(ground: Ground) -> object:
    os.sched_setaffinity(ground["kernel"], {0})
    return True


def fork(_: Ground) -> object:
    child = os.fork()
    if not child:
        os._exit(0)
    return os.waitpid(child, 0)


def execute(_: Ground) -> object:
    return subprocess.run(["/bin/true"], check=True)


def execute_what_was_never_written(_: Ground) -> object:
    file = os.memfd_create("x", 0)
    os.write(file, b"#!/bin/true\n")
    return os.posix_spawn(f"/proc/self/fd/{file}", ["x"], {})


def outlive_the_kernel(_: Ground) -> object:
    return syscall(157, 167, 1, 0, 0, 0, 0) == 0  # PR_SET_PDEATHSIG: none


def become_root_again(_: Ground) -> object:
    os.setuid(0)
    return os.geteuid() == 0


def take_capabilities(_: Ground) -> object:
    header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    syscall(125, 90, header, sets)
    return any(word & ~4 for word in sets[:2])  # all but the right to read


def find_an_environment(_: Ground) -> object:
    return set(os.environ) - {"LC_CTYPE"}  # Python sets that one itself


def find_descriptors(_: Ground) -> object:
    found = []
    for descriptor in range(1024):
        try:
            os.fstat(descriptor)
            found.append(descriptor)
        except OSError:
            continue
    return found[4:]  # in, out, error, and the channel


def find_the_kernels_code(_: Ground) -> object:
    import llmasos.core

    return llmasos.core


def _from_memory(pid: int) -> bytes:
    with open(f"/proc/{pid}/maps") as maps:
        first = next(line for line in maps if " r" in line)
    with open(f"/proc/{pid}/mem", "rb") as memory:
        memory.seek(int(first.split("-")[0], 16))
        return memory.read(8)
