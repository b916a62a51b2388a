"""The zygote with only some of its layers, to see what each of them stops. Only benchmarks and tests start it.

    python -I -S -B weakened.py CONTROL SDK SANDBOX LAYERS

SANDBOX is the folder of the real zygote, LAYERS the names of what stays in force, with commas.
"""

from __future__ import annotations

import _socket
import importlib
import sys
from types import ModuleType
from typing import Any

LAYERS = ("limits", "namespaces", "user", "landlock", "seccomp")


def _nothing(*_: object, **__: object) -> None:
    pass


def _refuse() -> None:
    raise OSError("left out")


def main(control: int, sdk: str, sandbox: str, layers: set[str]) -> None:
    """Be the zygote."""
    sys.modules["confinement"] = ModuleType("confinement")
    sys.modules["confinement"].__path__ = [sandbox]
    zygote: Any = importlib.import_module("confinement.zygote")
    confine = zygote.confine
    for layer, module, function in (
        ("limits", confine.limits, "apply"),
        ("user", confine.identity, "drop"),
        ("landlock", confine.landlock, "restrict"),
        ("seccomp", confine.seccomp, "load"),
    ):
        if layer not in layers:
            setattr(module, function, _nothing)
    if "selftest" not in layers:  # what gets out is what is looked for, and not refused at the start
        zygote.selftest.ways_out = list
    if "namespaces" not in layers:
        confine.namespaces.enter = _refuse
    zygote.Zygote(_socket.socket(fileno=control), sdk).serve()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], set(sys.argv[4].split(",")))
