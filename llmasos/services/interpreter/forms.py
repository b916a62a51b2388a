"""Forms that a definition asks for ("YYYY-MM-DD", "ISO 4217 code", "in Python syntax"), as regular expressions.

Text of a foreign function is a span of what was said. Only where its description asks for another form may a value be
derived, and then it has that form: "3 May 2026" becomes 2026-05-03, "Swiss francs" CHF.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_TEMPLATE = re.compile(
    r"(?<![A-Za-z])(?:YYYY|yyyy|YY|MM|DD|dd|HH|hh)(?:[-/.: ]|'?T'?)(?:YYYY|yyyy|YY|MM|mm|DD|dd|HH|hh|SS|ss|[-/.: T])*"
)
_FIELD = re.compile(r"YYYY|yyyy|YY|MM|mm|DD|dd|HH|hh|SS|ss")
_DATE, _TIME = "[12][0-9]{3}-[01][0-9]-[0-3][0-9]", "[0-2][0-9]:[0-5][0-9]"
_OTHERS = (
    (r"\b(?:ISO[ -]?8601|RFC ?3339)\b", rf"{_DATE}(T{_TIME}(:[0-5][0-9])?Z?)?"),
    (r"\b(?:ISO[ -]?639|(?:language|locale) codes?|BCP ?47)\b", r"[a-z]{2,3}(-[A-Z]{2})?"),
    (r"\blower[ -]?case\b.*\bcodes?\b|\bcodes?\b.*\blower[ -]?case\b", r"[a-z]{2,3}"),
    (r"\b(?:ISO|IATA|ICAO|ticker|codes?|abbreviation|symbol)\b", r"[A-Z]{2,4}"),
    (r"#RRGGBB|\bhex(?:adecimal)?\b", r"#?[0-9A-Fa-f]{3,8}"),
    (r"\bcron\b", r"[0-9*\/,-]{1,9}( [0-9*\/,A-Za-z-]{1,9}){4}"),
    (
        r"\b(?:Python|SQL|LaTeX|mathematical|JavaScript|lambda|regular expression|syntax|expression|formula|equation|function of)\b",
        r"[^\n\"\\]{1,80}",
    ),
)  # fmt: skip


def forms(description: str) -> Iterator[str]:
    """Regular expressions of the forms that a description asks for; nothing where it asks for none."""
    for template in _TEMPLATE.findall(description):
        yield _from_template(template.rstrip("-/.: T"))
    for asked, form in _OTHERS:
        if re.search(asked, description, re.IGNORECASE if asked.islower() else 0):
            yield form


def asks_for_lower_case(description: str) -> bool:
    """Whether text is wanted in lower case."""
    return bool(re.search(r"\blower[ -]?case", description, re.IGNORECASE))


def _from_template(template: str) -> str:
    """ "DD.MM.YYYY" as a regular expression."""
    parts, at = [], 0
    for field in _FIELD.finditer(template):
        parts.append(re.escape(template[at : field.start()]).replace("/", r"\/"))
        parts.append("[12][0-9]{3}" if len(field[0]) == 4 else "[0-9]{2}")
        at = field.end()
    return "".join(parts)
