"""Calls written out and habits: what is a command, and what is a sentence."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmasos.core.base.errors import UsageError
from llmasos.core.base.types import Call
from llmasos.core.kernel.syscall import SyscallTable, syscall
from llmasos.services.interpreter import explicit
from llmasos.services.interpreter.explicit import habit, split, written_call


class Rooms:
    @syscall("files.read", effect="read")
    async def read(self, caller, path: str):
        """Show a file."""

    @syscall("device.set", effect="external")
    async def set(self, caller, name: str, value: str, setting: str | None = None):
        """Set something."""

    @syscall("model.classify", effect="read")
    async def classify(self, caller, *, task: str | None = None, text: str):
        """Classify."""

    @syscall("character.create", effect="write")
    async def create(self, caller, name: str, personality: str | None = None, role: str | None = None):
        """Create."""

    @syscall("room.go_on", effect="write")
    async def go_on(self, caller, turns: str = "3", room: str = "social"):
        """Go on."""

    @syscall("memory.remember", effect="write")
    async def remember(self, caller, text: str):
        """Remember."""

    @syscall("system.undo", effect="write")
    async def undo(self, caller):
        """Undo."""


TABLE = SyscallTable()
TABLE.add_service(Rooms())


@pytest.mark.parametrize(
    ("line", "args"),
    [
        ("files.read notes.md", {"path": "notes.md"}),
        ("files.read my tax notes.md", {"path": "my tax notes.md"}),
        ("files.read path=notes.md", {"path": "notes.md"}),
        ('files.read "a b.md"', {"path": "a b.md"}),
        ("files.read Ana's list", {"path": "Ana's list"}),
        ("files.read", {}),
        ("device.set lamp warm white", {"name": "lamp", "value": "warm white"}),
        ('device.set "kitchen light" 20%', {"name": "kitchen light", "value": "20%"}),
        ('model.classify visitors "Until when may we stay?"', {"task": "visitors", "text": "Until when may we stay?"}),
        ("model.classify visitors how much is it", {"task": "visitors", "text": "how much is it"}),
        ("model.classify hello", {"text": "hello"}),
        ("model.classify task=visitors how much is it", {"task": "visitors", "text": "how much is it"}),
        ("device.set lamp value=red setting=colour", {"name": "lamp", "value": "red", "setting": "colour"}),
        # What is quoted is an argument of its own, the optional ones in order too.
        ('character.create Edda "quiet, proud"', {"name": "Edda", "personality": "quiet, proud"}),
        ("character.create Edda 'quiet' \"a cook\"", {"name": "Edda", "personality": "quiet", "role": "a cook"}),
        ('character.create "Old Edda" quiet and proud', {"name": "Old Edda", "personality": "quiet and proud"}),
        (
            'character.create "Old Edda" so quiet "a cook"',
            {"name": "Old Edda", "personality": "so quiet", "role": "a cook"},
        ),
        ('character.create Edda "a cook" personality=shy', {"name": "Edda", "personality": "shy", "role": "a cook"}),
        ('character.create 阿岚 "温柔"', {"name": "阿岚", "personality": "温柔"}),
        ('device.set "study lamp" red "colour"', {"name": "study lamp", "value": "red", "setting": "colour"}),
        ('room.go_on 5 "the kitchen"', {"turns": "5", "room": "the kitchen"}),
        # Free text with a quote in it stays one text, and so does what has no place of its own.
        ("character.create Old Edda the Wise", {"name": "Old Edda the Wise"}),
        ('character.create Old Edda "the Wise"', {"name": "Old Edda the Wise"}),
        ('memory.remember Bram said "hello" to me', {"text": "Bram said hello to me"}),
        ('memory.remember Bram "the cook" is here', {"text": "Bram the cook is here"}),
        ('memory.remember "a" b "c"', {"text": "a b c"}),
        ('character.create a"b c"', {"name": "ab c"}),
        ('character.create Edda quiet"ly"', {"name": "Edda quietly"}),
    ],
)
def test_written_calls(line, args):
    assert written_call(line, TABLE) == (Call(line.split()[0], args),)


@pytest.mark.parametrize("line", ["read notes.md", "files.reed x", "what is files.read?", "", "e.g. this"])
def test_sentences_are_not_calls(line):
    assert written_call(line, TABLE) is None


def test_a_value_too_many_is_refused():
    with pytest.raises(UsageError, match="takes no 'now'"):
        written_call("system.undo now", TABLE)


@pytest.mark.parametrize("line", [f"fg {'9' * 5000}", "fg ²", "fg -1", f"undo {'9' * 5000}", "undo #", "fg 1234567890"])
def test_numbers_that_nothing_has_are_no_commands(line):
    assert habit(line, lambda path: True) is None


@given(st.text("ab '\"\\\n\té字=", max_size=20))
def test_words_are_split_as_a_shell_does(text):
    try:
        expected = shlex.split(text)
    except ValueError:
        expected = text.split()
    assert split(text) == expected


@pytest.mark.parametrize("piece", ["x", "'y'", '"z" ', "\\ ", '"\\\\"', "'"])
def test_a_long_line_is_split_in_no_time(piece, monkeypatch):
    """The work of shlex grows with the square of a word; what is counted here is steps, not seconds."""
    steps = 0

    class Counted:
        def match(self, text, at):
            nonlocal steps
            steps += 1
            return pieces.match(text, at)

    pieces = explicit._PIECE
    monkeypatch.setattr(explicit, "_PIECE", Counted())
    text = piece * 20_000
    assert split(text)
    assert steps <= 2 * 20_000 + 2


THERE = {"notes.md", "docs", "cats"}


@pytest.mark.parametrize(
    ("line", "calls"),
    [
        ("ls", [Call("files.list")]),
        ("ls -la docs", [Call("files.list", {"path": "docs"})]),
        ("cat notes.md", [Call("files.read", {"path": "notes.md"})]),
        ("rm a.txt b.txt", [Call("files.delete", {"path": "a.txt"}), Call("files.delete", {"path": "b.txt"})]),
        ("mv notes.md docs", [Call("files.move", {"source": "notes.md", "destination": "docs"})]),
        ("cp a.md b.md docs/", [Call("files.copy", {"source": x, "destination": "docs/"}) for x in ("a.md", "b.md")]),
        ("mkdir new", [Call("files.mkdir", {"path": "new"})]),
    ],
)
def test_habits(line, calls):
    assert habit(line, THERE.__contains__) == tuple(calls)


@pytest.mark.parametrize(
    "line", ["cat pictures from Rome", "ls is a nice command", "rm", "mv it somewhere else", "mkdir", "catalogue", ""]
)
def test_sentences_that_begin_like_a_command(line):
    assert habit(line, THERE.__contains__) is None


@pytest.mark.parametrize(
    "line", ["open guide", "Open the Guide", "launch guide", "start up the guide app", "open the guide."]
)
def test_an_app_is_opened_by_its_name(line):
    assert habit(line, THERE.__contains__, {"guide"}) == (Call("app.open", {"name": "guide"}),)


@pytest.mark.parametrize(
    "line", ["open the guide to Rome", "open docs", "open the blinds", "start a guide", "read the guide"]
)
def test_what_is_no_app_is_a_sentence(line):
    assert habit(line, THERE.__contains__, {"guide", "docs"}) is None
