"""AMX: a thread's first fault gets it the shapes of its tiles, any other illegal instruction ends the program."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from llmasos.core.engine import tiles
from llmasos.core.engine.tiles_trial import agree

LOAD, MULTIPLY, ADD = bytes.fromhex("c4e27b4b"), bytes.fromhex("c4e2735e"), bytes.fromhex("c4e27558")
NO_SHAPES = b"\1".ljust(64, b"\0")


@pytest.fixture(autouse=True)
def switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(tiles.SWITCH, raising=False)


class Frame:
    """What Linux hands to a signal's handler, as far as it is read."""

    def __init__(self, instruction: bytes, *, size: int = 2816, shapes: bytes = NO_SHAPES) -> None:
        self.code = ctypes.create_string_buffer(instruction, 16)
        self.state = ctypes.create_string_buffer(4096)
        self.context = ctypes.create_string_buffer(512)
        ctypes.c_uint32.from_buffer(self.state, 464).value = 0x46505853
        ctypes.c_uint32.from_buffer(self.state, 480).value = size
        self.state[2752:2816] = shapes
        ctypes.c_uint64.from_buffer(self.context, 168).value = ctypes.addressof(self.code)
        ctypes.c_uint64.from_buffer(self.context, 224).value = ctypes.addressof(self.state)

    def answered(self) -> bool:
        return tiles._reshaped(ctypes.addressof(self.context))

    @property
    def shapes(self) -> bytes:
        return self.state.raw[2752:2816]


def test_the_shapes_are_those_of_ggmls_kernels() -> None:
    shape = tiles.shape()
    assert len(shape) == 64
    assert shape[:2] == b"\1\0"
    assert [int.from_bytes(shape[16 + 2 * n : 18 + 2 * n], "little") for n in range(8)] == [
        64,
        64,
        32,
        32,
        64,
        64,
        64,
        64,
    ]
    assert list(shape[48:56]) == [8, 8, 16, 16, 16, 16, 16, 16]
    assert not any(shape[2:16]) and not any(shape[32:48]) and not any(shape[56:])


@pytest.mark.parametrize("instruction", [LOAD, MULTIPLY])
@pytest.mark.parametrize("size", [2816, 11008])
def test_a_thread_without_shapes_gets_them(instruction: bytes, size: int) -> None:
    frame = Frame(instruction, size=size)
    assert frame.answered()
    assert frame.shapes == tiles.shape()
    assert ctypes.c_uint64.from_buffer(frame.state, 512).value == 1 << 17


@pytest.mark.parametrize(
    "frame",
    [
        Frame(ADD),
        Frame(b"\x0f\x0b\0\0"),
        Frame(LOAD, size=2700),
        Frame(LOAD, size=3000),
        Frame(LOAD, shapes=tiles.shape()),
    ],
    ids=["another vector instruction", "ud2", "no room for shapes", "an unknown layout", "shapes that are right"],
)
def test_what_has_another_cause_is_left_alone(frame: Frame) -> None:
    before = frame.state.raw
    assert not frame.answered()
    assert frame.state.raw == before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="signals of Linux")
def test_another_illegal_instruction_ends_the_program() -> None:
    code = """
import ctypes, mmap
from llmasos.core.engine.tiles import answer_faults
assert answer_faults() and answer_faults()
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(bytes.fromhex("0f0b"))
print("before", flush=True)
ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
print("after", flush=True)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (-4, b"before\n")


def test_a_verdict_is_found_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = tmp_path / "library"
    library.write_bytes(b"1")
    monkeypatch.setenv("LLMASOS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tiles, "has_tiles", lambda: True)
    verdicts = iter([True, False])
    monkeypatch.setattr(tiles, "_tried", lambda _model: next(verdicts))
    assert tiles.trusted(library, tmp_path)
    assert tiles.trusted(library, tmp_path)
    library.write_bytes(b"another build")
    assert not tiles.trusted(library, tmp_path)
    assert not tiles.trusted(library, tmp_path)
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_a_trial_without_end_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMASOS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tiles, "has_tiles", lambda: True)
    verdicts = iter([None, True])
    monkeypatch.setattr(tiles, "_tried", lambda _model: next(verdicts))
    assert not tiles.trusted(tmp_path, tmp_path)
    assert tiles.trusted(tmp_path, tmp_path)


def test_switched_off_nothing_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "has_tiles", lambda: True)
    monkeypatch.setattr(tiles, "_tried", pytest.fail)
    monkeypatch.setenv(tiles.SWITCH, "off")
    assert not tiles.trusted(tmp_path, tmp_path)


def test_a_trial_that_crashes_is_a_no(tmp_path: Path) -> None:
    assert tiles._tried(tmp_path / "no model") is False


def test_rounding_agrees_and_wrong_shapes_do_not() -> None:
    order = np.random.default_rng(1)
    logits = order.normal(size=49152).astype(np.float32) * 4
    assert agree(logits, logits + order.normal(size=49152).astype(np.float32) * 0.3)
    assert not agree(logits, order.permutation(logits))
    assert not agree(logits, np.full_like(logits, np.nan))


@pytest.mark.skipif(not tiles.has_tiles(), reason="a processor without AMX")
def test_the_real_model_is_read_the_same_with_tiles() -> None:
    from llmasos.core.engine import models

    assert tiles._tried(models.locate("smollm2"))


@pytest.mark.parametrize(("switch", "used"), [("off", False), ("", tiles.has_tiles())])
def test_what_the_switch_says_is_done(switch: str, used: bool) -> None:
    code = "from llmasos.core.engine.native import native; print(native().tiles)"
    environment = {**os.environ, tiles.SWITCH: switch}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert (done.stdout, done.stderr) == (f"{used}\n", "")
