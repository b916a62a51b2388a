"""What `llmasos top` looks like: the whole, each engine, and the processes, as far as the terminal has room."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from llmasos.core.engine.openai.address import called
from llmasos.shell.safe import one_line, shortened
from llmasos.shell.toolbar import BETWEEN, POLICY, PROCESSES, SPEED

Row = Mapping[str, Any]
Cell = Callable[[Row], str]

HINT = "q leaves"
UP, CALLS, LOAD = "up", "calls", "load"
MORE = "more processes"
UNKNOWN = "-"
FEW, TABLE, ENOUGH = 5, 4, 100
"""Processes that go before what stands above them; lines that their table needs beside them; lines for all that."""
STATES = {"ready": "green", "running": "green", "stopped": "yellow", "swapped": "blue"}


class Overview:
    """A snapshot to look at.

    Args:
        system: The fields of `system.status`.
        processes: The rows of `process.list`, in the order in which they are shown.
        note: What to know beside it.
        full: Whether it fills a screen, and so leaves out what has no room.
    """

    def __init__(self, system: Row, processes: Sequence[Row], *, note: str = "", full: bool = False) -> None:
        self._system = system
        self._processes = processes
        self._note = note
        self._full = full

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        rows = self._processes
        room = console.size.height - TABLE if self._full else len(rows) + ENOUGH
        engines = self._engines(console, options)
        above: list[tuple[RenderableType, int]] = [
            *((line, 1) for line in _lines(self._whole(), options)),
            *((line, 1) for line in _lines(self._counts(), options)),
            (Group("", engines), 3 + len(engines.rows)),
        ]
        for part, height in above:
            if room - height >= min(len(rows), FEW):
                room -= height
                yield part
        rows = rows[: max(0, room)]
        yield ""
        yield _fitting(rows, PROCESS_COLUMNS, LESS_OF_PROCESSES, console, options)
        below = [f"{len(self._processes) - len(rows)} {MORE}"] if len(rows) < len(self._processes) else []
        below += [self._note] if self._note else []
        below += [HINT] if self._full else []
        if below:
            yield Text(BETWEEN.join(below), style="dim", no_wrap=True, overflow="ellipsis")

    def _whole(self) -> list[str]:
        told = self._system
        calls = told.get("calls")
        return [
            shortened(called(str(told["model"])), 40),
            f"{POLICY} {one_line(str(told['policy']))}",
            f"{UP} {told['uptime']}",
            f"{told['tokens/s']:,} {SPEED}",
            f"{CALLS} p50 {_ms(calls['p50 ms'])}, p95 {_ms(calls['p95 ms'])} ms" if calls else "",
        ]

    def _counts(self) -> list[str]:
        rows = self._processes
        return [
            f"{len(rows)} {PROCESSES[len(rows) != 1]}: {_counted(rows, 'state')}",
            _counted(rows, "class"),
            f"{LOAD} {self._system['load']}",
            str(self._system["memory"]),
        ]

    def _engines(self, console: Console, options: ConsoleOptions) -> Table:
        figures = [{"engine": role, **_figures(self._system[role])} for role in ENGINES if role in self._system]
        return _fitting(figures, ENGINE_COLUMNS, LESS_OF_ENGINES, console, options)


def _figures(told: Any) -> Row:
    return told if isinstance(told, Mapping) else {"absent": told}


def _fitting(
    rows: Sequence[Row],
    columns: Mapping[str, tuple[Cell, bool]],
    dispensable: Sequence[str],
    console: Console,
    options: ConsoleOptions,
) -> Table:
    """A table without columns that nothing fills, and without as many of the dispensable ones as have no room."""
    shown = {title: column for title, column in columns.items() if any(column[0](row) for row in rows)}
    left_out = iter(dispensable)
    while True:
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), header_style="dim")
        table.pad_edge = False
        for title, (_, number) in shown.items():
            table.add_column(title, justify="right" if number else "left", no_wrap=True, overflow="ellipsis")
        for row in rows:
            style = STATES.get(str(row.get("state")), "")
            table.add_row(*(Text(cell(row)) for cell, _ in shown.values()), style=style)
        too_wide = Measurement.get(console, options.update(width=10_000), table).maximum > options.max_width
        least = next(left_out, None) if too_wide else None
        if least is None:
            return table
        shown.pop(least, None)


def _lines(parts: Sequence[str], options: ConsoleOptions) -> Iterator[Text]:
    """The parts in as few lines as they need, none broken that has room in a line."""
    line = ""
    for part in filter(None, parts):
        longer = f"{line}{BETWEEN}{part}" if line else part
        if line and cell_len(longer) > options.max_width:
            yield Text(line, no_wrap=True, overflow="ellipsis")
            longer = part
        line = longer
    yield Text(line, no_wrap=True, overflow="ellipsis")


def _counted(rows: Sequence[Row], what: str) -> str:
    return ", ".join(f"{count} {name}" for name, count in Counter(row[what] for row in rows).most_common())


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:,.{2 if milliseconds < 1 else 1 if milliseconds < 10 else 0}f}"


def _number(name: str, unit: str = "") -> Cell:
    return lambda row: f"{row[name]:,}{unit}" if row.get(name) is not None else ("" if "absent" in row else UNKNOWN)


def _paged(row: Row) -> str:
    return f"{row['page ins']:,}/{row['page outs']:,}" if row["page ins"] or row["page outs"] else ""


def _cells(row: Row) -> str:
    return str(row["absent"]) if "absent" in row else f"{row['cells used']:,}/{row['cells']:,}"


def _first_token(row: Row) -> str:
    if "first token p50 ms" in row:
        return f"{_ms(row['first token p50 ms'])}/{_ms(row['first token p95 ms'])} ms"
    return "" if "absent" in row else UNKNOWN


ENGINES = ("speech", "interpreting")
ENGINE_COLUMNS: Mapping[str, tuple[Cell, bool]] = {
    "engine": (lambda row: row["engine"], False),
    "tok/s": (_number("tokens/s"), True),
    "busy": (_number("busy %", " %"), True),
    "batch": (_number("batch"), True),
    "queue": (_number("queue"), True),
    "KV cells": (_cells, True),
    "kept": (_number("kept prefixes"), True),
    "prefix hits": (_number("prefix hits %", " %"), True),
    "TTFT p50/p95": (_first_token, True),
}
"""Title -> (what stands there, whether it is a number)."""
LESS_OF_ENGINES = ("busy", "kept", "queue", "prefix hits", "batch")
"""What is left out where there is no room, first to last."""

PROCESS_COLUMNS: Mapping[str, tuple[Cell, bool]] = {
    "pid": (lambda row: str(row["pid"]), True),
    "name": (lambda row: shortened(row["name"], 20), False),
    "program": (lambda row: one_line(row["program"]), False),
    "state": (lambda row: row["state"], False),
    "class": (lambda row: row["class"], False),
    "tok/s": (lambda row: f"{row['tokens/s']:,}", True),
    "tokens": (lambda row: f"{row['tokens']:,}", True),
    "calls": (lambda row: f"{row['calls']:,}", True),
    "context": (lambda row: f"{row['context']:,}", True),
    "swapped": (lambda row: f"{row['swapped'] / 1e6:,.1f} MB" if row["swapped"] else "", True),
    "pages in/out": (_paged, True),
}
LESS_OF_PROCESSES = ("program", "calls", "pages in/out", "class", "context", "swapped", "tokens")
