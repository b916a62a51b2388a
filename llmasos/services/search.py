"""search.find: one question over everything at once, with where each answer comes from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from llmasos.core.base.values import items
from llmasos.core.kernel.syscall import syscall
from llmasos.core.kernel.trap import Caller

Source = Callable[[Caller, str], Awaitable[Sequence[dict[str, Any]]]]
"""Looks in one place; rows with `ref`, `text` and `score` (0 to 1), best first."""

SHOWN = 12


class Search:
    """Searches every source.

    Args:
        sources: Name of a place -> how to look there.
    """

    def __init__(self, sources: dict[str, Source]) -> None:
        self._sources = sources

    @syscall("search.find", effect="read")
    async def find(self, caller: Caller, query: str) -> dict[str, Any]:
        """Search everything at once: files, memories, events, tasks, conversations.

        Args:
            query: What is looked for.

        Examples:
            search everything for the boiler warranty
            anything anywhere about Lisbon?
            到处找找跟装修有关的东西
        """
        rows: list[dict[str, Any]] = []
        for place, look in self._sources.items():
            rows += [{"where": place, **row} for row in await look(caller, query)]
        rows.sort(key=lambda row: -row["score"])
        return items("finding", rows[:SHOWN], ["where", "text"], empty=f"Nothing found about {query!r}.")
