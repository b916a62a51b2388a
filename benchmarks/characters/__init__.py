"""What characters are like: facts of the card against a wrong card and none, and what goes wrong in what they say.

    llmasos bench characters --json
    python -m benchmarks.characters --turns 200 --wrong    # fewer turns, and every reply with something wrong in it
    python -m benchmarks.characters --model FILE.gguf      # another model

These figures are of the model and the system together: the same questions with a larger model show what is the system's. Characters, questions
and lines were written for this (cast.txt, questions.txt, lines.txt).
"""

from __future__ import annotations

import asyncio
from typing import Any

from benchmarks.characters.hygiene import talk
from benchmarks.characters.lift import CARDS, lift
from benchmarks.row import at_least, at_most, row

COMMAND = "python -m benchmarks.characters"
TURNS = 1_000


def rows(
    *, turns: int = TURNS, questions: int = 0, model: str = "smollm2", wrong: list[str] | None = None
) -> list[dict[str, Any]]:
    """The figures.

    Args:
        turns: Turns of talk that are looked over; 0 for none.
        questions: Of those for facts; 0 for all.
        model: Who speaks.
        wrong: Filled with the replies with something wrong in them.
    """
    chosen = asyncio.run(lift("lift", model, questions))
    share = {name: 100 * sum(chosen.right[name]) / len(chosen.right[name]) for name in CARDS}
    count = len(chosen.right["card"])
    found = [row(f"facts_{name}", share[name], "%", n=count, command=COMMAND) for name in CARDS]
    found.append(row("facts_chance", 25.0, "%", n=count, command=COMMAND))
    gained = share["card"] - share["wrong_card"]
    found.append(row("card_lift", gained, "points", n=count, command=COMMAND, **at_least(gained, 30)))
    if turns:
        said = asyncio.run(talk(turns, "hygiene", model))
        if wrong is not None:
            wrong += said.examples
        failed = 1_000 * said.failed.total() / said.turns
        found.append(row("hygiene_per_1000", failed, "", n=said.turns, command=COMMAND, **at_most(failed, 10)))
        found += [
            row(f"hygiene_{what.replace(' ', '_')}", 1_000 * number / said.turns, "", n=said.turns, command=COMMAND)
            for what, number in sorted(said.failed.items())
        ]
    return found
