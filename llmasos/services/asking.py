"""Asking once: what a person chose in the preview of a call is not asked again when the call runs."""

from __future__ import annotations

from dataclasses import dataclass

from llmasos.core.base.types import Call
from llmasos.core.kernel.trap import Caller

_STATE = "asked"


@dataclass(frozen=True, slots=True)
class Once:
    """A caller who is asked the same question about the same call only once.

    Attributes:
        caller: Who makes the call.
    """

    caller: Caller

    async def choose(self, question: str, options: list[str]) -> str:
        """Which of several is meant.

        Raises:
            SyscallError: EAMBIG, nobody answers.
        """
        state = self.caller.session.state
        kept: tuple[Call, dict[str, str]] | None = state.get(_STATE)
        if kept is None or kept[0] is not self.caller.call:  # by identity: two equal calls are two questions
            kept = state[_STATE] = (self.caller.call, {})
        answers = kept[1]
        answer = answers.get(question)
        if answer not in options:
            answer = answers[question] = await self.caller.choose(question, options)
        return answer
