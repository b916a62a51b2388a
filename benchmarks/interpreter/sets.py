"""The sets of sentences that the interpreter is measured on; nobody who wrote them saw a training sentence."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training import toolsets
from training.compare import plain
from training.files import SENTENCES

HERE = Path(__file__).parent

Calls = list[tuple[str, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Case:
    """A sentence with the program that it should become, the functions that are offered, and what was said before."""

    utterance: str
    program: Calls
    tools: tuple[dict[str, Any], ...] = ()
    before: tuple[str, Calls] | None = None


@dataclass(frozen=True, slots=True)
class Bars:
    """What a set must reach: shares of right syscalls and of exact programs, None for no bar."""

    syscall: float | None = None
    exact: float | None = None


BARS = {
    "en": Bars(0.95, 0.90),
    "zh": Bars(None, 0.80),
    "programs_en": Bars(None, 0.75),
    "programs_zh": Bars(None, 0.75),
    "plugins": Bars(None, 0.80),
    "foreign_single": Bars(None, 0.65),
    "foreign_choose": Bars(None, 0.60),
    "foreign_none": Bars(None, 0.75),
    "home_en": Bars(None, 0.85),
    "home_zh": Bars(None, 0.75),
    "questions": Bars(None, 0.90),
    "dialogue": Bars(),
}
"""In the order in which they are told."""

ONLY_TOOLS = frozenset({"foreign_single", "foreign_choose", "foreign_none"})
"""Sets whose functions are offered without the catalogue."""


def cases(path: Path) -> list[Case]:
    """The cases of a file: sentences for the catalogue, or functions with requests."""
    if path.suffix == ".txt" or path.stem.startswith("tools"):
        return [Case(said, calls, tuple(tools)) for tools, requests in toolsets.read(path) for said, calls in requests]
    found: list[Case] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        item = json.loads(line)
        before = item.get("before")
        earlier = (before[-1]["utterance"], _program(before[-1])) if before else None
        found.append(Case(item["utterance"], _program(item), before=earlier))
    return found


def _program(item: dict[str, Any]) -> Calls:
    return [(call["syscall"], call["args"]) for call in item["program"]]


def trained_on() -> set[str]:
    """The sentences of all training files, folded."""
    files = [*SENTENCES.glob("*.jsonl"), *SENTENCES.glob("kits/*.txt")]
    return {plain(case.utterance) for path in files for case in cases(path)}


def all_sets() -> dict[str, list[Case]]:
    """Set name -> cases.

    Two people can hit on the same sentence: those that stand in the training data too are left out.
    """
    trained = trained_on()
    sets: dict[str, list[Case]] = {name: [] for name in BARS}
    for path in sorted(HERE.glob("*.jsonl")) + sorted(HERE.glob("*.txt")):
        # plugins.txt and tools.jsonl are one set, zh.jsonl and zh_b.jsonl too.
        name = "plugins" if path.stem == "tools" else path.stem.removesuffix("_b")
        kept = [case for case in cases(path) if case.before or plain(case.utterance) not in trained]
        # Beside the catalogue, what fits no plugin may well be a call of the catalogue.
        sets[name] += [case for case in kept if case.program or name in ONLY_TOOLS]
    return {name: found for name, found in sets.items() if found}
