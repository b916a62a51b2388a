"""A program that does a little of everything until it is killed: `python -m tests.system.survivor FIRST SEED`.

It prints what it finds when it starts, `begin` before each thing that it does, and `done` when the kernel has acknowledged
it. What it does outside the home, by the external call `outside.press`, is a line in `pressed.txt` in the home's parent.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from llmasos.compose import Machine, compose
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call
from llmasos.core.base.values import done
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.core.kernel.process import State
from llmasos.core.kernel.session import Answer, Consent, Nobody
from llmasos.core.kernel.syscall import syscall
from llmasos.core.kernel.trap import Caller
from llmasos.services.characters.events import Event

TALKERS = ("Alice", "Bob", "Cleo")
QUIET = "Dora"
"""The character that is stopped and let go on; nobody talks with her."""
APP = "guide"
REPLY = "So it is."
PRESSED = "pressed.txt"


class Outside:
    """Acts outside, once for each call."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @syscall("outside.press", effect="external")
    async def press(self, caller: Caller, number: int) -> dict[str, Any]:
        """Press the button.

        Args:
            number: Which time it is.
        """
        descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(descriptor, b"%d\n" % number)
        os.close(descriptor)
        return done(f"Pressed {number}.")


class Ponders(Nobody):
    """Is asked, and never answers."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    async def consent(self, question: Consent) -> Answer | None:
        say("asked", self._number)
        await asyncio.Event().wait()
        return None


def say(what: str, value: Any) -> None:
    """A line for whoever watches."""
    print(json.dumps([what, value]), flush=True)


class Life:
    """One run of the program."""

    def __init__(self, machine: Machine, workspace: Path, first: int, seed: int) -> None:
        self.machine = machine
        self.process, self.session = machine.session(workspace, Nobody(yes=True))
        self.workspace = workspace
        self.number = first
        self.draw = random.Random(seed)
        self.pondering: list[asyncio.Task[Any]] = []

    async def call(self, name: str, /, **args: Any) -> Any:
        """A call that works."""
        kernel = self.machine.kernel
        result = await kernel.trap(self.process, self.session, Call(name, args), request=f"{name} {self.number}")
        if not result.ok:
            raise RuntimeError(f"{name}: {result.message}")
        return result.value

    async def found(self) -> dict[str, Any]:
        """What is there."""
        deafen = await self.machine.listen(lambda what: say("told", str(what.get("note", ""))))
        machine, store = self.machine, self.machine.kernel.store
        store.verify()
        entries = machine.kernel.journal.entries(100_000)
        talk: dict[str, list[str]] = {}
        for character in machine.characters.cast.of("ada"):
            talk[character.name] = [line(event) for event in machine.characters.cast.log(character).since(0)]
        alive = [process for process in machine.kernel.processes if process.alive]
        found = {
            "trouble": machine.kernel.store.frozen,
            "tasks": [record.value["title"] for record in store.scan("task")],
            "facts": [record.value["text"] for record in store.scan("memory")],
            "events": [record.value["title"] for record in store.scan("event")],
            "effects": [
                [e.call["args"].get("number"), e.state] for e in entries if e.call["syscall"] == "outside.press"
            ],
            "undecided": sum(e.state == "intent" for e in entries),
            "talk": talk,
            "characters": {p.name: p.state is State.STOPPED for p in alive if p.program == "character"},
            "apps": [p.name for p in alive if p.program == "app"],
            "jobs": [[record.value["said"], record.value["state"]] for record in store.scan("job")],
            "swap": [path.name for path in (machine.settings.home / "swap").glob("*")],
            "pressed": read(machine.settings.home.parent / PRESSED).split(),
            "file": read(self.workspace / "note.md"),
            "log": read(self.workspace / "log.md").split("\n"),
        }
        deafen()
        return found

    async def live(self) -> None:
        """Do one thing after another."""
        for name in (*TALKERS, QUIET):
            if self.machine.characters.cast.find("ada", name) is None:
                await self.call("character.create", name=name, personality="friendly")
        say("ready", self.number)
        actions: list[tuple[Callable[[int], Coroutine[Any, Any, Any]], int]] = [
            (self.task, 3), (self.fact, 2), (self.event, 2), (self.write, 2), (self.append, 3), (self.press, 3),
            (self.chat, 5), (self.steer, 2), (self.app, 1), (self.job, 1), (self.ponder, 1),
        ]  # fmt: skip
        kinds, weights = zip(*actions, strict=True)
        while True:
            (action,) = self.draw.choices(kinds, weights)
            self.number += 1
            say("begin", [self.number, action.__name__])
            what = await action(self.number)
            if what is not None:
                say("done", [self.number, action.__name__, what])

    async def task(self, number: int) -> str:
        await self.call("tasks.add", title=f"task {number}")
        return f"task {number}"

    async def fact(self, number: int) -> str:
        await self.call("memory.remember", text=f"fact {number} holds")
        return f"fact {number} holds"

    async def event(self, number: int) -> str:
        await self.call("schedule.add", title=f"event {number}", when="tomorrow at 9am")
        return f"event {number}"

    async def write(self, number: int) -> str:
        await self.call("files.write", path="note.md", content=f"version {number}\n" * 200)
        return f"version {number}"

    async def append(self, number: int) -> str:
        await self.call("files.append", path="log.md", content=f"line {number}")
        return f"line {number}"

    async def press(self, number: int) -> int:
        await self.call("outside.press", number=number)
        return number

    async def chat(self, number: int) -> str:
        name = TALKERS[number % len(TALKERS)]
        await self.call("character.chat", name=name, message=f"Now {number} it is, and the rain falls on the roof.")
        return name

    async def steer(self, number: int) -> bool:
        characters = self.machine.characters
        known = characters.cast.find("ada", QUIET)
        assert known is not None
        process = characters.conversations.process(known)
        stopped = process.state is State.STOPPED
        await self.call("process.resume" if stopped else "process.stop", pid=process.pid)
        return not stopped

    async def app(self, number: int) -> bool:
        there = self.machine.kernel.processes.find("app", APP) is not None
        await self.call("app.close" if there else "app.open", name=APP)
        return not there

    async def job(self, number: int) -> str:
        program = [{"syscall": "outside.press", "args": {"number": number}, "references": []}]
        await self.call("jobs.add", program=json.dumps(program), said=f"job {number}")
        return f"job {number}"

    async def ponder(self, number: int) -> None:
        """Be asked whether a fact may be forgotten, and leave that open."""
        if self.pondering or not (facts := [r.value["text"] for r in self.machine.kernel.store.scan("memory")]):
            return
        process, session = self.machine.session(self.workspace, Ponders(number))
        call = Call("memory.forget", {"query": self.draw.choice(facts)})
        kernel = self.machine.kernel
        self.pondering.append(asyncio.create_task(kernel.trap(process, session, call, request=f"ponder {number}")))


def line(event: Event) -> str:
    """What was said, with who said it."""
    return f"{'ada' if event.speaker == 'ada' else 'it'}: {event.text}"


def read(path: Path) -> str:
    """A file of the workspace."""
    return path.read_text() if path.exists() else ""


async def main(first: int, seed: int) -> None:
    """Live."""
    # Two hundred lives on a fast machine have more calls than history keeps by itself; none may be lost otherwise.
    settings = Settings.load(owner="ada", seed=1, swap_memory=0, keep_history=100_000)
    machine = await compose(settings, engines=ScriptedEngines(says=[REPLY]))
    machine.kernel.table.add_service(Outside(settings.home.parent / PRESSED))
    life = Life(machine, Path.cwd(), first, seed)
    say("found", await life.found())
    await life.live()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
