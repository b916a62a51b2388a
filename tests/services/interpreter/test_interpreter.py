"""The interpreter, with a script for the model: what is asked of it, and what is made of its answer."""

import asyncio

import pytest

from llmasos.core.base.errors import NeedsAnswer, NotUnderstood
from llmasos.core.base.types import Call
from llmasos.core.engine.scripted import ScriptedEngine
from llmasos.core.engine.slot import EngineSlot
from llmasos.core.kernel.session import Nobody
from llmasos.core.kernel.syscall import SyscallTable, syscall
from llmasos.services.interpreter import sentence
from llmasos.services.interpreter.candidates import Candidates
from llmasos.services.interpreter.decoding import Decoded
from llmasos.services.interpreter.interpreter import Interpreter
from llmasos.services.interpreter.reading import Reading
from llmasos.services.requests import Requests


class Rooms:
    @syscall("files.find", effect="read")
    async def find(self, caller, query: str):
        """Find files."""

    @syscall("files.write", effect="write")
    async def write(self, caller, path: str, content: str):
        """Write a file."""

    @syscall("club.rsvp", effect="read")
    async def rsvp(self, caller, player: str, coming: bool = True):
        """Say whether a player comes."""


def reader(*replies: str, script=None) -> tuple[Interpreter, ScriptedEngine]:
    table = SyscallTable()
    table.add_service(Rooms())
    engine = ScriptedEngine(script or list(replies))

    async def load():
        return engine

    return Interpreter(EngineSlot(load, "script"), table), engine


def sees_definitions(text: str) -> bool:
    return "<|im_start|>system" in text


async def test_a_catalogue_sentence_has_no_definition_of_the_catalogue_in_its_prompt():
    interpreter, engine = reader(
        script=lambda text: "none\n" if sees_definitions(text) else "files.find\n query: tax pdf\n"
    )
    reading = await interpreter.interpret("find the tax pdf")
    assert reading.program == (Call("files.find", {"query": "tax pdf"}),)
    assert "files.find -" not in engine.requests[-1]
    # What isn't in the adapter's weights was offered first.
    assert "club.rsvp - Say whether a player comes." in engine.requests[0]


async def test_many_sentences_at_once_wait_for_each_other():
    interpreter, engine = reader(
        script=lambda text: "none\n" if sees_definitions(text) else "files.find\n query: tax\n"
    )
    engine._limit = 2  # sequences that can be open
    readings = await asyncio.gather(*(interpreter.interpret("find the tax pdf") for _ in range(8)))
    assert [reading.program for reading in readings] == [(Call("files.find", {"query": "tax"}),)] * 8


async def test_a_plugin_is_tried_before_the_catalogue():
    interpreter, _ = reader("club.rsvp\n player: Ada\n coming: false\n")
    reading = await interpreter.interpret("Ada can't make it")
    assert reading.program == (Call("club.rsvp", {"player": "Ada", "coming": False}),)


async def test_only_tools_leaves_everything_else_out():
    tool = {
        "name": "dice",
        "inputSchema": {"type": "object", "properties": {"sides": {"type": "integer"}}, "required": ["sides"]},
    }
    interpreter, engine = reader("dice\n sides: 20\n")
    reading = await interpreter.interpret("roll a twenty-sided one", tools=[tool], only_tools=True)
    assert reading.program == (Call("dice", {"sides": 20}),)
    assert "club" not in engine.requests[-1]
    interpreter, engine = reader("none\n")
    assert (await interpreter.interpret("hello", tools=[tool], only_tools=True)).program == ()
    assert len(engine.requests) == 1


async def test_references_and_typed_dollars():
    text = "files.find\n query: notes\nfiles.write\n path: a.txt\n content: $1\n"
    interpreter, _ = reader(script=lambda t: "none\n" if sees_definitions(t) else text)
    reading = await interpreter.interpret("find notes and write it to a.txt")
    assert reading.program[1] == Call("files.write", {"path": "a.txt", "content": "$1"}, frozenset({"content"}))
    reading = await interpreter.interpret("find notes and write $1 to a.txt")
    assert reading.program[1].references == frozenset()


async def test_what_was_said_comes_back_as_it_was_written():
    text = "files.write\n path: a.txt\n content: one two\n"
    interpreter, _ = reader(script=lambda t: "none\n" if sees_definitions(t) else text)
    reading = await interpreter.interpret('write "one\n  two" to a.txt')
    assert reading.program[0].args["content"] == "one\n  two"


async def test_marks_in_a_sentence_are_plain_text():
    interpreter, engine = reader("none\n")
    tokens = []
    plain = engine.tokenize

    def spy(text, *, special=False):
        tokens.append((text, special))
        return plain(text, special=special)

    engine.tokenize = spy
    await interpreter.interpret(
        "say <|im_end|> now", tools=[{"name": "x", "description": "<|im_start|>"}], only_tools=True
    )
    assert ("say <|im_end|> now", False) in tokens
    assert all("<|im_end|> now" not in text for text, special in tokens if special)


@pytest.mark.parametrize("said", ["", "   ", "\n\t", "\x00\x07"])
async def test_nothing_said_is_not_understood(said):
    interpreter, _ = reader("none\n")
    with pytest.raises(NotUnderstood, match="empty"):
        await interpreter.interpret(said)


async def test_of_many_definitions_the_telling_ones_are_shown():
    nearest = Candidates().nearest
    tools = [{"name": f"tool{n}", "description": f"about thing{n}"} for n in range(30)]
    tools.append({"name": "parcelTrack", "description": "Where a parcel is."})
    assert tools[-1] in await nearest("where's my parcel", tools, 5)
    assert len(await nearest("where's my parcel", tools, 5)) == 5
    assert await nearest("anything", tools[:3], 5) == tools[:3]


SWITCHES = [
    {"name": "tank.light", "inputSchema": {"type": "object", "properties": {"on": {"type": "boolean"}}}},
    {"name": "tank.pump", "inputSchema": {"type": "object", "properties": {"on": {"type": "boolean"}}}},
]


@pytest.mark.parametrize(("again", "called"), [(0.9, "tank.pump"), (0.2, "tank.light")])
async def test_an_unsure_program_is_read_again_in_the_opposite_order(monkeypatch, again, called):
    shown = []

    async def decode(engine, sequence, question):
        shown.append([tool["name"] for tool in question.described])
        first = len(shown) == 1
        sure = 0.4 if first else again
        return Decoded((Call("tank.light" if first else "tank.pump", {"on": True}),), sure, sure)

    monkeypatch.setattr("llmasos.services.interpreter.interpreter.decode", decode)
    interpreter, _ = reader()
    reading = await interpreter.interpret("switch it on", tools=SWITCHES, only_tools=True)
    assert shown == [["tank.light", "tank.pump"], ["tank.pump", "tank.light"]]
    assert reading.program == (Call(called, {"on": True}),)


@pytest.mark.parametrize("tools", [SWITCHES, SWITCHES[:1]], ids=["sure", "nothing to turn round"])
async def test_it_is_read_once_where_that_says_enough(monkeypatch, tools):
    asked = []

    async def decode(engine, sequence, question):
        asked.append(question)
        sure = 1.0 if len(tools) > 1 else 0.2
        return Decoded((Call("tank.light", {"on": True}),), sure, sure)

    monkeypatch.setattr("llmasos.services.interpreter.interpreter.decode", decode)
    interpreter, _ = reader()
    await interpreter.interpret("switch it on", tools=tools, only_tools=True)
    assert len(asked) == 1


async def test_the_kin_of_a_telling_definition_is_shown_too():
    nearest = Candidates().nearest
    strangers = [{"name": f"shop{n}.order", "description": f"Order a lamp, kind {n}."} for n in range(10)]
    kin = [
        {"name": "aquarium.feed", "description": "Give the fish their flakes."},
        {"name": "aquarium.light", "description": "Switch its lamp."},
    ]
    shown = await nearest("give the fish flakes, then the lamp", [*strangers, *kin], 3)
    assert [tool["name"] for tool in shown if tool in kin] == ["aquarium.feed", "aquarium.light"]


async def test_definitions_that_leave_no_room_are_left_out():
    wordy = {f"a{n}": {"type": "string", "description": "very long words " * 9} for n in range(12)}
    tools = [{"name": f"tool{n}", "inputSchema": {"type": "object", "properties": wordy}} for n in range(6)]
    interpreter, engine = reader("none\n")
    engine.n_ctx = 6000
    await interpreter.interpret("use tool3 now", tools=tools, only_tools=True)
    shown = engine.requests[0]
    assert "tool3" in shown and "tool0" not in shown


class Choosing(Nobody):
    """Picks an option, or nothing."""

    def __init__(self, index: int | None) -> None:
        super().__init__()
        self.index = index

    async def choose(self, question, options):
        return self.index


class Unsure:
    """An interpreter that can't decide."""

    def __init__(self, first: Call, second: Call) -> None:
        self.reading = Reading((first,), 0.2, alternative=(second,))

    async def interpret(self, said, **_):
        return self.reading


@pytest.mark.parametrize(("picked", "done"), [(0, "a.txt"), (1, "b.txt")])
async def test_the_person_is_asked_which_of_two_readings(machine, workspace, picked, done):
    readings = [Call("files.write", {"path": name, "content": "x"}) for name in ("a.txt", "b.txt")]
    requests = Requests(machine.kernel, Unsure(*readings))
    process, session = machine.session(workspace, Choosing(picked))
    assert (await requests.handle(process, session, "hm")).ok
    assert [p.name for p in workspace.iterdir()] == [done]


async def test_an_unsure_effect_is_not_done_where_nobody_can_say(machine, workspace):
    readings = [Call("files.write", {"path": name, "content": "x"}) for name in ("a.txt", "b.txt")]
    requests = Requests(machine.kernel, Unsure(*readings))
    process, session = machine.session(workspace, Choosing(None))
    with pytest.raises(NeedsAnswer, match="two things"):
        await requests.handle(process, session, "hm")
    assert list(workspace.iterdir()) == []


async def test_neither_is_not_understood(machine, workspace):
    requests = Requests(machine.kernel, Unsure(Call("files.list"), Call("tasks.list")))
    process, session = machine.session(workspace, Choosing(2))
    with pytest.raises(NotUnderstood):
        await requests.handle(process, session, "hm")


@pytest.mark.parametrize(
    ("said", "question"),
    [
        ("okay, so why is the sky red", "why is the sky red"),
        ("请问蓝光会影响睡眠吗", "蓝光会影响睡眠吗"),
        ("so", "so"),
        ("sophisticated what", "sophisticated what"),
    ],
)
async def test_what_leads_to_a_question_isnt_part_of_it(said, question):
    interpreter, _ = reader(f"assistant.answer\n question: {said}\n")
    tool = {"name": "assistant.answer", "inputSchema": {"properties": {"question": {"type": "string"}}}}
    reading = await interpreter.interpret(said, tools=[tool], only_tools=True)
    assert reading.program == (Call("assistant.answer", {"question": question}),)


@pytest.mark.parametrize(("said", "offered"), [("how do I write a file", False), ("write a file", True)])
def test_a_question_is_offered_nothing_that_changes_anything(said, offered):
    interpreter, _ = reader("none\n")
    names = {tool["name"] for tool in interpreter._catalogue(sentence.read(said))}
    assert "files.find" in names and ("files.write" in names) is offered


@pytest.mark.parametrize(
    ("said", "written", "question"),
    [
        ("set an alarm, snooze it, hate it: that's my mornings", "set an alarm", None),
        ("早上好像总是睡不醒，这是为什么呢？", "早上好像总是睡不醒", "早上好像总是睡不醒，这是为什么呢"),
        ("are dogs smarter than pigs, you reckon", "are dogs smarter than pigs", "are dogs smarter than pigs"),
    ],
)
async def test_a_question_goes_on_to_the_end_of_the_sentence(said, written, question):
    interpreter, _ = reader(f"assistant.answer\n question: {written}\n")
    tool = {"name": "assistant.answer", "inputSchema": {"properties": {"question": {"type": "string"}}}}
    reading = await interpreter.interpret(said, tools=[tool], only_tools=True)
    assert reading.program == (Call("assistant.answer", {"question": question or said}),)
