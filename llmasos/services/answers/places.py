"""The places that answers come from, beside files: rows of `search.find`, and the pages about the system itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from llmasos.core.base.values import Source
from llmasos.core.kernel.trap import Caller
from llmasos.services.answers.grounds import Look
from llmasos.services.answers.passage import Passage, sentences
from llmasos.services.answers.question import Question
from llmasos.services.memory.words import terms
from llmasos.services.search import Look as Rows

_ABOUT_ITSELF = re.compile(
    r"\bllmasos\b|\bthis (?:system|shell|program|assistant)\b"
    r"|\bthe (?:system|shell|kernel|sandbox|interpreter|policy)\b"
    r"|\b(?:can|do|are|will) you\b(?! (?:know|remember|recall))"
    r"|\byou (?:can|store|keep|send|run)\b|\byour (?:data|memory|model|source)\b"
    r"|\bundo\b|\bsyscalls?\b|\bplug-?ins?\b|\bpassphrase\b|\brecovery code\b"
    r"|系统|插件|撤销",
    re.IGNORECASE,
)
_FEW = 30
_WORDS = 4
"""Words of a question that are looked for one by one."""


def rows_as_passages(look: Rows, where: str, *, titles: bool = False) -> Look:
    """Rows of `search.find` as sentences.

    Args:
        look: Finds them.
        where: What the place is called.
        titles: Whether they are found by all that is said of them: then a question's words are looked for one by one.
    """

    async def passages(caller: Caller, question: Question) -> Sequence[Passage]:
        rows: dict[str, dict[str, Any]] = {}
        for query in (question.said, *(question.terms[:_WORDS] if titles else ())):
            for row in await look(caller, query):
                rows.setdefault(str(row["text"]), row)
        return [_passage(row, where) for row in list(rows.values())[:_FEW]]

    return passages


def about_itself(folder: Path) -> Look:
    """The system's own pages, for questions about it.

    Args:
        folder: Where they are.
    """

    async def passages(caller: Caller, question: Question) -> Sequence[Passage]:
        if not _ABOUT_ITSELF.search(question.said):
            return []
        wanted = set(question.terms)
        found = [(len(wanted & words), passage) for words, passage in _pages(folder)]
        found = [pair for pair in found if pair[0]]
        return [passage for _, passage in sorted(found, key=lambda pair: -pair[0])[: 2 * _FEW]]

    return passages


@cache
def _pages(folder: Path) -> list[tuple[frozenset[str], Passage]]:
    """All sentences of the pages, with their words; a few thousand, read once."""
    found = []
    for page in sorted(folder.glob("*.md")):
        before = ""
        for sentence in sentences(_without_code(page.read_text(encoding="utf-8"))):
            context = f"llmasos, {page.stem}: {sentence.heading}"
            where = f"llmasos's own docs/{page.name}, line {sentence.line}"
            passage = Passage(sentence.text, where, "", "system", context, before)
            found.append((frozenset(terms(f"{sentence.text} {sentence.heading}")), passage))
            before = sentence.text
    return found


def _without_code(page: str) -> str:
    """A page whose fenced examples are empty lines, so that all lines keep their numbers."""
    return re.sub(r"^```.*?^```", lambda m: "\n" * m[0].count("\n"), page, flags=re.DOTALL | re.MULTILINE)


def _passage(row: dict[str, Any], where: str) -> Passage:
    said = f", {row['said']}" if row.get("said") else ""
    others = tuple(row.get("sources", ()))
    source: Source = "character" if "character" in others else "model" if "model" in others else "person"
    return Passage(str(row["text"]), f"{where}{said}", str(row["ref"]), source, where, "", others)
