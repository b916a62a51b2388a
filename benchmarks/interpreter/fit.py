"""Logistic regression by Newton's method: the few weights of services/interpreter/calibration.py."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_RIDGE = 1e-3
"""Keeps the weights finite where a feature decides alone."""


def logistic(samples: Sequence[tuple[tuple[float, ...], bool]], steps: int = 50) -> tuple[float, ...]:
    """Weights that make `1 / (1 + exp(-weights . features))` the likeliest probability of what happened.

    Args:
        samples: (features, whether it was right); the first feature is 1.
        steps: Of Newton's method; a dozen converge.
    """
    x = np.array([features for features, _ in samples], dtype=float)
    y = np.array([right for _, right in samples], dtype=float)
    weights = np.zeros(x.shape[1])
    for _ in range(steps):
        p = 1 / (1 + np.exp(-x @ weights))
        gradient = x.T @ (y - p) - _RIDGE * weights
        curvature = (x * (p * (1 - p))[:, None]).T @ x + _RIDGE * np.eye(x.shape[1])
        weights += np.linalg.solve(curvature, gradient)
    return tuple(round(float(w), 3) for w in weights)
