"""Nothing leaves the machine: a whole request on the real model under a guard, and without a network at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.system.program import CHECKOUT, HANGS, Program

# Loaded by every Python process of the program before anything else, plugin children included.
GUARD = """
import ipaddress, os, sys

def note(words):
    descriptor = os.open(os.environ["GUARD_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, f"{os.getpid()} {words}\\n".encode())
    os.close(descriptor)

def local(host):
    if not host or host in ("localhost", b"localhost"):
        return True
    try:
        return ipaddress.ip_address(host if isinstance(host, str) else host.decode()).is_loopback
    except ValueError:
        return False

def guard(event, args):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind"):
        address = args[1]
        if isinstance(address, tuple) and not local(address[0]):
            note(f"LEFT {event} {address}")
            raise PermissionError(f"{event} {address}")
    elif event in ("socket.getaddrinfo", "socket.gethostbyname") and not local(args[0]):
        note(f"LEFT {event} {args[0]}")
        raise PermissionError(f"{event} {args[0]}")

sys.addaudithook(guard)
note("guarded")
"""

LINES = """\
what time is it
remind me to call Bob tomorrow at 9
character.create Orrin
character.chat Orrin 'good evening'
memory.remember 'the spare key is under the blue pot'
memory.recall 'where is the key'
calculator.evaluate '15% of 80'
app.open guide
search.find key
"""


@pytest.fixture
def guarded(program: Program, tmp_path: Path) -> Program:
    folder = tmp_path / "guard"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(GUARD)
    return replace(
        program, environment={"PYTHONPATH": f"{folder}:{CHECKOUT}", "GUARD_LOG": str(tmp_path / "guard.log")}
    )


def test_nothing_leaves_the_machine(guarded: Program) -> None:
    done = guarded.run(stdin=LINES)
    assert done.returncode == 0, done.stderr
    seen = Path(guarded.environment["GUARD_LOG"]).read_text().splitlines()
    assert [line for line in seen if "LEFT" in line] == []
    assert any("guarded" in line for line in seen), "the guard was there"


@pytest.mark.parametrize(
    "code", ["socket.create_connection(('192.0.2.1', 80), 1)", "socket.getaddrinfo('example.org', 80)"]
)
def test_the_guard_holds(guarded: Program, code: str) -> None:
    done = guarded.run(code=f"import socket; {code}")
    assert done.returncode == 1 and "PermissionError" in done.stderr
    assert "LEFT" in Path(guarded.environment["GUARD_LOG"]).read_text()


def test_it_works_without_a_network(program: Program) -> None:
    unshare = shutil.which("unshare")
    if not unshare or os.geteuid() != 0 or subprocess.run([unshare, "-n", "true"], capture_output=True).returncode:
        pytest.skip("needs the right to make a network namespace")
    command = [unshare, "-n", sys.executable, "-m", "llmasos"]
    done = subprocess.run(
        command,
        input=LINES,
        cwd=program.workspace,
        env=program.variables(),
        text=True,
        capture_output=True,
        timeout=HANGS,
    )
    assert done.returncode == 0, done.stderr
    assert "Bob" in done.stdout
