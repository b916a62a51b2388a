"""An adapter merged into its model once, into the cache: a model of its own that computes what the pair computes.

Attached at run time, the low-rank products are some 400 small steps more for every token. Merged and rounded to Q4_0,
a step costs half as much, and nothing is lost that wasn't lost in training already: the adapter is trained against
weights rounded in the same way (core/engine/lora/model.py).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from llmasos.core.base.errors import ModelError
from llmasos.core.engine import models, quantize
from llmasos.core.engine.gguf import Tensor


def merged(source: Path, adapter: Path) -> Path:
    """The merged model; made at the first call, which takes some seconds: call it in a thread.

    Programs that want the same file at once wait for the first; nobody ever sees half a file.

    Raises:
        ModelError: A file is missing or broken, they don't fit each other, or the cache can't be written.
    """
    header = models.read(adapter)
    if header.metadata.get("general.type") != "adapter":
        raise ModelError(f"{adapter} is not a LoRA adapter.", "Name an adapter in GGUF format.")
    key = models.fingerprint(adapter, header)[:16]
    target = quantize.cached(source, f"{key}.q4_0")

    def make(temporary: Path) -> None:
        try:
            _make(source, adapter, temporary)
        except (
            KeyError,
            StopIteration,
            ValueError,
        ) as error:  # a half or an empty adapter, a type that gguf can't read
            raise ModelError(
                f"The adapter {adapter} can't be merged into {source} ({error!r}).",
                "Use the model that it was trained on, or install llmasos again.",
            ) from None

    quantize.once(target, models.info(source).size + (8 << 20), make)
    return target


def _make(source: Path, adapter: Path, target: Path) -> None:
    # Only who merges pays for this import.
    from gguf import GGMLQuantizationType, GGUFReader
    from gguf.quants import dequantize, quantize

    low_rank, scale = _low_rank(GGUFReader(adapter))
    header = models.read(source)
    data = np.memmap(source, np.uint8, mode="r")
    weights: list[tuple[Tensor, _Bytes]] = []
    for tensor in header.tensors:
        start = header.data_start + tensor.offset
        raw = data[start : start + tensor.size]
        pair = low_rank.pop(tensor.name, None)
        if pair is None:
            weights.append((tensor, raw))
            continue
        a, b = pair
        width, rows = tensor.shape
        if (rows, width) != (b.shape[0], a.shape[1]):
            raise ModelError(f"The adapter {adapter} doesn't fit {source}.", "Use the model that it was trained on.")
        weight = dequantize(raw.reshape(rows, -1), GGMLQuantizationType(tensor.type)).astype(np.float32)
        rounded = quantize(weight + np.float32(scale) * (b @ a), GGMLQuantizationType.Q4_0)
        weights.append((replace(tensor, type=int(GGMLQuantizationType.Q4_0)), rounded.reshape(-1)))
    if low_rank:
        raise ModelError(
            f"The adapter {adapter} doesn't fit {source}: it changes {next(iter(low_rank))}, which isn't there.",
            "Use the model that it was trained on.",
        )
    # The metadata stays as it is, half a megabyte of vocabulary that needn't be understood to be copied.
    _write(target, bytes(data[: header.directory]), weights, header.alignment)


_Bytes = npt.NDArray[np.uint8]
_Matrix = npt.NDArray[np.float32]


def _write(target: Path, metadata: bytes, weights: Sequence[tuple[Tensor, _Bytes]], alignment: int) -> None:
    """A GGUF file: metadata, the directory of tensors, their weights, each aligned.

    Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
    """
    directory, offset = b"", 0
    for tensor, raw in weights:
        name = tensor.name.encode()
        directory += struct.pack("<Q", len(name)) + name + struct.pack("<I", len(tensor.shape))
        directory += struct.pack(f"<{len(tensor.shape)}QIQ", *tensor.shape, tensor.type, offset)
        offset += len(raw) + -len(raw) % alignment
    with target.open("wb") as out:
        out.write(metadata + directory)
        out.write(bytes(-out.tell() % alignment))
        for _, raw in weights:
            out.write(raw.tobytes() + bytes(-len(raw) % alignment))


def _low_rank(reader: object) -> tuple[dict[str, tuple[_Matrix, _Matrix]], float]:
    """Tensor name -> (a, b), and what their product counts."""
    sides: dict[str, dict[str, _Matrix]] = {}
    for tensor in reader.tensors:  # type: ignore[attr-defined]  # gguf's reader
        name, _, side = tensor.name.rpartition(".lora_")
        sides.setdefault(name, {})[side] = tensor.data.astype(np.float32)
    pairs = {name: (both["a"], both["b"]) for name, both in sides.items()}
    rank = next(iter(pairs.values()))[0].shape[0]
    alpha = reader.get_field("adapter.lora.alpha")  # type: ignore[attr-defined]
    return pairs, float(alpha.contents()) / rank if alpha else 1.0
