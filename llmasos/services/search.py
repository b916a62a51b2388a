"""search.find: one question over everything at once, with where each answer comes from.

The lists of the places are merged by rank (reciprocal rank fusion: Cormack, Clarke, Buettcher, SIGIR 2009), since
scores of different services can't be compared.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llmasos.core.base.values import items, sourced
from llmasos.core.kernel.syscall import syscall
from llmasos.core.kernel.trap import Caller

Look = Callable[[Caller, str], Awaitable[Sequence[dict[str, Any]]]]
"""Looks in one place; rows with `ref` and `text`, best first, and with `sources` where the words are others'."""

SHOWN = 12
_RANK_OFFSET = 60


@dataclass(frozen=True, slots=True)
class Place:
    """Where to look.

    Attributes:
        name: What the person sees.
        look: How.
        syscall: The call that finds the same; who may not make it, isn't shown this place.
    """

    name: str
    look: Look
    syscall: str


class Search:
    """Searches every place.

    Args:
        places: Where; the first ones come first where ranks are equal.
    """

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = places

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
        kernel, subject = caller.kernel, caller.process.subject
        ranked: list[tuple[float, dict[str, Any]]] = []
        for place in self._places:
            decision = kernel.policy.decide(
                subject,
                place.syscall,
                "read",
                {"query": query},
                labels=caller.labels,
                rates=kernel.rates,
                used=kernel.used(caller.process),
            )
            if decision.verdict == "allow":
                for rank, row in enumerate(await place.look(caller, query)):
                    found = {"ref": row["ref"], "where": place.name, "what": row["text"]}
                    ranked.append((1 / (_RANK_OFFSET + rank), sourced(found, row.get("sources", ()))))
        ranked.sort(key=lambda pair: -pair[0])
        rows = [row for _, row in ranked[:SHOWN]]
        empty = f"Nothing found about {query!r}."
        return items("finding", rows, ["where", "what", "source"], empty=empty)


def by_finding(find: Callable[..., Awaitable[dict[str, Any]]], column: str) -> Look:
    """A place that is looked through by a syscall's own function, its rows named by a column."""

    async def look(caller: Caller, query: str) -> list[dict[str, Any]]:
        value = await find(caller, query)
        return [{"ref": row["ref"], "text": str(row[column])} for row in value["items"]]

    return look
