"""A text in pieces that a person can look up: by its headings, a document's pages, or lines; and what each says.

A long text has no five sentences that carry it, so each of its pieces is summarized for itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from llmasos.services.files.documents import Part
from llmasos.services.language import extract

LONG = 12_000
"""Characters from which a text is summarized piece by piece."""
PIECES = 10
"""At most so many."""
EACH = 2
"""Sentences of each."""
_HEADING = re.compile(r"^\s{0,3}#{1,6}\s+(.+?)\s*#*$")


def of_text(words: str) -> list[Part]:
    """The pieces of a long text, below each Markdown heading, else by lines; a short one is a single piece."""
    if len(words) <= LONG:
        return [Part("", words)]
    lines = words.splitlines()
    starts = [at for at, line in enumerate(lines) if _HEADING.match(line)]
    if len(starts) < 2:
        size = max(1, -(-len(lines) // PIECES))
        starts = list(range(0, len(lines), size))
    starts = starts if starts[:1] == [0] else [0, *starts]
    ends = [*starts[1:], len(lines)]
    found = []
    for start, end in zip(starts, ends, strict=True):
        heading = _HEADING.match(lines[start]) if start < end else None
        body = "\n".join(lines[start + bool(heading) : end])
        where = f"lines {start + 1:,} to {end:,}"
        if body.strip():
            found.append(Part(f"{heading[1]}, {where}" if heading else where, body))
    return found


def summarize(parts: Sequence[Part]) -> str:
    """A short text as a whole, a long one piece by piece.

    Args:
        parts: The text, in order.

    Returns:
        Sentences of the text; of a long one under the place of each piece. Empty for an empty text.
    """
    whole = "\n\n".join(part.text for part in parts)
    if len(whole) <= LONG:
        return extract.summarize(whole)
    found = []
    for piece in _together(parts, len(whole) / PIECES):
        said = extract.summarize(piece.text, EACH).split("\n\n")[-1]
        if said:
            found.append(f"{piece.label}: {said}" if piece.label else said)
    return "\n\n".join(found)


def _together(parts: Sequence[Part], size: float) -> list[Part]:
    """Neighbours together until they have about a size; a part is never cut."""
    groups: list[list[Part]] = []
    length = 0.0
    for part in parts:
        if not groups or length + len(part.text) / 2 > size * len(groups):
            groups.append([])
        groups[-1].append(part)
        length += len(part.text)
    return [Part(_span(group), "\n\n".join(part.text for part in group)) for group in groups]


def _span(group: Sequence[Part]) -> str:
    """Where a group of neighbours is: "page 3 to 7", or the headings of its first and last."""
    first, last = group[0].label, group[-1].label
    if first == last or not last:
        return first
    if first.startswith("page ") and last.startswith("page "):
        return f"pages {first.removeprefix('page ')} to {last.removeprefix('page ')}"
    return f"{first or 'the beginning'} to {last}"
