"""Which label a model gives a text: by what each is worth to it, so that the answer is always one of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from llmasos.core.engine.base import Engine, LiveSequence
from llmasos.services.models.trained import option, prompt


async def classify(engine: Engine, sequence: LiveSequence, text: str, labels: Sequence[str]) -> list[float]:
    """The probability of each label among them; the sequence is left as it was.

    Raises:
        EngineError: As for `choose`.
    """
    options = [option(label) for label in labels]
    choice = await engine.choose(sequence, engine.tokenize(prompt(text)), options)
    # Means over tokens would favour labels of many tokens, whose last ones are certain.
    sums = [mean * len(engine.tokenize(one)) for mean, one in zip(choice.log_probs, options, strict=True)]
    best = max(sums)
    weights = [math.exp(one - best) for one in sums]
    return [weight / sum(weights) for weight in weights]
