"""A context of 1,024 tokens that was swapped out, sealed, and comes back: against computing it anew.

What a process waits for is timed: get it from the swap, open the seal, give it to the engine. From a file means
from the disk: the file is synced, dropped from the page cache, and seen to be gone from it.
"""

from __future__ import annotations

import asyncio
import ctypes
import importlib
import mmap
import os
import tempfile
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from benchmarks.engine.lab import Prompts, Row, Run, figure, load, note, percentile, ratios, written
from llmasos.core.engine.base import LiveSequence
from llmasos.core.engine.llama import LlamaEngine


def _swap() -> Any:
    """The class `Swap`, or None in a checkout that has none yet."""
    try:
        return importlib.import_module("llmasos.core.kernel.swap").Swap
    except ImportError:
        return None


def rows(run: Run) -> list[Row]:
    """The figures; none where there is no swap yet."""
    make = _swap()
    if make is None:
        note("  There is no llmasos.core.kernel.swap in this checkout: nothing to measure yet.")
        return []
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_rows(run, make(Path(folder) / "swap", memory=256 << 20, disk=1 << 30), Path(folder)))


async def _rows(run: Run, swap: Any, folder: Path) -> list[Row]:
    length, rounds = run.of(1024, 96), run.of(9, 2)
    model = load()
    prompts = Prompts(model)
    engine = await LlamaEngine.create(model, n_ctx=2048, n_seq=4)
    found: dict[str, list[float]] = {}

    async def timed(name: str, action: Awaitable[Any]) -> Any:
        begun = time.perf_counter()
        result = await action
        found.setdefault(name, []).append((time.perf_counter() - begun) * 1e3)
        return result

    async def restored(key: int) -> LiveSequence:
        # The kernel opens seals beside the loop or in it; what counts is that nothing else is going on here.
        state = swap.get(key)
        assert state is not None
        live = await engine.restore(state)
        swap.used(state)
        return live

    async def out(key: int, sequence: LiveSequence) -> None:
        assert swap.put(key, await engine.save(sequence))

    for key in range(rounds + 1):
        prompt = prompts.fresh(length)
        sequence = await engine.open()
        await timed("refill", engine.prefill(sequence, prompt))
        await timed("out", out(key, sequence))
        await engine.close(sequence)

        sequence = await timed("memory", restored(key))
        expected = await written(engine, sequence, [], 2)
        await engine.close(sequence)

        swap.spill(key)
        _drop(folder)
        sequence = await timed("file", restored(key))
        assert sequence.tokens == prompt
        assert await written(engine, sequence, [], 2) == expected, "What came back isn't what went."
        await engine.close(sequence)
        swap.drop(key)
    swap.close()
    await engine.shutdown()
    found = {name: samples[1:] for name, samples in found.items()}  # the first round warms up
    return [
        figure("restore_vs_refill", ratios(found["refill"], found["memory"]), "x", (">=", 200)),
        figure("restore_file_vs_refill", ratios(found["refill"], found["file"]), "x", (">=", 50)),
        figure("refill_ms", found["refill"], "ms"),
        figure("restore_memory_ms", found["memory"], "ms"),
        figure("restore_file_ms", found["file"], "ms"),
        figure("restore_file_p95_ms", found["file"], "ms", value=percentile(found["file"], 95)),
        figure("swap_out_ms", found["out"], "ms"),
    ]


def _drop(folder: Path) -> None:
    """Take all files of a folder out of the page cache.

    Raises:
        SystemExit: They stay in it, so that reading them would be reading memory.
    """
    files = [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size]
    if not files:
        raise SystemExit("Nothing was spilled to the disk.")
    for path in files:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)  # what isn't written yet can't be dropped
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
    cached = sum(map(_cached, files))
    if cached > 0.02 * sum(path.stat().st_size for path in files) / mmap.PAGESIZE:
        raise SystemExit(f"{cached} pages stay in memory. Set TMPDIR to a folder on a disk, not on tmpfs.")


def _cached(path: Path) -> int:
    """How many pages of a file are in memory: `mincore(2)` of a mapping that touches none."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
    size = path.stat().st_size
    pages = ctypes.create_string_buffer(-(-size // mmap.PAGESIZE))
    descriptor = os.open(path, os.O_RDWR)  # the kernel tells only who may write the file
    try:
        address = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
        if address in (None, ctypes.c_void_p(-1).value) or libc.mincore(address, size, pages):
            raise SystemExit(f"Whether {path.name} is in memory can't be told: {os.strerror(ctypes.get_errno())}.")
        libc.munmap(address, size)
    finally:
        os.close(descriptor)
    return sum(page & 1 for page in pages.raw)
