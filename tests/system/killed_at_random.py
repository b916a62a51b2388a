"""Kills a program at random moments, and compares what it finds next with what it had acknowledged before."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.system.program import HANGS, Program
from tests.system.survivor import APP, QUIET, TALKERS

WHILE_STARTING = 0.15
"""Share of the kills that come before it is ready."""
LONGEST = 1.0
"""Seconds that it lives at most."""
SURVIVOR = "import asyncio, sys; from tests.system.survivor import main; asyncio.run(main(*map(int, sys.argv[1:])))"


@dataclass
class Seen:
    """What came of it.

    Attributes:
        kills: How often it was killed.
        acknowledged: Acknowledged effects, of all kinds.
        lost: Acknowledged, and not there.
        doubled: Done twice.
        unreadable: What couldn't be opened or didn't hold together.
    """

    kills: int = 0
    acknowledged: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


class Watcher:
    """Knows what was acknowledged.

    Args:
        folder: An empty one, for home and workspace.
        seed: Of the moments and of what is done.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        workspace = folder / "work"
        workspace.mkdir()
        self.program = Program(folder / "home", workspace)
        self.seen = Seen()
        self._draw = random.Random(seed)
        self._lasting: dict[str, list[Any]] = {}
        """Kind -> what was acknowledged and stays."""
        self._newest: dict[str, Any] = {}
        """Kind -> what was acknowledged last, where the next one takes its place."""
        self._begun: list[tuple[int, str]] = []
        """Under way when it was killed."""
        self._asked: list[int] = []
        self._told = ""
        self._start = 1.0
        self._number = 0

    def kill(self, *, early: bool = False) -> None:
        """Start it, look at what it finds, and kill it.

        Args:
            early: At some moment of its start, or else of what it does then.
        """
        with self.program.start(str(self._number), str(self._draw.randrange(2**31)), code=SURVIVOR) as process:
            self._watched(process, early=early)

    def _watched(self, process: subprocess.Popen[str], *, early: bool) -> None:
        ends = threading.Timer(HANGS, process.kill)
        ends.start()
        assert process.stdout
        lines: list[tuple[str, Any]] = []
        began = time.monotonic()
        if early:
            time.sleep(self._draw.random() * self._start)
        else:
            while text := process.stdout.readline():
                lines.append(tuple(json.loads(text)))
                if lines[-1][0] == "ready":
                    break
            self._start = time.monotonic() - began
            time.sleep(self._draw.random() * LONGEST)
        process.send_signal(signal.SIGKILL)
        assert process.stderr
        # Not by `communicate`, which doesn't know of what `readline` has read ahead.
        out, errors = process.stdout.read(), process.stderr.read()
        ends.cancel()
        if process.wait() != -signal.SIGKILL:
            self.seen.unreadable.append(f"it ended by itself: {errors[-2000:]}")
        # The last line may be torn: that was said to nobody.
        lines += [tuple(json.loads(text)) for text in out.splitlines(keepends=True) if text.endswith("\n")]
        self.seen.kills += 1
        for what, value in lines:
            self._heard(what, value)

    def _heard(self, what: str, value: Any) -> None:
        if what == "found":
            self._compare(value)
        elif what == "told":
            self._told += value
        elif what == "asked":
            self._asked.append(value)
        elif what == "begin":
            self._begun = [(value[0], value[1])]
            self._number = value[0]
        elif what == "done":
            number, kind, told = value
            self._begun = []
            self.seen.acknowledged[kind] += 1
            if kind in ("write", "steer", "app"):
                self._newest[kind] = told
            else:
                self._lasting.setdefault(kind, []).append((number, told))

    def _compare(self, found: dict[str, Any]) -> None:
        """Hold what is there to what was acknowledged."""
        under_way = {kind for _, kind in self._begun}
        if found["trouble"]:
            self.seen.unreadable.append(found["trouble"])
        if found["swap"]:
            self.seen.unreadable.append(f"left in swap: {found['swap']}")
        for kind, key in (("task", "tasks"), ("fact", "facts"), ("event", "events"), ("append", "log")):
            count = Counter(found[key])
            self._lose(kind, [told for _, told in self._lasting.get(kind, []) if not count[told]])
            self._double(kind, [str(told) for told, times in count.items() if times > 1 and told])
        self._compare_effects(found)
        self._compare_talk(found)
        state = found["characters"].get(QUIET, False)
        if "steer" not in under_way and state != self._newest.get("steer", state):
            self._lose("steer", [f"{QUIET} stopped: {state}"])
        self._newest["steer"] = state
        is_open = APP in found["apps"]
        if "app" not in under_way and is_open != self._newest.get("app", is_open):
            self._lose("app", [f"{APP} open: {is_open}"])
        self._newest["app"] = is_open
        version = found["file"].partition("\n")[0]
        if found["file"] != f"{version}\n" * 200 * bool(version):
            self.seen.unreadable.append("note.md is half written")
        if "write" not in under_way and version != self._newest.get("write", version):
            self._lose("write", [version])
        self._newest["write"] = version
        for number in self._asked:
            if f"'ponder {number}'" not in self._told:
                self._lose("ponder", [f"the open question {number}"])
        self._asked = []
        self._begun = []

    def _compare_effects(self, found: dict[str, Any]) -> None:
        pressed = Counter(map(int, found["pressed"]))
        known = {number for number, _ in found["effects"]}
        self._double("press", [str(number) for number, times in pressed.items() if times > 1])
        self._lose("press", [f"pressed {n}" for n, _ in self._lasting.get("press", []) if not pressed[n]])
        # What happened outside is in the history, as done or as undecided.
        self._lose("press", [f"no trace of {number}" for number in pressed if number not in known])
        jobs = Counter(said for said, _ in found["jobs"])
        self._lose("job", [told for _, told in self._lasting.get("job", []) if not jobs[told]])
        self._double("job", [said for said, times in jobs.items() if times > 1])
        self._lose("job", [f"{said} is still said to run" for said, state in found["jobs"] if state == "running"])

    def _compare_talk(self, found: dict[str, Any]) -> None:
        for name in TALKERS:
            talk = found["talk"].get(name, [])
            for number in (number for number, told in self._lasting.get("chat", []) if told == name):
                heard = f"ada: Now {number} it is, and the rain falls on the roof."
                if heard not in talk:
                    self._lose("chat", [f"{name} doesn't know of {number}"])
                elif not any(line.startswith("it: ") for line in talk[talk.index(heard) + 1 :][:1]):
                    self._lose("chat", [f"{name}'s answer to {number}"])
            lines = Counter(line for line in talk if line.startswith("ada: "))
            self._double("chat", [line for line, times in lines.items() if times > 1])

    def _lose(self, kind: str, what: list[str]) -> None:
        self.seen.lost += [f"kill {self.seen.kills}, {kind}: {one}" for one in what]

    def _double(self, kind: str, what: list[str]) -> None:
        self.seen.doubled += [f"kill {self.seen.kills}, {kind}: {one}" for one in what]


def killed(folder: Path, times: int, seed: int = 1) -> Seen:
    """Kill it so many times, then look once more."""
    watcher = Watcher(folder, seed)
    draw = random.Random(seed)
    for _ in range(times):
        watcher.kill(early=draw.random() < WHILE_STARTING)
    watcher.kill()  # looks at what the last one left
    return watcher.seen
