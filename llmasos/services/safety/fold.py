"""Text as it is read, whatever it is dressed up as: sh1t, s.h.i.t, ѕhit and shiiit are one word."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from llmasos.services.safety.patterns import compiled
from llmasos.services.script import has_chinese

_QUOTES = str.maketrans("‘’“”「」『』", '\'\'""""""')
# Cyrillic and Greek letters that look like Latin ones; they count where a word mixes them with Latin letters.
_ALIKE = str.maketrans("авекмнорстухіѕјһԁԛԝёαεικνορτυχη", "abekmhopctyxisjhdqweaeikvoptuxn")
_LEET = str.maketrans("4@3€1!|0$57+89", "aaeeiiiossttbg")
_LEET_L = str.maketrans("4@3€1!|0$57+89", "aaeelllossttbg")
# Characters of the Chinese lists that are also written in their traditional form.
_SIMPLER = str.maketrans(
    "媽罵殺雞賤強姦處雜種貨蕩婦陰莖腦殘廢滾閉裡裏這個們說話沒錢書學會開關爾麼嗎",
    "妈骂杀鸡贱强奸处杂种货荡妇阴茎脑残废滚闭里里这个们说话没钱书学会开关尔么吗",
)
_TOKEN = re.compile(r"[@$]?[^\W_][^\s\u3400-\u9fff\"().,:;?/\\_~-]*")
_LETTER_RUN = re.compile(r"(?<![^\W_])[^\W\d_](?:[\s.,_*|/\\~-]{1,3}[^\W\d_]){2,}(?![^\W_])")
_HYPHENED = re.compile(r"(?<![^\W_])[^\W_]{1,4}[.*_~-][^\W_]{1,6}(?![^\W_])")
_BETWEEN = r"(?<=[\u3400-\u9fff])[*.·・_~|/\\^+-]{1,3}(?=[\u3400-\u9fff])"
_SPACED = r"(?<![\u3400-\u9fff])[\u3400-\u9fff](?: [\u3400-\u9fff])+(?![\u3400-\u9fff])"
_STRETCHED = re.compile(r"(.)\1{2,}")
MASKS = "*#@$%"


def plain(text: str) -> str:
    """Small letters in their ordinary form, without accents, invisible characters and curly quotes."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_QUOTES)
    if not folded.isascii():
        apart = unicodedata.normalize("NFD", folded)
        folded = "".join(c for c in apart if unicodedata.category(c) not in ("Mn", "Cf"))
        folded = unicodedata.normalize("NFC", folded)
    return together(folded.translate(_SIMPLER)) if has_chinese(folded) else folded


def together(text: str) -> str:
    """Chinese without what was put between the characters of a word."""
    text = compiled(_BETWEEN).sub("", text)
    return compiled(_SPACED).sub(lambda run: run[0].replace(" ", ""), text)


def tokens(folded: str) -> list[str]:
    """The words of a folded text, with the signs that stand for letters in them."""
    return _TOKEN.findall(folded)


def bare(token: str) -> str:
    """A token without signs around it and without a possessive."""
    return token if token.isalpha() else token.strip("*#+|!'&%").removesuffix("'s")


def undressed(word: str) -> Sequence[str]:
    """What a word is meant to be read as, where it is dressed up; nothing for an ordinary word."""
    if word.isascii() and word.isalpha():
        return _shrunk(word) if _STRETCHED.search(word) else ()
    read = word
    if not word.isascii() and any(c.isascii() and c.isalpha() for c in word):
        read = word.translate(_ALIKE)
    letters = sum(c.isalpha() for c in read)
    found = [read] if read != word else []
    if 2 * letters >= len(read) > letters:
        found += [read.translate(_LEET), read.translate(_LEET_L)]
    return [*found, *(short for one in found or [read] if _STRETCHED.search(one) for short in _shrunk(one))]


def spelled(folded: str) -> Iterator[str]:
    """Words that are spelled out, letter by letter or with a sign in the middle, without what is between."""
    for run in _LETTER_RUN.findall(folded):
        yield re.sub(r"[^\w]|_", "", run)


def hyphened(folded: str) -> Iterator[str]:
    """Short words with one sign in the middle, without it."""
    for run in _HYPHENED.findall(folded):
        yield re.sub(r"[^\w]|_", "", run)


def masked(token: str) -> re.Pattern[str] | None:
    """A pattern for a word of which some letters are covered by signs; None where too little is left of it."""
    if not any(c in MASKS for c in token[1:-1]) or sum(c.isalpha() for c in token) < 2:
        return None
    return re.compile("".join("[a-z]" if c in MASKS else re.escape(c) for c in token))


def _shrunk(word: str) -> Sequence[str]:
    """A stretched word with its runs of one and of two letters."""
    return (_STRETCHED.sub(r"\1", word), _STRETCHED.sub(r"\1\1", word))
