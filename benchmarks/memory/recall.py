"""Planted facts, found again after some turns; corrected ones; ones that were never told."""

from __future__ import annotations

import random
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.memory.facts import Fact, facts
from benchmarks.memory.fillers import fillers
from benchmarks.memory.stage import OWNER, TINY, say, stage, tell
from llmasos.compose import Machine
from llmasos.services.characters import CharacterRef
from llmasos.services.characters.facts import asks_what_was_told
from llmasos.services.characters.prompt import DONT_KNOW, DONT_KNOW_CHINESE

AFTER = (1, 10, 50, 200, 1000)
"""Turns after which a fact is asked for."""
HITS = 5
CHINESE = "_chinese"
"""Behind the names of the files with the same in Chinese alone."""


@dataclass
class Recalled:
    """What was found.

    Attributes:
        near: For each number of turns, by half: whether a question in the fact's words found it among five.
        far: The same for a question in other words.
        misses: The questions that didn't, with the turns.
    """

    near: dict[tuple[int, str], list[bool]] = field(default_factory=lambda: defaultdict(list))
    far: dict[tuple[int, str], list[bool]] = field(default_factory=lambda: defaultdict(list))
    misses: list[str] = field(default_factory=list)


async def recalled(streams: int, seed: str, after: tuple[int, ...] = AFTER, files: str = "") -> Recalled:
    """Plant facts in streams of talk, and look for them later. A turn is a line and its reply.

    Args:
        streams: How many talks, each in a home of its own.
        seed: Of what is said when.
        after: Turns between a fact and its question.
        files: `CHINESE`, or empty.
    """
    found = Recalled()
    for number in range(streams):
        with tempfile.TemporaryDirectory() as folder:
            async with stage(Path(folder) / "home") as (machine, _, _):
                await _stream(machine, f"{seed} {number}", after, found, files)
    return found


async def _stream(machine: Machine, seed: str, after: tuple[int, ...], found: Recalled, files: str) -> None:
    draw = random.Random(seed)
    planted = facts(f"facts{files}")
    draw.shuffle(planted)
    ref = await machine.characters.create(OWNER, "Mira")
    other = fillers(seed, f"fillers{files}")
    numbers: dict[int, tuple[Fact, int]] = {}
    # Facts come one after three ordinary lines, so that one is never alone in what is remembered.
    due: dict[int, list[int]] = defaultdict(list)
    for index in range(len(planted)):
        for turns in after:
            due[4 * index + turns].append(index)
    for turn in range(max(due) + 1):
        for index in due.get(turn, ()):
            fact, event = numbers[index]
            await _ask(machine, ref, fact, event, turn - 4 * index, found)
        if turn % 4 == 0 and turn // 4 < len(planted):
            fact = planted[turn // 4]
            numbers[turn // 4] = fact, await tell(machine, ref, fact.said(draw.randrange(3)))
        else:
            await tell(machine, ref, next(other))


async def _ask(machine: Machine, ref: CharacterRef, fact: Fact, event: int, turns: int, found: Recalled) -> None:
    log = machine.characters.cast.log(_character(machine, ref))
    for question, kept in ((fact.near, found.near), (fact.far, found.far)):
        # As a talk asks for it.
        wide = asks_what_was_told(question)
        hits = await log.recall(question, ref.id, OWNER, before=log.next_number, limit=HITS, wide=wide)
        there = event in [hit.item.order for hit in hits]
        kept[turns, fact.half].append(there)
        if not there:
            found.misses.append(f"after {turns}: {question}")


@dataclass
class Answered:
    """What was said to questions, by half.

    Attributes:
        newest: Whether the corrected value alone was recalled first, and the old one not at all.
        abstained: Whether a question for what was never told was answered so.
        told: Whether one for what was told was answered with it.
        told_far: The same, asked in other words.
        wrong: What went wrong.
    """

    newest: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    abstained: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    told: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    told_far: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[str] = field(default_factory=list)


async def answered(rounds: int, seed: str, between: int = 20, files: str = "") -> Answered:
    """Tell half of the facts, correct them later, and ask for all; whole turns, with the rules that a tiny model is helped by.

    Args:
        rounds: How often, each time with another half of the facts, in a home of its own.
        seed: Of what is said when.
        between: Ordinary lines between telling, correcting and asking.
        files: `CHINESE`, or empty.
    """
    kept = Answered()
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            async with stage(Path(folder) / "home", TINY) as (machine, _, _):
                await _round(machine, f"{seed} {number}", between, kept, files)
    return kept


async def _round(machine: Machine, seed: str, between: int, kept: Answered, files: str) -> None:
    draw = random.Random(seed)
    all_ = facts(f"facts{files}")
    draw.shuffle(all_)
    told, untold = all_[::2], all_[1::2]
    ref = await machine.characters.create(OWNER, "Mira")
    log = machine.characters.cast.log(_character(machine, ref))
    other = fillers(seed, f"fillers{files}")

    async def ordinary() -> None:
        for _ in range(between):
            await tell(machine, ref, next(other))

    first = {fact.statement: await tell(machine, ref, fact.said(0)) for fact in told}
    await ordinary()
    for question, fact, answers in [(f.near, f, kept.told) for f in told] + [(f.far, f, kept.told_far) for f in told]:
        said = await say(machine, ref, question)
        right = fact.said(0) in said
        answers[fact.half].append(right)
        if not right:
            kept.wrong.append(f"told, {fact.half}: {question} -> {said}")
    for question, fact in [(f.near, f) for f in untold] + [(f.far, f) for f in untold]:
        said = await say(machine, ref, question)
        right = said in (DONT_KNOW, DONT_KNOW_CHINESE)
        kept.abstained[fact.half].append(right)
        if not right:
            kept.wrong.append(f"never told, {fact.half}: {question} -> {said}")
    newer = {fact.statement: await tell(machine, ref, fact.corrected(1)) for fact in told}
    await ordinary()
    for fact in told:
        hits = await log.recall(fact.near, ref.id, OWNER, before=log.next_number, limit=HITS)
        orders = [hit.item.order for hit in hits]
        old, new = first[fact.statement], newer[fact.statement]
        right = new in orders and old not in orders and orders[0] == new
        kept.newest[fact.half].append(right)
        if not right:
            kept.wrong.append(f"newest, {fact.half}: {fact.near} -> {[hit.item.text for hit in hits[:3]]}")


def _character(machine: Machine, ref: CharacterRef):  # type: ignore[no-untyped-def]
    return machine.characters.cast.get(ref.id)
