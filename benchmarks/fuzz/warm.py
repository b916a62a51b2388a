"""The zygote with what documents are read with loaded beforehand, so that a child for each costs a fork. Only fuzzing starts it.

    python -I -S -B warm.py CONTROL SDK SANDBOX PACKAGES

SANDBOX is the folder of the real zygote, PACKAGES where the libraries are, with colons. Its children are confined as ever;
what they would have loaded then, they have.
"""

from __future__ import annotations

import _socket
import importlib
import sys
from types import ModuleType
from typing import Any

LIBRARIES = ("pypdf", "mammoth", "cobble", "striprtf.striprtf")
_ALSO = ("base64", "bz2", "html.parser", "lzma", "xml.etree.ElementTree", "xml.parsers.expat", "zipfile")


def main(control: int, sdk: str, sandbox: str, packages: list[str]) -> None:
    """Be the zygote."""
    before = list(sys.path)
    sys.path += packages
    for name in (*LIBRARIES, *_ALSO):
        importlib.import_module(name)
    sys.path[:] = before  # what is readable in a child follows from it
    sys.modules["confinement"] = ModuleType("confinement")
    sys.modules["confinement"].__path__ = [sandbox]
    zygote: Any = importlib.import_module("confinement.zygote")
    zygote.Zygote(_socket.socket(fileno=control), sdk).serve()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4].split(":"))
