"""What the model learns from: sentences with their programs, behind definitions where there are any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llmasos.services.interpreter import notation
from training.catalogue import ordered

Call = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Turn:
    """A sentence and its program, after what was said before."""

    sentence: str
    calls: list[Call]
    before: tuple[Turn, ...] = ()

    def prompt(self) -> str:
        """What the model reads, without definitions."""
        return notation.prompt(self.sentence, before=[(t.sentence, notation.write(t.calls)) for t in self.before])


@dataclass(frozen=True, slots=True)
class Example:
    """Turns that share the same definitions; each is learned alone, the definitions are computed once."""

    turns: list[Turn]
    definitions: str = ""
    source: str = field(default="", compare=False)

    def prefix(self) -> str:
        """The text before each turn's own prompt."""
        whole = notation.prompt("", self.definitions)
        return whole.removesuffix(notation.prompt(""))

    def texts(self) -> list[tuple[str, str]]:
        """(prompt, answer) of each turn; loss is on the answer."""
        return [(t.prompt(), notation.write(t.calls) + notation.END) for t in self.turns]


def turn_of(line: Mapping[str, Any]) -> Turn:
    """A line of a sentence file: `{"utterance", "program": [{"syscall", "args"}]}`, and perhaps `before`, more."""
    before = tuple(turn_of(earlier) for earlier in line.get("before") or ())
    calls = [(call["syscall"], ordered(call["syscall"], call["args"])) for call in line["program"]]
    return Turn(" ".join(str(line["utterance"]).split()), calls, before)
