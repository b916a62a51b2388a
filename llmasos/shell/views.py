"""What a result looks like: pure functions from values to rich renderables, nothing is printed here.

A value has one of four shapes (core/base/values.py), so there is no case for any syscall.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from llmasos.core.base.errors import LlmasosError
from llmasos.core.base.types import Result
from llmasos.shell.safe import one_line, safe, shortened

NOTHING = "Nothing."
IN_ALL = "in all"
MORE_ROWS = "more, not shown"
UNDO = "'undo' takes it back"
YES, NO = "yes", "no"
SOURCES = {
    "model": "model's words, may be wrong",
    "character": "a character's words, made by the model",
    "rule": "a character's words, made by a rule",
    "plugin": "from a plugin",
    "file": "from the file",
}

ROWS = 200
"""Rows shown at most; a terminal is no place for more."""

CELL = 16
"""A column is never narrower than this for another one's sake; where that is too wide, rows become blocks."""

_SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s+(?=\S)")


def result(outcome: Result, *, number: int = 0, streamed: bool = False) -> RenderableType:
    """What came of one call.

    Args:
        outcome: The call's result.
        number: Its place in a program; 0 where it is the only one.
        streamed: Whether its words were shown while they came; then only what stands below them is.
    """
    shown = failure(outcome.message)
    if outcome.ok:
        shown = value(outcome.value, undoable=outcome.undoable, streamed=streamed)
    if not number:
        return shown
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(ratio=1)
    grid.add_row(str(number), shown)
    return grid


def value(shape: Any, *, undoable: bool = False, streamed: bool = False) -> RenderableType:
    """A syscall's value in the form of its shape."""
    if not isinstance(shape, Mapping):
        return Text("" if streamed else _cell(shape))
    match shape.get("type"):
        case "items":
            return _items(shape)
        case "text":
            return _text(shape, streamed=streamed)
        case "record":
            return _record(str(shape.get("title", "")), shape.get("fields", {}))
        case "done":
            return _done(shape, undoable=undoable)
    return _record("", shape)


def error(problem: LlmasosError) -> RenderableType:
    """What went wrong in one line, and what to do in another."""
    return _trouble(problem.what, problem.remedy)


def failure(message: str) -> RenderableType:
    """The same for a failed result, whose message has both in one: the last sentence is the remedy."""
    parts = _SENTENCE_END.split(message.strip())
    return _trouble(message, "") if len(parts) == 1 else _trouble(" ".join(parts[:-1]), parts[-1])


def note(words: str) -> RenderableType:
    """Something a person should know, beside what they asked for."""
    return Text(safe(words), style="dim")


def _trouble(what: str, remedy: str) -> RenderableType:
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column()
    grid.add_row(Text("✗", style="bold red"), Text(safe(what)))
    if remedy:
        grid.add_row("", Text(safe(remedy), style="dim"))
    return grid


def _done(shape: Mapping[str, Any], *, undoable: bool) -> RenderableType:
    line = _Hinted(one_line(str(shape.get("message", ""))), UNDO if undoable else "")
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column()
    grid.add_row(Text("✓", style="green"), line)
    if shape.get("note"):
        grid.add_row("", note(str(shape["note"])))
    return grid


def _text(shape: Mapping[str, Any], *, streamed: bool) -> RenderableType:
    words = safe(str(shape.get("text", "")))
    parts: list[RenderableType] = []
    if shape.get("title") and not streamed:
        parts.append(Text(one_line(str(shape["title"])), style="bold"))
    if not streamed:
        formatted = shape.get("format") == "markdown"
        parts.append(_markdown(words) if formatted else Text(words.rstrip("\n") or NOTHING))
    footer = source_of(shape)
    if footer:
        parts.append(Text(f"— {footer}", style="dim"))
    return Group(*parts)


def source_of(shape: Mapping[str, Any]) -> str:
    """Where words come from, in words; empty where it needn't be said."""
    source = str(shape.get("source", ""))
    said = SOURCES.get(source, "")
    if source == "file" and shape.get("ref"):
        said = one_line(str(shape["ref"]))
    return " · ".join(filter(None, (said, one_line(str(shape.get("note", ""))))))


def _markdown(words: str) -> RenderableType:
    from rich.markdown import Markdown  # late: it brings a parser along, which the prompt needn't wait for

    # Without links that hide where they lead: the words may be a model's.
    return Markdown(words, hyperlinks=False)


def _record(title: str, fields: Mapping[str, Any]) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True, max_width=24)
    grid.add_column(overflow="fold")
    for name, content in fields.items():
        grid.add_row(Text(one_line(str(name))), Text(_cell(content)))
    heading = Text(one_line(title), style="bold") if title else None
    return Panel(grid, title=heading, title_align="left", box=box.ROUNDED, border_style="dim", expand=False)


def _items(shape: Mapping[str, Any]) -> RenderableType:
    rows: Sequence[Mapping[str, Any]] = shape.get("items", ())
    if not rows:
        return Text(safe(str(shape.get("empty") or NOTHING)), style="dim")
    # A column that no row fills only takes room.
    columns = [c for c in shape.get("columns", ()) if any(row.get(c) not in (None, "", []) for row in rows)]
    shown: list[RenderableType] = [_Rows(rows[:ROWS], columns or ["ref"])]
    if len(rows) > ROWS:
        shown.append(note(f"{len(rows) - ROWS:,} {MORE_ROWS}"))
    elif len(rows) > 10:
        shown.append(note(f"{len(rows)} {IN_ALL}"))
    return Group(*shown)


class _Rows:
    """Rows as a list, a table, or where the terminal is too narrow for a table, a block for each."""

    def __init__(self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
        self._columns = list(columns)
        self._cells = [[_cell(row.get(column)) for column in columns] for row in rows]
        self._numbers = [all(_is_number(row.get(c)) for row in rows) for c in columns]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if len(self._columns) == 1:
            yield from self._list()
        elif self._least() <= options.max_width:
            yield self._table()
        else:
            yield from self._blocks()

    def _least(self) -> int:
        """Cells that a table needs at least to be readable."""
        widths = [max(map(_widest, [name, *column])) for name, column in self._by_column()]
        return sum(min(width, CELL) for width in widths) + 2 * (len(widths) - 1)

    def _by_column(self) -> Iterable[tuple[str, list[str]]]:
        return ((name, [row[place] for row in self._cells]) for place, name in enumerate(self._columns))

    def _list(self) -> Iterable[RenderableType]:
        for (cell,) in self._cells:
            grid = Table.grid(padding=(0, 1, 0, 0))
            grid.add_row(Text("•", style="dim"), Text(cell))
            yield grid

    def _table(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), header_style="dim")
        table.pad_edge = False
        for name, number in zip(self._columns, self._numbers, strict=True):
            table.add_column(Text(one_line(name)), justify="right" if number else "left", overflow="fold")
        for row in self._cells:
            table.add_row(*map(Text, row))
        return table

    def _blocks(self) -> Iterable[RenderableType]:
        for row in self._cells:
            yield Text(row[0], style="bold")
            for name, cell in list(zip(self._columns, row, strict=True))[1:]:
                if cell:
                    words = Text.assemble((f"{one_line(name)} ", "dim"), cell)
                    yield Padding(words, (0, 0, 0, 2), expand=False)


class _Hinted:
    """A sentence with a hint behind it, or below it where the line has no room for both."""

    def __init__(self, sentence: str, hint: str) -> None:
        self._sentence = sentence
        self._hint = hint

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        fits = cell_len(f"{self._sentence}  {self._hint}") <= options.max_width
        between = "  " if fits else "\n"
        yield Text.assemble(self._sentence, (f"{between}{self._hint}" if self._hint else "", "dim"))

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        whole = cell_len(f"{self._sentence}  {self._hint}")
        return Measurement(min(8, options.max_width), min(whole, options.max_width))


def _cell(content: Any) -> str:
    """A field of a row or record as text."""
    if content is None:
        return ""
    if isinstance(content, bool):
        return YES if content else NO
    if isinstance(content, float):
        return f"{content:.12g}"
    if isinstance(content, str):
        return safe(content).strip()
    if isinstance(content, Mapping):
        return ", ".join(f"{name}: {_cell(inner)}" for name, inner in content.items())
    if isinstance(content, Sequence):
        return ", ".join(map(_cell, content))
    return shortened(str(content), 200)


def _is_number(content: Any) -> bool:
    return isinstance(content, int | float) and not isinstance(content, bool)


def _widest(text: str) -> int:
    return max(map(cell_len, text.split("\n")), default=0)
