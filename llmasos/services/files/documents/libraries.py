"""Pure Python libraries in a child that has no site-packages: loaded from the very folders that it was granted."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

from llmasos.sdk import folder


def library(name: str) -> Any:
    """A granted library, imported."""
    if name not in sys.modules:
        inside = folder(name)
        file = inside / "__init__.py"
        spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=[str(inside)])
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]
