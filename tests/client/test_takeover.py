"""The program that carries the kernel leaves: what its guests asked for, and who carries it then."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llmasos.client import listener
from llmasos.client.local import LocalClient
from llmasos.client.remote import KernelGone
from llmasos.client.steady import TAKEN_OVER, SteadyClient
from llmasos.core.base.types import Call
from tests.client.home import Home, guests, titles, until
from tests.seat import Person


async def test_when_the_owner_leaves_the_next_takes_over_and_goes_on(there: Home) -> None:
    first, second, third = [await there.open() for _ in range(3)]
    told: list[Any] = []
    await second.listen(told.append)
    await second.go("taxes")
    await second.handle("put milk on my list")
    await first.close()
    try:
        assert await titles(second) == ["milk"] == await titles(third)
        assert second.session.cwd == "taxes"
        assert sorted([bool(second.owner), bool(third.owner)]) == [False, True]
        await until(lambda: bool(told))
        assert TAKEN_OVER in str(told) or third.owner == 0
        assert isinstance(second, SteadyClient) and not isinstance(second._client, SteadyClient), (
            "no client in a client"
        )
    finally:
        await third.close()
        await second.close()


async def test_what_was_begun_is_finished_before_the_owner_goes(there: Home) -> None:
    first, second = await there.open(), await there.open()
    work = asyncio.create_task(second.trap(Call("slow.write", {"who": "second"})))
    await there.slow.begun.wait()
    leaving = asyncio.create_task(first.close())
    await asyncio.sleep(0.05)
    assert not leaving.done()
    there.slow.go_on.set()
    assert (await work).ok
    await leaving
    await second.close()


async def test_an_effect_in_the_middle_is_reported_and_not_done_again(
    there: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "GRACE", 0.05)
    first, second = await there.open(), await there.open()
    work = asyncio.create_task(second.trap(Call("slow.write", {"who": "second"})))
    await there.slow.begun.wait()
    await first.close()
    with pytest.raises(KernelGone, match="history"):
        await work
    assert there.slow.ended == ["second cancelled"]
    await second.close()


async def test_a_question_that_only_looked_is_asked_again_of_the_next_kernel(
    there: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "GRACE", 0.05)
    first, second = await there.open(), await there.open()
    work = asyncio.create_task(second.trap(Call("slow.look", {"who": "second"})))
    await there.slow.begun.wait()
    await first.close()
    # The next kernel is this program's own; the service of the tests isn't in it.
    assert (await work).error == "ENOSYS"
    assert second.owner == 0
    await second.close()


async def test_one_takeover_after_another_leaves_one_kernel(there: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "GRACE", 0.05)
    clients = [await there.open() for _ in range(4)]
    await clients[-1].handle("put milk on my list")
    while len(clients) > 1:
        leaving = clients.pop(next(n for n, client in enumerate(clients) if not client.owner))
        await leaving.close()
        assert [await titles(client) for client in clients] == [["milk"]] * len(clients)
        assert sum(not client.owner for client in clients) == 1
    await clients[0].close()


async def test_an_answer_is_taken_while_the_owner_leaves(there: Home) -> None:
    class Thinks(Person):
        async def consent(self, question: Any) -> Any:
            asked.set()
            await answers.wait()
            return "once"

    asked, answers = asyncio.Event(), asyncio.Event()
    first = await there.open(policy="default")
    second = await there.open(Thinks(), policy="default")
    await second.trap(Call("memory.remember", {"text": "Ann's birthday is in May"}))
    work = asyncio.create_task(second.handle("forget Ann's birthday"))
    await asked.wait()
    leaving = asyncio.create_task(first.close())
    await asyncio.sleep(0.05)
    answers.set()
    assert (await work).ok
    await leaving
    await second.close()


async def test_a_question_ends_with_its_kernel_and_is_put_again_by_the_next(
    there: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slowly(Person):
        opened, ended = 0, 0

        async def consent(self, question: Any) -> Any:
            self.opened += 1
            assert self.ended == self.opened - 1, "never two prompts at once"
            try:
                if self.opened == 1:
                    asked.set()
                    await asyncio.Event().wait()
                return "once"
            finally:
                self.ended += 1

    monkeypatch.setattr(listener, "GRACE", 0.05)
    asked, person = asyncio.Event(), Slowly()
    first = await there.open(policy="default")
    second = await there.open(person, policy="default")
    await second.trap(Call("memory.remember", {"text": "Ann's birthday is in May"}))
    work = asyncio.create_task(second.handle("forget Ann's birthday"))
    await asked.wait()
    await first.close()
    assert (await asyncio.wait_for(work, 20)).ok and (person.opened, person.ended) == (2, 2)
    await second.close()


async def test_closing_during_a_request_opens_nothing_anew(there: Home) -> None:
    first, second = await there.open(), await there.open()
    work = asyncio.create_task(second.trap(Call("slow.look", {"who": "second"})))
    await there.slow.begun.wait()
    await second.close()
    with pytest.raises(KernelGone):
        await work
    assert isinstance(first, LocalClient)
    await until(lambda: guests(first) == set())
    await first.close()
