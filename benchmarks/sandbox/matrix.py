"""Every attack under every level of confinement, each in a child of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.sandbox import weakened
from benchmarks.sandbox.ground import a_ground
from llmasos import sdk
from llmasos.core.base.errors import SyscallError
from llmasos.core.kernel.sandbox import PluginHost, zygote
from llmasos.core.kernel.sandbox.launcher import Launcher

LEVELS = {
    "none": (),
    "landlock": ("landlock",),
    "seccomp": ("seccomp",),
    "confined": ("limits", "user", "landlock", "seccomp"),
    "hidden": weakened.LAYERS,
}
"""What is in force: nothing; one layer alone; all that is required; that and namespaces."""


class Weakened(Launcher):
    """Starts a zygote with some of the layers.

    Args:
        layers: Which.
    """

    def __init__(self, layers: Iterable[str]) -> None:
        super().__init__()
        self._in_force = ",".join(layers)

    def _command(self, control: int) -> list[str]:
        python = super()._command(control)
        own = [weakened.__file__, str(control), sdk.__file__, str(Path(zygote.__file__).parent), self._in_force]
        return [*python[: python.index(zygote.__file__)], *own]


@dataclass
class Column:
    """How all attacks ended under one level.

    Attributes:
        won: What each attack got that got anything.
        lost: What each other one met.
        unmet: What an honest plugin needs and didn't get, with the reason.
    """

    won: dict[str, str] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    unmet: dict[str, str] = field(default_factory=dict)


async def column(launcher: Launcher, only: Sequence[str] = (), owner: tuple[int, int] | None = None) -> Column:
    """Run all attacks, or some, in children of a launcher.

    Args:
        launcher: Which starts them; it is closed at the end.
        only: Names of attacks; all where empty.
        owner: User and group that the launcher's children belong to; ours where None.
    """
    found = Column()
    with a_ground(owner) as (ground, around):
        async with PluginHost(launcher=launcher, timeout=30) as host:
            rows = {row.name.partition(".")[2]: row for row in await host.add(ground.plugin)}
            names = await rows["names"].run(None)
            for name in only or names["attacks"]:
                try:
                    said = await rows["attack"].run(None, name=name, ground=ground.described(around))
                except SyscallError as error:
                    said = {"won": False, "said": str(error)}
                harm = ground.harmed()
                (found.won if said["won"] or harm else found.lost)[name] = harm or said["said"]
                if harm:
                    ground.reset()
            for name in () if only else names["needs"]:
                try:
                    await rows["need"].run(None, name=name)
                except SyscallError as error:
                    found.unmet[name] = str(error)
    await launcher.close()
    return found
