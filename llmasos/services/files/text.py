"""Whether a file is text, in which encoding, and if not, what it is."""

from __future__ import annotations

import codecs
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path

SHOWN = 256 * 1024
"""Bytes of a file that are shown."""

_PROBED = 64 * 1024
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "a PDF document"),
    (b"\x89PNG\r\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a Windows program"),
    (b"SQLite format 3", "an SQLite database"),
    (b"ID3", "an MP3 recording"),
    (b"OggS", "an Ogg recording"),
    (b"fLaC", "a FLAC recording"),
    (b"GGUF", "a GGUF model"),
)
_ZIPPED = {
    ".docx": "a Word document",
    ".xlsx": "an Excel workbook",
    ".pptx": "a PowerPoint presentation",
    ".odt": "an OpenDocument text",
    ".ods": "an OpenDocument spreadsheet",
    ".epub": "an e-book",
    ".jar": "a Java archive",
}


@dataclass(frozen=True, slots=True)
class Text:
    """A text from a file.

    Attributes:
        words: What it says, without a byte order mark.
        encoding: A codec name of Python's; written back with it, the file stays what it was.
    """

    words: str
    encoding: str


def decode(data: bytes, *, cut: bool = False) -> Text | None:
    """The text in some bytes, or None where they are none.

    Marks come first, then UTF-8, then UTF-16 without a mark, then GB18030 where nearly all that isn't ASCII
    becomes everyday Chinese, and Latin-1 last, which never fails.

    Args:
        data: The bytes.
        cut: Whether they are the beginning of more, so that the last character may be half of one.
    """
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            words = _decoded(data, encoding, cut)
            return None if words is None else Text(words, encoding)
    if b"\0" in data:
        return _utf16(data, cut)
    if len(_CONTROL.findall(data[:_PROBED])) > len(data[:_PROBED]) // 200:
        return None
    for encoding in ("utf-8", "gb18030", "latin-1"):
        words = _decoded(data, encoding, cut)
        if words is not None and (encoding != "gb18030" or _chinese(words)):
            return Text(words, encoding)
    return None


def encode(words: str, encoding: str) -> bytes:
    """Words to be added to a file of an encoding.

    Raises:
        UnicodeEncodeError: The encoding has no such characters.
    """
    # The mark stands at the file's beginning only. Which byte order an unmarked rest has is told by the
    # probe's codec.
    return words.encode({"utf-8-sig": "utf-8"}.get(encoding, encoding))


def kind(name: str, head: bytes) -> str:
    """What a file that is no text is, with an article."""
    for magic, what in _MAGIC:
        if head.startswith(magic):
            return _ZIPPED.get(Path(name).suffix.lower(), what) if magic.startswith(b"PK") else what
    if head[4:8] == b"ftyp":
        return "a film or recording"
    if head[:4] == b"RIFF":
        return {b"WAVE": "a WAV recording", b"WEBP": "a WebP picture", b"AVI ": "an AVI film"}.get(
            head[8:12], "a media file"
        )
    guessed = mimetypes.guess_type(name)[0]
    return f"a binary file ({guessed})" if guessed and not guessed.startswith("text/") else "a binary file"


def size_words(size: int) -> str:
    """A size as people read it: 512 B, 1.2 KB, 34 MB."""
    amount = float(size)
    for unit in ("B", "KB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 10 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def _decoded(data: bytes, encoding: str, cut: bool) -> str | None:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(data, final=not cut)
    except UnicodeDecodeError:
        return None


def _utf16(data: bytes, cut: bool) -> Text | None:
    """UTF-16 without a mark: the zero bytes are all on one side."""
    even, odd = data[0::2].count(0), data[1::2].count(0)
    if min(even, odd) > 0 or max(even, odd) < len(data) // 8:
        return None
    encoding = "utf-16-le" if odd else "utf-16-be"
    words = _decoded(data, encoding, cut)
    return None if words is None or _CONTROL.search(words.encode("utf-8", "replace")) else Text(words, encoding)


def _chinese(words: str) -> bool:
    """Whether a text read as GB18030 makes sense: an accident rarely hits the daily characters of GB 2312."""
    foreign = [c for c in words if c > "\x7f"]
    usual = sum(1 for c in foreign if _in_gb2312(c))
    return bool(foreign) and usual >= 0.9 * len(foreign)


def _in_gb2312(character: str) -> bool:
    try:
        return len(character.encode("gb2312")) == 2
    except UnicodeEncodeError:
        return False
