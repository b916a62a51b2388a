"""Threads, KV layout, LoRA and a busy machine: every combination, on a bare context.

Sixteen contexts are resident in each, of 128 tokens as short requests have them, and of 1,000 (`_1000` in the figure's
name) as conversations do: what is best for one is far from it for the other. `decode` is one sequence beside the others
at rest, `decode_16` all together, `prefill` another prompt beside them. `attached` and `merged` compute with the interpreter's adapter on the same quantization, Q4_0,
which is what merging makes. Idle and busy alternate inside one process; a busy machine is two programs in sessions of
their own that each want a core.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable

from benchmarks.engine.bare import LAYOUTS, Bare, Layout
from benchmarks.engine.lab import ADAPTER, Prompts, Row, Run, busy, figure, load, note, ratios
from llmasos.core.engine import models
from llmasos.core.engine.llama import LlamaModel
from llmasos.core.engine.merge import merged

LORA = ("attached", "merged")
SIZES = (128, 1000)
"""Tokens of a resident context."""
LONGEST = 3.0
"""Seconds of one measurement; two threads on a busy machine can take ten times as long as alone."""


def rows(run: Run) -> list[Row]:
    """The figures."""
    found = _busy_over_idle(run)
    for threads in (1, 2):
        for layout in LAYOUTS:
            for lora in LORA:
                for size in SIZES:
                    found += _child(threads, layout, lora, size, run)
    return found


def _child(threads: int, layout: Layout, lora: str, size: int, run: Run) -> list[Row]:
    """One combination, in a process of its own: llama.cpp keeps OpenMP's threads once it has them."""
    note(f"  {threads} threads, {layout}, {lora}, contexts of {size} tokens")
    command = [sys.executable, "-m", __name__, str(threads), layout, lora, str(size), *run.options]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    rows: list[Row] = json.loads(done.stdout)
    return rows


class _Spike:
    """One combination.

    Args:
        model: The file.
        run: How to measure.
        threads: Of a step.
        layout: Of the cells.
        size: Tokens of a resident context.
        attached: Whether the adapter is attached.
    """

    def __init__(
        self, model: LlamaModel, run: Run, threads: int, layout: Layout, size: int, *, attached: bool = False
    ) -> None:
        self._run = run
        self._prompts = Prompts(model)
        self._count, self._size = run.of(16, 3), run.of(size, size // 5)
        self._prefilled, self._steps = run.of(256, 32), run.of(32, 4)
        # One sequence more than is resident, for prompts.
        length = max(self._size + self._steps, self._prefilled)
        adapter = ADAPTER if attached else None
        self._bare = Bare(
            model, layout=layout, sequences=self._count + 1, length=length, threads=threads, adapter=adapter
        )
        self._bare.prefill(0, self._prompts.fresh(self._size))
        for sequence in range(1, self._count):  # what they hold is the same: computing it takes minutes in one pool
            self._bare.duplicate(0, sequence)

    def prefill(self) -> float:
        """Tokens/s of a prompt."""
        prompt = self._prompts.fresh(self._prefilled)
        begun = time.perf_counter()
        done = 0
        while done < self._prefilled and time.perf_counter() - begun < LONGEST:
            self._bare.prefill(self._count, prompt[done : done + 64], done)
            done += 64
        took = time.perf_counter() - begun
        self._bare.cut(self._count, 0)
        return min(done, self._prefilled) / took

    def decode(self, sequences: int) -> float:
        """Tokens/s of the first sequences together."""
        begun = time.perf_counter()
        last, done = [100] * sequences, 0
        while done < self._steps and time.perf_counter() - begun < LONGEST:
            last = self._bare.decode(sequences, last, self._size + done, 1).tolist()
            done += 1
        took = time.perf_counter() - begun
        for sequence in range(sequences):
            self._bare.cut(sequence, self._size)
        return sequences * done / took

    def kinds(self) -> dict[str, Callable[[], float]]:
        """What is measured."""
        return {
            "prefill": self.prefill,
            "decode": lambda: self.decode(1),
            "decode_16": lambda: self.decode(self._count),
        }


def _measured(threads: int, layout: Layout, lora: str, size: int, run: Run) -> list[Row]:
    attached = lora == "attached"
    # Not endless: nothing here looks for ends.
    model = load("q4_0", endless=False) if attached else LlamaModel.load(merged(models.locate("smollm2"), ADAPTER))
    kinds = _Spike(model, run, threads, layout, size, attached=attached).kinds()
    longer = "" if size == SIZES[0] else f"_{size}"
    for measure in kinds.values():
        measure()  # warms up
    found: dict[str, list[float]] = {}
    for _ in range(run.of(4, 1)):
        for machine, burners in (("idle", 0), ("busy", 2)):
            with busy(burners):
                for kind, measure in kinds.items():
                    found.setdefault(f"spike_{kind}_{threads}t_{layout}_{lora}_{machine}{longer}", []).append(measure())
    return [figure(id, samples, "tokens/s") for id, samples in found.items()]


def _busy_over_idle(run: Run) -> list[Row]:
    """The engine as it is set up (Q8_0, one thread, one pool of cells): decode beside two busy programs, in turn."""
    spike = _Spike(load(endless=False), run, threads=1, layout="unified", size=SIZES[0])
    spike.decode(1)
    idle, loaded = [], []
    for _ in range(run.of(7, 1)):
        idle.append(spike.decode(1))
        with busy():
            loaded.append(spike.decode(1))
    # Three programs on two cores get two thirds of a core each: 0.67 is the ceiling.
    return [
        figure("decode_busy_over_idle", ratios(loaded, idle), "x", (">=", 0.6)),
        figure("decode_idle_tokens_per_s", idle, "tokens/s"),
        figure("decode_busy_tokens_per_s", loaded, "tokens/s"),
    ]


def main() -> None:
    """One combination, for `_child`."""
    threads, layout, lora, size, *options = sys.argv[1:]
    chosen = next(one for one in LAYOUTS if one == layout)
    print(json.dumps(_measured(int(threads), chosen, lora, int(size), Run(quick="--quick" in options))))


if __name__ == "__main__":
    main()
