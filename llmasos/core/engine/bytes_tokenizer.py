"""A vocabulary of 256 bytes and three markers: exact, tiny, and enough where no model reads it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import llguidance

from llmasos.core.base.errors import EngineError
from llmasos.core.engine.grammar import GrammarConstraint, compile_lark
from llmasos.core.engine.markers import MARKERS, TURN_END, parts

END = 256 + MARKERS.index(TURN_END)
ENDS = frozenset({256, END})
N_VOCAB = 256 + len(MARKERS)


def tokenize(text: str, *, special: bool = False) -> list[int]:
    """Token ids of a text; `special` reads the markers as such."""
    if not special:
        return list(text.encode("utf-8", "replace"))
    tokens: list[int] = []
    for part in parts(text):
        tokens += [256 + MARKERS.index(part)] if part in MARKERS else part.encode("utf-8", "replace")
    return tokens


def piece(token: int) -> bytes:
    """The bytes of one token.

    Raises:
        EngineError: There is no such token.
    """
    if not 0 <= token < N_VOCAB:
        raise EngineError(f"There is no token {token}.", f"Token ids go from 0 to {N_VOCAB - 1}.")
    return bytes([token]) if token < 256 else MARKERS[token - 256].encode()


def detokenize(tokens: Sequence[int]) -> str:
    """The text of token ids; broken UTF-8 is replaced."""
    return b"".join(map(piece, tokens)).decode("utf-8", "replace")


def constrain(lark: str) -> GrammarConstraint:
    """A fresh constraint.

    Raises:
        EngineError: The grammar is wrong.
    """
    return compile_lark(_grammar_tokenizer(), lark, N_VOCAB)


class _Wrapper:
    """The form in which llguidance takes a tokenizer written in Python."""

    eos_token_id = END
    bos_token_id = None
    special_token_ids = tuple(range(256, N_VOCAB))
    tokens = tuple(map(piece, range(N_VOCAB)))

    def __call__(self, text: bytes | str) -> list[int]:
        return list(text.encode() if isinstance(text, str) else text)


@lru_cache(maxsize=1)
def _grammar_tokenizer() -> llguidance.LLTokenizer:
    return llguidance.LLTokenizer(llguidance.TokenizerWrapper(_Wrapper()), n_vocab=N_VOCAB)
