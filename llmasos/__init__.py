"""llmasos: an operating system whose command interpreter is a quantized local language model.

    import llmasos

    alice = llmasos.create_character(name="Alice", personality="friendly")
    print(alice.chat("Hello, Alice!"))

Names are loaded when they are first used, so that a worker that only imports `llmasos.sdk` boots nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmasos.core.base.errors import LlmasosError
    from llmasos.system import Character, System, boot, create_character

__all__ = ["Character", "LlmasosError", "System", "__version__", "boot", "create_character", "syscall"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("llmasos")
    if name == "LlmasosError":
        from llmasos.core.base.errors import LlmasosError

        return LlmasosError
    if name == "syscall":
        from llmasos.sdk import syscall

        return syscall
    if name in ("Character", "System", "boot", "create_character"):
        from llmasos import system

        return getattr(system, name)
    raise AttributeError(f"module 'llmasos' has no attribute {name!r}")
