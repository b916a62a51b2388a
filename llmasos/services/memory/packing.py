"""Arrays and texts in one piece of bytes, laid so that they are read without being copied.

bytes = length of the head (8, little-endian) | head, JSON: what is it, sections | sections
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

_ALIGNED = 64


def pack(head: Mapping[str, Any], **sections: npt.NDArray[Any] | bytes) -> bytes:
    """Head and sections as bytes."""
    said, parts, at = [], [], 0
    for name, data in sections.items():
        kind = "" if isinstance(data, bytes) else data.dtype.str
        shape = [len(data)] if isinstance(data, bytes) else list(data.shape)
        body = data if isinstance(data, bytes) else np.ascontiguousarray(data).tobytes()
        said.append([name, kind, shape, at, len(body)])
        parts += [body, bytes(-len(body) % _ALIGNED)]
        at += len(body) + -len(body) % _ALIGNED
    whole = json.dumps({**head, "sections": said}).encode()
    whole += b" " * (-(len(whole) + 8) % _ALIGNED)
    return b"".join([len(whole).to_bytes(8, "little"), whole, *parts])


def unpack(data: memoryview) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `pack` was given: arrays that look into `data`, and memory of it for bytes."""
    start = 8 + int.from_bytes(data[:8], "little")
    head: dict[str, Any] = json.loads(bytes(data[8:start]))
    sections: dict[str, Any] = {}
    for name, kind, shape, at, size in head.pop("sections"):
        body = data[start + at : start + at + size]
        sections[name] = np.frombuffer(body, kind).reshape(shape) if kind else body
    return head, sections
