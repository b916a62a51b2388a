"""plugin.toml (or app.toml): who a plugin is and what it wants. Read strictly: a typing error is named."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from llmasos.core.base.errors import PluginError
from llmasos.core.base.foreign import parse_toml
from llmasos.core.kernel.sandbox import capabilities
from llmasos.core.kernel.sandbox.capabilities import NOTHING, Capabilities

Kind = Literal["plugin", "app"]
"""An app has the shape of a plugin, with app.toml and app.py."""
TASKS = ("classify", "generate")
"""What an adapter that a manifest names can be for."""
_TEXTS = ("name", "version", "description", "author", "license", "isolation")
_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
ADAPTER = re.compile(r"[a-z][a-z0-9_-]{0,39}")
"""As core/engine/adapters.py has it, which isn't imported: the zygote imports this room and would import the engine."""
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
        asks: What it asks for beyond answering.
        digest: SHA-256 of the manifest.
        adapters: The trained adapters that it works with, by the task that each is for.
        wheel: The installed distribution that brought it; empty for one that is a folder.
    """

    name: str
    version: str
    description: str
    author: str
    license: str
    isolation: str
    folder: Path
    kind: Kind = "plugin"
    asks: Capabilities = NOTHING
    digest: str = ""
    wheel: str = ""
    adapters: tuple[tuple[str, str], ...] = ()

    @property
    def code(self) -> Path:
        """The file that defines its syscalls."""
        return self.folder / f"{self.kind}.py"

    @property
    def source(self) -> str:
        """Where it comes from; a grant holds for this one only. An environment may move, so a wheel's is its name."""
        return f"wheel {self.wheel}" if self.wheel else str(self.folder)

    @property
    def subject(self) -> str:
        """Who asks when its code does, as policy rules name it."""
        return f"{self.kind}:{self.name}"

    def adapter(self, task: str) -> str:
        """The adapter that it named for a task; empty where it named none."""
        return dict(self.adapters).get(task, "")


def read(folder: Path, kind: Kind = "plugin", *, wheel: str = "") -> Plugin:
    """Read and check a plugin's manifest.

    Args:
        folder: Where it is.
        kind: plugin or app.
        wheel: The distribution that brought it.

    Raises:
        PluginError: Names the file, the key, and what it should be; the first fault of several.
    """
    folder = folder.resolve()
    text, table = _table(folder, kind)
    for fault in _faults(folder, kind, table):
        raise fault
    texts = {key: table[key] for key in _TEXTS}
    asks = capabilities.parse(table["capabilities"])
    adapters = tuple(sorted(table.get("adapters", {}).items()))
    digest = hashlib.sha256(text).hexdigest()
    return Plugin(**texts, folder=folder, kind=kind, asks=asks, digest=digest, wheel=wheel, adapters=adapters)


def faults(folder: Path, kind: Kind = "plugin") -> list[PluginError]:
    """All that is wrong with a plugin's manifest."""
    folder = folder.resolve()
    try:
        _, table = _table(folder, kind)
    except PluginError as error:
        return [error]
    return list(_faults(folder, kind, table))


def _table(folder: Path, kind: Kind) -> tuple[bytes, Mapping[str, Any]]:
    file = folder / f"{kind}.toml"
    try:
        text = file.read_bytes()
        if len(text) > _LARGEST:
            raise PluginError(f"{file} has {len(text):,} bytes.", f"The limit is {_LARGEST:,}.")
        return text, parse_toml(text.decode())
    except OSError as error:
        raise PluginError(f"{file} can't be read: {error.strerror}.") from None
    except ValueError as error:
        raise PluginError(f"{file} isn't TOML: {error}.") from None


def _faults(folder: Path, kind: Kind, table: Mapping[str, Any]) -> Iterator[PluginError]:
    file = folder / f"{kind}.toml"
    for unknown in sorted(set(table) - {*_TEXTS, "capabilities", "adapters"}):
        known = f"Known are: {', '.join(_TEXTS)}, [capabilities], [adapters]."
        yield PluginError(f"{file} has an unknown key {unknown!r}.", known)
    for key in _TEXTS:
        fault = _fault_of_text(file, key, table.get(key))
        if fault:
            yield fault
    for said in capabilities.faults(table.get("capabilities")):
        what, _, remedy = said.partition("; ")
        yield PluginError(f"{file} {what}.", f"{remedy[:1].upper()}{remedy[1:]}." if remedy else "")
    yield from _faults_of_adapters(file, table.get("adapters", {}))
    if not (folder / f"{kind}.py").is_file():
        yield PluginError(f"{folder} has no {kind}.py.", f"The syscalls of {_ARTICLE[kind]} are defined there.")


_ARTICLE: dict[Kind, str] = {"plugin": "a plugin", "app": "an app"}


def _faults_of_adapters(file: Path, said: Any) -> Iterator[PluginError]:
    if not isinstance(said, Mapping):
        yield PluginError(f"{file}: adapters is {str(said)[:60]!r}.", 'It is a table: [adapters], classify = "NAME".')
        return
    for task, name in said.items():
        if task not in TASKS:
            yield PluginError(
                f"{file}: [adapters] has an unknown task {task[:60]!r}.", f"Known are: {', '.join(TASKS)}."
            )
        elif not isinstance(name, str) or not ADAPTER.fullmatch(name):
            yield PluginError(
                f"{file}: the adapter for {task} is {str(name)[:60]!r}.",
                "It is the name of a task that was trained: small letters, digits, '-' and '_', a letter first.",
            )


def _fault_of_text(file: Path, key: str, value: Any) -> PluginError | None:
    if value is None:
        return PluginError(f"{file} has no {key}.", f'Add {key} = "...".')
    if not isinstance(value, str) or not value.strip():
        return PluginError(f"{file}: {key} is {str(value)[:60]!r}.", "It must be text that isn't empty.")
    if len(value) > _LONGEST or not value.isprintable():
        return PluginError(
            f"{file}: {key} is too long or has control characters.", f"One line, at most {_LONGEST} characters."
        )
    if key == "name" and (not _NAME.fullmatch(value) or len(value) > 32):
        return PluginError(
            f"{file}: the name is {value!r}.", "Small letters, digits, '-' and '_', a letter first, at most 32."
        )
    if key == "version" and not _VERSION.fullmatch(value):
        return PluginError(f"{file}: the version is {value!r}.", "It looks like '1.0' or '1.2.3'.")
    if key == "isolation" and value not in _ISOLATIONS:
        return PluginError(f"{file}: the isolation is {value!r}.", "It is 'worker' or 'single_use'.")
    return None
