"""What Tab offers: syscalls, their arguments, and the things that arguments name."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncGenerator, Iterable, Iterator
from dataclasses import dataclass

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from llmasos.client import Client
from llmasos.core.base.errors import SyscallError
from llmasos.core.base.types import Call
from llmasos.core.base.values import references
from llmasos.core.kernel.syscall import Argument, Syscall
from llmasos.services.commands.typed import SIGN
from llmasos.services.files.place import TEMPORARY, key
from llmasos.services.files.space import Space, names
from llmasos.services.interpreter.explicit import split
from llmasos.shell.safe import one_line

FOLDERS_ONLY = frozenset({"cd", "mkdir"})
PATH_COMMANDS = frozenset({"cat", "cp", "ls", "mv", "rm"}) | FOLDERS_ONLY
HELP = frozenset({"help", "?"})
LIMIT = 200
FRESH = 2.0
"""Seconds for which a list of names is kept: long enough for one word, too short to notice."""

_UNQUOTED = re.compile(r"[\w./~@%+,:=-]+")


@dataclass(frozen=True, slots=True)
class Word:
    """The word before the cursor.

    Attributes:
        text: It, without the quote that opens it.
        typed: How many characters of it stand in the line.
    """

    text: str
    typed: int


def last_word(line: str) -> Word:
    """The word at the end of a line; it has spaces where a quote was opened before it and not closed."""
    start, opened = 0, ""
    for place, character in enumerate(line):
        if opened:
            if character == opened:
                opened = ""
        elif character.isspace():
            start = place + 1
        elif character in "\"'" and (place == start or line[place - 1] == "="):  # "Ana's" opens nothing
            opened = character
    word = line[start:]
    return Word(word.replace(opened, "", 1) if opened else word, len(word))


class ShellCompleter(Completer):
    """Completes what a person types.

    Args:
        client: Whose table, and whose workspace; names of things are found by asking it.
        short_words: The shell's own words, with what they do.
    """

    def __init__(self, client: Client, short_words: dict[str, str]) -> None:
        self._client = client
        self._short_words = short_words
        self._kept: dict[str, tuple[float, list[str]]] = {}

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """Nothing: names are found by asking, which waits."""
        return ()

    async def get_completions_async(
        self, document: Document, complete_event: CompleteEvent
    ) -> AsyncGenerator[Completion, None]:
        """What can follow."""
        line = document.text_before_cursor.lstrip()
        if line.startswith(SIGN):
            word = last_word(line.removeprefix(SIGN))
            # Which programs there are it doesn't know, and "~" is another folder there.
            if (" " in line or "/" in word.text) and not word.text.startswith("~"):
                for completion in self._paths(word):
                    yield completion
            return
        head, space, rest = line.partition(" ")
        word = last_word(line)
        if not space:
            for completion in self._first(word):
                yield completion
        elif head in self._client.table:
            async for completion in self._argument(self._client.table[head], rest, word):
                yield completion
        elif head in HELP:
            for completion in self._first(word):
                yield completion
        elif head in PATH_COMMANDS or _looks_like_path(word.text) or _asked(complete_event, word):
            for completion in self._paths(word, folders=head in FOLDERS_ONLY):
                yield completion

    def written(self, line: str) -> bool:
        """Whether a line is a written call so far: there a menu may open by itself, not in a sentence."""
        head = line.lstrip().partition(" ")[0]
        room, dot, _ = head.partition(".")
        return bool(dot) and any(row.name.startswith(f"{room}.") for row in self._client.table)

    def _first(self, word: Word) -> Iterator[Completion]:
        wanted = word.text.casefold()
        for name, meaning in self._short_words.items():
            if wanted and name.startswith(wanted):
                yield Completion(name, -word.typed, display_meta=meaning)
        rows = sorted(self._client.table, key=lambda row: row.name)
        begins = [row for row in rows if row.name.startswith(wanted)]
        # "find" offers files.find, after what begins so.
        others = [row for row in rows if wanted and row not in begins]
        has = [row for row in others if row.name.partition(".")[2].startswith(wanted)]
        for row in begins + has:
            yield Completion(row.name, -word.typed, display_meta=one_line(row.summary))

    async def _argument(self, row: Syscall, rest: str, word: Word) -> AsyncGenerator[Completion, None]:
        named, assigned, value = word.text.partition("=")
        by_name = {argument.name: argument for argument in row.arguments}
        if assigned and named in by_name:
            for completion in await self._values(by_name[named], Word(value, word.typed - len(named) - 1)):
                yield completion
            return
        before = split(rest[: len(rest) - word.typed])
        parts = [w.partition("=") for w in before]
        given = {name for name, assigned, _ in parts if assigned and name in by_name}
        free = [argument for argument in row.arguments if argument.name not in given]
        positional = len(before) - len(given)
        if free:
            # The last argument takes all the words that are left.
            for completion in await self._values(free[min(positional, len(free) - 1)], word):
                yield completion
        for argument in free[positional:]:
            if argument.name.startswith(word.text):
                about = one_line(argument.description)
                yield Completion(f"{argument.name}=", -word.typed, display_meta=about)

    async def _values(self, argument: Argument, word: Word) -> list[Completion]:
        if argument.kind == "path":
            return list(self._paths(word))
        choices = argument.schema.get("enum")
        if choices is None and argument.kind:
            choices = await self._names(argument.kind)
        wanted = key(word.text)
        found = [str(choice) for choice in choices or () if key(str(choice)).startswith(wanted)]
        return [Completion(_quoted(name), -word.typed, display=one_line(name)) for name in found[:LIMIT]]

    async def _names(self, kind: str) -> list[str]:
        """Names of all things of a kind: what the syscall that lists them names."""
        kept = self._kept.get(kind)
        if kept and time.monotonic() - kept[0] < FRESH:
            return kept[1]
        likely = (f"{kind}.list", f"{kind}s.list", _LISTS.get(kind, ""))
        lists = next((name for name in likely if name in self._client.table), None)
        result = await self._client.trap(Call(lists), quiet=True) if lists else None
        value = result.value if result and result.ok else None
        found = [] if value is None else references(value)
        self._kept[kind] = (time.monotonic(), found)
        return found

    def _paths(self, word: Word, *, folders: bool = False) -> Iterator[Completion]:
        folder, slash, begun = word.text.rpartition("/")
        try:
            space = Space.of(self._client.session, (self._client.home,))
            place = space.contained(space.parts(folder + slash, space.cwd)) if slash else space.here
            fitting = [name for name in names(place) if key(name).startswith(key(begun))]
            for name in fitting[:LIMIT]:
                below = place.child(name)
                # Hidden files are offered to whoever asks for them, our own never.
                if name.startswith(TEMPORARY) or (name.startswith(".") and not begun):
                    continue
                if space.is_private(below.path) or (folders and not below.is_folder()):
                    continue
                whole = f"{name}/" if below.is_folder() else name
                yield Completion(_quoted(f"{folder}{slash}{whole}"), -word.typed, display=one_line(whole))
        except (SyscallError, OSError):
            return  # outside, or gone: nothing to offer


_LISTS = {"event": "schedule.list", "todo": "tasks.list"}


def _looks_like_path(word: str) -> bool:
    return "/" in word or word.startswith(("~", "."))


def _asked(event: CompleteEvent, word: Word) -> bool:
    """Whether a person pressed Tab at the end of a sentence's word: it may begin a file's name."""
    return event.completion_requested and bool(word.text)


def _quoted(text: str) -> str:
    """As it has to be typed; a folder's quote stays open, for what is in it."""
    if _UNQUOTED.fullmatch(text):
        return text
    quote = "'" if '"' in text else '"'
    return f"{quote}{text}{'' if text.endswith('/') else quote}"
