"""An adapter merged into its model once, into the cache: a model of its own that computes what the pair computes.

Attached at run time, the low-rank products are some 400 small steps more for every token. Merged and rounded to Q4_0,
a step costs half as much, and nothing is lost that wasn't lost in training already: the adapter is trained against
weights rounded in the same way (training/model.py).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from llmasos.core.base.errors import ModelError
from llmasos.core.engine import models, quantize


def merged(source: Path, adapter: Path) -> Path:
    """The merged model; made at the first call, which takes some three seconds: call it in a thread.

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
    from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter
    from gguf.quants import dequantize, quantize

    low_rank, scale = _low_rank(GGUFReader(adapter))
    reader = GGUFReader(source)
    writer = GGUFWriter(target, models.info(source).architecture)
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name in ("general.architecture", "general.file_type"):
            continue
        kind = field.types[0]
        inner = field.types[-1] if kind == GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), kind, sub_type=inner)
    writer.add_file_type(2)  # mostly Q4_0
    for tensor in reader.tensors:
        pair = low_rank.pop(tensor.name, None)
        if pair is None:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
            continue
        a, b = pair
        weight = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        if weight.shape != (b.shape[0], a.shape[1]):
            raise ModelError(f"The adapter {adapter} doesn't fit {source}.", "Use the model that it was trained on.")
        whole = weight + np.float32(scale) * (b @ a)
        writer.add_tensor(tensor.name, quantize(whole, GGMLQuantizationType.Q4_0), raw_dtype=GGMLQuantizationType.Q4_0)
    if low_rank:
        raise ModelError(
            f"The adapter {adapter} doesn't fit {source}: it changes {next(iter(low_rank))}, which isn't there.",
            "Use the model that it was trained on.",
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


_Matrix = npt.NDArray[np.float32]


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
