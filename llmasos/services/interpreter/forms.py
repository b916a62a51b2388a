"""Forms that a definition asks for ("YYYY-MM-DD", "ISO 4217 code", "in Python syntax"), as regular expressions.

Text of a foreign function is a span of what was said. Only where its description asks for another form may a value be
derived, and then it has that form: "3 May 2026" becomes 2026-05-03, "Swiss francs" CHF.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_YEAR, _TWO = "[12][0-9]{3}", "[0-9]{2}"
_FIELDS = {
    **dict.fromkeys(("YYYY", "yyyy", "%Y"), _YEAR),
    "MMMM": "[A-Z][a-z]{2,8}",
    "MMM": "[A-Z][a-z]{2}",
    **dict.fromkeys(("SSS", "sss"), "[0-9]{3}"),
    **dict.fromkeys(("YY", "yy", "MM", "mm", "DD", "dd", "HH", "hh", "SS", "ss"), _TWO),
    **dict.fromkeys(("%y", "%m", "%d", "%H", "%I", "%M", "%S"), _TWO),
}
_SHORT = "[MmDdHh]"
"""Without a leading zero, as in M/D/YYYY."""
_FIELD = re.compile("|".join(_FIELDS))
_TEMPLATE = re.compile(
    rf"(?<![A-Za-z%])(?>{_FIELD.pattern}|{_SHORT}(?=[-/.:]))"
    rf"(?:(?:[-/.:+ 年月日时分]|, |日 |'?T'?)?(?>{_FIELD.pattern})|[-/.:]{_SHORT})+"
    r"(?:Z| ?(?:AM/PM|am/pm|%p)|[日时分秒])?(?![A-Za-z])"
)
_DATE, _TIME = "[12][0-9]{3}-[01][0-9]-[0-3][0-9]", "[0-2][0-9]:[0-5][0-9]"
_OTHERS = (
    (
        r"ISO[ -]?8601 durations?|durations? in ISO[ -]?8601",
        r"P(([0-9]{1,3}[YMWD]){1,4}(T([0-9]{1,3}[HMS]){1,3})?|T([0-9]{1,3}[HMS]){1,3})",
    ),
    (r"ISO[ -]?8601|RFC ?3339", rf"{_DATE}(T{_TIME}(:[0-5][0-9])?(Z|[+-]{_TIME})?)?"),
    (r"ISO[ -]?639|(?:language|locale) codes?|BCP ?47", r"[a-z]{2,3}([-_][A-Z]{2})?"),
    (r"RRGGBB|hex(?:adecimal)?", r"#?[0-9A-Fa-f]{1,8}"),
    (r"cron", r"[0-9*\/,-]{1,9}( [0-9*\/,A-Za-z-]{1,9}){4}"),
    (
        r"Python|SQL|LaTeX|mathematical|JavaScript|lambda|regular expression|syntax|expression|formula|equation"
        r"|function of",
        r"[^ \n\"\\]([^\n\"\\]{0,78}[^ \n\"\\])?",
    ),
    (r"lower[ -]?case\b.*\bcodes?|codes?\b.*\blower[ -]?case", r"[a-z]{2,3}"),
    (r"ISO|IATA|ICAO|ticker|codes?|abbreviation|symbol", r"[A-Z]{2,4}"),
)
"""(what is asked for, its form); the first that is asked for counts."""


def forms(description: str) -> Iterator[str]:
    """Regular expressions of the forms that a description asks for; nothing where it asks for none."""
    for template in dict.fromkeys(_TEMPLATE.findall(description)):
        form = _from_template(template)
        # Rain in mm/h is no date.
        if _YEAR in form or ":" in form or not re.search(rf"(?<![A-Za-z]){_SHORT}(?![A-Za-z])", template):
            yield form
    for asked, form in _OTHERS:
        # Letters of other scripts may stand beside: "货币的ISO代码".
        if re.search(rf"(?<![A-Za-z])(?:{asked})(?![A-Za-z])", description, re.IGNORECASE):
            yield form
            break


def asks_for_lower_case(description: str) -> bool:
    """Whether text is wanted in lower case."""
    return bool(re.search(r"\blower[ -]?case", description, re.IGNORECASE))


def _from_template(template: str) -> str:
    """A template like DD.MM.YYYY as a regular expression."""
    parts, at = [], 0
    for field in re.finditer(rf"{_FIELD.pattern}|AM/PM|am/pm|%p|{_SHORT}", template):
        parts.append(re.escape(template[at : field.start()].replace("'", "")).replace("/", r"\/"))
        parts.append(_FIELDS.get(field[0], "[0-9]{1,2}" if len(field[0]) == 1 else "(AM|PM|am|pm)"))
        at = field.end()
    return "".join(parts) + re.escape(template[at:])


DATE, TIME = _from_template("YYYY-MM-DD"), _from_template("HH:MM")
"""The two that moments.py can tell from the sentence."""
