"""Greedy decoding without a grammar: python -m training.evaluate FILE... [--wrong].

A lower bound of what the system does: the running interpreter adds a grammar that knows every syscall and
argument, and that free text is a span of the sentence. A file holds sentences for the catalogue, or
plugins with their requests (`{"tools", "requests"}`), whose definitions are then in the prompt.
"""

from __future__ import annotations

import argparse
import json
import re
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from llmasos.services.interpreter import definitions, notation
from training import toolsets
from training.compare import same
from training.data import sentences
from training.example import Call, turn_of
from training.files import ADAPTER, default_base
from training.greedy import LANES, Greedy


@dataclass(frozen=True, slots=True)
class Item:
    """A prompt and its right answer; `strings` are the (function, argument) pairs that hold plain text."""

    sentence: str
    prompt: str
    calls: list[Call]
    strings: frozenset[tuple[str, str]] | None = None

    def read(self, answer: str) -> list[Call] | None:
        """The program in an answer; None where it can't be read."""
        try:
            return notation.read(answer, lambda *place: self.strings is None or place in self.strings)
        except ValueError:
            return None


def items(file: Path) -> Iterator[Item]:
    """Everything that a file asks."""
    with file.open(encoding="utf-8") as lines:
        if '"tools"' in lines.readline():
            yield from chain.from_iterable(_plugin(tools, requests) for tools, requests in toolsets.read(file))
            return
    for line in file.read_text(encoding="utf-8").splitlines():
        turn = turn_of(json.loads(line))
        yield Item(turn.sentence, notation.prompt(turn.sentence), turn.calls)


def _plugin(tools: list[toolsets.Tool], requests: list[toolsets.Request]) -> Iterator[Item]:
    text = definitions.render(tools)
    strings = frozenset(
        (tool["name"], name)
        for tool in tools
        for name, part in definitions.schema_of(tool)["properties"].items()
        if part.get("type") == "string"
    )
    for sentence, calls in requests:
        yield Item(sentence, notation.prompt(sentence, text), calls, strings)


def folded(sentence: str) -> str:
    """A sentence without case, spaces and punctuation."""
    return re.sub(r"\W", "", unicodedata.normalize("NFKC", sentence).casefold())


def score(file: Path, greedy: Greedy, trained: frozenset[str], *, wrong: bool) -> dict[str, Any]:
    """Figures of one file, without the sentences that somebody wrote for training too."""
    everything = list(items(file))
    asked = [item for item in everything if folded(item.sentence) not in trained]
    names = exact = 0
    began = time.monotonic()
    for group in (asked[start : start + LANES] for start in range(0, len(asked), LANES)):
        for item, answer in zip(group, greedy.answers([item.prompt for item in group]), strict=True):
            calls = item.read(answer)
            right_names = calls is not None and [n for n, _ in calls] == [n for n, _ in item.calls]
            right = right_names and same(calls or [], item.calls)
            names += right_names
            exact += right
            if wrong and not right:
                got = answer if calls is None else calls
                mark = "ARGS" if right_names else "NAME"
                print(f"{mark} {item.sentence}\n  want {item.calls}\n  got  {got!r}")
    return {
        "file": file.name,
        "rows": len(asked),
        "left_out": len(everything) - len(asked),
        "syscall": round(100 * names / len(asked), 1),
        "exact": round(100 * exact / len(asked), 1),
        "seconds": round(time.monotonic() - began, 1),
    }


def main() -> None:
    """Score each file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--base", type=Path)
    parser.add_argument("--adapter", type=Path, default=ADAPTER)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--wrong", action="store_true", help="list the wrong answers")
    options = parser.parse_args()
    greedy = Greedy(options.base or default_base(), options.adapter, options.threads)
    trained = frozenset(folded(turn.sentence) for _, turn in sentences())
    for file in options.files:
        print(json.dumps(score(file, greedy, trained, wrong=options.wrong)), flush=True)


if __name__ == "__main__":
    main()
