"""What a command wrote, as text: all of it as it comes, the beginning to keep."""

from __future__ import annotations

import codecs

LIMIT = 1 << 20
"""Bytes that are kept for the result; what is shown has no limit."""


class Output:
    """What one command wrote."""

    def __init__(self) -> None:
        # Bytes that are no text stay what they are, for who passes them on.
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._kept: list[bytes] = []
        self.size = 0

    def add(self, piece: bytes) -> str:
        """Take a piece; what of it can be shown now, for a character may be cut in two."""
        room = LIMIT - self.size
        if room > 0:
            self._kept.append(piece[:room])
        self.size += len(piece)
        return self._decoder.decode(piece)

    def end(self) -> str:
        """The rest that can be shown."""
        return self._decoder.decode(b"", final=True)

    @property
    def text(self) -> str:
        """The beginning, whatever was no text replaced."""
        return b"".join(self._kept).decode(errors="replace")

    @property
    def is_cut(self) -> bool:
        """Whether there was more."""
        return self.size > LIMIT
