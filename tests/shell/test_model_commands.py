"""`llmasos model ...`: what a person sees of models, their figures, and tasks."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from llmasos.cli import main
from llmasos.core.base.settings import Settings
from llmasos.core.engine import adapters, models
from llmasos.services.models import trained, training
from llmasos.services.models.examples import Example
from llmasos.services.models.training import Wanted
from llmasos.shell import model_work
from llmasos.shell.model_work import layers
from tests.services.task_desk import about, put

SOURCE = models.locate("smollm2")
TEXT = "The ferry to the island leaves at nine, and the last one comes back at six. " * 6


@pytest.fixture(autouse=True)
def own_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMASOS_HOME", str(home))
    return home


def run(capsys: pytest.CaptureFixture[str], *said: str) -> tuple[int, str, str]:
    code = main(["model", *said])
    out, err = capsys.readouterr()
    return code, out, err


def test_the_list_has_packages_folders_and_tasks(
    capsys: pytest.CaptureFixture[str], own_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "more"
    elsewhere.mkdir()
    (elsewhere / "mine.gguf").symlink_to(SOURCE)
    (elsewhere / "broken.gguf").write_bytes(b"GGUF\x03\0\0\0")
    shutil.copy(SOURCE, elsewhere / "copy.gguf")
    monkeypatch.setenv("LLMASOS_MODEL_FOLDERS", str(elsewhere))
    put(own_home, about())
    code, out, _ = run(capsys, "list", "--json")
    rows = json.loads(out)
    assert code == 0
    assert [Path(row["path"]).name for row in rows if "path" in row] == [SOURCE.name, "broken.gguf", "copy.gguf"], (
        "one that two names lead to is listed once"
    )
    assert "truncated" in rows[1]["trouble"]
    assert (rows[-1]["name"], rows[-1]["adapter of"], rows[-1]["accuracy"]) == ("visitors", "smollm2", 0.9)
    code, out, _ = run(capsys, "list")
    lines = out.splitlines()
    assert lines[0].startswith("smollm2  Q4_1, 98 MB, 8,192 tokens  talks")
    assert lines[1].startswith("broken  ") and "truncated" in lines[1]
    assert lines[2].startswith("copy  Q4_1") and "talks" not in lines[2]
    assert lines[3:] == ["smollm2+visitors  classify, right for 90.0% of what was held out"]


def test_info_has_the_facts_of_the_header(capsys: pytest.CaptureFixture[str], own_home: Path) -> None:
    _, out, _ = run(capsys, "info", "smollm2", "--json")
    facts = json.loads(out)
    assert (facts["architecture"], facts["parameters"], facts["context"]) == ("llama", 134_515_008, 8192)
    assert (facts["quantization"], facts["licence"], facts["languages"]) == ("Q4_1", "apache-2.0", ["en"])
    assert "49,152 tokens" in facts["tokenizer"] and facts["template"] == "its own"
    put(own_home, about())
    _, out, _ = run(capsys, "info", "visitors")
    assert "adapter of     smollm2" in out and "prices, routes" in out
    put(own_home, about("pirate", "generate", labels=[], likeness={"with it": 78.3, "without it": 10.6}))
    lines = run(capsys, "info", "pirate")[1].splitlines()
    assert "chrF           with it 78.3, without it 10.6" in lines and "accuracy       90.0%" in lines


def test_a_model_that_is_used_from_now_on(
    capsys: pytest.CaptureFixture[str], own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own.gguf"
    own.symlink_to(SOURCE)
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(capsys, "use", "own.gguf")
    assert code == 0 and "The interpreter keeps its own model" in out
    assert Settings.load().model == str(SOURCE.resolve())
    put(own_home, about("pirate", "generate", labels=[]))
    run(capsys, "use", "smollm2+pirate")
    assert Settings.load().model == "smollm2+pirate"
    run(capsys, "use", "openai:http://localhost:8080/v1/qwen3")
    assert Settings.load().model == "openai:http://localhost:8080/v1/qwen3"
    code, _, err = run(capsys, "use", "nothing.gguf")
    assert code == 1 and "no model file" in err
    assert Settings.load().model == "openai:http://localhost:8080/v1/qwen3", "what can't be used isn't kept"
    assert run(capsys, "use")[0] == 2


def test_perplexity_of_a_text(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text(TEXT, encoding="utf-8")
    code, out, err = run(capsys, "eval", "smollm2", "--text", str(text), "--json", "--quantization", "as-shipped")
    row = json.loads(out)
    assert code == 0 and 1 < row["perplexity"] < 20 and row["tokens"] > 50
    assert "tokens" in err and not err.lstrip().startswith("{")
    assert run(capsys, "eval", "smollm2", "--text", str(tmp_path / "none"))[0] == 2
    assert run(capsys, "eval", "openai:http://localhost:1/v1/x")[0] == 2


def test_bleu_and_chrf_on_pairs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text('{"source": "hello", "target": "hello"}\n{"source": "the cat", "target": "the cat"}\n' * 2)
    said = ("eval", "smollm2", "--pairs", str(file), "--prompt", "Repeat these words: {source}")
    code, out, err = run(capsys, *said, "--limit", "2", "--json")
    row = json.loads(out)
    assert code == 0 and row["pairs"] == 2 and "2 of 2 pairs" in err
    assert 0 <= row["bleu"] <= 100 and 0 < row["chrf"] <= 100 and "version:" in row["bleu_signature"]
    _, out, _ = run(capsys, *said, "--limit", "1")
    assert "% exactly on 1 pairs" in out and out.splitlines()[2].startswith("chrF nrefs:1")
    file.write_text('{"source": "hello"}')
    assert run(capsys, *said)[0] == 2


def test_quantizing_without_layers_has_its_price(
    capsys: pytest.CaptureFixture[str], own_home: Path, tmp_path: Path
) -> None:
    text = tmp_path / "text.txt"
    text.write_text(TEXT, encoding="utf-8")
    code, out, _ = run(
        capsys, "quantize", "smollm2", "q8_0", "--prune-layers", "10-12", "--text", str(text), "--json"
    )  # fmt: skip
    row = json.loads(out)
    assert code == 0 and row["layers"] == 27
    assert Path(row["path"]).parent == own_home / "models"
    assert row["price"] > 0.02 and row["perplexity"] > row["perplexity_before"]
    named = Path(row["path"]).stem
    assert models.locate(named, Settings.load().models_in) == Path(row["path"])
    assert run(capsys, "quantize", "smollm2", "q8_0", "--prune-layers", "40")[0] == 1
    assert run(capsys, "quantize", "smollm2")[0] == 2


@pytest.mark.parametrize(("said", "found"), [("", set()), ("3", {3}), ("20-23, 25", {20, 21, 22, 23, 25})])
def test_layers_as_typed(said: str, found: set[int]) -> None:
    assert set(layers(said)) == found


@pytest.mark.parametrize("said", ["x", "-1", "3-", "1..4"])
def test_layers_that_are_none(capsys: pytest.CaptureFixture[str], said: str) -> None:
    code, _, err = run(capsys, "quantize", "smollm2", "q8_0", f"--prune-layers={said}")
    assert code == 2 and "is no layer" in err


def test_training_says_what_is_missing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "e.jsonl"
    file.write_text("\n".join(json.dumps({"text": f"{n} is it", "label": "ab"[n % 2]}) for n in range(9)))
    assert run(capsys, "train")[0] == 2
    assert run(capsys, "train", "Bad Name", str(file))[0] == 2
    assert run(capsys, "train", "task", str(tmp_path / "none.jsonl"))[0] == 2
    assert run(capsys, "train", "task", str(file), "--model", "openai:http://localhost:1/v1/x")[0] == 1
    monkeypatch.setitem(sys.modules, "torch", None)
    words = ["how", "where", "when", "who", "why", "what", "which", "whose", "the", "any"]
    file.write_text("\n".join(json.dumps({"text": f"{w} is it", "label": "ab"[n % 2]}) for n, w in enumerate(words)))
    code, _, err = run(capsys, "train", "task", str(file))
    assert code == 1 and "pip install 'llmasos[train]'" in err
    assert not (own_home / adapters.FOLDER).exists()


@pytest.mark.parametrize(
    ("said", "seed"), [((), Wanted().seed), (("--seed", "5"), 5), (("--seed", "-1"), Wanted().seed)]
)
def test_what_is_held_out_is_so_each_time(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, said: tuple[str, ...], seed: int
) -> None:
    """Else what `benchmarks.models.held` prints isn't what the adapter has never seen."""
    asked: list[Wanted] = []

    async def train(_settings: Settings, _name: str, _file: Path, wanted: Wanted, *_: object) -> trained.Trained:
        asked.append(wanted)
        return about()

    monkeypatch.setattr(model_work, "train", train)
    code, out, _ = run(capsys, "train", "task", "e.jsonl", *said)
    assert code == 0 and asked == [Wanted(seed=seed)]
    assert "90.0% of" in out


def test_what_the_model_made_of_examples_is_shown_wrong_ones_first() -> None:
    held = [Example("two of us", "people=2", "a"), Example("the\nthree", "people=3", "b")]
    assert training.shown(["People=2", "people=9"], held) == [
        "wrong: the three", "  wanted people=3", "  said   people=9", "right: two of us", "  people=2",
    ]  # fmt: skip
    assert len(training.shown(["x"] * 40, held[:1] * 40)) == 3 * training.SHOWN


def test_a_task_is_trained_and_used(capsys: pytest.CaptureFixture[str], tmp_path: Path, own_home: Path) -> None:
    """Two steps on twelve sentences: that it runs from end to end, and that the file is what llama.cpp loads."""
    pytest.importorskip("torch")
    file = tmp_path / "e.jsonl"
    asked = ["how much is it", "what does it cost", "is it free", "any discount", "the price please", "do I pay"]
    went = ["which bus goes there", "where is the gate", "how far to walk", "turn left here", "the way out", "by train"]
    rows = [{"text": text, "label": label} for some, label in ((asked, "prices"), (went, "routes")) for text in some]
    file.write_text("\n".join(map(json.dumps, rows)))
    code, out, err = run(capsys, "train", "task", str(file), "--epochs", "1", "--rank", "4", "--json")
    row = json.loads(out)
    assert code == 0 and 0 <= row["accuracy"] <= 1 and row["held_out"] + row["examples"] == 12
    assert len(row["compared"]) == 3 and "loss" in err
    found = trained.of(own_home, "task")
    assert (found.labels, found.model) == (["prices", "routes"], "smollm2")
    header = models.read(adapters.folder_of(own_home, "task") / adapters.FILE)
    assert header.metadata["general.type"] == "adapter" and len(header.tensors) == 15 * 7 * 2
    code, out, _ = run(capsys, "eval", "smollm2+task", "--text", str(file), "--json")
    assert code == 0 and json.loads(out)["perplexity"] > 1
