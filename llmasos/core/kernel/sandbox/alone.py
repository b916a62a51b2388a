"""Runs as a plugin's process where there is no zygote, on other systems than Linux: not confined.

    python -I -S -B alone.py CHANNEL SDK CODE NAMES

Started by path, with nothing of llmasos but the sdk's file. It ends with the kernel, as all children do.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from types import ModuleType

if not __package__:  # started by path: this folder as a package without the ones above it
    __package__ = "confinement"
    sys.modules[__package__] = ModuleType(__package__)
    sys.modules[__package__].__path__ = [os.path.dirname(__file__)]  # noqa: PTH120 - as in zygote.py

from . import runner

_LOOK = 1.0
"""Seconds between two looks for the kernel; one that is waited for sees its channel close at once."""


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK)
    os._exit(0)


def main(channel: int, sdk_file: str, code: str, names: dict[str, str]) -> None:
    """Be the child, to the end."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    sdk = runner.load_sdk(sdk_file)
    sdk._folders = names  # type: ignore[attr-defined]
    runner.run(channel, code, sdk, lambda: None)


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]), sys.argv[2], sys.argv[3], json.loads(sys.argv[4]))
    finally:
        os._exit(0)
