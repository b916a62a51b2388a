"""Runs in a child: takes one document's bytes, gives its text back in parts. Knows no other file."""

from __future__ import annotations

import base64
import importlib
import time
from typing import Any

from llmasos.sdk import ToolError, syscall

from . import markup, zipped
from .clean import clean
from .libraries import library
from .pdf import Pages

ANSWER = 300_000
"""Characters of one answer; in bytes it can be three times as much."""
SECONDS = 1.0
"""After this an answer is given with the pages that there are."""
_got: list[bytes] = []
_pages: list[Pages] = []
_parts: list[tuple[str, str]] = []


@syscall(effect="read")
def more(data: str) -> int:
    """Take the next bytes of the document.

    Args:
        data: In base 64.
    """
    _got.append(base64.b64decode(data))
    return sum(map(len, _got))


@syscall(effect="read")
def begin(kind: str, encoding: str) -> int:
    """Open the document; how many parts it has.

    Args:
        kind: pdf, docx, odt, epub, rtf or html.
        encoding: Of a web page.
    """
    data = b"".join(_got)
    _got.clear()
    if kind == "pdf":
        _pages.append(Pages(data))
        return len(_pages[0])
    found = _whole(kind, data, encoding)
    for label, text in found:  # a long part in several, so that each fits into an answer
        _parts.extend((label, text[at : at + ANSWER]) for at in range(0, max(1, len(text)), ANSWER))
    return len(_parts)


@syscall(effect="read")
def read(start: int) -> dict[str, Any]:
    """Some parts from a number on, and where to go on.

    Args:
        start: The first part, counted from 0.
    """
    until = time.monotonic() + SECONDS
    found: list[tuple[str, str]] = []
    count = len(_pages[0]) if _pages else len(_parts)
    size = 0
    for number in range(start, count):
        label, text = (f"page {number + 1}", _pages[0][number][:ANSWER]) if _pages else _parts[number]
        if found and size + len(text) > ANSWER:
            break
        found.append((label, text))
        size += len(text)
        if time.monotonic() > until:
            break
    return {"parts": found, "next": start + len(found)}


def _whole(kind: str, data: bytes, encoding: str) -> list[tuple[str, str]]:
    if kind == "docx":
        return zipped.word(data)
    if kind == "odt":
        return zipped.open_document(data)
    if kind == "epub":
        return zipped.book(data)
    if kind == "rtf":
        library("striprtf")
        striprtf = importlib.import_module("striprtf.striprtf")
        return [("", clean(striprtf.rtf_to_text(data.decode("latin-1"), errors="ignore")))]
    if kind == "html":
        return markup.parts(data.decode(encoding, "replace"))
    raise ToolError(f"There is no reader for {kind[:40]!r}.")
