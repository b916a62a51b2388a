"""The person at the terminal, and the pipe without one."""

import asyncio
import io
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from llmasos.core.base.types import Call, Result
from llmasos.core.base.values import done, items, text
from llmasos.core.kernel.session import Consent, Lasting
from llmasos.shell.front import TerminalFront
from llmasos.shell.pipe_front import PipeFront
from tests.shell.stage import console, reading, staged

T = TypeVar("T")
MOVE = Call("files.move", {"source": "tax.pdf", "destination": "archive"})
SHOWN = {"source": "tax.pdf", "destination": "archive/tax.pdf"}


@pytest.fixture
def keys() -> Iterator[PipeInput]:
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        yield pipe


@pytest.fixture
def front() -> TerminalFront:
    return TerminalFront(console())


async def soon(work: Coroutine[Any, Any, T]) -> T:
    """A question that is never answered is a failure, not a test without end."""
    return await asyncio.wait_for(work, 10)


def seen(front: TerminalFront) -> str:
    return "\n".join(line.rstrip() for line in front.console.export_text().rstrip("\n").split("\n"))


async def test_call_then_result(front: TerminalFront) -> None:
    await front.before(MOVE, SHOWN, "write")
    await front.after(Result(MOVE, value=done("Moved tax.pdf to archive."), undoable=True))
    assert seen(front) == ("files.move  tax.pdf → archive/tax.pdf\n✓ Moved tax.pdf to archive.  'undo' takes it back")


RAN = Call("system.run", {"command": "make"})


def of_command(note: str = "") -> Result:
    return Result(RAN, value={**text("one\ntwo", source="system", note=note), "exit": 0})


async def test_a_command_is_what_was_typed_and_its_output_as_it_comes(front: TerminalFront) -> None:
    for pieces, note in ((("", "one\n", "two"), "exit code 2"), (("", "three\n"), ""), (("",), ""), (("", "four"), "")):
        await front.before(RAN, {"command": "make"}, "write")
        for piece in pieces:
            await front.written(piece)
        await front.after(of_command(note))
    assert [line for line in seen(front).split("\n") if line] == ["one", "two", "— exit code 2", "three", "four"]


async def test_a_pipe_gets_a_commands_bytes(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as out, (tmp_path / "err").open("w") as err:
        front = PipeFront(out=out, err=err)
        await front.before(RAN, {"command": "make"}, "write")
        for piece in ("", "caf\udce9 \x1b[1m", "ü\n"):
            await front.written(piece)
        await front.after(of_command("exit code 2"))
        await front.after(Result(RAN, error="EPERM", message="No."))
    assert (tmp_path / "out").read_bytes() == b"caf\xe9 \x1b[1m" + "ü\n".encode()
    assert (tmp_path / "err").read_text() == "exit code 2\nNo.\n"


async def test_a_program_is_numbered(front: TerminalFront) -> None:
    find = Call("files.find", {"query": "tax"})
    front.begin()
    front.understood(reading(find, MOVE))
    await front.after(Result(find, value=items("file", [{"ref": "tax.pdf"}], ["ref"])))
    await front.before(MOVE, SHOWN, "write")
    await front.after(Result(MOVE, error="EEXIST", message="It is there already. Choose another name."))
    assert seen(front).split("\n")[2:] == [
        "1  • tax.pdf",
        "2  files.move  tax.pdf → archive/tax.pdf",
        "2  ✗ It is there already.",
        "     Choose another name.",
    ]


async def test_streamed_words_are_shown_once(front: TerminalFront) -> None:
    for piece in ("Once up", "on a time."):
        await front.words(piece)
    await front.after(Result(Call("content.write"), value=text("Once upon a time.", source="model")))
    assert seen(front) == "Once upon a time.\n— model's words, may be wrong"


async def test_words_of_the_next_call_are_not_taken_for_shown(front: TerminalFront) -> None:
    await front.words("One.")
    await front.after(Result(Call("content.write"), value=text("One.", source="model")))
    await front.after(Result(Call("files.read"), value=text("Two.", source="system")))
    assert seen(front).endswith("\nTwo.")


async def test_consent(front: TerminalFront, keys: PipeInput) -> None:
    question = Consent(MOVE, SHOWN, "external", "ask-external", "user:ada")
    keys.send_text("what?\ny\n")
    assert await soon(front.consent(question)) == "once"
    assert seen(front).count("files.move") == 2  # the question and its key for the session
    await front.before(MOVE, SHOWN, "final")
    assert seen(front) == ""  # export cleared it; nothing is shown twice


@pytest.mark.parametrize(("typed", "answer"), [("\n", "no"), ("s\n", "session"), ("\x04", "no")])
async def test_consent_answers(front: TerminalFront, keys: PipeInput, typed: str, answer: str) -> None:
    keys.send_text(typed)
    assert await soon(front.consent(Consent(MOVE, SHOWN, "final", "r", "user:ada"))) == answer


async def test_consent_that_lasts(front: TerminalFront, keys: PipeInput) -> None:
    question = Consent(MOVE, SHOWN, "external", "r", "user:ada", pattern="files.move source=tax.pdf")
    keys.send_text("for ever\na device.*\na files.* source=tax*\n")
    assert await soon(front.consent(question)) == Lasting("files.* source=tax*")
    assert "Another pattern stands behind it" in seen(front)
    keys.send_text("1h\n")
    assert await soon(front.consent(question)) == Lasting("", 3600.0)


async def test_ctrl_c_at_a_question_ends_the_request(front: TerminalFront, keys: PipeInput) -> None:
    keys.send_text("\x03")
    with pytest.raises(asyncio.CancelledError):
        await soon(front.consent(Consent(MOVE, SHOWN, "final", "r", "user:ada")))


async def test_yes_beforehand_asks_nothing_and_says_so() -> None:
    front = TerminalFront(console(), yes=True)
    assert await front.consent(Consent(MOVE, SHOWN, "final", "r", "user:ada")) == "once"
    assert "--yes" in seen(front)


@pytest.mark.parametrize(("typed", "index"), [("2\n", 1), ("desk\n", 1), ("\n", None), ("lamp\n9\n1\n", 0)])
async def test_choose(front: TerminalFront, keys: PipeInput, typed: str, index: int | None) -> None:
    keys.send_text(typed)
    assert await soon(front.choose("Which lamp?", ["study lamp", "desk lamp"])) == index


@pytest.mark.parametrize(
    ("typed", "answer"), [("2\n", 1), ("no\n", 2), ("bin my notes\n", "bin my notes"), ("\n", None), ("9\n1\n", 0)]
)
async def test_explain(front: TerminalFront, keys: PipeInput, typed: str, answer: int | str | None) -> None:
    keys.send_text(typed)
    assert await soon(front.explain("Not sure:", ["files.delete path=notes", "files.list", "neither"])) == answer
    assert "in other words" in seen(front)


async def test_interrupted_says_what_was_done(front: TerminalFront) -> None:
    other = Call("device.turn_on", {"name": "lamp"})
    await front.before(MOVE, SHOWN, "write")
    await front.after(Result(MOVE, value=done("Moved."), undoable=True))
    await front.before(other, {"name": "study lamp"}, "external")
    seen(front)
    front.interrupted()
    assert seen(front) == (
        "Interrupted.\n"
        "Done before that:\n"
        "  ✓ files.move  tax.pdf → archive/tax.pdf  'undo' takes it back\n"
        "Stopped in the middle, look whether it was done:\n"
        "  ? device.turn_on  study lamp"
    )


async def test_in_the_kernel_a_no_is_a_refusal(front: TerminalFront, keys: PipeInput, tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.session.front = front
        keys.send_text("n\n")
        call = Call("device.turn_on", {"name": "heater"})
        result = await soon(stage.machine.kernel.trap(stage.process, stage.session, call))
        assert result.error == "EACCES"
        assert stage.things.lamps == []
        assert seen(front).endswith("✗ device.turn_on was not done: you said no.")


async def test_pipe_keeps_results_and_remarks_apart() -> None:
    out, err = io.StringIO(), io.StringIO()
    front = PipeFront(out=out, err=err)
    await front.before(MOVE, SHOWN, "write")
    await front.after(Result(MOVE, value=done("Moved tax.pdf to archive."), undoable=True))
    await front.words("Soup")
    await front.after(Result(Call("content.write"), value=text("Soup of stars.", source="model")))
    await front.after(Result(MOVE, error="ENOENT", message="There is no tax.pdf."))
    assert out.getvalue() == "Moved tax.pdf to archive.\nSoup of stars.\n"
    assert err.getvalue() == (
        "files.move  tax.pdf → archive/tax.pdf\nmodel's words, may be wrong\nThere is no tax.pdf.\n"
    )


async def test_pipe_answers_nothing_unless_yes() -> None:
    question = Consent(MOVE, SHOWN, "final", "r", "user:ada")
    assert await PipeFront().consent(question) is None
    assert await PipeFront(yes=True).consent(question) == "once"
    assert await PipeFront(yes=True).choose("Which?", ["a", "b"]) is None


async def test_pipe_leaves_bytes_alone_and_protects_a_terminal() -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    value = text("\x1b[31mred", source="file", ref="a")
    pipe, screen = io.StringIO(), Screen()
    await PipeFront(out=pipe, err=io.StringIO()).after(Result(Call("files.read"), value=value))
    await PipeFront(out=screen, err=io.StringIO()).after(Result(Call("files.read"), value=value))
    assert pipe.getvalue() == "\x1b[31mred\n"
    assert screen.getvalue() == "\ufffd[31mred\n"


async def test_a_secret_is_typed_unseen_and_nothing_is_none(front: TerminalFront, keys: PipeInput) -> None:
    keys.send_text("s3cret\r")
    assert await soon(front.secret("Password:")) == "s3cret"
    keys.send_text("\r")
    assert await soon(front.secret("User:", hidden=False)) is None
    assert "s3cret" not in seen(front)
    assert await PipeFront().secret("Password:") is None
