"""Greedy decoding of many prompts at once through llama.cpp: the exported file, as it ships."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from llmasos.core.engine.native import native
from llmasos.services.interpreter import notation
from training.tokens import Tokenizer

LIMIT = 160
"""Tokens of an answer."""
LANES = 8
"""Prompts decoded together."""
CELLS = 16384
"""Tokens of all lanes together."""

Part = tuple[int, int, list[int]]
"""(lane, position of the first token, tokens)."""


class Greedy:
    """Base and adapter in llama.cpp.

    Raises:
        ValueError: The adapter can't be loaded.
    """

    def __init__(self, base: Path, adapter: Path | None, threads: int) -> None:
        prepared = native()
        self._api = api = prepared.api
        self.tokenizer = Tokenizer(base)
        model = api.llama_model_default_params()
        model.use_extra_bufts = prepared.extra_buffers
        self._model = api.llama_model_load_from_file(str(base).encode(), model)
        params = api.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = CELLS, 4096, 512
        params.n_seq_max = params.n_outputs_max = LANES
        params.kv_unified = True
        params.n_threads = params.n_threads_batch = threads
        self._context = api.llama_init_from_model(self._model, params)
        if adapter:
            lora = api.llama_adapter_lora_init(self._model, str(adapter).encode())
            if not lora:
                raise ValueError(f"llama.cpp can't load the adapter {adapter}")
            adapters = (api.llama_adapter_lora_p_ctypes * 1)(lora)
            api.llama_set_adapters_lora(self._context, adapters, 1, (ctypes.c_float * 1)(1.0))
        self._vocab = api.llama_model_get_vocab(self._model)
        self._width = api.llama_vocab_n_tokens(self._vocab)
        self._end = self.tokenizer.encode(notation.END)[0]

    def logits(self, text: str) -> np.ndarray:
        """Next-token scores after a text, shape (vocabulary,)."""
        self._clear()
        return self._step([(0, 0, self.tokenizer.encode(text))])[0]

    def answers(self, prompts: list[str]) -> list[str]:
        """The model's answer to each of at most `LANES` prompts, without the end mark."""
        self._clear()
        parts = [(lane, 0, self.tokenizer.encode(prompt)) for lane, prompt in enumerate(prompts)]
        at = [len(tokens) for _, _, tokens in parts]
        out: list[list[int]] = [[] for _ in prompts]
        alive = list(range(len(prompts)))
        rows = self._step(parts)
        while alive:
            going: list[int] = []
            for lane, row in zip(alive, rows, strict=True):
                token = int(row.argmax())
                if token != self._end and len(out[lane]) < LIMIT:
                    out[lane].append(token)
                    going.append(lane)
            alive = going
            if alive:
                rows = self._step([(lane, at[lane] + len(out[lane]) - 1, out[lane][-1:]) for lane in alive])
        return [self._text(tokens) for tokens in out]

    def _clear(self) -> None:
        self._api.llama_memory_clear(self._api.llama_get_memory(self._context), True)

    def _step(self, parts: list[Part]) -> list[np.ndarray]:
        """Decode parts together; scores after the last token of each."""
        api = self._api
        batch = api.llama_batch_init(sum(len(tokens) for _, _, tokens in parts), 0, 1)
        last: list[int] = []
        for lane, start, tokens in parts:
            for offset, token in enumerate(tokens):
                at = batch.n_tokens
                batch.token[at], batch.pos[at] = token, start + offset
                batch.n_seq_id[at], batch.seq_id[at][0] = 1, lane
                batch.logits[at] = offset == len(tokens) - 1
                batch.n_tokens += 1
            last.append(batch.n_tokens - 1)
        status = api.llama_decode(self._context, batch)
        if status:
            raise RuntimeError(f"llama_decode answered {status}")
        scores = [api.llama_get_logits_ith(self._context, at) for at in last]
        rows = [np.ctypeslib.as_array(pointer, (self._width,)).copy() for pointer in scores]
        api.llama_batch_free(batch)
        return rows

    def _text(self, tokens: Iterable[int]) -> str:
        pieces = b""
        buffer = ctypes.create_string_buffer(256)
        for token in tokens:
            size = self._api.llama_token_to_piece(self._vocab, token, buffer, 256, 0, True)
            pieces += buffer.raw[:size]
        return pieces.decode(errors="replace")
