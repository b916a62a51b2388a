"""Token ids from llama.cpp's own tokenizer, so that training and the running system can't differ."""

from __future__ import annotations

from pathlib import Path

from llmasos.core.engine.native import native


class Tokenizer:
    """The vocabulary of a GGUF file; weights are not loaded.

    Raises:
        ValueError: llama.cpp can't load the file.
    """

    def __init__(self, path: Path) -> None:
        self._api = api = native().api
        params = api.llama_model_default_params()
        params.vocab_only = True
        self._model = api.llama_model_load_from_file(str(path).encode(), params)
        if not self._model:
            raise ValueError(f"llama.cpp can't load {path}")
        self._vocab = api.llama_model_get_vocab(self._model)

    def encode(self, text: str) -> list[int]:
        """Ids of a text; `<|im_end|>` and its like are single tokens."""
        raw = text.encode()
        ids = (self._api.llama_token * (len(raw) + 8))()
        count = self._api.llama_tokenize(self._vocab, raw, len(raw), ids, len(ids), False, True)
        if count < 0:
            raise ValueError(f"can't tokenize {text!r}")
        return list(ids[:count])
