"""LoRA adapters: small weight changes in a file of their own, attached to a context."""

from __future__ import annotations

import ctypes
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmasos.core.base.errors import ModelError
from llmasos.core.engine import models
from llmasos.core.engine.native import native

if TYPE_CHECKING:
    from llmasos.core.engine.llama_model import LlamaModel


NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
"""What a trained adapter may be called."""
FOLDER = "adapters"
FILE = "adapter.gguf"


def folder_of(home: Path, name: str) -> Path:
    """Where a trained adapter of a home is, or would be."""
    return home / FOLDER / name


def file_of(home: Path, name: str) -> Path:
    """The file of an adapter: a trained one's by its name, else what was named is a path."""
    trained = folder_of(home, name) / FILE
    return trained if NAME.fullmatch(name) else Path(name).expanduser()


class Adapter:
    """An adapter in memory, for one context.

    Args:
        model: The model that it was trained on.
        path: Its GGUF file.

    Raises:
        ModelError: Missing, truncated, no adapter, or for another model.
    """

    def __init__(self, model: LlamaModel, path: Path) -> None:
        header = models.read(path)
        if header.metadata.get("general.type") != "adapter":
            raise ModelError(f"{path} is not a LoRA adapter.", "Name an adapter in GGUF format.")
        kind = header.metadata.get("general.architecture")
        if kind != model.info.architecture:
            raise ModelError(
                f"The adapter {path} is for the architecture {kind!r}, "
                f"and the model {model.info.name} is {model.info.architecture!r}.",
                "Use the model that it was trained on.",
            )
        self._api = native().api
        self.fingerprint = models.fingerprint(path, header)
        self._pointer: Any = self._api.llama_adapter_lora_init(model.pointer, os.fsencode(path))
        if not self._pointer:
            raise ModelError(
                f"The adapter {path} doesn't fit the model {model.info.name}.",
                "Use the model that it was trained on.",
            )

    def attach(self, context: Any, scale: float = 1.0) -> None:
        """Let a context compute with the adapter."""
        kind = self._api.llama_adapter_lora_p_ctypes
        pointers = (kind * 1)(ctypes.cast(self._pointer, kind))
        if self._api.llama_set_adapters_lora(context, pointers, 1, (ctypes.c_float * 1)(scale)) != 0:
            raise ModelError("The adapter can't be attached to this context.")

    def close(self) -> None:
        """Free it; the context must be gone or detached."""
        if self._pointer:
            self._api.llama_adapter_lora_free(self._pointer)
            self._pointer = None
