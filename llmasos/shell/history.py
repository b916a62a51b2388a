"""The lines a person typed, for the line editor; they are kept sealed by the kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from prompt_toolkit.history import History


class KeptHistory(History):
    """A history for prompt_toolkit.

    Args:
        lines: What was typed before, oldest first.
        keep: Keeps a further line.
    """

    def __init__(self, lines: Sequence[str], keep: Callable[[str], None]) -> None:
        super().__init__()
        self._lines = lines
        self._keep = keep

    def load_history_strings(self) -> Iterable[str]:
        """The lines, newest first."""
        return reversed(self._lines)

    def store_string(self, string: str) -> None:
        """Keep a line."""
        self._keep(string)
