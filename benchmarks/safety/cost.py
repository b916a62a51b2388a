"""What looking costs: processor time of the rules for a sentence, and of reading the lists, once."""

from __future__ import annotations

import time
from collections.abc import Sequence

from llmasos.services.safety import lists, rules

REPEAT = 20


def of_rules(sentences: Sequence[str]) -> list[float]:
    """Microseconds for each sentence."""
    rules.look(sentences[0])
    found = []
    for sentence in sentences:
        start = time.thread_time()
        for _ in range(REPEAT):
            rules.look(sentence)
        found.append((time.thread_time() - start) / REPEAT * 1e6)
    return found


def of_lists() -> float:
    """Milliseconds for reading both lists anew."""
    for read in (lists.english, lists.chinese):
        read.cache_clear()
    start = time.thread_time()
    lists.english()
    lists.chinese()
    return (time.thread_time() - start) * 1000
