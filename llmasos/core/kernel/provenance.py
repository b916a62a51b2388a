"""Where the values of a call come from that a model makes after it has read things.

A model can be talked into a call by what it reads, and nothing of that shows in the call. So its values are looked up
in what it had before it, and a value has the labels of where it stands:

    said         in the person's own words: theirs, no label, wherever else it stands
    singled out  what something is called that the person's words leave no choice about: no label either
    read         in words of others: their labels
    held         otherwise, another name in something that was singled out, as a mail holds its sender's: no label
    chosen       otherwise, what any of the person's own things is called: the label `chosen`, for the model had a
                 choice, and what it had read may have made it
    nowhere      made up, derived, or out of the person's own texts: `model`, and the labels of all that was read

Words leave no choice where what was looked for by them is one thing, or where one thing alone bears a name that they
say.
Values are compared as whole words: 13 isn't said by 2024-05-13.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmasos.core.base.types import Call, Result
from llmasos.core.kernel.labels import CHOSEN, MODEL, of_each

_WORD = r"[^\W\u3040-\u30ff\u3400-\u9fff]"
"""A character of words that are written with blanks between them; Chinese and Japanese ones have no such edges."""
_BEFORE = rf"(?<!{_WORD})(?<![@.:/+-])"
_AFTER = rf"(?!{_WORD}|[@/+-]|[.:]{_WORD})"
"""Not in the middle of an address, a path, a date, a time; but a full stop or a colon may follow."""


@dataclass(frozen=True, slots=True)
class _Text:
    """Words that were read; those of a name say nothing against the name itself."""

    words: str
    labels: frozenset[str]
    is_name: bool

    def holds(self, leaf: str) -> bool:
        return _stands(leaf, self.words) and not (self.is_name and leaf == self.words)


@dataclass
class Provenance:
    """What one model was asked and has read, in one request.

    Attributes:
        said: The person's words.
        labels: Of all that was read so far.
    """

    said: str
    labels: frozenset[str] = frozenset()
    _texts: list[_Text] = field(default_factory=list)
    _meant: dict[str, frozenset[str]] = field(default_factory=dict)
    _held: dict[str, frozenset[str]] = field(default_factory=dict)
    _own: dict[str, frozenset[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.said = _folded(self.said)

    def origins(self, call: Call) -> Mapping[str, frozenset[str]]:
        """The labels of each argument that has any."""
        found = {name: self._of(value) for name, value in call.args.items()}
        return {name: labels for name, labels in found.items() if labels}

    def read(self, result: Result) -> None:
        """The model was shown what came of a call.

        A failure says nothing that counts: its message repeats the arguments, and they would seem to be read.
        """
        if not result.ok:
            return
        each = [(_names(row), own) for row, own in of_each(result)]
        things = [thing for thing, _ in each]
        asked, labels = set(result.call.args), result.call.origins
        found = bool(asked - labels.keys()) and all(some <= {MODEL} for some in labels.values())
        for thing, own in each:
            called, *held = thing
            if (found and len(things) == 1) or self._is_said(thing, things):
                self._meant[called] = own
                self._held.update(dict.fromkeys(held, own))
            self._own.setdefault(called, own)
        names = {name for thing in things for name in thing}
        words = dict.fromkeys(map(_folded, leaves(result.value)))
        self._texts += [_Text(one, result.labels, one in names) for one in words if one]
        self.labels |= result.labels

    def _is_said(self, thing: Sequence[str], among: Sequence[Sequence[str]]) -> bool:
        """Whether this one alone bears a name that the person said."""
        said = [name for name in thing if name and _stands(name, self.said)]
        return any(sum(name in other for other in among) == 1 for name in said)

    def _of(self, value: Any) -> frozenset[str]:
        return frozenset[str]().union(*(self._of_leaf(_folded(leaf)) for leaf in leaves(value)))

    def _of_leaf(self, leaf: str) -> frozenset[str]:
        if not leaf or _stands(leaf, self.said):
            return frozenset()
        if leaf in self._meant:
            return self._meant[leaf]
        read = frozenset[str]().union(*(text.labels for text in self._texts if text.holds(leaf))) - {MODEL, CHOSEN}
        if read:
            return read
        if leaf in self._held:
            return self._held[leaf]
        if leaf in self._own:
            return self._own[leaf] | {CHOSEN}
        return self.labels | {MODEL}


def _names(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What a thing is called, empty where it has no name, and then the other names in it; folded."""
    return tuple(_folded(str(name or "")) for name in (row.get("ref"), *row.get("names", ())))


def leaves(value: Any) -> Iterator[str]:
    """All texts and numbers in a value, as text."""
    if isinstance(value, Mapping):
        for one in value.values():
            yield from leaves(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from leaves(one)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _stands(leaf: str, text: str) -> bool:
    """Whether a text holds these words as words of their own."""
    return leaf in text and re.search(f"{_BEFORE}{re.escape(leaf)}{_AFTER}", text) is not None
