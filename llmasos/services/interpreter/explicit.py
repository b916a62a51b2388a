"""What never needs the model: written calls (`files.read notes.md`) and the habits of a Unix shell (`mv a b`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from llmasos.core.base.errors import UsageError
from llmasos.core.base.types import Call, Program
from llmasos.core.kernel.syscall import Syscall, SyscallTable

_NAME = re.compile(r"[a-z][\w-]*\.[a-z_]\w*", re.ASCII)
_ASSIGNMENT = re.compile(r"([a-z_]\w*)=(.*)", re.ASCII | re.DOTALL)
_JOB = re.compile(r"[0-9]{1,9}")
_CHANGES = re.compile(r"#?\d{1,9}")
_PIECE = re.compile(
    r"""(?P<blank>[ \t\r\n]++)|'(?P<single>[^']*+)'|"(?P<double>[^"\\]*+(?:\\.[^"\\]*+)*+)"|\\(?P<escaped>.)"""
    r"""|(?P<plain>[^ \t\r\n'"\\]++)""",
    re.DOTALL,
)
_ESCAPED = re.compile(r'\\(["\\])')
_OPENED = re.compile(r"(?:[Oo]pen|[Ll]aunch|[Ss]tart)(?: up)?(?: the)? ([\w-]+)(?: app)?[.!]?")
_FLAG = re.compile(r"-[a-zA-Z]{1,4}")


def written_call(line: str, table: SyscallTable) -> Program | None:
    """The call that a line spells out, or None where it is a sentence.

    Values go to the required arguments in order, and the last one takes all the words that are left; what is
    optional is named, `name=value`, unless nothing is required, or it stands before something that is. Where the words
    that are left begin with a quoted value, or with one word and then a quoted value, each quoted value and each run of
    words between them is an argument of its own, and those that are optional get theirs in order too.

    Raises:
        UsageError: It names a syscall, but the values don't fit.
    """
    head, _, rest = line.strip().partition(" ")
    if not _NAME.fullmatch(head) or head not in table:
        return None
    return (Call(head, _arguments(table[head], rest)),)


def _arguments(row: Syscall, rest: str) -> dict[str, Any]:
    names = [a.name for a in row.arguments]
    args: dict[str, Any] = {}
    positional: list[_Word] = []
    for word in _words(rest):
        assignment = _ASSIGNMENT.fullmatch(word.text)
        if assignment and assignment[1] in names:
            args[assignment[1]] = assignment[2]
        else:
            positional.append(word)
    free = [a.name for a in row.arguments if a.required and a.name not in args]
    # `model.classify [task] text`: with words enough for both, the first is the task.
    whole = [name for name in names[: names.index(free[-1]) + 1] if name not in args] if free else []
    free = whole if len(positional) >= len(whole) else free
    if not any(a.required for a in row.arguments):
        free = [name for name in names if name not in args][:1]
    if positional and not free:
        raise UsageError(f"{row.name} takes no {positional[0].text!r}.", f"It looks like: {row.usage}")
    args |= zip(free[:-1], (word.text for word in positional), strict=False)
    left = positional[len(free[:-1]) :]
    if left:
        takes = [free[-1], *(name for name in names[names.index(free[-1]) + 1 :] if name not in args)]
        args |= zip(takes, _values(left, len(takes)), strict=False)
    return args


def _values(words: Sequence[_Word], most: int) -> list[str]:
    """The values that words are, one for all of them where quotes don't part them into at most so many."""
    if any(word.quoted for word in words[:2]):
        parted = [
            " ".join(word.text for word in group)
            for _, group in groupby(words, key=lambda word: id(word) if word.quoted else None)
        ]
        if len(parted) <= most:
            return parted
    return [" ".join(word.text for word in words)]


def split(text: str) -> list[str]:
    """Words as a shell splits them, and as `shlex.split` does, whose work grows with the square of a long word.

    An apostrophe in "Ana's" opens no quote.
    """
    return [word.text for word in _words(text)]


@dataclass(frozen=True, slots=True)
class _Word:
    """A word, and whether all of it stands in one pair of quotes."""

    text: str
    quoted: bool = False


def _words(text: str) -> list[_Word]:
    words: list[_Word] = []
    parts: list[str] = []
    kinds: list[str] = []
    at = 0
    while at < len(text):
        piece = _PIECE.match(text, at)
        if piece is None:  # a quote that nothing closes
            return [_Word(word) for word in text.split()]
        at = piece.end()
        kind = piece.lastgroup or ""
        if kind != "blank":
            said = piece[kind]
            parts.append(_ESCAPED.sub(r"\1", said) if kind == "double" else said)
            kinds.append(kind)
        if kinds and (kind == "blank" or at == len(text)):
            words.append(_Word("".join(parts), kinds in (["single"], ["double"])))
            parts, kinds = [], []
    return words


def habit(line: str, exists: Callable[[str], bool], apps: Collection[str] = ()) -> Program | None:
    """The calls that a habitual command means, or None where the line is a sentence ("cat pictures from Rome").

    `cd` and `pwd` are no calls: the session's own folder is the shell's business.

    Args:
        line: What was typed.
        exists: Whether a path is there; decides between a command and a sentence that begins like one.
        apps: Names of installed apps: `open guide` opens one where no file is called so.
    """
    words = split(line)
    if not words:
        return None
    app = _OPENED.fullmatch(line.strip())
    if app and app[1].casefold() in apps and not exists(app[1]):
        return (Call("app.open", {"name": app[1].casefold()}),)
    command, rest = words[0], [w for w in words[1:] if not _FLAG.fullmatch(w)]
    if command == "ls" and (len(rest) <= 1 or all(exists(path) for path in rest)):
        return tuple(Call("files.list", {"path": path}) for path in rest) or (Call("files.list"),)
    if command in ("cat", "rm") and _paths(rest, exists):
        return tuple(Call("files.read" if command == "cat" else "files.delete", {"path": path}) for path in rest)
    if command == "undo" and len(words) <= 2 and all(map(_CHANGES.fullmatch, words[1:])):
        return (Call("system.undo", {"what": words[1]} if rest else {}),)
    if words == ["jobs"]:
        return (Call("jobs.list"),)
    if command == "fg" and len(words) <= 2 and all(map(_JOB.fullmatch, words[1:])):
        return (Call("jobs.wait", {"number": int(words[1])} if rest else {}),)
    if words == ["redo"]:
        return (Call("system.redo"),)
    if command == "mkdir" and rest and len(rest) <= 4:
        return tuple(Call("files.mkdir", {"path": path}) for path in rest)
    if command in ("mv", "cp") and len(rest) >= 2 and _paths(rest[:-1], exists):
        name = "files.move" if command == "mv" else "files.copy"
        return tuple(Call(name, {"source": path, "destination": rest[-1]}) for path in rest[:-1])
    return None


def _paths(words: list[str], exists: Callable[[str], bool]) -> bool:
    """Whether words are paths: one alone, or all of them there or looking like a path."""
    return bool(words) and (len(words) == 1 or all(exists(w) or "/" in w or "." in w for w in words))
