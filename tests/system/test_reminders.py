"""Reminders in real time: shown while they are due, after the program was stopped, and by whoever carries the kernel."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time

from tests.system.program import HANGS, Program

LISTENS = """
import asyncio, json, sys
from pathlib import Path
from llmasos.client import attach
from llmasos.core.base.settings import Settings
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.core.kernel.session import Nobody
from llmasos.shell.seat import each, stdin_lines

async def main():
    client = await attach(Settings.load(), Path.cwd(), Nobody(), engines=ScriptedEngines())
    await client.listen(lambda told: print(json.dumps(dict(told)), flush=True))
    print(json.dumps({"ready": client.owner}), flush=True)
    async for line in each(stdin_lines()):
        await client.handle(line.decode())
        print(json.dumps({"done": line.decode().strip()}), flush=True)
    await client.close()

asyncio.run(main())
"""


def _told(process: subprocess.Popen[str], wanted: str) -> dict[str, object]:
    """The next line that has something."""
    assert process.stdout
    ends = threading.Timer(HANGS, process.kill)
    ends.start()
    try:
        for line in process.stdout:
            told: dict[str, object] = json.loads(line)
            if wanted in told:
                return told
    finally:
        ends.cancel()
    raise AssertionError(f"{wanted} was never told")


def _say(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    _told(process, "done")


def test_at_its_time_and_in_every_program(program: Program) -> None:
    with program.start(code=LISTENS) as one, program.start(code=LISTENS) as two:
        _told(one, "ready"), _told(two, "ready")
        began = time.monotonic()
        _say(two, "schedule.add tea 'in 3 seconds'")
        assert _told(one, "title")["title"] == _told(two, "title")["title"] == "tea"
        assert time.monotonic() - began > 1
        one.communicate(), two.communicate()


def test_in_a_minute_is_in_a_minute(program: Program) -> None:
    with program.start(code=LISTENS) as one:
        _told(one, "ready")
        began = time.monotonic()
        _say(one, "schedule.add tea 'in 1 minute'")
        assert _told(one, "title")["title"] == "tea"
        assert time.monotonic() - began > 58
        one.communicate()


def test_a_stopped_program_tells_when_it_goes_on(program: Program) -> None:
    with program.start(code=LISTENS) as one:
        _told(one, "ready")
        _say(one, "schedule.add tea 'in 2 seconds'")
        os.kill(one.pid, signal.SIGSTOP)
        time.sleep(4)
        os.kill(one.pid, signal.SIGCONT)
        assert _told(one, "title")["title"] == "tea"
        one.communicate()


def test_who_takes_over_rings_on(program: Program) -> None:
    with program.start(code=LISTENS) as one:
        _told(one, "ready")
        with program.start(code=LISTENS) as two:
            assert _told(two, "ready")["ready"] == one.pid
            _say(two, "schedule.add tea 'in 4 seconds'")
            one.kill()
            one.communicate()
            assert _told(two, "title")["title"] == "tea"
            two.communicate()


def test_what_came_while_nobody_listened_is_told_once_as_missed_or_late(program: Program) -> None:
    program.ok("-c", "schedule.add tea 'in 1 second'")
    time.sleep(2)
    with program.start(code=LISTENS) as one:
        assert _told(one, "title")["title"] == "tea"
        one.communicate()
    with program.start(code=LISTENS) as again:
        out, _ = again.communicate()
    assert "tea" not in out


def test_what_comes_while_the_kernel_runs_and_nobody_listens_waits_for_the_next(program: Program) -> None:
    program.ok("up")
    try:
        with program.start(code=LISTENS) as one:
            _told(one, "ready")
            one.communicate()
        program.ok("-c", "schedule.add tea 'in 1 second'")
        time.sleep(2)
        with program.start(code=LISTENS) as two:
            assert _told(two, "title")["title"] == "tea"
            two.communicate()
    finally:
        program.run("down")
