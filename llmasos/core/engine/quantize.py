"""Requantizing a model once, into the cache: another trade between size, speed and exactness."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from llmasos.core.base import paths
from llmasos.core.base.errors import ModelError
from llmasos.core.engine import models
from llmasos.core.engine.native import native

AS_SHIPPED = "as-shipped"
AUTO = "auto"
"""As shipped where the processor multiplies with AMX, which is fast with every quantization, else `q8_0`."""
_FILE_TYPES = {"q8_0": 7, "q4_0": 2}
"""Our names -> llama.cpp's `llama_ftype`."""

_BITS = {"q8_0": 8.5, "q4_0": 4.5}
TYPES = {
    **_FILE_TYPES, "f16": 1, "q4_1": 3, "q5_0": 8, "q5_1": 9, "q2_k": 10, "q3_k_m": 12, "q4_k_m": 15, "q5_k_m": 17,
    "q6_k": 18, "iq4_nl": 25,
}  # fmt: skip
"""What a person may ask for -> llama.cpp's `llama_ftype`."""
_ABANDONED = 3600.0
"""Seconds after which a temporary file belongs to a program that was killed."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """The file to load, and why it isn't the one that was asked for; `note` is empty where it is."""

    path: Path
    note: str = ""


def prepare(source: Path, quantization: str) -> Prepared:
    """The model in the wanted quantization, or as it is where that can't be made.

    Blocks for about a second the first time; call it in a thread.

    Raises:
        ModelError: The model itself is unusable, or there is no such quantization.
    """
    models.check(source)
    if quantization == AUTO:
        quantization = AS_SHIPPED if native().tiles else "q8_0"
    if quantization != AS_SHIPPED and quantization not in _FILE_TYPES:
        names = ", ".join([AUTO, *_FILE_TYPES, AS_SHIPPED])
        raise ModelError(f"There is no quantization {quantization!r}.", f"Choose one of: {names}.")
    if quantization == AS_SHIPPED:
        return Prepared(source)
    try:
        return Prepared(requantize(source, quantization))
    except ModelError as error:
        return Prepared(source, f"{error} The model is used as it is.")


def cached(source: Path, quantization: str) -> Path:
    """Where the requantized model is or will be; named by content: a changed source makes a new one."""
    key = models.fingerprint(source)[:16]
    return paths.cache_dir() / "models" / f"{source.stem}.{key}.{quantization}.gguf"


def requantize(source: Path, quantization: str) -> Path:
    """Make the requantized model unless it is there already.

    Programs that want the same file at once wait for the first; nobody ever sees half a file.

    Raises:
        ModelError: The cache folder can't be written, the disk is full, or the model can't be requantized.
    """
    if models.info(source).quantization.lower() == quantization:
        return source
    target = cached(source, quantization)
    needed = int(models.info(source).parameters * _BITS[quantization] / 8) + (8 << 20)
    once(target, needed, lambda temporary: _make(source, temporary, quantization))
    return target


def write(source: Path, target: Path, quantization: str, prune: Collection[int] = ()) -> Path:
    """Write a model in another quantization, without some of its layers; nobody ever sees half a file.

    Args:
        source: The model; one that is quantized already loses a second time.
        target: Where to.
        quantization: One of `TYPES`.
        prune: Blocks to leave out, counted from 0; the others are numbered anew.

    Raises:
        ModelError: The model is unusable, a layer isn't there, all would go, or the file can't be written.
    """
    layers = models.info(source).layers
    models.check(source)
    if quantization not in TYPES:
        raise ModelError(f"There is no quantization {quantization!r}.", f"Choose one of: {', '.join(TYPES)}.")
    wrong = sorted(layer for layer in prune if not 0 <= layer < layers)
    if wrong or (prune and len(set(prune)) >= layers):
        what = f"{source.name} has no layer {wrong[0]}" if wrong else f"All {layers} layers of {source.name} would go"
        raise ModelError(f"{what}.", f"Its layers are 0 to {layers - 1}; leave some of them.")
    if target.exists() and target.samefile(source):
        raise ModelError(f"{target} is the model itself.", "Name another file with --out.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(target, 8 << 20, lambda temporary: _make(source, temporary, quantization, prune))
    except OSError as error:
        raise ModelError(
            f"The model can't be written to {target}: {error.strerror or error}.",
            "Free some space, or name another file with --out.",
        ) from None
    return target


def once(target: Path, needed: int, make: Callable[[Path], None]) -> None:
    """Make a model file unless it is there already.

    Args:
        target: Where it will be.
        needed: Bytes that it takes.
        make: Writes it to the path it is given.

    Raises:
        ModelError: The cache folder can't be written, the disk is full, or the file can't be made.
    """
    if _usable(target):
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with (target.parent / f"{target.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _usable(target):
                _write(target, needed, make)
    except OSError as error:
        raise ModelError(
            f"The model can't be written to {target.parent}: {error.strerror or error}.",
            "Free some space, or set LLMASOS_CACHE to another folder.",
        ) from None


def _write(target: Path, needed: int, make: Callable[[Path], None]) -> None:
    _sweep(target.parent)
    free = shutil.disk_usage(target.parent).free
    if free < needed:
        raise OSError(28, f"No space left on device ({needed >> 20} MB needed, {free >> 20} MB free)")
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        make(temporary)
        if not _usable(temporary):
            raise OSError(5, "what was written is no model")
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _make(source: Path, target: Path, quantization: str, prune: Collection[int] = ()) -> None:
    api = native().api
    parameters = api.llama_model_quantize_default_params()
    parameters.ftype = TYPES[quantization]
    if prune:
        parameters.prune_layers = (ctypes.c_int32 * (len(prune) + 1))(*sorted(prune), -1)
    parameters.allow_requantize = True
    parameters.nthread = os.cpu_count() or 1
    names = os.fsencode(source), os.fsencode(target)
    failed = api.llama_model_quantize(*names, ctypes.byref(parameters))
    if failed:
        raise OSError(5, f"llama.cpp could not write it (code {failed})")


def _usable(path: Path) -> bool:
    try:
        models.read(path)
    except ModelError:
        return False
    return True


def _sweep(folder: Path) -> None:
    """Remove what killed programs left."""
    for file in folder.glob(".*.tmp"):
        try:
            if time.time() - file.stat().st_mtime > _ABANDONED:
                file.unlink(missing_ok=True)
        except FileNotFoundError:
            continue
