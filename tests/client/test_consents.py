"""Consent and policy across programs: what one agrees to or revokes holds in the others, and all hear of a change."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from llmasos.client import codec
from llmasos.client.local import LocalClient
from llmasos.compose import open_audit
from llmasos.core.base.clock import SystemClock
from llmasos.core.base.errors import NotUnderstood, SyscallError, UsageError
from llmasos.core.base.types import Call
from llmasos.core.kernel.session import LONGEST_CONSENT, Lasting, Nobody
from tests.client.home import Home, until
from tests.seat import Person

LAMP, DOOR = Call("device.turn_on", {"name": "desk lamp"}), Call("device.turn_on", {"name": "kitchen light"})


async def test_an_answer_that_lasts_goes_through_the_socket_and_so_does_its_end(there: Home) -> None:
    person, other = Person(Lasting()), Person(None)
    first = await there.open(other, policy="default")
    second = await there.open(person, policy="default")
    try:
        assert (await second.trap(LAMP)).ok
        assert person.consents[0].pattern == "device.turn_on name='desk lamp'"
        assert (await first.trap(LAMP)).ok, "it is the same person's, wherever they sit"
        assert other.consents == []
        (held,) = await second.consents()
        assert held == (await first.consents())[0] and str(held.pattern) == person.consents[0].pattern
        assert (await first.trap(DOOR)).error == "EAGAIN"
        with pytest.raises(UsageError, match="no consent 7"):
            await second.revoke_consent(7)
        assert await second.revoke_consent(held.number) == held
        person.answer = None
        assert (await first.trap(LAMP)).error == (await second.trap(LAMP)).error == "EAGAIN", "at once, everywhere"
        assert await first.consents() == []
    finally:
        await second.close()
        await first.close()


async def test_another_program_revokes_what_a_session_was_given(there: Home) -> None:
    person = Person("session")
    first = await there.open(Person(None), policy="default")
    second = await there.open(person, policy="default")
    third = await there.open(policy="default")
    try:
        assert (await second.trap(LAMP)).ok and (await second.trap(DOOR)).ok and len(person.consents) == 1
        assert (await first.trap(LAMP)).error == "EAGAIN"
        (held,) = await third.consents()
        assert held.session
        await third.revoke_consent(held.number)
        person.answer = None
        assert (await second.trap(LAMP)).error == "EAGAIN"
        person.answer = "session"
        assert (await second.trap(LAMP)).ok
        await second.close()
        await until(lambda: _nothing(first))
    finally:
        await third.close()
        await first.close()


async def _nothing(client: Any) -> bool:
    return not await client.consents()


async def test_yes_said_beforehand_is_once(there: Home) -> None:
    first = await there.open(Nobody(), policy="default")
    second = await there.open(Nobody(yes=True), policy="default", yes=True)
    try:
        assert (await second.trap(LAMP)).ok and await second.consents() == []
        assert (await first.trap(LAMP)).error == "EAGAIN"
    finally:
        await second.close()
        await first.close()


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("once", "once"), ("session", "session"), ("no", "no"), (None, None), ("always", None), (1, None), (True, None),
        (["once"], None), ({}, Lasting()), ({"pattern": "a.*", "seconds": 60}, Lasting("a.*", 60)),
        ({"pattern": 3}, None), ({"seconds": "60"}, None), ({"seconds": -1}, None), ({"seconds": True}, None),
        ({"seconds": float("nan")}, None), ({"seconds": LONGEST_CONSENT + 1}, None),
    ],
)  # fmt: skip
def test_only_an_answer_is_one(said: Any, meant: Any) -> None:
    assert codec.to_answer(said) == meant
    assert codec.to_answer(codec.answer(meant)) == meant


async def test_an_explanation_is_the_same_from_outside_and_does_nothing(there: Home) -> None:
    first = await there.open(policy="default")
    second = await there.open(policy="default")
    try:
        told = await second.explain_policy("device.turn_on desk lamp")
        assert told == await first.explain_policy("device.turn_on desk lamp")
        (call,) = told["calls"]
        assert (call["verdict"], call["rule"], call["tier"], call["consent"]) == (
            "ask",
            "ask-external",
            "bundled",
            None,
        )
        assert call["where"].partition(".toml:")[2].isdecimal()
        assert call["about"]["name"] == "desk lamp" and call["subject"] == "user:ada"
        (said,) = (await second.explain_policy("put milk on my list"))["calls"]
        assert (said["syscall"], said["verdict"], said["rule"]) == ("tasks.add", "allow", "undoable")
        (app,) = (await second.explain_policy("put milk on my list", subject="app:social"))["calls"]
        assert (app["verdict"], app["rule"], app["subject"]) == ("deny", "no-rule", "app:social")
        assert (await first.trap(Call("tasks.list"))).value["items"] == []
        with pytest.raises(NotUnderstood):
            await second.explain_policy("   ")
        with pytest.raises(SyscallError, match=r"process\.kill"):
            await second.explain_policy("process.kill x")
    finally:
        await second.close()
        await first.close()


async def test_an_explanation_knows_of_a_consent(there: Home) -> None:
    first = await there.open(Person(Lasting()), policy="default")
    try:
        assert (await first.trap(LAMP)).ok
        (call,) = (await first.explain_policy("device.turn_on desk lamp"))["calls"]
        assert (call["verdict"], call["consent"]) == ("ask", 1)
    finally:
        await first.close()


async def test_a_changed_policy_is_told_everywhere_and_a_wrong_one_is_not_used(
    there: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmasos.core.kernel.policy.live.EVERY", 0.0)  # the machine's clock runs here
    first = await there.open(policy="default")
    second = await there.open(policy="default")
    heard: list[str] = []

    def hear(told: Mapping[str, Any]) -> None:
        heard.append(told.get("note", ""))

    try:
        await second.listen(hear)
        own = there.settings.home / "policies" / "default.toml"
        own.parent.mkdir()
        own.write_text("[[rule]]\nid = 'lamps'\nsyscall = ['device.*']\ndecision = 'allow'\n")
        assert (await second.trap(LAMP)).rule == "lamps"
        await until(lambda: any("in force now:" in note for note in heard))
        own.write_text("[[rule]]\nid = 'lamps'\ndecision = 'allowed'\n")
        assert (await second.trap(LAMP)).rule == "lamps"
        await until(lambda: any("isn't used: Rule lamps" in note for note in heard))
        told = await second.policy_files()
        assert "isn't used" in told["problem"] and [f["tier"] for f in told["files"]] == ["user", "bundled"]
        assert told["name"] == told["policy"] == "default"
        third = await there.open(policy="default")
        assert any("isn't used" in problem for problem in third.problems), "whoever comes later hears of it too"
        await third.close()
        await asyncio.sleep(0)
        assert sum("isn't used" in note for note in heard) == 1
        assert isinstance(first, LocalClient)
        audit = open_audit(first.machine.settings, first.machine.keyring, SystemClock(), looks=True)
        noted = [record.note for _, record in audit.records() if "policy" in record.note]
        assert noted == [note for note in heard if "policy" in note], "and it is written down"
    finally:
        await second.close()
        await first.close()
