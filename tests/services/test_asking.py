"""Every effect also works where policy asks about it: the preview can be asked again, and nobody is asked twice."""

from __future__ import annotations

import pytest

from llmasos.core.kernel.policy import Policy, Rule
from llmasos.core.kernel.session import Consent
from tests.catalogue import contract
from tests.seat import Seat
from tests.system.test_catalogue import CASES

EFFECTS = [name for name, row in contract().items() if row.effect != "read"]
ASKS = Policy("asks", (Rule("reads", "allow", effect=("read",)), Rule("ask", "ask")))


@pytest.mark.parametrize("name", EFFECTS)
def test_works_where_it_asks(seat: Seat, name: str) -> None:
    args, _ = CASES[name](seat)
    seat.machine.kernel.policy = ASKS
    seat.person.consents.clear()
    result = seat.do(name, **args)
    assert result.ok, result
    assert [question.call.syscall for question in seat.person.consents] == [name], "asked once"
    (entry,) = seat.machine.kernel.journal.entries(1)
    assert (entry.call["syscall"], entry.state) == (name, "done")


@pytest.mark.parametrize("name", EFFECTS)
def test_drift_is_seen_whatever_the_effect(seat: Seat, name: str) -> None:
    args, _ = CASES[name](seat)
    if not args:
        pytest.skip("it has no arguments to change")
    seat.machine.kernel.policy = ASKS
    entries = len(seat.machine.kernel.journal.entries(100))
    answer = seat.person.consent

    async def changes(question: Consent) -> object:
        key = next(iter(question.call.args))
        question.call.args[key] = type(question.call.args[key])(1)  # another value of the same type
        return await answer(question)

    seat.person.consent = changes  # type: ignore[method-assign, assignment]
    result = seat.do(name, **args)
    assert result.error in ("EACCES", "ENOENT", "ESRCH", "EINVAL"), result
    assert len(seat.machine.kernel.journal.entries(100)) == entries, "nothing was even intended"
