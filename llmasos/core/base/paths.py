"""Where things are: the home of all state, the cache, and what ships beside the package."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import platformdirs

from llmasos.core.base.durable import make_folder
from llmasos.core.base.errors import UsageError

PACKAGE = Path(__file__).resolve().parents[2]
Kind = Literal["apps", "plugins", "policies", "docs"]
ADMIN_POLICY = Path("/etc/llmasos/policy.toml")
"""The administrator's policy of a machine."""


def shipped(kind: Kind) -> Path:
    """The folder of bundled apps, plugins, policies or pages: in the wheel `_share/KIND`, else beside the package."""
    packed = PACKAGE / "_share" / kind
    return packed if packed.is_dir() else PACKAGE.parent / kind


def search_path(kind: Kind, home: Path) -> Iterator[Path]:
    """Folders searched for apps, plugins or policies, bundled ones first; only those that exist."""
    for folder in (shipped(kind), home / kind):
        if folder.is_dir():
            yield folder


def expanded(said: str | Path) -> Path:
    """A path as somebody wrote it, with `~` made a home folder.

    Raises:
        UsageError: It is in the home folder of nobody.
    """
    try:
        return Path(said).expanduser()
    except RuntimeError:
        raise UsageError(
            f"{str(said)!r} is in nobody's home folder: there is no such user.",
            "Write './~...' for a file of that name.",
        ) from None


def default_home() -> Path:
    """`LLMASOS_HOME`, else the XDG data folder."""
    named = os.environ.get("LLMASOS_HOME")
    return expanded(named).resolve() if named else Path(platformdirs.user_data_dir("llmasos", appauthor=False))


def anchor_file(home: Path) -> Path:
    """Where checkpoints of the audit log go: outside the home, or an old copy of it would bring its own along."""
    if home == Path(platformdirs.user_data_dir("llmasos", appauthor=False)):
        return Path(platformdirs.user_state_dir("llmasos", appauthor=False)) / "anchor.jsonl"
    return home.with_name(f"{home.name}.anchor.jsonl")


def admin_policy() -> Path | None:
    """`LLMASOS_ADMIN_POLICY`: the administrator's policy where it isn't, or not only, that of the machine."""
    named = os.environ.get("LLMASOS_ADMIN_POLICY")
    return expanded(named).resolve() if named else None


def cache_dir() -> Path:
    """`LLMASOS_CACHE`, else the XDG cache folder: requantized models, nothing private."""
    named = os.environ.get("LLMASOS_CACHE")
    return expanded(named).resolve() if named else Path(platformdirs.user_cache_dir("llmasos", appauthor=False))


def private_dir(path: Path) -> Path:
    """Make a folder that only its owner can enter.

    Raises:
        UsageError: It can't be made.
    """
    try:
        make_folder(path)
    except OSError as error:
        raise UsageError(f"The folder {path} can't be made: {error.strerror}.", "Name another with --home.") from None
    return path
