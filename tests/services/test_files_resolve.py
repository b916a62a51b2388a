"""What people call their files, and which file that is."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from files_desk import Desk, open_desk

from llmasos.core.base.errors import SyscallError
from llmasos.services.files import cd, pwd
from llmasos.services.files.said import clean, loose, new_name, readings

TREE = (
    "notes/todo.md",
    "notes/Meeting Notes 2024.txt",
    "Downloads/setup.iso",
    "Downloads/photo.jpg",
    "Holiday_Photos/rome.jpg",
    "work/quarterly report.docx",
    "work/invoices/march.pdf",
    "报销/出差报销单.xlsx",
    "文档/会议纪要.txt",
    "résumé.pdf",
    "The Hobbit.txt",
    ".bashrc",
    "node_modules/left/report.js",
)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as desk:
        for path in TREE:
            desk.put(path, path)
        yield desk


async def resolved(desk: Desk, said: str) -> str:
    """What a path argument comes to, seen through a preview."""
    preview = desk.kernel.table["files.delete"].preview
    assert preview is not None
    return (await preview(desk.caller(), path=said))["path"]


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ("notes/todo.md", "notes/todo.md"),
        ("NOTES/Todo.MD", "notes/todo.md"),
        ("./notes//todo.md", "notes/todo.md"),
        ("work/../notes/todo.md", "notes/todo.md"),
        ("~/notes/todo.md", "notes/todo.md"),
        ('"notes/todo.md"', "notes/todo.md"),
        ("「文档」", "文档"),
        ("notes/", "notes"),
        ("my Downloads folder", "Downloads"),
        ("the downloads directory", "Downloads"),
        ("folder Downloads", "Downloads"),
        ("the folder called downloads", "Downloads"),
        ("Holiday Photos", "Holiday_Photos"),
        ("the holiday photos folder", "Holiday_Photos"),
        ("the report", "work/quarterly report.docx"),
        ("quarterly report", "work/quarterly report.docx"),
        ("report.docx", "work/quarterly report.docx"),
        ("invoices", "work/invoices"),
        ("invoices/march", "work/invoices/march.pdf"),
        ("todo", "notes/todo.md"),
        ("the todo file", "notes/todo.md"),
        ("the todo files", "notes/todo.md"),
        ("meeting notes", "notes/Meeting Notes 2024.txt"),
        ("notes 2024", "notes/Meeting Notes 2024.txt"),
        ("resume.pdf", ""),
        ("résumé", "résumé.pdf"),
        ("re\u0301sume\u0301.pdf", "résumé.pdf"),
        ("the hobbit", "The Hobbit.txt"),
        ("报销文件夹", "报销"),
        ("我的报销文件夹", "报销"),
        ("报销单", "报销/出差报销单.xlsx"),
        ("会议纪要", "文档/会议纪要.txt"),
        ("那份会议纪要文件", "文档/会议纪要.txt"),
        (".bashrc", ".bashrc"),
        ("left/report.js", ""),
        ("march folder", ""),
        ("x", ""),
    ],
)
async def test_names(desk: Desk, said: str, path: str) -> None:
    if path:
        assert await resolved(desk, said) == path
        assert desk.person.asked == []
    else:
        with pytest.raises(SyscallError) as caught:
            await resolved(desk, said)
        assert caught.value.code == "ENOENT"


async def test_several_are_a_question_that_is_asked_once(desk: Desk) -> None:
    desk.put("old/todo.md", "old")
    desk.person.answers = ["old/todo.md"]
    await desk.ok("files.delete", path="todo")
    assert desk.person.asked == [("Which 'todo' do you mean?", ["notes/todo.md", "old/todo.md"])]
    assert not (desk.top / "old/todo.md").exists()
    result = await desk.do("files.read", path="jpg")
    assert result.error == "EAMBIG" and "photo.jpg" in result.message and "rome.jpg" in result.message


async def test_case_alone_can_be_a_question(desk: Desk) -> None:
    desk.put("README.md")
    desk.put("Readme.md")
    if len(list(desk.top.glob("[Rr]*.md"))) < 2:
        pytest.skip("this file system doesn't tell case")
    assert await resolved(desk, "README.md") == "README.md"
    assert await desk.error("files.read", path="readme.md") == "EAMBIG"
    result = await desk.do("files.write", path="readme.md", content="x")
    assert result.error == "EAMBIG"


async def test_the_nearest_name_is_suggested_and_not_taken(desk: Desk) -> None:
    result = await desk.do("files.delete", path="quaterly reprot")
    assert result.error == "ENOENT" and "Did you mean work/quarterly report.docx?" in result.message
    result = await desk.do("files.list", path="Downlods folder")
    assert "Did you mean Downloads?" in result.message


async def test_what_was_shown_is_what_runs(desk: Desk) -> None:
    """Between preview and run a better match appears; consent was given for the first."""
    desk.person.answers = []

    async def before(call: object, shown: object, effect: object) -> None:
        desk.put("todo", "a better match")

    desk.person.before = before  # type: ignore[method-assign, assignment]
    await desk.ok("files.delete", path="todo")
    assert (desk.top / "todo").exists() and not (desk.top / "notes/todo.md").exists()


async def test_links_inside_are_used(desk: Desk) -> None:
    (desk.top / "latest").symlink_to("notes")
    (desk.top / "loop").symlink_to("loop")
    assert (await desk.ok("files.read", path="latest/todo.md"))["ref"] == "notes/todo.md"
    await desk.ok("files.write", path="latest/new.md", content="x")
    assert (desk.top / "notes/new.md").exists()
    assert await desk.error("files.read", path="loop") in ("EACCES", "ENOENT")


async def test_a_mistyped_folder_on_the_way_is_a_new_one_and_shown(desk: Desk) -> None:
    await desk.ok("files.write", path="the work folder/Invoices/april.txt", content="x")
    assert desk.person.shown[-1]["path"] == "work/invoices/april.txt"


async def test_absolute_paths_inside(desk: Desk) -> None:
    assert (await desk.ok("files.read", path=f"{desk.top}/notes/todo.md"))["ref"] == "notes/todo.md"


def test_cd_and_pwd(desk: Desk) -> None:
    session = desk.session
    assert pwd(session) == str(desk.top)
    assert cd(session, "my Work folder") == "work" == session.cwd
    assert cd(session, "invoices") == "work/invoices" and pwd(session) == f"{desk.top}/work/invoices"
    assert cd(session, "..") == "work"
    assert cd(session, "-") == "work/invoices"
    assert cd(session, "报销文件夹") == "报销"
    assert cd(session) == "" and cd(session, "-") == "报销" and cd(session, "~") == ""
    for said, code in (
        ("..", "EACCES"),
        ("/etc", "EACCES"),
        ("nowhere", "ENOENT"),
        ("notes/todo.md", "ENOTDIR"),
    ):
        with pytest.raises(SyscallError) as caught:
            cd(session, said)
        assert caught.value.code == code and session.cwd == ""


async def test_the_current_folder_comes_first(desk: Desk) -> None:
    desk.put("todo.md", "top")
    cd(desk.session, "notes")
    assert (await desk.ok("files.read", path="todo.md"))["text"] == "notes/todo.md"
    assert (await desk.ok("files.read", path="../todo.md"))["text"] == "top"
    assert (await desk.ok("files.read", path="The Hobbit.txt"))["text"] == "The Hobbit.txt"  # the top is second
    await desk.ok("files.write", path="new.md", content="x")
    assert (desk.top / "notes/new.md").exists()
    assert await desk.refs("files.list") == [f"~/notes/{n}" for n in ("Meeting Notes 2024.txt", "new.md", "todo.md")]
    (desk.top / "notes").rename(desk.top / "elsewhere")
    assert "~" not in "".join(await desk.refs("files.list"))  # gone: the top again


def test_readings_of_a_word_that_is_only_folder() -> None:
    assert [r.text for r in readings("folder")] == ["folder"]
    assert new_name("新文件夹", folder=True) == "新文件夹"
    assert new_name("my folder", folder=True) == "my"


def test_new_names() -> None:
    assert new_name("my shopping list") == "shopping list"
    assert new_name("The Hobbit") == "The Hobbit"
    assert new_name("a day in paris.txt") == "a day in paris.txt"
    assert new_name("the work folder", folder=True) == "work"
    assert new_name("Cafe\u0301") == "Café"


def test_clean_and_loose() -> None:
    assert clean("  “my file”  ") == "my file"
    assert loose("Holiday_Photos-2024.JPG") == "holiday photos 2024 jpg"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_a_folder_that_may_not_be_read(desk: Desk) -> None:
    (desk.top / "work").chmod(0)
    try:
        assert await desk.error("files.list", path="work") == "EACCES"
        assert await desk.ok("files.find", query="todo")
    finally:
        (desk.top / "work").chmod(0o755)
