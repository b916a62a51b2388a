"""A loaded model: weights and vocabulary, shared by every context made on it."""

from __future__ import annotations

import asyncio
import ctypes
import os
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from llmasos.core.base.errors import EngineError, ModelError
from llmasos.core.engine import models
from llmasos.core.engine.base import Constraint
from llmasos.core.engine.chat_template import ChatTemplate
from llmasos.core.engine.grammar import Grammar
from llmasos.core.engine.native import native

REPACKED = frozenset({"Q4_0", "Q4_K", "IQ4_NL"})
"""Quantizations that llama.cpp lays out anew for processors with wide vectors."""


class LlamaModel:
    """A GGUF model in memory.

    Made by `load`, which blocks for 0.1 to 0.5 s, or by `load_async`. It is freed when it is closed and its
    last context is, so that the order of closing doesn't matter.

    Attributes:
        path: The file.
        info: What the file says of itself.
        fingerprint: Tells models apart; saved states carry it.
        tiles: Whether its weights are laid out for AMX: one row is then computed another way than several.
        n_vocab: Size of the vocabulary.
        bytes_per_token: Of memory, for each token of a live context.
        end_tokens: Tokens that end a text.
        chat_template: The model's Jinja template, or empty.
    """

    def __init__(self, path: Path, pointer: Any, fingerprint: str) -> None:
        self.path = path
        self.info = models.info(path)
        self.fingerprint = fingerprint
        self.pointer = pointer
        prepared = native()
        self._api = api = prepared.api
        self.tiles = prepared.tiles
        self.vocab = api.llama_model_get_vocab(pointer)
        self.n_vocab: int = api.llama_vocab_n_tokens(self.vocab)
        self.end_tokens = self._ends()
        width = api.llama_model_n_embd(pointer) // api.llama_model_n_head(pointer)
        keys = api.llama_model_n_layer(pointer) * api.llama_model_n_head_kv(pointer) * width
        self.bytes_per_token: int = keys * 2 * 2  # keys and values, 16 bits each
        template = api.llama_model_chat_template(pointer, None)
        self.chat_template: str = template.decode("utf-8", "replace") if template else ""
        self._grammar: Grammar | None = None
        self._users = 1
        self._lock = threading.Lock()

    @classmethod
    def load(cls, path: Path) -> LlamaModel:
        """Check and load a model; blocks, so call it in a thread or use `load_async` inside an event loop.

        Raises:
            ModelError: The file is missing, no model, truncated, too large, or of an unknown architecture.
        """
        header = models.check(path)
        prepared = native()
        parameters = prepared.api.llama_model_default_params()
        parameters.use_extra_bufts = prepared.extra_buffers
        if prepared.tiles or (prepared.extra_buffers and models.info(path).quantization in REPACKED):
            # Repacked weights live in memory of their own; the mapped file would stay resident beside them.
            parameters.load_mode = prepared.api.LLAMA_LOAD_MODE_NONE
        pointer = prepared.api.llama_model_load_from_file(os.fsencode(path), parameters)
        if not pointer:
            kind = header.metadata.get("general.architecture", "unknown")
            raise ModelError(
                f"llama.cpp can't load {path} (architecture {kind!r}).",
                "The file may be damaged, or newer than the installed llama-cpp-python.",
            )
        return cls(path, pointer, models.fingerprint(path, header))

    @classmethod
    async def load_async(cls, path: Path) -> LlamaModel:
        """`load` in a thread."""
        return await asyncio.to_thread(cls.load, path)

    def tokenize(self, text: str, *, special: bool = False) -> list[int]:
        """Token ids of a text; `special` reads markers such as `<|im_start|>`: never for untrusted text."""
        data = text.encode("utf-8", "replace")
        room = len(data) + 16
        tokens = (ctypes.c_int32 * room)()
        count = self._api.llama_tokenize(self.vocab, data, len(data), tokens, room, False, special)
        if count < 0:
            raise EngineError(f"A text of {len(data):,} bytes can't be tokenized.", "Shorten it.")
        return tokens[:count]

    def detokenize(self, tokens: Sequence[int]) -> str:
        """The text of token ids, markers included; broken UTF-8 is replaced."""
        return b"".join(self.piece(token) for token in tokens).decode("utf-8", "replace")

    def piece(self, token: int) -> bytes:
        """The bytes of one token; some hold part of a character."""
        if not 0 <= token < self.n_vocab:
            raise EngineError(f"There is no token {token}.", f"Token ids go from 0 to {self.n_vocab - 1}.")
        return self.pieces[token]

    @cached_property
    def pieces(self) -> list[bytes]:
        """The bytes of every token; 0.1 s at first use."""
        api, vocab = self._api, self.vocab
        buffer = ctypes.create_string_buffer(1024)
        found: list[bytes] = []
        for token in range(self.n_vocab):
            length = api.llama_token_to_piece(vocab, token, buffer, len(buffer), 0, True)
            if length < 0:
                buffer = ctypes.create_string_buffer(-length)
                length = api.llama_token_to_piece(vocab, token, buffer, len(buffer), 0, True)
            found.append(buffer.raw[:length])
        return found

    @cached_property
    def control(self) -> npt.NDArray[np.bool_]:
        """Shape (n_vocab,): True for markers, which are no text."""
        api, vocab = self._api, self.vocab
        marks = (api.llama_vocab_is_control(vocab, token) for token in range(self.n_vocab))
        return np.fromiter(marks, np.bool_, self.n_vocab)

    @property
    def grammar(self) -> Grammar:
        """The constraint compiler over this vocabulary; 0.3 s at first use."""
        with self._lock:  # who asks second waits for the first instead of building another
            if self._grammar is None:
                tokenize = ctypes.cast(self._api.llama_cpp._lib.llama_tokenize, ctypes.c_void_p).value
                ends = sorted(self.end_tokens)
                self._grammar = Grammar(self.pieces, self.control, ends, self.vocab, tokenize or 0)
            return self._grammar

    @cached_property
    def chat(self) -> ChatTemplate:
        """The model's conversation form.

        Raises:
            EngineError: The model's template is broken.
        """
        api, vocab = self._api, self.vocab
        marks = {"bos_token": api.llama_vocab_bos(vocab), "eos_token": api.llama_vocab_eos(vocab)}
        named = {name: self.detokenize([token]) if token >= 0 else "" for name, token in marks.items()}
        return ChatTemplate(self.chat_template, self.tokenize, named)

    def constrain(self, lark: str) -> Constraint:
        """A fresh constraint.

        Raises:
            EngineError: The grammar is wrong.
        """
        return self.grammar.constrain(lark)

    def warm(self) -> None:
        """Build what is made at first use; engines do so in their thread before their first request."""
        _ = self.grammar

    def acquire(self) -> Any:
        """The native model, kept in memory until `close` is called once more.

        Raises:
            EngineError: It is closed already.
        """
        with self._lock:
            if self._users <= 0:
                raise EngineError(f"The model {self.info.name} is closed.")
            self._users += 1
            return self.pointer

    def close(self) -> None:
        """Give the model back; freed with its last user."""
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._api.llama_model_free(self.pointer)
                self.pointer = self.vocab = None

    @property
    def end_token(self) -> int:
        """What the model writes at the end of its turn."""
        api, vocab = self._api, self.vocab
        turn = int(api.llama_vocab_eot(vocab))
        return turn if turn >= 0 else int(api.llama_vocab_eos(vocab))

    def _ends(self) -> frozenset[int]:
        api, vocab = self._api, self.vocab
        return frozenset(token for token in range(self.n_vocab) if api.llama_vocab_is_eog(vocab, token))
