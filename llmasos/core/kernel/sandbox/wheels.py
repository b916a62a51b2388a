"""Plugins in installed distributions: found by what pip wrote down, without importing a line of them.

A distribution names its plugin's folder in the entry-point group `llmasos.plugins`:

    [project.entry-points."llmasos.plugins"]
    dice = "llmasos_dice"

The package has plugin.toml and plugin.py in it. Its code runs in a confined child like any other plugin's.
"""

from __future__ import annotations

import configparser
import json
from collections.abc import Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

GROUP = "llmasos.plugins"
_STARTERS = ("sitecustomize.py", "usercustomize.py")


class Packaged(NamedTuple):
    """A plugin that a distribution says it has.

    Attributes:
        wheel: The distribution's name.
        folder: The package's folder, or where it should be.
        wrong: Why it can't be used; empty where it can.
    """

    wheel: str
    folder: Path
    wrong: str = ""


def find(path: Sequence[str] | None = None) -> list[Packaged]:
    """The plugins of all distributions.

    Args:
        path: Folders that distributions are installed in; where Python looks if None.
    """
    found: list[Packaged] = []
    seen: set[str] = set()
    for distribution in distributions() if path is None else distributions(path=list(path)):
        try:
            text = distribution.read_text("entry_points.txt")
        except (OSError, UnicodeDecodeError):
            continue  # what isn't text names no plugin
        if text is None or GROUP not in text:
            continue
        wheel = str(distribution.metadata["Name"])
        if wheel not in seen:  # the first on the path is the one that Python would import
            seen.add(wheel)
            found += [_packaged(wheel, distribution, module) for module in modules(text)]
    return found


def modules(entry_points: str) -> list[str]:
    """The packages that an entry_points.txt names as plugins; none where it isn't one."""
    parser = configparser.ConfigParser(delimiters="=", interpolation=None, strict=False)
    try:
        parser.read_string(entry_points)
    except configparser.Error:
        return []
    named = parser[GROUP].values() if GROUP in parser else ()
    return [value.partition(":")[0].strip() for value in named]


def _packaged(wheel: str, distribution: Distribution, module: str) -> Packaged:
    if not all(part.isidentifier() for part in module.split(".")):
        return Packaged(wheel, Path(module), f"The distribution {wheel} names {module[:60]!r} in {GROUP}, no package")
    inside = Path(*module.split("."))
    folders = [Path(str(distribution.locate_file(inside)))]
    source = _checkout(distribution)
    if source:  # pip install -e: the files are where they are written
        folders = [source / inside, source / "src" / inside]
    folder = next((one for one in folders if one.is_dir()), folders[0])
    if not folder.is_dir():
        return Packaged(wheel, folder, f"The distribution {wheel} names {module!r} in {GROUP}, which is no folder")
    starters = [] if source else _starters(distribution)
    if starters:
        # By then it has run; all the same the person should know what they installed.
        what = f"The distribution {wheel} brings {starters[0]}, which Python runs at every start, outside of any"
        return Packaged(wheel, folder, f"{what} confinement")
    return Packaged(wheel, folder)


def _checkout(distribution: Distribution) -> Path | None:
    """Where a distribution that was installed with -e has its source."""
    try:
        origin = json.loads(distribution.read_text("direct_url.json") or "{}")
        url = urlsplit(origin["url"]) if origin.get("dir_info", {}).get("editable") else None
    except (ValueError, KeyError, AttributeError):
        return None
    return Path(unquote(url.path)) if url and url.scheme == "file" else None


def _starters(distribution: Distribution) -> list[str]:
    names = [str(file) for file in distribution.files or ()]
    return [name for name in names if "/" not in name and (name.endswith(".pth") or name in _STARTERS)]
