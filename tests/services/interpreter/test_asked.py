"""Whole sentences for calls that the adapter hasn't learned, and that no other sentence is one of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmasos.core.base.errors import NotUnderstood
from llmasos.core.base.types import Call
from llmasos.core.kernel.syscall import SyscallTable
from llmasos.services.interpreter.asked import _SHOWN, _TYPED, LONGEST, Typed, asked
from tests.catalogue import live_rows
from tests.seat import Seat
from tests.system.test_catalogue import seat as seat
from tests.system.test_catalogue_said import SENTENCES

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def table() -> SyscallTable:
    found = SyscallTable()
    found.rows.update(live_rows())
    return found


SHOWN = {
    "model.list": ["which models are there?", "list the models", "What models do I have?", "show me all models", "有哪些模型？",
                   "请列出所有模型", "请问有哪些可用的模型", "模型有哪些", "are there any models here"],
    "plugin.list": ["list the installed plugins", "Show my plugins, please.", "which plugins are installed", "what plugins can I use?",
                    "are there any plugins?", "我装了哪些插件", "列出插件", "看看已安装的插件", "插件有哪些？"],
    "jobs.list": ["show my jobs", "which jobs are running?", "list all background jobs", "what's running in the background?", "显示后台任务",
                  "后台有哪些任务？", "后台在跑什么"],
    "calendar.list": ["which calendars do I follow?", "list my calendars", "What calendars are connected", "我订阅了哪些日历？", "列出关注的日历"],
    "safety.show": ["what was held back?", "show me what has been held back", "what did you hold back", "什么被拦下了？", "你拦下了哪些话"],
    "device.sources": ["which brokers are connected?", "list the brokers"],
}  # fmt: skip
TYPED = {
    "use the model qwen for Edda": "model.assign Edda qwen",
    "use models/qwen.gguf for Edda.": "model.assign Edda models/qwen.gguf",
    "let Edda use the model qwen": "model.assign Edda qwen",
    "让阿岚用 qwen 这个模型": "model.assign 阿岚 qwen",
    "install the plugin greeting": "plugin.add greeting",
    "please disable the calculator plugin": "plugin.disable calculator",
    "enable plugin calculator": "plugin.enable calculator",
    "uninstall the plugin greeting!": "plugin.remove greeting",
    "停用插件 calculator": "plugin.disable calculator",
    "cancel job 2": "jobs.cancel 2",
    "follow the calendar team": "calendar.subscribe team ADDRESS",
    "connect the broker home": "device.connect home ADDRESS",
}
OTHERS = [
    "show my calendar", "看看我的日历", "models", "show my tasks", "what jobs should I apply for?", "remove the plugin folder",
    "add plugin notes", "use tea for Bob", "let Edda speak with Bob", "assign 4512 to Malik", "which models are there in the file",
    "list the models in cars.txt", "show my jobs to Bob", "tell Edda which models are there", "cancel job interview", "有哪些模型适合我",
    "write a story about plugins", "what is a language model?", "follow the recipe", "stop job 2", "a" * 200, "",
]  # fmt: skip


@pytest.mark.parametrize(("name", "line"), [(name, line) for name, lines in SHOWN.items() for line in lines])
def test_what_shows_something_is_done(table: SyscallTable, name: str, line: str) -> None:
    assert asked(line, table) == (Call(name),)


@pytest.mark.parametrize(("line", "typed"), TYPED.items())
def test_what_changes_something_is_to_be_typed(table: SyscallTable, line: str, typed: str) -> None:
    assert asked(line, table) == Typed(typed)


@pytest.mark.parametrize("line", OTHERS)
def test_other_sentences(table: SyscallTable, line: str) -> None:
    assert asked(line, table) is None


def test_the_forms_are_of_calls_that_no_sentence_means(table: SyscallTable) -> None:
    for name in _SHOWN:
        assert table[name].effect == "read" and not table[name].spoken
        assert not any(argument.required for argument in table[name].arguments)
    for typed in _TYPED:
        assert not table[typed.partition(" ")[0]].spoken
    assert asked("which models are there?", SyscallTable()) is None


def sentences() -> Iterator[str]:
    """All texts of the data that the interpreter was trained and is measured with, whatever they are there."""
    for folder in ("training/data", "benchmarks/interpreter"):
        for file in sorted((ROOT / folder).rglob("*")):
            if file.suffix == ".jsonl":
                for line in file.read_text(encoding="utf-8").splitlines():
                    yield from texts(json.loads(line))
            elif file.suffix == ".txt":
                yield from file.read_text(encoding="utf-8").replace("|", "\n").replace("\t", "\n").splitlines()


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts(part)


def test_no_sentence_of_the_catalogue_is_one_of_them(table: SyscallTable) -> None:
    """How many, and not which: the benchmarks' are held out."""
    assert [line for line in SENTENCES.values() if asked(line, table)] == []
    assert [line for row in live_rows().values() for line in row.examples if asked(line, table)] == []
    found = list(sentences())
    assert len(found) > 10_000
    assert sum(len(line) <= LONGEST and asked(line, table) is not None for line in found) == 0


def test_a_sentence_is_answered_without_the_model(seat: Seat) -> None:
    outcome = seat.say("which plugins are installed?")
    assert outcome.way == "habit" and outcome.ok
    assert "calculator" in json.dumps(outcome.results[0].value)
    assert seat.say("有哪些模型？").results[0].call == Call("model.list")
    with pytest.raises(NotUnderstood) as caught:
        seat.say("disable the calculator plugin")
    assert caught.value.remedy == "Type: plugin.disable calculator"
    assert "calculator.evaluate" in seat.machine.kernel.table, "nothing was done"
