"""search.find: one question over everything at once, with where each answer comes from.

It asks the services through the same syscalls a person would use, so that policy holds here as anywhere, and merges
their lists by rank (reciprocal rank fusion: Cormack, Clarke, Buettcher, SIGIR 2009), since scores of different services
can't be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from llmasos.core.base.types import Call
from llmasos.core.base.values import items
from llmasos.core.kernel.session import Nobody
from llmasos.core.kernel.syscall import syscall
from llmasos.core.kernel.trap import Caller
from llmasos.services import matching

SHOWN = 12
_RANK_OFFSET = 60


@dataclass(frozen=True, slots=True)
class Place:
    """Where to look.

    Attributes:
        name: What the person sees.
        syscall: The call that lists or finds.
        args: Its arguments beside the query.
        asks: Whether it takes the query itself; a list is narrowed down here by words.
        column: The column of its rows that says what was found.
    """

    name: str
    syscall: str
    column: str
    args: tuple[tuple[str, str], ...] = ()
    asks: bool = False


PLACES = (
    Place("file", "files.find", "path", asks=True),
    Place("memory", "memory.recall", "text", asks=True),
    Place("event", "schedule.list", "title"),
    Place("task", "tasks.list", "title", args=(("status", "all"),)),
    Place("character", "character.list", "name"),
)


class Search:
    """Searches every place.

    Args:
        places: Where.
    """

    def __init__(self, places: Sequence[Place] = PLACES) -> None:
        self._places = places

    @syscall("search.find", effect="read")
    async def find(self, caller: Caller, query: str) -> dict[str, Any]:
        """Search everything at once: files, memories, events, tasks, characters.

        Args:
            query: What is looked for.

        Examples:
            search everything for the boiler warranty
            anything anywhere about Lisbon?
            到处找找跟装修有关的东西
        """
        ranked: list[tuple[float, dict[str, Any]]] = []
        for place in self._places:
            for rank, row in enumerate(await _look(caller, place, query)):
                shown = str(row.get(place.column) or row["ref"])
                ranked.append((1 / (_RANK_OFFSET + rank), {"ref": row["ref"], "where": place.name, "what": shown}))
        ranked.sort(key=lambda pair: -pair[0])
        rows = [row for _, row in ranked[:SHOWN]]
        return items("finding", rows, ["where", "what"], empty=f"Nothing found about {query!r}.")


async def _look(caller: Caller, place: Place, query: str) -> list[dict[str, Any]]:
    """The rows of a place that fit, best first; none where it can't be asked."""
    if place.syscall not in caller.kernel.table:
        return []
    args = {**dict(place.args), **({"query": query} if place.asks else {})}
    quiet = replace(caller.session, front=Nobody())
    result = await caller.kernel.trap(caller.process, quiet, Call(place.syscall, args), request=caller.request)
    value = result.value if isinstance(result.value, dict) else {}
    rows: list[dict[str, Any]] = value.get("items", [])
    if place.asks:
        return rows
    return [match.item for match in matching.rank(query, rows, lambda row: [str(row.get(place.column, ""))])]
