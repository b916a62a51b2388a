"""What a person calls a file: quotes, articles and the word "folder" taken off, reading after reading."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from llmasos.core.base.errors import SyscallError
from llmasos.services.files.place import key

Want = Literal["any", "file", "folder"]

NAME_BYTES = 255
"""What one name may have on every file system that we know."""

PATH_BYTES = 4000
"""What a whole path may have, short of the system's 4,096."""

_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "「": "」", "『": "』", "《": "》", "`": "`"}
_ARTICLE = re.compile(
    r"(?:the|a|an|my|our|your|his|her|their|this|that)\s+|我们的|我的|那个|这个|那份|这份", re.IGNORECASE
)
_SMALL_ARTICLE = re.compile(r"(?:the|a|an|my|our)\s+|我们的|我的|那个|这个")
_FOLDER_AFTER = re.compile(r"\s+(?:sub)?(?:folder|directory|dir)$|\s*(?:文件夹|目录)(?:里面|里|中|下)?$", re.IGNORECASE)
_FOLDER_BEFORE = re.compile(r"(?:folder|directory)\s+(?:(?:called|named)\s+)?|(?:文件夹|目录)\s*(?=\S)", re.IGNORECASE)
_FILE_AFTER = re.compile(r"\s+(?:text\s+)?(?:file|document)s?$|\s*文件$", re.IGNORECASE)
_FILE_BEFORE = re.compile(r"file\s+(?:(?:called|named)\s+)?", re.IGNORECASE)
_SEPARATORS = re.compile(r"[\s_\-.·]+")
_EXTENSION = re.compile(r"\.\w{1,8}$", re.ASCII)

TOP = frozenset(
    {
        "workspace",
        "files",
        "my files",
        "all files",
        "everything",
        "home",
        "工作区",
        "我的文件",
        "所有文件",
        "全部文件",
    }
)
"""What names the workspace's top, where nothing there has that name."""

HERE = frozenset(
    {
        "here",
        "this folder",
        "current folder",
        "the current folder",
        "当前文件夹",
        "当前目录",
        "这里",
        "这个文件夹",
    }
)
"""What names the current folder, likewise."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to understand a name.

    Attributes:
        text: The name or path.
        want: What must be there for this reading to be right.
    """

    text: str
    want: Want = "any"


def clean(said: str) -> str:
    """What was said without surrounding space and quotes.

    Raises:
        SyscallError: EINVAL, it is empty, too long, or holds what no name should.
    """
    text = said.strip()
    while len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
        text = text[1:-1].strip()
    if not text:
        raise SyscallError("EINVAL", "The name is empty.", "Say which file or folder.")
    for character in text:
        # Direction marks make one name look like another; nobody says them.
        if (
            unicodedata.category(character) in ("Cc", "Zl", "Zp")
            or character in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
        ):
            raise SyscallError("EINVAL", f"The name {text[:60]!r} holds a control character.", "Leave it out.")
    if len(text.encode()) > PATH_BYTES:
        raise SyscallError(
            "EINVAL",
            f"The path has {len(text.encode()):,} bytes; {PATH_BYTES:,} is the limit.",
            "Use a shorter one.",
        )
    for part in text.split("/"):
        if len(part.encode()) > NAME_BYTES:
            raise SyscallError(
                "EINVAL",
                f"The name {part[:40]}… is too long: {NAME_BYTES} bytes is the limit.",
                "Use a shorter one.",
            )
    return text


def readings(text: str) -> list[Reading]:
    """How a cleaned name can be understood, the most literal first."""
    slash: Want = "folder" if text.endswith("/") and text.strip("/") else "any"
    found = [Reading(text, slash)]

    def add(reading: str, want: Want) -> None:
        reading = reading.strip()
        if reading and all(reading != known.text or want != known.want for known in found):
            found.append(Reading(reading, want))

    bare = _without(_ARTICLE, text)
    add(bare, slash)
    for form in (text, bare):
        # The word is part of the name in "新文件夹": too little would be left without it.
        for pattern, want in ((_FOLDER_AFTER, "folder"), (_FILE_AFTER, "file")):
            rest = pattern.sub("", form)
            if rest != form and len(rest.strip()) > 1:
                add(rest, "folder" if want == "folder" else "file")
        for pattern, want in ((_FOLDER_BEFORE, "folder"), (_FILE_BEFORE, "file")):
            rest = _without(pattern, form)
            if rest != form:
                add(rest, "folder" if want == "folder" else "file")
    return found


def wants_folder(text: str) -> bool:
    """Whether it says that a folder is meant: a slash at its end, or the word."""
    return any(r.want == "folder" for r in readings(text))


def new_name(text: str, *, folder: bool = False) -> str:
    """The name that something new gets.

    A small article in front of a title goes ("my shopping list"), one in a file name with an extension stays,
    and so does one with a capital ("The Hobbit"). The word "folder" goes where a folder is made.
    """
    text = text.rstrip("/") or text
    if folder:
        for reading in readings(text):
            if reading.want == "folder":
                text = reading.text
                break
    if "/" not in text and not _EXTENSION.search(text):
        text = _without(_SMALL_ARTICLE, text)
    return unicodedata.normalize("NFC", text)


def loose(name: str) -> str:
    """A name without case, Unicode form and separators: `Holiday_Photos` is `holiday photos`."""
    return _SEPARATORS.sub(" ", key(name)).strip()


def stem(name: str) -> str:
    """A name without its extension; `.bashrc` and `2.5 plan` have none."""
    return _EXTENSION.sub("", name) or name


def _without(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.match(text)
    rest = text[match.end() :] if match else text
    return rest if rest.strip() else text
