"""Guessing ahead: the same text in fewer steps, and nothing of a wrong guess stays."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmasos.core.engine import work
from llmasos.core.engine.base import Sampling
from llmasos.core.engine.llama import LlamaEngine
from llmasos.core.engine.lookup import lookup
from tests.core.engine.test_contract import chat, tokens, told

GREEDY = Sampling(temperature=0.0, repeat_penalty=1.0, max_tokens=40)
DRAWN = Sampling(temperature=0.8, max_tokens=40, seed=3)


@pytest.mark.parametrize(
    ("text", "few", "many", "follows"),
    [
        ("abcdab", 1, 2, "cd"),
        ("abcdab", 1, 9, "cdab"),
        ("abcdb", 1, 9, "c"),
        ("abcdb", 0, 9, ""),
        ("xabyabzab", 1, 1, "z"),  # of two places that agree alike the later one
        ("xaby-ab-xab", 1, 1, "y"),  # the place that agrees further, although another one is later
        ("aaaa", 2, 2, "a"),
        ("abc", 3, 3, ""),
        ("a", 3, 3, ""),
        ("", 3, 3, ""),
        ("abab", 0, 0, ""),
        ("abab", -1, -2, ""),
    ],
)
def test_what_followed_before(text: str, few: int, many: int, follows: str) -> None:
    assert "".join(map(chr, lookup([ord(c) for c in text], few, many))) == follows


@given(st.lists(st.integers(0, 3), max_size=30), st.integers(0, 5), st.integers(0, 5))
def test_a_guess_is_a_run_of_the_text(text: list[int], few: int, many: int) -> None:
    guess = lookup(text, few, many)
    assert len(guess) <= max(few, many)
    if guess:
        run = [text[-1], *guess]
        assert any(text[at : at + len(run)] == run for at in range(len(text) - 1))


@pytest.mark.parametrize("sampling", [GREEDY, DRAWN], ids=["greedy", "drawn"])
@pytest.mark.parametrize("lark", ["", 'start: "copy: " /[a-z ]{30,60}/'], ids=["free", "grammar"])
async def test_the_text_is_the_same_in_fewer_steps(llama: LlamaEngine, sampling: Sampling, lark: str) -> None:
    prompt = chat(llama, "Repeat this ten times: the cat sat on the mat and the dog sat on the log.")
    found = []
    for copies in (False, True):
        sequence = await llama.open()
        steps = llama._lanes[0].batcher.steps
        constraint = llama.constrain(lark) if lark else None
        pieces = await told(llama, sequence, prompt, sampling=replace(sampling, copies=copies), constraint=constraint)
        assert sequence.tokens == [*prompt, *tokens(pieces)]
        assert sequence.usage.decoded == len(tokens(pieces))
        found.append((tokens(pieces), pieces[-1].done, llama._lanes[0].batcher.steps - steps))
        # The state behind it is as it should be: going on writes the same.
        further = await told(llama, sequence, llama.tokenize(" And then"), sampling=replace(GREEDY, max_tokens=6))
        found[-1] = (*found[-1], tokens(further))
        await llama.close(sequence)
    (text, done, steps, further), (same_text, same_done, fewer, same_further) = found
    if sampling is GREEDY or not llama.model.tiles:  # with AMX rounding decides what lies close together
        assert (text, done, further) == (same_text, same_done, same_further)
    assert fewer < steps if sampling is GREEDY else fewer <= steps
    sequences = llama._lanes[0].batcher.sequences
    assert sequences.used(sequences.open) == 0


async def test_in_company_nothing_is_guessed(llama: LlamaEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    together = []
    real = work.lookup
    monkeypatch.setattr(
        work, "lookup", lambda *args: together.append(len(llama._lanes[0].batcher._working)) or real(*args)
    )
    prompt = chat(llama, "Count: one, two, three, one, two, three.")
    sequences = [await llama.open() for _ in range(2)]
    await asyncio.gather(
        *(told(llama, s, prompt, sampling=replace(GREEDY, copies=True, max_tokens=12)) for s in sequences)
    )
    assert set(together) <= {1}
