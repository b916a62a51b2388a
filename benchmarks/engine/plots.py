"""docs/plots, drawn from kept rows and from nothing else: what isn't measured isn't drawn."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.engine.bare import LAYOUTS
from benchmarks.engine.lab import Row
from benchmarks.engine.spike import LORA
from benchmarks.engine.svg import Axis, Chart

ByName = dict[str, Row]


def draw(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Draw what there are rows for; the files.

    Raises:
        SystemExit: The rows are of a quick run, whose figures mean nothing.
    """
    if any("--quick" in row["command"] for row in rows):
        raise SystemExit("These rows are of a --quick run; measure first.")
    named = {row["id"]: row for row in rows}
    charts: dict[str, Callable[[ByName], Chart | None]] = {
        "scaling-processes": processes,
        "scaling-context": context,
        "chars100-ttft": ttft,
        "spike": spike,
    }
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, make in charts.items():
        chart = make(named)
        if chart is not None:
            paths.append(folder / f"{name}.svg")
            paths[-1].write_text(chart.render(), encoding="utf-8")
    return paths


def processes(rows: ByName) -> Chart | None:
    """Tokens a second of all together, over the number of processes."""
    found = _series(rows, r"scale_processes_(\d+)")
    if len(found) < 2:
        return None
    points = [(count, 1000 / ms) for count, ms in found]
    x = Axis("processes writing together", found[0][0], found[-1][0], doubling=True)
    chart = Chart("Many processes on one model", x, _from_zero("tokens/s, all together", [y for _, y in points]))
    chart.line(points, "llmasos")
    return chart


def context(rows: ByName) -> Chart | None:
    """Milliseconds a token, over the length of the context."""
    writing, reading = _series(rows, r"scale_context_(\d+)_write"), _series(rows, r"scale_context_(\d+)_read")
    if len(writing) < 2:
        return None
    x = Axis("tokens of context", writing[0][0], writing[-1][0], doubling=True)
    chart = Chart("The cost of a token", x, _from_zero("ms/token", [ms for _, ms in writing + reading]))
    chart.line(writing, "written")
    chart.line(reading, "read")
    return chart


def ttft(rows: ByName) -> Chart | None:
    """Which share of the lines had its first token after how long."""
    row = rows.get("chars100_ttft_p50_s")
    if not row or len(row["samples"]) < 2:
        return None
    chart = Chart(
        "100 characters, two lines a second",
        # Beyond this a few lines would press the others into the corner.
        Axis("seconds to the first token", 0.0, max(4.0, sorted(row["samples"])[int(0.98 * len(row["samples"]))])),
        Axis("% of lines", 0.0, 100.0),
    )
    for id, name in (("chars100_ttft_p50_s", "first token"), ("chars100_first_words_p50_s", "first words")):
        assert chart.x
        waits = sorted(rows[id]["samples"]) if id in rows else []
        points = [(wait, 100 * (at + 1) / len(waits)) for at, wait in enumerate(waits) if wait <= chart.x.high]
        if points:
            chart.line([(0.0, 0.0), *points], name, dots=False)
    chart.must(x=1.0, y=50.0)
    chart.must(x=3.0, y=95.0)
    return chart


def spike(rows: ByName) -> Chart | None:
    """Decode of 16 together: each combination of threads, layout and LoRA, idle and busy."""
    groups, series = [], {"idle": [], "busy": []}  # type: tuple[list[str], dict[str, list[float]]]
    for threads in (1, 2):
        for layout in LAYOUTS:
            for lora in LORA:
                ids = {machine: f"spike_decode_16_{threads}t_{layout}_{lora}_{machine}" for machine in series}
                if all(id in rows for id in ids.values()):
                    groups.append(f"{threads}t {layout}\n{lora}")
                    for machine, id in ids.items():
                        series[machine].append(rows[id]["value"])
    if not groups:
        return None
    everything = [value for values in series.values() for value in values]
    chart = Chart("16 sequences together", None, _from_zero("decode, tokens/s", everything))
    chart.bars(groups, dict(series))
    return chart


def _series(rows: ByName, pattern: str) -> list[tuple[float, float]]:
    """Number in the id -> value, in order."""
    found = [(re.fullmatch(pattern, id), row["value"]) for id, row in rows.items()]
    return sorted((float(match[1]), value) for match, value in found if match)


def _from_zero(label: str, values: Sequence[float]) -> Axis:
    return Axis(label, 0.0, 1.08 * max(values))
