"""The folders that a plugin was granted: found without following a link, and known by number from then on.

Between this look and the child's, another program could put a link in a folder's place. So the child compares: what
it opens under the name must be the very folder that was looked at here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from llmasos.core.base.errors import PluginError
from llmasos.core.kernel.sandbox.capabilities import Capabilities
from llmasos.core.kernel.sandbox.landlock import Place

_STEP = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Allowed:
    """What one child may use.

    Attributes:
        read: Folders to read.
        write: Folders to read and write.
        names: The same folders as the manifest names them, and where they are.
        memory: Bytes of address space; 0 for what everybody has.
    """

    read: tuple[Place, ...] = ()
    write: tuple[Place, ...] = ()
    names: tuple[tuple[str, str], ...] = ()
    memory: int = 0


ORDINARY = Allowed()


class Folders:
    """Finds granted folders.

    Args:
        home: The person's home folder, `~`.
        private: Folders that nobody is granted, nor one that they are in: the home of all state.
    """

    def __init__(self, home: Path, private: Iterable[Path] = ()) -> None:
        self._home = home
        self._private = [folder.resolve() for folder in private]

    def allowed(self, granted: Capabilities, workspace: Path | None) -> Allowed:
        """What a child with these capabilities may use in a workspace.

        A folder to write to is made where it is missing.

        Args:
            granted: The capabilities.
            workspace: Of the session that calls; None outside of any, when a plugin is only described.

        Raises:
            PluginError: A folder is a link, or holds what is nobody's.
        """
        read: list[Place] = []
        write: list[Place] = []
        names = []
        for said in dict.fromkeys(granted.read + granted.write):
            top = self._home if said.startswith("~/") else workspace
            if top is None:
                continue
            place = self._place(said, top, make=said in granted.write)
            if place:
                names.append((said, place.path))
                (write if said in granted.write else read).append(place)
        return Allowed(tuple(read), tuple(write), tuple(names), granted.memory << 20)

    def _place(self, said: str, top: Path, *, make: bool) -> Place | None:
        """The folder of a name; None where there is none to read."""
        top = top.resolve()
        parts = [part for part in said.removeprefix("~/").split("/") if part != "."]
        path = top.joinpath(*parts)
        for private in self._private:
            if path == private or path in private.parents or private in path.parents:
                raise PluginError(f"The folder {said} is where llmasos keeps its state, or holds it.", "Name another.")
        try:
            here = os.open(top, _STEP)
            for part in parts:
                here = _step(here, part, make=make)
            try:
                found = os.fstat(here)
            finally:
                os.close(here)
        except FileNotFoundError:
            return None
        except NotADirectoryError:
            raise PluginError(f"The folder {said} is a link or no folder; links aren't followed.") from None
        except OSError as error:
            raise PluginError(f"The folder {said} can't be used: {error.strerror}.") from None
        return Place(str(path), found.st_dev, found.st_ino)


def is_in_workspace(granted: Capabilities) -> bool:
    """Whether a folder is granted that is another one in each workspace."""
    return any(not said.startswith("~/") for said in granted.read + granted.write)


def _step(here: int, name: str, *, make: bool) -> int:
    """Go one folder down; the one above is closed."""
    try:
        try:
            return os.open(name, _STEP, dir_fd=here)
        except FileNotFoundError:
            if not make:
                raise
            os.mkdir(name, 0o755, dir_fd=here)
            return os.open(name, _STEP, dir_fd=here)
    finally:
        os.close(here)
