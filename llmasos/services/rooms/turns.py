"""Who speaks next in a room: who was addressed, who is in the middle of a talk, else who likes to talk.

The order of SillyTavern's group chats (names first, then dice by talkativeness, never the same one twice in a row),
with forms of address before mere mentions, and drawn from a seed, so that the same talk has the same order again.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from llmasos.services.script import has_chinese

MOST = 4
"""Replies to one line at most."""

_ALL = re.compile(
    r"\b(?:everyone|everybody|all of you|you all|y'all|you two|both of you|you guys|each of you|folks)\b"
    r"|大家|各位|你们",
    re.IGNORECASE,
)
_YOU = re.compile(r"\b(?:you|your|yours|yourself)\b|你(?!们)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Member:
    """A character in a room.

    Attributes:
        id: Its id.
        names: What it is called; the whole name first.
        talkativeness: How readily it joins in, 0 to 1.
    """

    id: str
    names: tuple[str, ...]
    talkativeness: float


def answering(line: str, members: Sequence[Member], partner: str, draw: random.Random) -> list[str]:
    """The ids of those who answer a person's line, in order; at most `MOST`.

    Args:
        line: What was said.
        members: Who is there.
        partner: Who answered the person last; empty where nobody did.
        draw: The dice.
    """
    called = addressed(line, members)
    if called:
        return called[:MOST]
    if partner in {member.id for member in members} and _YOU.search(line):
        return [partner]
    joining = [member for member in members if draw.random() < member.talkativeness]
    if not joining and members:
        # A person who says something is answered.
        joining = draw.choices(members, [max(member.talkativeness, 0.05) for member in members])
    draw.shuffle(joining)
    # Who answers together with others comes in by chance; a room where all answer every line is no talk.
    return [member.id for member in joining[:2]]


def following(
    said: str, speaker: str, waiting: Sequence[str], spoken: Sequence[str], members: Sequence[Member]
) -> tuple[bool, str]:
    """Who speaks after a character: whom it spoke to and who is still silent, else who waits; "" for nobody.

    Args:
        said: What it said.
        speaker: Its id.
        waiting: Those who are still to answer the person.
        spoken: Those who have spoken since.
        members: Who is there.

    Returns:
        Whether it was spoken to, and its id.
    """
    others = [member for member in members if member.id != speaker and member.id not in spoken]
    called = [id for id in addressed(said, others, everyone=False) if id != speaker]
    left = [id for id in waiting if id not in spoken]
    return bool(called), called[0] if called else left[0] if left else ""


def next_in_talk(said: str, speaker: str, members: Sequence[Member], draw: random.Random) -> str:
    """Who goes on when characters talk among themselves; never the one who spoke last. Empty where nobody else is."""
    others = [member for member in members if member.id != speaker]
    called = addressed(said, others, everyone=False)
    if called or not others:
        return called[0] if called else ""
    return draw.choices(others, [max(member.talkativeness, 0.05) for member in others])[0].id


def addressed(line: str, members: Sequence[Member], *, everyone: bool = True) -> list[str]:
    """The ids of those a line speaks to, in the order in which they are named.

    A form of address ("Bram, ...", "..., Bram?") counts before a mention ("what Bram said").

    Args:
        line: What was said.
        members: Who is there.
        everyone: Whether "everybody" means all of them.
    """
    places: list[tuple[int, bool, str]] = []
    for member in members:
        found = [(m.start(), _is_address(line, m)) for name in member.names for m in _named(name).finditer(line)]
        if found:
            place, address = min(found, key=lambda one: (not one[1], one[0]))
            places.append((place, address, member.id))
    if any(address for _, address, _ in places):
        return [id for _, address, id in sorted(places) if address]
    if everyone and _ALL.search(line):
        return [member.id for member in members]
    return [id for _, _, id in sorted(places)]


def _named(name: str) -> re.Pattern[str]:
    if has_chinese(name):
        return re.compile(re.escape(name))
    return re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE)


def _is_address(line: str, match: re.Match[str]) -> bool:
    before, after = line[: match.start()].rstrip(), line[match.end() :].lstrip()
    at_start = (
        not before
        or before[-1] in ".!?。！？:："
        or re.fullmatch(
            r"(?:hey|hi|hello|ok|okay|and|so|well|oh|dear|ask|tell|你好|嘿|喂)[,，]?",
            before.rsplit(".", 1)[-1].strip(),
            re.I,
        )
    )
    at_end = before[-1:] in (",", "，", "、") and (not after or after[0] in ".!?。！？,，")
    return bool((at_start and (not after or after[0] in ",，:：!！?？、")) or at_end)
