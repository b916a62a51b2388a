"""What a person types and what the model writes: written calls, sentences, programs."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.fuzz.mutate import Bytes
from benchmarks.fuzz.target import Target
from llmasos.compose import compose
from llmasos.core.base.errors import NotUnderstood, SyscallError
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import from_records, to_records
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.core.kernel.syscall import Syscall, SyscallTable
from llmasos.services.commands.typed import typed
from llmasos.services.interpreter import dialogue, names, notation, sentence
from llmasos.services.interpreter.decoding import program_of
from llmasos.services.interpreter.explicit import habit, written_call
from llmasos.services.interpreter.kept import words_of
from llmasos.services.interpreter.moments import dates, times
from llmasos.services.interpreter.numbers import texts
from llmasos.services.interpreter.units import Unit, numbers_in
from llmasos.services.jobs.orders import order_in, plain_order
from llmasos.services.schedule import repeats
from llmasos.services.schedule.planning import planned

_SETS = Path(__file__).resolve().parents[2] / "interpreter"
NOW = datetime(2026, 11, 27, 10, 30, tzinfo=UTC)


def sentences() -> list[str]:
    """Sentences of the interpreter's sets, in both languages."""
    found = []
    for name in ("en", "zh", "home_en", "home_zh", "programs_en", "programs_zh", "questions"):
        for line in (_SETS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
            found.append(json.loads(line)["utterance"])  # noqa: PERF401 - two loops in one expression read worse
    return found


def live_table(home: Path) -> SyscallTable:
    """The syscalls of a composed system that has ended; for what is parsed and checked they need not run."""

    async def composed() -> list[Syscall]:
        machine = await compose(Settings.load(home=home, environment={}), engines=ScriptedEngines())
        try:
            return list(machine.kernel.table)
        finally:
            await machine.close()

    table = SyscallTable()
    for row in asyncio.run(composed()):
        table.add(row)
    return table


class Calls(Target):
    """The parser of what is written out: `files.read notes.md`, `mv a b`, `!ls`, `... &`; then the check of arguments."""

    name = "calls"
    share = 300

    def __init__(self, folder: Path) -> None:
        self._table = live_table(folder / "home")
        rows = list(self._table)
        words = [*(row.name for row in rows), *(f"{a.name}=" for row in rows for a in row.arguments)]
        lines = [row.usage for row in rows]
        lines += [" ".join([row.name, *(f"{a.name}={n}" for n, a in enumerate(row.arguments))]) for row in rows]
        lines += ["mv a.txt b/", "cp 'a b' c", "rm -rf notes.md", "undo #3", "fg 2", "mkdir a b c", "cat x", "ls -la docs",
                  "!ls | wc -l", "find the tax pdf &", "files.find query='tax pdf' path=docs", "jobs", "redo"]  # fmt: skip
        super().__init__(folder, Bytes([line.encode() for line in lines], [word.encode() for word in words]))

    def run(self, data: bytes) -> None:
        """A line becomes calls or nothing; calls go into the store and come back, and are shown."""
        line = data.decode("utf-8", "surrogateescape")
        typed(line)
        plain_order(line)
        for program in (habit(line, lambda path: len(path) % 2 == 0), written_call(line, self._table)):
            for call in program or ():
                assert from_records(json.loads(json.dumps(to_records((call,))))) == (call,)
                str(call)
                try:
                    checked = self._table[call.syscall].validate(call.args)
                except SyscallError:
                    continue
                assert set(checked) == set(call.args)


class Sentences(Target):
    """What is read out of a sentence by rules before, and beside, the model: cuts, numbers, times, units, orders."""

    name = "sentences"
    share = 3
    refuses = False

    def __init__(self, folder: Path) -> None:
        self._bytes = Bytes([line.encode() for line in sentences()])
        super().__init__(folder, self._bytes)

    def make(self, rng: Random) -> bytes:
        """A sentence, changed; now and then a long text behind one."""
        data = self._bytes(rng)
        if rng.randrange(30) == 0:
            data += b"\n\n" + b" ".join(self._bytes.seed(rng) for _ in range(rng.randrange(1, 60)))
        return data

    def run(self, data: bytes) -> None:
        """One line of bounded length; what is copied from it is found again in what was said."""
        said = data.decode("utf-8", "surrogateescape")
        words = sentence.read(said)
        assert len(words.line) <= 2 * (sentence.HEAD + sentence.TAIL), len(words.line)
        assert words.line == words.line.strip() and "\n" not in words.line
        assert isinstance(words.only_asks or words.may_ask_for_more, bool)
        for value in (words.line, words.line[3:11], words.line[-300:], words.line[:500]):
            words.original(value.strip())
        texts(words.line, whole=False, negative=True)
        dates(words.line)
        times(words.line)
        numbers_in(words.line, Unit("length", 0.01), whole=False, negative=True)
        words_of(words.line)
        dialogue.leans(words.line)
        dialogue.meant(words.line)
        names.meant(words.line, ["Ottilie", "study lamp", "客厅的灯", "tax 2023.pdf"])


class Times(Target):
    """When something shall be, as it was said, in English, Chinese and what dateparser knows; repetitions; orders."""

    name = "times"
    share = 1

    def __init__(self, folder: Path) -> None:
        seeds = [
            "tomorrow at 9", "next Friday at half past three", "in 20 minutes", "on the 3rd of May 2027 at 14:05",
            "every weekday at 8 until Christmas", "every other Tuesday 18:30", "the last Friday of the month at noon",
            "明天下午三点", "每天早上八点", "农历八月十五", "下周三晚上七点半", "每个月的第一个星期一", "两小时后",
            "mañana a las 5", "übermorgen um 17 Uhr", "2026-12-24T18:00", "24.12.2026", "from 9 to 11:30 tomorrow",
            "water the plants every 3 days at 7pm", "in the background find all pdfs", "each month on the 31st at 6",
        ]  # fmt: skip
        super().__init__(folder, Bytes([seed.encode() for seed in seeds]))

    def run(self, data: bytes) -> None:
        """A time or a refusal."""
        said = data.decode("utf-8", "surrogateescape")
        order_in(said, NOW)
        repeats.find(said, NOW)
        found, _ = planned("water the plants", said, None, NOW)
        assert found.start.tzinfo is not None


class Programs(Target):
    """Programs in the notation that the model writes; those of persons who explained one, and those that were cut off."""

    name = "programs"
    share = 80
    expected = (NotUnderstood,)

    def __init__(self, folder: Path) -> None:
        rooms = ("files", "tasks", "memory")
        rows = [row for row in live_table(folder / "home") if row.name.partition(".")[0] in rooms]
        self._tools = [row.definition() for row in rows] + [
            {
                "name": "light.set",
                "inputSchema": {
                    "properties": {
                        "level": {"type": "integer"}, "on": {"type": "boolean"}, "names": {"type": "array"},
                        "when": {"type": "object", "properties": {"hour": {"type": "number"}}},
                        "to": {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]},
                        "mode": {"enum": ["a", 1, None]},
                    }
                },
            }
        ]  # fmt: skip
        self._words = sentence.read("find the tax pdf and move it to archive, then set 40 % at nine for $1")
        texts = [
            'files.find\n query: tax pdf\nfiles.move\n source: $1\n destination: archive\n', "none\n",
            'light.set\n level: 40\n on: true\n names: ["a", "b"]\n when: {"hour": 9}\n to: 12\n mode: "a"\n',
            "tasks.add\n title: buy milk\n due: friday\n priority: high\n", 'memory.remember\n text: "two\\nlines"\n',
        ]  # fmt: skip
        names = [tool["name"] for tool in self._tools]
        arguments = {f" {name}: " for tool in self._tools for name in tool["inputSchema"]["properties"]}
        words = [word.encode() for word in (*names, *sorted(arguments))]
        super().__init__(folder, Bytes([text.encode() for text in texts], words))

    def run(self, data: bytes) -> None:
        """A program or a refusal; a program that is written again is read as the same."""
        text = data.decode("utf-8", "replace")
        program = program_of(text, self._words, self._tools)
        written = notation.write((call.syscall, call.args) for call in program)
        again = notation.read(written, lambda name, argument: isinstance(_value(program, name, argument), str))
        assert isinstance(again, list)
        json.dumps(to_records(program))
        for call in program:
            str(call)


def _value(program: Any, name: str, argument: str) -> Any:
    found = next((call.args[argument] for call in program if call.syscall == name and argument in call.args), "")
    return None if isinstance(found, str) and "\n" in found else found


TARGETS: tuple[type[Target], ...] = (Calls, Sentences, Times, Programs)
