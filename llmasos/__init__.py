"""llmasos: an operating system whose command interpreter is a quantized local language model.

    import llmasos

    alice = llmasos.create_character(name="Alice", personality="friendly")
    print(alice.chat("Hello, Alice!"))

Names are loaded when they are first used, so that a worker that only imports `llmasos.sdk` boots nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmasos.core.base.errors import LlmasosError
    from llmasos.sdk import syscall
    from llmasos.system import Character, System, boot, create_character

__all__ = ["Character", "LlmasosError", "System", "__version__", "boot", "create_character", "syscall"]


_HOMES = {
    "Character": "llmasos.system",
    "LlmasosError": "llmasos.core.base.errors",
    "System": "llmasos.system",
    "boot": "llmasos.system",
    "create_character": "llmasos.system",
    "syscall": "llmasos.sdk",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("llmasos")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'llmasos' has no attribute {name!r}")
