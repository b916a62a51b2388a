"""The trainer's forward pass against llama.cpp's, and its loop; skipped where PyTorch isn't installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from llmasos.core.engine.context import Context, Rows  # noqa: E402  below what may be missing
from llmasos.core.engine.llama import LlamaModel  # noqa: E402
from llmasos.core.engine.lora import adapter_file, loop  # noqa: E402
from llmasos.core.engine.lora.batch import tensors  # noqa: E402
from llmasos.core.engine.lora.model import Model  # noqa: E402
from llmasos.core.engine.lora.rows import add, empty  # noqa: E402

FIRST = 24
PROMPT = "Text: Which bus goes to the museum?\nKind:"


@pytest.fixture
def trainable(model: LlamaModel) -> Model:
    made = Model(model.path, rank=4, alpha=8.0, seed=3, rounded=False, first=FIRST)
    with torch.no_grad():
        for b in made.adapter.b.values():  # zero at the start, which would hide everything
            b.normal_(std=0.3, generator=torch.Generator().manual_seed(b.numel()))
    return made


def ours(trainable: Model, tokens: list[int]) -> np.ndarray:
    row = empty()
    add(row, ([], [(tokens, [0])]))
    ids, positions, mask, _ = tensors([row], len(row))
    with torch.no_grad():
        return trainable.logits(trainable.hidden(ids, positions, mask)[0, -1]).float().numpy()


def theirs(model: LlamaModel, tokens: list[int], adapter: Path | None) -> np.ndarray:
    context = Context(model, n_ctx=256, n_sequences=1, adapter=adapter)
    rows = Rows()
    for position, token in enumerate(tokens):
        rows.add(token, position, 0, position == len(tokens) - 1)
    assert context.decode(rows) == 0
    found = context.logits(len(tokens) - 1).copy()
    context.close()
    return found


def test_the_file_computes_what_was_trained(model: LlamaModel, trainable: Model, tmp_path: Path) -> None:
    tokens, file = model.tokenize(PROMPT), tmp_path / "a.gguf"
    about = adapter_file.About("task", "a test", "apache-2.0")
    adapter_file.write(trainable.adapter.state(), 8.0, trainable.shape, file, about)
    here, there, bare = ours(trainable, tokens), theirs(model, tokens, file), theirs(model, tokens, None)
    assert np.corrcoef(here, there)[0, 1] > 0.99
    assert np.corrcoef(here, there)[0, 1] > np.corrcoef(here, bare)[0, 1] + 0.005, "the adapter does something"
    back = adapter_file.restore(file, trainable.shape)
    for name, value in trainable.adapter.state().items():
        assert torch.allclose(back[name], value, atol=1e-2), name


def test_a_few_steps_learn_a_few_sentences(model: LlamaModel) -> None:
    trainable = Model(model.path, rank=4, alpha=8.0, seed=3, rounded=False, first=FIRST)
    said = {"Which bus goes there?": " routes\n", "What does it cost?": " prices\n", "When do you open?": " hours\n"}
    examples = [([], [(model.tokenize(f"Text: {text}\nKind:"), model.tokenize(label))]) for text, label in said.items()]
    losses: list[float] = []
    recipe = loop.Recipe(rank=4, alpha=8.0, rate=3e-3, epochs=24, minutes=60.0)
    end = loop.train(trainable, examples, recipe, lambda progress: losses.append(progress.loss))
    assert end.step == end.steps == len(losses) == 24
    assert losses[-1] < 0.5 * losses[0]
    assert not any(name.startswith("blk.23.") for name in trainable.adapter.state()), "what is below stays as it is"


def test_it_ends_when_its_time_is_over(model: LlamaModel) -> None:
    trainable = Model(model.path, rank=4, alpha=8.0, seed=3, rounded=False, first=29)
    example = ([], [(model.tokenize("Text: a\nKind:"), model.tokenize(" b\n"))])
    end = loop.train(trainable, [example], loop.Recipe(rank=4, alpha=8.0, epochs=10_000, minutes=1e-6))
    assert 0 <= end.step < 10
