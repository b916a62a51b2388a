"""What Tab offers."""

from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from llmasos.core.base.types import Call, Result
from llmasos.shell.completion import ShellCompleter, last_word
from tests.shell.stage import Stage, staged


@pytest.mark.parametrize(
    ("line", "text", "typed"),
    [
        ("files.read no", "no", 2),
        ("files.read ", "", 0),
        ('files.read "my no', "my no", 6),
        ('files.move "my notes.md" ar', "ar", 2),
        ('files.read path="my no', "path=my no", 11),
        ("show Ana's no", "no", 2),
        ("", "", 0),
    ],
)
def test_last_word(line: str, text: str, typed: int) -> None:
    word = last_word(line)
    assert (word.text, word.typed) == (text, typed)


def completer(stage: Stage, asked: list[str]) -> ShellCompleter:
    trap = stage.client.trap

    async def noted(call: Call, *, quiet: bool = False) -> Result:
        asked.append(call.syscall)
        return await trap(call, quiet=quiet)

    stage.client.trap = noted  # type: ignore[method-assign]
    return ShellCompleter(stage.client, {"history": "what was done", "help": "what can be said"})


async def offered(stage: Stage, line: str, *, tab: bool = True) -> list[str]:
    """The lines that the offers would make."""
    event = CompleteEvent(completion_requested=tab, text_inserted=not tab)
    found = completer(stage, []).get_completions_async(Document(line), event)
    return [line[: len(line) + c.start_position] + c.text async for c in found]


async def test_names_of_files_behind_a_native_command(files: Path) -> None:
    async with staged(files) as stage:
        assert await offered(stage, "!cat no") == ["!cat notes.md"]
        assert await offered(stage, "!cat x | sort my") == ['!cat x | sort "my notes/']
        assert await offered(stage, "!./no") == ["!./notes.md"]
        assert await offered(stage, "!hist") == []


@pytest.fixture
def files(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    (work / "my notes").mkdir(parents=True)
    (work / "my notes" / "a b.md").touch()
    (work / "notes.md").touch()
    (work / ".hidden").touch()
    (work / ".llmasos-trash").mkdir()
    (work / "out").symlink_to(tmp_path)
    return tmp_path


async def test_syscalls_and_the_shell_s_own_words(files: Path) -> None:
    async with staged(files) as stage:
        assert await offered(stage, "h") == ["history", "help", "system.help", "system.history"]
        assert await offered(stage, "device.") == ["device.list", "device.turn_on"]
        assert await offered(stage, "undo") == ["system.undo"]
        assert await offered(stage, "help tasks.a") == ["help tasks.add"]


async def test_arguments(files: Path) -> None:
    async with staged(files) as stage:
        assert await offered(stage, "tasks.add ") == ["tasks.add title=", "tasks.add priority="]
        assert await offered(stage, "tasks.add milk ") == [
            "tasks.add milk low",
            "tasks.add milk high",
            "tasks.add milk priority=",
        ]
        assert await offered(stage, "tasks.add priority=h") == ["tasks.add priority=high"]
        assert await offered(stage, "tasks.add priority=high ") == ["tasks.add priority=high title="]


async def test_names_of_things(files: Path) -> None:
    async with staged(files) as stage:
        assert await offered(stage, "device.turn_on s") == ['device.turn_on "study lamp"']
        assert await offered(stage, 'device.turn_on name="d') == ['device.turn_on name="desk lamp"']
        assert f"process.show {stage.process.pid}" in await offered(stage, "process.show ")


async def test_names_are_asked_for_once_a_word(files: Path) -> None:
    async with staged(files) as stage:
        asked: list[str] = []
        tab = completer(stage, asked)
        for line in ("device.turn_on d", "device.turn_on de"):
            event = CompleteEvent(completion_requested=True)
            assert [c async for c in tab.get_completions_async(Document(line), event)]
        assert asked == ["device.list"]


async def test_paths(files: Path) -> None:
    async with staged(files) as stage:
        assert await offered(stage, "files.read n") == ["files.read notes.md"]
        assert await offered(stage, "cat my") == ['cat "my notes/']
        assert await offered(stage, 'cat "my notes/') == ['cat "my notes/a b.md"']
        assert await offered(stage, "cd ") == ['cd "my notes/']
        assert await offered(stage, "cat .") == ["cat .hidden"]
        stage.session.cwd = "my notes"
        assert await offered(stage, "cat a") == ['cat "a b.md"']
        assert await offered(stage, "cat ../n") == ["cat ../notes.md"]


async def test_no_path_leads_out_of_the_workspace(files: Path) -> None:
    async with staged(files) as stage:
        for line in ("cat ../", "cat /etc/", "cat out/", "cat ../../"):
            assert await offered(stage, line) == []


async def test_sentences(files: Path) -> None:
    async with staged(files) as stage:
        assert await offered(stage, "show me ./no", tab=False) == ["show me ./notes.md"]
        assert await offered(stage, "show me no", tab=False) == []
        assert await offered(stage, "show me no") == ["show me notes.md"]


async def test_a_menu_opens_by_itself_only_for_written_calls(files: Path) -> None:
    async with staged(files) as stage:
        tab = completer(stage, [])
        assert tab.written("files.re")
        assert tab.written("files.read no")
        assert not tab.written("find my files")
        assert not tab.written("e.g. this")
