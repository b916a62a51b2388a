"""Programs of one home, of which the owner is killed again and again; used by a test and, longer, by a benchmark."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.system.program import HANGS, Program

WORKS = """
import asyncio, json, sys
from pathlib import Path
from llmasos.client import attach
from llmasos.core.base.settings import Settings
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.core.kernel.session import Nobody
from llmasos.shell.seat import each

async def main():
    client = await attach(Settings.load(), Path.cwd(), Nobody(), engines=ScriptedEngines())
    print(json.dumps({"owner": client.owner}), flush=True)
    async for line in each(sys.stdin):
        try:
            outcome = await client.handle(line.strip())
            told = [r.value if r.ok else r.message for r in outcome.results]
            print(json.dumps({"ok": outcome.ok, "told": told, "owner": client.owner}), flush=True)
        except Exception as error:
            print(json.dumps({"ok": False, "told": [str(error)], "owner": client.owner}), flush=True)
    await client.close()

asyncio.run(main())
"""


@dataclass
class Round:
    """What was seen in one home.

    Attributes:
        acknowledged: Titles of to-dos that a program said were added.
        doubtful: Titles that were under way when their program, or the owner, was killed.
        waits: Seconds from a kill to the next answer of another program.
    """

    acknowledged: list[str] = field(default_factory=list)
    doubtful: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)


def killed(home: Path, workspace: Path, times: int, seed: int = 1) -> tuple[Round, list[str]]:
    """Kill the owner some times while it and a guest add to-dos; what was seen, and the titles that are there at the end."""
    order = random.Random(seed)
    program = Program(home, workspace)
    seen = Round()
    owner, guest = program.start(code=WORKS), None
    _told(owner)
    for number in range(times):
        guest = program.start(code=WORKS)
        assert _told(guest)["owner"] == owner.pid
        for who, process in (("owner", owner), ("guest", guest)):
            _add(process, seen, f"{who} {number}")
        # In the middle of something, or between two things.
        _send(owner, f"tasks.add 'late {number}'")
        seen.doubtful.append(f"late {number}")
        time.sleep(order.random() * 0.02)
        owner.send_signal(signal.SIGKILL)
        began = time.monotonic()
        _add(guest, seen, f"after {number}")
        seen.waits.append(time.monotonic() - began)
        owner.communicate()
        owner = guest
    listed = _ask(owner, "tasks.list")
    titles = [row["title"] for row in listed["told"][0]["items"]]
    owner.communicate()
    return seen, titles


def _add(process: subprocess.Popen[str], seen: Round, title: str) -> None:
    answer = _ask(process, f"tasks.add '{title}'")
    assert answer["ok"], answer
    seen.acknowledged.append(title)


def _ask(process: subprocess.Popen[str], line: str) -> dict[str, Any]:
    _send(process, line)
    return _told(process)


def _send(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def _told(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout
    ends = threading.Timer(HANGS, process.kill)
    ends.start()
    line = process.stdout.readline()
    ends.cancel()
    assert line, process.stderr.read() if process.stderr else ""
    told: dict[str, Any] = json.loads(line)
    return told
