"""llama.cpp with nothing of ours around it: a context, `llama_decode`, and the largest logit."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from llmasos.core.engine.adapters import Adapter
from llmasos.core.engine.llama import LlamaModel
from llmasos.core.engine.native import native

Layout = Literal["unified", "streams"]
LAYOUTS: tuple[Layout, ...] = ("unified", "streams")
N_BATCH = 512


class Bare:
    """A context for a plain loop, as lean as Python can have it.

    Args:
        model: The loaded file, the same one that the engine uses.
        layout: One pool of cells for all sequences, or one for each.
        sequences: How many.
        length: Tokens of the longest one; llama.cpp rounds up to a multiple of 256.
        threads: Threads of a step.
        adapter: A LoRA adapter to attach.
    """

    def __init__(
        self,
        model: LlamaModel,
        *,
        layout: Layout,
        sequences: int,
        length: int,
        threads: int = 1,
        adapter: Path | None = None,
    ) -> None:
        self._api = api = native().api
        self._model = model
        self._layout = layout
        self._n_vocab = model.n_vocab
        parameters = api.llama_context_default_params()
        parameters.n_ctx = sequences * -(-length // 256) * 256
        parameters.n_batch = parameters.n_ubatch = N_BATCH
        parameters.n_seq_max = sequences
        parameters.n_outputs_max = sequences
        parameters.n_threads = parameters.n_threads_batch = threads
        # As the engine has it, which is faster here (docs/benchmarks.md): both sides compute the same.
        parameters.flash_attn_type = api.LLAMA_FLASH_ATTN_TYPE_DISABLED
        parameters.kv_unified = layout == "unified"
        parameters.no_perf = True
        self._pointer: Any = api.llama_init_from_model(model.acquire(), parameters)
        assert self._pointer
        self._adapter = Adapter(model, adapter) if adapter else None
        if self._adapter:
            self._adapter.attach(self._pointer)
        self._memory = api.llama_get_memory(self._pointer)
        self._tokens = np.zeros(N_BATCH, np.int32)
        self._positions = np.zeros(N_BATCH, np.int32)
        self._counts = np.ones(N_BATCH, np.int32)
        self._sequences = np.zeros(N_BATCH, np.int32)
        self._outputs = np.zeros(N_BATCH, np.int8)
        # A pointer for each token to its list of sequences, which has one entry.
        self._lists = np.arange(N_BATCH, dtype=np.uint64) * 4 + np.uint64(self._sequences.ctypes.data)
        batch = api.llama_batch()
        kinds = dict(api.llama_batch._fields_)
        columns = {
            "token": self._tokens,
            "pos": self._positions,
            "n_seq_id": self._counts,
            "seq_id": self._lists,
            "logits": self._outputs,
        }
        for name, column in columns.items():
            setattr(batch, name, ctypes.cast(column.ctypes.data, kinds[name]))
        self._batch = batch

    def clear(self) -> None:
        """Forget everything."""
        self._api.llama_memory_clear(self._memory, False)

    def copy(self, source: int, target: int) -> None:
        """Let a sequence begin with all of another; shared in one pool, copied between pools."""
        self._api.llama_memory_seq_cp(self._memory, source, target, -1, -1)

    def duplicate(self, source: int, target: int) -> None:
        """Give an empty sequence what another has, in cells of its own whatever the layout."""
        size = self._api.llama_state_seq_get_size(self._pointer, source)
        state = (ctypes.c_uint8 * size)()
        assert self._api.llama_state_seq_get_data(self._pointer, state, size, source) == size
        assert self._api.llama_state_seq_set_data(self._pointer, state, size, target) == size

    def cut(self, sequence: int, start: int) -> None:
        """Forget a sequence's tokens from a position on."""
        self._api.llama_memory_seq_rm(self._memory, sequence, start, -1)

    def prefill(self, sequence: int, tokens: list[int], start: int = 0) -> int:
        """Compute a prompt; the likeliest token after it."""
        for first in range(0, len(tokens), N_BATCH):
            some = tokens[first : first + N_BATCH]
            count = len(some)
            self._tokens[:count] = some
            self._positions[:count] = np.arange(start + first, start + first + count)
            self._sequences[:count] = sequence
            self._outputs[:count] = 0
            self._outputs[count - 1] = 1
            self._compute(count)
        return int(self._likeliest(1)[0])

    def decode(self, sequences: int, last: list[int], start: int, steps: int) -> npt.NDArray[np.int32]:
        """So many steps of the first `sequences` sequences together, from the same position on; the last tokens."""
        self._tokens[:sequences] = last
        self._positions[:sequences] = start
        self._sequences[:sequences] = np.arange(sequences)
        self._outputs[:sequences] = 1
        for _ in range(steps):
            self._compute(sequences)
            self._tokens[:sequences] = self._likeliest(sequences)
            self._positions[:sequences] += 1
        return self._tokens[:sequences].copy()

    def close(self) -> None:
        """Free it."""
        self._api.llama_free(self._pointer)
        if self._adapter:
            self._adapter.close()
        self._model.close()

    def _compute(self, count: int) -> None:
        self._batch.n_tokens = count
        code = self._api.llama_decode(self._pointer, self._batch)
        assert code == 0, f"llama_decode said {code}"

    def _likeliest(self, count: int) -> npt.NDArray[np.intp]:
        logits = np.ctypeslib.as_array(self._api.llama_get_logits(self._pointer), shape=(count, self._n_vocab))
        best: npt.NDArray[np.intp] = np.argmax(logits, axis=1)
        return best
