"""files.* as a person uses it: what comes, what is shown before, what is said after."""

import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from files_desk import Desk, open_desk

from llmasos.core.base.types import Call
from llmasos.services.files import changes, seal


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as desk:
        yield desk


def test_the_catalogue(desk: Desk) -> None:
    wanted = {
        "files.list": ("read", ["path"], []),
        "files.find": ("read", ["query", "path", "when"], ["query"]),
        "files.read": ("read", ["path"], ["path"]),
        "files.write": ("write", ["path", "content"], ["path", "content"]),
        "files.append": ("write", ["path", "content"], ["path", "content"]),
        "files.copy": ("write", ["source", "destination"], ["source", "destination"]),
        "files.move": ("write", ["source", "destination"], ["source", "destination"]),
        "files.delete": ("destroy", ["path"], ["path"]),
        "files.mkdir": ("write", ["path"], ["path"]),
        "files.summarize": ("read", ["path"], ["path"]),
    }
    table = desk.kernel.table
    assert {row.name for row in table} == set(wanted)
    for row in table:
        effect, names, required = wanted[row.name]
        assert (row.effect, [a.name for a in row.arguments]) == (effect, names)
        assert [a.name for a in row.arguments if a.required] == required
        assert row.summary and len(row.examples) >= 3 and all(a.description for a in row.arguments)
        assert row.preview is not None or effect == "read"
        for argument in row.arguments:
            assert argument.kind == ("path" if argument.name in ("path", "source", "destination") else "")


async def test_list(desk: Desk) -> None:
    for name in ("page 10.txt", "page 2.txt", ".secret", "b/x.txt", "A/y.txt", "报销/一月.xlsx"):
        desk.put(name, "12345")
    value = await desk.ok("files.list")
    assert [row["name"] for row in value["items"]] == ["A/", "b/", "报销/", "page 2.txt", "page 10.txt"]
    assert value["columns"] == ["name", "size", "modified"]
    assert value["items"][3]["size"] == "5 B" and value["items"][3]["ref"] == "page 2.txt"
    assert value["note"] == "1 hidden is left out."
    assert await desk.refs("files.list", path="报销文件夹") == ["报销/一月.xlsx"]
    assert await desk.refs("files.list", path="page 2.txt") == ["page 2.txt"]


async def test_list_empty_says_so(desk: Desk) -> None:
    assert (await desk.ok("files.list"))["empty"] == "The workspace is empty."


async def test_read(desk: Desk) -> None:
    desk.put("notes/todo.md", "# Todo\n\nbuy milk")
    value = await desk.ok("files.read", path="notes/todo.md")
    assert value["type"] == "text" and value["text"] == "# Todo\n\nbuy milk"
    assert (value["source"], value["ref"], value["format"]) == ("file", "notes/todo.md", "markdown")
    assert await desk.refs("files.read", path="notes") == ["notes/todo.md"]
    assert await desk.error("files.read", path="nothing here at all") == "ENOENT"


@pytest.mark.parametrize(
    ("words", "encoding"),
    [
        ("naïve café, déjà vu", "utf-8"),
        ("naïve café, déjà vu", "latin-1"),
        ("今天开会讨论了预算，明天交报告。", "utf-8-sig"),
        ("今天开会讨论了预算，明天交报告。", "gb18030"),
        ("今天开会 minutes", "utf-16"),
        ("plain words in a row", "utf-16-le"),
        ("plain words in a row", "utf-16-be"),
        ("", "utf-8"),
    ],
)
async def test_read_any_encoding(desk: Desk, words: str, encoding: str) -> None:
    desk.put("text.txt", words.encode(encoding))
    assert (await desk.ok("files.read", path="text.txt"))["text"] == words


async def test_read_a_large_file_from_its_beginning(desk: Desk) -> None:
    desk.put("large.txt", "字" * 200_000)  # 600 KB; the limit falls into the middle of a character
    value = await desk.ok("files.read", path="large.txt")
    assert 87_000 < len(value["text"]) < 88_000 and set(value["text"]) == {"字"}
    assert value["note"] == "The first 262 KB of 600 KB are shown."


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.pdf", b"%PDF-1.7\n\x00\x01", "a PDF document of 11 B"),
        ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(50), "a PNG picture of 58 B"),
        ("a.docx", b"PK\x03\x04" + bytes(50), "a Word document"),
        ("a.bin", bytes(range(256)) * 20, "a binary file"),
    ],
)
async def test_read_refuses_binary_and_says_what_it_is(desk: Desk, name: str, data: bytes, said: str) -> None:
    desk.put(name, data)
    result = await desk.do("files.read", path=name)
    assert result.error == "EILSEQ" and said in result.message
    assert await desk.error("files.append", path=name, content="words") == "EILSEQ"
    assert (desk.top / name).read_bytes() == data


async def test_write_and_undo(desk: Desk) -> None:
    value = await desk.ok("files.write", path="plans/2026/trip.md", content="Lisbon")
    assert value["ref"] == "plans/2026/trip.md" and desk.person.shown[-1]["path"] == "plans/2026/trip.md"
    assert desk.tree() == {"plans": None, "plans/2026": None, "plans/2026/trip.md": b"Lisbon"}
    assert "was new" in await desk.undo()
    assert desk.tree() == {}


async def test_overwrite_keeps_mode_and_undo_brings_all_back(desk: Desk) -> None:
    file = desk.put("run.sh", "echo old", age=5000)
    file.chmod(0o750)
    before = file.stat()
    await desk.ok("files.write", path="run.sh", content="echo new")
    assert file.read_text() == "echo new" and stat.S_IMODE(file.stat().st_mode) == 0o750
    await desk.undo()
    after = file.stat()
    assert file.read_text() == "echo old"
    assert (after.st_mode, after.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)
    assert desk.tree() == {"run.sh": b"echo old"}  # no temporary files


async def test_write_the_same_again_is_no_change(desk: Desk) -> None:
    desk.put("a.txt", "same")
    result = await desk.do("files.write", path="a.txt", content="same")
    assert result.ok and not result.undoable


async def test_write_finds_the_file_in_another_case(desk: Desk) -> None:
    desk.put("Notes.txt", "old")
    await desk.ok("files.write", path="notes.txt", content="new")
    assert desk.tree() == {"Notes.txt": b"new"}


async def test_titles_are_names(desk: Desk) -> None:
    await desk.ok("files.write", path="my shopping list", content="eggs")
    await desk.ok("files.write", path="The Hobbit", content="a hole")
    await desk.ok("files.write", path='"购物清单"', content="鸡蛋")
    assert sorted(desk.tree()) == ["The Hobbit", "shopping list", "购物清单"]


async def test_write_refusals(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.put("folder/x")
    desk.put("locked.txt").chmod(0o444)
    assert await desk.error("files.write", path="folder", content="x") == "EISDIR"
    assert await desk.error("files.write", path="folder/x/y", content="x") == "ENOTDIR"
    assert await desk.error("files.write", path="locked.txt", content="x") == "EACCES"
    monkeypatch.setattr(changes, "LIMIT", 10)
    assert await desk.error("files.write", path="large", content="x" * 11) == "E2BIG"
    monkeypatch.setattr(seal, "LIMIT", 10)
    desk.put("kept", "x" * 11)
    assert await desk.error("files.write", path="kept", content="y") == "E2BIG"


async def test_append(desk: Desk) -> None:
    desk.put("groceries.txt", "eggs\n", age=100)
    stamp = (desk.top / "groceries.txt").stat().st_mtime_ns
    await desk.ok("files.append", path="groceries", content="milk")
    assert (desk.top / "groceries.txt").read_text() == "eggs\nmilk\n"
    await desk.undo()
    assert (desk.top / "groceries.txt").read_text() == "eggs\n"
    assert (desk.top / "groceries.txt").stat().st_mtime_ns == stamp


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"eggs", b"eggs\nmilk"),
        (b"eggs\r\nbread\r\n", b"eggs\r\nbread\r\nmilk\r\n"),
        (b"", b"milk"),
        ("蛋\n".encode("gb18030") * 9, "蛋\n".encode("gb18030") * 9 + b"milk\n"),
        ("a\n".encode("utf-16"), "a\nmilk\n".encode("utf-16")),
        (b"\xef\xbb\xbfa\n", b"\xef\xbb\xbfa\nmilk\n"),
    ],
)
async def test_append_as_the_file_is_written(desk: Desk, before: bytes, after: bytes) -> None:
    file = desk.put("list", before)
    await desk.ok("files.append", path="list", content="milk")
    assert file.read_bytes() == after
    await desk.undo()
    assert file.read_bytes() == before


async def test_append_what_the_encoding_lacks(desk: Desk) -> None:
    desk.put("old.txt", "café\n".encode("latin-1"))
    result = await desk.do("files.append", path="old.txt", content="咖啡")
    assert result.error == "EILSEQ" and "latin-1" in result.message


async def test_append_makes_the_file(desk: Desk) -> None:
    await desk.ok("files.append", path="log/today.md", content="began")
    assert desk.tree() == {"log": None, "log/today.md": b"began"}
    await desk.undo()
    assert desk.tree() == {}


async def test_copy_and_undo(desk: Desk) -> None:
    source = desk.put("album/cover.png", b"\x89PNG", age=999)
    source.chmod(0o640)
    value = await desk.ok("files.copy", source="album", destination="backup folder")
    assert value["ref"] == "backup/album"
    assert desk.person.shown[-1] == {"source": "album", "destination": "backup/album"}
    copy = desk.top / "backup/album/cover.png"
    assert copy.read_bytes() == b"\x89PNG" and copy.stat().st_mtime_ns == source.stat().st_mtime_ns
    assert stat.S_IMODE(copy.stat().st_mode) == 0o640
    await desk.undo()
    assert sorted(desk.tree()) == ["album", "album/cover.png"]


async def test_move_and_undo(desk: Desk) -> None:
    file = desk.put("tax 2023.pdf", b"%PDF", age=999)
    stamp = file.stat().st_mtime_ns
    (desk.top / "archive").mkdir()
    value = await desk.ok("files.move", source="tax 2023.pdf", destination="Archive")
    assert desk.person.shown[-1] == {"source": "tax 2023.pdf", "destination": "archive/tax 2023.pdf"}
    assert value["ref"] == "archive/tax 2023.pdf"
    await desk.undo()
    assert desk.tree() == {"archive": None, "tax 2023.pdf": b"%PDF"}
    assert file.stat().st_mtime_ns == stamp


@pytest.mark.parametrize(
    ("said", "becomes"),
    [
        ("final.txt", "final.txt"),
        ("old/2023/a.txt", "old/2023/a.txt"),
        ("new place/", "new place/draft.txt"),
        ("the letters folder", "letters/draft.txt"),
        ("信件文件夹", "信件/draft.txt"),
        ("photos", "media/Photos/draft.txt"),
        ("Draft.txt", "Draft.txt"),
        ("~", "draft.txt"),
    ],
)
async def test_where_it_goes(desk: Desk, said: str, becomes: str) -> None:
    desk.put("in/draft.txt" if said == "~" else "draft.txt", "words")
    (desk.top / "media/Photos").mkdir(parents=True)
    await desk.ok("files.move", source="draft", destination=said)
    assert [name for name, data in desk.tree().items() if data] == [becomes]
    await desk.undo()
    assert [name for name, data in desk.tree().items() if data] == ["in/draft.txt" if said == "~" else "draft.txt"]


async def test_nothing_is_overwritten(desk: Desk) -> None:
    for name in ("a.txt", "b.txt", "box/a.txt"):
        desk.put(name, name)
    before = desk.tree()
    for verb in ("files.copy", "files.move"):
        assert await desk.error(verb, source="a.txt", destination="b.txt") == "EEXIST"
        assert await desk.error(verb, source="a.txt", destination="box") == "EEXIST"
        assert await desk.error(verb, source="a.txt", destination="a.txt") == "EEXIST"
        assert await desk.error(verb, source="box", destination="box/inner") == "EINVAL"
        assert await desk.error(verb, source="~", destination="elsewhere") == "EACCES"
    assert await desk.error("files.mkdir", path="box") == "EEXIST"
    assert desk.tree() == before


async def test_delete_and_undo(desk: Desk) -> None:
    file = desk.put("trips/rome/plan.md", "see everything", age=77)
    file.chmod(0o600)
    (desk.top / "trips/link").symlink_to("rome/plan.md")
    (desk.top / "trips/empty").mkdir(mode=0o711)
    before = {p: (desk.top / p).lstat() for p in desk.tree()}
    tree = desk.tree()
    await desk.ok("files.delete", path="trips")
    assert desk.tree() == {}
    sealed = b"".join(p.read_bytes() for p in desk.home.rglob("*") if p.is_file())
    assert b"see everything" not in sealed and b"plan.md" not in sealed
    await desk.undo()
    assert desk.tree() == tree
    for path, status in before.items():
        now = (desk.top / path).lstat()
        assert (now.st_mode, now.st_mtime_ns) == (status.st_mode, status.st_mtime_ns), path


async def test_delete_what_is_too_large_to_seal(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "LIMIT", 100)
    desk.put("film.mp4", b"x" * 200)
    value = await desk.ok("files.delete", path="film")
    assert ".llmasos-trash" in value["note"] and not (desk.top / "film.mp4").exists()
    assert [data for name, data in desk.tree().items() if name.endswith("film.mp4")] == [b"x" * 200]
    assert await desk.refs("files.list") == []
    await desk.undo()
    assert desk.tree() == {"film.mp4": b"x" * 200}


async def test_delete_a_link_and_not_its_target(desk: Desk) -> None:
    desk.put("real.txt", "words")
    (desk.top / "link.txt").symlink_to("real.txt")
    assert (await desk.ok("files.read", path="link.txt"))["text"] == "words"
    await desk.ok("files.delete", path="link.txt")
    assert desk.tree() == {"real.txt": b"words"}
    await desk.undo()
    assert (desk.top / "link.txt").is_symlink()


async def test_mkdir_and_undo(desk: Desk) -> None:
    value = await desk.ok("files.mkdir", path="projects/boat folder")
    assert value["ref"] == "projects/boat" and desk.person.shown[-1] == {"path": "projects/boat"}
    await desk.undo()
    assert desk.tree() == {}
    await desk.ok("files.mkdir", path="报销文件夹")
    assert desk.tree() == {"报销": None}


async def test_undo_one_after_the_other(desk: Desk) -> None:
    await desk.ok("files.write", path="a.txt", content="one")
    await desk.ok("files.append", path="a.txt", content="two")
    await desk.ok("files.move", source="a.txt", destination="b/c.txt")
    await desk.ok("files.copy", source="b/c.txt", destination="d.txt")
    await desk.ok("files.delete", path="b")
    assert desk.tree() == {"d.txt": b"one\ntwo"}
    for _ in range(4):
        await desk.undo()
    assert desk.tree() == {"a.txt": b"one"}
    await desk.undo()
    assert desk.tree() == {}


async def test_a_program_goes_on_with_what_was_found(desk: Desk) -> None:
    desk.put("documents/tax 2023.pdf", b"%PDF")
    desk.put("documents/tax notes.md", "about tax")
    (desk.top / "archive").mkdir()
    move = Call("files.move", {"source": "$1", "destination": "archive"}, frozenset({"source"}))
    results = await desk.run(Call("files.find", {"query": "tax pdf"}), move)
    assert [r.ok for r in results] == [True, True]
    assert (desk.top / "archive/tax 2023.pdf").exists()


async def test_results_name_their_files_in_any_current_folder(desk: Desk) -> None:
    desk.put("todo.md", "top")
    desk.put("notes/todo.md", "notes")
    desk.session.cwd = "notes"
    assert await desk.refs("files.find", query="todo", path="~") == ["~/notes/todo.md", "~/todo.md"]
    assert (await desk.ok("files.read", path="~/todo.md"))["text"] == "top"
    assert (await desk.ok("files.read", path="todo.md"))["text"] == "notes"


async def test_summarize(desk: Desk) -> None:
    desk.put("letter.md", "# The roof\n\n" + " ".join(f"The roof needs repair number {n}." for n in range(30)))
    value = await desk.ok("files.summarize", path="letter")
    assert value["text"].startswith("The roof\n\n") and value["text"].count(".") <= 5
    assert (value["source"], value["ref"]) == ("file", "letter.md")
    (desk.top / "box").mkdir()
    assert await desk.error("files.summarize", path="box") == "EISDIR"


async def test_names_in_either_unicode_form(desk: Desk) -> None:
    decomposed = unicodedata.normalize("NFD", "Café übersicht.txt")
    desk.put(decomposed, "menu")
    assert (await desk.ok("files.read", path=unicodedata.normalize("NFC", "café übersicht.txt")))["text"] == "menu"
    await desk.ok("files.write", path=unicodedata.normalize("NFC", "Café übersicht.txt"), content="new menu")
    assert desk.tree() == {decomposed: b"new menu"}
