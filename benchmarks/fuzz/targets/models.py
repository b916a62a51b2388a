"""Model files: the header of a GGUF file, and saved contexts."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from random import Random

from benchmarks.fuzz.mutate import Bytes, Json
from benchmarks.fuzz.target import Target
from llmasos.core.base.errors import ModelError, StateError
from llmasos.core.engine import models, state
from llmasos.core.engine.gguf import MAGIC

_SCALARS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_KEYS = (
    "general.architecture", "general.name", "general.type", "general.alignment", "general.file_type",
    "llama.context_length", "llama.block_count", "tokenizer.ggml.tokens", "tokenizer.chat_template", "adapter.lora.alpha",
)  # fmt: skip


class Headers(Target):
    """GGUF headers, as `--model FILE`, `llmasos model info` and the loading of a model read them first."""

    name = "models"
    share = 20
    expected = (ModelError,)

    def __init__(self, folder: Path) -> None:
        self._bytes = Bytes([_header(Random(number), odd=0) for number in range(8)], [key.encode() for key in _KEYS])
        super().__init__(folder, self._bytes)

    def make(self, rng: Random) -> bytes:
        """A header of right parts with odd values, or one that was changed as bytes."""
        data = _header(rng, odd=rng.choice((0.0, 0.05, 0.3)))
        if rng.random() < 0.5:
            data = self._bytes.edited(rng, data if rng.random() < 0.5 else self._bytes.seed(rng))
        return data

    def run(self, data: bytes) -> None:
        """What the file says of itself, or what is wrong with it."""
        path = self.folder / "m.gguf"
        path.write_bytes(data)
        info = models.info(path)
        assert info.size == len(data) and info.parameters >= 0 and info.context >= 0
        header = models.read(path)
        assert 0 <= header.length <= header.needed <= len(data) + header.alignment
        assert all(header.data_start + tensor.offset + tensor.size <= len(data) for tensor in header.tensors)
        models.fingerprint(path, header)
        models.check(path)


def _header(rng: Random, *, odd: float) -> bytes:
    def number(top: int, bits: int) -> int:
        return rng.getrandbits(bits) if rng.random() < odd else rng.randrange(top)

    def text(said: bytes) -> bytes:
        size = rng.getrandbits(64) if rng.random() < odd * 0.2 else len(said)
        return struct.pack("<Q", size) + said

    def value(kind: int, depth: int = 0) -> bytes:
        if kind == 8:
            return text(rng.choice((b"llama", b"tiny", b"model", b"adapter", b"\xff\xfe", b"")))
        if kind == 9:
            inner = number(13, 32) if depth < 5 else 4
            count = number(5, 64)
            return struct.pack("<IQ", inner, count) + b"".join(value(inner, depth + 1) for _ in range(min(count, 70)))
        width = _SCALARS.get(kind, 0)
        ordinary = (32).to_bytes(width, "little") if width else b""
        return rng.randbytes(width) if rng.random() < odd else ordinary

    pairs = []
    for key in rng.sample(_KEYS, rng.randrange(len(_KEYS))):
        kind = number(13, 32) if rng.random() < 0.5 else rng.choice((8, 4))
        pairs.append(text(key.encode()) + struct.pack("<I", kind) + value(kind))
    tensors, offset = [], 0
    for place in range(rng.randrange(4)):
        dimensions = number(4, 32) % 12
        shape = [number(3, 64) if rng.random() < odd else 32 for _ in range(dimensions)]
        row = struct.pack(f"<I{dimensions}Q", dimensions, *shape)
        row += struct.pack("<IQ", number(3, 32), number(1, 64) if rng.random() < odd else offset)
        tensors.append(text(b"blk.%d.weight" % place) + row)
        offset += 4096
    counts = struct.pack("<QQ", number(1, 64) if rng.random() < odd else len(tensors), len(pairs))
    out = MAGIC + struct.pack("<I", rng.choice((2, 3, 3, 3)) if odd == 0 else number(5, 32)) + counts
    out += b"".join(pairs) + b"".join(tensors)
    return out + bytes(
        rng.choice((0, 64, 4096)) if rng.random() < odd else 3 * 4096 * 32 if rng.random() < 0.1 else 8192
    )


class Contexts(Target):
    """Saved contexts, the sum over them made right: that one is a guard against the disk, and no other."""

    name = "contexts"
    share = 120
    expected = (StateError,)

    def __init__(self, folder: Path) -> None:
        seed = {"model": "m", "computed": 2, "usage": {"prefilled": 3, "reused": 0, "decoded": 1}}
        self._json = Json([seed], ("model", "computed", "usage"))
        super().__init__(folder, self._json)
        self._bytes = Bytes([b"x"])

    def make(self, rng: Random) -> bytes:
        """A state with a description that was changed."""
        described = self._json(rng)[:50_000]
        described += b" " * (-len(described) % 8)
        tokens = rng.randbytes(4 * rng.randrange(6))
        body = described + tokens + rng.randbytes(rng.randrange(40))
        counted = len(tokens) if rng.random() < 0.95 else rng.getrandbits(32)
        size = len(described) if rng.random() < 0.95 else rng.getrandbits(32)
        total = state._sum(memoryview(body))
        whole = state._HEAD.pack(state._MAGIC, size & 0xFFFFFFFF, counted & 0xFFFFFFFF, total) + body
        return self._bytes.edited(rng, whole) if rng.random() < 0.1 else whole

    def run(self, data: bytes) -> None:
        """The sequence, or that it has to be computed anew."""
        saved = state.read(data, "m")
        assert isinstance(saved.computed, int) and 0 <= saved.computed <= len(saved.tokens)
        json.dumps(saved.tokens)


TARGETS: tuple[type[Target], ...] = (Headers, Contexts)
