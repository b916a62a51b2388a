"""Readings that the person corrected: the same sentence again, others built like it, and none that isn't."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from llmasos.core.base.clock import MockClock
from llmasos.core.base.types import Call, Program
from llmasos.core.kernel import custody
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.store import Store
from llmasos.services.interpreter import kept
from llmasos.services.interpreter.kept import KeptReadings, fitted
from llmasos.services.interpreter.reading import Kept


@pytest.fixture(autouse=True)
def no_desktop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(custody, "secret_service", lambda: None)


@pytest.fixture
def clock() -> MockClock:
    return MockClock(datetime(2026, 3, 1, 12, 0, tzinfo=UTC))


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with Store.open(home, Keyring.open(home)) as store:
        yield store


@pytest.fixture
def readings(store: Store, clock: MockClock) -> KeptReadings:
    return KeptReadings(store, clock)


def call(syscall: str, **args: object) -> Program:
    return (Call(syscall, args),)


JAZZ = call("app.open", name="jazz")


# ------------------------------------------------------------------------------------------- keep and forget


def test_kept_at_once_and_after_a_restart(home: Path, clock: MockClock) -> None:
    program = (
        Call("files.find", {"query": "税单", "depth": 2, "tags": ["a", None], "deep": {"x": 1.5}}),
        Call("files.delete", {"path": "$1"}, frozenset({"path"})),
    )
    with Store.open(home, Keyring.open(home)) as store:
        readings = KeptReadings(store, clock)
        readings.keep("ada", "  bin the\n税单 ", program)
        before = readings.of("ada")
        assert readings.recall("ada", "bin the 税单") == program
    with Store.open(home, Keyring.open(home)) as store:
        readings = KeptReadings(store, clock)
        assert readings.recall("ada", "bin the 税单") == program
        assert readings.of("ada") == before
        assert [(k.said, k.program, k.at) for k in before] == [("bin the 税单", program, "2026-03-01T12:00:00+00:00")]


def test_another_person_sees_nothing(readings: KeptReadings) -> None:
    readings.keep("ada", "spin jazz", JAZZ)
    assert readings.recall("bob", "spin jazz") is None
    assert readings.like("bob", "spin jazz") is None
    assert readings.of("bob") == []
    assert not readings.remove("bob", readings.of("ada")[0].id)
    readings.keep("bob", "spin jazz", call("files.find", query="jazz"))
    assert readings.recall("ada", "spin jazz") == JAZZ


def test_what_is_removed_is_gone_also_after_a_restart(store: Store, clock: MockClock) -> None:
    readings = KeptReadings(store, clock)
    readings.keep("ada", "spin jazz", JAZZ)
    readings.keep("ada", "lights", call("device.list"))
    (first, second) = readings.of("ada")
    assert readings.remove("ada", first.id)
    assert not readings.remove("ada", first.id)
    assert readings.recall("ada", "spin jazz") is None
    assert KeptReadings(store, clock).of("ada") == [second]


@pytest.mark.parametrize("again", ["spin jazz", "Spin JAZZ!", " spin  jazz.", "ｓｐｉｎ jazz"])
def test_the_same_sentence_replaces_the_first(readings: KeptReadings, again: str) -> None:
    readings.keep("ada", "spin jazz", call("files.list"))
    readings.keep("ada", again, JAZZ)
    assert [k.program for k in readings.of("ada")] == [JAZZ]
    assert readings.recall("ada", "spin jazz") == JAZZ


def test_marks_within_a_sentence_make_another_one(readings: KeptReadings) -> None:
    for said in ("5-3", "5+3", "👍", "👎", "c++", "c"):
        readings.keep("ada", said, call("calculator.evaluate", expression=said))
    assert len(readings.of("ada")) == 6
    for said in ("5-3", "5+3", "👍", "👎", "c++", "c"):
        assert readings.recall("ada", said) == call("calculator.evaluate", expression=said)
    for said in ("5*3", "🎉", "", "?", "c#"):
        assert readings.recall("ada", said) is None


def test_the_oldest_goes_first(store: Store, clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST", 3)
    readings = KeptReadings(store, clock)
    for said in ("one", "two", "three", "one", "four"):  # all in one second
        readings.keep("ada", said, JAZZ)
    readings.keep("bob", "his", JAZZ)
    assert [k.said for k in readings.of("ada")] == ["three", "one", "four"]
    again = KeptReadings(store, clock)
    assert [k.said for k in again.of("ada")] == ["three", "one", "four"]
    again.keep("ada", "five", JAZZ)
    assert [k.said for k in KeptReadings(store, clock).of("ada")] == ["one", "four", "five"]
    assert store.count(kept.KIND) == 4


def test_what_couldnt_be_written_isnt_kept(readings: KeptReadings) -> None:
    readings.keep("ada", "spin jazz", JAZZ)
    with pytest.raises(TypeError):
        readings.keep("ada", "spin jazz", call("app.open", name={1}))
    assert readings.recall("ada", "spin jazz") == JAZZ


# --------------------------------------------------------------------------------------------- built alike


def fit(said: str, program: Program, line: str) -> Program | None:
    return fitted(Kept("id", said, program, ""), line)


@pytest.mark.parametrize(
    ("said", "values", "line", "others"),
    [
        ("spin jazz", {"name": "jazz"}, "spin old blues", {"name": "old blues"}),
        ("spin jazz.", {"name": "jazz"}, "Spin blues!", {"name": "blues"}),
        ("please spin jazz now", {"name": "jazz"}, "please spin blues now?", {"name": "blues"}),
        ("make the lamp 20%", {"name": "lamp", "value": "20%"}, "make the fan 30%", {"name": "fan", "value": "30%"}),
        ("move a.txt to b", {"source": "a.txt", "destination": "b"}, "move my notes.md to the attic", {"source": "my notes.md", "destination": "the attic"}),
        ("a.txt is to go", {"path": "a.txt"}, "b c.txt is to go", {"path": "b c.txt"}),
        ("把客厅的灯调到20%", {"name": "客厅的灯", "value": "20%"}, "把卧室的灯调到35%。", {"name": "卧室的灯", "value": "35%"}),
        ("放点爵士乐吧", {"name": "爵士乐"}, "放点 blues 吧", {"name": "blues"}),
        ("Ana to Ana's list", {"name": "Ana"}, "Bob to Bob's list", {"name": "Bob"}),
        ("set the lamp to 20", {"name": "lamp", "level": 20}, "set the fan to 20", {"name": "fan", "level": 20}),
        # Values that aren't in the sentence stay.
        ("spin jazz", {"name": "jazz", "unit": "percent"}, "spin blues", {"name": "blues", "unit": "percent"}),
        # The longer of two values that begin alike has the place.
        ("swap kitchen light for kitchen", {"name": "kitchen light", "value": "kitchen"}, "swap den lamp for den", {"name": "den lamp", "value": "den"}),
        # A value within a word is none.
        ("put the iron on", {"name": "iron", "value": "on"}, "put the fan off", {"name": "fan", "value": "off"}),
        ("cafe\u0301s near Rome", {"query": "cafe\u0301s", "path": "Rome"}, "bars near Oslo", {"query": "bars", "path": "Oslo"}),
    ],
)  # fmt: skip
def test_other_values_in_the_same_frame(
    said: str, values: dict[str, object], line: str, others: dict[str, object]
) -> None:
    assert fit(said, call("x.y", **values), said) == call("x.y", **values)
    assert fit(said, call("x.y", **values), line) == call("x.y", **others)


@pytest.mark.parametrize(
    ("said", "values", "line"),
    [
        ("spin jazz", {"name": "jazz"}, "please spin blues"),
        ("spin jazz", {"name": "jazz"}, "spinning blues"),
        ("spin jazz", {"name": "jazz"}, "spin"),
        ("spin jazz", {"name": "jazz"}, "spin " + "very " * 20 + "old blues"),
        # Two commands, or two things.
        ("spin jazz", {"name": "jazz"}, "spin blues and turn off the lamp"),
        ("spin jazz", {"name": "jazz"}, "spin blues, then stop"),
        ("放点爵士乐", {"name": "爵士乐"}, "放点摇滚然后关灯"),
        # Words in place of a number.
        ("what is 5+3", {"expression": "5+3"}, "what is on my calendar"),
        # Numbers as such are part of the frame.
        ("set the lamp to 20", {"name": "lamp", "level": 20}, "set the lamp to 30"),
        # Nothing tells where the first value ends.
        ("明天三点开会", {"when": "明天三点", "title": "开会"}, "后天下午买菜"),
        ("请明天开会", {"when": "明天", "title": "开会"}, "请下雨"),
        ("tell Ana good morning", {"name": "Ana", "message": "good morning"}, "tell my boss good morning"),
        ("move the letter to Ana", {"source": "letter", "destination": "Ana"}, "move the letter to Bob to the attic"),
        # A value inside another one would have to change with it.
        ("remind me to call Ana", {"title": "call Ana", "name": "Ana"}, "remind me to call Bob"),
        ("remind me to call Ana", {"title": "call Ana", "name": "Ana"}, "remind me to sleep"),
        ("Ana to Ana's list", {"name": "Ana"}, "Bob to Eve's list"),
        # Nothing but values.
        ("jazz", {"name": "jazz"}, "blues"),
        ("jazz!", {"name": "jazz"}, "blues!"),
        ("jazz: loud", {"name": "jazz", "style": "loud"}, "blues: soft"),
        # A choice from a list is no place for another word.
        ("show done tasks", {"status": "done"}, "show blue tasks"),
        ("urgent: call Ana", {"title": "call Ana", "priority": "urgent"}, "question: call Ana"),
    ],
)  # fmt: skip
def test_a_sentence_built_otherwise_isnt_fitted(said: str, values: dict[str, object], line: str) -> None:
    assert fit(said, call("x.y", **values), said) == call("x.y", **values)
    assert fit(said, call("x.y", **values), line) is None


def test_all_calls_of_a_program_get_the_new_values() -> None:
    program = (
        Call("files.find", {"query": "tax pdf"}),
        Call("files.move", {"source": "$1", "destination": "attic"}, frozenset({"source"})),
        Call("files.list", {"path": "attic"}),
    )
    assert fit("stow the tax pdf in the attic", program, "stow the lease in the cellar") == (
        Call("files.find", {"query": "lease"}),
        Call("files.move", {"source": "$1", "destination": "cellar"}, frozenset({"source"})),
        Call("files.list", {"path": "cellar"}),
    )


def test_a_reference_is_no_value() -> None:
    program = (Call("files.find", {"query": "a"}), Call("files.read", {"path": "$1"}, frozenset({"path"})))
    assert fit("charge $1 for a", program, "charge $2 for b") is None
    assert fit("charge $1 for a", program, "charge $1 for b") == (Call("files.find", {"query": "b"}), program[1])


def test_the_very_sentence_comes_before_a_newer_one_built_like_it(readings: KeptReadings) -> None:
    readings.keep("ada", "spin jazz", JAZZ)
    readings.keep("ada", "spin chess", call("files.read", path="chess"))
    assert readings.recall("ada", "Spin jazz.") == JAZZ
    assert readings.recall("ada", "spin chess") == call("files.read", path="chess")
    assert readings.recall("ada", "spin blues") is None  # one or the other: the model may say


def test_of_two_frames_the_closer_one_is_taken(readings: KeptReadings) -> None:
    readings.keep("ada", "spin jazz in the den", call("app.open", name="jazz"))
    readings.keep("ada", "spin blues", call("files.find", query="blues"))
    assert readings.recall("ada", "spin rock in the den") == call("app.open", name="rock")
    assert readings.recall("ada", "spin rock") == call("files.find", query="rock")


def test_strange_lines_take_no_time(readings: KeptReadings) -> None:
    for number in range(kept.MOST // 10):
        readings.keep(
            "ada", f"spin a{number} b c d e f", tuple(Call("x.y", {"name": v}) for v in (f"a{number}", *"bcdef"))
        )
        readings.keep(
            "ada", f"go {number} to b to c to d", tuple(Call("x.y", {"name": v}) for v in (f"{number}", *"bcd"))
        )
    started = time.process_time()
    for line in ("spin " + "g " * 150 + "!z", "go " + "to " * 80 + "z", "x" * 100_000, "what is up"):
        assert readings.recall("ada", line) is None
    assert time.process_time() - started < 2


# ------------------------------------------------------------------------------------------------- examples


def test_the_nearest_sentence_is_an_example(readings: KeptReadings) -> None:
    readings.keep("ada", "spin some jazz in the den", JAZZ)
    readings.keep("ada", "把阳台的灯关了", call("device.turn_off", name="阳台的灯"))
    assert readings.like("ada", "could you spin some jazz in the den") == ("spin some jazz in the den", JAZZ)
    assert readings.like("ada", "阳台的灯关了吗")
    assert readings.like("ada", "把阳台的PDF灯关了") is not None  # words of two scripts written together
    for far in ("spin", "what is the time", "打开窗户", "", "🎉"):
        assert readings.like("ada", far) is None
    readings.keep("ada", "spin some jazz in the hall", call("files.list"))
    assert readings.like("ada", "spin some jazz in the attic") == ("spin some jazz in the hall", call("files.list"))
