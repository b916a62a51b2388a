"""BLEU and chrF of a model on pairs of a source and what should come of it, and how many it has exactly.

Figures: sacrebleu (Post, "A Call for Clarity in Reporting BLEU Scores", 2018), which names how each was computed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from llmasos.core.base.errors import ModelError, UsageError
from llmasos.core.engine.base import Engine, Sampling
from llmasos.services.language.context import Message, split, template_of

PROMPT = "{source}"


@dataclass(frozen=True, slots=True)
class Pair:
    """A source, and what should come of it."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Scores:
    """The figures, each 0 to 100; BLEU and chrF with the signature that says how they were computed."""

    bleu: float
    chrf: float
    exact: float
    pairs: int
    bleu_signature: str
    chrf_signature: str


def read(path: Path) -> list[Pair]:
    """The pairs of a JSONL file, `{"source": "...", "target": "..."}` a line.

    Raises:
        UsageError: It can't be read, or a line is no pair.
    """
    form = 'Each line is {"source": "...", "target": "..."}.'
    found: list[Pair] = []
    try:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if line.strip():
                row = json.loads(line)
                if not (isinstance(row, dict) and all(isinstance(row.get(k), str) for k in ("source", "target"))):
                    raise UsageError(f"Line {number} of {path} is no pair.", form)
                found.append(Pair(row["source"], row["target"]))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} can't be read: {error}.", form) from None
    if not found:
        raise UsageError(f"{path} has no pairs.", form)
    return found


async def answers(
    engine: Engine, pairs: Sequence[Pair], form: str, tell: Callable[[int], None] = lambda _done: None
) -> list[str]:
    """What a model makes of each source, its likeliest tokens.

    Args:
        engine: The model.
        pairs: With their sources.
        form: What it is asked; `{source}` stands for the source.
        tell: Told how many are done.

    Raises:
        UsageError: The form has no place for the source.
        EngineError: The engine failed.
    """
    if "{source}" not in form:
        raise UsageError("The prompt has no {source}.", "For example: --prompt 'Translate into German: {source}'")
    template, found = template_of(engine), list[str]()
    for done, pair in enumerate(pairs, 1):
        _, tokens = split(template, [Message("user", form.replace("{source}", pair.source))], 0)
        room = 2 * len(engine.tokenize(pair.target)) + 32
        sampling = Sampling(temperature=0.0, repeat_penalty=1.0, log_probs=False, max_tokens=room)
        sequence = await engine.open()
        try:
            async with aclosing(engine.generate(sequence, tokens, sampling=sampling)) as pieces:  # type: ignore[type-var]
                found.append("".join([piece.text async for piece in pieces]).strip())
        finally:
            await engine.close(sequence)
        tell(done)
    return found


def score(said: Sequence[str], pairs: Sequence[Pair], *, chinese: bool = False) -> Scores:
    """The figures of what was said.

    Args:
        said: For each pair.
        pairs: What should have been.
        chinese: Whether the targets are Chinese, whose words have no blanks between them.

    Raises:
        ModelError: sacrebleu isn't installed.
    """
    try:
        from sacrebleu.metrics import BLEU, CHRF
    except ImportError:
        raise ModelError(
            "BLEU and chrF need the package sacrebleu.", "Install it: pip install 'llmasos[eval]'"
        ) from None
    wanted = [[pair.target for pair in pairs]]
    bleu, chrf = BLEU(tokenize="zh" if chinese else "13a"), CHRF()
    figures = bleu.corpus_score(list(said), wanted), chrf.corpus_score(list(said), wanted)
    signatures = bleu.get_signature(), chrf.get_signature()
    exact = 100 * share([(one, pair.target) for one, pair in zip(said, pairs, strict=True)])
    return Scores(figures[0].score, figures[1].score, exact, len(pairs), str(signatures[0]), str(signatures[1]))


def share(pairs: Sequence[tuple[str, str]]) -> float:
    """Which part of what was said is what was wanted, but for capitals and blanks."""

    def plain(words: str) -> str:
        return " ".join(words.casefold().split())

    return sum(plain(said) == plain(wanted) for said, wanted in pairs) / len(pairs)
