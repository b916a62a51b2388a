"""Classifying by vectors alone: what a trained adapter must be better than to be worth its minutes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from llmasos.core.engine.embed import Embedder
from llmasos.services.models.examples import Example


async def accuracies(embedder: Embedder, learned: Sequence[Example], held: Sequence[Example]) -> dict[str, float]:
    """The accuracy on what was held out: of the nearest example's label, and of the nearest label's mean.

    Raises:
        EngineError: The embedder failed.
    """
    known = await embedder.embed([example.text for example in learned], "query")
    asked = await embedder.embed([example.text for example in held], "query")
    answers = np.array([example.answer for example in learned])
    labels = sorted(set(answers))
    centres = np.stack([known[answers == label].mean(axis=0) for label in labels])
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    wanted = np.array([example.answer for example in held])
    nearest = answers[np.argmax(asked @ known.T, axis=1)]
    centroid = np.array(labels)[np.argmax(asked @ centres.T, axis=1)]
    return {
        f"{embedder.name}, nearest": float(np.mean(nearest == wanted)),
        f"{embedder.name}, centroid": float(np.mean(centroid == wanted)),
    }
