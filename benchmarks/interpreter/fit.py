"""The few numbers around the model, fitted on sentences that are neither trained on nor in the benchmark.

    python -m benchmarks.interpreter.fit

Prints how many programs are exact for each threshold of optional arguments (decoding.OPTIONAL), and the weights of
calibration.py. The sentences: every 20th line of the training files, and training/unseen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.interpreter import measure
from benchmarks.interpreter.sets import Case, cases
from llmasos.services.interpreter import calibration, decoding, interpreter
from llmasos.services.interpreter.decoding import Decoded, Question
from training.compare import same
from training.data import sentences
from training.files import SENTENCES

UNSEEN = SENTENCES.parent / "unseen"
THRESHOLDS = (0.0, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8)
_RIDGE = 1e-3
"""Keeps the weights finite where a feature decides alone."""


def logistic(samples: Sequence[tuple[tuple[float, ...], bool]], steps: int = 50) -> tuple[float, ...]:
    """Weights that make `1 / (1 + exp(-weights . features))` the likeliest probability of what happened.

    By Newton's method.

    Args:
        samples: (features, whether it was right); the first feature is 1.
        steps: A dozen converge.
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


def development() -> dict[str, list[Case]]:
    """The sentences to fit on, under names of the benchmark's sets, which say what is offered."""
    catalogue = [Case(turn.sentence, turn.calls) for _, turn in sentences(dev=True) if not turn.before][::2]
    files = ("kits.txt", "kits_b.txt", "tools.jsonl")
    return {"en": catalogue, "foreign_single": [case for file in files for case in cases(UNSEEN / file)]}


async def decoded(sets: dict[str, list[Case]]) -> dict[str, list[tuple[Case, list[Decoded]]]]:
    """The decodings of every sentence, with all optional arguments: the likeliest, and the likeliest call after `none`."""
    found: dict[str, list[Decoded]] = {}
    whole = decoding.decode

    async def record(engine: Any, sequence: Any, question: Question) -> Decoded:
        one = await whole(engine, sequence, question)
        found.setdefault(question.words.said, []).append(one)
        return one

    with (
        mock.patch.object(interpreter, "decode", record),
        mock.patch.object(decoding, "OPTIONAL", 0.0),
        mock.patch.object(calibration, "NOTHING_FROM", 2.0),
        mock.patch.object(calibration, "READ_AGAIN_BELOW", 0.0),
    ):
        measured = await measure(sets)
    return {
        name: [(a.case, found[a.case.utterance]) for a in answers if a.case.utterance in found]
        for name, answers in measured.items()
    }


def chosen(found: list[Decoded], nothing: float) -> Decoded:
    """What counts: the first decoding, or the second where the first says `none` with less than a probability."""
    unsure = not found[0].program and found[0].likelihood < nothing and len(found) > 1
    return found[1] if unsure else found[0]


def exact(case: Case, found: Decoded, optional: float) -> bool:
    """Whether a program is right where optional arguments below a threshold are left out."""
    program = (
        decoding.without_unsure(found.program, case.tools, found.doubts, optional) if case.tools else found.program
    )
    return same([(call.syscall, call.args) for call in program], case.program)


def main() -> None:
    """Print the fits."""
    for name, pairs in asyncio.run(decoded(development())).items():
        kind = "catalogue" if name == "en" else "tools"
        if kind == "tools":
            for optional in THRESHOLDS:
                share = sum(exact(case, chosen(f, calibration.NOTHING_FROM), optional) for case, f in pairs) / len(
                    pairs
                )
                print(f"optional arguments below {optional:.2f} left out: {share:.1%} of {len(pairs)} exact")
            for nothing in (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995):
                right = [(bool(c.program), exact(c, chosen(f, nothing), decoding.OPTIONAL)) for c, f in pairs]
                calls, none = ([r for wanted, r in right if wanted is kind_] for kind_ in (True, False))
                print(f"none from {nothing:.3f}: calls {sum(calls) / len(calls):.1%}, none {sum(none) / len(none):.1%}")
        counted = [(case, chosen(f, calibration.NOTHING_FROM) if kind == "tools" else f[0]) for case, f in pairs]
        samples = [(calibration.features(found), exact(case, found, decoding.OPTIONAL)) for case, found in counted]
        print(f"{kind}: {sum(right for _, right in samples) / len(samples):.1%} exact, weights {logistic(samples)}")


if __name__ == "__main__":
    main()
