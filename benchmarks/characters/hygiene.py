"""What characters say in a thousand turns, looked over by rules of this benchmark's own, not by those that the system filters with."""

from __future__ import annotations

import asyncio
import random
import re
import tempfile
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.characters.cast import card, people
from llmasos.compose import Machine, compose
from llmasos.core.base.clock import MockClock
from llmasos.core.base.settings import Settings
from llmasos.services.characters import CharacterRef
from llmasos.services.safety.notice import without

PERSON = "ada"
TOGETHER = 8
"""Characters that are spoken with at a time."""
LONGEST = 120
"""Words of a reply; a longer one is a failure."""
_MODEL = re.compile(
    r"\bas an? (?:ai|artificial|language|virtual|digital|chat)|\b(?:ai|virtual|digital) (?:language )?(?:model|assistant)|\blanguage model"
    r"|\bsmollm|\bhugging ?face|\bopen ?ai\b|\bchatgpt|\bi(?:'m| am) (?:just |only )?(?:an? )?(?:ai|chat ?bot|computer program|assistant)\b"
    r"|\bi (?:was|am) (?:trained|programmed)",
    re.IGNORECASE,
)  # fmt: skip
_HUMAN = re.compile(r"\bi(?:'m| am) (?:a |indeed |just )*(?:real )?(?:human|person)\b(?! who)", re.IGNORECASE)
_NAMED = re.compile(r"\b(?i:my name is|i am called|call me|i'm called) ([A-Z][a-z]+)")
_OTHERS_LINE = re.compile(rf"(?:^|\n|[.!?] )\s*(?:user|human|{PERSON}|you)\s*:", re.IGNORECASE)
_MARKERS = re.compile(r"<\|?/?(?:im_|start|end|s>|user|system)|\[/?INST|\{\{|###")
_ENDS = re.compile(r"[.!?…。！？\"'”’)*~:;—-]\s*$")


@dataclass
class Talked:
    """What was said.

    Attributes:
        turns: How many replies.
        failed: How many failures of each kind.
        examples: Some of them.
    """

    turns: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)


def failures(reply: str, name: str, before: Collection[str]) -> list[str]:
    """What is wrong with a reply.

    Args:
        reply: What was said.
        name: By whom.
        before: What the same one said in the turns before.
    """
    words = reply.split()
    named = _NAMED.search(reply)
    found = [
        ("empty", not re.search(r"\w", reply)),
        ("talks of being a model", bool(_MODEL.search(reply)) and "character played by an AI" not in reply),
        ("claims to be human", bool(_HUMAN.search(reply))),
        ("wrong name", bool(named) and named is not None and named[1].casefold() not in name.casefold()),
        ("speaks for the person", bool(_OTHERS_LINE.search(reply))),
        ("markers", bool(_MARKERS.search(reply))),
        ("too long", len(words) > LONGEST),
        ("loops", _loops(reply)),
        ("ends in the middle", bool(words) and not _ENDS.search(reply)),
        ("said the same again and again", len(words) > 6 and sum(reply == one for one in before) >= 2),
        (
            "other script",
            sum(ord(c) > 0x24F and c.isalpha() for c in reply) > 0.3 * max(1, sum(c.isalpha() for c in reply)),
        ),
    ]
    return [what for what, wrong in found if wrong]


def _loops(reply: str) -> bool:
    """Whether five words come three times."""
    words = re.findall(r"\w+", reply.casefold())
    runs = Counter(tuple(words[i : i + 5]) for i in range(len(words) - 4))
    return any(count >= 3 for count in runs.values())


async def talk(turns: int, seed: str, model: str = "smollm2") -> Talked:
    """Let several characters talk with a person for so many turns together, and look over what they say."""
    found = Talked()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            home=Path(folder) / "home", owner=PERSON, workspace=folder, seed=1, model=model, record=False
        )
        clock = MockClock(datetime(2026, 3, 1, 12, 0, tzinfo=UTC))
        machine = await compose(settings, clock=clock)
        try:
            await asyncio.gather(
                *(_with(machine, clock, name, turns // TOGETHER + (place < turns % TOGETHER), f"{seed} {name}", found)
                  for place, name in enumerate(list(people())[:TOGETHER]))
            )  # fmt: skip
        finally:
            await machine.close()
    return found


async def _with(machine: Machine, clock: MockClock, name: str, turns: int, seed: str, found: Talked) -> None:
    """One character's share of the turns."""
    lines = Path(__file__).with_name("lines.txt").read_text(encoding="utf-8").splitlines()
    draw = random.Random(seed)
    character = machine.characters.cast.add(PERSON, card(people()[name]))
    ref = CharacterRef.of(character)
    said: list[str] = []
    order: list[str] = []
    for _ in range(turns):
        if not order:
            order = draw.sample(lines, len(lines))
        line = order.pop()
        clock.advance(30)
        reply = without("".join([piece async for piece in machine.characters.chat(ref, line)]))
        found.turns += 1
        for what in failures(reply, name, said[-5:]):
            found.failed[what] += 1
            found.examples.append(f"{what}: {name}, {line!r} -> {reply!r}")
        said.append(reply)
