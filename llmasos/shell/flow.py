"""Words as they come: streamed text broken between words, which a terminal by itself doesn't do."""

from __future__ import annotations

from rich.cells import cell_len

from llmasos.shell.safe import safe


class Flow:
    """Breaks lines of a text whose end isn't known yet.

    A word is held back until it is complete, so that it can still move to the next line.

    Args:
        width: Cells in a line.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._column = 0
        self._space = ""
        self._word = ""

    def feed(self, piece: str) -> str:
        """What can be written now that this piece has come."""
        written = ""
        # A line end may be split over two pieces; its first half is no character of its own.
        for character in safe(piece.replace("\r", "")):
            if character == "\n":
                written += self._flush() + "\n"
                self._column, self._space = 0, ""
            elif character.isspace():
                written += self._flush()
                self._space += " "
            elif cell_len(character) == 2:  # Chinese and Japanese break between any two characters
                written += self._flush()
                self._word = character
                written += self._flush()
            else:
                self._word += character
        return written

    def end(self) -> str:
        """The rest, and the end of the line if one is begun."""
        written = self._flush()
        written += "\n" if self._column else ""
        self._column, self._space = 0, ""
        return written

    def _flush(self) -> str:
        if not self._word:
            return ""
        size = cell_len(self._word)
        if self._column and self._column + len(self._space) + size > self._width:
            written, self._column = "\n" + self._word, size
        else:
            written, self._column = self._space + self._word, self._column + len(self._space) + size
        self._column %= self._width + 1  # a word longer than a line is broken by the terminal
        self._word = self._space = ""
        return written
