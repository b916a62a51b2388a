"""One llama.cpp context, thin: a batch in, logits out, cells copied and cut. Used by one thread only."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from llmasos.core.base.errors import EngineError
from llmasos.core.engine.adapters import Adapter
from llmasos.core.engine.base import Logits
from llmasos.core.engine.llama_model import LlamaModel
from llmasos.core.engine.native import native

N_BATCH = 512
"""Tokens computed in one pass at most."""

_COMPUTED = 128
"""Rows that llama.cpp computes together inside a pass; more would only cost memory for attention scores."""

N_OUTPUTS = 64
"""Rows of logits in one pass at most; each is reserved memory (196 kB for 49,152 tokens)."""


@dataclass(slots=True)
class Rows:
    """One batch: parallel columns.

    Attributes:
        tokens: Token ids.
        positions: Where each stands in its sequence.
        sequences: Whose it is.
        outputs: Whether its logits are wanted.
    """

    tokens: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    sequences: list[int] = field(default_factory=list)
    outputs: list[bool] = field(default_factory=list)

    def add(self, token: int, position: int, sequence: int, output: bool) -> None:
        """Append a row."""
        self.tokens.append(token)
        self.positions.append(position)
        self.sequences.append(sequence)
        self.outputs.append(output)

    def extend(self, other: Rows) -> None:
        """Append another batch's rows."""
        self.tokens += other.tokens
        self.positions += other.positions
        self.sequences += other.sequences
        self.outputs += other.outputs

    def __len__(self) -> int:
        return len(self.tokens)


class Context:
    """KV cells and compute buffers for many sequences on one model.

    The cells are one pool ("unified"), where sequences share the cells of a common prefix and every step reads past all
    cells in use, or a *stream* for each sequence, where a step reads those of its own sequences alone.

    Args:
        model: Kept in memory until the context is closed.
        n_ctx: Cells; rounded up to a multiple of 256, of each stream where there are such.
        n_sequences: Sequence ids.
        streams: Whether each sequence has a stream of cells, all of them equally long.
        small_keys: Keep keys in Q8_0 instead of 16 bits, which takes a quarter off the cells.
        threads: Threads of a step.
        brisk: Asked before each step whether there is a core to spare: the step then has a second thread.
        adapter: A LoRA adapter's file.
    """

    def __init__(
        self,
        model: LlamaModel,
        *,
        n_ctx: int,
        n_sequences: int,
        streams: bool = False,
        small_keys: bool = False,
        threads: int = 1,
        brisk: Callable[[], bool] | None = None,
        adapter: Path | None = None,
    ) -> None:
        self._threads, self._brisk = threads, brisk
        self.small_keys = small_keys
        self._api = api = native().api
        self.model = model
        pointer = model.acquire()
        self._pointer: Any = None
        self.adapter: Adapter | None = None
        try:
            parameters = api.llama_context_default_params()
            parameters.n_ctx = n_ctx
            parameters.n_batch = N_BATCH
            parameters.n_ubatch = _COMPUTED
            # Without flash attention decode is 1.5x as fast on a CPU (1,000 tokens of context, prefill
            # 0.93x), and a sequence alone gets the same bits whatever the threads and chunks.
            parameters.flash_attn_type = api.LLAMA_FLASH_ATTN_TYPE_DISABLED
            parameters.n_seq_max = n_sequences
            parameters.n_outputs_max = max(N_OUTPUTS, n_sequences)  # llama.cpp takes no more sequences than that
            parameters.n_threads = parameters.n_threads_batch = threads
            parameters.kv_unified = not streams
            if small_keys:  # values can't be smaller without flash attention
                parameters.type_k = api.GGML_TYPE_Q8_0
            parameters.no_perf = True
            self._pointer = api.llama_init_from_model(pointer, parameters)
            if not self._pointer:
                raise EngineError(f"llama.cpp can't make a context of {n_ctx:,} tokens.", "Choose a smaller context.")
            if adapter is not None:
                self.adapter = Adapter(model, adapter)
                self.adapter.attach(self._pointer)
        except BaseException:
            self.close()
            raise
        self._memory = api.llama_get_memory(self._pointer)
        self.n_ctx: int = api.llama_n_ctx(self._pointer)
        self._n_vocab = model.n_vocab
        self._batch()

    def _batch(self) -> None:
        """Batch columns as arrays that numpy fills and llama.cpp reads."""
        api = self._api
        self._tokens = np.zeros(N_BATCH, np.int32)
        self._positions = np.zeros(N_BATCH, np.int32)
        self._counts = np.ones(N_BATCH, np.int32)
        self._sequences = np.zeros(N_BATCH, np.int32)
        self._outputs = np.zeros(N_BATCH, np.int8)
        # llama.cpp wants, for each token, a pointer to its list of sequences; each list here has one entry.
        self._lists = np.arange(N_BATCH, dtype=np.uint64) * 4 + np.uint64(self._sequences.ctypes.data)
        batch = api.llama_batch()
        columns = {
            "token": self._tokens,
            "pos": self._positions,
            "n_seq_id": self._counts,
            "seq_id": self._lists,
            "logits": self._outputs,
        }
        kinds = dict(api.llama_batch._fields_)
        for name, column in columns.items():
            setattr(batch, name, ctypes.cast(column.ctypes.data, kinds[name]))
        self._llama_batch = batch

    @property
    def bytes_per_token(self) -> int:
        """Bytes of a cell: half are keys, whose 32 numbers take 34 bytes where they are small and 64 otherwise."""
        whole = self.model.bytes_per_token
        return whole // 2 * 34 // 64 + whole // 2 if self.small_keys else whole

    def decode(self, rows: Rows) -> int:
        """Compute a batch; llama.cpp's code: 0 done, 1 no free cells, others failed."""
        count = len(rows)
        self._tokens[:count] = rows.tokens
        self._positions[:count] = rows.positions
        self._sequences[:count] = rows.sequences
        self._outputs[:count] = rows.outputs
        self._llama_batch.n_tokens = count
        if self._brisk:
            self._set_threads(2 if self._brisk() else 1)
        return int(self._api.llama_decode(self._pointer, self._llama_batch))

    def _set_threads(self, threads: int) -> None:
        if threads != self._threads:
            self._api.llama_set_n_threads(self._pointer, threads, threads)
            self._threads = threads

    def logits(self, row: int) -> Logits:
        """Shape (n_vocab,): the logits of a row of the last batch; valid until the next `decode`."""
        pointer = self._api.llama_get_logits_ith(self._pointer, row)
        if not pointer:
            raise EngineError("llama.cpp has no logits for this row.")
        return np.ctypeslib.as_array(pointer, shape=(self._n_vocab,))

    def share(self, source: int, target: int, count: int) -> None:
        """Let a sequence share the first `count` tokens of another; only in one pool of cells."""
        self._api.llama_memory_seq_cp(self._memory, source, target, 0, count)

    def cut(self, sequence: int, start: int) -> None:
        """Forget a sequence's tokens from a position on."""
        self._api.llama_memory_seq_rm(self._memory, sequence, start, -1)

    def state_size(self, sequence: int) -> int:
        """Bytes of a sequence's KV state."""
        return int(self._api.llama_state_seq_get_size(self._pointer, sequence))

    def save(self, sequence: int, address: int, size: int) -> int:
        """Write a sequence's KV state to memory; how many bytes it was."""
        target = ctypes.cast(address, ctypes.POINTER(ctypes.c_uint8))
        return int(self._api.llama_state_seq_get_data(self._pointer, target, size, sequence))

    def saved(self, sequence: int) -> npt.NDArray[np.uint8]:
        """A sequence's KV state.

        Raises:
            EngineError: llama.cpp wrote less than it had announced.
        """
        state = np.empty(self.state_size(sequence), np.uint8)
        if self.save(sequence, state.ctypes.data, len(state)) != len(state):
            raise EngineError("llama.cpp could not save the sequence.")
        return state

    def load(self, sequence: int, state: memoryview | npt.NDArray[np.uint8]) -> bool:
        """Put a KV state into an empty sequence; False where llama.cpp refuses it."""
        raw = np.frombuffer(state, np.uint8)
        data = ctypes.cast(raw.ctypes.data, ctypes.POINTER(ctypes.c_uint8))
        return bool(self._api.llama_state_seq_set_data(self._pointer, data, len(raw), sequence))

    def close(self) -> None:
        """Free the cells; the model too, where nobody else has it."""
        if self._pointer:
            self._api.llama_free(self._pointer)
            self._pointer = None
        if self.adapter:
            self.adapter.close()
            self.adapter = None
        if self.model:
            self.model.close()
            self.model = None  # type: ignore[assignment]  # nothing may use it any more
