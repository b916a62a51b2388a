"""plugin.toml (or app.toml): who a plugin is and what it wants. Read strictly: a typing error is named."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from llmasos.core.base.errors import PluginError

Kind = Literal["plugin", "app"]
"""An app has the shape of a plugin, with app.toml and app.py."""
_TEXTS = ("name", "version", "description", "author", "license", "isolation")
_CAPABILITIES = ("paths", "hosts", "syscalls", "memory")
_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_VERSION = re.compile(r"\d+(?:\.\d+){1,3}(?:[-+.]?[0-9A-Za-z.]+)?")
_LONGEST = 500
_LARGEST = 64 << 10
_ISOLATIONS = ("worker", "single_use")


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin that was found; none of its code has run.

    Attributes:
        name: The room of its syscalls, `NAME.function`.
        version: As in plugin.toml.
        description: One line.
        author: Who wrote it.
        license: SPDX name.
        isolation: `worker`: one child process that stays; `single_use`: a fresh one for each call.
        folder: Where it is, absolute.
        kind: plugin or app.
        syscalls: Patterns over the syscalls that its own code may make.
    """

    name: str
    version: str
    description: str
    author: str
    license: str
    isolation: str
    folder: Path
    kind: Kind = "plugin"
    syscalls: tuple[str, ...] = ()

    @property
    def code(self) -> Path:
        """The file that defines its syscalls."""
        return self.folder / f"{self.kind}.py"


def read(folder: Path, kind: Kind = "plugin", *, granted: bool = False) -> Plugin:
    """Read and check a plugin's manifest.

    Args:
        folder: Where it is.
        kind: plugin or app.
        granted: Whether the capability `syscalls` is granted where it is asked for.

    Raises:
        PluginError: Names the file, the key, and what it should be.
    """
    folder = folder.resolve()
    file = folder / f"{kind}.toml"
    try:
        text = file.read_bytes()
        if len(text) > _LARGEST:
            raise PluginError(f"{file} has {len(text):,} bytes.", f"The limit is {_LARGEST:,}.")
        table = tomllib.loads(text.decode())
    except OSError as error:
        raise PluginError(f"{file} can't be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PluginError(f"{file} isn't TOML: {error}.") from None
    unknown = sorted(set(table) - {*_TEXTS, "capabilities"})
    if unknown:
        raise PluginError(
            f"{file} has an unknown key {unknown[0]!r}.", f"Known are: {', '.join(_TEXTS)}, [capabilities]."
        )
    texts = {key: _text(file, table, key) for key in _TEXTS}
    if not _NAME.fullmatch(texts["name"]) or len(texts["name"]) > 32:
        raise PluginError(
            f"{file}: the name is {texts['name']!r}.",
            "Small letters, digits, '-' and '_', a letter first, at most 32.",
        )
    if not _VERSION.fullmatch(texts["version"]):
        raise PluginError(f"{file}: the version is {texts['version']!r}.", "It looks like '1.0' or '1.2.3'.")
    if texts["isolation"] not in _ISOLATIONS:
        raise PluginError(f"{file}: the isolation is {texts['isolation']!r}.", "It is 'worker' or 'single_use'.")
    syscalls = _capabilities(file, table.get("capabilities"), granted)
    plugin = Plugin(**texts, folder=folder, kind=kind, syscalls=syscalls)
    if not plugin.code.is_file():
        raise PluginError(f"{folder} has no {plugin.code.name}.", "The syscalls of a plugin are defined there.")
    return plugin


def _text(file: Path, table: dict[str, Any], key: str) -> str:
    value = table.get(key)
    if value is None:
        raise PluginError(f"{file} has no {key}.", f'Add {key} = "...".')
    if not isinstance(value, str) or not value.strip():
        raise PluginError(f"{file}: {key} is {str(value)[:60]!r}.", "It must be text that isn't empty.")
    if len(value) > _LONGEST or not value.isprintable():
        raise PluginError(
            f"{file}: {key} is too long or has control characters.",
            f"One line, at most {_LONGEST} characters.",
        )
    return value


def _capabilities(file: Path, asked: Any, granted: bool) -> tuple[str, ...]:
    """The syscalls that it may make; any other capability is refused.

    Until a person can grant them, what we bring along is granted the syscalls it asks for, and nobody anything else.
    """
    if not isinstance(asked, dict):
        raise PluginError(f"{file} has no table [capabilities].", "Add it, empty.")
    for key, value in asked.items():
        if key not in _CAPABILITIES:
            raise PluginError(f"{file}: there is no capability {key!r}.", f"Known are: {', '.join(_CAPABILITIES)}.")
        if value not in ([], 0) and not (granted and key == "syscalls"):
            raise PluginError(f"{file} asks for the capability {key!r}, which can't be granted yet.", "Leave it empty.")
    syscalls = asked.get("syscalls", [])
    if not isinstance(syscalls, list) or not all(isinstance(one, str) for one in syscalls):
        raise PluginError(f"{file}: the capability 'syscalls' is no list of names.", 'Write syscalls = ["room.*"].')
    return tuple(syscalls)
