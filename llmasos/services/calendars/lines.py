"""iCalendar as text (RFC 5545): lines, their parameters, and the components they stand in.

What comes from other programs is often broken: folded in the middle of a character, in another encoding, with lines
that are none. So each line is read by itself, and what can't be read costs that line alone. Nothing here grows faster
than its input, whatever that is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

FOLD = 73
"""Bytes of a line that is written, without the space before a continued one."""
DEEPEST = 8
"""Components in components; what lies deeper is left out."""
MOST_LINES, LONGEST_LINE = 2_000, 16_384
"""Lines of one component, and characters of one line: an attachment inside it is longer, and left out."""

_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
_HIGH = re.compile(rb"[\x80-\xff]+")
_ESCAPE = re.compile(r"\\([nN,;:\\])")


@dataclass(frozen=True, slots=True)
class Line:
    """One line.

    Attributes:
        name: `DTSTART`, in capitals.
        params: Parameter, in capitals -> its value without quotes.
        value: What stands behind the colon, escapes and all.
    """

    name: str
    params: Mapping[str, str]
    value: str

    @property
    def text(self) -> str:
        """The value as text."""
        return _ESCAPE.sub(lambda m: "\n" if m[1] in "nN" else m[1], self.value)


@dataclass(slots=True)
class Component:
    """What stands between BEGIN and END.

    Attributes:
        name: `VEVENT`, in capitals.
        raw: Its lines as they are, unfolded, without those of the components in it.
        parts: The components in it.
    """

    name: str
    raw: list[str] = field(default_factory=list)
    parts: list[Component] = field(default_factory=list)

    def lines(self) -> Iterator[Line]:
        """Its lines, as far as they can be read."""
        for raw in self.raw:
            line = parsed(raw)
            if line is not None:
                yield line

    def all_raw(self) -> list[str]:
        """Its lines with those of the components in it, as they are written."""
        inner = [line for part in self.parts for line in (f"BEGIN:{part.name}", *part.all_raw(), f"END:{part.name}")]
        return [*self.raw, *inner]


def decoded(data: bytes) -> tuple[str, str]:
    """The text of a file with its folded lines made whole, and the encoding where it isn't UTF-8."""
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            data = data.decode(encoding, "replace").encode()
    data = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\0", b"")
    # Before it is decoded: programs fold by bytes, through the middle of a character.
    data = data.replace(b"\n ", b"").replace(b"\n\t", b"")
    try:
        return data.decode(), ""
    except UnicodeDecodeError:
        pass
    # Chinese is two such bytes after another; in Western words one stands among letters.
    runs = [len(run) for run in _HIGH.findall(data)]
    if sum(length % 2 == 0 for length in runs) > 0.8 * len(runs):
        return data.decode("gb18030", "replace"), "GB 18030"
    return data.decode("cp1252", "replace"), "Windows-1252"


def parsed(raw: str) -> Line | None:
    """A line taken apart; None where it is none."""
    name = _NAME.match(raw)
    if name is None:
        return None
    params: dict[str, str] = {}
    at = name.end()
    while raw.startswith(";", at):
        equals = raw.find("=", at)
        if equals < 0:
            return None
        if raw.startswith('"', equals + 1):
            end = raw.find('"', equals + 2)
            if end < 0:
                return None
            value, end = raw[equals + 2 : end], end + 1
            while end < len(raw) and raw[end] not in ";:":  # a further value of the same parameter
                end += 1
        else:
            end = min((i for i in (raw.find(";", equals), raw.find(":", equals)) if i >= 0), default=len(raw))
            value = raw[equals + 1 : end]
        params[raw[at + 1 : equals].upper()] = value
        at = end
    if not raw.startswith(":", at):
        return None
    return Line(name[0].upper(), params, raw[at + 1 :])


def components(text: str, notes: Counter[str]) -> Iterator[Component]:
    """The components of a calendar, one by one.

    Args:
        text: As `decoded` gives it.
        notes: What was left out is counted here.
    """
    stack: list[Component] = []
    for raw in text.split("\n"):
        head = raw[:64].upper()
        if head.startswith("BEGIN:"):
            name = head[6:].strip()
            if name != "VCALENDAR" or stack:
                if len(stack) > DEEPEST * 4:
                    notes["components inside each other too deeply"] += 1
                    return
                stack.append(Component(name))
        elif head.startswith("END:"):
            name = head[4:].strip()
            if name == "VCALENDAR":  # what isn't closed by now never is
                notes.update({"parts that aren't closed": len(stack)} if stack else {})
                stack.clear()
            elif stack and stack[-1].name == name:
                whole = stack.pop()
                if not stack:
                    yield whole
                elif len(stack) < DEEPEST:
                    stack[-1].parts.append(whole)
        elif stack:
            if len(raw) > LONGEST_LINE or len(stack[-1].raw) >= MOST_LINES:
                notes["lines that are too long or too many"] += 1
            elif raw.strip():
                stack[-1].raw.append(raw)
    if stack:
        notes["parts that aren't closed"] += len(stack)


def escaped(text: str) -> str:
    """Text as a value."""
    for plain, written in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\n", "\\n")):
        text = text.replace(plain, written)
    return text


def folded(line: str) -> str:
    """A line as it is written: no more than 75 bytes, never through the middle of a character."""
    if len(line) <= FOLD and line.isascii():
        return line
    parts, size = [""], 0
    for character in line:
        width = len(character.encode("utf-8", "replace"))
        if size + width > FOLD:
            parts.append("")
            size = 0
        parts[-1] += character
        size += width
    return "\r\n ".join(parts)
