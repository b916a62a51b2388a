"""Answers in OpenAI's forms."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

JSON = Mapping[str, Any]
_FINISHED = {"length": "length", "held": "content_filter"}
"""Why a reply is over; `stop` for every other reason."""


class Completion:
    """One reply, whole or in chunks, under one id.

    Args:
        model: As the request named it.
    """

    def __init__(self, model: str) -> None:
        self._head = {"id": f"chatcmpl-{secrets.token_hex(12)}", "created": int(time.time()), "model": model}

    def whole(self, value: JSON) -> JSON:
        """The reply of a call's value."""
        message = {"role": "assistant", "content": value["text"], "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finished(value)}
        return {**self._head, "object": "chat.completion", "choices": [choice], "usage": usage(value)}

    def chunk(self, delta: JSON, why: str | None = None) -> JSON:
        """A piece of it."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": why}
        return {**self._head, "object": "chat.completion.chunk", "choices": [choice]}

    def cost(self, value: JSON) -> JSON:
        """The chunk that says what it cost."""
        return {**self._head, "object": "chat.completion.chunk", "choices": [], "usage": usage(value)}


def finished(value: JSON) -> str:
    """Why a reply is over."""
    return _FINISHED.get(value["ended"], "stop")


def usage(value: JSON) -> JSON:
    """What a reply has cost."""
    read, written = value["read"], value["written"]
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
        "prompt_tokens_details": {"cached_tokens": value["cached"]},
    }


def models(names: Iterable[str], created: int) -> JSON:
    """The list of models."""
    return {"object": "list", "data": [model(name, created) for name in names]}


def model(name: str, created: int) -> JSON:
    """One of them."""
    return {"id": name, "object": "model", "created": created, "owned_by": "llmasos"}


def vectors(found: Sequence[npt.NDArray[np.float32]], name: str, *, packed: bool) -> JSON:
    """Vectors, as numbers or packed as little-endian float32 in base64. What they cost isn't known, so it is 0."""
    rows = [
        {"object": "embedding", "index": at, "embedding": _packed(vector) if packed else [float(v) for v in vector]}
        for at, vector in enumerate(found)
    ]
    return {"object": "list", "data": rows, "model": name, "usage": {"prompt_tokens": 0, "total_tokens": 0}}


def _packed(vector: npt.NDArray[np.float32]) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
