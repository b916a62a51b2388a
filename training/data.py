"""From sentence files to token examples: python -m training.data --out FILE [--public DIR] [--passes N].

A pass is every sentence once, the first as written, the later ones varied (augment.py), with joined commands
and with every plugin's requests behind their definitions (toolsets.py). Training reads the passes as one
stream.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from training import seal_tools, toolsets
from training.augment import Values, joined, shown, varied
from training.example import Example, Turn, turn_of
from training.files import SENTENCES, default_base

DEV_EVERY = 20
"""Every 20th line of each sentence file is never trained on, for checks while training."""

JOINED = 0.12
"""Joined commands per sentence of a pass."""

UNRELATED, SHOWN = 0.08, 0.1
"""Shares of catalogue sentences behind an unrelated one, and behind one that shows what made-up words mean."""

ONLY = 0.55
"""Share of plugins that are shown without the catalogue beside them."""

PUBLIC = ("dev.jsonl", "test_in_domain.jsonl")
"""Files of Seal-Tools that are trained on; test_out_domain.jsonl stays unseen."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """How much of what a pass holds.

    Attributes:
        passes: How many.
        seed: Of all that chance decides.
        whole: Stems of files of which a pass has everything.
        share: How much of the other sentence files it has.
        variants: Variations of each plugin.
        public_share: How much of the public set.
        plugin_share: How much of the plugin files that aren't in `whole`.
    """

    passes: int = 4
    seed: int = 1
    whole: tuple[str, ...] = ()
    share: float = 1.0
    variants: int = 1
    public_share: float = 0.5
    plugin_share: float = 1.0


def sentences(folder: Path = SENTENCES, *, dev: bool = False) -> Iterator[tuple[str, Turn]]:
    """(file stem, turn) of every sentence file, without or only with the dev lines."""
    for file in sorted(folder.glob("*.jsonl")):
        if file.stem.startswith("tools"):
            continue
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        for number, line in enumerate(lines):
            if (number % DEV_EVERY == DEV_EVERY - 1) == dev:
                yield file.stem, turn_of(json.loads(line))


def catalogue_pass(turns: Sequence[Turn], values: Values, number: int, order: random.Random) -> Iterator[Example]:
    """Every sentence once, and joined ones; behind some of them something that was said before."""
    for turn in turns:
        said = turn if number == 0 or turn.before else varied(turn, values, order)
        yield Example([after(said, turns, values, order)], source="dialogue" if turn.before else "catalogue")
    single = [turn for turn in turns if len(turn.calls) == 1 and not turn.before]
    wanted = int(len(turns) * JOINED)
    while wanted:
        first, second = (varied(turn, values, order) for turn in order.sample(single, 2))
        both = joined(first, second, order)
        if both:
            wanted -= 1
            yield Example([both], source="joined")


def after(turn: Turn, turns: Sequence[Turn], values: Values, order: random.Random) -> Turn:
    """Sometimes behind another sentence.

    Either one that has nothing to do with it, so that what was said before isn't taken up without need; or the same
    sentence with other values and the same made-up words, so that a correction by the person can be followed.
    """
    chance = order.random()
    if turn.before or chance >= UNRELATED + SHOWN:
        return turn
    if chance < UNRELATED:
        return replace(turn, before=(order.choice([t for t in order.sample(turns, 4) if not t.before] or [turn]),))
    return shown(turn, values, order)


def tools_pass(turns: Sequence[Turn], folder: Path, recipe: Mixture, order: random.Random) -> Iterator[Example]:
    """Plugins some times over; now and then a catalogue sentence beside their requests."""
    files = [*sorted(folder.glob("tools*.jsonl")), *sorted(folder.glob("kits/*.txt"))]
    by_stem = {file.stem: list(toolsets.read(file)) for file in files}
    plugins = [plugin for found in by_stem.values() for plugin in found]
    everything = [tool for tools, _ in plugins for tool in tools]
    names = toolsets.names_of(plugins)
    plain = [turn for turn in turns if not turn.before]
    used = [
        plugin
        for stem, found in by_stem.items()
        for plugin in (found if stem in recipe.whole else order.sample(found, round(len(found) * recipe.plugin_share)))
    ]
    for tools, requests in used * recipe.variants:
        only = order.random() < ONLY
        made = toolsets.example(tools, requests, order.sample(everything, 4), order, only=only, others=names)
        extra = [order.choice(plain)] if not only and order.random() < 0.6 else []
        yield Example([*made.turns, *extra], made.definitions, source="tools")


def build(recipe: Mixture, public: Path | None, folder: Path = SENTENCES) -> list[list[Example]]:
    """The examples of every pass."""
    order = random.Random(recipe.seed)
    by_stem: dict[str, list[Turn]] = {}
    for stem, turn in sentences(folder):
        by_stem.setdefault(stem, []).append(turn)
    everything = [turn for turns in by_stem.values() for turn in turns]
    values = Values(everything)
    result: list[list[Example]] = []
    for number in range(recipe.passes):
        turns: list[Turn] = []
        for stem, all_of_file in by_stem.items():
            share = 1.0 if stem in recipe.whole else recipe.share
            turns += order.sample(all_of_file, round(len(all_of_file) * share))
        examples = [
            *catalogue_pass(turns, values, number, order),
            *tools_pass(everything, folder, recipe, order),
        ]
        if public:
            found = list(seal_tools.examples(public / "seal-tools", PUBLIC, order))
            # A part of it a pass: it is one set among several, and its sentences are written by a machine.
            examples += order.sample(found, round(len(found) * recipe.public_share))
        result.append(examples)
    return result


def main() -> None:
    """Write tokens, a line an example, a blank line between passes."""
    from training.tokens import Tokenizer

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--base", type=Path)
    parser.add_argument("--public", type=Path, help="folder with seal-tools/")
    parser.add_argument("--passes", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--whole", nargs="*", default=(), metavar="STEM", help="files of which a pass has all")
    parser.add_argument("--share", type=float, default=1.0, help="how much of the other sentence files a pass has")
    parser.add_argument("--variants", type=int, default=1, help="variations of each plugin in a pass")
    parser.add_argument("--public-share", type=float, default=0.5, help="how much of the public set a pass has")
    parser.add_argument("--plugin-share", type=float, default=1.0, help="how much of the other plugin files a pass has")
    options = parser.parse_args()
    tokenizer = Tokenizer(options.base or default_base())
    mixture = Mixture(
        options.passes, options.seed, tuple(options.whole), options.share, options.variants,
        options.public_share, options.plugin_share,
    )  # fmt: skip
    counts: Counter[str] = Counter()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w") as out:
        for number, examples in enumerate(build(mixture, options.public)):
            out.write("\n" if number else "")
            for example in examples:
                prefix = tokenizer.encode(example.prefix()) if example.definitions else []
                turns = [(tokenizer.encode(prompt), tokenizer.encode(answer)) for prompt, answer in example.texts()]
                counts[example.source or "seal-tools"] += len(prefix) + sum(len(p) + len(a) for p, a in turns)
                out.write(json.dumps([prefix, turns], separators=(",", ":")) + "\n")
    print(f"{sum(counts.values()):,} tokens: {dict(counts)}")


if __name__ == "__main__":
    main()
