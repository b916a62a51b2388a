"""Merging an adapter into its model, once, into the cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader
from gguf.quants import dequantize

from llmasos.core.base.errors import ModelError
from llmasos.core.base.settings import Settings
from llmasos.core.engine import merge, models
from llmasos.core.engine.llama_model import LlamaModel
from llmasos.core.engine.merge import merged
from llmasos.core.engine.sources import LlamaEngines
from tests.core.engine.conftest import write_gguf, write_lora

SOURCE = models.locate("smollm2")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(merged model, adapter)."""
    folder = tmp_path_factory.mktemp("merge")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLMASOS_CACHE", str(folder))
        adapter = write_lora(folder / "a.gguf")
        return merged(SOURCE, adapter), adapter


def test_a_weight_is_the_base_plus_the_product_rounded(made: tuple[Path, Path]) -> None:
    path, adapter = made
    sides = {t.name.rpartition(".lora_")[2]: np.array(t.data, np.float32) for t in GGUFReader(adapter).tensors}
    name = GGUFReader(adapter).tensors[0].name.rpartition(".lora_")[0]
    before = {t.name: t for t in GGUFReader(SOURCE).tensors}
    after = {t.name: t for t in GGUFReader(path).tensors}
    assert set(after) == set(before)
    assert after[name].tensor_type == GGMLQuantizationType.Q4_0
    whole = dequantize(before[name].data, before[name].tensor_type) + 2.0 * sides["b"] @ sides["a"]  # alpha 8, rank 4
    rounded = dequantize(after[name].data, after[name].tensor_type)
    step = np.abs(whole.reshape(-1, 32)).max(1) / 8
    # The largest weight of a block is hit exactly, and one of the other sign can fall a whole step short.
    assert np.all(np.abs(rounded - whole).reshape(-1, 32).max(1) <= step * 1.01 + 1e-6)
    # What the adapter doesn't touch stays bit for bit.
    other = next(n for n in before if n != name)
    assert after[other].tensor_type == before[other].tensor_type
    assert np.array_equal(after[other].data, before[other].data)


def test_the_merged_model_loads_and_keeps_its_words(made: tuple[Path, Path]) -> None:
    model = LlamaModel.load(made[0])
    original = LlamaModel.load(SOURCE)
    text = "find the tax pdf 打开客厅的灯"
    assert model.tokenize(text) == original.tokenize(text)
    assert models.info(made[0]).parameters == models.info(SOURCE).parameters


def test_it_is_made_once(made: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path, adapter = made
    monkeypatch.setenv("LLMASOS_CACHE", str(path.parents[1]))
    monkeypatch.setattr(merge, "_make", lambda *_: pytest.fail("made again"))
    assert merged(SOURCE, adapter) == path


@pytest.mark.parametrize(("kind", "match"), [("no adapter", "not a LoRA adapter"), ("too wide", "doesn't fit")])
def test_what_does_not_fit_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, match: str) -> None:
    monkeypatch.setenv("LLMASOS_CACHE", str(tmp_path))
    if kind == "no adapter":
        adapter = write_gguf(tmp_path / "m.gguf", {"general.architecture": "llama"})
    else:
        adapter = write_lora(tmp_path / "w.gguf", width=300)
    with pytest.raises(ModelError, match=match):
        merged(SOURCE, adapter)
    assert not list(tmp_path.glob("models/*.gguf")) and not list(tmp_path.glob("models/.*.tmp"))


async def test_without_room_the_adapter_is_attached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LLMASOS_CACHE", str(tmp_path / "file"))
    engines = LlamaEngines(Settings(home=tmp_path / "home"), write_lora(tmp_path / "a.gguf"))
    engine = await engines.interpreting()
    assert "+" in engine.fingerprint  # type: ignore[attr-defined]  # of the model and of an adapter beside it
    assert any("Interpreting is slower" in note for note in engines.notes)
    await engine.shutdown()
