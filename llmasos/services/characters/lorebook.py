"""Lorebooks: what a card knows of its world, told to the model where a word of it falls.

Format: `character_book` of Character Card Specification V2 and V3, with V3's decorators, and of SillyTavern's
extensions the logic of secondary keys, probability, inclusion groups (of entries with the same `group` one is told: one
that is still there, else with `group_override` the one of the highest order, else one by chance, as `group_weight`
says), and the timed effects:

    sticky    stays so many messages after it was triggered
    cooldown  can't be triggered again for so many messages, counted from the end of sticky
    delay     can't be triggered before so many messages were said

What is always there (`constant`) belongs to the stable beginning of a prompt, what was triggered to its end. Fields
that aren't read here stay in the card.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from llmasos.services.characters import triggers

MOST = 2_000
"""Entries of a book that are read."""
SCAN_DEPTH = 4
"""Messages that are looked through where the card doesn't say."""
DEEPEST = 50
ROUNDS = 3
"""How often what was triggered may trigger more."""
LONGEST = 4_000
"""Characters of one entry."""
PER_TOKEN = 4
"""Characters of a token, for a book's budget."""

Logic = Literal["any", "all", "not_any", "not_all"]
_LOGIC: dict[int, Logic] = {0: "any", 1: "not_all", 2: "not_any", 3: "all"}
_DECORATOR = re.compile(r"^@@@?([a-z_]+)[ \t]*(.*)$")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing a lorebook knows.

    Attributes:
        id: Unique in its book.
        content: What is told.
        keys: Any of them triggers it.
        secondary: Looked at where it is selective.
        logic: What is asked of them.
        selective: Whether secondary keys count.
        constant: Always there.
        case: Whether capital letters count.
        pattern: Whether keys are regular expressions.
        whole: Whether keys are whole words.
        order: Smaller ones stand earlier.
        priority: Smaller ones go first where there is no room.
        before: Stands before the card's own text; only for constant ones.
        scan_depth: Messages to look through; None takes the book's.
        probability: In percent.
        sticky: In messages, as the two below.
        cooldown: See above.
        delay: See above.
        triggers_others: Whether its content is looked through for keys.
        triggered_by_others: Whether others' contents trigger it.
        groups: Of the entries in one, one is told at a time.
        group_weight: How readily it is the one.
        group_override: Whether chance doesn't decide that.
    """

    id: str
    content: str
    keys: tuple[str, ...] = ()
    secondary: tuple[str, ...] = ()
    logic: Logic = "any"
    selective: bool = False
    constant: bool = False
    case: bool = False
    pattern: bool = False
    whole: bool = True
    order: float = 100
    priority: float = 10
    before: bool = False
    scan_depth: int | None = None
    probability: float = 100
    sticky: int = 0
    cooldown: int = 0
    delay: int = 0
    triggers_others: bool = True
    triggered_by_others: bool = True
    groups: tuple[str, ...] = ()
    group_weight: float = 100
    group_override: bool = False

    def triggered(self, lines: Sequence[str]) -> bool:
        """Whether its keys occur in what was said."""

        def there(key: str) -> bool:
            return any(
                triggers.occurs(key, line, case=self.case, pattern=self.pattern, whole=self.whole) for line in lines
            )

        if not any(map(there, self.keys)):
            return False
        if not self.selective or not self.secondary:
            return True
        found = [there(key) for key in self.secondary]
        return {"any": any(found), "all": all(found), "not_any": not any(found), "not_all": not all(found)}[self.logic]


@dataclass(frozen=True, slots=True)
class Told:
    """What of a book is told now.

    Attributes:
        entries: In the order in which they are told.
        fresh: Ids of those that were triggered just now, and aren't only still there.
    """

    entries: tuple[Entry, ...] = ()
    fresh: frozenset[str] = frozenset()

    @property
    def texts(self) -> list[str]:
        """What they say."""
        return [entry.content for entry in self.entries]


@dataclass(frozen=True, slots=True)
class Book:
    """A lorebook as it is read from a card.

    Attributes:
        entries: Those that are enabled.
        scan_depth: Messages to look through.
        budget: Characters of all that is triggered at once; 0 where the card doesn't say.
        recursive: Whether what was triggered triggers more.
        refused: Keys that are patterns which could run away, and so never match.
    """

    entries: tuple[Entry, ...] = ()
    scan_depth: int = SCAN_DEPTH
    budget: int = 0
    recursive: bool = False
    refused: tuple[str, ...] = ()

    @property
    def constant(self) -> list[Entry]:
        """What is always there, in order; what depends on time or chance is no such entry."""
        fixed = [e for e in self.entries if e.constant and e.probability >= 100 and not e.delay]
        return sorted(fixed, key=lambda e: (e.order, e.id))

    def told(
        self, lines: Sequence[str], said: int, since: Mapping[str, int], *, seed: str = "", room: int = 1_200
    ) -> Told:
        """What is triggered; `Book.constant` isn't among it.

        Args:
            lines: What was said, oldest first, the new line last.
            said: How many messages that makes in all, also those that aren't in `lines`.
            since: For entries that were triggered before, at which count of messages that was last.
            seed: Of what is left to chance.
            room: Characters that may be told at most.
        """
        fixed = {entry.id for entry in self.constant}
        held: dict[str, Entry] = {}
        open_: list[Entry] = []
        still: set[str] = set()
        for entry in (e for e in self.entries if e.id not in fixed):
            ago = said - since[entry.id] if entry.id in since and since[entry.id] <= said else None
            if ago is not None and entry.sticky and ago <= entry.sticky:
                held[entry.id] = entry
                still.add(entry.id)
            elif ago is not None and entry.cooldown and 0 < ago <= entry.sticky + entry.cooldown:
                continue
            elif said >= entry.delay and _by_chance(entry, seed):
                open_.append(entry)
        fits: list[Entry] = []
        for entry in open_:
            depth = entry.scan_depth if entry.scan_depth is not None else self.scan_depth
            if entry.constant or entry.triggered(lines[-depth:] if depth else ()):
                fits.append(entry)
        held |= {entry.id: entry for entry in _one_of_each_group(fits, held, seed)}
        if self.recursive:
            self._spread(held, [entry for entry in open_ if entry.triggered_by_others], seed)
        kept = _fitting(held.values(), min(room, self.budget or room))
        return Told(tuple(kept), frozenset(entry.id for entry in kept) - still)

    def _spread(self, held: dict[str, Entry], open_: Sequence[Entry], seed: str) -> None:
        spoken = [entry.content for entry in (*self.constant, *held.values()) if entry.triggers_others]
        for _ in range(ROUNDS):
            fits = [entry for entry in open_ if entry.id not in held and entry.triggered(spoken)]
            more = _one_of_each_group(fits, held, seed)
            if not more:
                return
            held |= {entry.id: entry for entry in more}
            spoken = [entry.content for entry in more if entry.triggers_others]


def read(raw: Any) -> Book:
    """A card's `character_book`, or a lorebook by itself; what can't be read is left out, and stays in the card."""
    if not isinstance(raw, Mapping):
        return Book()
    if str(raw.get("spec", "")).startswith("lorebook") and isinstance(raw.get("data"), Mapping):
        raw = raw["data"]
    given: Any = raw.get("entries")
    rows: list[Any] = list(given.values()) if isinstance(given, Mapping) else given if isinstance(given, list) else []
    entries, refused = [], []
    for number, row in enumerate(rows[:MOST]):
        if isinstance(row, Mapping) and row.get("enabled", True) and isinstance(row.get("content"), str):
            entry = _entry(row, number)
            entries.append(entry)
            refused += [key for key in (*entry.keys, *entry.secondary) if _runs_away(key, entry)]
    return Book(
        tuple(entries),
        _whole(raw.get("scan_depth"), SCAN_DEPTH, DEEPEST),
        _whole(raw.get("token_budget"), 0, 100_000) * PER_TOKEN,
        bool(raw.get("recursive_scanning", False)),
        tuple(refused),
    )


def written(lore: Iterable[Any]) -> dict[str, Any]:
    """A `character_book` of what a program gave: texts that are always known, or `{"keys": [...], "content": ...}`."""
    entries = []
    for number, row in enumerate(lore):
        said: dict[str, Any] = {"content": row, "constant": True, "keys": []} if isinstance(row, str) else dict(row)
        keys = said.get("keys", [])
        said["keys"] = [key.strip() for key in keys.split(",")] if isinstance(keys, str) else list(keys)
        entries.append({"extensions": {}, "enabled": True, "insertion_order": number, "use_regex": False, **said})
    return {"extensions": {}, "entries": entries}


def _entry(row: Mapping[str, Any], number: int) -> Entry:
    extensions = row.get("extensions")
    more: Mapping[str, Any] = extensions if isinstance(extensions, Mapping) else {}
    content, decorators = _decorated(str(row["content"])[:LONGEST])
    whole = more.get("match_whole_words")
    entry = Entry(
        id=str(row.get("id", number)),
        content=content,
        keys=_keys(row.get("keys")),
        secondary=_keys(row.get("secondary_keys")),
        logic=_LOGIC.get(_whole(more.get("selectiveLogic"), 0, 3), "any"),
        selective=bool(row.get("selective", False)),
        constant=bool(row.get("constant", False)),
        case=bool(row.get("case_sensitive") or more.get("case_sensitive") or False),
        pattern=bool(row.get("use_regex", False)),
        whole=True if whole is None else bool(whole),
        order=_number(row.get("insertion_order"), 100),
        priority=_number(row.get("priority"), 10),
        before=row.get("position") == "before_char",
        scan_depth=_depth(more.get("scan_depth")),
        probability=_number(more.get("probability"), 100) if more.get("useProbability", True) else 100,
        sticky=_whole(more.get("sticky"), 0, 10_000),
        cooldown=_whole(more.get("cooldown"), 0, 10_000),
        delay=_whole(more.get("delay"), 0, 10_000),
        triggers_others=not more.get("prevent_recursion", False),
        triggered_by_others=not more.get("exclude_recursion", False),
        groups=_keys(str(more.get("group") or "").split(",")),
        group_weight=max(0.0, _number(more.get("group_weight"), 100)),
        group_override=bool(more.get("group_override", False)),
    )
    for name, value in decorators:
        entry = _with(entry, name, value)
    return entry


def _decorated(content: str) -> tuple[str, list[tuple[str, str]]]:
    """The text, and the decorators on the lines above it."""
    lines, found = content.split("\n"), []
    while lines and (match := _DECORATOR.match(lines[0].strip())):
        found.append((match[1], match[2].strip()))
        lines.pop(0)
    return "\n".join(lines).strip(), found


def _with(entry: Entry, name: str, value: str) -> Entry:
    """An entry as a decorator changes it; those that say where in a prompt it stands are left to us."""
    match name:
        case "activate" | "constant":
            return replace(entry, constant=True)
        case "dont_activate":
            return replace(entry, keys=(), constant=False)
        case "scan_depth" if value.isdecimal():
            return replace(entry, scan_depth=min(int(value), DEEPEST))
        case "activate_only_after" if value.isdecimal():
            return replace(entry, delay=int(value))
        case "keep_activate_after_match":
            return replace(entry, sticky=10_000)
        case "dont_activate_after_match":
            return replace(entry, cooldown=10_000)
        case "additional_keys":
            return replace(entry, secondary=_keys(value.split(",")), selective=True)
        case "exclude_keys":
            return replace(entry, secondary=_keys(value.split(",")), selective=True, logic="not_any")
    return entry


def _fitting(held: Iterable[Entry], room: int) -> list[Entry]:
    """What fits into the room; what counts least goes first."""
    kept: list[Entry] = []
    for entry in sorted(held, key=lambda e: (-e.priority, e.order, e.id)):
        if entry.content and len(entry.content) <= room:
            room -= len(entry.content)
            kept.append(entry)
    return sorted(kept, key=lambda e: (e.order, e.id))


def _one_of_each_group(fits: Sequence[Entry], held: Mapping[str, Entry], seed: str) -> list[Entry]:
    """Of entries that fit, those that are told: one of each group, and none where the group has one already."""
    taken = {group for entry in held.values() for group in entry.groups}
    left = [entry for entry in fits if not taken.intersection(entry.groups)]
    for group in sorted({group for entry in left for group in entry.groups}):
        members = [entry for entry in left if group in entry.groups]
        if len(members) > 1:
            chosen = _chosen(members, f"{seed}\n{group}")
            left = [entry for entry in left if entry is chosen or entry not in members]
    return left


def _chosen(members: Sequence[Entry], seed: str) -> Entry:
    """Which of a group's entries is told."""
    first = [entry for entry in members if entry.group_override]
    if first:
        return max(first, key=lambda e: (e.order, e.id))
    weights = [entry.group_weight for entry in members]
    draw = random.Random(seed)  # noqa: S311  no secret depends on it
    return draw.choices(members, weights if sum(weights) > 0 else None)[0]


def _by_chance(entry: Entry, seed: str) -> bool:
    if entry.probability >= 100:
        return True
    draw = random.Random(f"{seed}\n{entry.id}")  # noqa: S311  no secret depends on it
    return draw.random() * 100 < entry.probability


def _runs_away(key: str, entry: Entry) -> bool:
    slashed = key.startswith("/") and key.rfind("/") > 0
    written_ = key[1 : key.rfind("/")] if slashed else key
    return (entry.pattern or slashed) and triggers.compile_pattern(written_, case=entry.case) is None


def _keys(raw: Any) -> tuple[str, ...]:
    return tuple(key.strip() for key in raw if isinstance(key, str) and key.strip()) if isinstance(raw, list) else ()


def _number(raw: Any, otherwise: float) -> float:
    return float(raw) if isinstance(raw, int | float) and not isinstance(raw, bool) and abs(raw) < 1e9 else otherwise


def _whole(raw: Any, otherwise: int, most: int) -> int:
    return max(0, min(most, int(_number(raw, otherwise))))


def _depth(raw: Any) -> int | None:
    return None if raw is None else _whole(raw, SCAN_DEPTH, DEEPEST)
