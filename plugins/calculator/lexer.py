"""Text to tokens: figures, number words, symbols and phrases of two languages, side by side."""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction
from typing import NamedTuple

from llmasos.sdk import ToolError

from . import numerals
from .arithmetic import Value
from .vocabulary import CURRENCIES, FIRST_WORDS, LONGEST, MOST_WORDS, PHRASES, SKIP, UNITS

MOST_CHARACTERS = 500
_MOST_FIGURES = 100
_MOST_EXPONENT = 999

_NUMBER = r"(?:\d+(?:\.\d+)?|\.\d+)(?:e[+-]?\d+)?(?![\d.]*\.\d)"
_FIGURES = re.compile(rf"\d{{1,3}}(?:,\d{{3}})+(?![\d,])(?:\.\d+)?|{_NUMBER}")
_AMBIGUOUS = re.compile(r",\d")
_LISTED = re.compile(_NUMBER)
_MIXED = re.compile(r"(\d{1,9}) (\d{1,4})/(\d{1,4})(?![\d/.])")
_ORDINAL = re.compile(r"(\d{1,4})(?:st|nd|rd|th)\b")
_WORDS = re.compile(r"[a-z]+(?:'[a-z]+)?(?:(?: +|-)[a-z]+)*")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
_WITH_FIGURES = re.compile(r"log(?:10|2)(?!\d)")
_THOUSANDS = re.compile(r"k(?![a-z])")
_SUPERSCRIPT = re.compile(r"[⁺⁻]?[⁰¹²³⁴-⁹]+")
_NORMAL = str.maketrans({"−": "-", "–": "-", "—": "-", "º": "°", "’": "'", "√": " √ ", "＊": "*", "﹣": "-"})


_NONE = Value(Fraction(0))


class Token(NamedTuple):
    """One piece of an expression.

    Attributes:
        kind: As in vocabulary.PHRASES, or `number`, `unit`, `noun`, `end`.
        text: As it was written.
        meaning: What the phrase means; the name of a unit.
        value: Of a number.
        corrected: The text is a near miss of what it is read as.
    """

    kind: str
    text: str
    meaning: str = ""
    value: Value = _NONE
    corrected: bool = False


def tokens(expression: str) -> list[Token]:
    """All tokens of an expression, an `end` last.

    Raises:
        ToolError: It is too long, or has characters that mean nothing here.
    """
    if len(expression) > MOST_CHARACTERS:
        raise ToolError(f"That is longer than {MOST_CHARACTERS} characters.", "Say it in parts.")
    return _Lexer(_normalised(expression)).run()


def _normalised(text: str) -> str:
    text = text.translate(_NORMAL)
    # 2² and 2½ lose their meaning in the compatibility form: 22, 21/2.
    text = _SUPERSCRIPT.sub(lambda m: "^(" + unicodedata.normalize("NFKC", m[0]).replace("−", "-") + ")", text)
    pieces = []
    for char in text:
        if unicodedata.category(char) == "No" and (part := unicodedata.numeric(char, 0)):
            near = Fraction(part).limit_denominator(100)
            pieces.append(f" {near.numerator}/{near.denominator} " if near.denominator > 1 else str(near.numerator))
        else:
            pieces.append(char)
    return unicodedata.normalize("NFKC", "".join(pieces)).lower().replace("⁄", "/")


class _Lexer:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._out: list[Token] = []
        self._in_call: list[bool] = []  # one for each open bracket: are these the arguments of a function?
        self._currency = ""

    def run(self) -> list[Token]:
        while self._at < len(self._text):
            if self._text[self._at].isspace():
                self._at += 1
            elif not (self._figures() or self._phrase() or self._words() or self._chinese()):
                self._unknown()
        return [*self._out, Token("end", "")]

    def _figures(self) -> bool:
        text, start = self._text, self._at
        if ordinal := _ORDINAL.match(text, start):
            rank = int(ordinal[1])
            return self._number(Value(Fraction(rank), ordinal=rank), ordinal.end())
        mixed = _MIXED.match(text, start)
        if mixed and 0 < int(mixed[2]) < int(mixed[3]):
            return self._number(Value(int(mixed[1]) + Fraction(int(mixed[2]), int(mixed[3]))), mixed.end())
        # max(100,200) has two numbers, 100,200 outside is one.
        in_call = bool(self._in_call) and self._in_call[-1]
        match = (_LISTED if in_call else _FIGURES).match(text, start)
        if not match:
            return False
        if not in_call and _AMBIGUOUS.match(text, match.end()):
            said = text[start:].split()[0][:40]
            raise ToolError(f"I can't tell whether {said} is one number.", "Write 3.5, or 3, 5.")
        figures, _, exponent = match[0].replace(",", "").partition("e")
        if len(figures) > _MOST_FIGURES or abs(int(exponent or 0)) > _MOST_EXPONENT:
            raise ToolError(f"{match[0][:40]}... has too many digits.")
        number = Fraction(match[0].replace(",", ""))
        end = match.end()
        if thousands := _THOUSANDS.match(text, end):
            return self._number(Value(number * 1000), thousands.end())
        number, end = numerals.chinese_scale(number, text, end)
        gap = len(text[end:]) - len(text[end:].lstrip(" -"))
        words = self._words_at(end + gap)
        value, used = numerals.after_number(number, [word for word, _ in words])
        return self._number(value, words[used - 1][1] if used else end)

    def _number(self, value: Value, end: int) -> bool:
        if self._currency:
            value = Value(value.number, unit=self._currency)
            self._currency = ""
        self._out.append(Token("number", self._text[self._at : end], value=value))
        self._at = end
        return True

    def _phrase(self) -> bool:
        """A symbol or Chinese phrase, the longest first."""
        text, start = self._text, self._at
        if named := _WITH_FIGURES.match(text, start):
            return self._token(PHRASES[named[0]], named.end())
        if text[start] in CURRENCIES:
            if text[start + 1 : start + 2].isdigit():
                self._currency = text[start]
                self._at += 1
                return True
            return self._unit(text[start], start + 1)
        if text[start].isascii() and text[start].isalpha():
            return False
        for length in range(min(LONGEST, len(text) - start), 0, -1):
            piece = text[start : start + length]
            if piece in PHRASES:
                return self._token(PHRASES[piece], start + length)
            if piece in UNITS and self._out and self._out[-1].kind == "number":
                return self._unit(piece, start + length)
        return False

    def _words(self) -> bool:
        words = self._words_at(self._at)
        if not words:
            return False
        plain = [word for word, _ in words]
        if numeral := numerals.english(plain):
            value, used = numeral
            return self._number(value, words[used - 1][1])
        for count in range(min(MOST_WORDS, len(words)), 0, -1):
            phrase = " ".join(plain[:count])
            # "3 m" is metres and "3 times" isn't; a unit is only one after a number.
            after_number = bool(self._out) and self._out[-1].kind == "number"
            if after_number and count == 1 and phrase in UNITS and phrase not in PHRASES:
                return self._unit(phrase, words[0][1])
            if phrase in PHRASES:
                return self._token(PHRASES[phrase], words[count - 1][1])
        return self._corrected(words) or self._noun(*words[0])

    def _corrected(self, words: list[tuple[str, int]]) -> bool:
        """A phrase whose first word is misspelt: "devided by"."""
        meant = _near(words[0][0])
        plain = [meant, *(word for word, _ in words[1:])]
        for count in range(min(MOST_WORDS, len(words)), 0, -1):
            kind, meaning = PHRASES.get(" ".join(plain[:count]), ("", ""))
            if meant and kind:
                if kind != SKIP:
                    self._out.append(Token(kind, meant, meaning, corrected=True))
                self._at = words[count - 1][1]
                return True
        return False

    def _noun(self, word: str, end: int) -> bool:
        known = word in UNITS
        self._out.append(Token("unit" if known else "noun", word, UNITS[word] if known else word))
        self._at = end
        return True

    def _words_at(self, start: int) -> list[tuple[str, int]]:
        """The words from here on that only spaces or hyphens part, each with its end."""
        run = _WORDS.match(self._text, start)
        return [(m[0], m.end()) for m in _WORD.finditer(self._text, start, run.end())][:12] if run else []

    def _chinese(self) -> bool:
        found = numerals.chinese(self._text, self._at)
        return bool(found) and self._number(*found) if found else False

    def _token(self, meant: tuple[str, str], end: int) -> bool:
        kind, meaning = meant
        if kind == "(":
            self._in_call.append(bool(self._out) and self._out[-1].kind in ("list", "function"))
        elif kind == ")" and self._in_call:
            self._in_call.pop()
        if kind != SKIP:
            self._out.append(Token(kind, self._text[self._at : end], meaning))
        self._at = end
        return True

    def _unit(self, said: str, end: int) -> bool:
        self._out.append(Token("unit", said, UNITS[said]))
        self._at = end
        return True

    def _unknown(self) -> None:
        piece = self._text[self._at : self._at + 12]
        raise cannot_read(piece if piece.isalnum() else piece[0])


def cannot_read(piece: str) -> ToolError:
    """What to say about a piece that means nothing here."""
    return ToolError(f"I can't read {piece!r} as arithmetic.", "Say it like '15% of 80' or '12 times 7 plus 3'.")


def _near(word: str) -> str:
    """The one word of arithmetic that a longer word misses by one letter, or nothing."""
    near = {known for known in FIRST_WORDS if _one_off(word, known)} if len(word) >= 5 else set()
    return near.pop() if len(near) == 1 else ""


def _one_off(a: str, b: str) -> bool:
    """Whether one letter is missing, added, changed, or swapped with the next."""
    if abs(len(a) - len(b)) > 1:
        return False
    start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    rest_a, rest_b = a[start:], b[start:]
    if rest_a[1:] == rest_b or rest_a == rest_b[1:] or rest_a[1:] == rest_b[1:]:
        return True
    return rest_a[:2] == rest_b[:2][::-1] and rest_a[2:] == rest_b[2:]
