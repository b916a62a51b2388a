"""Power cuts, simulated: what is written below a folder is recorded, and every state built that a disk may hold then.

The model is the weakest that POSIX allows, as in "All File Systems Are Not Created Equal" (Pillai et al., OSDI 2014):

    a file's bytes   are on the disk when it was synced; before, any of its writes may be there, whole, half, or as zeros
    a name           is on the disk when its folder was synced; before, any of its changes may be there, in any order

Recorded are the calls that Python makes. SQLite makes its own; of its files it is seen at each step what is in them.
"""

from __future__ import annotations

import builtins
import io
import itertools
import os
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from llmasos.core.kernel.store.store import FILE

WATCHED = (f"{FILE}-wal", FILE)
"""Files that SQLite writes."""
MOST = 48
"""States that are built of one moment; of more, so many are drawn."""
_real = {
    name: getattr(os, name)
    for name in ("open", "close", "write", "pwrite", "fsync", "fdatasync", "truncate", "ftruncate", "replace", "rename",
                 "unlink", "remove", "mkdir", "rmdir")
}  # fmt: skip
_open_file = io.open


@dataclass(eq=False)
class Inode:
    """A file on the simulated disk.

    Attributes:
        content: What a program reads.
        durable: What is surely there.
        pending: Writes since: offset and bytes, or a size to cut to, or all that is there now (SQLite's).
    """

    content: bytes = b""
    durable: bytes = b""
    pending: list[tuple[str, int, bytes]] = field(default_factory=list)

    def do(self, what: str, at: int = 0, data: bytes = b"") -> None:
        """Something is done to it."""
        self.pending.append((what, at, data))
        self.content = _done(self.content, what, at, data)

    def sync(self) -> None:
        """It was synced."""
        self.durable, self.pending = self.content, []

    def may_be(self) -> list[bytes]:
        """All that may be on the disk of it."""
        found = {self.durable: None, self.content: None}
        for kept in range(len(self.pending) + 1):
            some = _all_done(self.durable, self.pending[:kept])
            found[some] = None
            if kept < len(self.pending):
                what, at, data = self.pending[kept]
                if what == "write":
                    found[_done(some, what, at, data[: len(data) // 2])] = None
                    found[_done(some, what, at, bytes(len(data)))] = None
                elif what == "become" and data.startswith(self.durable):
                    more = len(data) - len(self.durable)
                    for part in (more // 3, more // 2, more - 1):
                        found[data[: len(self.durable) + max(part, 0)]] = None
        for left_out in range(len(self.pending)):
            found[_all_done(self.durable, self.pending[:left_out] + self.pending[left_out + 1 :])] = None
        return list(found)


@dataclass(frozen=True)
class Cut:
    """One moment at which the power may go.

    Attributes:
        states: What the disk may hold: path below the folder -> content, None for a folder.
        promised: What had been acknowledged by then.
    """

    states: list[dict[str, bytes | None]]
    promised: tuple[Any, ...]


class Disk:
    """A recorded folder.

    Args:
        root: The folder; what is in it already is on the disk.
        seed: Of the states that are drawn where there are too many.
    """

    def __init__(self, root: Path, seed: int = 1) -> None:
        self.root = root
        self.cuts: list[Cut] = []
        self._draw = random.Random(seed)
        self._names: dict[str, Inode | None] = {}
        self._durable: dict[str, Inode | None] = {}
        self._changes: dict[str, list[tuple[tuple[str, Inode | None, bool], ...]]] = {}
        """Folder -> changes of names in it that weren't synced: each of (path, what, whether it is there)."""
        self._open: dict[int, tuple[str, Inode | None, bool]] = {}
        self._promised: list[Any] = []
        for path in sorted(root.rglob("*")):
            name = self._name(path)
            assert name is not None
            content = path.read_bytes() if path.is_file() else b""
            self._names[name] = Inode(content, content) if path.is_file() else None
        self._durable = dict(self._names)

    def promise(self, what: Any) -> None:
        """Something was acknowledged: from now on no power cut may undo it."""
        self._promised.append(what)
        self._cut()

    def _name(self, path: Any) -> str | None:
        """A path below the root; None for one elsewhere."""
        if isinstance(path, int):
            return None
        whole = os.path.abspath(os.fspath(path))  # noqa: PTH100  pathlib's own way would call what is recorded
        return os.path.relpath(whole, self.root) if whole.startswith(f"{self.root}{os.sep}") else None

    def _change(self, *changes: tuple[str, Inode | None, bool]) -> None:
        for name, what, there in changes:
            if there:
                self._names[name] = what
            else:
                self._names.pop(name, None)
        # A rename is one change; from one folder into another it waits for either.
        for folder in {os.path.dirname(name) for name, _, _ in changes}:  # noqa: PTH120
            self._changes.setdefault(folder, []).append(changes)
        self._cut()

    def _look(self) -> None:
        """See what SQLite has written meanwhile."""
        for path in [found for name in WATCHED for found in self.root.rglob(name)]:
            name = self._name(path)
            assert name is not None
            if name not in self._names:
                self._change((name, Inode(), True))
            inode, content = self._names[name], path.read_bytes()
            assert inode is not None
            if content != inode.content:
                inode.do("become", 0, content)
                if path.name == FILE:
                    # It syncs this one by itself, and before that the log that the pages come from.
                    for watched in (name, f"{name}-wal"):
                        if (synced := self._names.get(watched)) is not None:
                            synced.sync()
        for name in [n for n in self._names if os.path.basename(n) in WATCHED and not (self.root / n).exists()]:  # noqa: PTH119
            self._change((name, None, False))

    def _cut(self) -> None:
        """Note what the disk may hold now."""
        lists = [changes for changes in self._changes.values() if changes]
        pending = list({id(change): change for changes in lists for change in changes}.values())
        layouts = [pending[:0], pending, *(pending[:n] for n in range(1, len(pending)))]
        layouts += [[c for n, c in enumerate(pending) if mask >> n & 1] for mask in range(1 << min(len(pending), 5))]
        states: dict[Any, dict[str, bytes | None]] = {}
        for layout in layouts:
            names = dict(self._durable)
            for change in layout:
                for name, what, there in change:
                    if there:
                        names[name] = what
                    else:
                        names.pop(name, None)
            names = {n: w for n, w in names.items() if _parents(n) <= names.keys()}
            for contents in self._contents(names):
                states[tuple(contents.items())] = contents
        some = list(states.values())
        if len(some) > MOST:
            some = [some[0], some[-1], *self._draw.sample(some, MOST - 2)]
        self.cuts.append(Cut(some, tuple(self._promised)))

    def _contents(self, names: dict[str, Inode | None]) -> Iterator[dict[str, bytes | None]]:
        may = {name: what.may_be() if what else [None] for name, what in sorted(names.items())}
        changed = [name for name, some in may.items() if len(some) > 1]
        total = 1
        for name in changed:
            total *= len(may[name])
        first = {name: some[0] for name, some in may.items()}
        if total <= MOST:
            for drawn in itertools.product(*(may[name] for name in changed)):
                yield {**first, **dict(zip(changed, drawn, strict=True))}
            return
        yield first  # nothing that wasn't synced
        yield {name: some[min(1, len(some) - 1)] for name, some in may.items()}  # all that was written
        for _ in range(MOST):
            yield {name: self._draw.choice(some) for name, some in may.items()}

    # The calls

    def opened(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        """As `os.open`."""
        assert dir_fd is None, "not recorded"
        name = self._name(path)
        fd: int = _real["open"](path, flags, mode, dir_fd=dir_fd)
        if name is None and self._name_of_root(path):
            name = ""
        if name is None:
            return fd
        if os.path.isdir(path):  # noqa: PTH112
            self._open[fd] = name, None, True
            return fd
        self._look()
        if name not in self._names:
            self._change((name, Inode(), True))
        inode = self._names[name]
        assert inode is not None
        if flags & os.O_TRUNC and inode.content:
            inode.do("cut")
            self._cut()
        self._open[fd] = name, inode, False
        return fd

    def _name_of_root(self, path: Any) -> bool:
        return not isinstance(path, int) and os.path.abspath(os.fspath(path)) == str(self.root)  # noqa: PTH100

    def closed(self, fd: int) -> None:
        """As `os.close`."""
        self._open.pop(fd, None)
        _real["close"](fd)

    def wrote(self, fd: int, data: Any) -> int:
        """As `os.write`."""
        count: int = _real["write"](fd, data)
        inode = self._open.get(fd, ("", None, False))[1]
        if inode is not None:
            inode.do("write", os.lseek(fd, 0, os.SEEK_CUR) - count, bytes(data)[:count])
            self._cut()
        return count

    def wrote_at(self, fd: int, data: Any, at: int) -> int:
        """As `os.pwrite`."""
        count: int = _real["pwrite"](fd, data, at)
        inode = self._open.get(fd, ("", None, False))[1]
        if inode is not None:
            inode.do("write", at, bytes(data)[:count])
            self._cut()
        return count

    def synced(self, fd: int) -> None:
        """As `os.fsync` and `os.fdatasync`."""
        self._look()
        _real["fsync"](fd)
        name, inode, is_folder = self._open.get(fd, (None, None, False))
        if inode is not None:
            inode.sync()
        elif is_folder and name is not None:
            for change in self._changes.pop(name, []):
                for path, what, there in change:
                    if there:
                        self._durable[path] = what
                    else:
                        self._durable.pop(path, None)
                for others in self._changes.values():
                    if change in others:
                        others.remove(change)
        self._cut()

    def truncated(self, what: Any, size: int) -> None:
        """As `os.truncate` and `os.ftruncate`."""
        _real["ftruncate" if isinstance(what, int) else "truncate"](what, size)
        name = None if isinstance(what, int) else self._name(what)
        inode = self._open.get(what, ("", None, False))[1] if isinstance(what, int) else self._names.get(name or "")
        if inode is not None:
            inode.do("cut", size)
            self._cut()

    def renamed(self, old: Any, new: Any) -> None:
        """As `os.rename` and `os.replace`."""
        was, becomes = self._name(old), self._name(new)
        _real["replace"](old, new)
        if was is not None and becomes is not None:
            below = [name for name in self._names if name.startswith(f"{was}/")]
            moved = [(name, self._names[name]) for name in (was, *below)]
            self._change(
                *((name, what, False) for name, what in moved),
                *((becomes + name[len(was) :], what, True) for name, what in moved),
            )

    def removed(self, path: Any) -> None:
        """As `os.unlink`."""
        name = self._name(path)
        _real["unlink"](path)
        if name is not None:
            self._change((name, None, False))

    def made(self, path: Any, mode: int = 0o777) -> None:
        """As `os.mkdir`."""
        _real["mkdir"](path, mode)
        name = self._name(path)
        if name is not None:
            self._change((name, None, True))

    def removed_folder(self, path: Any) -> None:
        """As `os.rmdir`."""
        _real["rmdir"](path)
        name = self._name(path)
        if name is not None:
            self._change((name, None, False))


class _File(io.RawIOBase):
    """A file object whose writes are recorded."""

    def __init__(self, fd: int, name: Any, *, readable: bool) -> None:
        self._fd, self.name, self._readable = fd, name, readable

    def write(self, data: Any) -> int:
        return os.write(self._fd, bytes(data))

    def readinto(self, buffer: Any) -> int:
        data = os.read(self._fd, len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, at: int, whence: int = 0) -> int:
        return os.lseek(self._fd, at, whence)

    def truncate(self, size: int | None = None) -> int:
        size = self.tell() if size is None else size
        os.ftruncate(self._fd, size)
        return size

    def readable(self) -> bool:
        return self._readable

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        if not self.closed:
            super().close()
            os.close(self._fd)


def _opens(file: Any, mode: str = "r", buffering: int = -1, encoding: Any = None, *rest: Any, **more: Any) -> Any:
    """As `open`, for files that are written by what is recorded."""
    if not set(mode) & set("wax+"):
        return _open_file(file, mode, buffering, encoding, *rest, **more)
    flags = {"w": os.O_CREAT | os.O_TRUNC, "a": os.O_CREAT | os.O_APPEND, "x": os.O_CREAT | os.O_EXCL, "r": 0}
    both = "+" in mode
    fd = file if isinstance(file, int) else os.open(file, flags[mode[0]] | (os.O_RDWR if both else os.O_WRONLY), 0o666)
    raw = _File(fd, file, readable=both)
    buffered: Any = io.BufferedRandom(raw) if both else io.BufferedWriter(raw)
    return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding or "utf-8")


@contextmanager
def recorded(root: Path, seed: int = 1) -> Iterator[Disk]:
    """Record what this thread does to the files below a folder."""
    disk = Disk(root, seed)
    stand_ins: dict[str, Callable[..., Any]] = {
        "open": disk.opened, "close": disk.closed, "write": disk.wrote, "pwrite": disk.wrote_at, "fsync": disk.synced,
        "fdatasync": disk.synced, "truncate": disk.truncated, "ftruncate": disk.truncated, "replace": disk.renamed,
        "rename": disk.renamed, "unlink": disk.removed, "remove": disk.removed, "mkdir": disk.made,
        "rmdir": disk.removed_folder,
    }  # fmt: skip
    for name, stand_in in stand_ins.items():
        setattr(os, name, stand_in)
    io.open = builtins.open = _opens  # type: ignore[assignment]
    try:
        yield disk
    finally:
        for name, real in _real.items():
            setattr(os, name, real)
        io.open = builtins.open = _open_file


def states(disk: Disk, folder: Path, every: int = 1) -> Iterator[tuple[Path, tuple[Any, ...]]]:
    """Each different state after a power cut, put into a folder of its own, with what was promised by then.

    Args:
        disk: What was recorded.
        folder: Where the folders are made.
        every: Each state, or every so-manieth.
    """
    seen = set()
    for cut in disk.cuts:
        for state in cut.states:
            key = hash((tuple(state.items()), cut.promised))
            if key in seen:
                continue
            seen.add(key)
            if len(seen) % every:
                continue
            root = folder / f"{len(seen):05d}"
            build(root, state)
            yield root, cut.promised


def build(root: Path, state: dict[str, bytes | None]) -> None:
    """Put a state into a folder."""
    root.mkdir(parents=True, mode=0o700)
    for name, content in sorted(state.items()):
        path = root / name
        if content is None:
            path.mkdir(mode=0o700, exist_ok=True)
        else:
            path.write_bytes(content)
            path.chmod(0o600)


def _done(content: bytes, what: str, at: int, data: bytes) -> bytes:
    if what == "become":
        return data
    if what == "cut":
        return content[:at].ljust(at, b"\0")
    return content[:at].ljust(at, b"\0") + data + content[at + len(data) :]


def _all_done(content: bytes, changes: Iterable[tuple[str, int, bytes]]) -> bytes:
    for change in changes:
        content = _done(content, *change)
    return content


def _parents(name: str) -> set[str]:
    return {str(parent) for parent in PurePath(name).parents} - {"."}
