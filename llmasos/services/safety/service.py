"""safety.*: what was held back, for who may see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llmasos.core.base.errors import SyscallError
from llmasos.core.base.values import items, text
from llmasos.core.kernel.syscall import syscall
from llmasos.core.kernel.trap import Caller
from llmasos.services.safety import notice
from llmasos.services.safety.held import HeldBack
from llmasos.services.safety.notice import Notice


class Safety:
    """Shows what was held back.

    Args:
        held: What was.
    """

    def __init__(self, held: HeldBack) -> None:
        self._held = held

    @syscall("safety.show", effect="read", spoken=False)
    async def show(self, caller: Caller, number: int | None = None) -> dict[str, Any]:
        """What was held back of what a model would have said: a list, or one of it.

        Args:
            number: Which, as the notice says; without it all are listed, but not what they say.
        """
        person = caller.session.person
        if number is None:
            rows = [
                {
                    "ref": str(held.number),
                    "number": held.number,
                    "when": held.at[:16].replace("T", " "),
                    "who": held.who,
                    "why": notice.why(held.reason),
                }
                for held in self._held.of(person)
            ]
            return items("held", rows, ["number", "when", "who", "why"], empty="Nothing was held back.")
        held = self._held.get(person, number)
        if held is None:
            raise SyscallError(
                "ENOENT", f"Nothing is kept that was held back under {number}.", f"'{notice.SHOWS}' lists what is."
            )
        why = f"held back: {notice.why(held.reason)}"
        return text(held.text, source="model", ref=str(held.number), title=held.who, note=why)


def note(caller: Caller, notices: Sequence[Notice]) -> str:
    """What a person should know beside a reply in which something was held back; empty where nothing was."""
    if not notices:
        return ""
    kernel, subject = caller.kernel, caller.process.subject
    decision = kernel.policy.decide(subject, notice.SHOWS, "read", {}, labels=caller.labels, rates=kernel.rates)
    return notice.told(notices, may_see=notice.SHOWS in kernel.table and decision.verdict == "allow")
