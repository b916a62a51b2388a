"""Characters with facts in their cards, and questions for these: written for this benchmark (cast.txt, questions.txt)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from llmasos.services.characters.card import Card


@dataclass(frozen=True, slots=True)
class Asked:
    """A question for a fact of a card.

    Attributes:
        whose: The character's name.
        question: What is asked.
        options: The true answer first, then three that are true of others.
    """

    whose: str
    question: str
    options: tuple[str, ...]


def people() -> dict[str, dict[str, str]]:
    """The characters by name, with their fields."""
    head, *rows = _table("cast.txt")
    return {row[0]: dict(zip(head, row, strict=True)) for row in rows}


def card(fields: dict[str, str]) -> Card:
    """A character's card, its facts in the description."""
    first = fields["name"].split()[0]
    said = [
        form.replace("{name}", first).replace("{}", fields[field]) for field, form, _, _ in _table("questions.txt")[1:]
    ]
    made = Card.make(fields["name"], personality=fields["personality"], role=fields["role"])
    made.data["description"] = " ".join(said)
    return made


def bare(fields: dict[str, str]) -> Card:
    """A card that says the name and nothing else."""
    return Card.make(fields["name"])


def asked(seed: str) -> list[tuple[Asked, str]]:
    """All questions, each with the name of the one whose card is the wrong one; none of its answers is among the options."""
    draw, cast, found = random.Random(seed), people(), []
    for name, fields in cast.items():
        for field, _, question, form in _table("questions.txt")[1:]:
            others = [other for other in cast if other != name]
            draw.shuffle(others)
            wrong, *three = others[:4]
            values = [fields[field], *(cast[other][field] for other in three)]
            found.append((Asked(name, question, tuple(form.replace("{}", value) for value in values)), wrong))
    return found


def _table(file: str) -> list[list[str]]:
    lines = Path(__file__).with_name(file).read_text(encoding="utf-8").splitlines()
    return [[part.strip() for part in line.removeprefix("# ").split("|")] for line in lines if line]
