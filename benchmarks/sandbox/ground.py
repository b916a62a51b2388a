"""What attacks are run against: a home with secrets, a stand-in for the kernel's process, sockets, a terminal."""

from __future__ import annotations

import ctypes
import os
import pty
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import llmasos

ATTACKS = Path(__file__).parent / "attacks"
_CREATE = 0o1000
_LIBC = ctypes.CDLL(None, use_errno=True)


class Ground:
    """The place.

    Args:
        top: An empty folder.
        owner: User and group that llmasos runs as here.
    """

    def __init__(self, top: Path, owner: tuple[int, int]) -> None:
        self._owner = owner
        self.home = top / "home"
        self.plugin = self.home / "plugins" / "attacks"
        self._open = top / "anybody"
        self._victim = self._open / "victim"
        for folder in (self.home / ".ssh", self.home / "plugins" / "other", self._open):
            folder.mkdir(parents=True)
        self._open.chmod(0o777)
        (self.home / "keyring.key").write_text("the key")
        (self.home / ".ssh" / "id").write_text("a private key")
        (self.home / ".ssh" / "link").symlink_to("id")
        (self.home / "plugins" / "other" / "plugin.py").write_text("its code")
        self.reset()
        for path in (top, *top.rglob("*")):
            os.chown(path, *owner, follow_symlinks=False)
        self.home.chmod(0o700)
        self._kernel = self._stand_in()
        self._before = self._looks()

    def described(self, told: dict[str, Any]) -> dict[str, Any]:
        """What an attack is told."""
        address = 0 if self._kernel.poll() is not None else _first_address(self._kernel.pid)
        if not address:  # the attack before has killed it
            self._kernel.wait()
            self._kernel = self._stand_in()
            address = _first_address(self._kernel.pid)
        return told | {
            "home": str(self.home),
            "secret": str(self.home / ".ssh" / "id"),
            "other_plugin": str(self.home / "plugins" / "other" / "plugin.py"),
            "code": llmasos.__file__,
            "link": str(self.plugin / "link"),
            "victim": str(self._victim),
            "open_folder": str(self._open),
            "other_group": 0 if self._owner[1] else 1,
            "kernel": self._kernel.pid,
            "kernel_address": address,
        }

    def harmed(self) -> str:
        """What an attack has done here, whatever it says itself; empty where nothing."""
        if self._kernel.poll() is not None:
            return "killed the kernel"
        after = self._looks()
        changed = [path for path in {**self._before, **after} if self._before.get(path) != after.get(path)]
        return f"changed {changed[0]}" if changed else ""

    def reset(self) -> None:
        """As it was before any attack."""
        shutil.rmtree(self.plugin, ignore_errors=True)
        shutil.copytree(ATTACKS, self.plugin, ignore=shutil.ignore_patterns("__pycache__"))
        (self.plugin / "link").symlink_to(self.home / ".ssh" / "id")
        for path in self._open.iterdir():
            path.unlink() if not path.is_dir() else path.rmdir()
        self._victim.write_text("untouched")
        for path in (self._victim, self.plugin, *self.plugin.rglob("*")):
            os.chown(path, *self._owner, follow_symlinks=False)
        self._before = self._looks()

    def close(self) -> None:
        """End what runs."""
        self._kernel.kill()
        self._kernel.wait()

    def _stand_in(self) -> subprocess.Popen[bytes]:
        user, group = self._owner
        return subprocess.Popen(["sleep", "600"], user=user, group=group, env={"KEY": "secret"})

    def _looks(self) -> dict[str, tuple[object, ...]]:
        found = {}
        for folder in (self._open, self.plugin):
            for path in (folder, *folder.rglob("*")):
                about = path.lstat()
                kept = () if path.is_symlink() or not path.is_file() else (*os.listxattr(path), about.st_mtime_ns)
                found[str(path)] = (about.st_mode, about.st_uid, about.st_gid, about.st_size, *kept)
        return found


@contextmanager
def a_ground(owner: tuple[int, int] | None = None) -> Iterator[tuple[Ground, dict[str, Any]]]:
    """A ground, and what an attack is told of the machine around it."""
    owner = owner or (os.geteuid(), os.getegid())
    with ExitStack() as ending:
        top = Path(ending.enter_context(tempfile.TemporaryDirectory()))
        ground = Ground(top, owner)
        ending.callback(ground.close)

        def listening(family: int, kind: int, address: Any) -> Any:
            made = ending.enter_context(socket.socket(family, kind))
            made.bind(address)
            if kind == socket.SOCK_STREAM:
                made.listen(8)
            if isinstance(address, str) and address[0] != "\0":
                os.chown(address, *owner)
            return made.getsockname()

        listening(socket.AF_UNIX, socket.SOCK_STREAM, f"{ground.home}/kernel.sock")
        listening(socket.AF_UNIX, socket.SOCK_DGRAM, f"{ground.home}/log.sock")
        abstract = f"llmasos-ground-{os.getpid()}"
        listening(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + abstract)
        tcp = listening(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))[1]
        udp = listening(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0))[1]

        ours, theirs = pty.openpty()
        ending.callback(os.close, ours)
        ending.callback(os.close, theirs)
        os.chown(theirs, *owner)

        shared = _LIBC.shmget(0, 4096, _CREATE | 0o666)
        ending.callback(_LIBC.shmctl, shared, 0, None)
        yield ground, {
            "abstract": abstract, "tcp": tcp, "udp": udp, "terminal": os.ttyname(theirs), "shared_memory": shared,
        }  # fmt: skip


def _first_address(pid: int) -> int:
    """Where the memory of a process begins; 0 where it is ending."""
    with Path(f"/proc/{pid}/maps").open() as maps:
        return int(next(maps, "0-").split("-")[0], 16)
