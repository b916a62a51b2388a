"""The system at one moment, wherever its kernel runs: what `llmasos top` shows, and what a program can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmasos.client.base import Client, value_of
from llmasos.core.base.types import Call


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The system at one moment; JSON throughout.

    Attributes:
        system: The fields of `system.status`, without what is the session's own.
        processes: The rows of `process.list`, the fastest first.
    """

    system: Mapping[str, Any]
    processes: Sequence[Mapping[str, Any]]


async def snapshot(client: Client) -> Snapshot:
    """Look once, through the door: who may not see the processes doesn't see them here.

    Raises:
        Denied: Policy says no.
        LlmasosError: As for any call.
    """
    status = value_of(await client.trap(Call("system.status"), quiet=True))
    listed = value_of(await client.trap(Call("process.list"), quiet=True))
    system = {name: figure for name, figure in status["fields"].items() if name != "workspace"}
    return Snapshot(system, sorted(listed["items"], key=lambda row: (-row["tokens/s"], -row["tokens"], row["pid"])))
