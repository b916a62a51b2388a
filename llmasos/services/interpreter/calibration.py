"""From probabilities of the text to how many such programs are right: logistic, fitted on sentences never trained on.

A model of this size is too sure of itself. `python -m benchmarks.interpreter.fit` fits the numbers below (Platt 1999);
`--reliability` of the benchmark prints how well they hold (docs/interpreter.md).
"""

from __future__ import annotations

import math

from llmasos.services.interpreter.decoding import Decoded

ASKS_BELOW = 0.5
"""Below this probability of the least certain syscall's name a second reading is looked for and the person is asked."""

NOTHING_FROM = 0.7
"""Below this probability of "nothing fits" the likeliest call is taken, where only foreign functions are offered."""

READ_AGAIN_BELOW = 0.7
"""Below this confidence several definitions are read again in the opposite order, and the surer program is taken."""

# Weights of: 1, log-probability of the whole text, of its least certain name.
CATALOGUE = (3.188, 3.678, 1.41)
TOOLS = (2.117, 1.779, 1.65)


def of_catalogue(decoded: Decoded) -> float:
    """How likely a program of catalogue calls is right in all, 0 to 1."""
    return _logistic(CATALOGUE, decoded)


def of_tools(decoded: Decoded) -> float:
    """The same where definitions were read."""
    return _logistic(TOOLS, decoded)


def features(decoded: Decoded) -> tuple[float, float, float]:
    """What the fit sees."""
    return 1.0, math.log(max(decoded.likelihood, 1e-9)), math.log(max(decoded.sure, 1e-9))


def _logistic(weights: tuple[float, float, float], decoded: Decoded) -> float:
    return 1 / (1 + math.exp(-sum(w * x for w, x in zip(weights, features(decoded), strict=True))))
