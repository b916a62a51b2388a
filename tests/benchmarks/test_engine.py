"""The engine's benchmark runs and says what it should; what it measures here means nothing."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.engine import COMMAND, ROOT, SUBJECTS, environment, plots
from benchmarks.engine.__main__ import table
from benchmarks.engine.lab import Row, figure, percentile
from benchmarks.engine.sharing import jain


def test_a_quick_run_prints_rows(tmp_path: Path) -> None:
    kept = tmp_path / "rows.json"
    command = [sys.executable, "-m", "benchmarks.engine", "door", "--quick", "--json", "--save", str(kept)]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert {"added_latency_ms", "trap_us", "portal_us"} <= {row["id"] for row in rows}
    for row in rows:
        assert set(row) == {"id", "value", "unit", "must", "holds", "n", "samples", "command"}
        assert row["command"] == f"{COMMAND} door --quick"
        assert (row["holds"] is None) == (row["must"] == "")
        assert row["n"] == len(row["samples"]) >= 1
    assert json.loads(kept.read_text())["rows"] == rows
    assert table(rows).count("\n") == len(rows) + 1


@pytest.mark.parametrize("subject", SUBJECTS)
def test_each_subject_can_be_run(subject: str) -> None:
    assert callable(importlib.import_module(f"benchmarks.engine.{subject}").rows)


def test_figures() -> None:
    assert figure("a", [3.0, 1.0, 2.0], "x", (">=", 2))["holds"] is True
    assert figure("a", [3.0, 1.0, 2.0], "x", ("<=", 1.9))["holds"] is False
    assert percentile(range(1, 101), 95) == 95
    assert percentile([7.0], 50) == 7.0
    assert jain([5, 5, 5, 5]) == 1.0
    assert jain([20, 0, 0, 0]) == 0.25


def test_plots_are_drawn_from_what_was_measured(tmp_path: Path) -> None:
    rows: list[Row] = [figure(f"scale_processes_{count}", [20 / count], "ms/token") for count in (1, 2, 4)]
    rows += [figure("chars100_ttft_p50_s", [0.2, 0.4, 9.0], "s")]
    rows += [figure(f"spike_decode_16_1t_unified_merged_{machine}", [50.0], "tokens/s") for machine in ("idle", "busy")]
    with pytest.raises(SystemExit, match="measure first"):
        plots.draw([{**rows[0], "command": f"{COMMAND} scaling --quick"}], tmp_path)
    drawn = plots.draw(rows, tmp_path)
    assert [path.stem for path in drawn] == ["scaling-processes", "chars100-ttft", "spike"]  # no context was measured
    for path in drawn:
        picture = ElementTree.fromstring(path.read_text(encoding="utf-8"))
        words = [element.text for element in picture.iter() if element.tag.endswith("text")]
        assert any("tokens/s" in (word or "") or "% of lines" in (word or "") for word in words), words
