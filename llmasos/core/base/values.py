"""The shapes a syscall's result can have: JSON that every front end can show and that `$n` can refer to.

Four shapes only, so that a shell, a server and a program need no case for each syscall:

- *items*: a list of things, each with a `ref`, what another call would name it by
- *text*: words, and where they come from
- *record*: one thing with fields
- *done*: an effect, in one sentence
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

Source = Literal["file", "person", "model", "plugin", "system", "character", "rule"]


class Named(str):
    """An argument as a person sees it in a preview, with the things that it names.

    Policy and consent are about the things: "study lamp and front door (simulated)" is two of them.

    Args:
        shown: The words.
        things: What they name, one by one.
    """

    things: tuple[str, ...]

    def __new__(cls, shown: str, things: Sequence[str]) -> Named:
        """Words that know their things."""
        named = super().__new__(cls, shown)
        named.things = tuple(things)
        return named

    def __getnewargs__(self) -> tuple[str, tuple[str, ...]]:  # type: ignore[override]  # a copy knows its things too
        return str(self), self.things


def items(
    kind: str,
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    *,
    empty: str = "",
    sources: Iterable[str] = (),
) -> dict[str, Any]:
    """A list of things.

    Args:
        kind: What they are: `file`, `event`, `task`, ...
        rows: Each with a `ref` and the columns' values; and where it holds other names, of people who take part for
            instance, with these as `names`. Words that somebody wrote are none. One whose words aren't the person's
            says so (`sourced`).
        columns: What to show, in order.
        empty: What to say where there are none.
        sources: Whose words stand in them besides, as labels name it, where they aren't the person's or the system's.
    """
    sources = {*sources, *(source for row in rows for source in row.get("sources", ()))}
    shape = {"type": "items", "kind": kind, "items": [dict(r) for r in rows], "columns": list(columns), "empty": empty}
    return {**shape, **_sources(sources)}


def text(
    words: str,
    *,
    source: Source,
    ref: str = "",
    title: str = "",
    format: str = "plain",
    note: str = "",
    sources: Iterable[str] = (),
) -> dict[str, Any]:
    """Words.

    Args:
        words: The text.
        source: Where it comes from; `model` words are marked as such. What a character says is its `character`'s where
            a model made it, and a `rule`'s where one did.
        ref: What it is the text of, a path for instance.
        title: What to head it with.
        format: `plain` or `markdown`.
        note: What the person should know about it.
        sources: Whose words stand in it besides; as for `items`.
    """
    shape = {
        "type": "text",
        "text": words,
        "source": source,
        "ref": ref,
        "title": title,
        "format": format,
        "note": note,
    }
    return {**shape, **_sources(sources)}


def record(title: str, fields: Mapping[str, Any], *, ref: str = "", sources: Iterable[str] = ()) -> dict[str, Any]:
    """One thing with fields; None fields are left out. `sources` as for `items`."""
    shown = {k: v for k, v in fields.items() if v is not None}
    return {"type": "record", "title": title, "fields": shown, "ref": ref, **_sources(sources)}


def done(message: str, *, ref: str = "", note: str = "", sources: Iterable[str] = ()) -> dict[str, Any]:
    """An effect that happened.

    Args:
        message: What was done, with the resolved names.
        ref: What it was done to or made.
        note: What the person should know beside it.
        sources: Whose words `ref` is, as for `items`.
    """
    return {"type": "done", "message": message, "ref": ref, "note": note, **_sources(sources)}


def sourced(row: Mapping[str, Any], sources: Iterable[str]) -> dict[str, Any]:
    """A row of `items` that says whose words it is, for labels and for people; as it is where they are the person's."""
    found = sorted(set(sources))
    return {**row, "source": ", ".join(found), "sources": found} if found else dict(row)


def plain(value: Any) -> str:
    """A result as plain text: for `-c` into a pipe, and for `$n` where text is wanted."""
    if not isinstance(value, Mapping):
        return str(value)
    match value.get("type"):
        case "items":
            lines = [
                "  ".join(str(row.get(c, "")) for c in value["columns"] if row.get(c) not in ("", None))
                for row in value["items"]
            ]
            return "\n".join(lines) or str(value["empty"])
        case "text":
            return str(value["text"])
        case "record":
            return "\n".join([str(value["title"]), *(f"{k}: {_field(v)}" for k, v in value["fields"].items())])
        case "done":
            return str(value["message"])
    return str(dict(value))


def _sources(sources: Iterable[str]) -> dict[str, list[str]]:
    found = sorted(set(sources))
    return {"sources": found} if found else {}


def _field(content: Any) -> str:
    """A field in one line, those within it separated by commas."""
    return ", ".join(f"{k} {v}" for k, v in content.items()) if isinstance(content, Mapping) else str(content)


def references(value: Any) -> list[str]:
    """What a result names, for a later call: the refs of its items, or its own."""
    if not isinstance(value, Mapping):
        return [str(value)]
    if value.get("type") == "items":
        return [str(row["ref"]) for row in value["items"]]
    ref = str(value.get("ref") or "")
    return [ref] if ref else []
