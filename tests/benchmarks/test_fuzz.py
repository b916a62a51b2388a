"""A sample of the fuzzing bench, and that it sees what it is there to see."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.fuzz import COMMAND, figures
from benchmarks.fuzz.campaign import ROOT, Outcome, environment, run, shares
from benchmarks.fuzz.targets import TARGETS
from benchmarks.fuzz.worker import number_of, read, watch
from llmasos.core.kernel import custody
from tests.benchmarks.planted import DOES, Planted
from tests.core.kernel.launchers import CONFINES

SEED = 77
COUNT = {
    "calls": 2000, "sentences": 100, "times": 60, "programs": 2000, "grammars": 150, "lines": 600, "manifests": 800,
    "policies": 300, "settings": 500, "cards": 800, "pictures": 1000, "archives": 400, "books": 300, "calendars": 60, "frames": 400, "replies": 200,
    "models": 600, "contexts": 1500, "keyrings": 400, "logs": 1500, "intents": 1500, "audits": 150, "stores": 40,
    "backups": 150, "lorebooks": 400, "markups": 150, "documents": 40, "announced": 600, "templates": 3000,
}  # fmt: skip
"""Inputs of each that are tried here: what takes about a third of a second of processor time."""


@pytest.mark.parametrize("name", TARGETS)
def test_a_sample_of_each_target(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "documents" and not CONFINES:
        pytest.skip("this machine can't confine the readers of documents")
    monkeypatch.setattr(custody, "secret_service", lambda: None)
    watch()
    target = TARGETS[name](tmp_path)
    taken = refused = 0
    try:
        for number in range(COUNT[name]):
            data = target.make(number_of(SEED, name, number))
            try:
                error = read(target, data)
            except target.expected:
                refused += 1
                continue
            if error is not None:
                raise AssertionError(f"{name}, seed {SEED}, input {number}: {data[:200]!r}") from error
            taken += 1
    finally:
        target.close()
    assert taken, "nothing came through: what lies behind the first check was never reached"
    assert refused or not target.refuses, "everything came through"


def test_what_goes_wrong_is_seen_and_can_be_seen_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TARGETS, "planted", Planted)
    count = 90
    drawn = [Planted(tmp_path).make(number_of(SEED, "planted", number)).decode() for number in range(count)]
    assert set(drawn) == set(DOES)
    (outcome,) = run(count, ["planted"], SEED, tmp_path / "found", seconds=0.3, worker="tests.benchmarks.planted")
    assert outcome.inputs == count
    assert outcome.hangs == drawn.count("hangs")
    assert outcome.crashes == sum(drawn.count(bad) for bad in ("raises", "asserts", "exits", "eats", "dies"))
    assert not figures([outcome], COMMAND, inputs=count)[0]["holds"]
    kinds = {kind["kind"].split()[0] for kind in outcome.kinds}
    assert kinds == {"KeyError", "AssertionError", "SystemExit", "Hang", "MemoryError", "the"}
    for kind in outcome.kinds:
        path = Path(kind["file"])
        assert path.read_bytes() in {bad.encode() for bad in DOES}
        again = path.with_suffix(".txt").read_text().splitlines()[0]
        assert again == f"python -m benchmarks.fuzz --one planted {path}"


def test_one_input_is_read_again(tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text('{"name": "Mira"}')
    bad.write_text('{"name": 1}')
    for path, said in ((good, "taken"), (bad, "refused, as it should be: The card's name isn't text.")):
        command = [sys.executable, "-m", "benchmarks.fuzz", "--one", "cards", str(path)]
        done = subprocess.run(
            command, cwd=ROOT, env=environment(str(tmp_path)), capture_output=True, text=True, timeout=120
        )
        assert (done.returncode, done.stdout.strip()) == (0, said), done.stderr


def test_an_input_follows_from_seed_and_number(tmp_path: Path) -> None:
    target = TARGETS["cards"](tmp_path)
    first, again = ([target.make(number_of(seed, "cards", number)) for number in range(50)] for seed in (1, 1))
    assert first == again
    assert first != [target.make(number_of(2, "cards", number)) for number in range(50)]


def test_shares_add_up() -> None:
    parts = shares(1_000_000, list(TARGETS))
    assert set(parts) == set(TARGETS)
    assert sum(parts.values()) >= 1_000_000
    assert min(parts.values()) > 800


def test_a_run_that_was_too_short_does_not_hold() -> None:
    rows = {row["id"]: row for row in figures([Outcome("cards", inputs=10, taken=5, used=1.0)], COMMAND, inputs=11)}
    assert rows["fuzz_crashes"]["holds"] is True
    assert rows["fuzz_inputs"]["holds"] is False
    assert rows["fuzz_cards_per_s"]["value"] == 10
