"""What persons consented to: asked before an effect, kept for a session, for a time or until it is revoked.

    once      for this call, with exactly these arguments
    session   for this syscall, as long as the session lasts; in memory
    lasting   for a pattern of calls (`device.* name=lamp*`), until it ends or is revoked; sealed in the store

What can't be undone is asked about every time. Consent is given by one person for one subject, and holds for calls
without labels that weren't there when it was given.
"""

from __future__ import annotations

import hashlib
import json
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from llmasos.core.base.clock import Clock
from llmasos.core.base.errors import NeedsAnswer, SyscallError, UsageError
from llmasos.core.base.types import Call
from llmasos.core.kernel.grant import Grant, Pattern, things
from llmasos.core.kernel.journal import Entry, as_said
from llmasos.core.kernel.mailbox import Mailboxes
from llmasos.core.kernel.policy.rule import apart
from llmasos.core.kernel.question import OpenQuestions
from llmasos.core.kernel.session import Answer, Consent, Lasting, Session
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.syscall import Syscall

if TYPE_CHECKING:
    from llmasos.core.kernel.policy import Decision
    from llmasos.core.kernel.trap import Caller

KIND, _COUNTER = "consent", "consent.counter"
_STATE = "consents"
LONGEST = 400
"""Characters of a pattern that is offered: what can't be shown in two lines isn't agreed to for good."""


class _SessionGrants:
    """What was consented to for one session."""

    def __init__(self) -> None:
        self.grants: list[Grant] = []
        self.at_once: set[str] = set()
        """Receipts of the calls that the request which runs now was agreed to."""


class Consents:
    """All consents of a home.

    Args:
        store: Where those are kept that outlast a session.
        clock: Says when they end.
        mailboxes: Where persons are told of questions that an earlier kernel left open.
    """

    def __init__(self, store: Store, clock: Clock, mailboxes: Mailboxes) -> None:
        self._store = store
        self._clock = clock
        self._open = OpenQuestions(store, clock, mailboxes)
        self._sessions: weakref.WeakSet[_SessionGrants] = weakref.WeakSet()

    async def obtain(self, caller: Caller, row: Syscall, decision: Decision, shown: Mapping[str, str]) -> bool:
        """Get the consent that a call needs.

        Args:
            caller: Who makes the call.
            row: Its syscall.
            decision: The decision to ask.
            shown: Its arguments as the person should see them.

        Returns:
            Whether the person was asked just now.

        Raises:
            SyscallError: EACCES, they said no.
            NeedsAnswer: Nobody is there to answer.
        """
        if self._covered(caller, row, shown):
            return False
        given = self._of(caller.session)
        exactly = receipt(caller.call, shown)
        if exactly in given.at_once:
            given.at_once.remove(exactly)
            return True
        question = self._question(caller, row, decision, shown)
        await self._asked(caller, row, question, shown)
        return True

    async def obtain_all(self, wanted: Sequence[tuple[Caller, Syscall, Decision, Mapping[str, str]]]) -> None:
        """Get the consent that several calls of one request need by one question, before the first of them.

        A yes is for exactly these calls; one that means something else by then is asked about by itself.

        Args:
            wanted: Each call with its syscall, the decision about it, and its arguments as the person should see them.

        Raises:
            SyscallError: EACCES, they said no.
            NeedsAnswer: Nobody is there to answer.
        """
        wanted = [one for one in wanted if not self._covered(one[0], one[1], one[3])]
        if len(wanted) < 2:
            return  # one is asked about when its turn comes
        (caller, row, _, shown), *_ = wanted
        first, *others = (replace(self._question(*one), pattern="") for one in wanted)
        answer = await self._asked(caller, row, replace(first, others=tuple(others)), shown)
        given = self._of(caller.session)
        given.at_once = {receipt(one.call, seen) for one, _, _, seen in wanted}
        if answer == "session":
            for one, of, _, _ in wanted[1:]:
                self._for_session(one, of)

    async def ask(self, caller: Caller, question: Consent) -> Answer | None:
        """Put a question to a caller's person; while it stands open it is written down, and survives `kill -9`."""
        with self._open.standing(caller.session, caller.request, question):
            return await caller.session.front.consent(question)

    def over(self, session: Session) -> None:
        """A request is over, and what was agreed to for it alone."""
        self._of(session).at_once = set()

    def _covered(self, caller: Caller, row: Syscall, shown: Mapping[str, str]) -> bool:
        return self.covering(caller.session, caller.process.subject, row, shown, caller.labels) is not None

    async def _asked(self, caller: Caller, row: Syscall, question: Consent, shown: Mapping[str, str]) -> Answer:
        """Ask, and keep what was answered for longer than this once."""
        answer = await self.ask(caller, question)
        if answer is None:
            why = f" {question.note}" if question.note else ""
            raise NeedsAnswer(
                f"{row.name} asks for consent (rule {question.rule!r}) and nobody is there to give it.{why}",
                "Say it again with --yes, or in the shell.",
            )
        if answer not in ("once", "session") and not isinstance(answer, Lasting):  # what isn't a yes is a no
            raise SyscallError("EACCES", f"{row.name} was not done: you said no.")
        if answer == "session":
            self._for_session(caller, row)
        elif isinstance(answer, Lasting) and row.effect != "final":
            self._keep(self._given(caller, row), answer, question, row, shown)
        return answer

    def _for_session(self, caller: Caller, row: Syscall) -> None:
        if row.effect != "final":  # asks every time, whatever was answered
            grant = replace(self._given(caller, row), number=self._next(), session=True)
            self._of(caller.session).grants.append(grant)

    def _given(self, caller: Caller, row: Syscall) -> Grant:
        person, subject = caller.session.person, caller.process.subject
        return Grant(0, person, subject, row.name, {}, sorted(caller.labels), self._clock.now().isoformat())

    def _question(self, caller: Caller, row: Syscall, decision: Decision, shown: Mapping[str, str]) -> Consent:
        """The question before a call."""
        pattern = "" if row.effect == "final" else str(Pattern.exactly(row, shown))
        return Consent(
            caller.call, shown, row.effect, decision.rule, caller.process.subject,
            pattern=pattern if len(pattern) <= LONGEST else "", labels=tuple(sorted(caller.labels)), note=decision.note,
        )  # fmt: skip

    def covering(
        self, session: Session, subject: str, row: Syscall, shown: Mapping[str, str], labels: frozenset[str]
    ) -> Grant | None:
        """A consent that holds for a call; where it names several things, one of those that hold together."""
        if row.effect == "final":
            return None
        grants = [
            grant
            for grant in (*self._of(session).grants, *self._kept(session.person))
            if grant.subject == subject and labels <= set(grant.labels)
        ]
        found = [
            next((grant for grant in grants if grant.pattern.covers(row.name, each)), None) for each in apart(shown)
        ]
        return found[0] if found and all(found) else None

    def of(self, person: str) -> Sequence[Grant]:
        """What a person has consented to and still holds, oldest first."""
        sessions = [grant for some in self._sessions for grant in some.grants if grant.person == person]
        return sorted([*self._kept(person), *sessions], key=lambda grant: grant.number)

    def revoke(self, person: str, number: int) -> Grant:
        """End a consent; the next call asks again.

        Raises:
            UsageError: There is none of this number.
        """
        for grant in self.of(person):
            if grant.number == number:
                self._store.delete(KIND, str(number))
                for some in self._sessions:
                    some.grants = [one for one in some.grants if one.number != number]
                return grant
        raise UsageError(f"There is no consent {number}.", "'llmasos consents' numbers them.")

    def preset(self, session: Session, consented: Iterable[tuple[str, str, Sequence[str]]]) -> None:
        """Let a session of the kernel's own begin with what was consented to for it; it isn't listed.

        Args:
            session: Which.
            consented: Subject, syscall, and the labels that its call may have.
        """
        given = session.state[_STATE] = _SessionGrants()
        for subject, syscall, labels in consented:
            given.grants.append(Grant(0, session.person, subject, syscall, {}, labels, "", session=True))

    def ended(self, session: Session) -> None:
        """A session is over, and what was consented to for it."""
        self._of(session).grants = []

    def erase(self, match: Callable[[Entry], bool]) -> None:
        """Forget consents and open questions that hold what is erased for good; `match` is as for the journal."""
        self._open.erase(match)
        for record in list(self._store.scan(KIND)):
            grant = Grant(**record.value)
            values = {name: " ".join(patterns) for name, patterns in grant.args.items()}
            if match(as_said(grant.person, "", {"syscall": grant.syscall, "args": values})):
                self._store.delete(KIND, record.id)

    def follow(self, caller: Caller, pattern: Pattern) -> None:
        """Keep a consent until it is revoked, of which the question that was just answered told in its own words."""
        grant = replace(self._given(caller, caller.kernel.table[pattern.syscall]), args=pattern.args)
        if not any(held.pattern == pattern and held.subject == grant.subject for held in self._kept(grant.person)):
            with self._store.transaction():
                grant = replace(grant, number=self._next())
                self._store.put(KIND, str(grant.number), asdict(grant))

    def unfollow(self, person: str, pattern: Pattern) -> None:
        """End what `follow` kept."""
        for grant in self._kept(person):
            if grant.pattern == pattern:
                self._store.delete(KIND, str(grant.number))

    def _keep(self, given: Grant, answer: Lasting, question: Consent, row: Syscall, shown: Mapping[str, str]) -> None:
        said = answer.pattern or question.pattern
        try:
            pattern = Pattern.parse(said)
        except UsageError as error:
            raise SyscallError("EACCES", f"{row.name} was not done: {error.what}", error.remedy) from None
        if not all(pattern.covers(row.name, each) for each in apart(shown)):
            raise SyscallError("EACCES", f"{row.name} was not done: {said!r} isn't about this call.", "Say it again.")
        until = self._clock.now() + timedelta(seconds=answer.seconds) if answer.seconds else None
        with self._store.transaction():
            grant = replace(
                given, number=self._next(), syscall=pattern.syscall, args=pattern.args,
                until=until.isoformat() if until else "",
            )  # fmt: skip
            self._store.put(KIND, str(grant.number), asdict(grant))

    def _kept(self, person: str) -> Sequence[Grant]:
        """What a person's store holds of it, without what has ended."""
        now, found = self._clock.now(), []
        for record in list(self._store.scan(KIND)):
            grant = Grant(**record.value)
            if grant.until and datetime.fromisoformat(grant.until) <= now:
                self._store.delete(KIND, record.id)
            elif grant.person == person:
                found.append(grant)
        return found

    def _of(self, session: Session) -> _SessionGrants:
        given = session.state.get(_STATE)
        if given is None:
            given = session.state[_STATE] = _SessionGrants()
            self._sessions.add(given)
        assert isinstance(given, _SessionGrants)
        return given

    def _next(self) -> int:
        with self._store.transaction():
            number = int(self._store.get(_COUNTER, "last") or 0) + 1
            self._store.put(_COUNTER, "last", number)
        return number


def receipt(call: Call, shown: Mapping[str, str]) -> str:
    """A digest of exactly what a person agrees to: the call with its arguments, and what they were shown."""
    told = {name: (*things(value), str(value)) for name, value in shown.items()}
    exact = json.dumps([call.syscall, call.args, told], sort_keys=True, ensure_ascii=True, default=repr)
    return hashlib.sha256(exact.encode()).hexdigest()
