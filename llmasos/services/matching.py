"""Which stored thing a person means by a title or a name.

Exact first, then without case, articles and particles, then by words in any order, by a part of the name, and
by likeness, for what was misspelt. One clear match is taken, several are asked about, none is an error that
names the nearest.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Generic, Protocol, TypeVar

from llmasos.core.base.errors import SyscallError
from llmasos.services.script import has_chinese

T = TypeVar("T")

ENOUGH = 0.6
"""Scores below are no match."""
MARGIN = 0.08
"""A match this far ahead of the next is clear; an exact one needs less."""
LIMIT = 300
"""Characters of a name that are looked at; more can't be a name."""

_ARTICLES = re.compile(r"^(?:the|a|an|my|our|your|that|this|those|these)\s+")
_ZH_LEADING = re.compile(r"^(?:我的|我们的|咱们的|那个|这个|那|这|把)+(?=.)")
_ZH_TRAILING = re.compile(r"(?:一下|吧|了|呢|啊|呀|哦|嘛)+$")
_SMALL_WORDS = frozenset(
    [
        "the",
        "a",
        "an",
        "my",
        "our",
        "your",
        "to",
        "of",
        "in",
        "on",
        "at",
        "for",
        "with",
        "and",
        "from",
        "by",
        "about",
        "'s",
    ]
)
_TOKEN = re.compile(r"[\u3400-\u9fff]|[^\W_]+(?:'[^\W_]+)?|\d+")


class Chooser(Protocol):
    """Who can be asked; the kernel's `Caller`."""

    async def choose(self, question: str, options: list[str]) -> str:
        """Which of several is meant."""


@dataclass(frozen=True, slots=True)
class Match(Generic[T]):
    """One candidate.

    Attributes:
        item: The thing.
        score: 1 is exact, below `ENOUGH` is none.
        name: The name of it that fits best.
    """

    item: T
    score: float
    name: str


def normal(text: str) -> str:
    """A name as it's compared: without case, quotes, articles, particles, doubled spaces."""
    return _normal(text[:LIMIT])


@lru_cache(maxsize=8192)  # a missing device is compared with thousands of names, twice
def _normal(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).casefold()
    text = re.sub(r"[\"'“”‘’「」『』《》]", lambda m: "'" if m[0] in "'’" else "", text)
    text = " ".join(text.split()).strip(" .,;:!?'。，！？、")
    text = _ARTICLES.sub("", text)
    if has_chinese(text):
        text = _ZH_TRAILING.sub("", _ZH_LEADING.sub("", text)) or text
        text = re.sub(r"(?<=[\u3400-\u9fff])\s+|\s+(?=[\u3400-\u9fff])", "", text)
    return text


def score(said: str, name: str, *, whole: bool = False) -> float:
    """How well what was said fits a name, 0 to 1.

    Args:
        said: The name as the person said it.
        name: A name there is.
        whole: Every word that was said must be in the name: an "aquarium heater" is no heater.
    """
    if said == name:
        return 1.0
    if said.casefold() == name.casefold():
        return 0.99
    a, b = normal(said), normal(name)
    if not a or not b:
        return 0.0
    if a == b:
        return 0.97
    if a.replace("的", "") == b.replace("的", ""):
        return 0.96
    words, named = _tokens(a), _tokens(b)
    best = 0.0
    if words and words == named:
        best = 0.95
    elif words and named:
        best = _overlap(words, named, whole)
    if has_chinese(a) and has_chinese(b):
        best = max(best, _part(a.replace("的", ""), b.replace("的", ""), whole))
    if whole:
        return best
    likeness = _likeness(a, b, 0.75)
    if likeness and min(len(a), len(b)) > 2:
        best = max(best, 0.9 * likeness)
    return best


def rank(said: str, items: Iterable[T], names: Callable[[T], Sequence[str]], *, whole: bool = False) -> list[Match[T]]:
    """All things that what was said could mean, best first.

    Args:
        said: The name as the person said it.
        items: What there is.
        names: All names of one of them.
        whole: Every word that was said must be in the name.
    """
    found = []
    for item in items:
        best, name = max(((score(said, n, whole=whole), n) for n in names(item)), default=(0.0, ""))
        if best >= ENOUGH:
            found.append(Match(item, best, name))
    return sorted(found, key=lambda match: -match.score)


def leading(matches: Sequence[Match[T]]) -> list[Match[T]]:
    """Those that can't be told from the best: one is a clear match."""
    if not matches:
        return []
    best = matches[0].score
    margin = 0.005 if best >= 0.94 else MARGIN
    return [match for match in matches if best - match.score <= margin]


async def pick(
    caller: Chooser,
    said: str,
    items: Sequence[T],
    *,
    names: Callable[[T], Sequence[str]],
    label: Callable[[T], str],
    what: str,
    remedy: str = "",
) -> T:
    """The one thing that is meant; asks where several fit as well.

    Args:
        caller: Who can be asked.
        said: The name as the person said it.
        items: What there is.
        names: All names of one of them.
        label: How one of them is shown in a question; different for each.
        what: The noun for messages: "event", "task".
        remedy: What to say where nothing fits and nothing is near.

    Raises:
        SyscallError: ENOENT with the nearest names; EAMBIG where nobody answers.
    """
    group = leading(rank(said, items, names))
    if not group:
        raise missing(said, items, names=names, what=what, remedy=remedy)
    if len(group) == 1:
        return group[0].item
    labels = [label(match.item) for match in group]
    answer = await caller.choose(f"Which {what} is {said!r}?", labels)
    return group[labels.index(answer)].item


def missing(
    said: str, items: Iterable[T], *, names: Callable[[T], Sequence[str]], what: str, remedy: str = ""
) -> SyscallError:
    """ENOENT, naming what is nearest."""
    near = sorted(
        ((max(map(_nearness, [said] * len(n), n), default=0.0), n[0]) for n in map(names, items)),
        reverse=True,
    )
    choices = tuple(dict.fromkeys(name for value, name in near[:3] if value >= 0.3))
    hint = f"Did you mean {' or '.join(repr(c) for c in choices)}?" if choices else remedy
    return SyscallError("ENOENT", f"There is no {what} {said[:80]!r}.", hint, choices=choices)


def _nearness(said: str, name: str) -> float:
    """How near a name is, for a hint: less than a match."""
    a, b = normal(said), normal(name)
    return max(score(said, name), 0.6 * _likeness(a, b, 0.5))


def _likeness(a: str, b: str, least: float) -> float:
    """Share of letters in common, in their order (Ratcliff and Obershelp); 0 where it is below `least`.

    Two bounds that are quick to compute come first: most pairs have nothing in common.
    """
    if 2 * min(len(a), len(b)) < least * (len(a) + len(b)):
        return 0.0
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    if matcher.quick_ratio() < least:
        return 0.0
    ratio = matcher.ratio()
    return ratio if ratio >= least else 0.0


@lru_cache(maxsize=8192)
def _tokens(text: str) -> frozenset[str]:
    words = [_singular(word) for word in _TOKEN.findall(text)]
    return frozenset(word for word in words if word not in _SMALL_WORDS and word != "的") or frozenset(words)


def _singular(word: str) -> str:
    word = word.removesuffix("'s")
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _overlap(words: frozenset[str], named: frozenset[str], whole: bool) -> float:
    """Words in common, a misspelt word counting nearly as much as a right one."""
    shared = 0.0
    weight = _weight(words)
    for word in words:
        if word in named:
            shared += len(word)
        elif any(_misspelt(word, n) for n in named):
            shared += 0.9 * len(word)
        elif whole:
            return 0.0
    covered, of_name = shared / weight, min(1.0, shared / _weight(named))
    if covered > 0.75:
        return 0.7 * covered + 0.2 * of_name
    if of_name >= 0.99:  # the whole name is in what was said, with more around it
        return 0.65 + 0.2 * covered
    return 0.8 * min(covered, of_name) if covered >= 0.5 else 0.5 * covered


def _weight(words: frozenset[str]) -> int:
    return sum(len(word) for word in words) or 1


def _part(a: str, b: str, whole: bool) -> float:
    """One Chinese name within the other, at its closest."""
    if whole and a not in b:
        return 0.0
    short, long = sorted((a, b), key=len)
    if short in long and (len(short) > 1 or len(long) <= 3):
        return 0.7 + 0.2 * len(short) / len(long)
    pairs = {short[i : i + 2] for i in range(len(short) - 1)}
    shared = sum(pair in long for pair in pairs)
    return 0.75 * shared / len(pairs) if pairs else 0.0


def _misspelt(word: str, right: str) -> bool:
    """Whether a word is another one with a slip: one letter, two in a long word, never the first."""
    if len(word) < 4 or word[0] != right[0] or word.isdigit() or abs(len(word) - len(right)) > 2:
        return False
    return _slips(word, right) <= (1 if len(right) < 8 else 2)


def _slips(a: str, b: str) -> int:
    """Letters put in, left out, taken for another, or swapped with the next (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before_that, before = before, row
        row = [i]
        for j, y in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before_that[j - 2] + 1)
            row.append(cost)
    return row[-1]
