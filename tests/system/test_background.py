"""`llmasos up` and `down`: the kernel outlives those who talk with it."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator

import pytest

from tests.system.program import Program


@pytest.fixture
def running(program: Program) -> Iterator[int]:
    """The process id of a kernel in the background."""
    told = program.ok("up")
    pid = int(re.search(r"process (\d+)", told)[1])  # type: ignore[index]
    yield pid
    program.run("down")


def _ends(pid: int) -> bool:
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_it_stays_and_serves_until_down(program: Program, running: int) -> None:
    program.ok("-c", "tasks.add milk")
    assert "milk" in program.ok("-c", "tasks.list")
    assert str(running) in program.ok("up"), "a second one is not needed"
    os.kill(running, 0)
    assert "ended" in program.ok("down")
    assert _ends(running)
    assert "No kernel" in program.ok("down")
    assert "milk" in program.ok("-c", "tasks.list"), "nothing is lost"


def test_a_term_signal_ends_it(program: Program, running: int) -> None:
    program.ok("-c", "tasks.add milk")
    os.kill(running, signal.SIGTERM)
    assert _ends(running)
    assert "milk" in program.ok("-c", "tasks.list")


def test_it_is_killed_and_the_next_program_goes_on(program: Program, running: int) -> None:
    program.ok("-c", "tasks.add milk")
    os.kill(running, signal.SIGKILL)
    assert "milk" in program.ok("-c", "tasks.list")
    assert "milk" in program.ok("undo") + program.run("undo").stderr


def test_a_job_runs_while_nobody_is_there(program: Program, running: int) -> None:
    (program.workspace / "a.md").write_text("words")
    program.ok("-c", "files.copy a.md b.md &")
    assert "done" in program.ok("-c", "jobs.wait 1") + program.ok("-c", "jobs")
    assert (program.workspace / "b.md").read_text() == "words"


def test_another_policy_is_refused_with_the_remedy(program: Program, running: int) -> None:
    refused = program.run("--policy", "readonly", "-c", "files.list")
    assert refused.returncode == 2 and "llmasos down" in refused.stderr


def test_down_leaves_a_shell_alone(program: Program) -> None:
    with program.start() as shell:
        assert shell.stdin and shell.stdout
        shell.stdin.write("system.time\n")
        shell.stdin.flush()
        assert shell.stdout.readline()
        refused = program.run("down")
        assert refused.returncode == 2 and str(shell.pid) in refused.stderr
        shell.communicate()
    assert shell.returncode == 0


def test_down_with_a_shell_attached_hands_over(program: Program, running: int) -> None:
    with program.start() as shell:
        assert shell.stdin and shell.stdout
        shell.stdin.write("tasks.add milk\n")
        shell.stdin.flush()
        assert shell.stdout.readline()
        assert str(running) in program.ok("down")
        assert "milk" in program.ok("-c", "tasks.list")
        shell.communicate()
    assert shell.returncode == 0


def test_down_ends_a_kernel_with_other_settings_too(program: Program) -> None:
    program.ok("--policy", "developer", "up")
    assert program.run("--policy", "readonly", "-c", "files.list").returncode == 2
    assert "ended" in program.ok("--policy", "readonly", "down")


def test_an_owner_that_is_stopped_is_named(program: Program, running: int) -> None:
    os.kill(running, signal.SIGSTOP)
    try:
        silent = program.run("-c", "system.time", code=SILENT_SOON)
        assert silent.returncode == 1 and str(running) in silent.stderr
    finally:
        os.kill(running, signal.SIGCONT)


SILENT_SOON = """
import sys
from llmasos.client import remote
from llmasos.cli import main
remote.SILENT = 0.5
sys.exit(main(sys.argv[1:]))
"""


def test_a_forked_child_holds_nothing(program: Program) -> None:
    code = """
import os, llmasos
system = llmasos.boot()
if not os.fork():
    os.setsid()
    for descriptor in (0, 1, 2):
        os.close(descriptor)
    import time
    time.sleep(20)
    os._exit(0)
system.call("tasks.add", title="milk")
system.close()
"""
    program.ok(code=code)
    assert "milk" in program.ok("-c", "tasks.list")


def test_the_unit_names_this_program_and_home(program: Program) -> None:
    unit = program.ok("up", "--unit")
    assert f"LLMASOS_HOME={program.home}" in unit and "up --foreground" in unit
