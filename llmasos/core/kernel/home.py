"""What a home consists of: so that all of it can be copied or removed, and nothing of anybody else's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from llmasos.core.kernel import keyring_file
from llmasos.core.kernel.custody import KEY_FILE
from llmasos.core.kernel.store.store import FILE

STORE = FILE
KEYRING = keyring_file.NAME
KEYS = (KEYRING, KEY_FILE, f"{KEY_FILE}.replaced", f".{KEYRING}.new", f".{KEY_FILE}.new")
"""Files that hold keys."""
STORE_FILES = (STORE, f"{STORE}-wal", f"{STORE}-shm", f".{STORE}.new*")
FOLDERS = ("audit", "adapters", "apps", "plugins", "policies")
"""What stands in folders, and is kept."""
SEALED = "*.sealed*"
SETTINGS = "settings.toml"
MODELS = "models"
"""GGUF files that can be had again: erased with the home, and in no backup."""
PASSING = (
    "swap",
    "index",
    "kernel.sock",
    "owner.lock",
    "store.lock",
    "keyring.lock",
    "settings.new",
    ".settings.toml.new",
    ".*.sealed.new",
)
"""What is only there for now."""


def is_home(folder: Path) -> bool:
    """Whether there is a home: a store, or keys for one."""
    return any((folder / name).exists() for name in (STORE, KEYRING))


def kept(home: Path) -> Iterator[Path]:
    """The files of a home beside its keys and its store, relative to it; links aren't followed."""
    for path in sorted(home.glob(SEALED)):
        if path.is_file() and not path.name.startswith("."):
            yield path.relative_to(home)
    if (home / SETTINGS).is_file():
        yield Path(SETTINGS)
    for name in FOLDERS:
        for folder, folders, files in os.walk(home / name):
            folders[:] = sorted(name for name in folders if name != "__pycache__")
            for file in sorted(files):
                path = Path(folder) / file
                if path.is_file() and not path.is_symlink():
                    yield path.relative_to(home)


def sizes(home: Path) -> dict[str, int]:
    """Bytes on disk: of the store, the audit log, indexes, contexts that wait, and sealed logs."""
    parts = {"store": STORE_FILES, "audit log": ("audit",), "indexes": ("index",), "swap": ("swap",), "logs": (SEALED,)}
    return {name: sum(map(_size, (p for one in some for p in home.glob(one)))) for name, some in parts.items()}


def _size(path: Path) -> int:
    try:
        if path.is_dir():
            return sum(map(_size, path.iterdir()))
        return path.stat().st_size
    except OSError:  # gone meanwhile
        return 0


def everything(home: Path) -> Iterator[Path]:
    """All that is there and belongs to a home, keys first."""
    patterns = (*KEYS, *STORE_FILES, SEALED, SETTINGS, *FOLDERS, MODELS, *PASSING)
    for pattern in patterns:
        yield from home.glob(pattern)
