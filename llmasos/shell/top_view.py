"""What `llmasos top` looks like: the whole, each engine, and the processes, as far as the terminal has room."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from llmasos.shell.safe import one_line, shortened
from llmasos.shell.toolbar import BETWEEN, POLICY, PROCESSES, SPEED

Row = Mapping[str, Any]
Cell = Callable[[Row], str]

HINT = "q leaves"
UP, CALLS, LOAD, P50_P95 = "up", "calls", "load", "p50 / p95"
MORE = "more processes"
UNKNOWN = "-"
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
        head = Group(self._whole(), self._counts(), "", self._engines(console, options), "")
        yield head
        rows = self._processes
        if self._full:
            above = len(console.render_lines(head, options.update(height=None)))
            rows = rows[: max(0, console.size.height - above - 3)]  # the table's head, and the last line
        yield _fitting(rows, PROCESS_COLUMNS, DISPENSABLE, console, options)
        below = [f"{len(self._processes) - len(rows)} {MORE}"] if len(rows) < len(self._processes) else []
        below += [self._note] if self._note else []
        below += [HINT] if self._full else []
        if below:
            yield Text(BETWEEN.join(below), style="dim", no_wrap=True, overflow="ellipsis")

    def _whole(self) -> RenderableType:
        told = self._system
        calls = told.get("calls") or {}
        return _line(
            Text(shortened(str(told["model"]).rpartition("/")[2], 32), style="bold"),
            f"{POLICY} {one_line(str(told['policy']))}",
            f"{UP} {told['uptime']}",
            f"{told['tokens/s']} {SPEED}",
            f"{CALLS} {_pair(calls, '')} ms ({P50_P95})" if calls else "",
        )

    def _counts(self) -> RenderableType:
        rows = self._processes
        return _line(
            f"{len(rows)} {PROCESSES[len(rows) != 1]}: {_counted(rows, 'state')}",
            _counted(rows, "class"),
            f"{LOAD} {told}" if (told := self._system.get("load")) else "",
            str(self._system.get("memory", "")),
        )

    def _engines(self, console: Console, options: ConsoleOptions) -> RenderableType:
        figures = [{"engine": role, **_figures(self._system[role])} for role in ENGINES if role in self._system]
        return _fitting(figures, ENGINE_COLUMNS, ("kept", "busy", "prefix hits", "queue"), console, options)


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


def _line(*parts: str | Text) -> Text:
    return Text(BETWEEN).join(Text(part) if isinstance(part, str) else part for part in parts if part)


def _counted(rows: Sequence[Row], what: str) -> str:
    return ", ".join(f"{count} {name}" for name, count in Counter(row[what] for row in rows).most_common())


def _pair(figures: Row, what: str) -> str:
    low, high = (figures.get(f"{what} p{percent} ms".strip()) for percent in (50, 95))
    return UNKNOWN if low is None else f"{low:,.4g} / {high:,.4g}"


def _number(name: str, unit: str = "") -> Cell:
    return lambda row: f"{row[name]:,}{unit}" if row.get(name) is not None else ("" if "absent" in row else UNKNOWN)


def _where(row: Row) -> str:
    if row["swapped"]:
        return f"swapped {row['swapped'] / 1e6:,.1f} MB"
    return "resident" if row["resident"] else ""


def _paged(row: Row) -> str:
    return f"{row['page ins']:,} / {row['page outs']:,}" if row["page ins"] or row["page outs"] else ""


def _engine(row: Row) -> str:
    return f"{row['engine']} ({row['absent']})" if "absent" in row else str(row["engine"])


ENGINES = ("speech", "interpreting")
ENGINE_COLUMNS: Mapping[str, tuple[Cell, bool]] = {
    "engine": (_engine, False),
    "tok/s": (_number("tokens/s"), True),
    "busy": (_number("busy %", " %"), True),
    "batch": (_number("batch"), True),
    "queue": (_number("queue"), True),
    "KV cells": (lambda row: "" if "absent" in row else f"{row['cells used']:,} / {row['cells']:,}", True),
    "kept": (_number("kept prefixes"), True),
    "prefix hits": (_number("prefix hits %", " %"), True),
    f"first token ms, {P50_P95}": (lambda row: "" if "absent" in row else _pair(row, "first token"), True),
}
"""Title -> (what stands there, whether it is a number)."""

PROCESS_COLUMNS: Mapping[str, tuple[Cell, bool]] = {
    "pid": (lambda row: str(row["pid"]), True),
    "name": (lambda row: shortened(row["name"], 24), False),
    "program": (lambda row: one_line(row["program"]), False),
    "state": (lambda row: row["state"], False),
    "class": (lambda row: row["class"], False),
    "tok/s": (lambda row: f"{row['tokens/s']:,}", True),
    "tokens": (lambda row: f"{row['tokens']:,}", True),
    "calls": (lambda row: f"{row['calls']:,}", True),
    "context": (lambda row: f"{row['context']:,}", True),
    "KV": (_where, False),
    "pages in / out": (_paged, True),
}
DISPENSABLE = ("program", "calls", "pages in / out", "class", "context", "KV", "tokens")
