"""Forms that a definition asks for ("YYYY-MM-DD", "ISO 4217 code", "in Python syntax"), as regular expressions.

Text of a foreign function is a span of what was said. Only where its description asks for another form may a value be
derived, and then it has that form: "3 May 2026" becomes 2026-05-03, "Swiss francs" CHF.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_FIELDS = {
    "YYYY": "[12][0-9]{3}", "yyyy": "[12][0-9]{3}", "%Y": "[12][0-9]{3}",
    "MMMM": "[A-Z][a-z]{2,8}", "MMM": "[A-Z][a-z]{2}", "SSS": "[0-9]{3}", "sss": "[0-9]{3}",
    **dict.fromkeys(("YY", "yy", "MM", "mm", "DD", "dd", "HH", "hh", "SS", "ss"), "[0-9]{2}"),
    **dict.fromkeys(("%y", "%m", "%d", "%H", "%I", "%M", "%S"), "[0-9]{2}"),
    **dict.fromkeys("MmDdHh", "[0-9]{1,2}"),
}  # fmt: skip
_FIELD = re.compile("|".join(_FIELDS))
_TEMPLATE = re.compile(
    rf"(?<![A-Za-z%])(?:{_FIELD.pattern})(?:(?:[-/.: ]|, |'?T'?)?(?:{_FIELD.pattern}))+(?:Z(?![A-Za-z])| ?AM/PM)?(?![A-Za-z])"
)
_DATE, _TIME = "[12][0-9]{3}-[01][0-9]-[0-3][0-9]", "[0-2][0-9]:[0-5][0-9]"
_OTHERS = (
    (r"ISO[ -]?8601|RFC ?3339", rf"{_DATE}(T{_TIME}(:[0-5][0-9])?(Z|[+-]{_TIME})?)?"),
    (r"ISO[ -]?639(?:-[0-9])?|(?:language|locale) codes?|BCP ?47", r"[a-z]{2,3}([-_][A-Z]{2})?"),
    (r"lower[ -]?case\b.*\bcodes?|codes?\b.*\blower[ -]?case", r"[a-z]{2,3}"),
    (r"(?:RR|rr){2}|hex(?:adecimal)?", r"#?[0-9A-Fa-f]{3,8}"),
)
