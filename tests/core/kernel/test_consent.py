"""Consent: what lasts and for which calls, what is asked every time, and that what was agreed to is what runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pytest

from llmasos.core.base.clock import MockClock
from llmasos.core.base.errors import SyscallError, UsageError
from llmasos.core.base.types import Call, Result
from llmasos.core.base.values import Named, done
from llmasos.core.kernel.consent import KIND
from llmasos.core.kernel.grant import Pattern
from llmasos.core.kernel.journal import Journal
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.policy import Policy, Rate, Rule
from llmasos.core.kernel.process import ProcessTable
from llmasos.core.kernel.session import Consent, Lasting, Nobody, Session
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.syscall import Argument, Kind, Syscall, SyscallTable, syscall
from llmasos.core.kernel.trap import Caller, Kernel

ASKS = Rule("ask", "ask")


class Switchboard:
    """Things that are switched; what a word means can change."""

    def __init__(self) -> None:
        self.means: dict[str, tuple[str, ...]] = {}
        self.switched: list[str] = []

    def _things(self, name: str) -> tuple[str, ...]:
        return self.means.get(name, (name,))

    @syscall("device.turn_on", effect="external", preview="preview")
    async def turn_on(self, caller: Caller, name: Annotated[str, Kind("device")]) -> dict[str, Any]:
        """Switch on."""
        self.switched += self._things(name)
        return done("On.")

    @syscall("device.set", effect="external", preview="preview")
    async def set(self, caller: Caller, name: str, value: str) -> dict[str, Any]:
        """Set."""
        self.switched.append(f"{name}={value}")
        return done("Set.")

    @syscall("device.burn", effect="final", preview="preview")
    async def burn(self, caller: Caller, name: str) -> dict[str, Any]:
        """Burn."""
        self.switched.append(f"burnt {name}")
        return done("Burnt.")

    @syscall("device.keep", effect="external", preview="preview_keep", bound=True)
    async def keep(self, caller: Caller, name: str) -> dict[str, Any]:
        """Does what the preview found."""
        self.switched.append(f"kept {self.kept}")
        return done("Kept.")

    async def preview(self, caller: Caller, name: str, **more: str) -> dict[str, str]:
        things = self._things(name)
        if not things:
            raise SyscallError("ENOENT", "There is no such device.")
        return {"name": Named(f"{' and '.join(things)} (simulated)", things)}

    async def preview_keep(self, caller: Caller, name: str) -> dict[str, str]:
        self.kept = " and ".join(self._things(name))
        return {"name": self.kept}


class Person(Nobody):
    """Answers from a list, and can do something while the question stands."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[Any] = []
        self.asked: list[Consent] = []
        self.meanwhile: Any = None
        self.before_it: Any = None

    async def consent(self, question: Consent) -> Any:
        self.asked.append(question)
        if self.meanwhile:
            self.meanwhile(question)
        return self.answers.pop(0) if self.answers else None

    async def before(self, call: Call, shown: Any, effect: str) -> None:
        if self.before_it:
            self.before_it(call, shown)


class Room:
    """A kernel whose policy asks about everything."""

    def __init__(self, home: Path, clock: MockClock, *rules: Rule) -> None:
        self.clock = clock
        self.store = Store.open(home, Keyring.open(home))
        self.board = Switchboard()
        table = SyscallTable()
        table.add_service(self.board)
        self.processes = ProcessTable(clock, "ada")
        self.kernel = Kernel(
            table, self.processes, Policy("asks", rules or (ASKS,)), Journal(self.store, clock), self.store, clock
        )
        self.person = Person()
        self.session, self.process = self.seat("ada")

    def seat(self, person: str, subject: str = "") -> tuple[Session, Any]:
        process = self.processes.spawn(
            self.processes.init, name=person, program="shell", subject=subject or f"user:{person}", owner=person
        )
        return Session(person, Path("/"), self.person), process

    async def do(self, name: str, /, *answers: Any, at: Any = None, labels: Any = (), **args: Any) -> Result:
        self.person.answers = list(answers)
        session, process = at or (self.session, self.process)
        return await self.kernel.trap(process, session, Call(name, args), labels=frozenset(labels))

    def numbers(self, person: str = "ada") -> list[int]:
        return [grant.number for grant in self.kernel.consents.of(person)]


@pytest.fixture
def clock() -> MockClock:
    return MockClock(datetime(2026, 11, 20, 12, 0, tzinfo=UTC))


@pytest.fixture
def room(home: Path, clock: MockClock) -> Iterator[Room]:
    made = Room(home, clock)
    yield made
    made.store.close()


# What lasts


async def test_once_is_once(room: Room) -> None:
    assert (await room.do("device.turn_on", "once", name="lamp")).ok
    assert (await room.do("device.turn_on", name="lamp")).error == "EAGAIN"
    assert room.numbers() == []


@pytest.mark.parametrize("answer", ["no", True, "yes", "always", 1, {"pattern": "*"}])
async def test_what_is_no_yes_is_a_no(room: Room, answer: Any) -> None:
    assert (await room.do("device.turn_on", answer, name="lamp")).error == "EACCES"
    assert room.board.switched == [] and room.numbers() == []


async def test_always_is_for_the_pattern_that_was_shown(room: Room) -> None:
    assert (await room.do("device.turn_on", Lasting(), name="study lamp")).ok
    assert room.person.asked[0].pattern == "device.turn_on name='study lamp'"
    assert (await room.do("device.turn_on", name="study lamp")).ok
    assert (await room.do("device.turn_on", name="desk lamp")).error == "EAGAIN"
    assert (await room.do("device.set", name="study lamp", value="40%")).error == "EAGAIN"
    assert len(room.person.asked) == 3


async def test_the_pattern_names_the_targets_and_all_arguments_where_there_are_none(room: Room) -> None:
    await room.do("device.set", "no", name="lamp", value="40%")
    await room.do("device.turn_on", "no", name="lamp")
    assert [q.pattern for q in room.person.asked] == ["device.set name=lamp value=40%", "device.turn_on name=lamp"]


async def test_a_pattern_of_ones_own(room: Room) -> None:
    assert (await room.do("device.turn_on", Lasting("device.* name=*lamp name=door"), name="study lamp")).ok
    assert (await room.do("device.set", name="desk lamp", value="40%")).ok
    assert (await room.do("device.turn_on", name="door")).ok
    assert (await room.do("device.turn_on", name="heater")).error == "EAGAIN"
    assert len(room.person.asked) == 2


@pytest.mark.parametrize(
    "pattern",
    ["device.turn_off", "device.turn_on name=heater", "device.turn_on value=*", "", "x y z", "'", "name=lamp"],
)
async def test_a_pattern_that_is_not_about_the_call_does_nothing(room: Room, pattern: str) -> None:
    room.person.meanwhile = lambda question: object.__setattr__(question, "pattern", "")  # none was offered
    result = await room.do("device.turn_on", Lasting(pattern), name="lamp")
    assert (result.error, room.board.switched, room.numbers()) == ("EACCES", [], [])


async def test_for_a_time(room: Room) -> None:
    assert (await room.do("device.turn_on", Lasting(seconds=3600), name="lamp")).ok
    room.clock.advance(3599)
    assert (await room.do("device.turn_on", name="lamp")).ok and room.numbers() == [1]
    room.clock.advance(1)
    assert (await room.do("device.turn_on", name="lamp")).error == "EAGAIN"
    assert room.numbers() == [] and room.store.count(KIND) == 0


async def test_what_cannot_be_taken_back_asks_every_time(room: Room) -> None:
    for answer in ("session", Lasting(), Lasting("device.*"), Lasting(seconds=3600)):
        assert (await room.do("device.burn", answer, name="house")).ok
    assert (await room.do("device.burn", name="house")).error == "EAGAIN"
    assert room.numbers() == [] and {q.pattern for q in room.person.asked} == {""}
    # Nor does a consent for everything else cover it.
    assert (await room.do("device.turn_on", Lasting("*"), name="house")).ok
    assert (await room.do("device.burn", name="house")).error == "EAGAIN"


async def test_what_lasts_is_sealed_and_outlives_the_kernel(home: Path, clock: MockClock) -> None:
    room = Room(home, clock)
    assert (await room.do("device.turn_on", Lasting(), name="secret lamp")).ok
    assert (await room.do("device.turn_on", "session", name="other lamp")).ok
    room.store.close()
    on_disk = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert b"secret lamp" not in on_disk and b"turn_on" not in on_disk
    again = Room(home, clock)
    assert (await again.do("device.turn_on", name="secret lamp")).ok
    assert (await again.do("device.turn_on", name="other lamp")).error == "EAGAIN"
    assert again.numbers() == [1]
    again.store.close()


async def test_it_is_one_persons_for_one_subject(room: Room) -> None:
    assert (await room.do("device.turn_on", Lasting(), name="lamp")).ok
    for at in (room.seat("bob"), room.seat("ada", "app:social"), room.seat("bob", "user:ada")):
        assert (await room.do("device.turn_on", at=at, name="lamp")).error == "EAGAIN"
    app = room.seat("ada", "app:social")
    assert (await room.do("device.turn_on", Lasting(), at=app, name="lamp")).ok
    assert [grant.subject for grant in room.kernel.consents.of("ada")] == ["user:ada", "app:social"]
    assert room.numbers("bob") == []


async def test_a_label_that_was_not_there_is_asked_about(room: Room) -> None:
    assert (await room.do("device.turn_on", Lasting(), name="lamp")).ok
    assert (await room.do("device.turn_on", "session", name="lamp", labels=["web"])).ok
    assert room.person.asked[-1].labels == ("web",)
    assert (await room.do("device.turn_on", name="lamp", labels=["web"])).ok
    assert (await room.do("device.turn_on", name="lamp", labels=["web", "file"])).error == "EAGAIN"


async def test_several_things_need_consent_each(room: Room) -> None:
    room.board.means["lights"] = ("study lamp", "desk lamp")
    assert (await room.do("device.turn_on", Lasting("device.turn_on name=study*"), name="lights")).error == "EACCES"
    assert (await room.do("device.turn_on", Lasting(), name="study lamp")).ok
    assert (await room.do("device.turn_on", name="lights")).error == "EAGAIN"
    assert (await room.do("device.turn_on", Lasting(), name="lights")).ok
    assert room.person.asked[-1].pattern == "device.turn_on name='study lamp' name='desk lamp'"
    assert (await room.do("device.turn_on", name="desk lamp")).ok
    room.board.means["lights"] = ("study lamp", "desk lamp", "front door")
    assert (await room.do("device.turn_on", name="lights")).error == "EAGAIN"


async def test_a_name_with_stars_means_itself(room: Room) -> None:
    assert (await room.do("device.turn_on", Lasting(), name="lamp [*]?")).ok
    assert (await room.do("device.turn_on", name="lamp [*]?")).ok
    assert (await room.do("device.turn_on", name="lamp *x")).error == "EAGAIN"
    assert (await room.do("device.turn_on", Lasting(), name='it\'s "odd"\nname=door')).ok
    assert (await room.do("device.turn_on", name='it\'s "odd"\nname=door')).ok
    assert (await room.do("device.turn_on", name="door")).error == "EAGAIN"


async def test_what_cannot_be_shown_whole_is_not_offered(room: Room) -> None:
    await room.do("device.turn_on", "no", name="lamp" * 200)
    assert room.person.asked[0].pattern == ""


# Listing and revoking


async def test_listed_and_revoked(room: Room) -> None:
    for answer in (Lasting(), Lasting(seconds=60), "session"):
        assert (await room.do("device.turn_on", answer, name=f"lamp {len(room.person.asked) + 1}")).ok
    first, second, third = room.kernel.consents.of("ada")
    assert (str(first.pattern), first.until, first.session) == ("device.turn_on name='lamp 1'", "", False)
    assert (second.until, second.session) == ("2026-11-20T12:01:00+00:00", False)
    assert (str(third.pattern), third.until, third.session) == ("device.turn_on", "", True)
    for number in (3, 1, 2):
        assert (await room.do("device.turn_on", name=f"lamp {number}")).ok
        room.kernel.consents.revoke("ada", number)
        assert (await room.do("device.turn_on", name=f"lamp {number}")).error == "EAGAIN"
    assert room.numbers() == []
    assert (await room.do("device.turn_on", Lasting(), name="lamp")).ok and room.numbers() == [4]


async def test_nobody_revokes_what_is_somebody_elses(room: Room) -> None:
    assert (await room.do("device.turn_on", Lasting(), name="lamp")).ok
    for person, number in (("bob", 1), ("ada", 2)):
        with pytest.raises(UsageError, match="no consent"):
            room.kernel.consents.revoke(person, number)
    assert room.numbers() == [1]


async def test_what_a_session_was_given_ends_with_it(room: Room) -> None:
    at = room.seat("ada")
    assert (await room.do("device.turn_on", "session", at=at, name="lamp")).ok and room.numbers() == [1]
    room.kernel.consents.ended(at[0])
    assert room.numbers() == []
    assert (await room.do("device.turn_on", at=at, name="lamp")).error == "EAGAIN"


async def test_a_consent_that_holds_what_is_erased_goes_too(room: Room) -> None:
    assert (await room.do("device.turn_on", Lasting(), name="Noor's lamp")).ok
    assert (await room.do("device.turn_on", Lasting(), name="lamp")).ok
    caller = Caller(room.kernel, room.process, room.session, Call("device.burn"))
    caller.erase(lambda entry: "Noor" in str(entry.call["args"]))
    assert room.numbers() == [2]


# What was agreed to is what runs


async def test_an_argument_that_changes_while_the_question_stands(room: Room) -> None:
    room.person.meanwhile = lambda question: question.call.args.update(name="front door")
    result = await room.do("device.turn_on", "once", name="lamp")
    assert (result.error, room.board.switched) == ("EACCES", [])
    assert "isn't what you agreed to" in result.message
    assert room.kernel.journal.entries() == []


async def test_an_argument_without_a_preview_of_its_own(room: Room) -> None:
    room.person.meanwhile = lambda question: question.call.args.update(value="100%")
    result = await room.do("device.set", "once", name="lamp", value="1%")
    assert (result.error, room.board.switched) == ("EACCES", [])


async def test_an_argument_that_changes_just_before_it_runs(room: Room) -> None:
    room.person.before_it = lambda call, shown: call.args.update(name="front door")
    for answers in (
        ["once"],
        ["session"],
        [Lasting("device.*")],
        [],
    ):  # the last one is covered, and bound all the same
        result = await room.do("device.turn_on", *answers, name="lamp")
        assert (result.error, room.board.switched) == ("EACCES", [])
    assert len(room.person.asked) == 2 and room.kernel.journal.entries() == []


async def test_a_word_that_means_something_else_by_then(room: Room) -> None:
    room.person.meanwhile = lambda question: room.board.means.update(lamp=("front door",))
    result = await room.do("device.turn_on", "once", name="lamp")
    assert (result.error, room.board.switched) == ("EACCES", [])


async def test_a_thing_more_that_is_meant_by_then(room: Room) -> None:
    room.board.means["lights"] = ("a", "b")
    room.person.meanwhile = lambda question: room.board.means.update(lights=("a", "b", "c"))
    assert (await room.do("device.turn_on", "once", name="lights")).error == "EACCES"
    assert room.board.switched == []


async def test_a_thing_that_has_gone_by_then(room: Room) -> None:
    room.person.meanwhile = lambda question: room.board.means.update(lamp=())
    assert (await room.do("device.turn_on", "once", name="lamp")).error == "ENOENT"


async def test_a_bound_syscall_does_what_was_shown(room: Room) -> None:
    room.person.meanwhile = lambda question: room.board.means.update(lamp=("front door",))
    assert (await room.do("device.keep", "once", name="lamp")).ok
    assert room.board.switched == ["kept lamp"]
    room.board.means.clear()
    room.person.meanwhile = lambda question: question.call.args.update(name="front door")
    assert (await room.do("device.keep", "once", name="lamp")).error == "EACCES"


async def test_a_policy_that_changes_while_the_question_stands(room: Room) -> None:
    def closed(_: Consent) -> None:
        room.kernel.policy = Policy("closed", (ASKS, Rule("no-more", "deny", args={"name": "lamp"})))

    room.person.meanwhile = closed
    result = await room.do("device.turn_on", "once", name="lamp")
    assert (result.error, result.rule, room.board.switched) == ("EACCES", "no-more", [])


# Rates at the door


async def test_a_rate_that_is_used_up_is_said(home: Path, clock: MockClock) -> None:
    some = Rule("some", "allow", rate=Rate.parse("2/minute"), tier="user", args={"name": "lamp"})
    room = Room(home, clock, some, Rule("no", "deny", syscall=("device.set",)), ASKS)
    assert [(await room.do("device.turn_on", name="lamp")).ok for _ in range(2)] == [True, True]
    refused = await room.do("device.turn_on", name="lamp")
    assert refused.error == "EAGAIN" and "The rate 2/minute of the rule 'some' is used up" in refused.message
    assert room.person.asked[0].note.endswith("again in 60 s.")
    denied = await room.do("device.set", name="lamp", value="1")
    assert denied.error == "EACCES" and "is used up; again in 60 s." in denied.message
    clock.advance(60)
    assert (await room.do("device.turn_on", name="lamp")).rule == "some"
    room.store.close()


async def test_calls_at_the_same_time_share_a_rate(home: Path, clock: MockClock) -> None:
    room = Room(home, clock, Rule("some", "allow", rate=Rate.parse("3/minute")))
    results = await asyncio.gather(*(room.do("device.turn_on", name="lamp") for _ in range(9)))
    assert sum(result.ok for result in results) == 3 == len(room.board.switched)
    assert {result.error for result in results} == {"", "EACCES"}
    room.store.close()


async def test_a_refused_call_uses_nothing_up(home: Path, clock: MockClock) -> None:
    some = Rule("some", "allow", rate=Rate.parse("1/minute"))
    room = Room(home, clock, some, Rule("no-door", "deny", args={"name": "door"}))
    room.board.means["lamp"] = ()
    assert (await room.do("device.turn_on", name="door")).error == "EACCES"
    assert (await room.do("device.turn_on", name="lamp")).error == "ENOENT"
    room.board.means.clear()
    assert (await room.do("device.turn_on", name="lamp")).ok
    room.store.close()


async def test_labels_reach_the_rules(home: Path, clock: MockClock) -> None:
    room = Room(home, clock, Rule("all", "allow"), Rule("web", "deny", labels=("web",)))
    assert (await room.do("device.turn_on", name="lamp")).ok
    result = await room.do("device.turn_on", name="lamp", labels=["web", "person"])
    assert (result.error, result.rule) == ("EACCES", "web")
    room.store.close()


# Patterns


@pytest.mark.parametrize(
    "said", ["device.turn_on", "device.* name=lamp*", "* name='study lamp' name=desk value=", "a.b name='x=y'"]
)
def test_a_pattern_is_read_as_it_is_written(said: str) -> None:
    assert str(Pattern.parse(str(Pattern.parse(said)))) == str(Pattern.parse(said))


@pytest.mark.parametrize("said", ["", "  ", "device.turn_on lamp", "name=lamp x", "'open", "device on name=lamp", "=x"])
def test_what_is_no_pattern(said: str) -> None:
    with pytest.raises(UsageError, match="no pattern"):
        Pattern.parse(said)


def test_the_exact_pattern_of_a_call_without_arguments() -> None:
    async def run(caller: Any, /, **args: Any) -> None: ...

    row = Syscall("home.leave", "external", "Leave.", (), run)
    assert str(Pattern.exactly(row, {})) == "home.leave"
    device = Argument("name", True, "", {"type": "string"}, Kind("device").name)
    row = replace(row, arguments=(device, Argument("note", False, "", {"type": "string"})))
    assert str(Pattern.exactly(row, {"name": "lamp", "note": "x", "erases": "y"})) == "home.leave name=lamp"
