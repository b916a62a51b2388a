"""What a session may reach: its workspace, its current folder in it, and what is kept out of reach inside it.

`~` is the workspace's top, whether or not the workspace is the person's home: nothing above it can be named.
`..` is taken off by name, as a shell does, and may not lead above the top either. An absolute path is fine
where it lies in the workspace.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llmasos.core.base.errors import SyscallError
from llmasos.core.kernel.session import Session
from llmasos.services.files.place import Place, check_ordinary, key
from llmasos.services.files.said import NAME_BYTES


@dataclass(frozen=True, slots=True)
class Space:
    """A workspace as one call sees it.

    Attributes:
        root: Its real path.
        named: Its path as the session has it, which may go through links.
        cwd: The current folder, as parts.
        private: Real paths that no call reaches: the system's own home, whose content is sealed anyway.
    """

    root: Path
    named: Path
    cwd: tuple[str, ...] = ()
    private: tuple[Path, ...] = ()

    @staticmethod
    def of(session: Session, private: Sequence[Path] = ()) -> Space:
        """The space of a session.

        Raises:
            SyscallError: ENOENT, the workspace is gone.
        """
        root = Path(os.path.realpath(session.workspace))
        if not root.is_dir():
            raise SyscallError("ENOENT", f"The workspace {root} is gone.", "Start again in another folder.")
        space = Space(root, session.workspace, (), tuple(Path(os.path.realpath(p)) for p in private))
        cwd = tuple(p for p in session.cwd.split("/") if p not in ("", "."))
        if cwd:
            try:
                if not space.contained(cwd).is_folder():
                    cwd = ()  # deleted or moved meanwhile: the top is always there
            except (SyscallError, OSError):
                cwd = ()
        return Space(space.root, space.named, cwd, space.private)

    @property
    def top(self) -> Place:
        """The workspace itself."""
        return Place(self.root, ())

    @property
    def here(self) -> Place:
        """The current folder."""
        return self.contained(self.cwd)

    def ref(self, place: Place) -> str:
        """How a later call names a place whatever the current folder is."""
        return f"~/{place.shown}" if self.cwd and place.parts else "~" if self.cwd else place.shown

    def parts(self, text: str, base: tuple[str, ...]) -> tuple[str, ...]:
        """The parts, from the top, of a path as said.

        Raises:
            SyscallError: EACCES, it leads out of the workspace.
        """
        if text == "~" or text.startswith("~/"):
            text, base = text[1:], ()
        elif text.startswith("/"):
            text, base = self._relative(text), ()
        found = list(base)
        for part in text.split("/"):
            part = part.strip()
            if part in ("", "."):
                continue
            if part == "..":
                if not found:
                    raise _outside(text)
                found.pop()
            else:
                found.append(part)
        return tuple(found)

    def contained(self, parts: tuple[str, ...], *, follow: bool = True) -> Place:
        """The real place of a path, links resolved.

        Args:
            parts: From the top.
            follow: Whether a link at its end is resolved too, or stands for itself.

        Raises:
            SyscallError: EACCES, it leads out of the workspace, into the system's home, or to a special file.
        """
        said = "/".join(parts)
        real = Path(os.path.realpath(self.root.joinpath(*parts)))
        if not real.is_relative_to(self.root):
            raise SyscallError(
                "EACCES", f"{said} is a link that leads out of the workspace.", "Nothing outside is touched."
            )
        if not follow and parts:
            real = Path(os.path.realpath(self.root.joinpath(*parts[:-1]))) / parts[-1]
        place = Place(self.root, real.relative_to(self.root).parts)
        if self.is_private(real):
            raise SyscallError(
                "EACCES", f"{place.shown} holds the system's own state.", "It can't be touched as files."
            )
        status = place.stat()
        if status is not None:
            check_ordinary(status.st_mode, place.shown)
        return place

    def is_private(self, path: Path) -> bool:
        """Whether a real path is the system's home or in it."""
        return any(path == p or path.is_relative_to(p) for p in self.private)

    def holds_private(self, place: Place) -> bool:
        """Whether the system's home is below a place, so that it can't be moved or deleted."""
        return any(p.is_relative_to(place.path) for p in self.private)

    def lookup(self, parts: tuple[str, ...]) -> list[tuple[str, ...]]:
        """What a path names: itself where it is there, else what differs in case or Unicode form only."""
        found: list[tuple[str, ...]] = [()]
        for part in parts:
            if len(part.encode("utf-8", "surrogateescape")) > NAME_BYTES:
                return []
            below: list[tuple[str, ...]] = []
            for at in found:
                folder = self.contained(at)
                if not folder.is_folder():
                    continue
                if folder.child(part).exists():
                    below.append((*folder.parts, part))
                    continue
                below += [(*folder.parts, name) for name in names(folder) if key(name) == key(part)]
            found = below
        return found

    def _relative(self, text: str) -> str:
        path = os.path.normpath(text)
        for top in (self.named, self.root):
            if Path(path).is_relative_to(top):
                return str(Path(path).relative_to(top))
        raise _outside(text)


def names(folder: Place) -> list[str]:
    """The names in a folder, sorted; none where it can't be read."""
    try:
        return sorted(entry.name for entry in folder.path.iterdir())
    except OSError:
        return []


def is_link(place: Place) -> bool:
    """Whether a place is a symbolic link."""
    status = place.stat()
    return status is not None and stat.S_ISLNK(status.st_mode)


def _outside(text: str) -> SyscallError:
    return SyscallError("EACCES", f"{text} is outside the workspace.", "Only what is in the workspace can be reached.")
