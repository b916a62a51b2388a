"""Lorebooks of others, by themselves and in cards, and what they tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.fuzz.mutate import Json
from benchmarks.fuzz.target import Target
from benchmarks.fuzz.targets.files import cards
from llmasos.core.base.errors import UsageError
from llmasos.core.base.foreign import parse_json
from llmasos.services.characters import lorebook
from llmasos.services.characters.card import Card

_ROOM = 1_200
_SAID = (
    "Is there a dragon on the Hill?",
    "你见过龙吗？",
    "A wyrm sleeps. Fire and salt, 42 times!",
    "the sea. " * 400,
    "",
)


def books() -> list[dict[str, Any]]:
    """Lorebooks as they stand in a card."""
    entries: list[dict[str, Any]] = [
        {"keys": ["dragon", "wyrm"], "content": "It sleeps under the hill.", "enabled": True, "insertion_order": 1},
        {"keys": ["sea"], "secondary_keys": ["salt", "hill"], "selective": True, "content": "Salt.", "id": 7,
         "insertion_order": 2.5, "priority": 3, "case_sensitive": True, "position": "before_char",
         "extensions": {"selectiveLogic": 3, "probability": 50, "useProbability": True, "scan_depth": 2}},
        {"keys": ["/d[ae]rk.{0,3}/i", "(a|b)+"], "content": "@@scan_depth 3\n@@additional_keys a,b\nDark.", "use_regex": True,
         "extensions": {"sticky": 3, "cooldown": 2, "delay": 1, "match_whole_words": False}},
        {"keys": [], "constant": True, "content": "@@@activate_only_after 3\n@@exclude_keys x\nAlways.", "id": "c"},
        {"keys": ["龙"], "content": "它在山下睡觉。", "extensions": {"prevent_recursion": True, "exclude_recursion": True}},
    ]  # fmt: skip
    whole = {"name": "World", "description": "", "scan_depth": 4, "token_budget": 200, "recursive_scanning": True}
    return [
        {**whole, "extensions": {}, "entries": entries},
        {"entries": {str(number): entry for number, entry in enumerate(entries)}, "recursive_scanning": True},
    ]


class Lorebooks(Target):
    """Lorebooks: what can be read of one, told within its room, again and again."""

    name = "lorebooks"
    share = 10

    def __init__(self, folder: Path) -> None:
        alone = [{"spec": "lorebook_v3", "data": book} for book in books()]
        inside = [{**card, "data": {**card["data"], "character_book": books()[0]}} for card in cards()[:2]]
        words = (
            "entries", "keys", "content", "extensions", "probability", "sticky", "constant", "spec", "lorebook_v3",
            "@@activate_only_after", "@@scan_depth ٣٣", "@@scan_depth 9999999999999999999999", "@@dont_activate", "@@@",
            "/(?:a|b)*/", "(x+x+)+y", "[a-", "\\", "/a/", "//", "(?P<n>a)", "a{1,99999}", "{{char}}", "龙",
        )  # fmt: skip
        super().__init__(folder, Json([*books(), *alone, *inside], words))

    def run(self, data: bytes) -> None:
        """A book, whatever of it can be read; a refusal where it is no JSON, or no card."""
        try:
            raw = parse_json(data.decode("utf-8-sig"))
        except ValueError as error:  # told by who reads the file
            raise UsageError(f"It is no JSON: {error}.", "Look at it.") from None
        if isinstance(raw, dict) and str(raw.get("spec", "")).startswith("chara"):
            book = Card.from_text(json.dumps(raw)).book
        else:
            book = lorebook.read(raw)
        assert len(book.entries) <= lorebook.MOST
        constant = book.constant
        since: dict[str, int] = {}
        for said in range(1, 6):
            told = book.told(_SAID[:said], said, since, seed=f"{said}", room=_ROOM)
            assert told == book.told(_SAID[:said], said, since, seed=f"{said}", room=_ROOM), "a replay tells the same"
            assert sum(map(len, told.texts)) <= _ROOM
            assert not {entry.id for entry in told.entries} & {entry.id for entry in constant}
            "\n".join([*told.texts, *(entry.content for entry in constant)]).encode("utf-8", "surrogatepass")
            json.dumps(book.refused)
            since |= dict.fromkeys(told.fresh, said)
            storable = {str(id): int(count) for id, count in since.items()}
            assert json.loads(json.dumps(storable)) == since


TARGETS: tuple[type[Target], ...] = (Lorebooks,)
