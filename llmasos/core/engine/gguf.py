"""The header of a GGUF file: metadata and tensor directory, read without loading anything.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import math
import mmap
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MAGIC = b"GGUF"
_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?"}
_SCALARS |= {10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
_KEPT = 64
"""Longer arrays (the vocabulary) are skipped: `tokenizer.ggml.tokens` is its length only."""

# ggml's tensor types: id -> (name, weights a block, bytes a block).
TYPES: dict[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 36), 10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
}  # fmt: skip


class GgufError(ValueError):
    """The bytes are no GGUF header."""


class GgufTruncated(GgufError):
    """The header goes on where the file has ended."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One row of the tensor directory."""

    name: str
    shape: tuple[int, ...]
    type: int
    offset: int

    @property
    def count(self) -> int:
        """How many weights."""
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        """Bytes of the weights; 0 for a type that this table doesn't know."""
        _, block, width = TYPES.get(self.type, ("", 1, 0))
        return self.count // block * width


@dataclass(slots=True)
class Header:
    """What a GGUF file says of itself.

    Attributes:
        metadata: Key -> value; long arrays by their length.
        tensors: The directory.
        directory: Where in the file the directory begins.
        length: Bytes of the header; the weights begin after it, aligned.
    """

    version: int
    metadata: dict[str, Any] = field(default_factory=dict)
    tensors: list[Tensor] = field(default_factory=list)
    directory: int = 0
    length: int = 0

    @property
    def alignment(self) -> int:
        """What every tensor's place is a multiple of, bytes."""
        return self.number("general.alignment") or 32

    def number(self, key: str) -> int:
        """A whole number of the metadata; 0 where there is none, or something else stands there."""
        value = self.metadata.get(key)
        return value if type(value) is int and value > 0 else 0

    @property
    def data_start(self) -> int:
        """Where the weights begin."""
        return -(-self.length // self.alignment) * self.alignment

    @property
    def needed(self) -> int:
        """Bytes that the file must have for all its tensors."""
        return max((self.data_start + t.offset + t.size for t in self.tensors), default=self.length)


class _Reader:
    def __init__(self, data: mmap.mmap | bytes) -> None:
        self.data = data
        self.at = 0

    def scalar(self, form: str) -> Any:
        try:
            (value,) = struct.unpack_from(form, self.data, self.at)
        except struct.error:
            raise GgufTruncated("the header ends too early") from None
        self.at += struct.calcsize(form)
        return value

    def skip(self, count: int) -> None:
        self.at += count
        if self.at > len(self.data):
            raise GgufTruncated("the header ends too early")

    def string(self) -> str:
        length = self.scalar("<Q")
        start = self.at
        self.skip(length)
        return bytes(self.data[start : self.at]).decode("utf-8", "replace")

    def value(self, kind: int, depth: int = 0) -> Any:
        if kind in _SCALARS:
            return self.scalar(_SCALARS[kind])
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY and depth < 4:
            return self._array(depth)
        raise GgufError(f"unknown metadata type {kind}")

    def _array(self, depth: int) -> Any:
        kind, count = self.scalar("<I"), self.scalar("<Q")
        if count <= _KEPT or kind == _ARRAY:
            return [self.value(kind, depth + 1) for _ in range(count)]
        if kind == _STRING:
            unpack, data, at, end = struct.Struct("<Q").unpack_from, self.data, self.at, len(self.data) - 8
            for _ in range(count):
                if at > end:
                    raise GgufTruncated("the header ends too early")
                at += 8 + unpack(data, at)[0]
            self.at = at
            self.skip(0)
        elif kind in _SCALARS:
            self.skip(count * struct.calcsize(_SCALARS[kind]))
        else:
            raise GgufError(f"unknown metadata type {kind}")
        return count


def read_header(path: Path) -> Header:
    """Parse a file's header; some 30 ms for a vocabulary of 50,000.

    Raises:
        GgufError: It is none.
        OSError: It can't be read.
    """
    with path.open("rb") as file:
        if file.read(4) != MAGIC:
            raise GgufError("no GGUF magic")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _parse(_Reader(data))


def _parse(reader: _Reader) -> Header:
    reader.skip(4)
    header = Header(version=reader.scalar("<I"))
    if header.version not in (2, 3):
        raise GgufError(f"GGUF version {header.version} isn't known")
    tensors, pairs = reader.scalar("<Q"), reader.scalar("<Q")
    for _ in range(pairs):
        key = reader.string()
        header.metadata[key] = reader.value(reader.scalar("<I"))
    header.directory = reader.at
    for _ in range(tensors):
        name = reader.string()
        dimensions = reader.scalar("<I")
        if dimensions > 8:
            raise GgufError(f"tensor {name!r} has {dimensions} dimensions")
        shape = tuple(reader.scalar("<Q") for _ in range(dimensions))
        header.tensors.append(Tensor(name, shape, reader.scalar("<I"), reader.scalar("<Q")))
    header.length = reader.at
    return header
