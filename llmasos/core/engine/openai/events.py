"""Server-sent events (WHATWG HTML, 9.2): the data of each, from bytes that may be cut anywhere."""

from __future__ import annotations

import re

LARGEST = 1 << 20
"""Bytes of one event; a token needs some hundred."""
_LINE_END = re.compile(rb"\r\n|\n|\r(?=.)", re.DOTALL)  # a \r at the end may be half a \r\n


class EventStream:
    """Takes bytes, gives the data of whole events."""

    def __init__(self) -> None:
        self._held = b""
        self._looked = 0
        self._data: list[str] = []
        self._size = 0

    def feed(self, data: bytes) -> list[str]:
        """Take bytes; the data of the events that are whole now.

        Raises:
            ValueError: One is too large.
        """
        self._held += data
        at, found = 0, []
        while end := _LINE_END.search(self._held, max(at, self._looked)):
            found += self._line(self._held[at : end.start()])
            at = self._looked = end.end()
        self._held = self._held[at:]
        self._looked = max(0, len(self._held) - 1)
        if len(self._held) + self._size > LARGEST:
            raise ValueError(f"an event of more than {LARGEST:,} bytes")
        return found

    def finish(self) -> list[str]:
        """The event that no empty line ended."""
        line, self._held, self._looked = self._held.rstrip(b"\r"), b"", 0
        return [*self._line(line), *self._line(b"")]

    def _line(self, line: bytes) -> list[str]:
        if not line:
            whole, self._data, self._size = self._data, [], 0
            return ["\n".join(whole)] if any(whole) else []
        name, _, value = line.partition(b":")
        if name == b"data":  # comments, names, numbers and times to wait don't concern us
            self._data.append(value.removeprefix(b" ").decode("utf-8", "replace"))
            self._size += len(line) + 1
        return []
