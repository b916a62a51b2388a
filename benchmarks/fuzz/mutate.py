"""Inputs that are nearly right: real ones, changed a little in their own structure, or at a byte.

All that is drawn comes from the generator that is handed in, so an input is the same for the same seed and number.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

LARGEST = 64 << 10
"""Bytes of an input, but for those that are grown on purpose."""
GROWN = 256 << 10
_GROWS = 1500
"""One input of so many has a piece repeated until it is large: work that grows faster than its input shows there."""

NUMBERS = (
    b"0", b"-0", b"-1", b"1e999", b"-1e999", b"NaN", b"Infinity", b"0.1", b"1e-999", b"255", b"65536", b"2147483648",
    b"4294967295", b"9223372036854775807", b"9223372036854775808", b"18446744073709551616", b"9" * 30, b"9" * 5000,
    "٣".encode(), "²".encode(), "一万二".encode(), b"0x7f", b"1_000", b"00", b"1.", b"+5",
)  # fmt: skip
TROUBLE = (
    b"\0", b"\n", b"\r\n", b"\r", b"\t", b"\x1b[2J", b"\x7f", b"\xff", b"\xff\xfe", b"\xc3", b"\xed\xa0\x80",
    "\ufeff".encode(), "\u2028".encode(), "\u202e".encode(), "\u200b".encode(), "e\u0301".encode(), "ﷺ".encode(),
    "İ".encode(), "ß".encode(), "👩‍👩‍👧".encode(), "𝟘".encode(), "字".encode(), b"\\", b'"', b"'", b"''", b'"""', b"`",
    b"${}", b"{{char}}", b"$1", b"..", b"/", b"//", b"../../etc/passwd", b"~", b"~nobody-here", b"%00", b"%", b"*",
    b"[", b"]", b"{", b"}", b":", b";", b",", b"=", b"#", b"<|im_end|>", b"|", b"(", b")", b"a" * 300, b" " * 300,
)  # fmt: skip
DEEP = (
    b"[" * 3000, b"[" * 700 + b"]" * 700, b'{"a":' * 700 + b"1" + b"}" * 700, b'{"a":' * 3000, b"(" * 2000, b"a." * 3000,
    b"a=" + b"[" * 1500 + b"]" * 1500, b"{{" * 500, b"*" * 500, b"." * 3000, b"-" * 3000,
)  # fmt: skip

_NUMBER = re.compile(rb"\d+")
_WORD = re.compile(rb"[A-Za-z_][\w.-]*|[^\x00-\x7f]+")


class Bytes:
    """Edits of bytes, with the words of all seeds to put in.

    Args:
        seeds: Real inputs.
        words: Further pieces that mean something to what reads them.
    """

    def __init__(self, seeds: Sequence[bytes], words: Sequence[bytes] = ()) -> None:
        self.seeds = list(seeds)
        found = dict.fromkeys(word for seed in seeds for word in _WORD.findall(seed[:LARGEST])[:2000])
        self._words = [*words, *found] or [b"x"]
        lines = dict.fromkeys(line for seed in seeds for line in seed[:LARGEST].split(b"\n")[:2000])
        self._lines = list(lines)

    def seed(self, rng: Random) -> bytes:
        """A real input."""
        return rng.choice(self.seeds)

    def __call__(self, rng: Random) -> bytes:
        """A changed one."""
        return self.edited(rng, self.seed(rng))

    def changed(self, rng: Random, data: bytes) -> bytes:
        """These bytes after some edits."""
        return self.edited(rng, data)

    def edited(self, rng: Random, data: bytes) -> bytes:
        """These bytes after some edits; now and then much longer."""
        if rng.randrange(_GROWS) == 0:
            return self._grown(rng, data)
        for _ in range(min(8, 1 + int(rng.expovariate(0.7)))):
            data = rng.choice(_EDITS)(self, rng, data)[:LARGEST]
        return data

    def piece(self, rng: Random) -> bytes:
        """Something to put in."""
        kind = rng.randrange(20)
        if kind < 9:
            return rng.choice(self._words)
        if kind < 13:
            return rng.choice(NUMBERS)
        if kind < 18:
            return rng.choice(TROUBLE)
        if kind < 19:
            return rng.choice(DEEP)
        return rng.randbytes(rng.randrange(1, 9))

    def _grown(self, rng: Random, data: bytes) -> bytes:
        start, end = _stretch(rng, data)
        piece = data[start:end][:2000] if rng.random() < 0.6 else self.piece(rng)
        count = (GROWN >> rng.randrange(6)) // max(1, len(piece))
        return data[:start] + piece * count + data[end if rng.random() < 0.5 else start :]

    def _insert(self, rng: Random, data: bytes) -> bytes:
        at = rng.randint(0, len(data))
        return data[:at] + self.piece(rng) + data[at:]

    def _overwrite(self, rng: Random, data: bytes) -> bytes:
        start, end = _stretch(rng, data, 12)
        return data[:start] + self.piece(rng) + data[end:]

    def _delete(self, rng: Random, data: bytes) -> bytes:
        start, end = _stretch(rng, data, 40)
        return data[:start] + data[end:]

    def _repeat(self, rng: Random, data: bytes) -> bytes:
        start, end = _stretch(rng, data, 60)
        return data[:end] + data[start:end] * rng.choice((1, 1, 2, 5, 40)) + data[end:]

    def _swap(self, rng: Random, data: bytes) -> bytes:
        a, b = _stretch(rng, data, 30)
        c, d = sorted((rng.randint(b, len(data)), rng.randint(b, len(data))))
        return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]

    def _cut(self, rng: Random, data: bytes) -> bytes:
        at = rng.randint(0, len(data))
        return data[:at] if rng.random() < 0.7 else data[at:]

    def _splice(self, rng: Random, data: bytes) -> bytes:
        other = self.seed(rng)
        start, end = _stretch(rng, other)
        at = rng.randint(0, len(data))
        return data[:at] + other[start:end] + data[at:]

    def _bit(self, rng: Random, data: bytes) -> bytes:
        if not data:
            return data
        at = rng.randrange(len(data))
        return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]

    def _number(self, rng: Random, data: bytes) -> bytes:
        places = list(_NUMBER.finditer(data[: 4 << 10]))
        if not places:
            return self._insert(rng, data)
        place = rng.choice(places)
        return data[: place.start()] + rng.choice(NUMBERS) + data[place.end() :]

    def _wide(self, rng: Random, data: bytes) -> bytes:
        """Overwrite some bytes with a number as machines write it."""
        width = rng.choice((1, 2, 4, 8))
        if len(data) < width:
            return data
        at = rng.randint(0, len(data) - width)
        top = 1 << 8 * width
        number = rng.choice((0, 1, top - 1, top >> 1, (top >> 1) - 1, rng.randrange(top), len(data), rng.randrange(64)))
        return data[:at] + (number % top).to_bytes(width, rng.choice(("big", "little"))) + data[at + width :]

    def _line(self, rng: Random, data: bytes) -> bytes:
        lines = data.split(b"\n")
        at = rng.randrange(len(lines))
        match rng.randrange(4):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, rng.choice(lines))
            case 2:
                lines.insert(at, rng.choice(self._lines))
            case _:
                other = rng.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
        return b"\n".join(lines)


_EDITS: tuple[Callable[[Bytes, Random, bytes], bytes], ...] = (
    Bytes._insert, Bytes._insert, Bytes._overwrite, Bytes._overwrite, Bytes._delete, Bytes._repeat, Bytes._swap,
    Bytes._cut, Bytes._splice, Bytes._bit, Bytes._number, Bytes._wide, Bytes._line, Bytes._line,
)  # fmt: skip


def _stretch(rng: Random, data: bytes, longest: int = LARGEST) -> tuple[int, int]:
    start = rng.randint(0, len(data))
    return start, min(len(data), start + rng.randint(0, min(longest, len(data) - start)))


class Json:
    """Edits of JSON as what it is: a value is exchanged, a key goes, a list grows. Then and now an edit of its bytes.

    Args:
        seeds: Real values.
        words: Texts that mean something to what reads them: keys, types, names.
    """

    def __init__(self, seeds: Sequence[Any], words: Sequence[str] = ()) -> None:
        self.seeds = list(seeds)
        self._keys = list(dict.fromkeys([*words, *(key for seed in seeds for key in _keys(seed))])) or ["a"]
        self._parts = [part for seed in seeds for part in _parts(seed)]
        self._bytes = Bytes([json.dumps(seed, ensure_ascii=False).encode("utf-8", "surrogatepass") for seed in seeds])

    def __call__(self, rng: Random) -> bytes:
        """The bytes of a changed value."""
        return self.written(rng, self.value(rng))

    def value(self, rng: Random) -> Any:
        """A changed value."""
        return self._edited(rng, rng.choice(self.seeds))

    def changed(self, rng: Random, data: bytes) -> bytes:
        """These bytes after some edits of what they hold; of what is no JSON, of the bytes."""
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            return self._bytes.edited(rng, data)
        try:
            return self.written(rng, self._edited(rng, value))
        except (ValueError, RecursionError):  # a number with too many digits, or nested too deeply, to be written
            return self._bytes.edited(rng, data)

    def _edited(self, rng: Random, value: Any) -> Any:
        for _ in range(min(8, 1 + int(rng.expovariate(0.6)))):
            value = self.edited(rng, value)
        return value

    def written(self, rng: Random, value: Any) -> bytes:
        """A value as text, in one of the ways in which it can stand there."""
        text = json.dumps(value, ensure_ascii=rng.random() < 0.5, indent=1 if rng.random() < 0.2 else None)
        data = text.encode("utf-8", "surrogatepass")
        if _HUGE.encode() in data:
            data = data.replace(b'"%b"' % _HUGE.encode(), b"9" * rng.choice((310, 4000, 5000)))
        if _NEST.encode() in data:
            deep = rng.choice((60, 150, 330, 700, 2000))
            data = data.replace(b'"%b"' % _NEST.encode(), rng.choice((b"[" * deep + b"]" * deep, b'{"a":' * deep)))
        return self._bytes.edited(rng, data) if rng.random() < 0.15 else data

    def edited(self, rng: Random, value: Any, depth: int = 0) -> Any:
        """The value after one edit, somewhere in it; the one that was given stays as it is."""
        if depth < 12 and isinstance(value, dict) and value and rng.random() < 0.8:
            key = rng.choice(list(value))
            match rng.randrange(8):
                case 0:
                    return {k: v for k, v in value.items() if k != key}
                case 1:
                    return {**value, self.text(rng): self.something(rng)}
                case 2:
                    return {self.text(rng) if k == key else k: v for k, v in value.items()}
                case _:
                    return {**value, key: self.edited(rng, value[key], depth + 1)}
        if depth < 12 and isinstance(value, list) and value and rng.random() < 0.8:
            at = rng.randrange(len(value))
            match rng.randrange(7):
                case 0:
                    return value[:at] + value[at + 1 :]
                case 1:
                    return [*value[:at], *[value[at]] * rng.choice((2, 3, 70)), *value[at:]]
                case 2:
                    return [*value, self.something(rng)]
                case _:
                    return [*value[:at], self.edited(rng, value[at], depth + 1), *value[at + 1 :]]
        if isinstance(value, str) and rng.random() < 0.5:
            at = rng.randint(0, len(value))
            return value[:at] + self.text(rng) + value[rng.choice((at, len(value))) :]
        return self.something(rng)

    def something(self, rng: Random) -> Any:
        """Any value."""
        kind = rng.randrange(12)
        if kind < 4:
            return rng.choice(self._parts)
        if kind < 6:
            return self.text(rng)
        return rng.choice(_VALUES)

    def text(self, rng: Random) -> str:
        """Any text."""
        return rng.choice(self._keys) if rng.random() < 0.6 else rng.choice(_TEXTS)


_HUGE, _NEST = "@a number with many digits@", "@nested@"
_TEXTS = (
    "", " ", "a", "\ud800", "\udfff\ud83d", "a\nb", "\r", "\0", "\x1b[31m", "\u2028", "\u202e", "\ufeff", "字", "İ", "ﬁ",
    "e\u0301", "👩‍👩‍👧", "x" * 200, "词" * 200, "a b", ":", "$1", '"', "\\", "null", "true", "-1", "1e999", "NaN", "..", "/",
    "../x", "~", "~nobody-here", "{{char}}", "{{//", "<|im_end|>", "<think>", "*", "[", "%s", "{}", "__class__", "$ref",
    "2026-11-27T10:00", "P1D", "Europe/Berlin", "0" * 5000,
)  # fmt: skip
_VALUES = (
    None, True, False, 0, -1, 1, 1.5, -0.0, 1e308, float("nan"), float("inf"), float("-inf"), 2**31, 2**53 + 1, 2**63,
    2**64, -(2**63) - 1, _HUGE, _NEST, [], {}, [[]], [{}], {"": ""}, [None] * 5, ["a", 1, None], {"a": {"b": {"c": 1}}},
    list(range(300)), {str(n): n for n in range(100)}, base64.b64encode(b"x" * 40).decode(), "ab" * 32, "00" * 16,
)  # fmt: skip


def _keys(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(key for part in value.values() for key in _keys(part))]
    return [key for part in value for key in _keys(part)] if isinstance(value, list) else []


def _parts(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(part for one in inner for part in _parts(one))]
