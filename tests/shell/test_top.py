"""What `llmasos top` shows, in a terminal of any size."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from llmasos.shell.top_view import Overview

SPEECH = {
    "tokens/s": 118.6, "busy %": 97, "batch": 11.2, "queue": 1.3, "sequences": 12, "cells used": 1430, "cells": 4864,
    "kept prefixes": 312, "prefix hits %": 82, "first token p50 ms": 59.07, "first token p95 ms": 1359.07,
}  # fmt: skip
SYSTEM = {
    "model": "/models/smollm2", "policy": "default", "uptime": "2:05:34", "tokens/s": 118.6, "speech": SPEECH,
    "interpreting": "not loaded yet", "calls": {"p50 ms": 0.42, "p95 ms": 12.3}, "load": "4.21 3.67 2.92 on 2 cores",
    "memory": "433 MB resident",
}  # fmt: skip


def process(pid: int, name: str, **fields: Any) -> dict[str, Any]:
    row = {
        "pid": pid, "parent": 1, "name": name, "program": "character", "state": "waiting", "class": "normal", "tokens/s": 0.0,
        "tokens": 1234, "calls": 2, "context": 256, "resident": True, "swapped": 0, "page ins": 0, "page outs": 0,
    }  # fmt: skip
    assert set(fields) <= set(row)
    return {**row, **fields}


ALICE = process(7, "Alice", state="ready", **{"tokens/s": 42.1, "class": "interactive"})
BOB = process(3, "小鲍勃", state="stopped", context=0)
MANY = [ALICE, BOB, *(process(pid, f"number {pid}") for pid in range(20, 60))]

EIGHTY = """\
smollm2  ·  policy default  ·  up 2:05:34  ·  118.6 tok/s
calls p50 0.42, p95 12 ms
2 processes: 1 ready, 1 stopped  ·  1 interactive, 1 normal
load 4.21 3.67 2.92 on 2 cores  ·  433 MB resident

engine        tok/s  batch  queue        KV cells  prefix hits  TTFT p50/p95
────────────────────────────────────────────────────────────────────────────
speech        118.6   11.2    1.3     1,430/4,864         82 %   59/1,359 ms
interpreting                       not loaded yet

pid  name    program    state    class        tok/s  tokens  calls  context
───────────────────────────────────────────────────────────────────────────
  7  Alice   character  ready    interactive   42.1   1,234      2      256
  3  小鲍勃  character  stopped  normal         0.0   1,234      2        0
"""


def drawn(view: Overview, width: int, height: int = 24) -> list[str]:
    console = Console(width=width, height=height, file=io.StringIO(), record=True, color_system=None, markup=False)
    console.print(view)
    return [line.rstrip() for line in console.export_text().splitlines()]


def test_at_width_80() -> None:
    assert drawn(Overview(SYSTEM, [ALICE, BOB]), 80) == EIGHTY.splitlines()


@pytest.mark.parametrize("width", [40, 60, 80, 132, 200])
@pytest.mark.parametrize("height", [6, 10, 24, 50])
def test_it_fits_and_the_first_processes_are_there(width: int, height: int) -> None:
    lines = drawn(Overview(SYSTEM, MANY, full=True), width, height)
    assert len(lines) <= height
    assert max(map(cell_len, lines)) <= width
    shown = [line for line in lines if "Alice" in line or "小鲍勃" in line or "number" in line]
    assert "Alice" in shown[0]
    assert len(shown) >= min(5, height - 4), "processes go before what stands above them"
    assert lines[-1] == f"{len(MANY) - len(shown)} more processes  ·  q leaves"


def test_all_is_there_where_there_is_room() -> None:
    lines = drawn(Overview(SYSTEM, [ALICE, BOB], note="a note", full=True), 80)
    assert lines == [*EIGHTY.splitlines(), "a note  ·  q leaves"]


def test_a_snapshot_shows_all() -> None:
    lines = drawn(Overview(SYSTEM, MANY), 160, 10)
    assert sum("number" in line for line in lines) == 40
    assert not any("q leaves" in line for line in lines)


def test_what_is_swapped_shows_where_there_is_any() -> None:
    out = process(
        9, "Carol", state="swapped", context=0, resident=False, swapped=1_234_567, **{"page ins": 2, "page outs": 3}
    )
    assert "swapped" not in " ".join(drawn(Overview(SYSTEM, [ALICE]), 160))
    told = "\n".join(drawn(Overview(SYSTEM, [ALICE, out]), 160))
    assert "1.2 MB" in told and "2/3" in told and "pages in/out" in told


def test_names_cannot_steer_the_terminal() -> None:
    told = "\n".join(drawn(Overview(SYSTEM, [process(9, "\x1b[2Jgone\nnext [red]line")], full=True), 160))
    assert "\x1b" not in told and "[red]" in told
    assert sum("gone" in line for line in told.splitlines()) == 1
