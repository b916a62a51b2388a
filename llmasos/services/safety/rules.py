"""The rules: what a sentence is about that would be held back, by words and phrases; some microseconds a sentence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache

from llmasos.core.kernel.policy import Moderation
from llmasos.services.safety import chinese, english, fold, lists
from llmasos.services.safety.finding import COARSE, GRAVE, SEVERE, Finding
from llmasos.services.safety.patterns import compiled
from llmasos.services.script import has_chinese

_FROM: Mapping[Moderation, int] = {"off": SEVERE + 1, "mild": GRAVE, "strict": COARSE}
_NEAR, _ADDRESSED = 5, 3
"""Words around one that may say how it is meant, and words before it in which somebody may be addressed by it."""
_BREAKS = frozenset(
    {"the", "this", "that", "these", "those", "my", "his", "her", "their", "our", "its", "of", "in", "on", "at"}
)
"""Words across which an address doesn't reach: "you ride the ass" is about an animal."""
_SPELLED = 4
"""Letters from which a word counts also inside of what is spelled out letter by letter."""
_CHILD = (
    r"\b(?:child|children|kids?|minors?|underage|toddlers?|little (?:girl|boy)s?|school ?(?:girl|boy)s?)\b"
    r"|\b(?:only|just|is|was) (?:[1-9]|1[0-7]|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen)\b"
    r"|\b(?:[1-9]|1[0-7])[- ]years?[- ]old"
    r"|小学生|初中生|幼女|萝莉|小女孩|小男孩|儿童|未成年"
)
_QUOTED = (
    r"\b(?:sa(?:y|ys|ying|id)|claim\w*|writ(?:e|es|ing|ten)|wrote)\b|\b(?:messages?|statements?|posts?)\b|\b(?:threatening|believed|taught)\b"
    r"|\bcall(?:s|ed|ing)? (?:me|them|him|her|people|somebody)\b|\b(?:racis[tm]|sexis[tm]|nazis?)\b"
    r"|\b(?:propaganda|myths?|stereotypes?|prejudices?|hurtful|unacceptable|wrong|not (?:okay|ok|acceptable|true))\b"
    r"|歧视|偏见|不正确|不对|错误|谣言|有人说|曾经认为"
)
_REPORTED = (
    r"\b(?:crime|illegal|law|police|court|convicted|arrested|sentenced|charged|report(?:ed)?|protect\w*|prevent\w*|victims?|abuse)\b"
    r"|犯罪|违法|警方|法院|判处|举报|保护|防止|受害"
)


def worst(findings: Collection[Finding], level: Moderation) -> Finding | None:
    """What a sentence is held back for at a level: the worst of what is sure."""
    held = [f for f in findings if f.sure and f.grade >= _FROM[level]]
    return max(held, key=lambda f: f.grade, default=None)


def doubtful(findings: Collection[Finding], level: Moderation) -> Finding | None:
    """What somebody should decide who understands the sentence: only where the level is strict."""
    return next((f for f in findings if not f.sure), None) if level == "strict" else None


def look(text: str, before: str = "") -> frozenset[Finding]:
    """What is found in a sentence.

    Args:
        text: The sentence.
        before: What was said just before and belongs to it: a line without an end, or letters of a word.
    """
    found = frozenset(_look(text))
    if before:
        found |= frozenset(f for f in _look(f"{before} {text}") if f.sure) - frozenset(_look(before))
    return found


def _look(text: str) -> Iterator[Finding]:
    folded = fold.plain(text)
    words = [fold.bare(token) for token in fold.tokens(folded)]
    found = {*_words(folded, words), *_hidden(folded, words)}
    found.update(english.PHRASES.find(_read(folded, words)))
    if has_chinese(folded):
        found.update(_chinese(folded, words))
        found.update(chinese.PHRASES.find(folded))
    if compiled(_QUOTED).search(folded):  # who reports what is said of others, or objects to it, isn't saying it
        found = {f for f in found if f.reason != "hate"}
    if (
        any(f.reason in ("sexual", "offensive") for f in found)
        and compiled(_CHILD).search(folded)
        and not compiled(_REPORTED).search(folded)
    ):
        found = {_about_child(f) for f in found}
    yield from found


def _about_child(finding: Finding) -> Finding:
    if finding.reason == "sexual":
        return Finding("minors", SEVERE)
    return replace(finding, grade=SEVERE) if finding.reason == "offensive" else finding


def _words(folded: str, words: Sequence[str]) -> Iterator[Finding]:
    table, phrases = lists.english(), _phrases()
    for place, word in enumerate(words):
        for said in (word, *fold.undressed(word)):
            meant = table.found.get(said)
            if meant and not _inside(folded, said, words):
                dressed = said != word
                yield from (f if f.sure or not dressed else replace(f, sure=True) for f in _meant(meant, words, place))
        for phrase in phrases.get(word, ()):
            if tuple(words[place : place + len(phrase)]) == phrase:
                yield from _meant(table.found[" ".join(phrase)], words, place)


def _meant(meant: Sequence[Finding], words: Sequence[str], place: int) -> Iterator[Finding]:
    """What a word is about where it stands: a cue beside it makes sure what was not."""
    table = lists.english()
    for finding in meant:
        cued = finding.sure
        if not cued and finding.reason == "sexual":
            near = [*words[max(0, place - _NEAR) : place], *words[place + 1 : place + 1 + _NEAR]]
            cued = not table.sexual_cues.isdisjoint(near)
        elif not cued:
            for word in reversed(words[max(0, place - _ADDRESSED) : place]):
                cued = cued or word in table.insult_cues
                if cued or word in _BREAKS:
                    break
        yield replace(finding, sure=cued)


def _inside(folded: str, word: str, words: Sequence[str]) -> bool:
    """Whether a word stands only inside of phrases where it means something else."""
    around = [phrase for phrase in lists.english().inside if word in phrase.split() and phrase in folded]
    return bool(around) and words.count(word) <= sum(folded.count(phrase) for phrase in around)


def _hidden(folded: str, words: Sequence[str]) -> Iterator[Finding]:
    """Words of which letters are apart or covered."""
    table = lists.english().found
    for run in fold.spelled(folded):
        sure = {w for w in _sure_words() if (len(w) >= _SPELLED and w in run) or w == run}
        yield from (f for word in sure for f in table[word])
        yield from english.PHRASES.find(run)
    for joined in fold.hyphened(folded):
        if joined in _sure_words():
            yield from table[joined]
    for word in words:
        pattern = fold.masked(word)
        if pattern:
            yield from (f for w in _sure_words() if len(w) == len(word) and pattern.fullmatch(w) for f in table[w])


def _read(folded: str, words: Sequence[str]) -> str:
    """The text with words that are dressed up as they are meant."""
    for word in words:
        if not word.isalpha() and (meant := fold.undressed(word)):
            folded = folded.replace(word, meant[0])
    return folded


def _chinese(folded: str, words: Sequence[str]) -> Iterator[Finding]:
    table, begins, around = lists.chinese().found, _beginnings(), _surroundings()
    for place, letter in enumerate(folded):
        for word in begins.get(letter, ()):
            if folded.startswith(word, place) and not any(
                place >= offset and folded.startswith(phrase, place - offset) for phrase, offset in around.get(word, ())
            ):
                yield from table[word]
    for word in words:
        yield from table.get(word, ()) if word.isascii() else ()


@cache
def _sure_words() -> frozenset[str]:
    return frozenset(w for w in lists.english().sure(COARSE) if w.isascii() and w.isalpha() and len(w) > 2)


@cache
def _phrases() -> Mapping[str, Sequence[tuple[str, ...]]]:
    """The phrases of the English list by their first word."""
    found: defaultdict[str, list[tuple[str, ...]]] = defaultdict(list)
    for phrase in lists.english().found:
        parts = tuple(phrase.split())
        if len(parts) > 1:
            found[parts[0]].append(parts)
    return found


@cache
def _beginnings() -> Mapping[str, Sequence[str]]:
    """The Chinese words by their first character; those in Latin letters are whole words and looked up as such."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for word in lists.chinese().found:
        if not word.isascii():
            found[word[0]].append(word)
    return found


@cache
def _surroundings() -> Mapping[str, Sequence[tuple[str, int]]]:
    """Of each Chinese word the harmless ones that hold it, and where in them it stands."""
    table = lists.chinese()
    return {w: [(p, p.index(w)) for p in table.inside if w in p] for w in table.found}
