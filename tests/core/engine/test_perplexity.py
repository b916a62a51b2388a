"""How well a model foretells a text."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from conftest import write_lora

from llmasos.core.base.errors import EngineError
from llmasos.core.engine.llama import LlamaEngine, LlamaModel
from llmasos.core.engine.perplexity import SAMPLE, perplexity


def test_a_text_is_foretold_better_than_its_words_in_disorder(model: LlamaModel) -> None:
    text = SAMPLE.read_text(encoding="utf-8")[:1200]
    words = text.split()
    inside = perplexity(model, model.tokenize(text))
    mixed = perplexity(model, model.tokenize(" ".join(sorted(words))))
    assert 1 < inside.value < 60
    assert mixed.value > 3 * inside.value
    assert inside.tokens == len(model.tokenize(text)) - 1


async def test_it_is_what_the_tokens_probabilities_make(model: LlamaModel) -> None:
    """The same words as an option after the first one: the exponential of their mean log-probability, with its sign."""
    tokens = model.tokenize("The ferry to the island leaves at nine.")
    rest = model.detokenize(tokens[1:])
    assert model.tokenize(rest) == tokens[1:]
    engine = await LlamaEngine.create(model, n_ctx=256, n_seq=2)
    choice = await engine.choose(await engine.open(), tokens[:1], [rest])
    await engine.shutdown()
    found = perplexity(model, tokens)
    assert found.tokens == len(tokens) - 1
    assert found.value == pytest.approx(math.exp(-choice.log_probs[0]), rel=0.02)


def test_windows_count_every_token_once(model: LlamaModel) -> None:
    tokens = model.tokenize(SAMPLE.read_text(encoding="utf-8"))[:300]
    told: list[int] = []
    small = perplexity(model, tokens, window=128, tell=told.append)
    whole = perplexity(model, tokens, window=512)
    assert small.tokens == whole.tokens == 299 == told[-1]
    assert small.value > whole.value, "who has read more foretells better"


def test_an_adapter_changes_it(model: LlamaModel, tmp_path: Path) -> None:
    tokens = model.tokenize("The ferry to the island leaves at nine, and the last one comes back at six.")
    bare = perplexity(model, tokens)
    changed = perplexity(model, tokens, adapter=write_lora(tmp_path / "a.gguf", scale=0.3))
    assert bare.value != changed.value


def test_small_keys_hardly_change_it(model: LlamaModel) -> None:
    tokens = model.tokenize(SAMPLE.read_text(encoding="utf-8"))[:600]
    whole, small = perplexity(model, tokens), perplexity(model, tokens, small_keys=True)
    assert whole.value != small.value
    assert small.value == pytest.approx(whole.value, rel=0.01)


def test_no_text(model: LlamaModel) -> None:
    with pytest.raises(EngineError, match="fewer than two tokens"):
        perplexity(model, model.tokenize(""))
