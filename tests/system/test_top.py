"""`llmasos top` beside a running kernel: as text, as JSON, and live in a real terminal."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from rich.cells import cell_len

from tests.system.program import Program
from tests.system.terminal import ALTERNATE, HIDE, NORMAL, SHOW, Terminal


@pytest.fixture
def kernel(program: Program) -> Iterator[int]:
    """The process id of a shell that carries the kernel; nobody has said a sentence, so no model is loaded."""
    with program.start() as shell:
        assert shell.stdin and shell.stdout
        shell.stdin.write("system.time\n")
        shell.stdin.flush()
        assert shell.stdout.readline()
        yield shell.pid
        shell.kill()


# Once.


def test_a_snapshot_beside_a_shell(program: Program, kernel: int) -> None:
    said = program.json("top", "--once", "--json")
    assert set(said) == {"system", "processes"}
    assert said["system"]["policy"] == "default" and said["system"]["speech"] == "not loaded yet"
    assert [row["program"] for row in said["processes"]].count("shell") == 2, "the shell and the one that looks"
    assert program.json("ps", "--json")["results"][0]["value"]["items"][0].keys() == said["processes"][0].keys()


@pytest.mark.parametrize("args", [["top"], ["top", "--once"]])
def test_into_a_pipe_it_is_plain_text(program: Program, kernel: int, args: list[str]) -> None:
    done = Program(program.home, program.workspace, {"FORCE_COLOR": "1", "TERM": "xterm"}).run(*args)
    assert (done.returncode, done.stderr) == (0, "")
    assert "init" in done.stdout and "policy default" in done.stdout and "not loaded yet" in done.stdout
    assert "\x1b" not in done.stdout and not any(line.endswith(" ") for line in done.stdout.splitlines())


def test_without_a_kernel_it_says_so_and_starts_none(program: Program) -> None:
    for args in (["top"], ["top", "--once"], ["top", "--once", "--json"]):
        done = program.run(*args)
        assert (done.returncode, done.stdout) == (1, "")
        assert "No kernel" in done.stderr and "llmasos up" in done.stderr and "Traceback" not in done.stderr
    assert not program.home.exists()


def test_a_kernel_of_other_settings_is_refused_as_elsewhere(program: Program, kernel: int) -> None:
    done = program.run("--policy", "readonly", "top", "--once")
    assert done.returncode == 2 and "policy default" in done.stderr


# Live.


def watched(terminal: Terminal) -> bool:
    return len(terminal.frames) >= 2 and any("q leaves" in line for line in terminal.frames[-2])


def test_q_leaves_and_gives_the_terminal_back(program: Program, kernel: int) -> None:
    with Terminal(program, "top") as terminal:
        terminal.until(lambda: watched(terminal))
        assert terminal.modes != terminal.before, "keys come without Enter"
        assert any("init" in line for line in terminal.frames[0])
        terminal.press("xq")
        assert terminal.ends() == 0
        given_back(terminal)
        assert b"\x1b[2J" not in terminal.written, "a frame goes over the one before; clearing would flicker"


def given_back(terminal: Terminal) -> None:
    assert terminal.modes == terminal.before
    after = terminal.written.rpartition(ALTERNATE)[2]
    assert after.count(NORMAL) == 1 and after.rindex(SHOW) > after.rindex(HIDE)
    assert b"Traceback" not in terminal.written


def test_ctrl_c_leaves_as_elsewhere(program: Program, kernel: int) -> None:
    with Terminal(program, "top") as terminal:
        terminal.until(lambda: watched(terminal))
        terminal.press("\x03")
        assert terminal.ends() == 130
        given_back(terminal)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_that_end_it_leave_no_ruin(program: Program, kernel: int, number: signal.Signals) -> None:
    with Terminal(program, "top") as terminal:
        terminal.until(lambda: watched(terminal))
        terminal.process.send_signal(number)
        assert terminal.ends() == 128 + number
        given_back(terminal)


def test_a_defect_leaves_no_ruin(program: Program, kernel: int) -> None:
    program.environment = {"LLMASOS_OWNER": "ada"}
    code = "from llmasos.shell import top_view; top_view._counted = None; from llmasos.cli import main; main(['top'])"
    with Terminal(program, code=code) as terminal:
        assert terminal.ends() == 1
        assert b"TypeError" in terminal.written.rpartition(NORMAL)[2], "told on the screen that one comes back to"
        assert terminal.modes == terminal.before


def test_it_follows_the_size_of_the_terminal(program: Program, kernel: int) -> None:
    program.environment = {"COLUMNS": "200", "LINES": "60"}  # as an old shell may have left them
    with Terminal(program, "top", size=(100, 30)) as terminal:
        terminal.until(lambda: watched(terminal))
        assert len(terminal.frames[0]) == 30
        terminal.resize(50, 9)
        terminal.until(lambda: len(terminal.frames) > 1 and len(terminal.frames[-2]) == 9)
        assert max(cell_len(line) for line in terminal.frames[-2]) <= 50
        assert any("init" in line for line in terminal.frames[-2])
        terminal.press("q")
        assert terminal.ends() == 0


def test_ctrl_z_gives_the_terminal_back_until_it_goes_on(program: Program, kernel: int) -> None:
    with Terminal(program, "top") as terminal:
        terminal.until(lambda: watched(terminal))
        terminal.press("\x1a")
        _, status = os.waitpid(terminal.process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        terminal.until(lambda: terminal.written.endswith(NORMAL))
        given_back(terminal)
        terminal.process.send_signal(signal.SIGCONT)
        terminal.until(lambda: terminal.written.count(ALTERNATE) == 2)
        terminal.press("q")
        assert terminal.ends() == 0
        given_back(terminal)


def test_it_goes_on_with_the_next_kernel(program: Program, kernel: int) -> None:
    with Terminal(program, "top") as terminal:
        terminal.until(lambda: watched(terminal))
        os.kill(kernel, signal.SIGKILL)
        terminal.until(lambda: "No kernel runs any more" in str(terminal.frames[-2:]))
        with program.start() as shell:
            assert shell.stdin
            terminal.until(lambda: "No kernel" not in str(terminal.frames[-2]) and watched(terminal))
            shell.communicate("")
        terminal.press("q")
        assert terminal.ends() == 0
