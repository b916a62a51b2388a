"""What a person sees, character by character, at width 80."""

import re
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import RenderableType

from llmasos.core.base.errors import SyscallError
from llmasos.core.base.types import Call, Result
from llmasos.core.base.values import done, items, record, text
from llmasos.shell import lines, views
from tests.shell.stage import console, reading

FILES = [
    {"ref": "taxes/tax 2023.pdf", "name": "tax 2023.pdf", "folder": "taxes", "size": 48213, "note": ""},
    {"ref": "报税/2023 年税单.pdf", "name": "2023 年税单.pdf", "folder": "报税", "size": 1200, "note": ""},
]


def shown(what: RenderableType, width: int = 80) -> str:
    screen = console(width)
    screen.print(what)
    return "\n".join(line.rstrip() for line in screen.export_text().split("\n")).strip("\n")


def of(value: Any, *, width: int = 80, **options: Any) -> str:
    return shown(views.value(value, **options), width)


def test_items_are_a_table_with_the_columns_that_something_is_in() -> None:
    assert of(items("file", FILES, ["name", "folder", "size", "note"])) == (
        "name             folder   size\n"
        "──────────────────────────────\n"
        "tax 2023.pdf     taxes   48213\n"
        "2023 年税单.pdf  报税     1200"
    )


def test_one_column_is_a_list() -> None:
    rows = [{"ref": "milk", "title": "milk"}, {"ref": "bread", "title": "bread and butter"}]
    assert of(items("task", rows, ["title"])) == "• milk\n• bread and butter"


def test_no_items() -> None:
    assert of(items("task", [], ["title"], empty="Nothing to do.")) == "Nothing to do."
    assert of(items("task", [], ["title"])) == "Nothing."


def test_where_a_table_is_too_wide_each_row_is_a_block() -> None:
    row = {"ref": "1", "name": "tax 2023.pdf", "folder": "a folder with a long name", "changed": "Sun 23 Nov"}
    assert of(items("file", [row], ["name", "folder", "changed"]), width=30) == (
        "tax 2023.pdf\n  folder a folder with a long\n  name\n  changed Sun 23 Nov"
    )


def test_many_rows_are_counted_and_cut() -> None:
    rows = [{"ref": str(n), "n": n} for n in range(250)]
    told = of(items("number", rows, ["n"]))
    assert told.endswith("• 199\n50 more, not shown")
    assert of(items("number", rows[:12], ["n"])).endswith("• 11\n12 in all")


def test_text_says_where_it_is_from() -> None:
    assert of(text("Buy milk.\n", source="file", ref="notes.md")) == "Buy milk.\n— notes.md"
    assert of(text("Soup of stars.", source="model")) == "Soup of stars.\n— model's words, may be wrong"
    assert of(text("I'm Edda.", source="character")) == "I'm Edda.\n— a character's words, made by the model"
    assert of(text("I'm Edda.", source="rule")) == "I'm Edda.\n— a character's words, made by a rule"
    assert of(text("It's noon.", source="system")) == "It's noon."
    titled = text("12", source="plugin", title="15% of 80", note="exact")
    assert of(titled) == "15% of 80\n12\n— from a plugin · exact"


def test_streamed_text_is_not_shown_twice() -> None:
    assert of(text("Soup of stars.", source="model"), streamed=True) == "— model's words, may be wrong"


def test_markdown_shows_where_a_link_leads() -> None:
    told = of(text("# Head\n\n- one [here](http://evil.example)\n", source="model", format="markdown"))
    assert "• one here (http://evil.example)" in told


def test_record_is_a_panel() -> None:
    assert of(record("Process 4", {"name": "Alice", "tokens": 12, "busy": True, "owner": None})) == (
        "╭─ Process 4 ───╮\n│ name    Alice │\n│ tokens  12    │\n│ busy    yes   │\n╰───────────────╯"
    )


def test_done_is_one_line_with_the_way_back() -> None:
    assert of(done("Moved a to b."), undoable=True) == "✓ Moved a to b.  'undo' takes it back"
    assert of(done("Killed process 4.", note="It was busy.")) == "✓ Killed process 4.\n  It was busy."


def test_the_way_back_is_not_broken() -> None:
    told = of(done("Planned 'call Bob' for Sun 22 Nov 2026 02:50 Europe/Berlin, with a bell."), undoable=True)
    assert told.split("\n")[1] == "  'undo' takes it back"


def test_a_long_line_goes_on_under_itself() -> None:
    told = of(done("Moved " + "very " * 20 + "far."))
    assert [line[:2] for line in told.split("\n")] == ["✓ ", "  "]


def test_error_is_what_and_remedy() -> None:
    error = SyscallError("ENOENT", "There is no file 'a. b.txt'.", "Did you mean c.txt?")
    expected = "✗ There is no file 'a. b.txt'.\n  Did you mean c.txt?"
    assert shown(views.error(error)) == expected
    assert shown(views.result(Result(Call("files.read"), error="ENOENT", message=str(error)))) == expected
    assert shown(views.failure("Only this")) == "✗ Only this"


def test_calls_of_a_program_are_numbered() -> None:
    result = Result(Call("files.move"), value=done("Moved a to b."), undoable=True)
    assert shown(views.result(result, number=2)) == "2  ✓ Moved a to b.  'undo' takes it back"
    table = Result(Call("files.find"), value=items("file", FILES, ["name", "size"]))
    assert shown(views.result(table, number=1)).split("\n")[2] == "   tax 2023.pdf     48213"


def test_what_has_no_shape_is_shown_all_the_same() -> None:
    assert of("just words") == "just words"
    assert of(None) == ""
    assert "a  1, x: yes" in of({"a": [1, {"x": True}]})


@pytest.mark.parametrize("width", [12, 20, 40, 80])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    values = [
        items("file", FILES, ["name", "folder", "size"]),
        record("报税", {"很长的名字": "2023 年税单在报税文件夹里面", "b": "x" * 90}),
        text("明天早上九点提醒我 " * 8, source="model"),
        done("已移动 2023 年税单.pdf 到 报税", note="x" * 50),
    ]
    for value in values:
        assert all(cell_len(line) <= width for line in of(value, width=width, undoable=True).split("\n"))


def test_nothing_in_a_value_steers_the_terminal() -> None:
    evil = "\x1b]0;owned\x07\x1b[2J"
    values = [
        items("file", [{"ref": evil, "name": evil}], ["name", evil], empty=evil),
        items("file", [], ["name"], empty=evil),
        text(evil, source="file", ref=evil, title=evil, note=evil),
        text(evil, source="model", format="markdown"),
        record(evil, {evil: evil}),
        done(evil, note=evil),
        evil,
        {evil: [evil]},
    ]
    for value in values:
        assert not re.search("[\x00-\x09\x0b-\x1f]", of(value))
    assert "\x1b" not in shown(views.failure(evil))


def test_program_line() -> None:
    find = Call("files.find", {"query": "tax pdf"})
    assert shown(lines.understood(reading(find))) == '→ files.find query="tax pdf"  94 %  120 ms'
    move = Call("files.move", {"source": "$1", "destination": "archive"}, frozenset({"source"}))
    assert shown(lines.understood(reading(find, move))) == (
        '→ 1  files.find query="tax pdf"\n→ 2  files.move source=$1 destination="archive"  94 %  120 ms'
    )


def test_call_line_has_resolved_values() -> None:
    both = {"source": "tax 2023.pdf", "destination": "archive/tax 2023.pdf"}
    assert lines.call("files.move", both, "write").plain == "files.move  tax 2023.pdf → archive/tax 2023.pdf"
    numbered = lines.call("files.delete", {"path": "a.txt"}, "destroy", number=2).plain
    assert numbered == "2  files.delete  a.txt"
    event = {"title": "call Bob", "when": "Sun 23 Nov 09:00"}
    told = lines.call("schedule.add", event, "write").plain
    assert told == "schedule.add  title: call Bob · when: Sun 23 Nov 09:00"
    content = {"path": "a.txt", "content": "word " * 100}
    long = lines.call("files.write", content, "write").plain
    assert long.endswith("word… (500 characters)")
    assert lines.call("process.list", {}, "read").plain == "process.list"


def test_typed_call_can_be_read_again() -> None:
    from llmasos.services.interpreter.explicit import split

    call = Call("files.write", {"path": "it's here.txt", "content": 'two\nlines "x"'})
    words = split(str(call).partition(" ")[2])
    assert words == ["path=it's here.txt", 'content=two\nlines "x"']


def test_whole_value_says_what_is_not_shown() -> None:
    assert lines.whole("a\nb\x1b") == "a\nb\ufffd"
    assert lines.whole("x" * 4500).endswith("x\n… 500 more characters")
