"""How a token is drawn from logits, in numpy, one generator a request."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from llmasos.core.base.errors import EngineError
from llmasos.core.engine.base import Logits, Sampling


class Sampler:
    """Draws the tokens of one request.

    All filters are cuts of the same list, candidates sorted by probability at temperature 1, so their order
    doesn't matter: the shortest cut wins. The temperature is applied to what is left, as llama.cpp does.

    Args:
        sampling: The settings; a seed of None draws one.
    """

    def __init__(self, sampling: Sampling) -> None:
        self.sampling = sampling
        self._random = np.random.Generator(np.random.Philox(sampling.seed))

    def draw(self, logits: Logits, mask: npt.NDArray[np.bool_] | None, recent: list[int]) -> tuple[int, float]:
        """One token and its log-probability.

        Args:
            logits: Shape (vocabulary,).
            mask: Which tokens are allowed; None for all.
            recent: Tokens before it, for the repeat penalty.

        Returns:
            The token, and the natural logarithm of its probability among the allowed tokens, before penalty
            and temperature; 0 where that isn't asked for.

        Raises:
            EngineError: No token is allowed, or the logits are no numbers.
        """
        scores = np.where(mask, logits, -np.inf) if mask is not None else logits
        settings = self.sampling
        total = _log_sum(scores) if settings.log_probs else 0.0
        drawn = scores
        if settings.repeat_penalty != 1.0 and settings.repeat_window > 0 and recent:
            drawn = _penalised(scores, recent[-settings.repeat_window :], settings.repeat_penalty)
        if settings.temperature <= 0:
            token = int(np.argmax(drawn))
        else:
            token = self._choose(drawn, total if drawn is scores and settings.log_probs else _log_sum(drawn))
        return token, float(scores[token]) - total if settings.log_probs else 0.0

    def _choose(self, scores: Logits, total: float) -> int:
        settings = self.sampling
        best = float(scores.max())
        floor = best + np.log(settings.min_p) if settings.min_p > 0 else np.finfo(np.float32).min
        candidates = np.flatnonzero(scores >= floor)
        if 0 < settings.top_k < len(candidates):
            candidates = candidates[np.argpartition(-scores[candidates], settings.top_k)[: settings.top_k]]
        # Stable, and ties by token id: the same seed must draw the same token on every run.
        candidates = np.sort(candidates)
        candidates = candidates[np.argsort(-scores[candidates], kind="stable")]
        kept = scores[candidates].astype(np.float64)
        if settings.top_p < 1.0:
            reached = np.cumsum(np.exp(kept - total))
            count = int(np.searchsorted(reached, settings.top_p)) + 1
            candidates, kept = candidates[:count], kept[:count]
        weights = np.cumsum(np.exp((kept - kept[0]) / settings.temperature))
        at = int(np.searchsorted(weights, self._random.random() * weights[-1], side="right"))
        return int(candidates[min(at, len(candidates) - 1)])


def log_probability(logits: Logits, token: int) -> float:
    """The natural logarithm of a token's probability."""
    return float(logits[token]) - _log_sum(logits)


def _log_sum(scores: Logits) -> float:
    best = float(scores.max())
    if not np.isfinite(best):
        raise EngineError("No token may follow here.", "The grammar or the model is broken.")
    # Summed pairwise in 32 bits: off by some 1e-7 of the sum, and this is done for every token of everybody.
    return best + float(np.log(np.exp(scores - np.float32(best)).sum()))


def _penalised(scores: Logits, recent: list[int], penalty: float) -> Logits:
    seen = np.unique(np.asarray(recent, np.int64))
    changed = scores.copy()
    values = changed[seen]
    changed[seen] = np.where(values > 0, values / penalty, values * penalty)
    return changed
