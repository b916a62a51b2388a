"""What was shown and said before: which words point at what, and which sentences lean on the one before."""

from __future__ import annotations

import pytest

from llmasos.core.base.types import Call, Program, Result
from llmasos.core.base.values import done, items, record, text
from llmasos.services.interpreter.dialogue import MOST, REMEMBERED, Dialogue, leans, meant, pointed, points_at_many

ABC = ("a.txt", "b.txt", "c.txt")


POINTS = frozenset({"path", "source", "destination", "title", "name", "pid", "query"})
"""Arguments that name things, as the table says of the catalogue's."""


def named(_: Call, argument: str) -> bool:
    return argument in POINTS


def call(syscall: str, **args: object) -> Program:
    return (Call(syscall, args),)


def listed(*refs: str, syscall: str = "files.list", kind: str = "file") -> Result:
    return Result(Call(syscall), items(kind, [{"ref": ref, "name": ref} for ref in refs], ["name"], empty="Nothing."))


def talk(*results: Result) -> Dialogue:
    """A dialogue after one exchange for each result."""
    dialogue = Dialogue()
    for result in results:
        dialogue.begin("before", "")
        dialogue.note((result.call,), [result])
    return dialogue


def refs(dialogue: Dialogue, program: Program, argument: str = "path") -> list[object]:
    return [c.args[argument] for c in dialogue.resolved(program, {}, named)]


# ------------------------------------------------------------------------------------------------ which words


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("the first one", "a"), ("first", "a"), ("1st", "a"), ("number 1", "a"), ("#1", "a"),
        ("the second", "b"), ("The 2nd file", "b"), ("no. 2", "b"), ("the third result", "c"), ("the last", "c"),
        ("the last one", "c"), ("LAST", "c"), ("the fourth one", ""), ("the 9th", ""), ("number 0", ""),
        ("the first two", "ab"), ("the last two", "bc"), ("first 2 files", "ab"), ("last couple", "bc"),
        ("the first five", "abc"), ("the last three", "abc"), ("the last 0", ""),
        ("them", "abc"), ("all of them", "abc"), ("those", "abc"), ("all the files", "abc"), ("those events", "abc"),
        ("these three", "abc"), ("all three of them", "abc"), ("the 3 files", "abc"),
        ("both", ""), ("both of them", ""), ("the two files", ""), ("the 2 files", ""), ("all four", ""),
        ("it", "abc"), ("that one", "abc"), ("the file", "abc"), ("her", "abc"), ("the same one", "abc"),
        ("第一个", "a"), ("第二张", "b"), ("第3个文件", "c"), ("第二", "b"), ("第十个", ""), ("最后一个", "c"), ("最后那盏灯", "c"),
        ("前两个", "ab"), ("最后两项", "bc"), ("后2个", "bc"), ("前五个", "abc"),
        ("它们", "abc"), ("她们", "abc"), ("全部", "abc"), ("这些文件", "abc"), ("都", "abc"), ("这三个", "abc"), ("三个都", "abc"),
        ("两个", ""), ("那两个文件", ""), ("两个都", ""),
        ("它", "abc"), ("那个", "abc"), ("这份文件", "abc"), ("刚才那个", "abc"), ("上一个", "abc"),
        ("notes", ""), ("2", ""), ("五", ""), ("the blue one", ""), ("first aid", ""), ("all files", ""), ("items", ""),
        ("那个聚餐", ""), ("第二天", ""), ("", ""),
    ],
)  # fmt: skip
def test_which_of_three_things_words_point_at(said: str, meant: str) -> None:
    assert "".join(pointed(said, ("a", "b", "c"))) == meant


@pytest.mark.parametrize(
    "said", ["both", "both of them", "both files", "the two", "those 2", "两个", "两个都", "这两份文件"]
)
def test_a_counted_word_means_all_only_where_the_count_is_right(said: str) -> None:
    assert pointed(said, ("a", "b")) == ["a", "b"]
    assert points_at_many(said)
    for others in (("a",), ("a", "b", "c")):
        assert pointed(said, others) == []


def test_a_thing_with_such_a_name_is_itself() -> None:
    assert pointed("it", ("it", "that")) == []
    assert pointed("last", ("last", "first")) == []


@pytest.mark.parametrize(
    "said", ["them", "Them.", "all of them", "the last two", "both", "those files", "它们。", "前两个"]
)
def test_words_for_several_things(said: str) -> None:
    assert points_at_many(said)


@pytest.mark.parametrize("said", ["it", "they", "the file", "the second one", "notes", "它", "那个"])
def test_words_for_one_thing_or_none(said: str) -> None:
    assert not points_at_many(said)


# ----------------------------------------------------------------------------------------- what results named


@pytest.mark.parametrize(
    ("result", "asked", "argument", "named"),
    [
        (listed("a.txt"), "files.read", "path", ["a.txt"]),
        (Result(Call("files.read", {"path": "a"}), text("hi", source="file", ref="x/a.md")), "files.delete", "path", ["x/a.md"]),
        (Result(Call("character.show", {"name": "ana"}), record("Ana", {}, ref="Ana")), "character.chat", "name", ["Ana"]),
        (Result(Call("process.show", {"pid": "7"}), record("Process 7", {}, ref="7")), "process.kill", "pid", ["7"]),
        (Result(Call("files.move", {"source": "a", "destination": "b"}), done("Moved.", ref="b/a")), "files.read", "path", ["b/a"]),
        # Where the result names nothing, the call does.
        (Result(Call("files.delete", {"path": "a"}), done("Deleted a.")), "files.read", "path", ["a"]),
        (Result(Call("device.turn_off", {"name": "all lights"}), done("Off.")), "device.turn_on", "name", ["all lights"]),
        (Result(Call("app.open", {"name": "chess"}), "a string"), "app.close", "name", ["chess"]),
        (Result(Call("app.open", {"name": "chess"}), None), "app.close", "name", ["chess"]),
        # Another service's things aren't meant.
        (listed("dentist", syscall="schedule.list", kind="event"), "files.delete", "path", ["it"]),
        (Result(Call("system.status"), record("This machine", {"load": 1})), "files.delete", "path", ["it"]),
    ],
)  # fmt: skip
def test_what_it_is_after_each_kind_of_result(result: Result, asked: str, argument: str, named: list[str]) -> None:
    assert refs(talk(result), call(asked, **{argument: "it"}), argument) == named


def test_a_search_over_everything_names_things_of_each_service() -> None:
    rows = [
        {"ref": "a.txt", "where": "file", "what": "a"},
        {"ref": "dentist", "where": "event", "what": "dentist"},
        {"ref": "b.txt", "where": "file", "what": "b"},
        {"ref": "Ana", "where": "conversation", "what": "Ana said"},
    ]
    dialogue = talk(Result(Call("search.find", {"query": "x"}), items("finding", rows, ["where", "what"])))
    assert refs(dialogue, call("files.read", path="the second one")) == ["b.txt"]
    assert refs(dialogue, call("schedule.cancel", title="it"), "title") == ["dentist"]
    assert refs(dialogue, call("character.chat", name="她", message="hi"), "name") == ["Ana"]
    assert refs(dialogue, call("tasks.complete", title="it"), "title") == ["it"]


@pytest.mark.parametrize(
    "nothing",
    [
        listed(),
        Result(Call("files.find", {"query": "x"}), items("file", [], ["name"])),
        Result(Call("search.find", {"query": "x"}), items("finding", [], ["where"], empty="Nothing.")),
    ],
)
def test_after_nothing_was_found_it_is_nothing_older(nothing: Result) -> None:
    assert refs(talk(listed("a.txt"), nothing), call("files.delete", path="it")) == ["it"]
    assert refs(talk(listed("a.txt"), nothing), call("files.delete", path="the first one")) == ["the first one"]


def test_after_a_call_that_failed_it_is_what_that_was_about() -> None:
    failed = Result(Call("files.read", {"path": "secret.txt"}), error="EACCES", message="You can't.")
    dialogue = talk(listed("a.txt"), failed)
    assert refs(dialogue, call("files.delete", path="it")) == ["secret.txt"]
    assert refs(dialogue, call("files.delete", path="the first one")) == ["a.txt"]
    moved = Result(Call("files.move", {"source": "a", "destination": "b"}), error="ENOENT")
    assert refs(talk(moved), call("files.delete", path="it")) == ["a"]


def test_a_call_that_failed_on_words_that_point_names_nothing() -> None:
    failed = Result(Call("files.read", {"path": "the fifth"}), error="ENOENT")
    referring = Result(Call("files.read", {"path": "$1"}, frozenset({"path"})), error="ENOENT")
    assert refs(talk(listed("a.txt"), failed, referring), call("files.delete", path="it")) == ["a.txt"]


def test_places_count_in_the_list_also_after_one_of_it_was_read() -> None:
    read = Result(Call("files.read", {"path": "a.txt"}), text("hi", source="file", ref="a.txt"))
    dialogue = talk(listed(*ABC), read)
    assert refs(dialogue, call("files.read", path="the second one")) == ["b.txt"]
    assert refs(dialogue, call("files.read", path="the last")) == ["c.txt"]
    assert refs(dialogue, call("files.read", path="前两个")) == ["a.txt", "b.txt"]
    assert refs(dialogue, call("files.read", path="it")) == ["a.txt"]


def test_things_of_one_command_are_meant_together() -> None:
    on = [Result(Call("device.turn_on", {"name": name}), done("On.", ref=name)) for name in ("lamp", "fan")]
    dialogue = Dialogue()
    dialogue.note(tuple(r.call for r in on), on)
    assert refs(dialogue, call("device.turn_off", name="both"), "name") == ["lamp", "fan"]
    assert dialogue.shown[0].words == "On.\nOn."


def test_only_the_latest_results_are_remembered() -> None:
    others = [listed(f"{n}", syscall="tasks.list", kind="task") for n in range(REMEMBERED - 1)]
    assert refs(talk(listed("a.txt"), *others), call("files.read", path="it")) == ["a.txt"]
    assert refs(talk(listed("a.txt"), *others, others[0]), call("files.read", path="it")) == ["it"]


# -------------------------------------------------------------------------------------------- which arguments


@pytest.mark.parametrize(
    ("asked", "argument", "said"),
    [
        ("tasks.list", "status", "all"),
        ("tasks.add", "due", "the 3rd"),
        ("schedule.move", "when", "the first"),
        ("device.set", "value", "it"),
        ("character.chat", "message", "that"),
        ("assistant.answer", "question", "it"),
    ],
)
def test_a_time_a_choice_or_a_message_doesnt_point(asked: str, argument: str, said: str) -> None:
    service = asked.partition(".")[0]
    dialogue = talk(listed("x", "y", "z", syscall=f"{service}.list"))
    assert dialogue.candidates(Call(asked, {argument: said}), argument, names_thing=argument in POINTS) == []


def test_a_reference_and_what_isnt_text_dont_point() -> None:
    dialogue = talk(listed("a.txt"))
    assert (
        dialogue.candidates(
            Call("files.read", {"path": "it"}, frozenset({"path"})), "path", names_thing="path" in POINTS
        )
        == []
    )
    assert dialogue.candidates(Call("process.kill", {"pid": 1}), "pid", names_thing="pid" in POINTS) == []
    assert dialogue.candidates(Call("files.read"), "path", names_thing="path" in POINTS) == []
    assert Dialogue().candidates(Call("files.read", {"path": "it"}), "path", names_thing="path" in POINTS) == []


@pytest.mark.parametrize("said", ["it", "It.", "that", "这个", "刚才那个文件"])
@pytest.mark.parametrize(
    ("asked", "argument"), [("content.translate", "text"), ("memory.remember", "text"), ("files.write", "content")]
)
def test_what_takes_words_gets_the_words_that_were_shown(asked: str, argument: str, said: str) -> None:
    shown = Result(Call("assistant.answer", {"question": "q"}), text("Bees\nmake honey.", source="model"))
    failed = Result(Call("files.read", {"path": "x"}), error="ENOENT")
    dialogue = talk(listed("a.txt"), shown, failed)
    assert refs(dialogue, call(asked, **{argument: said}), argument) == ["Bees\nmake honey."]
    assert refs(dialogue, call(asked, **{argument: "the second one"}), argument) == ["the second one"]


# -------------------------------------------------------------------------------------------- whole programs


def test_one_call_for_each_of_several_things() -> None:
    dialogue = talk(listed(*ABC))
    assert dialogue.resolved(call("files.copy", source="them", destination="backup"), {}, named) == tuple(
        Call("files.copy", {"source": name, "destination": "backup"}) for name in ABC
    )


def test_several_things_in_one_of_several_calls() -> None:
    dialogue = talk(listed(*ABC))
    program = (*call("files.delete", path="the first two"), *call("system.time"))
    assert [c.args for c in dialogue.resolved(program, {}, named)] == [{"path": "a.txt"}, {"path": "b.txt"}, {}]


def test_references_keep_their_numbers() -> None:
    program = (
        *call("files.copy", source="them", destination="b"),
        *call("files.find", query="tax"),
        Call("files.move", {"source": "$2", "destination": "c"}, frozenset({"source"})),
    )
    assert talk(listed(*ABC)).resolved(program, {}, named) == program
    one = talk(listed("a.txt")).resolved(program, {}, named)
    assert [c.args["source"] for c in (one[0], one[2])] == ["a.txt", "$2"]
    assert one[2].references == {"source"}


def test_the_one_that_was_picked() -> None:
    program = (*call("files.delete", path="it"), *call("files.read", path="it"))
    resolved = talk(listed(*ABC)).resolved(program, {(0, "path"): "b.txt", (1, "path"): "c.txt"}, named)
    assert [c.args["path"] for c in resolved] == ["b.txt", "c.txt"]


def test_what_the_same_program_names_is_nearer_than_what_was_shown() -> None:
    dialogue = talk(listed("old.txt"), Result(Call("content.write"), text("old words", source="model")))
    program = (
        *call("files.read", path="a.txt"),
        *call("files.delete", path="it"),
        *call("content.summarize", text="it"),
    )
    assert dialogue.resolved(program, {}, named) == program
    both = (*call("files.read", path="it"), *call("files.delete", path="it"))
    assert [c.args["path"] for c in dialogue.resolved(both, {}, named)] == ["old.txt", "old.txt"]


def test_no_more_than_a_screenful_at_once() -> None:
    dialogue = talk(listed(*(f"{n}.txt" for n in range(MOST + 5))))
    assert refs(dialogue, call("files.delete", path="all of them")) == [f"{n}.txt" for n in range(MOST)]


# ------------------------------------------------------------------------------------------------- sentences


@pytest.mark.parametrize(
    "line",
    [
        "delete it", "and tomorrow?", "no, at ten", "what about the bedroom", "shorter", "in French please", "read the second one",
        "due friday", "turn them all off", "make the lamp red instead", "那明天呢", "删掉第二个", "把它们都关掉", "再来一次", "客厅", "不，十点",
    ],
)  # fmt: skip
def test_sentences_that_lean(line: str) -> None:
    assert leans(line)


@pytest.mark.parametrize(
    "line",
    [
        "find the insurance letter from March", "remind me to water the palm tonight at nine", "turn on the lamp in the den",
        "提醒我今晚九点给阳台的花浇水", "打开厨房里的灯和风扇", "这里的天气怎么样啊今天",
    ],
)  # fmt: skip
def test_sentences_that_stand_alone(line: str) -> None:
    assert not leans(line)


def test_the_exchange_before_is_given_only_where_a_sentence_leans_on_it() -> None:
    assert Dialogue().before("delete it") is None
    dialogue = talk(listed("a.txt"))
    assert dialogue.before("delete it") == ("before", (Call("files.list"),))
    assert dialogue.before("find the insurance letter from March") is None
    dialogue.begin("hm", "")
    dialogue.note((), [])
    assert dialogue.before("delete it") is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("no, I meant the red one", "the red one"),
        ("no, I meant: delete a.txt", "delete a.txt"),
        ("I meant to ask what time it is", ""),  # a sentence like any other
        ("No. Sorry, I mean to say play jazz", "play jazz"),
        ("sorry, we meant the den", "the den"),
        ("  no i meant tomorrow ", "tomorrow"),
        ("不，我是说客厅的灯", "客厅的灯"),
        ("不对，我说的是：明天", "明天"),
        ("不是，我要红色的", "红色的"),
        ("no, the red one", ""),
        ("what do you mean by that", ""),
        ("I meant", ""),
        ("meant to call Ana", ""),
        ("我是说明天", ""),
        ("不错", ""),
        ("", ""),
    ],
)
def test_what_was_meant(line: str, said: str) -> None:
    assert meant(line) == said
