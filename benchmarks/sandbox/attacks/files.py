"""Reading, writing and looking at what isn't the plugin's."""

from __future__ import annotations

import ctypes
import glob
import os
import sys
from pathlib import Path
from typing import Any

from .native import X86, syscall

HERE = Path(__file__).parent
Ground = dict[str, Any]


def read_a_private_key(ground: Ground) -> object:
    return Path(ground["secret"]).read_text()


def read_the_keyring(ground: Ground) -> object:
    return Path(ground["home"], "keyring.key").read_text()


def read_passwd(_: Ground) -> object:
    return Path("/etc/passwd").read_text()


def read_another_plugin(ground: Ground) -> object:
    return Path(ground["other_plugin"]).read_text()


def read_the_kernels_code(ground: Ground) -> object:
    return Path(ground["code"]).read_bytes()


def read_installed_packages(_: Ground) -> object:
    folders = Path(os.__file__).parent / "site-packages", Path("/usr/lib/python3/dist-packages")
    return next(file for folder in folders for file in folder.glob("*/*.py")).read_bytes()


def read_through_a_link(ground: Ground) -> object:
    return Path(ground["link"]).read_text()


def read_by_native_code(ground: Ground) -> object:
    descriptor = syscall(2, 1024, ground["secret"].encode(), 0) if X86 else os.open(ground["secret"], os.O_RDONLY)
    return os.read(descriptor, 100)


def read_by_descriptor_path(ground: Ground) -> object:
    place = os.open(Path(ground["secret"]).parent, os.O_PATH)
    return Path(f"/proc/self/fd/{place}/{Path(ground['secret']).name}").read_text()


def read_by_file_handle(ground: Ground) -> object:
    handle = ctypes.create_string_buffer(136)
    ctypes.c_uint32.from_buffer(handle).value = 128
    at = -100
    syscall(303, 264, at, ground["secret"].encode(), handle, ctypes.create_string_buffer(4), 0)
    return syscall(304, 265, os.open("/", os.O_RDONLY), handle, 0)


def read_a_disk(_: Ground) -> object:
    disks = glob.glob("/dev/[sv]d[a-z]") + glob.glob("/dev/nvme?n?")
    return Path(disks[0]).open("rb").read(1)


def list_the_home(ground: Ground) -> object:
    return os.listdir(ground["home"])


def see_a_file(ground: Ground) -> object:
    roots = [root for root in ("", "/old", "/tmp/old", "/proc/self/root") if os.path.exists(root + ground["secret"])]
    return roots and os.stat(roots[0] + ground["secret"]).st_size


def see_where_a_link_leads(ground: Ground) -> object:
    return os.readlink(Path(ground["secret"]).parent / "link")


def watch_the_home(ground: Ground) -> object:
    return syscall(254, 27, syscall(294, 26, 0), ground["home"].encode(), 0xFFF) >= 0


def watch_by_fanotify(ground: Ground) -> object:
    return syscall(301, 263, syscall(300, 262, 0, 0), 1, 0x20, -100, ground["home"].encode()) == 0


def write_outside(ground: Ground) -> object:
    with open(ground["victim"], "a") as file:
        return file.write("owned\n")


def write_its_own_code(_: Ground) -> object:
    with (HERE / "plugin.py").open("a") as file:
        return file.write("# owned\n")


def write_the_standard_library(ground: Ground) -> object:
    with open(sys.modules["json"].__file__ or "", "a") as file:
        return file.writable()


def write_temporary(ground: Ground) -> object:
    with open(f"{ground['open_folder']}/dropped", "w") as file:
        return file.write("x")


def write_shared_memory(_: Ground) -> object:
    path = Path(f"/dev/shm/llmasos-attack-{os.getpid()}")
    path.write_text("x")
    path.unlink()
    return True


def truncate(ground: Ground) -> object:
    os.truncate(ground["victim"], 0)


def delete(ground: Ground) -> object:
    os.unlink(ground["victim"])


def rename(ground: Ground) -> object:
    os.rename(ground["victim"], ground["victim"] + ".moved")


def make_a_folder(ground: Ground) -> object:
    os.mkdir(f"{ground['open_folder']}/made")


def make_a_link(ground: Ground) -> object:
    os.symlink(ground["secret"], f"{ground['open_folder']}/made")


def make_a_hard_link(ground: Ground) -> object:
    os.link(ground["secret"], f"{ground['open_folder']}/made")


def make_a_pipe(ground: Ground) -> object:
    os.mkfifo(f"{ground['open_folder']}/made")


def change_mode(ground: Ground) -> object:
    os.chmod(ground["victim"], 0o777)


def change_owner(ground: Ground) -> object:
    os.chown(ground["victim"], os.getuid(), ground["other_group"])


def change_times(ground: Ground) -> object:
    os.utime(ground["victim"], (1, 1))


def change_attributes(ground: Ground) -> object:
    os.setxattr(ground["victim"], "user.owned", b"1")
