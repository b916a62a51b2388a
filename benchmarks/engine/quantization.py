"""The engine, measured: quantizations, threads, a busy machine, forks, saved contexts, the first piece, LoRA.

    python -m benchmarks.engine            # a table
    python -m benchmarks.engine --json     # the rows

Each configuration runs in a process of its own, so that OpenMP's waiting can differ and nothing is shared.
Values are medians of repetitions in one run; the ratios are of that run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.row import at_least, row
from llmasos.core.engine import models, quantize
from llmasos.core.engine.base import Sampling
from llmasos.core.engine.context import N_OUTPUTS, Context, Rows
from llmasos.core.engine.llama import LlamaEngine, LlamaModel
from llmasos.core.engine.merge import merged
from llmasos.core.engine.sampling import log_probability

QUANTIZATIONS = ("as-shipped", "q8_0", "q4_0")
ROOT = Path(__file__).resolve().parents[1]
TEXT = Path(__file__).with_name("engine_text.md")
ADAPTER = ROOT / "llmasos/services/interpreter/adapter/llmasos-interpreter.gguf"
COMMAND = "python -m benchmarks.engine"
PREFILL, DECODE, REPEAT = 256, 48, 3
SPINNING = os.environ.get("OMP_WAIT_POLICY") == "active"
"""Beside busy programs this is so slow that one short repetition must do."""
BUSY_FLOOR = 0.6


def rows() -> list[dict[str, Any]]:
    """All figures; takes some four minutes."""
    found: list[dict[str, Any]] = []
    for quantization in QUANTIZATIONS:
        found += _child("perplexity", quantization)
        for threads in (1, 2):
            for burners in (0, 2):
                with _busy(burners):
                    found += _named(_child("speed", quantization, threads), "_busy" if burners else "_idle")
    for burners in (0, 2):
        with _busy(burners):
            spinning = _child("speed", "q8_0", 2, spin=True)
        found += _named(spinning, "_busy_spinning" if burners else "_idle_spinning")
    found += _child("engine", "q8_0")
    if ADAPTER.is_file():
        found += _child("adapter", "q8_0")
    for quantization in QUANTIZATIONS:
        found += _child("contended", quantization)
    return found


def _named(measured: list[dict[str, Any]], suffix: str) -> list[dict[str, Any]]:
    return [{**one, "id": one["id"] + suffix} for one in measured]


def _row(id: str, samples: list[float], unit: str, must: float | None = None) -> dict[str, Any]:
    value = statistics.median(samples)
    promised = {} if must is None else at_least(value, must)
    return row(id, value, unit, n=len(samples), command=COMMAND, samples=samples, **promised)


@contextmanager
def _busy(count: int) -> Iterator[None]:
    """So many programs that each want a core."""
    # Each in a session of its own, as programs in other windows are: Linux shares cores by session first.
    burn = [sys.executable, "-c", "while True: pass"]
    burners = [subprocess.Popen(burn, start_new_session=True) for _ in range(count)]
    try:
        time.sleep(0.3 if count else 0)
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def _child(what: str, quantization: str, threads: int = 1, *, spin: bool = False) -> list[dict[str, Any]]:
    """Measure in a process of its own."""
    environment = {**os.environ, **({"OMP_WAIT_POLICY": "active"} if spin else {})}
    command = [sys.executable, "-m", "benchmarks.engine", "--measure", what, quantization, str(threads)]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
    measured: list[dict[str, Any]] = json.loads(done.stdout)
    return measured


def _model(quantization: str) -> LlamaModel:
    prepared = quantize.prepare(models.locate("smollm2"), quantization)
    if prepared.note:
        raise SystemExit(prepared.note)
    return LlamaModel.load(prepared.path)


def perplexity(quantization: str, _threads: int) -> list[dict[str, Any]]:
    """Of a text of our own, each token given all before it."""
    model = _model(quantization)
    tokens = model.tokenize(TEXT.read_text(encoding="utf-8"))
    context = Context(model, n_ctx=4096, n_sequences=1, threads=1)
    total = 0.0
    for start in range(0, len(tokens) - 1, N_OUTPUTS):
        rows = Rows()
        for position in range(start, min(start + N_OUTPUTS, len(tokens) - 1)):
            rows.add(tokens[position], position, 0, True)
        assert context.decode(rows) == 0
        total -= sum(log_probability(context.logits(at), tokens[start + at + 1]) for at in range(len(rows)))
    context.close()
    size = model.info.size / 1e6
    return [
        _row(f"perplexity_{quantization}", [math.exp(total / (len(tokens) - 1))], f"of {len(tokens)} tokens"),
        _row(f"size_{quantization}", [size], "MB"),
    ]


def speed(quantization: str, threads: int) -> list[dict[str, Any]]:
    """Prefill and decode of one sequence, past everything of ours but the context."""
    model = _model(quantization)
    tokens = model.tokenize(TEXT.read_text(encoding="utf-8"))
    context = Context(model, n_ctx=1024, n_sequences=1, threads=threads)
    prefill, decode = [], []
    length = 32 if SPINNING else PREFILL
    for repetition in range(1 if SPINNING else REPEAT + 1):  # the first of several warms up
        context.cut(0, 0)
        begun = time.perf_counter()
        _compute(context, tokens[:length], 0)
        read = time.perf_counter()
        done = 0
        while done < DECODE and time.perf_counter() - read < 4:
            _compute(context, tokens[length + done : length + done + 1], length + done)
            done += 1
        written = time.perf_counter()
        if repetition or SPINNING:
            prefill.append(length / (read - begun))
            decode.append(done / (written - read))
    context.close()
    return [
        _row(f"prefill_{quantization}_{threads}t", prefill, "tokens/s"),
        _row(f"decode_{quantization}_{threads}t", decode, "tokens/s"),
    ]


def contended(quantization: str, threads: int) -> list[dict[str, Any]]:
    """Decode beside two programs that each want a core, against without; in turn, so that drift cancels."""
    model = _model(quantization)
    tokens = model.tokenize(TEXT.read_text(encoding="utf-8"))
    context = Context(model, n_ctx=1024, n_sequences=1, threads=threads)

    def rate() -> float:
        context.cut(0, 0)
        _compute(context, tokens[:64], 0)
        begun = time.perf_counter()
        for at in range(64, 64 + DECODE):
            _compute(context, tokens[at : at + 1], at)
        return DECODE / (time.perf_counter() - begun)

    rate()
    ratios = []
    for _ in range(5):
        alone = rate()
        with _busy(2):
            ratios.append(rate() / alone)
    context.close()
    return [_row(f"decode_busy_over_idle_{quantization}_{threads}t", ratios, "x", must=BUSY_FLOOR)]


def _compute(context: Context, tokens: list[int], start: int) -> None:
    rows = Rows()
    for offset, token in enumerate(tokens):
        rows.add(token, start + offset, 0, offset == len(tokens) - 1)
    assert context.decode(rows) == 0
    context.logits(len(tokens) - 1)


def engine(quantization: str, _threads: int) -> list[dict[str, Any]]:
    """What the engine adds: forks, saved contexts, the first piece, sequences together."""
    model = _model(quantization)
    return asyncio.run(_engine(model))


async def _engine(model: LlamaModel) -> list[dict[str, Any]]:
    text = model.tokenize(TEXT.read_text(encoding="utf-8"))
    engine = await LlamaEngine.create(model, n_ctx=8192, n_seq=20)
    found: dict[str, list[float]] = {}

    async def timed(id: str, action: Callable[[], Any]) -> Any:
        begun = time.perf_counter()
        result = await action()
        found.setdefault(id, []).append((time.perf_counter() - begun) * 1e3)
        return result

    for repetition in range(REPEAT):
        base = await engine.open()
        fresh = [100 + repetition, *text]  # never seen before: nothing is shared by accident
        await engine.prefill(base, fresh[:500])
        fork = await timed("fork_500_ms", lambda b=base: engine.fork(b))
        await engine.close(fork)
        await engine.close(base)
        whole = await engine.open()
        await timed("refill_1024_ms", lambda s=whole, f=fresh: engine.prefill(s, f[:1024]))
        state = await timed("save_1024_ms", lambda s=whole: engine.save(s))
        await engine.close(whole)
        again = await timed("restore_1024_ms", lambda s=state: engine.restore(s))
        await engine.close(again)
    found["state_1024_mb"] = [len(state) / 1e6]

    async def first(prompt: list[int], sampling: Sampling) -> None:
        sequence = await engine.open()
        async for _ in engine.generate(sequence, prompt, sampling=sampling):
            break
        await engine.close(sequence)

    for repetition in range(REPEAT):
        line = [200 + repetition, *text[600:615]]
        await timed("first_piece_516_cold_ms", lambda p=[*line, *text[:500]]: first(p, Sampling(seed=1)))
    await engine.keep_prefix(text[:500])
    for repetition in range(REPEAT):
        line = [200 + repetition, *text[600:615]]
        await timed("first_piece_516_warm_ms", lambda p=[*text[:500], *line]: first(p, Sampling(seed=1)))

    constraint = "start: /[a-z ]{%d}/"
    for count in (1, 16):
        for repetition in range(3):
            sequences = [await engine.open() for _ in range(count)]
            for index, sequence in enumerate(sequences):
                await engine.prefill(sequence, [300 + 16 * repetition + index, *text[index : index + 40]])
            before = engine.stats()["decoded"]
            begun = time.perf_counter()
            await asyncio.gather(*(_write(engine, sequence) for sequence in sequences))
            rate = (engine.stats()["decoded"] - before) / (time.perf_counter() - begun)
            found.setdefault(f"decode_{count}_sequences", []).append(rate)
            for sequence in sequences:
                await engine.close(sequence)
    begun = time.perf_counter()
    for _ in range(20):
        engine.constrain(constraint % 9)
    found["grammar_ms"] = [(time.perf_counter() - begun) / 20 * 1e3]
    await engine.shutdown()
    result = [_row(id, samples, _unit(id)) for id, samples in found.items()]
    middle = {one["id"]: one["value"] for one in result}
    result += [
        _row("refill_over_restore", [middle["refill_1024_ms"] / middle["restore_1024_ms"]], "x"),
        _row(
            "first_piece_cold_over_warm",
            [middle["first_piece_516_cold_ms"] / middle["first_piece_516_warm_ms"]],
            "x",
        ),
        _row("decode_16_over_1", [middle["decode_16_sequences"] / middle["decode_1_sequences"]], "x"),
    ]
    return result


async def _write(engine: LlamaEngine, sequence: Any) -> None:
    """48 tokens, sampled as for speech; a text that ends earlier is counted as it is."""
    async for _ in engine.generate(sequence, [], sampling=Sampling(seed=1, max_tokens=DECODE)):
        pass


def _unit(id: str) -> str:
    if id.endswith("_ms"):
        return "ms"
    return "MB" if id.endswith("_mb") else "tokens/s"


def adapter(quantization: str, threads: int) -> list[dict[str, Any]]:
    """The shipped LoRA adapter attached and merged (into Q4_0), against none."""
    model = _model(quantization)
    tokens = model.tokenize(TEXT.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = []
    whole = LlamaModel.load(merged(models.locate("smollm2"), ADAPTER))
    for name, used, path in (("none", model, None), ("attached", model, ADAPTER), ("merged", whole, None)):
        context = Context(used, n_ctx=1024, n_sequences=1, threads=threads, adapter=path)
        prefill, decode = [], []
        for repetition in range(REPEAT + 1):
            context.cut(0, 0)
            begun = time.perf_counter()
            _compute(context, tokens[:PREFILL], 0)
            read = time.perf_counter()
            for offset in range(DECODE):
                _compute(context, tokens[PREFILL + offset : PREFILL + offset + 1], PREFILL + offset)
            if repetition:
                prefill.append(PREFILL / (read - begun))
                decode.append(DECODE / (time.perf_counter() - read))
        context.close()
        found += [
            _row(f"prefill_lora_{name}", prefill, "tokens/s"),
            _row(f"decode_lora_{name}", decode, "tokens/s"),
        ]
    return found


def main() -> None:
    """Print the table, or measure one configuration for it."""
    parser = argparse.ArgumentParser(description="Measure the engine.")
    parser.add_argument("--json", action="store_true")
    names = "WHAT", "QUANTIZATION", "THREADS"
    parser.add_argument("--measure", nargs=3, metavar=names, help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.measure:
        what, quantization, threads = said.measure
        kinds = (perplexity, speed, contended, engine, adapter)
        measure = next(kind for kind in kinds if kind.__name__ == what)
        print(json.dumps(measure(quantization, int(threads))))
        return
    found = rows()
    if said.json:
        print(json.dumps({"rows": found}))
        return
    print("| id | value | unit | must | holds | n |\n|---|---|---|---|---|---|")
    for one in found:
        holds = {None: "", True: "yes", False: "no"}[one["holds"]]
        print(f"| {one['id']} | {one['value']:,.4g} | {one['unit']} | {one['must']} | {holds} | {one['n']} |")


if __name__ == "__main__":
    main()
