"""The process in which a target reads its inputs: python -m benchmarks.fuzz.worker, started by campaign.py.

Each input is written to a file in shared memory before it is read, so that one that takes the interpreter down with it
is known all the same. A reader that takes too much processor time or memory is stopped, as one that raises what it
doesn't document, and the next input has its turn.
"""

from __future__ import annotations

import gc
import hashlib
import json
import logging
import mmap
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from struct import Struct
from types import FrameType
from typing import Any

from benchmarks.fuzz.target import Target
from benchmarks.fuzz.targets import TARGETS
from llmasos.core.base.paths import PACKAGE

SECONDS = 5.0
"""Processor time that one input may take."""
MEMORY = 1 << 30
"""Bytes that a worker may take beside those that it has when it begins."""
ROOM = 4 << 20
"""Bytes of the file in shared memory."""
HEAD = Struct("<QQ")
"""Number of the input that is being read, and its length."""
_KINDS = 30
"""Different findings of one target that are written down; of the others only the number is known."""


class Hang(BaseException):
    """An input took too long; no `except Exception` swallows it."""


def number_of(seed: int, target: str, number: int) -> Random:
    """What draws an input: the same for the same seed, target and number."""
    return Random(f"{seed}/{target}/{number}")


@contextmanager
def in_time(seconds: float = SECONDS) -> Iterator[None]:
    """Raise `Hang` in the block where it takes more processor time; waiting doesn't count, the campaign sees that."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise Hang


def watch() -> None:
    """Let `in_time` stop what this process runs."""
    signal.signal(signal.SIGPROF, _stop)


def prepare() -> None:
    """Limits of this process, and nothing said while it works."""
    watch()
    os.environ.pop("DBUS_SESSION_BUS_ADDRESS", None)  # no keys into anybody's desktop
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    logging.disable(logging.CRITICAL)


def bound() -> None:
    """From now on this process may take so much more memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def read(target: Target, data: bytes, seconds: float = SECONDS) -> BaseException | None:
    """Have an input read; what it raised, where it may not."""
    try:
        with in_time(seconds):
            target.run(data)
    except target.expected:
        raise
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - what is looked for
        return error
    return None


def kind_of(error: BaseException) -> str:
    """What tells a finding from another: the error, and where in the product it came up."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(str(PACKAGE))] or frames
    place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "nowhere"
    return f"{type(error).__name__} at {place}"


class Findings:
    """What came up, each kind once in a file with how to see it again.

    Args:
        folder: Where the files go.
        target: Whose they are.
    """

    def __init__(self, folder: Path, target: str) -> None:
        self._folder, self._target = folder, target
        self.kinds: dict[str, dict[str, Any]] = {}
        self.hangs = self.crashes = 0

    def told(self) -> dict[str, Any]:
        """All of it, for who reads what a worker reports."""
        return {"crashes": self.crashes, "hangs": self.hangs, "kinds": list(self.kinds.values())}

    def add(self, error: BaseException, number: int, data: bytes) -> None:
        """One more."""
        if isinstance(error, Hang):
            self.hangs += 1
        else:
            self.crashes += 1
        kind = kind_of(error)
        known = self.kinds.get(kind)
        if known:
            known["count"] += 1
        elif len(self.kinds) < _KINDS:
            said = "".join(traceback.format_exception(error, limit=-12))
            self.kinds[kind] = {
                "kind": kind,
                "count": 1,
                "number": number,
                "file": keep(self._folder, self._target, data, said),
            }


def keep(folder: Path, target: str, data: bytes, said: str) -> str:
    """Write an input to a file, and beside it what it did and how to see that again."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{target}-{hashlib.sha256(data).hexdigest()[:12]}"
    path.write_bytes(data)
    again = f"python -m benchmarks.fuzz --one {target} {path}"
    path.with_suffix(".txt").write_text(f"{again}\n\n{said}\n", encoding="utf-8", errors="backslashreplace")
    return str(path)


def work(task: dict[str, Any]) -> dict[str, Any]:
    """Read the inputs of a task; what came of it."""
    prepare()
    name, seed, first, count = task["target"], task["seed"], task["first"], task["count"]
    findings = Findings(Path(task["findings"]), name)
    taken = 0
    with (
        tempfile.TemporaryDirectory(dir=_memory()) as folder,
        Path(task["beacon"]).open("r+b") as file,
        mmap.mmap(file.fileno(), ROOM) as beacon,
    ):
        target = TARGETS[name](Path(folder))
        bound()
        began, used = time.monotonic(), time.process_time()
        for number in range(first, first + count):
            data = target.make(number_of(seed, name, number))
            beacon[: HEAD.size] = HEAD.pack(number, len(data))
            shown = data[: ROOM - HEAD.size]
            beacon[HEAD.size : HEAD.size + len(shown)] = shown
            try:
                error = read(target, data, task["seconds"])
            except target.expected:
                continue
            if error is None:
                taken += 1
                continue
            findings.add(error, number, data)
            # At once: a later input may end the process.
            told = {"taken": taken, **findings.told()}
            Path(task["result"]).with_suffix(".partial").write_text(json.dumps(told), encoding="utf-8")
            del error
            gc.collect()
            # What was cut off in the middle may be in no state to go on from.
            target.close()
            target = TARGETS[name](Path(tempfile.mkdtemp(dir=folder)))
        target.close()
    return {
        "inputs": count, "taken": taken, "seconds": time.monotonic() - began, "used": time.process_time() - used,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        **findings.told(),
    }  # fmt: skip


def _memory() -> str | None:
    """A folder in memory where there is one: some targets read files, and the disk isn't what is tested."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def main() -> None:
    """Do the task that stands on the command line; write what came of it where it says."""
    task = json.loads(sys.argv[1])
    sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for the life of the process
    done = work(task)
    result = Path(task["result"])
    fresh = result.with_suffix(".new")
    fresh.write_text(json.dumps(done), encoding="utf-8")
    fresh.replace(result)
    os._exit(0)  # threads of what was read may still wait


if __name__ == "__main__":
    main()
