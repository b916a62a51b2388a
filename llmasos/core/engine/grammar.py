"""Constrained decoding: which tokens may follow, by llguidance from a Lark grammar.

What was seen with SmolLM2's vocabulary is in docs/engine.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import llguidance
import numpy as np
import numpy.typing as npt

from llmasos.core.base.errors import EngineError

_SPECIAL = b"\xff"
"""llguidance's mark before a token that is no text."""


class Grammar:
    """Compiles constraints for one vocabulary.

    Args:
        pieces: The bytes of every token.
        control: Which tokens are markers.
        ends: Tokens that end a text.
        vocab: llama.cpp's vocabulary.
        tokenize: The address of `llama_tokenize`, with which forced text is tokenized as the model would.
    """

    def __init__(
        self,
        pieces: Sequence[bytes],
        control: npt.NDArray[np.bool_],
        ends: Sequence[int],
        vocab: Any,
        tokenize: int,
    ) -> None:
        tokens = [_SPECIAL + piece if mark else piece for piece, mark in zip(pieces, control, strict=True)]
        self._size = len(tokens)
        build: Any = llguidance.LLTokenizer
        self._tokenizer = build.from_llamacpp(  # not in its type stubs
            tokens=tokens, vocab_ptr=vocab, tokenize_fptr=tokenize, eos_token=list(ends), slices=None
        )

    def constrain(self, lark: str) -> GrammarConstraint:
        """A fresh constraint from a Lark grammar.

        Raises:
            EngineError: The grammar is wrong or too large.
        """
        return compile_lark(self._tokenizer, lark, self._size)


def compile_lark(tokenizer: llguidance.LLTokenizer, lark: str, size: int) -> GrammarConstraint:
    """A constraint over a vocabulary of `size` tokens.

    Raises:
        EngineError: The grammar is wrong or too large.
    """
    # No token writes half a character, and the library takes none.
    lark = lark.encode("utf-8", "replace").decode()
    matcher = llguidance.LLMatcher(tokenizer, llguidance.LLMatcher.grammar_from_lark(lark), log_level=0)
    if matcher.is_error():
        raise EngineError(f"The grammar is wrong: {_first_line(matcher.get_error())}.")
    return GrammarConstraint(matcher, size, lark)


class GrammarConstraint:
    """A grammar in the middle of a text."""

    def __init__(self, matcher: Any, size: int, source: str) -> None:
        self.source = source
        self._matcher = matcher
        self._size = size
        self._bits = np.zeros((size + 31) // 32, np.int32)

    def mask(self) -> npt.NDArray[np.bool_]:
        """Shape (vocabulary,): True where a token may follow; the end token too where the text may end.

        Raises:
            EngineError: The grammar has become too large to follow.
        """
        self._matcher.unsafe_compute_mask_ptr(self._bits.ctypes.data, self._bits.nbytes)
        if self._matcher.is_error():
            raise EngineError(f"The grammar can't be followed: {_first_line(self._matcher.get_error())}.")
        return np.unpackbits(self._bits.view(np.uint8), count=self._size, bitorder="little").view(np.bool_)

    def forced(self) -> list[int]:
        """Tokens that must come next; they aren't consumed yet."""
        return list(self._matcher.compute_ff_tokens())

    def consume(self, token: int) -> bool:
        """Take a token; False, and nothing changed, where the grammar forbids it."""
        return bool(self._matcher.try_consume_tokens([token]) == 1)

    def finished(self) -> bool:
        """Whether nothing but the end may follow."""
        return bool(self._matcher.is_stopped())


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0].rstrip(".") if text.strip() else "unknown reason"
