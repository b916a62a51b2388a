"""What a person's last session talked about, so that the next one can go on from there."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from llmasos.core.base.clock import Clock
from llmasos.core.base.types import from_records, to_records
from llmasos.core.kernel.labels import of_names
from llmasos.core.kernel.session import Session
from llmasos.core.kernel.store import Store
from llmasos.services.interpreter.dialogue import REMEMBERED, Dialogue, Shown

KIND = "dialogue"
FRESH = timedelta(hours=12)
"""For how long "it" can mean what the last session showed."""
_SEEN = "dialogue.erased"
WORDS = 4_000
"""Characters of a result that are kept."""


class Conversations:
    """The memory of the last session of each person and workspace.

    Args:
        store: Where it is kept, sealed.
        clock: Tells how old it is.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._erased: dict[str, int] = {}

    def resume(self, session: Session) -> Dialogue:
        """What the session before talked about; nothing where that is long ago, or this one doesn't go on with it."""
        session.state[_SEEN] = self._erased.get(session.person, 0)
        value = self._store.get(KIND, _id(session)) if session.resumes else None
        if value is None or self._clock.now() - datetime.fromisoformat(value["at"]) > FRESH:
            return Dialogue()
        shown = deque((_shown(one) for one in value["shown"]), maxlen=REMEMBERED)
        return Dialogue(value["said"], from_records(value["program"]), value["corrected"], value["folder"], shown)

    def holds(self, session: Session) -> bool:
        """Whether what a session remembers holds nothing that was erased for good since."""
        return bool(session.state.get(_SEEN, 0) == self._erased.get(session.person, 0))

    def keep(self, session: Session, dialogue: Dialogue) -> None:
        """Keep what a session talks about."""
        shown = [
            [s.service, list(s.refs), s.words[:WORDS], s.listed, sorted(s.labels), _sorted(s.whose)]
            for s in dialogue.shown
        ]
        value: dict[str, Any] = {
            "at": self._clock.now().isoformat(), "said": dialogue.said, "program": to_records(dialogue.program),
            "corrected": dialogue.corrected, "folder": dialogue.folder, "shown": shown,
        }  # fmt: skip
        self._store.put(KIND, _id(session), value)

    def forget(self, person: str) -> None:
        """Something of a person's is erased for good, and was shown perhaps: forget conversations, open ones too."""
        self._erased[person] = self._erased.get(person, 0) + 1
        with self._store.transaction():
            for record in list(self._store.scan(KIND)):
                if record.id.partition("\n")[0] == person:
                    self._store.delete(KIND, record.id)


def _id(session: Session) -> str:
    return f"{session.person}\n{session.workspace}"


def _shown(value: Any) -> Shown:
    service, refs, words, listed, *more = value
    labels = frozenset(more[0]) if more else frozenset[str]()  # before version 0.2 there were none
    if len(more) > 1:
        whose = {ref: frozenset(some) for ref, some in more[1].items()}
    else:  # later for a while they were those of all names
        whose = dict.fromkeys(refs, of_names(labels))
    return Shown(service, tuple(refs), words, listed, labels, whose)


def _sorted(whose: Mapping[str, frozenset[str]]) -> dict[str, list[str]]:
    return {ref: sorted(labels) for ref, labels in whose.items()}
