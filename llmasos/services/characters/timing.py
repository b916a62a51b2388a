"""When an entry of a lorebook was triggered last, for effects that last: kept, so that a restart changes nothing."""

from __future__ import annotations

from collections.abc import Iterable

from llmasos.core.kernel.store import Store
from llmasos.services.characters.lorebook import Book, Told

KIND = "character.lore"


class Timing:
    """What a character's lorebook has been triggered by, for each company that it talked in.

    Args:
        store: Where it is kept.
        subject: Whose key seals it.
    """

    def __init__(self, store: Store, subject: str) -> None:
        self._store = store
        self._subject = subject

    def since(self, company: Iterable[str]) -> dict[str, int]:
        """By an entry's id the count of messages at which it was triggered last."""
        kept = self._store.get(KIND, _place(company), subject=self._subject)
        return {str(id): int(count) for id, count in (kept or {}).items()}

    def keep(self, company: Iterable[str], book: Book, told: Told, said: int) -> None:
        """Write down what was triggered at a count of messages, where an effect of it lasts."""
        lasting = {entry.id for entry in book.entries if entry.sticky or entry.cooldown} & told.fresh
        if lasting:
            since = {**self.since(company), **dict.fromkeys(sorted(lasting), said)}
            self._store.put(KIND, _place(company), since, subject=self._subject)


def _place(company: Iterable[str]) -> str:
    return "\n".join(sorted(company))
