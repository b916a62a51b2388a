"""Character cards: a superset of the V3 format, read from V1, V2 and V3; fields we don't know are kept.

Format: Character Card Specification V2 and V3 (`chara_card_v2`, `chara_card_v3`). A card is untrusted text:
it says how a character talks and grants it nothing; what it says of models and servers isn't read.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from llmasos.core.base.errors import SyscallError
from llmasos.core.base.foreign import parse_json
from llmasos.services.characters import lorebook, worldinfo
from llmasos.services.characters.macros import TIMELESS, Moment, fill

SPEC = {2: ("chara_card_v2", "2.0"), 3: ("chara_card_v3", "3.0")}
LARGEST = 8 * 1024 * 1024
"""Bytes of a card's JSON."""
LONGEST_NAME = 80
TALKATIVE = 0.5

_TEXTS = (
    "name", "description", "personality", "scenario", "first_mes", "mes_example", "creator_notes",
    "system_prompt",
    "post_history_instructions", "creator", "character_version", "nickname",
)  # fmt: skip
_LISTS = ("alternate_greetings", "tags", "group_only_greetings")
_OURS = "llmasos"
_HALF = re.compile("[\ud800-\udfff]")
MOST_GOALS, LONGEST_GOAL = 12, 300


class Card:
    """A character card.

    Args:
        data: The V3 `data` object; unknown keys are kept.
        outside: Keys beside `data`, kept too.
    """

    def __init__(self, data: Mapping[str, Any], outside: Mapping[str, Any] | None = None) -> None:
        self.data = copy.deepcopy(dict(data))
        self._outside = copy.deepcopy(dict(outside or {}))
        self._book: lorebook.Book | None = None

    @classmethod
    def make(
        cls,
        name: str,
        *,
        personality: str = "",
        role: str = "",
        scenario: str = "",
        language: str = "",
        goals: Sequence[str] = (),
        lore: Sequence[Any] = (),
        written_by: str = "",
    ) -> Card:
        """A card from a few words.

        Args:
            name: What it is called.
            personality: How it is.
            role: What it is.
            scenario: Where and when one meets it.
            language: What it speaks.
            goals: What it wants.
            lore: What it knows of its world: texts, or `{"keys": [...], "content": ...}` (lorebook.written).
            written_by: Whose words these are, where they aren't a person's.

        Raises:
            SyscallError: EINVAL or E2BIG, one of them can't be.
        """
        card = cls({"name": name, "personality": personality, **({"scenario": scenario} if scenario else {})})
        if lore:
            card.data["character_book"] = lorebook.written(lore)
        card._own(role=role, language=language, goals=list(goals), written_by=written_by)
        return card._checked()

    @classmethod
    def from_json(cls, raw: Any) -> Card:
        """Read a card of any version.

        Raises:
            SyscallError: EINVAL, it is no card.
        """
        if not isinstance(raw, Mapping):
            raise SyscallError("EINVAL", "That is no character card: a card is a JSON object.")
        inner = raw.get("data")
        if isinstance(inner, Mapping) and "name" in inner:
            return cls(inner, {k: v for k, v in raw.items() if k not in ("data", "spec", "spec_version")})._checked()
        if "name" in raw:  # V1 has its fields at the top
            return cls(raw)._checked()
        raise SyscallError("EINVAL", "That is no character card: it names nobody.", "A card has data.name.")

    @classmethod
    def from_text(cls, text: str) -> Card:
        """Read a card's JSON text.

        Raises:
            SyscallError: EINVAL or E2BIG.
        """
        if len(text) > LARGEST:
            raise SyscallError("E2BIG", f"The card has {len(text):,} characters; {LARGEST:,} is the limit.")
        try:
            raw = parse_json(text)
        except ValueError as error:
            raise SyscallError("EINVAL", f"The card isn't JSON: {error}.") from None
        return cls.from_json(raw)

    def to_json(self, version: int = 3) -> dict[str, Any]:
        """The card as V3 has it, with all that V3 requires; as V2 it has the same fields, which V2 lets be."""
        data = copy.deepcopy(self.data)
        for key in _TEXTS:
            if key != "nickname":
                data.setdefault(key, "")
        for key in _LISTS:
            data.setdefault(key, [])
        data.setdefault("extensions", {})
        spec, number = SPEC[version]
        return {**copy.deepcopy(self._outside), "spec": spec, "spec_version": number, "data": data}

    def to_text(self, version: int = 3) -> str:
        """The card's JSON text."""
        card = self.to_json(version)
        text = json.dumps(card, ensure_ascii=False, indent=2)
        # Half a character, which some cards have, can stand in text as an escape only.
        return json.dumps(card, indent=2) if _HALF.search(text) else text

    @property
    def name(self) -> str:
        """What the character is called."""
        return str(self.data["name"])

    @property
    def called(self) -> str:
        """What the character calls itself."""
        return str(self.data.get("nickname") or self.name)

    @property
    def role(self) -> str:
        """What it is, "lighthouse keeper"; ours."""
        return str(self._extension().get("role", ""))

    @property
    def language(self) -> str:
        """What it speaks, as said; ours."""
        return str(self._extension().get("language", ""))

    @property
    def goals(self) -> list[str]:
        """What it wants; ours."""
        said = self._extension().get("goals")
        return [str(goal) for goal in said][:MOST_GOALS] if isinstance(said, list) else []

    @property
    def book(self) -> lorebook.Book:
        """What it knows of its world."""
        if self._book is None:
            self._book = lorebook.read(self.data.get("character_book"))
        return self._book

    @property
    def written_by(self) -> str:
        """Who wrote words of it, where that was no person: "model"; ours, and kept wherever the card goes."""
        return str(self._extension().get("written_by", ""))

    @property
    def talkativeness(self) -> float:
        """How readily it joins a talk, 0 to 1; 0.5 where the card doesn't say (SillyTavern's extension)."""
        extensions = self.data.get("extensions")
        said = extensions.get("talkativeness") if isinstance(extensions, Mapping) else None
        try:
            return min(1.0, max(0.0, float(said)))  # type: ignore[arg-type]  # None raises as other nonsense does
        except (TypeError, ValueError, OverflowError):
            return TALKATIVE

    def text(self, field: str, *, person: str, moment: Moment = TIMELESS) -> str:
        """A field with its macros filled in and comments taken out."""
        return self.fill(str(self.data.get(field, "")), person=person, moment=moment)

    def fill(self, text: str, *, person: str, moment: Moment = TIMELESS) -> str:
        """A text of this card with its macros filled in."""
        return fill(text, char=self.called, user=person, moment=moment).strip()

    def changed(
        self,
        *,
        personality: str = "",
        role: str = "",
        scenario: str = "",
        language: str = "",
        goals: Sequence[str] = (),
        lore: Sequence[Any] = (),
        written_by: str = "",
    ) -> Card | None:
        """The next version with what is said differently now; None where nothing is. Arguments as for `make`."""
        card = Card(self.data, self._outside)
        card.data |= {k: v for k, v in (("personality", personality), ("scenario", scenario)) if v}
        if lore:
            card.data["character_book"] = lorebook.written(lore)
        card._own(role=role, language=language, goals=list(goals))
        if card._checked().to_json() == self.to_json():
            return None
        card._own(written_by=written_by)
        return card

    def with_book(self, book: Mapping[str, Any]) -> tuple[Card | None, int]:
        """The next version with another lorebook's entries behind its own, and how many are new; None where none is.

        Raises:
            SyscallError: E2BIG, as for `worldinfo.joined`; or the card would be larger than any.
        """
        both, new = worldinfo.joined(self.data.get("character_book"), book)
        if not new:
            return None, 0
        card = Card({**self.data, "character_book": both}, self._outside)
        if len(card.to_text()) > LARGEST:
            raise SyscallError("E2BIG", f"With that, the card is longer than {LARGEST:,} characters.", "Take some out.")
        return card, new

    def renamed(self, name: str) -> Card:
        """The same character under another name, which goes on calling itself as before."""
        return Card({**self.data, "name": name, "nickname": self.called}, self._outside)

    def _extension(self) -> Mapping[str, Any]:
        extensions = self.data.get("extensions")
        ours = extensions.get(_OURS) if isinstance(extensions, Mapping) else None
        return ours if isinstance(ours, Mapping) else {}

    def _own(self, **fields: str | list[str]) -> None:
        ours = {**self._extension(), **{k: v for k, v in fields.items() if v}}
        if ours:
            self.data["extensions"] = {**(self.data.get("extensions") or {}), _OURS: ours}

    def _checked(self) -> Card:
        for key in _TEXTS:
            if self.data.get(key) is None:
                self.data.pop(key, None)
            elif not isinstance(self.data[key], str):
                raise SyscallError("EINVAL", f"The card's {key} isn't text.")
        if not isinstance(self.data.get("extensions", {}), Mapping):
            raise SyscallError("EINVAL", "The card's extensions are no object.")
        goals = self._extension().get("goals", [])
        if not isinstance(goals, list) or len(goals) > MOST_GOALS or any(len(str(g)) > LONGEST_GOAL for g in goals):
            raise SyscallError("E2BIG", f"A character has at most {MOST_GOALS} goals of {LONGEST_GOAL} characters.")
        name = " ".join(str(self.data.get("name", "")).split())
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            raise SyscallError("EINVAL", f"A character's name has 1 to {LONGEST_NAME} characters on one line.")
        self.data["name"] = name
        return self
