"""The beginning of an answer, without what doesn't belong to it: thoughts in tags, and the opening said once more."""

from __future__ import annotations

from collections.abc import Sequence

from llmasos.core.engine.openai.protocol import Message

_THINK, _THOUGHT = "<think>", "</think>"


def asking_for(messages: Sequence[Message], opening: str) -> list[Message]:
    """The conversation with the wish that the reply goes on from an opening.

    Most servers can't go on in the middle of a reply; all of them can be told how it should begin.
    """
    if not opening.strip():
        return list(messages)
    wish = f"Begin your answer with exactly these words, and go on from there:\n{opening.strip()}"
    return added(messages, wish)


def added(messages: Sequence[Message], words: str) -> list[Message]:
    """The conversation with some words more behind what the user said last."""
    if messages and messages[-1]["role"] == "user":
        return [*messages[:-1], {"role": "user", "content": f"{messages[-1]['content']}\n\n{words}"}]
    return [*messages, {"role": "user", "content": words}]


class Beginning:
    """Takes pieces of an answer, gives what is to be shown of them.

    Args:
        opening: What was shown already; an answer that begins with it goes on behind it. Capital letters and blanks
            may differ.
    """

    def __init__(self, opening: str = "") -> None:
        self._opening = "".join(opening.split()).casefold()
        self._held: str | None = ""
        self._thinking = True
        self.thought = False
        """Whether there were thoughts."""

    def feed(self, text: str) -> str:
        """Take a piece; what is certain to be shown."""
        if self._held is None:
            return text
        self._held += text
        if self._thinking and not self._without_thoughts():
            return ""
        rest = self._without_opening(self._held)
        if rest is None:
            return ""
        self._held = None
        return rest

    def finish(self) -> str:
        """What was held back; of thoughts that never ended nothing."""
        held, self._held = self._held or "", None
        return "" if self._thinking and held.lstrip().startswith(_THINK) else held

    def _without_thoughts(self) -> bool:
        """Whether what is held is no thought, or none any more."""
        held = (self._held or "").lstrip()
        if held.startswith(_THINK):
            self.thought = True
            _, over, held = held.partition(_THOUGHT)
            if not over:
                return False
            self._held = held = held.lstrip()
        elif len(held) < len(_THINK) and _THINK.startswith(held):
            return False
        elif self.thought:
            self._held = held
        if not held:
            return False
        self._thinking = False
        return True

    def _without_opening(self, held: str) -> str | None:
        """What follows the opening, or all where the answer doesn't begin with it; None while that is open."""
        at = line = 0
        for number, letter in enumerate(held):
            if at == len(self._opening):
                return held[number:]
            if letter.isspace():
                line = number + 1 if letter == "\n" else line
                continue
            folded = letter.casefold()
            if not self._opening.startswith(folded, at):
                return held[line:]  # without whole lines that are the opening's
            at += len(folded)
        if not self._opening:
            return held
        return "" if at == len(self._opening) else None
