"""What a person waits for and what it costs in memory: the prompt, one sentence from the command line, a loaded system."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.row import at_most, row
from llmasos.compose import compose
from llmasos.core.base.settings import Settings
from llmasos.core.kernel.session import Nobody
from llmasos.services.system import resident_mb

COMMAND = "llmasos bench startup --json"
PROMPT = "❯".encode()
RUNS = 7


def rows() -> list[dict[str, Any]]:
    """The figures."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "LLMASOS_HOME": f"{folder}/home", "LLMASOS_WORKSPACE": folder, "TERM": "xterm"}
        _once(environment)  # the first start makes the keyring and, once for all, the requantized model
        prompt = _samples(lambda: _prompt(environment))
        once = _samples(lambda: _once(environment))
        explicit = _samples(lambda: _once(environment, "system.time"))
    loaded = asyncio.run(_loaded())
    return [
        row(
            "prompt_s",
            statistics.median(prompt),
            "s",
            n=RUNS,
            command=COMMAND,
            samples=prompt,
            **at_most(statistics.median(prompt), 1.5),
        ),
        row(
            "once_s",
            statistics.median(once),
            "s",
            n=RUNS,
            command=COMMAND,
            samples=once,
            **at_most(statistics.median(once), 3),
        ),
        row("once_explicit_s", statistics.median(explicit), "s", n=RUNS, command=COMMAND, samples=explicit),
        row("pss_loaded_mb", loaded, "MB", n=1, command=COMMAND, **at_most(loaded, 600)),
    ]


def _samples(measure: Callable[[], float]) -> list[float]:
    return [measure() for _ in range(RUNS)]


def _once(environment: dict[str, str], sentence: str = "what time is it") -> float:
    started = time.perf_counter()
    command = [sys.executable, "-m", "llmasos", "-c", sentence]
    subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return time.perf_counter() - started


def _prompt(environment: dict[str, str]) -> float:
    """Seconds until the shell's prompt is on a terminal."""
    ours, theirs = pty.openpty()
    started = time.perf_counter()
    shell = subprocess.Popen(
        [sys.executable, "-m", "llmasos"], env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    seen = b""
    try:
        while PROMPT not in seen:
            ready, _, _ = select.select([ours], [], [], 60)
            if not ready:
                raise TimeoutError(f"no prompt after 60 s, only {seen[-200:]!r}")
            seen += os.read(ours, 4096)
            # prompt_toolkit asks the terminal where the cursor is and waits for the answer.
            if b"\x1b[6n" in seen:
                seen = seen.replace(b"\x1b[6n", b"")
                os.write(ours, b"\x1b[1;1R")
        return time.perf_counter() - started
    finally:
        shell.kill()
        shell.wait()
        os.close(ours)


async def _loaded() -> float:
    """PSS in MB with both contexts and the embedder loaded, children included, after a sentence, a search and some words."""
    with tempfile.TemporaryDirectory() as folder:
        machine = await compose(Settings.load(home=Path(folder) / "home", seed=1))
        try:
            process, session = machine.session(Path(folder), Nobody())
            for sentence in (
                "remember that the key is under the pot",
                "where is the key",
                "assistant.answer why is the sky blue",
            ):
                await machine.requests.handle(process, session, sentence)
            return resident_mb()
        finally:
            await machine.close()
