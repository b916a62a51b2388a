"""`llmasos device` as a person types it, and sentences about devices that were found at a broker, on the real model."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.seat import Seat
from tests.system.program import Program

sys.path.insert(0, str(Path(__file__).parents[1] / "services"))  # the broker and the gadgets of the service's tests
from broker_desk import HANGS, PASSWORD, USER, Broker, Gadget, broker, powered


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Broker]:
    with broker(tmp_path / "broker", login=True) as running:
        yield running


def test_connect_list_and_disconnect(program: Program, server: Broker) -> None:
    with powered(server, device={"ids": ["d"], "name": "Desk lamp", "sa": "Study"}) as lamp:
        login = f"{USER}\n{PASSWORD}\n"
        nobody = program.run("device", "connect", "home", server.address, "--login", stdin=login)
        assert (nobody.returncode, "asks for consent" in nobody.stderr) == (4, True)
        done = program.run("device", "connect", "home", server.address, "--login", "--yes", stdin=login)
        assert (done.returncode, done.stdout) == (0, "Connected 'home': 1 device.\n"), done.stderr
        assert "device.reconnect name=home" in program.ok("consents")
        assert "connected" in program.ok("device", "sources")
        (row,) = program.json("device", "--json")["value"]["items"]
        assert (row["name"], row["room"], row["state"], row["source"]) == ("Desk lamp", "study", "off", "mqtt:home")
        # Each command is a program of its own, which connects, and leaves.
        assert "Turned on the Desk lamp" in program.ok("-c", "device.turn_on desk lamp", "--yes")
        assert lamp.told == [{"state": "ON"}]
        assert program.ok("undo", "--yes").count("Set the Desk lamp back") == 1, "said once"
        assert lamp.told[-1] == {"state": "OFF"}
    server.stop()
    away = program.run("-c", "device.turn_on desk lamp", "--yes")
    assert (away.returncode, "doesn't answer" in away.stderr) == (1, True)
    program.ok("device", "disconnect", "home")
    assert "simulated" in program.ok("device")
    assert PASSWORD not in program.ok("log") + program.ok("history") + program.ok("audit", "export")


@pytest.mark.parametrize("words", [["connect"], ["connect", "home"], ["disconnect"], ["nonsense"]])
def test_what_is_missing_is_said(program: Program, words: list[str]) -> None:
    done = program.run("device", *words)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)


@pytest.fixture
def at_home(real_seat: Seat, tmp_path: Path) -> Iterator[tuple[Seat, Gadget]]:
    """A person at the real system whose home has one lamp with a name that no simulated one has."""
    with broker(tmp_path / "broker") as server, powered(server, "Amber lantern", "lantern") as lamp:
        real_seat.ok("device.connect", name="home", address=server.address)
        yield real_seat, lamp
        real_seat.ok("device.disconnect", name="home")


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("turn on the amber lantern", {"state": "ON"}),
        ("switch the amber lantern off", {"state": "OFF"}),
        ("set the brightness of the amber lantern to 40%", {"state": "ON", "brightness": 102}),
        ("turn on the ambr lantern", {"state": "ON"}),
        ("把 amber lantern 打开", {"state": "ON"}),
    ],
)
def test_a_sentence_reaches_a_lamp_that_was_found(
    at_home: tuple[Seat, Gadget], sentence: str, told: dict[str, object]
) -> None:
    seat, lamp = at_home
    outcome = seat.say(sentence)
    assert outcome.way == "model" and outcome.ok, outcome
    # A lamp that is off already says nothing that the call would wait for.
    deadline = time.monotonic() + HANGS
    while not lamp.told and time.monotonic() < deadline:
        time.sleep(0.02)
    assert lamp.told == [told]


def test_how_it_is_and_undo_by_sentence(at_home: tuple[Seat, Gadget]) -> None:
    seat, lamp = at_home
    assert seat.say("turn on the amber lantern").ok
    shown = seat.say("is the amber lantern on?")
    assert [call.syscall for call in shown.reading.program] == ["device.get"]
    assert shown.results[0].value["fields"]["state"] == "on"
    assert seat.say("undo that").ok
    assert lamp.told == [{"state": "ON"}, {"state": "OFF"}]
