"""The first and every other start, and the short help."""

from pathlib import Path

import pytest

from llmasos.shell import greeting
from tests.shell.test_views import shown


@pytest.mark.parametrize(
    ("variables", "spoken"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "en_GB.UTF-8"}, "en"),
        ({"LANG": "en_GB", "LC_ALL": ""}, "en"),
        ({}, "en"),
    ],
)
def test_language(variables: dict[str, str], spoken: str) -> None:
    assert greeting.language(variables) == spoken


def test_first_start_in_three_lines() -> None:
    assert shown(greeting.first(Path("/home/ada/work"), "en"), width=100).split("\n") == [
        "This is llmasos. Say what you want: a model on this machine does it, offline.",
        "Try  remind me to call Bob tomorrow at 9  or  write a haiku about autumn",
        "Your files are those in /home/ada/work. '?' helps, 'undo' takes back, Ctrl-D ends.",
    ]
    assert "明天早上九点提醒我给小雪打电话" in shown(greeting.first(Path("/home/ada"), "zh"))


def test_every_other_start_is_one_line() -> None:
    assert shown(greeting.again(Path("/home/ada/work"))) == "llmasos · files in /home/ada/work · '?' helps"


def test_recovery_code_says_what_it_is_for() -> None:
    told = shown(greeting.recovery("AAAA-BBBB"))
    assert told.startswith("Recovery code: AAAA-BBBB\nWrite it down: it opens your data if")


def test_help_has_eight_examples_and_fits_a_screen() -> None:
    told = shown(greeting.help_page()).split("\n")
    assert sum(line.startswith("  ") for line in told) == 8
    assert len(told) <= 16
    assert "system.help" in told[-1]
