"""Engines for the contract suite, and GGUF files to break."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

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


def rambling(text: str) -> str:
    """A reply that depends on the text and on nothing else."""
    words = random.Random(zlib.crc32(text.encode()))
    return " ".join(words.choice(("river", "日光", "stone", "ünder", "bread")) for _ in range(300))


@pytest.fixture(params=["scripted", "llama"])
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    if request.param == "llama":
        made: Engine = await LlamaEngine.create(request.getfixturevalue("model"), n_ctx=N_CTX, n_seq=N_SEQ)
    else:
        made = ScriptedEngine(rambling, n_ctx=N_CTX, n_seq=N_SEQ)
    yield made
    await made.shutdown()


def _string(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def write_gguf(path: Path, metadata: dict[str, str], tensors: int = 1, *, data: bytes = b"\0" * 128) -> Path:
    """A tiny GGUF file with string metadata and 32-weight F32 tensors."""
    out = b"GGUF" + struct.pack("<IQQ", 3, tensors, len(metadata))
    for key, value in metadata.items():
        out += _string(key) + struct.pack("<I", 8) + _string(value)
    for index in range(tensors):
        out += _string(f"t{index}") + struct.pack("<IQIQ", 1, 32, 0, index * 128)
    out += b"\0" * (-len(out) % 32) + data
    path.write_bytes(out)
    return path


@pytest.fixture
def gguf(tmp_path: Path) -> Callable[..., Path]:
    def make(name: str = "m.gguf", **options: Any) -> Path:
        metadata = options.pop("metadata", {"general.architecture": "llama", "general.name": "tiny"})
        return write_gguf(tmp_path / name, metadata, **options)

    return make
