"""`llmasos model eval|quantize|train`: work that takes a while; results on stdout, how it goes on stderr."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from llmasos.core.base.errors import UsageError
from llmasos.core.base.settings import Settings
from llmasos.core.engine import models, quantize
from llmasos.core.engine.embed import make_embedder
from llmasos.core.engine.llama_model import LlamaModel
from llmasos.core.engine.openai.address import is_remote
from llmasos.core.engine.perplexity import SAMPLE, Perplexity, perplexity
from llmasos.core.engine.sources import LlamaEngines, file_of, parts, running_file
from llmasos.services.models import pairs as paired
from llmasos.services.models.training import Wanted, train
from llmasos.services.script import has_chinese

_RANGE = re.compile(r"(\d+)(?:-(\d+))?")


@dataclass(frozen=True, slots=True)
class Work:
    """What was asked for.

    Attributes:
        what: Behind the model's or the task's name: a quantization, or a file of examples.
        text: A text to be foretold.
        pairs: A file of pairs.
        prompt: What the model is asked with each source.
        limit: At most so many pairs; 0 for all.
        out: The file to write.
        prune: Layers to leave out, as typed.
        wanted: How to train.
    """

    what: str = ""
    text: Path | None = None
    pairs: Path | None = None
    prompt: str = paired.PROMPT
    limit: int = 0
    out: Path | None = None
    prune: str = ""
    wanted: Wanted = field(default_factory=Wanted)


def run_eval(settings: Settings, work: Work, *, as_json: bool) -> int:
    """Perplexity on a text, or BLEU and chrF on pairs.

    Raises:
        UsageError: A file can't be read, or perplexity is asked of a model on a server.
        ModelError: The model can't be loaded, or sacrebleu isn't installed.
    """
    if work.pairs:
        return asyncio.run(_eval_pairs(settings, work, as_json=as_json))
    if is_remote(settings.model):
        raise UsageError("A model on a server doesn't tell how likely a text is.", "Name pairs with --pairs.")
    base, adapter = parts(settings.model, settings)
    found = _perplexity(running_file(base, settings).path, work.text or SAMPLE, settings.threads or 1, adapter)
    of = str(work.text) if work.text else "the bundled English text"
    row = {"model": settings.model, "perplexity": round(found.value, 3), "tokens": found.tokens, "text": of}
    _print(row, as_json, f"perplexity {found.value:.2f} on {found.tokens:,} tokens of {of}")
    return 0


def run_quantize(settings: Settings, work: Work, *, as_json: bool) -> int:
    """Write a model in another quantization, and what that costs in perplexity.

    Raises:
        UsageError: Layers that were named are none.
        ModelError: As for `quantize.write`.
    """
    if not work.what:
        raise UsageError("A quantization is missing.", f"One of: {', '.join(quantize.TYPES)}.")
    source = file_of(settings.model, settings)
    kind, prune = work.what.lower(), layers(work.prune)
    suffix = f"{kind}-without-{work.prune.replace(',', '.')}" if prune else kind
    target = work.out or settings.home / "models" / f"{source.stem}.{suffix}.gguf"
    target.parent.mkdir(parents=True, exist_ok=True)
    _tell(f"writing {target} ...")
    quantize.write(source, target, kind, prune)
    text, threads = work.text or SAMPLE, settings.threads or 1
    before, after = (_perplexity(path, text, threads) for path in (source, target))
    sizes = source.stat().st_size, target.stat().st_size
    price = after.value / before.value - 1
    row: dict[str, Any] = {
        "path": str(target), "quantization": models.info(target).quantization, "layers": models.info(target).layers,
        "size_before": sizes[0], "size": sizes[1], "perplexity_before": round(before.value, 3),
        "perplexity": round(after.value, 3), "price": round(price, 4), "tokens": after.tokens,
    }  # fmt: skip
    _print(
        row, as_json,
        f"{target}\n{sizes[0] / 1e6:.1f} MB became {sizes[1] / 1e6:.1f} MB, "
        f"{models.info(source).layers} layers {models.info(target).layers}\n"
        f"perplexity {before.value:.2f} became {after.value:.2f} ({price:+.1%}) on {after.tokens:,} tokens",
    )  # fmt: skip
    return 0


async def run_train(settings: Settings, name: str, work: Work, *, as_json: bool) -> int:
    """Train an adapter for a task, and say how it does.

    Raises:
        UsageError: The name or the examples won't do.
        ModelError: The model can't be trained here, or PyTorch is missing.
    """
    if not name or not work.what:
        raise UsageError(
            "A name for the task and a file of examples are missing.",
            "For example: llmasos model train visitors questions.jsonl",
        )
    embedder = make_embedder()
    try:
        about = await train(settings, name, Path(work.what).expanduser(), work.wanted, embedder, _tell)
    finally:
        await embedder.close()
    lines = [f"{name}: {about.accuracy:.1%} of {about.held_out} held out examples, {about.examples} learned from"]
    lines += [f"  {share:.1%} {other}" for other, share in about.compared.items()]
    lines += [f"  chrF {value:.1f} {whose}" for whose, value in about.likeness.items()]
    use = f"model.{about.task} {name} ..." + (f", or --model {about.spoken}" if about.task == "generate" else "")
    _print(asdict(about), as_json, "\n".join([*lines, f"Use it: {use}"]))
    return 0


def layers(said: str) -> Collection[int]:
    """Layers as typed, `20-23,25`.

    Raises:
        UsageError: It is no list of numbers.
    """
    found: set[int] = set()
    for part in filter(None, said.replace(" ", "").split(",")):
        match = _RANGE.fullmatch(part)
        if not match:
            raise UsageError(f"{part!r} is no layer.", "For example: --prune-layers 20-23,25")
        found |= set(range(int(match[1]), int(match[2] or match[1]) + 1))
    return found


async def _eval_pairs(settings: Settings, work: Work, *, as_json: bool) -> int:
    assert work.pairs
    found = paired.read(work.pairs)
    found = found[: work.limit] if work.limit else found
    engine = await LlamaEngines(settings, None).named(settings.model)
    try:
        said = await paired.answers(engine, found, work.prompt, _counts("pairs", len(found)))
    finally:
        await engine.shutdown()
    scores = paired.score(said, found, chinese=any(has_chinese(pair.target) for pair in found))
    row = {"model": settings.model, **asdict(scores)}
    figures = f"BLEU {scores.bleu:.1f}, chrF {scores.chrf:.1f}, {scores.exact:.1f} % exactly on {scores.pairs} pairs"
    _print(row, as_json, f"{figures}\nBLEU {scores.bleu_signature}\nchrF {scores.chrf_signature}")
    return 0


def _perplexity(path: Path, text: Path, threads: int, adapter: Path | None = None) -> Perplexity:
    try:
        words = text.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{text} can't be read: {error}.", "Name a text in UTF-8 with --text.") from None
    model = LlamaModel.load(path)
    try:
        tokens = model.tokenize(words)
        return perplexity(model, tokens, threads=threads, adapter=adapter, tell=_counts("tokens", len(tokens)))
    finally:
        model.close()


def _counts(what: str, whole: int) -> Callable[[int], None]:
    """Tells of every tenth that is done."""
    told = 0

    def tell(done: int) -> None:
        nonlocal told
        if done * 10 // max(1, whole) > told:
            told = done * 10 // max(1, whole)
            _tell(f"{done:,} of {whole:,} {what}")

    return tell


def _tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _print(row: dict[str, Any], as_json: bool, words: str) -> None:
    print(json.dumps(row, ensure_ascii=False) if as_json else words)
