"""The program's own log: what comes to it, what still comes to a program that embeds us, and that it leaves no trace."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmasos.core.kernel import crypto
from llmasos.core.kernel.own_log import seal_log
from llmasos.core.kernel.sealed_log import SealedLog

KEY = crypto.random_key()


class Host:
    """A program that embeds us: a logger above ours with a handler, as the root has them."""

    def __init__(self) -> None:
        self.above = logging.getLogger("own_log_test")
        self.ours = logging.getLogger("own_log_test.ours")
        self.part = logging.getLogger("own_log_test.ours.part")
        self.shown = io.StringIO()
        self.above.propagate = False

    def shows(self, level: int) -> None:
        self.above.setLevel(level)
        self.above.addHandler(logging.StreamHandler(self.shown))

    def says(self) -> None:
        for level in ("debug", "info", "warning"):
            getattr(self.part, level)("one %s", level)

    def heard(self) -> list[str]:
        found = self.shown.getvalue().split("\n")[:-1]
        self.shown.seek(self.shown.truncate(0))
        return found


@pytest.fixture
def host() -> Iterator[Host]:
    host = Host()
    yield host
    for logger in (host.above, host.ours, host.part):
        logger.handlers.clear()
        logger.setLevel(logging.NOTSET)


@pytest.fixture
def seal(host: Host, tmp_path: Path) -> Callable[..., Callable[[], None]]:
    return lambda name="log": seal_log(host.ours, SealedLog(tmp_path / name, KEY))


def lines(folder: Path, name: str = "log") -> list[str]:
    return [line.partition(" own_log_test.ours.part ")[2] for line in SealedLog(folder / name, KEY).lines()]


def test_info_comes_to_the_log_where_nobody_has_set_a_level(
    host: Host, seal: Callable[..., Callable[[], None]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    host.above.setLevel(logging.WARNING)  # as the root has it
    stop = seal()
    host.says()
    assert lines(tmp_path) == ["one info", "one warning"]
    assert capsys.readouterr().err == ""  # nobody listens: sealed, and nowhere else
    stop()
    assert (host.ours.level, host.ours.propagate, host.ours.handlers) == (logging.NOTSET, True, [])


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        (logging.WARNING, ["one warning"]),
        (logging.INFO, ["one info", "one warning"]),
        (logging.DEBUG, ["one debug", "one info", "one warning"]),
    ],
)
def test_a_program_that_embeds_us_is_shown_what_it_asked_for(
    host: Host, seal: Callable[..., Callable[[], None]], tmp_path: Path, level: int, heard: list[str]
) -> None:
    host.shows(level)
    host.says()
    assert host.heard() == heard
    stop = seal()
    host.says()
    assert host.heard() == heard
    assert lines(tmp_path) == ["one info", "one warning"]
    stop()
    host.says()
    assert host.heard() == heard


def test_what_it_asks_for_by_a_loggers_name_counts_before_and_after(
    host: Host, seal: Callable[..., Callable[[], None]]
) -> None:
    host.shows(logging.WARNING)
    host.ours.setLevel(logging.ERROR)
    stop = seal()
    host.says()
    assert host.heard() == []
    host.part.setLevel(logging.DEBUG)
    host.says()
    assert host.heard() == ["one debug", "one info", "one warning"]
    host.part.setLevel(logging.NOTSET)
    host.ours.setLevel(logging.DEBUG)
    host.says()
    assert host.heard() == ["one debug", "one info", "one warning"]
    stop()
    assert host.ours.level == logging.DEBUG  # what somebody has set meanwhile stays


def test_two_systems_in_a_program_end_in_any_order(
    host: Host, seal: Callable[..., Callable[[], None]], tmp_path: Path
) -> None:
    host.shows(logging.WARNING)
    first, second = seal("first"), seal("second")
    host.says()
    first()
    host.says()
    assert lines(tmp_path, "first") == ["one info", "one warning"]
    assert lines(tmp_path, "second") == ["one info", "one warning"] * 2
    assert host.heard() == ["one warning"] * 2
    second()
    assert (host.ours.level, host.ours.propagate, host.ours.handlers) == (logging.NOTSET, True, [])
