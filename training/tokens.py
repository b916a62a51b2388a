"""Token ids from llama.cpp's own tokenizer, so that training and the running system can't differ."""

from __future__ import annotations

import ctypes
from pathlib import Path

import llama_cpp


class Tokenizer:
    """The vocabulary of a GGUF file; weights are not loaded."""

    def __init__(self, path: Path) -> None:
        llama_cpp.llama_log_set(_SILENT, ctypes.c_void_p(0))
        params = llama_cpp.llama_model_default_params()
        params.vocab_only = True
        self._model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
        if not self._model:
            raise ValueError(f"llama.cpp can't load {path}")
        self._vocab = llama_cpp.llama_model_get_vocab(self._model)

    def encode(self, text: str) -> list[int]:
        """Ids of a text; `<|im_end|>` and its like are single tokens."""
        raw = text.encode()
        ids = (llama_cpp.llama_token * (len(raw) + 8))()
        count = llama_cpp.llama_tokenize(self._vocab, raw, len(raw), ids, len(ids), False, True)
        if count < 0:
            raise ValueError(f"can't tokenize {text!r}")
        return list(ids[:count])


@llama_cpp.llama_log_callback
def _SILENT(level: int, text: bytes, data: ctypes.c_void_p) -> None:  # noqa: N802
    """Swallows llama.cpp's log."""
