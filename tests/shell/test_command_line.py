"""What stands where a command should: a sentence is one, anything else is told apart from it."""

from __future__ import annotations

import pytest

from llmasos.cli import _parsed, main
from llmasos.services.interpreter.explicit import split


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["remind me to eat at nine"], "remind me to eat at nine"),
        (["--yes", "what time is it"], "what time is it"),
        (["--home", "some folder", "现在几点"], "现在几点"),
        (["-c", "ps"], "ps"),
    ],
)
def test_a_sentence_alone_is_done(argv: list[str], sentence: str) -> None:
    options = _parsed(argv)
    assert (options.sentence, options.command) == (sentence, None)


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["files.read", "my notes.md"], "files.read 'my notes.md'"),
        (["--yes", "model.generate", "bookings", "Two of us, it's late.", "--json"], None),
        (["system.status"], "system.status"),
    ],
)
def test_a_call_is_made_as_it_is_written(argv: list[str], sentence: str | None) -> None:
    options = _parsed(argv)
    assert options.command is None
    if sentence:
        assert options.sentence == sentence
    else:
        assert split(options.sentence) == ["model.generate", "bookings", "Two of us, it's late."]
        assert options.yes and options.output == "json"


def test_commands_stay_commands() -> None:
    assert _parsed(["undo", "3"]).command == "undo"
    assert _parsed(["interpret", "what time is it"]).sentence_ == "what time is it"


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["modle", "list"], ["no command 'modle'", "mean 'model'", "--help"]),
        (["hello"], ["no command 'hello'", "llmasos -c hello", "--help"]),
        (["what time", "is it"], ["no command 'what time'", "llmasos -c 'what time'"]),
    ],
)
def test_another_word_is_named(argv: list[str], says: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    told = capsys.readouterr().err
    assert [words for words in says if words not in told] == []
