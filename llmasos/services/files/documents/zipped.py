"""Documents that are ZIP archives: Word by mammoth, OpenDocument and e-books by the standard library."""

from __future__ import annotations

import io
import lzma
import posixpath
import zipfile
import zlib
from urllib.parse import unquote
from xml.etree import ElementTree

from llmasos.sdk import ToolError

from . import markup
from .clean import clean
from .libraries import library

UNPACKED = 128 << 20
"""Bytes that an archive may unpack to."""
FILES = 10_000
DEEPEST = 200
"""Elements of a paragraph in each other."""
_UNREADABLE = (KeyError, RuntimeError, ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)
"""What reading a file of an archive raises; RuntimeError where it has a password, or is packed in another way."""
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_CONTAINER = "{urn:oasis:names:tc:opendocument:xmlns:container}"
_PACKAGE = "{http://www.idpf.org/2007/opf}"


def word(data: bytes) -> list[tuple[str, str]]:
    """A Word document, a part for each heading."""
    _opened(data).close()
    library("cobble")
    mammoth = library("mammoth")
    made = mammoth.convert_to_html(io.BytesIO(data), convert_image=lambda image: [])
    return markup.parts(made.value)


def open_document(data: bytes) -> list[tuple[str, str]]:
    """An OpenDocument text, a part for each heading."""
    with _opened(data) as archive:
        root = _parsed(archive, "content.xml")
    found: list[tuple[str, str]] = []
    heading, said = "", list[str]()
    for element in root.iter():
        if element.tag == f"{_TEXT}h":
            found.append((heading, clean("\n\n".join(said))))
            heading, said = clean(_words(element)), []
        elif element.tag == f"{_TEXT}p":
            said.append(_words(element))
    found.append((heading, clean("\n\n".join(said))))
    return [part for part in found if any(part)]


def book(data: bytes) -> list[tuple[str, str]]:
    """An e-book in the order in which it is read."""
    with _opened(data) as archive:
        container = _parsed(archive, "META-INF/container.xml")
        root = container.find(f".//{_CONTAINER}rootfile")
        path = root.get("full-path", "") if root is not None else ""
        package = _parsed(archive, path)
        files = {item.get("id"): item.get("href", "") for item in package.iter(f"{_PACKAGE}item")}
        found: list[tuple[str, str]] = []
        for place in package.iter(f"{_PACKAGE}itemref"):
            name = posixpath.normpath(
                posixpath.join(posixpath.dirname(path), unquote(files.get(place.get("idref"), "")))
            )
            if name in archive.namelist():
                found += markup.parts(_file(archive, name).decode("utf-8", "replace"))
    return found


def _words(element: ElementTree.Element, depth: int = 0) -> str:
    """What an OpenDocument paragraph says, with its blanks."""
    if depth > DEEPEST:
        raise ToolError("It is damaged, or made to break its reader: it is nested too deeply.")
    said = element.text or ""
    for inner in element:
        if inner.tag in (f"{_TEXT}s", f"{_TEXT}tab"):
            said += " "
        elif inner.tag == f"{_TEXT}line-break":
            said += "\n"
        elif inner.tag not in (f"{_TEXT}p", f"{_TEXT}h", f"{_TEXT}note"):
            said += _words(inner, depth + 1)
        said += inner.tail or ""
    return said


def _opened(data: bytes) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except _UNREADABLE:
        raise ToolError("It is damaged: it isn't a whole archive.") from None
    files = archive.infolist()
    size = sum(file.file_size for file in files)  # more than it says of itself isn't unpacked
    if size > UNPACKED or len(files) > FILES:
        raise ToolError(f"It would unpack to {size >> 20:,} MB in {len(files):,} files, which is too much.")
    return archive


def _parsed(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(_file(archive, name))  # noqa: S314 - in a child with limits
    except (ElementTree.ParseError, ValueError, LookupError):  # an encoding of many bytes, or of no known name
        raise ToolError(f"It is damaged: {name[:60]} is no XML that can be read.") from None


def _file(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        return archive.read(name)
    except _UNREADABLE:
        raise ToolError(f"It is damaged or locked: {name[:60] or 'its list of contents'} can't be read.") from None
