"""Keys pressed while nobody asked."""

import os
import sys
import termios
from collections.abc import Iterator

import pytest

from llmasos.shell import keyboard


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """Both ends of a terminal that is our stdin."""
    far, near = os.openpty()
    with os.fdopen(near, closefd=False) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield far, near
    os.close(far)
    os.close(near)


def echoes(near: int) -> bool:
    return bool(termios.tcgetattr(near)[3] & termios.ECHO)


def test_keys_do_not_show_meanwhile(terminal: tuple[int, int]) -> None:
    _, near = terminal
    with pytest.raises(KeyError), keyboard.unechoed():
        assert not echoes(near)
        raise KeyError
    assert echoes(near)


def test_keys_pressed_before_are_forgotten(terminal: tuple[int, int]) -> None:
    far, near = terminal
    os.write(far, b"y\n")
    keyboard.forget_typed()
    os.write(far, b"n\n")
    assert os.read(near, 10) == b"n\n"


def test_without_a_terminal_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with keyboard.unechoed():
        keyboard.forget_typed()
