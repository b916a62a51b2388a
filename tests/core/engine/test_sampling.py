"""Drawing tokens."""

from __future__ import annotations

import math

import numpy as np
import pytest

from llmasos.core.base.errors import EngineError
from llmasos.core.engine.base import Logits, Sampling
from llmasos.core.engine.sampling import Sampler, log_probability

PLAIN = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0}


def logits(*probabilities: float) -> Logits:
    return np.log(np.asarray(probabilities, np.float32))


def drawn(scores: Logits, count: int = 300, **options: float) -> set[int]:
    sampler = Sampler(Sampling(**{**PLAIN, "seed": 1, **options}))  # type: ignore[arg-type]
    return {sampler.draw(scores, None, [])[0] for _ in range(count)}


FOUR = logits(0.5, 0.3, 0.15, 0.05)


def test_zero_temperature_takes_the_likeliest() -> None:
    assert drawn(FOUR, temperature=0.0) == {0}


def test_all_can_come() -> None:
    assert drawn(FOUR) == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("option", "value", "kept"),
    [
        ("top_k", 2, {0, 1}),
        ("top_p", 0.5, {0}),
        ("top_p", 0.51, {0, 1}),
        ("top_p", 0.9, {0, 1, 2}),
        ("min_p", 0.31, {0, 1}),
        ("min_p", 0.29, {0, 1, 2}),
    ],
)
def test_filters(option: str, value: float, kept: set[int]) -> None:
    assert drawn(FOUR, **{option: value}) == kept


def test_frequencies_follow_probabilities() -> None:
    sampler = Sampler(Sampling(**PLAIN, seed=3))  # type: ignore[arg-type]
    counts = np.bincount([sampler.draw(FOUR, None, [])[0] for _ in range(20_000)], minlength=4) / 20_000
    assert np.allclose(counts, [0.5, 0.3, 0.15, 0.05], atol=0.02)


def test_temperature_sharpens_and_flattens() -> None:
    def share(temperature: float) -> float:
        sampler = Sampler(Sampling(**{**PLAIN, "temperature": temperature}, seed=3))  # type: ignore[arg-type]
        return sum(sampler.draw(FOUR, None, [])[0] == 0 for _ in range(2000)) / 2000

    assert share(0.5) > share(1.0) > share(2.0)


def test_seeds() -> None:
    def run(seed: int) -> list[int]:
        sampler = Sampler(Sampling(**PLAIN, seed=seed))  # type: ignore[arg-type]
        return [sampler.draw(FOUR, None, [])[0] for _ in range(50)]

    assert run(1) == run(1) != run(2)


def test_the_penalty_spares_what_was_not_said() -> None:
    scores = np.asarray([2.0, 1.9, -5.0], np.float32)
    sampler = Sampler(Sampling(temperature=0.0, repeat_penalty=1.5, repeat_window=2))
    assert sampler.draw(scores, None, [])[0] == 0
    assert sampler.draw(scores, None, [0])[0] == 1
    assert sampler.draw(scores, None, [0, 2, 2])[0] == 0  # outside the window
    assert scores[0] == 2.0


def test_a_mask_holds_and_counts_in_the_log_probability() -> None:
    mask = np.asarray([False, True, True, False])
    token, log_prob = Sampler(Sampling(temperature=0.0, repeat_penalty=1.0)).draw(FOUR, mask, [])
    assert token == 1
    assert log_prob == pytest.approx(math.log(0.3 / 0.45), abs=1e-5)
    assert log_probability(FOUR, 2) == pytest.approx(math.log(0.15), abs=1e-5)


def test_nothing_allowed_is_an_error() -> None:
    with pytest.raises(EngineError, match="No token"):
        Sampler(Sampling()).draw(FOUR, np.zeros(4, np.bool_), [])
    with pytest.raises(EngineError):
        Sampler(Sampling()).draw(np.full(4, np.nan, np.float32), None, [])
