"""Training a task from start to end: examples, split, adapter, and how it does on what it hasn't seen."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from llmasos.core.base.errors import ModelError, UsageError
from llmasos.core.base.settings import Settings
from llmasos.core.engine import adapters, models
from llmasos.core.engine.base import Engine, Sampling
from llmasos.core.engine.embed import Embedder
from llmasos.core.engine.llama import LlamaEngine, LlamaModel
from llmasos.core.engine.lora.rows import Tokenized
from llmasos.core.engine.openai.address import is_remote
from llmasos.core.engine.sources import running_file
from llmasos.services.language.context import Message, split, template_of
from llmasos.services.models import examples, trained, vectors
from llmasos.services.models.classify import classify
from llmasos.services.models.examples import Example
from llmasos.services.models.pairs import Pair, score, share
from llmasos.services.models.trained import Trained

Tell = Callable[[str], None]
WITH, WITHOUT = "with it", "without it"
"""What the figures of a model with the adapter and without are called."""
SHOWN = 5
"""Held out examples that are shown with what the model made of them."""
BYTES_A_WEIGHT = 7
"""Of memory: the weights in 32 bits, the file itself, and what a step computes."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How to train.

    Attributes:
        held_out: Share of the examples that is held out.
        rank: Of the adapter.
        rate: The highest learning rate.
        epochs: Times that every example is seen, at most.
        minutes: When to end at the latest.
        seed: Of the split, the first values and the order.
    """

    held_out: float = 0.25
    rank: int = 8
    rate: float = 1e-3
    epochs: int = 8
    minutes: float = 10.0
    seed: int = 1


async def train(
    settings: Settings, name: str, file: Path, wanted: Wanted, embedder: Embedder, tell: Tell = lambda _: None
) -> Trained:
    """Train an adapter for a task, try it on what was held out, and keep it under a name.

    Args:
        settings: Whose `model` it is trained on, and in whose home it is kept.
        name: What it will be called.
        file: Its examples, a JSONL file.
        wanted: How.
        embedder: What it is compared with.
        tell: Told how it goes.

    Raises:
        UsageError: The name or the examples won't do.
        ModelError: The model can't be trained here, or PyTorch is missing.
    """
    if not adapters.NAME.fullmatch(name):
        raise UsageError(f"An adapter can't be called {name!r}.", "A name has small letters, digits, - and _.")
    if is_remote(settings.model) or "+" in settings.model:
        raise ModelError(f"{settings.model} can't be trained here.", "Name a GGUF file with --model.")
    if not 0 < wanted.held_out < 1:
        raise UsageError(f"The share held out is {wanted.held_out:g}.", "It lies between 0 and 1.")
    task, found = await asyncio.to_thread(examples.read, file)
    learned, held = examples.split(found, wanted.held_out, wanted.seed)
    labels = sorted({example.answer for example in found}) if task == "classify" else []
    tell(f"{len(found)} examples: {len(learned)} to learn from, {len(held)} held out; none of the same skeleton.")
    source = models.locate(settings.model, settings.models_in)
    # From every folder the same one is meant.
    named = settings.model if settings.model in models.KNOWN else str(source.resolve())
    base = await asyncio.to_thread(running_file, settings.model, settings)
    _check_trainable(base.path)
    model = await LlamaModel.load_async(base.path)
    try:
        target = adapters.folder_of(settings.home, name) / adapters.FILE
        await asyncio.to_thread(_fit, model, task, learned, target, wanted, settings.threads, name, tell)
        tell("Trying it, and the model without it, on what was held out ...")
        before = await _answers(model, None, task, held, labels)
        after = await _answers(model, target, task, held, labels)
        for line in shown(after, held):
            tell(line)
        compared = {WITHOUT: _right(before, held)}
        likeness = {}
        if task == "classify":
            compared |= await vectors.accuracies(embedder, learned, held)
        else:
            likeness = _likeness({WITH: after, WITHOUT: before}, held)
        about = Trained(
            name=name, task=task, labels=labels, model=named, fingerprint=models.fingerprint(source),
            examples=len(learned), held_out=len(held), accuracy=_right(after, held), compared=compared,
            trained=datetime.now(UTC).isoformat(timespec="seconds"), likeness=likeness,
        )  # fmt: skip
    finally:
        model.close()
    trained.keep(settings.home, about)
    return about


def _check_trainable(path: Path) -> None:
    info = models.info(path)
    if info.architecture != "llama":
        raise ModelError(
            f"{info.name} is of the architecture {info.architecture}, and the trainer here knows llama only.",
            "Train an adapter elsewhere (PEFT, convert_lora_to_gguf.py) and name its file: --model MODEL+FILE.gguf.",
        )
    needed, memory = info.parameters * BYTES_A_WEIGHT, models.memory_size()
    if needed > memory:
        raise ModelError(
            f"Training {info.name} takes about {needed / 1e9:.1f} GB of memory, and there are {memory / 1e9:.1f}.",
            "Choose a smaller model.",
        )


def _fit(
    model: LlamaModel,
    task: examples.Task,
    learned: Sequence[Example],
    target: Path,
    wanted: Wanted,
    threads: int,
    name: str,
    tell: Tell,
) -> None:
    """Train and write the adapter; blocks for minutes."""
    try:
        from llmasos.core.engine.lora import adapter_file, loop
        from llmasos.core.engine.lora.model import Model
    except ImportError:
        raise ModelError(
            "Training needs PyTorch, which isn't installed.", "Install it: pip install 'llmasos[train]'"
        ) from None
    tokenized: list[Tokenized] = [([], [_tokens(model, task, example)]) for example in learned]
    recipe = loop.Recipe(
        rank=wanted.rank, alpha=2.0 * wanted.rank, rate=wanted.rate, epochs=wanted.epochs, minutes=wanted.minutes,
        seed=wanted.seed, threads=threads or _spare_cores(),
    )  # fmt: skip
    layers = model.info.layers
    try:
        # The upper half is enough for a task, and what lies below it is computed once.
        trainable = Model(
            model.path, rank=recipe.rank, alpha=recipe.alpha, seed=recipe.seed, rounded=False, first=layers // 2
        )
    except ValueError as error:
        raise ModelError(f"{error}.", "Choose another model.") from None

    def told(progress: loop.Progress) -> None:
        if progress.step % 10 == 0 or progress.step in (1, progress.steps):
            tell(f"step {progress.step} of {progress.steps}, loss {progress.loss:.3f}, {progress.seconds:.0f} s")

    loop.train(trainable, tokenized, recipe, told)
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = target.with_suffix(".new")
    about = adapter_file.About(name, f"LoRA for {model.info.name}, trained by llmasos for a task", model.info.licence)
    adapter_file.write(trainable.adapter.state(), recipe.alpha, trainable.shape, new, about)
    new.chmod(0o600)
    new.replace(target)


def _spare_cores() -> int:
    """Threads for which there is a core: with more, each matrix product waits for the slowest of them."""
    return max(1, round((os.cpu_count() or 1) - os.getloadavg()[0]))


def _tokens(model: LlamaModel, task: examples.Task, example: Example) -> tuple[list[int], list[int]]:
    """A prompt and its answer as tokens, cut where they will be cut when the adapter is used."""
    if task == "classify":
        return model.tokenize(trained.prompt(example.text)), model.tokenize(trained.option(example.answer))
    _, asked = split(model.chat, [Message("user", example.text)], 0)
    return asked, [*model.tokenize(example.answer), model.end_token]


async def _answers(
    model: LlamaModel, adapter: Path | None, task: examples.Task, held: Sequence[Example], labels: Sequence[str]
) -> list[str]:
    """What the model answers to the held out examples, as it will be asked."""
    engine = await LlamaEngine.create(model, n_ctx=2048, n_seq=2, adapter=adapter)
    try:
        return [await _answer(engine, task, example, labels) for example in held]
    finally:
        await engine.shutdown()


def shown(said: Sequence[str], held: Sequence[Example]) -> list[str]:
    """Some of what was held out with what the model made of it, for the person to see: first what is wrong."""
    pairs = sorted(zip(said, held, strict=True), key=lambda pair: _right([pair[0]], [pair[1]]))
    lines: list[str] = []
    for answer, example in pairs[:SHOWN]:
        words, wanted = " ".join(example.text.split()), " ".join(example.answer.split())
        if _right([answer], [example]):
            lines += [f"right: {words}", f"  {wanted}"]
        else:
            lines += [f"wrong: {words}", f"  wanted {wanted}", f"  said   {' '.join(answer.split())}"]
    return lines


def _right(said: Sequence[str], held: Sequence[Example]) -> float:
    return share([(one, example.answer) for one, example in zip(said, held, strict=True)])


def _likeness(said: Mapping[str, Sequence[str]], held: Sequence[Example]) -> dict[str, float]:
    """What each of several said, by chrF; nothing where sacrebleu isn't installed."""
    wanted = [Pair(example.text, example.answer) for example in held]
    try:
        return {name: round(score(answers, wanted).chrf, 1) for name, answers in said.items()}
    except ModelError:
        return {}


async def _answer(engine: Engine, task: examples.Task, example: Example, labels: Sequence[str]) -> str:
    sequence = await engine.open()
    try:
        if task == "classify":
            shares = await classify(engine, sequence, example.text, labels)
            return labels[shares.index(max(shares))]
        _, asked = split(template_of(engine), [Message("user", example.text)], 0)
        room = 2 * len(engine.tokenize(example.answer)) + 16
        sampling = Sampling(temperature=0.0, repeat_penalty=1.0, log_probs=False, max_tokens=room)
        async with aclosing(engine.generate(sequence, asked, sampling=sampling)) as pieces:  # type: ignore[type-var]
            return "".join([piece.text async for piece in pieces])
    finally:
        await engine.close(sequence)
