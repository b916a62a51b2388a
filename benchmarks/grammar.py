"""What constrained decoding costs: long sentences, many matchers at once, nested unions, Chinese.

    python -m benchmarks.grammar            # a table
    python -m benchmarks.grammar --json

CPU times of one thread. A matcher follows a program token by token; at each it computes the mask of what may follow.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import Any

from benchmarks.row import row
from llmasos.core.engine import models
from llmasos.core.engine.llama_model import LlamaModel
from llmasos.services.interpreter import notation, sentence
from llmasos.services.interpreter.grammar import grammar
from llmasos.services.interpreter.sentence import Sentence
from training.catalogue import ARGUMENTS

COMMAND = "python -m benchmarks.grammar"
REPEAT = 9

CATALOGUE: list[dict[str, Any]] = [
    {"name": name, "inputSchema": {"properties": {a: {"type": "string"} for a in arguments}, "required": arguments[:1]}}
    for name, arguments in ARGUMENTS.items()
]
_DEEP: dict[str, Any] = {"type": "string"}
for _ in range(4):
    _DEEP = {"anyOf": [{"type": "null"}, {"type": "integer"}, {"type": "object", "properties": {"in": _DEEP}}]}
UNIONS: list[dict[str, Any]] = [
    {"name": f"nest{n}", "inputSchema": {"properties": {"value": _DEEP, "also": {"type": ["string", "null"]}}}}
    for n in range(8)
]
LATIN = "find the tax pdf from last March and move it to archive"
CHINESE = "明天下午三点提醒我去机场接从上海回来的外婆顺便带上她的雨伞"
PROGRAMS = {
    LATIN: [("files.find", {"query": "tax pdf from last March"}), ("files.move", {"source": "$1", "destination": "archive"})],
    CHINESE: [("schedule.add", {"title": "去机场接从上海回来的外婆", "when": "明天下午三点"})],
}  # fmt: skip


def rows() -> list[dict[str, Any]]:
    """All figures; some seconds."""
    model = LlamaModel.load(models.locate("smollm2"))
    model.warm()
    found = []
    for name, line in (("english", LATIN), ("chinese", CHINESE)):
        found += _figures(model, name, sentence.read(line), CATALOGUE, notation.write(PROGRAMS[line]))
    # Past what the interpreter shows the model (sentence.py cuts the middle out), to know where the library bends.
    long = "pack " + " ".join(f"word{n}" for n in range(12_000))
    raw = Sentence(long, long)
    found += _figures(model, "100_kb", raw, CATALOGUE, "memory.remember\n text: word7 word8 word9\n")
    many = "字" * 20_000
    found += _figures(model, "chinese_20k", Sentence(many, many), CATALOGUE, "memory.remember\n text: 字字字字\n")
    nested = 'nest3\n value: {"in": {"in": 7}}\n also: null\n'
    found += _figures(model, "nested_unions", sentence.read("set 7"), UNIONS, nested)
    found.append(_together(model))
    return found


def _figures(
    model: LlamaModel, name: str, words: Sentence, tools: list[dict[str, Any]], text: str
) -> list[dict[str, Any]]:
    compiled, masks = [], []
    for _ in range(REPEAT):
        start = time.thread_time()
        constraint = model.constrain(grammar(words, tools, may_be_nothing=False))
        compiled.append((time.thread_time() - start) * 1000)
        for token in model.tokenize(text):
            start = time.thread_time()
            constraint.mask()
            masks.append((time.thread_time() - start) * 1000)
            if not constraint.consume(token):
                raise SystemExit(f"{name}: the grammar refuses {model.detokenize([token])!r} of {text!r}")
    return [
        row(f"{name}_compile", statistics.median(compiled), "ms", n=REPEAT, command=COMMAND, samples=compiled),
        row(f"{name}_mask_p50", statistics.median(masks), "ms", n=len(masks), command=COMMAND),
        row(f"{name}_mask_max", max(masks), "ms", n=len(masks), command=COMMAND),
    ]


def _together(model: LlamaModel) -> dict[str, Any]:
    """A mask of each of 16 matchers in turn, as a batch of 16 sequences needs them for one step."""
    line = sentence.read(LATIN)
    matchers = [model.constrain(grammar(line, CATALOGUE, may_be_nothing=False)) for _ in range(16)]
    steps = []
    for token in model.tokenize(notation.write(PROGRAMS[LATIN])):
        start = time.thread_time()
        for matcher in matchers:
            matcher.mask()
        steps.append((time.thread_time() - start) * 1000)
        for matcher in matchers:
            matcher.consume(token)
    return row("sixteen_matchers_step", statistics.median(steps), "ms", n=len(steps), command=COMMAND, samples=steps)


def main() -> None:
    """Print the figures."""
    found = rows()
    if "--json" in sys.argv:
        print(json.dumps({"rows": found}, indent=1))
        return
    for one in found:
        print(f"{one['id']:28} {one['value']:10.3f} {one['unit']}  n={one['n']}")


if __name__ == "__main__":
    main()
