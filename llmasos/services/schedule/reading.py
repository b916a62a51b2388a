"""From a phrase to its parts: spelling, zone, named days, the rules of both languages, dateparser.

Our own rules read first, because a general parser is wrong without saying so: dateparser 1.5 takes "tomorrow
at 9" as tomorrow at the present hour and knows no 下周三. It reads what the rules leave (other languages),
and its answer is taken only where it accounts for every number that was said.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from copy import copy
from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, available_timezones

from llmasos.core.base.errors import SyscallError
from llmasos.services.schedule import chinese, english, english_dates, english_stretches, english_times
from llmasos.services.schedule.festivals import FESTIVALS
from llmasos.services.schedule.parts import Parts, Rule

EXAMPLES = "Say it like 'tomorrow at 9', 'Thursday from 14:00 to 15:30', 'in 20 minutes' or '下周三下午三点'."

_LANGUAGES = ["de", "fr", "es", "it", "pt", "nl", "pl", "ru", "uk", "sv", "tr", "ja", "ko"]
"""What dateparser is asked about; with all of its 200 a strange word takes three seconds."""

_ENGLISH: list[Rule] = [*english_dates.RULES, *english_times.RULES, *english_stretches.RULES]


def normalised(text: str) -> str:
    """A phrase in the form that the rules read."""
    text = unicodedata.normalize("NFKC", text).casefold()
    text = text.strip().strip("\"'“”‘’「」,;!? ")
    if not re.search(r"\d\.\d{1,2}\.$", text):  # "24.12." is a date
        text = text.rstrip(".")
    return english.normalised(text)


def read(text: str, now: datetime) -> tuple[Parts, str]:
    """What a normalised phrase says, and what of it no rule could read."""
    parts = Parts()
    rest = _take_zone(text, parts)
    for pattern, festival in FESTIVALS:
        m = pattern.search(rest)
        if m:
            parts.festival = festival
            rest = cut(rest, m)
            break
    rest = chinese.normalised(rest)
    rules: list[Rule] = [*chinese.RULES, *_ENGLISH] if re.search("[\u4e00-\u9fff]", rest) else _ENGLISH
    for pattern, act in rules:
        m = pattern.search(rest)
        while m:
            if act(m, parts, now) is not False:
                rest = cut(rest, m)
                break
            m = pattern.search(rest, m.end()) if m.end() > m.start() else None
    rest = chinese.FILLER.sub(" ", english.FILLER.sub(" ", rest)).strip()
    rest = " ".join(rest.split())
    if re.fullmatch(r"\d{1,2}", rest) and parts.hour is None and parts.exact is None and int(rest) <= 24:
        parts.hour, parts.bare, rest = int(rest), True, ""
        parts.certain = parts.hour > 12
    elif parts.hour is None and (m := re.fullmatch(r"(\d{1,2}) ([0-5]\d)", rest)) and int(m[1]) <= 24:
        parts.hour, parts.minute, rest = int(m[1]), int(m[2]), ""
    return parts, rest


def cut(text: str, match: re.Match[str]) -> str:
    """A text without what matched."""
    return f"{text[: match.start()]} {text[match.end() :]}"


_ABBREVIATIONS = {
    **dict.fromkeys(("utc", "gmt", "z"), "UTC"),
    **dict.fromkeys(("cet", "cest", "mez", "mesz"), "Europe/Berlin"),
    **dict.fromkeys(("bst", "uk time"), "Europe/London"),
    **dict.fromkeys(("eet", "eest"), "Europe/Helsinki"),
    **dict.fromkeys(("msk",), "Europe/Moscow"),
    **dict.fromkeys(("est", "edt", "eastern time", "et"), "America/New_York"),
    **dict.fromkeys(("cst", "cdt", "central time"), "America/Chicago"),
    **dict.fromkeys(("mst", "mdt", "mountain time"), "America/Denver"),
    **dict.fromkeys(("pst", "pdt", "pacific time", "pt"), "America/Los_Angeles"),
    **dict.fromkeys(("jst", "东京时间"), "Asia/Tokyo"),
    **dict.fromkeys(("ist",), "Asia/Kolkata"),
    **dict.fromkeys(("北京时间", "china time"), "Asia/Shanghai"),
    **dict.fromkeys(("伦敦时间",), "Europe/London"),
    **dict.fromkeys(("纽约时间",), "America/New_York"),
}
_ZONE = re.compile(
    r"(?:(?<=[\s\d])|\b)(?:("
    + "|".join(re.escape(a) for a in sorted(_ABBREVIATIONS, key=len, reverse=True))
    + r")(?![a-z0-9])"
    r"|([a-z]+/[a-z_]+)|(?<=\d)([+-]\d{2}):?(\d{2})$|([a-z]+(?: [a-z]+)?) time\b)"
)


def _take_zone(text: str, parts: Parts) -> str:
    """Note and cut out a time zone that was said."""
    for m in _ZONE.finditer(text):
        zone = _zone(m)
        if zone is not None and re.search(r"\d", text):
            parts.zone = zone
            return cut(text, m)
    return text


def _zone(m: re.Match[str]) -> tzinfo | None:
    if m[1]:
        return ZoneInfo(_ABBREVIATIONS[m[1]])
    if m[3]:
        minutes = int(m[3]) * 60 + (int(m[4]) if m[3][0] == "+" else -int(m[4]))
        return timezone(timedelta(minutes=minutes))
    wanted = (m[2] or m[5]).replace(" ", "_")
    for name in available_timezones():
        folded = name.casefold()
        if folded == wanted or ("/" in folded and folded.rsplit("/", 1)[1] == wanted):
            return ZoneInfo(name)
    return None


def understood(text: str, now: datetime) -> Parts:
    """What a whole phrase says.

    Raises:
        SyscallError: EINVAL, a part of it can't be read.
    """
    phrase = normalised(text)
    parts, rest = read(phrase, now)
    if rest:
        mended = _mended(rest)
        if mended != rest:
            for wrong, right in zip(rest.split(), mended.split(), strict=True):
                phrase = re.sub(rf"\b{re.escape(wrong)}\b", right, phrase)
            again, left = read(phrase, now)
            if not left:
                return again
        foreign = _by_dateparser(rest, parts, now)
        if foreign is None:
            raise SyscallError("EINVAL", f"{rest!r} in {text!r} can't be read as a time.", EXAMPLES)
        parts = foreign
    if not parts.has_day and not parts.has_time and parts.span is None and not parts.same_time:
        raise SyscallError("EINVAL", f"{text!r} says no time.", EXAMPLES)
    return parts


def _mended(rest: str) -> str:
    """Misspelt words put right, where one known word is near."""
    words = []
    for word in rest.split():
        near = (
            difflib.get_close_matches(word, english.VOCABULARY, n=1, cutoff=0.75)
            if len(word) > 3 and word.isascii()
            else []
        )
        words.append(near[0] if near else word)
    return " ".join(words)


def _by_dateparser(rest: str, parts: Parts, now: datetime) -> Parts | None:
    """A day in another language. The time was read by our rules already."""
    if (
        parts.has_day
        or parts.span
        or len(rest) > 40
        or not re.search(r"[^\W\d_]{3}|[\u3040-\u30ff\uac00-\ud7af]", rest)
    ):
        return None
    import dateparser  # late: it loads 0.1 s of languages

    # An odd time of day, so that a time that was read can be told from the one it starts with.
    base = now.replace(tzinfo=None, hour=3, minute=7, second=11, microsecond=13)
    settings = {"PREFER_DATES_FROM": "future", "RELATIVE_BASE": base, "RETURN_AS_TIMEZONE_AWARE": False}
    found = dateparser.parse(rest, languages=_LANGUAGES, settings=settings)
    if found is None:
        return None
    told = copy(parts)
    told.on = found.date()
    if found.time() == base.time() or found.time().isoformat() == "00:00:00":
        # A relative day says no number; a number that left no trace was not understood.
        if found.time() == base.time() and re.search(r"\d", rest):
            return None
        return told
    if told.has_time:
        return None
    told.hour, told.minute, told.certain = found.hour, found.minute, True
    return told
