"""The journal: intent before an effect, outcome after it, and what takes it back kept in between.

    intend()           persisted (intents.py), then the effect may be prepared
    prepare_inverse()  persisted with its pre-images, then the effect may happen
    done() | failed()  persisted, then the person is told
    undone()           after the inverse ran

An intent without outcome whose program has ended, or whose request was cut off, is undecided: only the person can tell
whether the effect happened. Its inverse puts things right either way. An intent and its outcome are records in the file
of intents; inverses are transactions of the store, and outcomes get there many at once (settle), before anybody reads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

from llmasos.core.base.clock import Clock
from llmasos.core.base.errors import SyscallError
from llmasos.core.base.types import JSON
from llmasos.core.kernel.intents import FILE, Intents
from llmasos.core.kernel.store import Store

State = Literal["intent", "done", "failed", "undone", "stale"]

_ENTRY = "journal"
_OPEN = "journal.open"  # one empty record for each undecided entry, so that a start needn't read them all
_COUNTER = "journal.counter"
_SIZE = "journal.size"  # bytes of an entry's pre-images, for each entry that has some
_UNSETTLED = 64
"""How far the numbers of entries may reach whose outcomes wait for the store."""
_OVERTAKEN = 512
"""Entries get into the store as they end, not as they began: the last number is among so many newest ones."""


class Entry(NamedTuple):
    """One effect; a named tuple, as each call makes two of them and a frozen dataclass takes four times as long.

    Attributes:
        id: Counts up from 1; never used again.
        at: When it was intended, ISO 8601 with the offset.
        person: For whom.
        workspace: Where: `undo` stays inside it.
        pid: The process that made the call.
        request: What was said.
        call: The call with its resolved values.
        effect: write, destroy, final or external.
        state: How far it came.
        inverse: What takes it back: `{"name", "payload"}`, or None.
        rule: The id of the policy rule that allowed it.
        message: What the person was told, or why it failed.
        program: The program that made it, as pid and start time; empty in entries of version 0.1.0.
        cwd: The folder in the workspace that the call's paths begin at.
        by: What kind of process made the call: `shell`, `job`, ...; empty in entries of version 0.1.0.
        taken_back: Counts up with each entry that is taken back, so that `redo` knows the last one; 0 where it isn't.
        given_up: Whether what takes it back went, because newer entries needed the room.
    """

    id: int
    at: str
    person: str
    workspace: str
    pid: int
    request: str
    call: dict[str, Any]
    effect: str
    state: State
    inverse: dict[str, Any] | None
    rule: str
    message: str
    program: str = ""
    by: str = ""
    cwd: str = ""
    taken_back: int = 0
    given_up: bool = False


@dataclass(frozen=True, slots=True)
class _AtWork:
    """An intent of ours: needed twice more before its outcome.

    Attributes:
        entry: As it is now.
        blobs: Its pre-images.
        stored: Whether it is in the store already.
    """

    entry: Entry
    blobs: list[str]
    stored: bool = False


class Journal:
    """The journal of one home, which only the program that carries the home may have open.

    Args:
        store: Where it is kept.
        clock: What dates it.
        keep: How many entries are kept; the oldest go.
        keep_undo: How many of them can still be undone. Pre-images are large, history is not.
        keep_bytes: How large all pre-images may be together; the oldest go, never the newest. None is unlimited.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        keep: int = 10_000,
        keep_undo: int = 1_000,
        keep_bytes: int | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._keep = keep
        self._keep_undo = keep_undo
        self._keep_bytes = keep_bytes
        self._crowded = False
        """Whether pre-images have to go whose entries' outcomes wait for the store."""
        self._program = program_id(os.getpid())
        self._at_work: dict[int, _AtWork] = {}
        self._ended: dict[int, _AtWork] = {}
        self._intents = Intents(store.home / FILE, store.keyring.derive("intents"))
        self._last = 0
        self._adopt()
        self._tidy()

    def intend(
        self,
        *,
        person: str,
        workspace: str,
        pid: int,
        request: str,
        call: Mapping[str, Any],
        effect: str,
        rule: str = "",
        by: str = "",
        cwd: str = "",
    ) -> Entry:
        """Write down an effect BEFORE it happens.

        Raises:
            StoreError: It can't be written, and so must not happen.
        """
        number = self._newest() + 1
        # An outcome must be in the store before its entry is so old that it goes.
        if self._ended and (self._crowded or number - min(self._ended) >= min(_UNSETTLED, self._keep, self._keep_undo)):
            self.settle()
        entry = Entry(
            id=number,
            at=self._clock.now().isoformat(),
            person=person,
            workspace=workspace,
            pid=pid,
            request=request,
            call=dict(call),
            effect=effect,
            state="intent",
            inverse=None,
            rule=rule,
            message="",
            program=self._program,
            by=by,
            cwd=cwd,
        )
        # What acts outside may have happened although the power went: then too it must be known.
        self._intents.begin(entry.id, entry._asdict(), survives_power_loss=effect == "external")
        self._last = entry.id
        self._at_work[entry.id] = _AtWork(entry, [])
        return entry

    def prepare_inverse(self, entry_id: int, name: str, payload: JSON, *, blobs: Iterable[str] = ()) -> None:
        """Keep what takes the effect back, BEFORE it happens.

        Args:
            entry_id: The intent.
            name: Name of the inverse.
            payload: Its argument; names pre-images by their blob ids.
            blobs: Ids of store blobs that `payload` names; they live as long as this inverse. Put them in the
                same `store.transaction()`, so that a crash leaves no blob that nobody knows.
        """
        with self._store.transaction():
            entry, kept = self._read(entry_id)
            inverse = {"name": name, "payload": payload}
            kept = [*kept, *(blob for blob in blobs if blob not in kept)]
            self._write(entry._replace(inverse=inverse), kept, new=self._unstored(entry_id))
            if kept:
                self._weigh(entry_id, kept)
                self._make_room(sparing=entry_id)

    def narrow_inverse(
        self, entry_id: int, payload: JSON, *, blobs: Iterable[str] = (), released: Iterable[str] = ()
    ) -> None:
        """Keep less of what takes the effect back, now that it is known what it was.

        Args:
            entry_id: Whose inverse.
            payload: Its argument from now on; None where there is nothing to take back.
            blobs: The pre-images that it still needs.
            released: Those that somebody else keeps from now on; put into the same `store.transaction()`. All
                others are deleted.
        """
        with self._store.transaction():
            entry, kept = self._read(entry_id)
            needed, spared = set(blobs), set(released)
            for blob in kept:
                if blob not in needed and blob not in spared:
                    self._store.delete_blob(blob)
            inverse = None if payload is None or entry.inverse is None else {**entry.inverse, "payload": payload}
            left = [blob for blob in kept if blob in needed]
            self._write(entry._replace(inverse=inverse), left, new=self._unstored(entry_id))
            if kept:
                self._weigh(entry_id, left)

    def done(self, entry_id: int, message: str = "") -> None:
        """The effect happened."""
        self._decide(entry_id, "done", message)

    def failed(self, entry_id: int, message: str) -> None:
        """The effect did not happen, or not whole: its inverse stays, but `last_undoable` passes over it."""
        self._decide(entry_id, "failed", message)

    def interrupted(self, entry_id: int) -> None:
        """The request was cut off in the middle: nobody knows whether the effect happened."""
        work = self._at_work.pop(entry_id, None)
        if work is not None:
            self._leave(work.entry, work.blobs, new=not work.stored)
            self._sync_outside([work])
            self._intents.end([entry_id])

    def stale(self, entry_id: int) -> None:
        """It can't be taken back any more, so that `last_undoable` goes on to the one before."""
        self.settle()
        self._decide(entry_id, "stale")

    def undone(self, entry_id: int) -> None:
        """The effect was taken back; what took it back is no longer kept."""
        self.settle()
        with self._store.transaction():
            self._decide(entry_id, "undone")
            self._forget_inverse(entry_id)
            count = int(self._store.get(_COUNTER, "taken back") or 0) + 1
            self._store.put(_COUNTER, "taken back", count)
            self._mark(entry_id, count)

    def redone(self, entry_id: int) -> None:
        """What was taken back was done again: `last_undone` goes on to the one before."""
        self.settle()
        with self._store.transaction():
            self._mark(entry_id, 0)

    def last_undone(self, person: str, workspace: str) -> Entry | None:
        """The entry that was taken back last, and not done again."""
        mine = (e for e in self.entries(self._keep, person=person, workspace=workspace) if e.taken_back)
        return max(mine, key=lambda entry: entry.taken_back, default=None)

    def undoable(self, person: str, workspace: str) -> Iterator[Entry]:
        """What can be taken back, newest first: changes for this person in this workspace.

        What was done outside counts where there is a way back. Undecided ones count: their inverses put things right
        whether or not the effect happened. What a background job did isn't among them: it can be taken back by its
        number.
        """
        self.settle()
        for record in self._store.scan(_ENTRY, newest_first=True):
            entry, _ = _from(record.value)
            mine = (entry.person, entry.workspace) == (person, workspace) and entry.by != "job"
            if mine and self.can_be_undone(entry):
                yield entry

    def last_undoable(self, person: str, workspace: str) -> Entry | None:
        """The newest of them."""
        return next(self.undoable(person, workspace), None)

    def can_be_undone(self, entry: Entry, *, chosen: bool = False) -> bool:
        """Whether its inverse is there and of use; one that the person chose is tried though it was stale."""
        return (
            entry.inverse is not None
            and entry.effect in ("write", "destroy", "external")
            and (entry.state == "done" or (chosen and entry.state == "stale") or self._is_undecided(entry))
        )

    def given_up(self, person: str, workspace: str) -> Entry | None:
        """The newest entry of theirs that could be taken back, had newer ones not needed the room."""
        mine = self.entries(self._keep, person=person, workspace=workspace)
        return next((entry for entry in mine if entry.given_up and entry.by != "job"), None)

    @property
    def room(self) -> str:
        """How much room there is for what undoing needs, in words."""
        return f"{(self._keep_bytes or 0) / 1e6:,.0f} MB"

    def get(self, entry_id: int) -> Entry:
        """An entry.

        Raises:
            SyscallError: ENOENT, there is none, or none any more.
        """
        return self._read(entry_id)[0]

    def entries(self, limit: int = 50, *, person: str | None = None, workspace: str | None = None) -> list[Entry]:
        """The newest entries, newest first; of one person or workspace where it is given."""
        wanted = (
            entry for entry in self._all() if person in (None, entry.person) and workspace in (None, entry.workspace)
        )
        return list(islice(wanted, limit))

    def undecided(self) -> list[Entry]:
        """Intents that an earlier run left without outcome, oldest first, and that nobody was `told` of."""
        ids = sorted(int(record.id) for record in self._store.scan(_OPEN))
        return [entry for entry in map(self.get, ids) if self._is_undecided(entry)]

    def told(self, entry_id: int) -> None:
        """The person knows of this undecided entry: `undecided` won't name it again, `undo` still can."""
        self._store.delete(_OPEN, str(entry_id))

    def erase(self, match: Callable[[Entry], bool]) -> int:
        """Take the content out of all that match: what was said, arguments, message, inverse, pre-images.

        For `final` effects. That something of this kind was done, when and by whom, stays.

        Returns:
            How many entries matched.
        """
        erased = 0
        self.settle()
        with self._store.transaction():
            for entry in self._all():
                if match(entry):
                    call = {"syscall": entry.call.get("syscall", ""), "args": {}}
                    bare = entry._replace(request="", call=call, inverse=None, message="", taken_back=0)
                    work = self._at_work.get(entry.id)
                    if work is not None and not work.stored:
                        self._at_work[entry.id] = replace(work, entry=bare)
                    else:
                        self._forget_inverse(entry.id)
                        self._write(bare, [])
                    erased += 1
        self._intents.erase((id, work.entry._asdict()) for id, work in self._at_work.items())
        return erased

    def settle(self) -> None:
        """Put outcomes that only the file of intents knows into the store, in one transaction.

        Raises:
            StoreError: It can't be written; they stay where they are.
        """
        if not self._ended or self._store.frozen:
            return
        with self._store.transaction() as outermost:
            if not outermost:
                raise RuntimeError("outcomes can't be settled in a transaction that could take them back")
            for work in self._ended.values():
                self._write(work.entry, work.blobs, new=not work.stored)
        self._sync_outside(self._ended.values())
        self._intents.end(self._ended)
        self._ended.clear()
        if self._crowded:
            with self._store.transaction():
                self._make_room(sparing=self._last)

    def close(self) -> None:
        """Settle, and close its file; the store is another's."""
        try:
            self.settle()
        finally:
            self._intents.close()

    def _adopt(self) -> None:
        """Take over what an earlier program left at work: it is undecided now."""
        if self._store.frozen:
            return  # whoever may write again finds them
        left = self._intents.left()
        if left:
            self._last = max(self._newest(), *(call.number for call in left))
            with self._store.transaction():
                for id, value, outcome in left:
                    stored = self._store.get(_ENTRY, str(id))
                    entry, blobs = _from(stored) if stored else (Entry(**value), [])
                    if entry.state == "intent" and outcome:
                        self._write(entry._replace(**outcome), blobs, new=stored is None)
                    elif entry.state == "intent":
                        self._leave(entry, blobs, new=stored is None)
            self._store.sync()  # one of them may have been on the disk, and nowhere else
        self._intents.clear()

    def _tidy(self) -> None:
        """Let go of what less is kept of than before."""
        limits = [self._keep, self._keep_undo, self._keep_bytes]
        if self._store.frozen or self._store.get(_COUNTER, "limits") == limits:
            return
        newest = self._newest()
        with self._store.transaction():
            for record in list(self._store.scan(_ENTRY)):
                if int(record.id) <= newest - self._keep:
                    self._prune(int(record.id))
                elif int(record.id) <= newest - self._keep_undo:
                    self._forget_inverse(int(record.id))
                elif (blobs := record.value["blobs"]) and self._store.get(_SIZE, record.id) is None:
                    self._weigh(int(record.id), blobs)  # of a time when they weren't weighed
            self._make_room(sparing=newest)
            self._store.put(_COUNTER, "limits", limits)

    def _leave(self, entry: Entry, blobs: list[str], *, new: bool) -> None:
        with self._store.transaction():
            self._write(entry, blobs, new=new)
            self._store.put(_OPEN, str(entry.id), None)

    def _newest(self) -> int:
        """The highest number there was."""
        if not self._last:
            newest = islice(self._store.scan(_ENTRY, newest_first=True), _OVERTAKEN)
            # Until version 0.9 a record counted them.
            self._last = max(int(self._store.get(_COUNTER, "last") or 0), *(int(record.id) for record in newest), 0)
        return self._last

    def _all(self) -> Iterator[Entry]:
        """All entries, newest first; those at work that aren't in the store yet before the others."""
        self.settle()
        for work in sorted(self._at_work.values(), key=lambda work: -work.entry.id):
            if not work.stored:
                yield work.entry
        for record in self._store.scan(_ENTRY, newest_first=True):
            yield _from(record.value)[0]

    def _is_undecided(self, entry: Entry) -> bool:
        if entry.state != "intent":
            return False
        if entry.program == self._program:
            return entry.id not in self._at_work
        return not runs(entry.program)

    def _decide(self, entry_id: int, state: State, message: str | None = None) -> None:
        entry, blobs = self._read(entry_id)
        if state in ("done", "failed") and entry.state != "intent":
            return  # somebody took it back meanwhile; that stands
        entry = entry._replace(state=state, message=entry.message if message is None else message)
        work = self._at_work.pop(entry_id, None)
        if work is not None and state in ("done", "failed"):
            outside = entry.effect == "external"
            said: JSON = {"state": state, "message": entry.message}
            self._intents.outcome(entry_id, said, survives_power_loss=outside)
            self._ended[entry_id] = _AtWork(entry, blobs, work.stored)
            return
        with self._store.transaction():
            self._write(entry, blobs, new=work is not None and not work.stored)
            if work is None:
                self._store.delete(_OPEN, str(entry_id))
        self._intents.end([entry_id])

    def _sync_outside(self, ended: Iterable[_AtWork]) -> None:
        """What is about to leave the file of intents, and acted outside, survives power loss in the store."""
        if any(work.entry.effect == "external" for work in ended):
            self._store.sync()

    def _mark(self, entry_id: int, taken_back: int) -> None:
        entry, blobs = self._read(entry_id)
        self._write(entry._replace(taken_back=taken_back), blobs)

    def _forget_inverse(self, entry_id: int, *, for_room: bool = False) -> None:
        value = self._store.get(_ENTRY, str(entry_id))
        if value is not None and value["entry"]["inverse"] is not None:
            entry, blobs = _from(value)
            for blob in blobs:
                self._store.delete_blob(blob)
            self._write(entry._replace(inverse=None, given_up=for_room), [])
            if blobs:
                self._weigh(entry_id, [])

    def _weigh(self, entry_id: int, blobs: list[str]) -> None:
        """Note how large an entry's pre-images are, and with it all together; inside a transaction."""
        before = self._store.get(_SIZE, str(entry_id)) or 0
        size = sum(map(self._store.blob_size, blobs))
        if size:
            self._store.put(_SIZE, str(entry_id), size)
        else:
            self._store.delete(_SIZE, str(entry_id))
        self._store.put(_COUNTER, "bytes", self._weight() + size - before)

    def _weight(self) -> int:
        """Bytes of all pre-images."""
        return int(self._store.get(_COUNTER, "bytes") or 0)

    def _make_room(self, sparing: int) -> None:
        """Give up the oldest pre-images until all fit; those of one entry, and of calls at work, stay.

        Those whose outcomes wait for the store go as soon as these are there: the next `settle` sees to it.
        """
        self._crowded = False
        if self._keep_bytes is None or self._weight() <= self._keep_bytes:
            return
        for record in self._store.scan(_SIZE):
            if int(record.id) in self._ended:
                self._crowded = True
            elif int(record.id) != sparing and int(record.id) not in self._at_work:
                self._forget_inverse(int(record.id), for_room=True)
                if self._weight() <= self._keep_bytes:
                    self._crowded = False
                    return

    def _prune(self, entry_id: int) -> None:
        # Ids have no gaps, so each new entry pushes out one old one.
        self._forget_inverse(entry_id)
        if self._store.delete(_ENTRY, str(entry_id)):
            self._store.delete(_OPEN, str(entry_id))

    def _read(self, entry_id: int) -> tuple[Entry, list[str]]:
        work = self._at_work.get(entry_id) or self._ended.get(entry_id)
        if work is not None:
            return work.entry, work.blobs
        value = self._store.get(_ENTRY, str(entry_id))
        if value is None:
            raise SyscallError("ENOENT", f"There is no entry {entry_id} in the history.", "See 'system.history'.")
        return _from(value)

    def _unstored(self, entry_id: int) -> bool:
        return entry_id in self._at_work and not self._at_work[entry_id].stored

    def _write(self, entry: Entry, blobs: list[str], *, new: bool = False) -> None:
        """Put an entry into the store; a new one makes the oldest go."""
        self._store.put(_ENTRY, str(entry.id), {"entry": entry._asdict(), "blobs": blobs}, there=not new)
        if entry.id in self._at_work:
            self._at_work[entry.id] = _AtWork(entry, blobs, stored=True)
        if new and entry.id > self._keep_undo:
            self._forget_inverse(entry.id - self._keep_undo)
        if new and entry.id > self._keep:
            self._prune(entry.id - self._keep)


def as_said(person: str, line: str, call: Mapping[str, Any] | None = None) -> Entry:
    """A line that a person typed, or a call that was asked for, as `erase` matches entries."""
    return Entry(0, "", person, "", 0, line, dict(call or {}), "", "done", None, "", "")


def runs(program: str) -> bool:
    """Whether a program of which `program_id` was noted still runs."""
    pid = program.partition(":")[0]
    return bool(pid) and program_id(int(pid)) == program


def program_id(pid: int) -> str:
    """A running program as pid and start time, since pids are used again; empty where none runs."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else f"{pid}:{fields[19]}"


def _from(value: Any) -> tuple[Entry, list[str]]:
    return Entry(**value["entry"]), value["blobs"]
