"""The kernel's end of a document: its bytes go to a confined child, its text comes back."""

from __future__ import annotations

import base64
import importlib.util
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llmasos.core.base.errors import Errno, SyscallError
from llmasos.core.kernel.sandbox import Launcher, Plugin
from llmasos.core.kernel.sandbox.folders import Allowed
from llmasos.core.kernel.sandbox.landlock import Place as Granted
from llmasos.core.kernel.sandbox.worker import Worker
from llmasos.services.files.place import Place
from llmasos.services.files.text import decode, size_words
from llmasos.services.files.trouble import in_words

KINDS = {
    "pdf": "a PDF document",
    "docx": "a Word document",
    "odt": "an OpenDocument text",
    "epub": "an e-book",
    "rtf": "a rich text document",
    "html": "a web page",
    "htm": "a web page",
    "xhtml": "a web page",
}
"""Extensions that are read, and what they are."""
LARGEST = 64 << 20
"""Bytes of a document."""
CHARACTERS = 4_000_000
"""What is kept of one; a long novel has a million."""
SECONDS = 20.0
"""How long one document may take when somebody waits for it."""
_SLOWEST = 15.0
"""Seconds for one answer of the child, after which it hangs."""
_QUICKEST = 3.0
_PIECE = 700_000
_HEADS = {"pdf": b"%PDF-", "rtf": b"{\\rtf", "docx": b"PK\x03\x04", "odt": b"PK\x03\x04", "epub": b"PK\x03\x04"}
_LIBRARIES = {"pdf": ("pypdf",), "docx": ("mammoth", "cobble"), "rtf": ("striprtf",)}
_CHILD = Plugin("documents", "1.0", "Reads documents.", "llmasos", "Apache-2.0", "worker", Path(__file__).parent)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a document.

    Attributes:
        label: Where it is in it, as a person would look it up: "page 3", a heading.
        text: What it says.
    """

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """What a document says.

    Attributes:
        parts: In order.
        note: Why that isn't all; empty where it is.
        hurried: Whether there would be more with more time.
    """

    parts: Sequence[Part]
    note: str = ""
    hurried: bool = False

    @property
    def text(self) -> str:
        """All of it; the number of a page above each, a heading as one."""
        return "\n\n".join(filter(None, (_headed(part) for part in self.parts)))


class Documents:
    """Reads documents, each in a child of its own that ends with it.

    Args:
        launcher: Starts the children.
    """

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher

    async def read(self, place: Place, seconds: float = SECONDS) -> Document:
        """What a document says.

        Args:
            place: Its file, of one of the `KINDS`.
            seconds: What is read by then is what there is.

        Raises:
            SyscallError: EILSEQ, it can't be read, and why; ETIMEDOUT, it takes too long; E2BIG; EAGAIN, nothing can be
                confined here.
        """
        kind, data = _loaded(place)
        timeout = min(_SLOWEST, max(_QUICKEST, seconds))
        worker = Worker(_CHILD, self._launcher, timeout=timeout, idle=60, allowed=lambda: _granted(kind))
        try:
            return await self._parts(worker, place, kind, data, time.monotonic() + seconds)
        except SyscallError as error:
            if error.code in ("EAGAIN", "ECANCELED"):
                raise
            raise _unreadable(place, kind, error) from None
        finally:
            await worker.close()

    async def _parts(self, worker: Worker, place: Place, kind: str, data: bytes, until: float) -> Document:
        encoding = "utf-8"
        if kind == "html":
            decoded = decode(data)
            encoding = decoded.encoding if decoded else encoding
        for at in range(0, len(data), _PIECE):
            await worker.call("more", {"data": base64.b64encode(data[at : at + _PIECE]).decode()})
        count = _number(await worker.call("begin", {"kind": kind, "encoding": encoding}))
        parts: list[Part] = []
        size = 0
        while len(parts) < count:
            try:
                more = _checked(await worker.call("read", {"start": len(parts)}))
            except SyscallError as error:
                if not parts or error.code == "ECANCELED":
                    raise
                return Document(parts, _partial(len(parts), count, f"reading on failed: {_why(error)}"))
            parts += more
            size += sum(len(part.text) for part in more)
            if not more:
                break
            if size >= CHARACTERS:
                return Document(parts, _partial(len(parts), count, "the whole is longer than what is kept"))
            if time.monotonic() > until and len(parts) < count:
                note = _partial(len(parts), count, "the rest takes longer than there is time for")
                return Document(parts, note, hurried=True)
        if not any(part.text for part in parts):
            remedy = (
                "It may be scanned; a program for text recognition makes text of pictures." if kind == "pdf" else ""
            )
            raise SyscallError("EILSEQ", f"{place.shown} has no text in it.", remedy)
        return Document(parts)


def kind_of(name: str) -> str:
    """The kind of document that a name tells, empty for none of ours."""
    extension = name.rpartition(".")[2].lower() if "." in name else ""
    return ("html" if extension in ("htm", "xhtml") else extension) if extension in KINDS else ""


def _loaded(place: Place) -> tuple[str, bytes]:
    kind = kind_of(place.name)
    with in_words(f"read {place.shown}"), place.reader() as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        what = f"{place.shown} has more than {size_words(LARGEST)}."
        raise SyscallError("E2BIG", what, "Documents of that size aren't read; split it.")
    if not data:
        raise SyscallError("EILSEQ", f"{place.shown} is empty.")
    # Some programs write a little before the head of a PDF.
    if kind in _HEADS and _HEADS[kind] not in data[:1024]:
        raise SyscallError("EILSEQ", f"{place.shown} is called {KINDS[kind]}, but it isn't one inside.")
    return kind, data


def _granted(kind: str) -> Allowed:
    """The folders of the libraries that a kind takes, and nothing else."""
    read, names = [], []
    for name in _LIBRARIES.get(kind, ()):
        spec = importlib.util.find_spec(name)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            found = Path(folder).resolve()
            status = found.stat()
            read.append(Granted(str(found), status.st_dev, status.st_ino))
            names.append((name, str(found)))
    return Allowed(read=tuple(read), names=tuple(names))


def _checked(said: object) -> list[Part]:
    """The child's parts. It has read what somebody else wrote, so nothing that it sends is taken as it is."""
    parts = said.get("parts") if isinstance(said, dict) else None
    if not isinstance(parts, list):
        raise SyscallError("EIO", "its reader sent what isn't text")
    for part in parts:
        if not (isinstance(part, list) and len(part) == 2 and all(isinstance(text, str) for text in part)):
            raise SyscallError("EIO", "its reader sent what isn't text")
    return [Part(label[:200], text) for label, text in parts]


def _number(said: object) -> int:
    if type(said) is not int or not 0 <= said <= 1_000_000:
        raise SyscallError("EIO", "its reader sent what isn't a number of parts")
    return said


def _why(error: SyscallError) -> str:
    if error.code == "ETIMEDOUT":
        return "it takes too long"
    if "MemoryError" in error.what:
        return "it takes more memory than a document may have"
    return error.what.rstrip(".") if error.code == "EINVAL" else "it is damaged, or made to break its reader"


def _unreadable(place: Place, kind: str, error: SyscallError) -> SyscallError:
    remedy = error.remedy if error.code == "EINVAL" else "Open it with the program that it was made with."
    why = _why(error)
    code: Errno = "ETIMEDOUT" if error.code == "ETIMEDOUT" else "EILSEQ"
    return SyscallError(code, f"{place.shown} can't be read as {KINDS[kind]}: {why[:1].lower()}{why[1:]}.", remedy)


def _partial(read: int, count: int, why: str) -> str:
    return f"{read:,} of {count:,} parts were read; {why}."


def _headed(part: Part) -> str:
    if not part.label or part.label.startswith("page "):
        return f"[{part.label}]\n{part.text}" if part.label and part.text else part.text
    return f"# {part.label}\n\n{part.text}".strip()
