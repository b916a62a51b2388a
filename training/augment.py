"""More sentences from those written by hand: other values, other casing, typos, joined commands.

Every change keeps the span rule: what a program names is still in its sentence, word for word.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace

from training.catalogue import ENUMERATED
from training.example import Call, Turn

_CHINESE = re.compile(r"[\u3400-\u9fff]")
_FILE = re.compile(r"\.\w{1,5}$")
_END = re.compile(r"[.!?。！？~\s]+$")
_RESULT = re.compile(r"\$\d")
_PLACES = {"path", "source", "destination"}
_FREE = {"query", "topic", "expression", "language", "title", "when", "due", "repeat", "pid", "name"}
_QUOTES_EN = (('"', '"'), ("'", "'"), ("“", "”"))
_QUOTES_ZH = (("“", "”"), ("「", "」"), ('"', '"'), ("《", "》"))
_JOIN_EN = (
    " and ",
    " and then ",
    ", then ",
    ", and ",
    " and also ",
    "; then ",
    ", after that ",
    ". Then ",
    " & ",
)
_JOIN_ZH = ("，然后", "，再", "，接着", "，顺便", "，之后", "，并且", ",然后", ",再", "，完了", "，另外")
_TAIL = {"assistant.answer", "memory.remember", "character.chat", "content.summarize", "app.open",
         "files.write", "files.append", "content.write", "system.help", "content.translate"}  # fmt: skip
"""Syscalls whose free text would swallow a second command behind it."""


def is_chinese(text: str) -> bool:
    """Whether a text holds Chinese characters."""
    return bool(_CHINESE.search(text))


def kind_of(sentence: str, syscall: str, argument: str, value: str) -> str | None:
    """The pool a value is swapped within, None for never: its values fit into each other's places."""
    language = "zh" if is_chinese(sentence) else "en"
    before = sentence[: sentence.find(value)].split()
    service = syscall.partition(".")[0]
    if argument in _PLACES:
        return f"{language} {'file' if _FILE.search(value) else 'folder'} {'/' in value}"
    if argument not in _FREE:
        return None
    if argument == "name":
        return f"{language} {syscall if service == 'device' else service}"
    if argument == "title":
        verb = language == "en" and bool(before) and before[-1].casefold() == "to"
        return f"{language} {service} {verb} {before[-1].casefold() if before and language == 'en' else ''}"
    if argument in {"when", "due"}:
        # "at nine" fits where "at noon" does, not where "tomorrow" does.
        return f"{language} {argument} {value.split()[0].casefold() if language == 'en' else ''}"
    if argument in {"query", "topic"}:
        return f"{language} {syscall}"
    return f"{language} {argument}"


class Values:
    """Every value of the training sentences by pool."""

    def __init__(self, turns: Iterable[Turn]) -> None:
        pools: dict[str, set[str]] = defaultdict(set)
        for turn in turns:
            for syscall, args in turn.calls:
                for argument, value in args.items():
                    kind = swappable(turn.sentence, syscall, argument, value)
                    if kind:
                        pools[kind].add(value)
        self._pools = {kind: sorted(values) for kind, values in pools.items()}

    def __contains__(self, kind: str) -> bool:
        return kind in self._pools

    def other(self, kind: str, order: random.Random) -> str:
        """A value of the pool."""
        return order.choice(self._pools[kind])


def swappable(sentence: str, syscall: str, argument: str, value: object) -> str | None:
    """The pool of a value that stands in its sentence exactly once, as a whole."""
    if not isinstance(value, str) or _RESULT.search(value) or sentence.count(value) != 1 or len(value) > 60:
        return None
    at = sentence.find(value)
    around = sentence[at - 1 : at] + sentence[at + len(value) : at + len(value) + 1]
    if at == 0 or (not is_chinese(value) and re.search(r"[A-Za-z0-9]", around)):
        return None
    return kind_of(sentence, syscall, argument, value)


def swap(turn: Turn, values: Values, order: random.Random) -> Turn:
    """Other values in some of the places."""
    sentence = turn.sentence
    calls = [(name, dict(args)) for name, args in turn.calls]
    for syscall, args in calls:
        for argument, value in args.items():
            kind = swappable(sentence, syscall, argument, value)
            if kind is None or kind not in values or order.random() < 0.3 or _shared(turn.calls, value):
                continue
            new = values.other(kind, order)
            before = sentence[: sentence.find(value)].split()[-1:]
            if before and before[0].casefold() in {"a", "an"} and (new[:1] in "aeiou") != (value[:1] in "aeiou"):
                continue
            changed = sentence.replace(value, new)
            if changed.count(new) == 1:
                sentence, args[argument] = changed, new
    return Turn(sentence, calls)


def _shared(calls: list[Call], value: str) -> bool:
    """Whether a value overlaps another one of the program: changing one would break the other."""
    texts = [v for _, args in calls for v in args.values() if isinstance(v, str)]
    return sum(value in text or text in value for text in texts) > 1


def mapped(turn: Turn, change: Callable[[str], str]) -> Turn:
    """A change of single characters made alike in the sentence and in its values."""
    calls: list[Call] = [
        (name, {a: change(v) if isinstance(v, str) and a not in ENUMERATED else v for a, v in args.items()})
        for name, args in turn.calls
    ]
    return Turn(change(turn.sentence), calls)


def unpunctuated(turn: Turn) -> Turn:
    """Without the final punctuation, unless a value ends with it."""
    sentence = _END.sub("", turn.sentence)
    return Turn(sentence, turn.calls) if sentence and _spans_hold(sentence, turn.calls) else turn


def _spans_hold(sentence: str, calls: list[Call]) -> bool:
    return all(
        v in sentence or _RESULT.fullmatch(v) is not None
        for _, args in calls
        for a, v in args.items()
        if isinstance(v, str) and a not in ENUMERATED
    )


def quoted(turn: Turn, order: random.Random) -> Turn:
    """One value in quotes, which delimit and aren't part of it."""
    for syscall, args in turn.calls:
        for argument, value in args.items():
            if argument in _PLACES | {"title", "query", "text", "content", "message"} and swappable(
                turn.sentence, syscall, argument, value
            ):
                left, right = order.choice(_QUOTES_ZH if is_chinese(value) else _QUOTES_EN)
                at = turn.sentence.find(value)
                if not re.search(r"[\"'“”‘’「」《》/]", turn.sentence[at - 1 : at + len(value) + 1]):
                    return Turn(turn.sentence.replace(value, left + value + right), turn.calls)
    return turn


def mistyped(turn: Turn, order: random.Random) -> Turn:
    """One typo in an English word outside every value."""
    words = turn.sentence.split(" ")
    values = " ".join(str(v) for _, args in turn.calls for v in args.values()).casefold()
    places = [
        i for i, w in enumerate(words) if len(w) > 3 and w.isascii() and w.isalpha() and w.casefold() not in values
    ]
    if not places:
        return turn
    place = order.choice(places)
    word, at = words[place], order.randrange(1, len(words[place]) - 1)
    words[place] = order.choice((
        word[:at] + word[at + 1 :],
        word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        word[:at] + word[at] + word[at:],
    ))  # fmt: skip
    sentence = " ".join(words)
    return Turn(sentence, turn.calls) if _spans_hold(sentence, turn.calls) else turn


def joined(first: Turn, second: Turn, order: random.Random) -> Turn | None:
    """Two commands in one sentence; None where they don't go together."""
    if is_chinese(first.sentence) != is_chinese(second.sentence) or len(first.calls) + len(second.calls) > 3:
        return None
    if first.calls[-1][0] in _TAIL or "?" in first.sentence or "？" in first.sentence or "：" in first.sentence:
        return None
    if len(first.sentence) + len(second.sentence) > 140 or any("$" in str(args) for _, args in second.calls):
        return None
    left, right = _END.sub("", first.sentence), second.sentence
    connector = order.choice(_JOIN_ZH if is_chinese(first.sentence) else _JOIN_EN)
    if right[:2].istitle() and not connector.startswith("."):
        lower = right[:1].lower() + right[1:]
        right = lower if _spans_hold(lower, second.calls) and not right.startswith("I ") else right
    sentence, calls = left + connector + right, [*first.calls, *second.calls]
    return Turn(sentence, calls) if _spans_hold(sentence, calls) else None


def shown(turn: Turn, values: Values, order: random.Random) -> Turn:
    """The sentence behind a like one with other values, both with the same made-up word where a plain one stood.

    So the model learns that what this person means by a word stands in what was said before.
    """
    first, second = swap(turn, values, order), swap(turn, values, order)
    said = " ".join(str(v) for t in (first, second) for _, args in t.calls for v in args.values()).casefold()
    common = [
        word
        for word in dict.fromkeys(re.findall(r"[A-Za-z]{3,}", first.sentence))
        if re.search(rf"\b{word}\b", second.sentence) and word.casefold() not in said
    ]
    if common and order.random() < 0.7:
        word, made = order.choice(common), _made_up(order)
        changed = [re.sub(rf"\b{word}\b", made, t.sentence) for t in (first, second)]
        first, second = (replace(t, sentence=text) for t, text in zip((first, second), changed, strict=True))
    return replace(second, before=(first,))


def _made_up(order: random.Random) -> str:
    """A word that means nothing."""
    return "".join(order.choice("bdfgklmnprstvz") + order.choice("aeiou") for _ in range(order.choice((2, 2, 3))))


def varied(turn: Turn, values: Values, order: random.Random) -> Turn:
    """A random variation; about a third of the sentences stay as they are."""
    if order.random() < 0.65:
        turn = swap(turn, values, order)
    if order.random() < 0.2:
        turn = unpunctuated(turn)
    if order.random() < 0.08:
        turn = quoted(turn, order)
    chance = order.random()
    if is_chinese(turn.sentence):
        if chance < 0.3:
            turn = mapped(turn, lambda text: text.replace("，", ",").replace("？", "?").replace("：", ":"))
        elif chance < 0.5:
            turn = mapped(turn, lambda text: text.replace(",", "，").replace("?", "？"))
    elif chance < 0.2:
        turn = mapped(turn, str.lower)
    elif chance < 0.3:
        turn = mistyped(turn, order)
    return turn
