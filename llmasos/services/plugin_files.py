"""The files of a plugin on their way into the home and out of it: from a folder, a wheel or an archive.

What is copied is regular files and folders; no links, nothing hidden, and not more than a plugin needs.
"""

from __future__ import annotations

import io
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile, ZipInfo

from llmasos.core.base.errors import PluginError
from llmasos.core.kernel.sandbox.wheels import modules

MOST_FILES = 2_000
MOST_BYTES = 64 << 20
_SKIPPED = ("__pycache__",)
_MANIFESTS = ("plugin.toml", "app.toml")


def bring(source: Path, place: Path) -> None:
    """Copy a plugin from where it is into a new folder.

    Args:
        source: A folder, or a wheel or zip file with one.
        place: The new folder; its parent is there.

    Raises:
        PluginError: There is none, or it has what no plugin should.
    """
    try:
        if source.is_dir() and not any((source / name).is_file() for name in _MANIFESTS):
            raise PluginError(f"{source} has neither plugin.toml nor app.toml.", "Name the folder that has it.")
        _write(place, _of_folder(source) if source.is_dir() else _of_archive(source))
    except OSError as error:
        raise PluginError(f"{source} can't be copied: {error.strerror or error}.") from None


def pack(folder: Path) -> bytes:
    """A plugin's folder as one archive, what is hidden too: it can be made again from that.

    Raises:
        PluginError: It is a link, or holds what can't be packed.
    """
    if folder.is_symlink():
        raise PluginError(f"{folder} is a link, and where it leads isn't ours.", "Remove the link yourself.")
    packed = io.BytesIO()
    try:
        with ZipFile(packed, "w") as archive:
            for name, content in _bounded(_of_folder(folder, whole=True)):
                archive.writestr(ZipInfo(name), content)
    except PluginError as error:
        raise PluginError(f"{folder} can't be kept for undo: {error.what}", "Remove it yourself.") from None
    return packed.getvalue()


def unpack(packed: bytes, place: Path) -> None:
    """Make the folder of an archive again."""
    with ZipFile(io.BytesIO(packed)) as archive:
        _write(place, ((info.filename, archive.read(info)) for info in archive.infolist()))


def _write(place: Path, files: Iterator[tuple[str, bytes]]) -> None:
    place.mkdir(mode=0o755)
    try:
        for name, content in _bounded(files):
            file = place / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise


def _bounded(files: Iterator[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    size = 0
    for number, (name, content) in enumerate(files, 1):
        size += len(content)
        if number > MOST_FILES or size > MOST_BYTES:
            limit = f"{MOST_FILES:,} files and {MOST_BYTES >> 20} MiB"
            raise PluginError("It has more files than a plugin should.", f"The limit is {limit}.")
        yield name, content


def _of_folder(folder: Path, inside: str = "", *, whole: bool = False) -> Iterator[tuple[str, bytes]]:
    with os.scandir(folder / inside) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            name = f"{inside}{entry.name}"
            if entry.name in _SKIPPED or (entry.name.startswith(".") and not whole):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _of_folder(folder, f"{name}/", whole=whole)
                continue
            if not entry.is_file(follow_symlinks=False):
                raise PluginError(f"{entry.path} is a link or a special file.", "A plugin has files and folders.")
            descriptor = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                yield name, file.read(MOST_BYTES + 1)


def _of_archive(source: Path) -> Iterator[tuple[str, bytes]]:
    if not stat.S_ISREG(source.stat().st_mode):
        raise PluginError(f"{source} is neither a folder nor a wheel.")
    try:
        with ZipFile(source) as archive:
            top = _plugin_in(source, archive)
            for info in archive.infolist():
                name = PurePosixPath(info.filename)
                if info.is_dir() or not name.is_relative_to(top):
                    continue
                rest = name.relative_to(top)
                if name.is_absolute() or ".." in name.parts or "\\" in info.filename:
                    raise PluginError(f"{source} has a file {info.filename[:100]!r}, which leads out of it.")
                if any(part.startswith(".") or part in _SKIPPED for part in rest.parts):
                    continue
                if stat.S_ISLNK(info.external_attr >> 16):
                    raise PluginError(f"{source} has a link, {info.filename[:100]!r}.", "A plugin has files.")
                with archive.open(info) as file:  # not what the header promises: that can be any number
                    yield str(rest), file.read(MOST_BYTES + 1)
    except (BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError):
        raise PluginError(f"{source} is neither a folder nor a wheel that can be read.") from None


def _plugin_in(source: Path, archive: ZipFile) -> PurePosixPath:
    """The folder in an archive that holds the plugin: what the wheel names, else the one that has a manifest."""
    named = []
    for info in archive.infolist():
        if info.filename.endswith(".dist-info/entry_points.txt") and info.filename.count("/") == 1:
            named = modules(archive.open(info).read(1 << 20).decode(errors="replace"))
    paths = [PurePosixPath(*module.split(".")) for module in named if module]
    paths = paths or [
        PurePosixPath(info.filename).parent
        for info in archive.infolist()
        if PurePosixPath(info.filename).name in _MANIFESTS
    ]
    if len(paths) != 1:
        raise PluginError(f"{source} holds {len(paths)} plugins.", "It should hold one.")
    return paths[0]
