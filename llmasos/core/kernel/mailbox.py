"""What is to be told to persons who aren't there: kept, sealed, until somebody listens for them.

A message is written down before anybody is told, and deleted afterwards: killed in between, it is told twice rather
than never. (A character needs no box beside its memory: a line that it heard and hasn't answered is its last event.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

from llmasos.core.base.clock import Clock
from llmasos.core.kernel.store import Store

KIND, _COUNTER = "mail", "mail.counter"
MOST = 50
"""Messages that wait for one person; the oldest go."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message that waits.

    Attributes:
        number: Counts up.
        to: The person.
        at: When it was written, ISO 8601.
        words: What they are told.
    """

    number: int
    to: str
    at: str
    words: str


class Mailboxes:
    """One box for each person of a home.

    Args:
        store: Where they are kept.
        clock: What dates messages.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def post(self, to: str, words: str) -> Message:
        """Write a message down; on return it survives `kill -9`.

        Put it into the transaction with what it tells of, so that neither is there without the other.
        """
        with self._store.transaction():
            number = int(self._store.get(_COUNTER, "last") or 0) + 1
            message = Message(number, to, self._clock.now().isoformat(timespec="seconds"), words)
            self._store.put(_COUNTER, "last", number)
            self._store.put(KIND, str(number), asdict(message))
            for old in list(self.waiting(to))[:-MOST]:
                self.delivered(old)
        return message

    def waiting(self, to: str) -> Iterator[Message]:
        """What waits for a person, oldest first."""
        for record in self._store.scan(KIND):
            if record.value["to"] == to:
                yield Message(**record.value)

    def deliver(self, to: str, tell: Callable[[str], object]) -> None:
        """Tell a person all that waits for them."""
        for message in list(self.waiting(to)):
            tell(message.words)
            self.delivered(message)

    def delivered(self, message: Message) -> None:
        """The person knows."""
        self._store.delete(KIND, str(message.number))

    def forget(self, person: str) -> None:
        """Something of a person's is erased for good, and may stand in what they weren't told yet."""
        for message in list(self.waiting(person)):
            self.delivered(message)
