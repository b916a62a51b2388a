"""Requantizing once into the cache."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from llmasos.core.base.errors import ModelError
from llmasos.core.engine import models, quantize
from llmasos.core.engine.llama_model import LlamaModel
from llmasos.core.engine.perplexity import perplexity

SOURCE = models.locate("smollm2")
MAKE = (
    "from llmasos.core.engine import models, quantize;"
    "p = quantize.prepare(models.locate('smollm2'), 'q4_0'); print(p.path); print(p.note)"
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMASOS_CACHE", str(tmp_path))
    return tmp_path


def test_as_shipped_is_the_file_itself() -> None:
    assert quantize.prepare(SOURCE, "as-shipped") == quantize.Prepared(SOURCE)


@pytest.mark.parametrize(("tiles", "quantization"), [(True, "Q4_1"), (False, "Q8_0")])
def test_auto_is_as_shipped_where_amx_multiplies(
    tiles: bool, quantization: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantize.native(), "tiles", tiles)
    prepared = quantize.prepare(SOURCE, "auto")
    assert (prepared.note, models.info(prepared.path).quantization) == ("", quantization)


def test_an_unknown_quantization() -> None:
    with pytest.raises(ModelError, match=r"'q1_0'.*auto, q8_0, q4_0, as-shipped"):
        quantize.prepare(SOURCE, "q1_0")


def test_two_programs_at_once_make_one_file(cache: Path) -> None:
    programs = [subprocess.Popen([sys.executable, "-c", MAKE], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = [program.communicate()[0].splitlines() for program in programs]
    assert told[0] == told[1]
    path, note = told[0]
    assert note == ""
    assert models.info(Path(path)).quantization == "Q4_0"
    assert [file.name for file in (cache / "models").glob("*.gguf")] == [Path(path).name]
    assert not list((cache / "models").glob(".*.tmp"))
    # Made once: the next one is the same file, untouched.
    changed = Path(path).stat().st_mtime_ns
    assert quantize.prepare(SOURCE, "q4_0").path.stat().st_mtime_ns == changed
    assert quantize.requantize(Path(path), "q4_0") == Path(path)
    # Half a file, from whatever accident, is made again.
    os.truncate(path, 1000)
    assert models.info(quantize.requantize(SOURCE, "q4_0")).quantization == "Q4_0"


def test_no_space_is_said_and_the_model_serves_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=1 << 20))
    prepared = quantize.prepare(SOURCE, "q8_0")
    assert prepared.path == SOURCE
    assert "No space left" in prepared.note
    assert "LLMASOS_CACHE" in prepared.note


def test_a_write_that_fails_leaves_nothing(cache: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20 << 20, 20 << 20))

    done = subprocess.run([sys.executable, "-c", MAKE], capture_output=True, text=True, preexec_fn=limit, check=True)
    path, note = done.stdout.splitlines()
    assert path == str(SOURCE)
    assert "can't be written" in note
    assert [file.suffix for file in (cache / "models").iterdir()] == [".lock"]


def test_a_cache_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LLMASOS_CACHE", str(tmp_path / "file"))
    prepared = quantize.prepare(SOURCE, "q8_0")
    assert prepared.path == SOURCE
    assert prepared.note


def test_layers_are_left_out_and_the_rest_still_speaks(tmp_path: Path) -> None:
    target = quantize.write(SOURCE, tmp_path / "out" / "less.gguf", "q8_0", (20, 21))
    info = models.info(target)
    assert (info.layers, info.quantization) == (28, "Q8_0")
    model = LlamaModel.load(target)
    tokens = model.tokenize("The ferry leaves at nine in the morning, and comes back in the evening.")
    assert perplexity(model, tokens).value < model.n_vocab / 10
    model.close()


@pytest.mark.parametrize(
    ("quantization", "prune", "said"),
    [
        ("q8_0", (30,), "no layer 30.*0 to 29"),
        ("q8_0", (-1,), "no layer -1"),
        ("q8_0", range(30), "All 30 layers"),
        ("q1_0", (), "no quantization 'q1_0'"),
    ],
)
def test_what_cannot_be_written(tmp_path: Path, quantization: str, prune: Sequence[int], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        quantize.write(SOURCE, tmp_path / "a.gguf", quantization, prune)
    assert not list(tmp_path.glob("**/*.gguf"))


def test_a_model_is_not_written_over_itself(tmp_path: Path) -> None:
    copy = tmp_path / "own.gguf"
    shutil.copy(SOURCE, copy)
    with pytest.raises(ModelError, match="is the model itself"):
        quantize.write(copy, copy, "q4_0")
    assert copy.stat().st_size == SOURCE.stat().st_size
