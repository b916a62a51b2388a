"""Lorebooks that are files of their own, read as the `character_book` that a card would have.

    {"spec": "lorebook_v3", "data": {"entries": [...]}}       as Character Card Specification V3 has it
    {"entries": {"0": {"key": [...], "keysecondary": ...}}}   World Info, as SillyTavern keeps and exports it
    {"entries": [{"keys": [...], "content": ...}]}            a card's `character_book` by itself

A book is a stranger's text like a card. What isn't read here goes along: what World Info says of an entry beside its
keys is kept among the entry's extensions, under the names that cards have for it.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from llmasos.core.base.errors import SyscallError
from llmasos.services.characters import lorebook

_FIELDS = {
    "uid": "id", "key": "keys", "keysecondary": "secondary_keys", "order": "insertion_order", "comment": "comment",
    "content": "content", "constant": "constant", "selective": "selective",
}  # fmt: skip
"""Fields of a World Info entry that a card's entry has under its own names."""
_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_AS_THEY_ARE = ("selectiveLogic", "useProbability", "characterFilter")
"""Extensions that cards write with capitals too, or that nobody but SillyTavern knows."""
_BEFORE, _AFTER = "before_char", "after_char"


def is_book(raw: Any) -> bool:
    """Whether a JSON value is a lorebook and no card: a card names somebody."""
    if not isinstance(raw, Mapping):
        return False
    if str(raw.get("spec", "")).startswith("lorebook"):
        return isinstance(raw.get("data"), Mapping)
    return isinstance(raw.get("entries"), Mapping | list) and not isinstance(raw.get("data"), Mapping)


def read(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A book of any of these forms as a `character_book`.

    Raises:
        SyscallError: EINVAL, there is no entry in it; E2BIG, there are more than are ever read.
    """
    book: dict[str, Any] = dict(raw["data"] if str(raw.get("spec", "")).startswith("lorebook") else raw)
    given = book.get("entries")
    rows = list(given.values()) if isinstance(given, Mapping) else given if isinstance(given, list) else []
    if len(rows) > lorebook.MOST:
        raise SyscallError(
            "E2BIG", f"The lorebook has {len(rows):,} entries; {lorebook.MOST:,} is the limit.", "Take some out."
        )
    # SillyTavern keeps in `originalData` the book that it once imported: the same entries, before they were edited.
    book.pop("originalData", None)
    book["entries"] = [_entry(row) for row in rows if isinstance(row, Mapping) and isinstance(row.get("content"), str)]
    if not book["entries"]:
        raise SyscallError("EINVAL", "There is no entry in this lorebook.", "An entry has keys and content.")
    return copy.deepcopy({"extensions": {}, **book})


def joined(own: Any, book: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """A character's book with the entries of another behind its own, and how many of them are new.

    The character's own settings stay in force; how deep the other book looks goes along with its entries. An entry
    that is there already, with the same keys and the same words, isn't added again.

    Args:
        own: The `character_book` of the card, as it is there; nothing where it has none that can be read.
        book: As `read` returns it.

    Raises:
        SyscallError: E2BIG, together they are more than are ever read.
    """
    kept = copy.deepcopy(dict(own)) if isinstance(own, Mapping) else {}
    given = kept.get("entries")
    rows = list(given.values()) if isinstance(given, Mapping) else list(given) if isinstance(given, list) else []
    if not rows:
        return {**kept, **copy.deepcopy(dict(book))}, len(book["entries"])
    there = [_same(row) for row in rows]
    new = [copy.deepcopy(row) for row in book["entries"] if _same(row) not in there]
    if len(rows) + len(new) > lorebook.MOST:
        raise SyscallError(
            "E2BIG", f"That would make {len(rows) + len(new):,} entries; {lorebook.MOST:,} is the limit.",
            "Take some out.",
        )  # fmt: skip
    depth = book.get("scan_depth")
    # An entry is known by its number where it has no id: new ones get numbers that none of the old ones can have.
    first = 1 + max([len(rows), *(row["id"] for row in rows if isinstance(row, Mapping) and _number(row.get("id")))])
    for number, row in enumerate(new, first):
        row["id"] = number
        if depth is not None:
            row["extensions"].setdefault("scan_depth", depth)
    return {**kept, "entries": rows + new}, len(new)


def _entry(row: Mapping[str, Any]) -> dict[str, Any]:
    """An entry as a card has it; one that is so already stays as it is."""
    extensions = row.get("extensions")
    more: dict[str, Any] = dict(extensions) if isinstance(extensions, Mapping) else {}
    if "keys" in row or "key" not in row:
        return {**row, "extensions": more}
    made: dict[str, Any] = {}
    for name, value in row.items():
        match name:
            case "extensions":
                pass
            case "disable":
                made["enabled"] = not value
            case "position":
                made["position"] = _BEFORE if value == 0 else _AFTER
                more["position"] = value
            case _ if name in _FIELDS:
                made[_FIELDS[name]] = value
            case _ if value is not None:
                more.setdefault(name if name in _AS_THEY_ARE else _CAPITAL.sub("_", name).lower(), value)
    keys = [key for key in made.get("keys") or () if isinstance(key, str)] if isinstance(made.get("keys"), list) else []
    return {"enabled": True, "insertion_order": 100, "use_regex": False, **made, "keys": keys, "extensions": more}


def _same(row: Any) -> tuple[Any, ...]:
    if not isinstance(row, Mapping):
        return (None, None)
    keys = row.get("keys")
    return (tuple(str(key) for key in keys) if isinstance(keys, list) else (), row.get("content"))


def _number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53
