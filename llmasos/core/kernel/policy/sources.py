"""Where a policy's rules come from: the bundled file, the person's own above it, the administrator's on top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from llmasos.core.base import paths
from llmasos.core.base.errors import UsageError
from llmasos.core.base.paths import expanded
from llmasos.core.base.types import Effect
from llmasos.core.kernel.policy.file import Found, Mistake, examine, read
from llmasos.core.kernel.policy.moderation import strictest
from llmasos.core.kernel.policy.policy import Policy
from llmasos.core.kernel.policy.rule import Rule, Tier

Signature = tuple[tuple[int, int, int] | None, ...]
_PROBED = ("user:somebody", "app:something", "character:Somebody", "plugin:something")


@dataclass(frozen=True, slots=True)
class Source:
    """A file that rules can come from.

    Attributes:
        tier: Whose rules they are.
        path: Where it is, or would be.
        needed: Whether it must be there.
    """

    tier: Tier
    path: Path
    needed: bool = False

    @property
    def is_used(self) -> bool:
        """Whether it is read: it is there, or it should be."""
        try:
            self.path.stat()
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return self.needed
        except OSError:
            return True  # it is there and can't be read, which reading it says
        return True

    def signature(self) -> tuple[int, int, int] | None:
        """What changes when the file does; None where there is none."""
        try:
            status = self.path.stat()
        except (OSError, ValueError):
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino


@dataclass(frozen=True, slots=True)
class Sources:
    """The files of one policy, the highest tier first."""

    name: str
    files: tuple[Source, ...]
    home: Path

    @staticmethod
    def of(name: str, home: Path) -> Sources:
        """The files of a policy.

        Args:
            name: The name of a bundled policy or of a person's own, or a path that ends in .toml.
            home: The folder of all state.
        """
        named = paths.admin_policy()
        above = [Source("admin", paths.ADMIN_POLICY), *([Source("admin", named, needed=True)] if named else [])]
        if name.endswith(".toml"):
            return Sources(name, (*above, Source("user", expanded(name), needed=True)), home)
        own, bundled = (folder / f"{name}.toml" for folder in _folders(home))
        return Sources(name, (*above, Source("user", own), Source("bundled", bundled)), home)

    def signature(self) -> Signature:
        """What changes when one of the files does."""
        return tuple(source.signature() for source in self.files)

    def read(self) -> Policy:
        """The policy, compiled and checked.

        Raises:
            UsageError: There is none of this name, or one of its files is wrong.
        """
        found = [read(source.path, source.tier) for source in self.used()]
        rules: tuple[Rule, ...] = tuple(rule for file in found for rule in file.rules)
        policy = Policy(found[-1].name, rules, strictest(file.moderation for file in found))
        # What can't be asked isn't put in force: a decision must never fail.
        for subject in _PROBED:
            for effect in get_args(Effect):
                policy.explain(subject, "files.read", effect, {"path": "a"}, labels=frozenset({"web"}))
        return policy

    def examine(self) -> Sequence[tuple[Source, Found]]:
        """Each file with its rules and mistakes; that it can't be read is one.

        Raises:
            UsageError: There is none of this name.
        """
        return [(source, _examined(source)) for source in self.used()]

    def used(self) -> Sequence[Source]:
        """The files that are read.

        Raises:
            UsageError: There is none of this name.
        """
        used = [source for source in self.files if source.is_used]
        if all(source.tier == "admin" for source in used):
            there = ", ".join(known(self.home)) or "none"
            raise UsageError(f"There is no policy {self.name!r}.", f"There are: {there}.")
        return used


def _examined(source: Source) -> Found:
    try:
        return examine(source.path, source.tier)
    except UsageError as error:
        return Found(source.path.stem, "", (), (Mistake(0, error.what, error.remedy),))


def known(home: Path) -> Sequence[str]:
    """The names of all policies that there are: bundled ones and a person's own."""
    return sorted({path.stem for folder in _folders(home) for path in folder.glob("*.toml")})


def _folders(home: Path) -> tuple[Path, Path]:
    """Where a person's own policies are, and the bundled ones."""
    return home / "policies", paths.shipped("policies")
