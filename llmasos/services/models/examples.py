"""Examples of a task from a JSONL file, and their split into those that are learned and those that are held out.

    {"text": "how much is a ticket for two?", "label": "prices"}      classify: the answer is one of the labels
    {"text": "the lift is broken again", "answer": "Sorry! ..."}      generate: the answer is written

The split is by skeleton: two sentences that differ in their nouns and numbers alone are on the same side, or the
accuracy would say how well sentences are remembered. A line's own `group` counts before what is found here.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

from llmasos.core.base.errors import UsageError

Task = Literal["classify", "generate"]

LEAST = 8
"""Examples that training needs at least."""
LONGEST = 2_000
"""Characters of a text or an answer."""
MOST_LABELS = 64

_FUNCTION_WORDS = """
    a an the this that these those is are was were be been am do does did can could may might must shall should will
    would have has had how what when where which who whom whose why if whether and or but not no of in on at to from by
    for with without about into over under after before until during between i you he she it we they me my your our
    their there here any some all much many more less long far often please us them its
"""
_FUNCTION = frozenset(_FUNCTION_WORDS.split())
_HAN = r"\u3400-\u9fff\uf900-\ufaff"
_HAN_FUNCTION = frozenset(
    "的了吗呢吧么在是有不没和跟或也都还就要能会可以怎什么哪几多少谁为何请问"
    "我你您他她它们这那到从给把被对上下里外前后再最很太"
)
_PIECE = re.compile(rf"[{_HAN}]|[^\W_{_HAN}]+(?:['’]\w+)?")


@dataclass(frozen=True, slots=True)
class Example:
    """One example.

    Attributes:
        text: What is given.
        answer: What is wanted: a label, or words.
        group: What stays on one side of the split.
    """

    text: str
    answer: str
    group: str


def read(path: Path) -> tuple[Task, list[Example]]:
    """The examples of a file and what kind of task they are.

    Raises:
        UsageError: It can't be read, a line isn't an example, kinds are mixed, or there are too few.
    """
    form = 'Each line is {"text": "...", "label": "..."} or {"text": "...", "answer": "..."}.'
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} can't be read: {error}.", "Name a JSONL file in UTF-8.") from None
    found: list[Example] = []
    kinds: set[Task] = set()
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                kind, example = _example(json.loads(line))
            except (ValueError, TypeError) as error:
                raise UsageError(f"Line {number} of {path} is no example: {error}.", form) from None
            kinds.add(kind)
            found.append(example)
    if len(kinds) > 1:
        raise UsageError(f"{path} mixes labels and answers.", form)
    if len(found) < LEAST:
        raise UsageError(f"{path} has {len(found)} examples; {LEAST} is the least.", "Write some more.")
    kind = kinds.pop()
    labels = sorted({example.answer for example in found})
    if kind == "classify" and not 2 <= len(labels) <= MOST_LABELS:
        raise UsageError(f"{path} has {len(labels)} labels.", f"There must be 2 to {MOST_LABELS}.")
    return kind, found


def skeleton(text: str) -> str:
    """A sentence without what it is about: words that have no meaning of their own stay, runs of others become `_`.

    `How much is a ticket for children?` is `how much is a _ for _`, `儿童票多少钱` is `_多少_`.
    """
    parts: list[str] = []
    for piece in _PIECE.findall(text.casefold()):
        kept = piece if piece in _FUNCTION or (len(piece) == 1 and piece in _HAN_FUNCTION) else "_"
        if kept != "_" or parts[-1:] != ["_"]:
            parts.append(kept)
    return " ".join(parts)


def split(examples: Sequence[Example], share: float, seed: int = 1) -> tuple[list[Example], list[Example]]:
    """Examples to learn from, and those held out; whole groups, about the same share of each answer's.

    Answers that are given too seldom for that, as sentences are, count as one. The same examples and seed give the same
    split.

    Args:
        examples: All of them.
        share: Of the examples that are held out.
        seed: Of the order in which groups are taken.

    Raises:
        UsageError: One side would be empty.
    """
    groups: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        groups[example.group].append(example)
    given = Counter(example.answer for example in examples)
    classes = {answer: answer if count * share >= 1 else "" for answer, count in given.items()}
    wanted: dict[str, float] = defaultdict(float)
    for example in examples:
        wanted[classes[example.answer]] += share
    held: list[Example] = []
    for group in sorted(groups, key=lambda group: blake2b(f"{seed} {group}".encode(), digest_size=8).digest()):
        # A group goes where its answers are still short, so that no answer is held out more than others.
        members = groups[group]
        if sum(wanted[classes[example.answer]] for example in members) >= 0.5 * len(members):
            held += members
            for example in members:
                wanted[classes[example.answer]] -= 1
    chosen = {id(example) for example in held}
    learned = [example for example in examples if id(example) not in chosen]
    if not learned or not held:
        raise UsageError("All examples are alike, so that none can be held out.", "Write more, in other words.")
    return learned, held


def _example(row: Any) -> tuple[Task, Example]:
    if not isinstance(row, dict) or not isinstance(row.get("text"), str) or not row["text"].strip():
        raise ValueError("it has no text")
    kind: Task = "classify" if "label" in row else "generate"
    answer = row.get("label", row.get("answer"))
    if not isinstance(answer, str) or not answer.strip():
        raise ValueError("it has neither a label nor an answer")
    text, answer = row["text"].strip(), answer.strip()
    if max(len(text), len(answer)) > LONGEST:
        raise ValueError(f"it is longer than {LONGEST:,} characters")
    if kind == "classify" and ("\n" in answer or len(answer) > 40):
        raise ValueError("a label is one line of at most 40 characters")
    return kind, Example(text, answer, str(row.get("group") or skeleton(text)))
