"""Text as tokens of our own, since the server's are unknown here, and conversations read back from them.

A token is up to four bytes of text, cut between characters: about what a tokenizer makes of English, rather more than
it makes of Chinese. So counting them tells what fits and what it costs until the server says it exactly. The markers of
a conversation's form are tokens that no text has: what somebody said can't become a message of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from llmasos.core.base.errors import EngineError
from llmasos.core.engine.chat_template import ROLES
from llmasos.core.engine.markers import MARKERS, TURN_START, parts
from llmasos.core.engine.openai.protocol import Message

BYTES = 4
_START = MARKERS.index(TURN_START)
_TOP = 1 << 8 * (BYTES + 1)


def tokenize(text: str, *, special: bool = False) -> list[int]:
    """Token ids of a text; `special` reads the markers as such."""
    if special:
        return [
            token
            for part in parts(text)
            for token in ([MARKERS.index(part)] if part in MARKERS else _pieces(part.encode("utf-8", "replace")))
        ]
    return _pieces(text.encode("utf-8", "replace"))


def detokenize(tokens: Sequence[int]) -> str:
    """The text of token ids.

    Raises:
        EngineError: There is no such token.
    """
    return b"".join(map(_piece, tokens)).decode("utf-8", "replace")


def count(text: str) -> int:
    """About how many tokens a text has."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES)


def conversation(tokens: Sequence[int]) -> tuple[list[Message], str]:
    """The messages of a sequence, and what the reply that is asked for begins with."""
    messages: list[Message] = []
    opening = ""
    turn = False
    for marker, run in groupby(tokens, key=lambda token: token < len(MARKERS)):
        if marker:
            turn, opening = list(run)[-1] == _START, ""
            continue
        text = detokenize(list(run))
        if not turn:
            if text.strip():  # no turn of a conversation: somebody asks without its form
                messages.append({"role": "user", "content": text})
            continue
        role, _, content = text.partition("\n")
        messages.append({"role": role, "content": content} if role in ROLES else {"role": "user", "content": text})
        opening = content if role == "assistant" else ""
    if turn and messages and messages[-1]["role"] == "assistant":
        messages.pop()  # the turn that isn't over is the reply
    return [message for message in messages if message["content"]], opening


def _pieces(data: bytes) -> list[int]:
    tokens, at = [], 0
    while at < len(data):
        end = at + BYTES
        while end < len(data) and data[end] & 0xC0 == 0x80:  # inside a character
            end -= 1
        tokens.append(int.from_bytes(b"\1" + data[at:end]))
        at = end
    return tokens


def _piece(token: int) -> bytes:
    if 0 <= token < len(MARKERS):
        return MARKERS[token].encode()
    size = (token.bit_length() - 1) // 8 if 0 < token < _TOP else 0
    if not size or token >> 8 * size != 1:
        raise EngineError(f"There is no token {token}.", "A token is up to four bytes, or a marker.")
    return token.to_bytes(size + 1)[1:]
