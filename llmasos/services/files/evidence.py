"""Sentences of files that may answer a question: of the files that have most of its words, or are about the same."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

import numpy as np

from llmasos.core.base.errors import LlmasosError, SyscallError
from llmasos.core.kernel.store import Store
from llmasos.services.answers import passage as passages
from llmasos.services.answers.passage import MOST, Passage, Sentence
from llmasos.services.answers.question import Question
from llmasos.services.answers.rank import ALIKE, SHORTEST, are_forms
from llmasos.services.files import origin
from llmasos.services.files.catalogue import Catalogue, Mask
from llmasos.services.files.documents import Part
from llmasos.services.files.documents.reader import kind_of
from llmasos.services.files.find import Scores, content
from llmasos.services.files.index import Index
from llmasos.services.files.meaning import Meaning
from llmasos.services.files.place import Place
from llmasos.services.files.said import stem
from llmasos.services.files.space import Space
from llmasos.services.files.task import in_thread
from llmasos.services.files.vocabulary import Numbers
from llmasos.services.script import has_chinese

FILES = 8
"""Files that are read for one question."""
_FORMS = 16
"""Forms of one word that are looked up."""
_MEANT = 0.5
"""What a file that is about the same counts beside one that has all words."""
_PROGRAM_WORDS = "py js ts c h cpp rs go java sh css json lock toml yaml yml xml svg log"
_PROGRAMS = frozenset(_PROGRAM_WORDS.split())
"""Text that nobody would quote as an answer to a question in words."""


async def likely(store: Store, space: Space, question: Question, index: Index, meaning: Meaning | None) -> list[Place]:
    """The files that may answer, the likeliest first."""
    catalogue = await index.current(store, space)
    await index.read_texts(store, space, None)
    scores, among = await asyncio.to_thread(_by_words, question, catalogue)
    if meaning is not None:
        try:
            await index.embed(store, space)
            near = await meaning.likeness(question.said, has_chinese(question.said), catalogue, among)
        except LlmasosError:  # the embedder broke; words still find most
            near = np.zeros(len(among))
        both = np.zeros(max(len(scores), len(near)))
        both[: len(scores)] += scores
        both[: len(near)] += _MEANT * near
        scores = both
    with catalogue.lock:
        best = [int(n) for n in np.argsort(-scores, kind="stable")[: 4 * FILES] if scores[n] > 0 and catalogue.alive[n]]
        found = [catalogue.entry(n).place for n in best]
    return [place for place in found if place.name.rpartition(".")[2].lower() not in _PROGRAMS][:FILES]


async def passages_of(store: Store, space: Space, place: Place, index: Index) -> list[Passage]:
    """The sentences of a file, each with its line, page or heading; none where it can't be read."""
    made_by = origin.read(place)
    if kind_of(place.name):
        try:
            document = await index.document(store, place)
        except SyscallError:
            return []
        cut = await in_thread(lambda _: [(part, list(passages.sentences(part.text))) for part in document.parts])
        placed = [(_in_document(part), part.label, sentence) for part, found in cut for sentence in found]
    else:
        words = await in_thread(lambda _: content(place))
        if words is None:
            return []
        as_table = place.name.lower().endswith((".csv", ".tsv"))
        cutter = passages.rows if as_table else passages.sentences
        found = await in_thread(lambda _: list(cutter(words)))
        placed = [(f"line {sentence.line:,}", "", sentence) for sentence in found]
    return _placed(space, place, placed[:MOST], made_by)


def _placed(
    space: Space, place: Place, placed: Sequence[tuple[str, str, Sentence]], made_by: Sequence[str]
) -> list[Passage]:
    name, ref = " ".join((*place.parts[:-1], stem(place.name))), space.ref(place)
    found, before = [], ""
    for where, label, sentence in placed:
        above = ": ".join(filter(None, (name, label if not label.startswith("page ") else "", sentence.heading)))
        found.append(Passage(sentence.text, f"{place.shown}, {where}", ref, "file", above, before, tuple(made_by)))
        before = sentence.text
    return found


def _in_document(part: Part) -> str:
    return (
        part.label if part.label.startswith("page ") else f"under “{part.label}”" if part.label else "at the beginning"
    )


def _by_words(question: Question, catalogue: Catalogue) -> tuple[Scores, Mask]:
    """For each file the share of the question's words that its text or name has, by weight; and which are files."""
    with catalogue.lock:
        return _shares(question, catalogue), catalogue.alive & ~catalogue.folders


def _shares(question: Question, catalogue: Catalogue) -> Scores:
    count = int(np.count_nonzero(catalogue.alive & ~catalogue.folders))
    scores = np.zeros(len(catalogue))
    whole = 0.0
    for term in question.terms:
        holders = _holders(term, catalogue)
        holders = holders[catalogue.alive[holders]]
        weight = math.log(1 + (count - len(holders) + 0.5) / (len(holders) + 0.5))
        scores[holders] += weight
        whole += weight
    scores[catalogue.folders] = 0.0
    return scores / whole if whole else scores


def _holders(term: str, catalogue: Catalogue) -> Numbers:
    """The files that have a word or what is likely a form of it, as answers are ranked by."""
    found = [catalogue.names.holding(term), catalogue.texts.holding(term)]
    if len(term) >= SHORTEST:
        forms = [word for word in catalogue.texts.beginning(term[:ALIKE]) if are_forms(term, word)][:_FORMS]
        found += [catalogue.texts.holding(word) for word in forms]
    return np.unique(np.concatenate(found))
