"""Consent questions that stand open: kept, sealed, while a person thinks, so that none is lost with its kernel.

An open question is no consent. When a kernel finds one that an earlier kernel left, the call was not made, and the
person is told so. Where the program at which they sit is still there, it puts its request to the next kernel by
itself, and so the question again (client/steady.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from llmasos.core.base.clock import Clock
from llmasos.core.base.types import Call
from llmasos.core.kernel.journal import Entry, as_said, runs
from llmasos.core.kernel.mailbox import Mailboxes
from llmasos.core.kernel.session import Consent, Session
from llmasos.core.kernel.store import Store

KIND, _COUNTER = "question", "question.counter"
LONGEST = 200
"""Characters of a call or a request that are repeated to the person."""


@dataclass(frozen=True, slots=True)
class Question:
    """One that stands open.

    Attributes:
        at: Since when, ISO 8601.
        person: Who is asked.
        program: Where they sit, as `program_id` names it.
        request: What they said.
        calls: What would be done: each with its syscall and its arguments.
    """

    at: str
    person: str
    program: str
    request: str
    calls: list[dict[str, Any]]


class OpenQuestions:
    """All of a home.

    Args:
        store: Where they are kept.
        clock: What dates them.
        mailboxes: Where persons are told of those that nobody will answer any more.
    """

    def __init__(self, store: Store, clock: Clock, mailboxes: Mailboxes) -> None:
        self._store = store
        self._clock = clock
        if store.frozen:
            return
        with store.transaction():
            for record in list(store.scan(KIND)):
                question = Question(**record.value)
                if not runs(question.program):
                    mailboxes.post(question.person, _told(question))
                store.delete(KIND, record.id)

    @contextmanager
    def standing(self, session: Session, request: str, asked: Consent) -> Iterator[None]:
        """A question stands open while the body runs, however that ends."""
        if self._store.frozen:  # nothing will be done, whatever the answer
            yield
            return
        calls = [one.call.to_record() for one in (asked, *asked.others)]
        at = self._clock.now().isoformat(timespec="seconds")
        question = Question(at, session.person, session.program, request, calls)
        with self._store.transaction():
            number = int(self._store.get(_COUNTER, "last") or 0) + 1
            self._store.put(_COUNTER, "last", number)
            self._store.put(KIND, str(number), asdict(question))
        try:
            yield
        finally:
            self._store.delete(KIND, str(number))

    def erase(self, match: Callable[[Entry], bool]) -> None:
        """Forget what is erased for good; `match` is as for the journal. A question that still stands is asked on."""
        for record in list(self._store.scan(KIND)):
            question = Question(**record.value)
            if any(match(as_said(question.person, question.request, call)) for call in question.calls):
                self._store.delete(KIND, record.id)


def _told(question: Question) -> str:
    first, *others = question.calls
    what = _short(str(Call.from_record(first))) + (f" and {len(others)} more" if others else "")
    said = f" ({_short(question.request)!r})" if question.request else ""
    return f"When llmasos ended it waited for your yes to {what}{said}. It was not done; say it again if you want it."


def _short(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
