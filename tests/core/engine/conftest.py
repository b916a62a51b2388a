"""Engines for the contract suite, and GGUF files to break."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from llmasos.core.engine import models, quantize
from llmasos.core.engine.base import Engine
from llmasos.core.engine.llama import LlamaEngine, LlamaModel
from llmasos.core.engine.scripted import ScriptedEngine

N_CTX, N_SEQ = 1024, 6


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaModel]:
    """The default model, requantized into a cache of the session's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLMASOS_CACHE", str(tmp_path_factory.mktemp("cache")))
        prepared = quantize.prepare(models.locate("smollm2"), "q8_0")
    assert not prepared.note
    loaded = LlamaModel.load(prepared.path)
    yield loaded
    loaded.close()


@pytest.fixture
async def llama(model: LlamaModel) -> AsyncIterator[LlamaEngine]:
    engine = await LlamaEngine.create(model, n_ctx=N_CTX, n_seq=N_SEQ)
    yield engine
    await engine.shutdown()


@pytest.fixture(params=["pool", "streams"])
async def either(request: pytest.FixtureRequest, model: LlamaModel) -> AsyncIterator[LlamaEngine]:
    """One lane, in both layouts of its cells."""
    streams = N_SEQ if request.param == "streams" else 0
    engine = await LlamaEngine.create(model, n_ctx=(streams or 1) * N_CTX, n_seq=N_SEQ, streams=streams)
    yield engine
    await engine.shutdown()


def rambling(text: str) -> str:
    """A reply that depends on the text and on nothing else."""
    words = random.Random(zlib.crc32(text.encode()))
    return " ".join(words.choice(("river", "日光", "stone", "ünder", "bread")) for _ in range(300))


@pytest.fixture(params=["scripted", "llama", "lanes", "streams", "lanes of streams"])
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    if request.param != "scripted":
        loaded, lanes = request.getfixturevalue("model"), 2 if "lanes" in request.param else 1
        made: Engine
        if "streams" in request.param:
            made = await LlamaEngine.create(loaded, n_ctx=N_SEQ * N_CTX, n_seq=N_SEQ, streams=N_SEQ, lanes=lanes)
        else:
            made = await LlamaEngine.create(loaded, n_ctx=lanes * N_CTX, n_seq=N_SEQ, lanes=lanes)
    else:
        made = ScriptedEngine(rambling, n_ctx=N_CTX, n_seq=N_SEQ)
    yield made
    await made.shutdown()


def _string(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def _value(value: str | float) -> bytes:
    return struct.pack("<I", 8) + _string(value) if isinstance(value, str) else struct.pack("<If", 6, value)


def write_gguf(
    path: Path,
    metadata: dict[str, str | float],
    tensors: int = 1,
    *,
    data: bytes = b"\0" * 128,
    arrays: dict[str, npt.NDArray[np.float32]] | None = None,
) -> Path:
    """A GGUF file of F32 tensors: `arrays`, or so many of 32 weights whose bytes are `data`."""
    shapes = {name: (array.shape[::-1], array.nbytes) for name, array in (arrays or {}).items()}
    shapes = shapes or {f"t{index}": ((32,), 128) for index in range(tensors)}
    out = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(metadata))
    for key, value in metadata.items():
        out += _string(key) + _value(value)
    offset = 0
    for name, (shape, size) in shapes.items():
        out += _string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, offset)
        offset += -(-size // 32) * 32
    out += b"\0" * (-len(out) % 32)
    path.write_bytes(out + (b"".join(array.tobytes() for array in arrays.values()) if arrays else data))
    return path


def write_lora(path: Path, *, architecture: str = "llama", width: int = 576, scale: float = 1.0, seed: int = 5) -> Path:
    """A LoRA adapter of rank 4 for one matrix of the default model; random, so that it changes answers."""
    random = np.random.default_rng(seed)
    arrays = {
        "blk.0.attn_q.weight.lora_a": random.normal(size=(4, width)).astype(np.float32) * scale,
        "blk.0.attn_q.weight.lora_b": random.normal(size=(width, 4)).astype(np.float32) * scale,
    }
    metadata: dict[str, str | float] = {
        "general.architecture": architecture,
        "general.type": "adapter",
        "adapter.type": "lora",
        "adapter.lora.alpha": 8.0,
    }
    return write_gguf(path, metadata, arrays=arrays)


@pytest.fixture
def gguf(tmp_path: Path) -> Callable[..., Path]:
    def make(name: str = "m.gguf", **options: Any) -> Path:
        metadata = options.pop("metadata", {"general.architecture": "llama", "general.name": "tiny"})
        return write_gguf(tmp_path / name, metadata, **options)

    return make
