"""The words that rules look for: kept lists by others, and what each word means here (words.toml).

The lists are those of glin-profanity (MIT), read as data from where it is installed. Importing it takes 0.3 s, and its
filter about 0.7 ms a sentence; looking words up here takes some microseconds. Only its English and Chinese lists are
used: in the others everyday words are too many (the Arabic one has "milk" and "pigeon").
"""

from __future__ import annotations

import importlib.util
import json
import logging
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from llmasos.services.safety.finding import Finding

log = logging.getLogger(__name__)

PACKAGE = "glin_profanity"
_HERE = Path(__file__).parent / "words.toml"
_TABLES = {
    "swearing": Finding("swearing", 1),
    "insults": Finding("insult", 1),
    "crude": Finding("sexual", 1),
    "offensive": Finding("offensive", 2),
    "unsure_sexual": Finding("sexual", 2, sure=False),
    "unsure_insult": Finding("insult", 1, sure=False),
}
_UNLISTED = Finding("offensive", 2)
"""What a word of a kept list is about that words.toml doesn't name."""


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language, as they stand in folded text.

    Attributes:
        found: Word or phrase -> what it would be about; of several readings each.
        inside: Words and phrases in which one of these stands by chance.
        sexual_cues: Words beside which an unsure one is meant sexually.
        insult_cues: Words behind which an unsure one is an insult.
    """

    found: Mapping[str, Sequence[Finding]]
    inside: Sequence[str]
    sexual_cues: frozenset[str]
    insult_cues: frozenset[str]

    def sure(self, grade: int) -> list[str]:
        """The words that need no cue, of at least this grade."""
        return [w for w, of in self.found.items() if any(f.sure and f.grade >= grade for f in of)]


@cache
def english() -> Words:
    """The English words; a plural where a word alone has one."""
    words = _words("english")
    plurals = {f"{w}s": of for w, of in words.found.items() if w.isalpha() and w[-1] != "s"}
    return Words({**plurals, **words.found}, words.inside, words.sexual_cues, words.insult_cues)


@cache
def chinese() -> Words:
    """The Chinese words."""
    return _words("chinese")


def _words(language: str) -> Words:
    meant: dict[str, Any] = tomllib.loads(_HERE.read_text(encoding="utf-8"))[language]
    left_out = set(meant["harmless"]) | {w for table in _TABLES for w in meant.get(table, ())}
    found: dict[str, list[Finding]] = {w.casefold(): [_UNLISTED] for w in _kept(language) if w not in left_out}
    for table, finding in _TABLES.items():
        for word in (*meant.get(table, ()), *meant.get(f"{table}_more", ())):
            found.setdefault(word.casefold(), []).append(finding)
    cues = (frozenset(meant.get(f"{kind}_cues", ())) for kind in ("sexual", "insult"))
    return Words(found, meant["inside"], *cues)


def _kept(language: str) -> Sequence[str]:
    """The kept list of a language; empty where it isn't installed, which the log says."""
    # Found by its spec and never imported: only the data is wanted.
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "data" / "dictionaries" / f"{language}.json"
        try:
            words: list[str] = json.loads(path.read_text(encoding="utf-8"))["words"]
        except (OSError, ValueError, KeyError) as error:
            log.warning("the words of %s can't be read: %s", path, error)
        else:
            return words
    log.warning("there is no list of %s words: the package glin-profanity isn't as expected", language)
    return ()
