from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmasos.core.base.clock import MockClock
from llmasos.core.base.errors import StoreError, SyscallError
from llmasos.core.kernel.journal import Entry, Journal, program_id
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.store import Store

Child = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def journal(store: Store, clock: MockClock) -> Journal:
    return Journal(store, clock)


def intend(journal: Journal, request: str = "delete notes.md", **changes: Any) -> Entry:
    said: dict[str, Any] = {
        "person": "ann",
        "workspace": "/w",
        "pid": 7,
        "request": request,
        "call": {"syscall": "files.delete", "args": {"path": "notes.md"}},
        "effect": "destroy",
        "rule": "default.destroy",
    }
    return journal.intend(**(said | changes))


def undoable(journal: Journal, request: str = "delete notes.md", **changes: Any) -> Entry:
    entry = intend(journal, request, **changes)
    journal.prepare_inverse(entry.id, "files.restore", {"path": "notes.md"})
    journal.done(entry.id, "deleted")
    return journal.get(entry.id)


def test_the_life_of_an_entry(journal: Journal, store: Store, clock: MockClock) -> None:
    entry = intend(journal)
    assert entry == Entry(
        id=1,
        at="2026-03-01T12:00:00+00:00",
        person="ann",
        workspace="/w",
        pid=7,
        request="delete notes.md",
        call={"syscall": "files.delete", "args": {"path": "notes.md"}},
        effect="destroy",
        state="intent",
        inverse=None,
        rule="default.destroy",
        message="",
        program=program_id(os.getpid()),
    )
    assert journal.get(1) == entry
    with store.transaction():
        blob = store.put_blob(b"what it said")
        journal.prepare_inverse(1, "files.restore", {"path": "notes.md", "blob": blob}, blobs=[blob])
    assert journal.last_undoable("ann", "/w") is None  # at work just now
    journal.done(1, "deleted notes.md")
    done = journal.last_undoable("ann", "/w")
    assert done is not None
    assert (done.state, done.message) == ("done", "deleted notes.md")
    assert done.inverse == {"name": "files.restore", "payload": {"path": "notes.md", "blob": blob}}
    assert store.get_blob(blob) == b"what it said"
    journal.undone(1)
    assert (journal.get(1).state, journal.get(1).inverse) == ("undone", None)
    assert store.get_blob(blob) is None
    assert journal.last_undoable("ann", "/w") is None
    assert intend(journal).id == 2


def test_undo_takes_the_newest_of_this_person_and_workspace(journal: Journal) -> None:
    first = undoable(journal, "first")
    undoable(journal, "of another", person="bob")
    undoable(journal, "elsewhere", workspace="/v")
    undoable(journal, "forgotten", effect="final")
    intend(journal, "no inverse")
    failed = intend(journal, "failed")
    journal.prepare_inverse(failed.id, "files.restore", {"path": "notes.md"})
    journal.failed(failed.id, "half of it")
    assert journal.last_undoable("ann", "/w") == first
    second = undoable(journal, "second", effect="write")
    assert journal.last_undoable("ann", "/w") == second
    journal.undone(second.id)
    assert journal.last_undoable("ann", "/w") == first
    switched = undoable(journal, "switched on", effect="external")
    assert journal.last_undoable("ann", "/w") == switched, "outside too, where there is a way back"
    assert journal.last_undoable("nobody", "/w") is None
    assert journal.get(failed.id).inverse is not None  # the person may still ask for it by its number


def test_entries_are_newest_first(journal: Journal) -> None:
    for number in range(60):
        intend(journal, str(number), person="ann" if number % 2 else "bob")
    assert [e.request for e in journal.entries()] == [str(n) for n in range(59, 9, -1)]
    assert [e.request for e in journal.entries(3, person="bob")] == ["58", "56", "54"]
    assert journal.entries(workspace="/elsewhere") == []
    assert journal.entries(0) == []


def test_no_such_entry(journal: Journal) -> None:
    for use in (journal.get, journal.done, journal.undone):
        with pytest.raises(SyscallError) as caught:
            use(99)
        assert caught.value.code == "ENOENT"


def test_it_is_there_after_a_restart(home: Path, clock: MockClock) -> None:
    with Store.open(home, Keyring.open(home)) as store:
        journal = Journal(store, clock)
        done, left = undoable(journal), intend(journal, "left")
        journal.prepare_inverse(left.id, "files.restore", {})
        assert journal.undecided() == []
    with Store.open(home, Keyring.open(home)) as store:
        journal = Journal(store, clock)
        at_work = intend(journal, "new")
        journal.prepare_inverse(at_work.id, "files.restore", {})
        assert [e.id for e in journal.undecided()] == [left.id]
        undecided = journal.last_undoable("ann", "/w")
        assert undecided is not None
        assert undecided.id == left.id
        journal.told(left.id)
        assert journal.undecided() == []
        assert journal.last_undoable("ann", "/w") == undecided
        journal.undone(left.id)
        assert journal.last_undoable("ann", "/w") == done


def test_erased_entries_keep_no_content(journal: Journal, store: Store) -> None:
    kept = undoable(journal, "keep this")
    entry = intend(journal, "remember the secret")
    blob = store.put_blob(b"secret")
    journal.prepare_inverse(entry.id, "memory.forget", {"secret": 1, "blob": blob}, blobs=[blob])
    journal.done(entry.id, "secret kept")
    assert journal.erase(lambda e: "secret" in e.request) == 1
    erased = journal.get(entry.id)
    assert (erased.state, erased.effect, erased.at) == ("done", "destroy", entry.at)
    assert (erased.request, erased.message, erased.inverse) == ("", "", None)
    assert erased.call == {"syscall": "files.delete", "args": {}}
    assert store.get_blob(blob) is None
    assert journal.get(kept.id) == kept
    assert journal.last_undoable("ann", "/w") == kept


def test_the_oldest_go(store: Store, clock: MockClock) -> None:
    def started() -> Journal:
        return Journal(store, clock, keep=10, keep_undo=4)

    journal = started()
    blobs = []
    for number in range(1, 31):
        entry = intend(journal, str(number))
        blobs.append(store.put_blob(b"x"))
        journal.prepare_inverse(entry.id, "files.restore", None, blobs=blobs[-1:])
        if number != 25:
            journal.done(entry.id)
    assert [e.id for e in journal.entries(100)] == list(range(30, 20, -1))
    assert [e.id for e in journal.entries(100) if e.inverse] == [30, 29, 28, 27]
    assert [number for number, blob in enumerate(blobs, 1) if store.get_blob(blob)] == [27, 28, 29, 30]
    journal = started()
    assert [e.id for e in journal.undecided()] == [25]
    for _ in range(10):
        intend(journal)
    assert [e.id for e in started().undecided()] == list(range(31, 41))


def test_nothing_readable_on_disk(home: Path, clock: MockClock, canaries: Callable[[Path], list[str]]) -> None:
    word = "Canary7391"
    with Store.open(home, Keyring.open(home)) as store:
        journal = Journal(store, clock)
        entry = intend(journal, word, person=word, workspace=word, call={"syscall": word}, rule=word)
        blob = store.put_blob(word.encode())
        journal.prepare_inverse(entry.id, word, {word: [word, blob]}, blobs=[blob])
        assert canaries(home) == []
        journal.done(entry.id, word)
        journal.erase(lambda _: True)
        assert canaries(home) == []
    assert canaries(home) == []


CRASHING = """
import sys
from pathlib import Path
from llmasos.core.base.clock import SystemClock
from llmasos.core.kernel.journal import Journal
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.store import Store
home, effects = Path(sys.argv[1]), Path(sys.argv[2])
store = Store.open(home, Keyring.open(home))
journal = Journal(store, SystemClock())
while True:
    entry = journal.intend(person="ann", workspace="/w", pid=1, request="r", call={}, effect="write")
    print("intent", entry.id, flush=True)
    with store.transaction():
        blob = store.put_blob(b"before %d" % entry.id)
        journal.prepare_inverse(entry.id, "restore", {"blob": blob}, blobs=[blob])
    (effects / str(entry.id)).touch()
    journal.done(entry.id)
    print("done", entry.id, flush=True)
"""


def test_kill_9_leaves_done_or_undecided(home: Path, tmp_path: Path, clock: MockClock, child: Child) -> None:
    effects = tmp_path / "effects"
    effects.mkdir()
    undecided: set[int] = set()
    for lines in (1, 2, 3, 4, 7, 20, 51, 100, 151, 301):
        process = child(CRASHING, str(home), str(effects))
        assert process.stdout is not None
        read = [process.stdout.readline() for _ in range(lines)]
        os.kill(process.pid, signal.SIGKILL)
        read += process.stdout.read().splitlines(keepends=True)
        acknowledged = [line.split() for line in read if line.endswith("\n")]  # the last one may be torn
        with Store.open(home, Keyring.open(home)) as store:
            journal = Journal(store, clock)
            store.verify()
            before, undecided = undecided, {entry.id for entry in journal.undecided()}
            assert len(undecided - before) <= 1
            for what, id in acknowledged:
                if what == "done":
                    assert journal.get(int(id)).state == "done"
                else:
                    assert journal.get(int(id)).state == "done" or int(id) in undecided
            # Nothing happened that the journal doesn't know, and can't take back.
            for effect in effects.iterdir():
                entry = journal.get(int(effect.name))
                assert entry.inverse is not None
                assert store.get_blob(entry.inverse["payload"]["blob"]) == b"before %d" % entry.id
                assert entry.state == "done" or entry.id in undecided
                effect.unlink()


def test_a_call_leaves_nothing_behind_when_its_outcome_is_in_the_store(journal: Journal, home: Path) -> None:
    file = home / "intents.sealed"
    one, other = intend(journal, "one"), intend(journal, "other")
    assert [e.request for e in journal.entries()] == ["other", "one"]
    held = file.stat().st_size
    journal.done(one.id)
    journal.settle()
    assert file.stat().st_size >= held  # only marked, while the other is at work
    journal.failed(other.id, "no")
    journal.settle()
    assert file.stat().st_size == 0
    assert [(e.request, e.state) for e in journal.entries()] == [("other", "failed"), ("one", "done")]


def test_outcomes_that_did_not_get_into_the_store_are_known_at_the_next_start(store: Store, clock: MockClock) -> None:
    journal = Journal(store, clock)
    done, failed, open_ = (intend(journal, request) for request in ("done", "failed", "open"))
    with store.transaction():
        blob = store.put_blob(b"before")
        journal.prepare_inverse(failed.id, "files.restore", {"blob": blob}, blobs=[blob])
    journal.done(done.id, "it is done")
    journal.failed(failed.id, "it is not")
    assert store.get("journal", str(done.id)) is None  # killed here: only the file of intents knows
    after = Journal(store, clock)
    assert sorted((e.request, e.state, e.message) for e in after.entries()) == [
        ("done", "done", "it is done"),
        ("failed", "failed", "it is not"),
        ("open", "intent", ""),
    ]
    assert [e.id for e in after.undecided()] == [open_.id]
    assert after.get(failed.id).inverse == {"name": "files.restore", "payload": {"blob": blob}}


def test_an_outcome_without_room_on_the_disk_leaves_the_call_undecided(store: Store, clock: MockClock) -> None:
    journal = Journal(store, clock)
    entry = intend(journal)
    journal._intents.outcome = _full  # type: ignore[method-assign]
    with pytest.raises(StoreError, match="no room"):
        journal.done(entry.id)
    assert [e.id for e in Journal(store, clock).undecided()] == [entry.id]


def _full(number: int, said: object, *, survives_power_loss: bool) -> None:
    raise StoreError("There is no room.")


def test_outcomes_are_not_settled_where_they_could_be_taken_back(store: Store, clock: MockClock) -> None:
    journal = Journal(store, clock)
    entry = intend(journal)
    journal.done(entry.id)
    with pytest.raises(RuntimeError, match="in a transaction"), store.transaction():
        journal.entries()
    assert journal.entries()[0].state == "done"


def test_what_is_erased_goes_from_the_calls_at_work_too(store: Store, clock: MockClock, home: Path) -> None:
    journal = Journal(store, clock)
    intend(journal, "remember the secret")
    other = intend(journal, "something else")
    assert journal.erase(lambda e: "secret" in e.request) == 1
    assert (home / "intents.sealed").stat().st_size > 0  # both are still at work
    left = Journal(store, clock).undecided()
    assert [(e.request, e.call["args"]) for e in left] == [("", {}), ("something else", other.call["args"])]


def test_an_intent_that_cannot_be_written_stops_the_call(store: Store, clock: MockClock, home: Path) -> None:
    journal = Journal(store, clock)
    (home / "intents.sealed").mkdir()
    with pytest.raises(StoreError, match="can't be written"):
        intend(journal)
    assert journal.entries() == []


def test_a_torn_intent_is_no_intent(store: Store, clock: MockClock, home: Path) -> None:
    journal = Journal(store, clock)
    intend(journal, "whole")
    intend(journal, "torn")
    file = home / "intents.sealed"
    file.write_bytes(file.read_bytes()[:-5])
    assert [e.request for e in Journal(store, clock).undecided()] == ["whole"]


def test_less_is_kept_from_the_next_start_on(store: Store, clock: MockClock) -> None:
    journal = Journal(store, clock)
    for number in range(20):
        entry = intend(journal, f"request {number}")
        with store.transaction():
            blob = store.put_blob(b"x", id=f"before {number}")
            journal.prepare_inverse(entry.id, "files.restore", {}, blobs=[blob])
        journal.done(entry.id)
    journal.close()
    before = store.facts()
    Journal(store, clock).close()
    assert store.facts() == before  # nothing to do, and nothing written
    journal = Journal(store, clock, keep=8, keep_undo=3)
    assert [entry.request for entry in journal.entries()] == [f"request {number}" for number in range(19, 11, -1)]
    assert [entry.id for entry in journal.undoable("ann", "/w")] == [20, 19, 18]
    kept = [number for number in range(20) if store.get_blob(f"before {number}") is not None]
    assert kept == [17, 18, 19]
    undoable(journal)
    assert [entry.id for entry in journal.undoable("ann", "/w")] == [21, 20, 19]
    journal.close()


def sized(journal: Journal, store: Store, number: int, size: int, *, ends: bool = True) -> None:
    """An entry with a pre-image of so many bytes."""
    entry = intend(journal, f"request {number}")
    with store.transaction():
        blob = store.put_blob(bytes(size), id=f"before {number}")
        journal.prepare_inverse(entry.id, "files.restore", {"blob": blob}, blobs=[blob])
    if ends:
        journal.done(entry.id)


def kept(store: Store, count: int) -> list[int]:
    return [number for number in range(1, count + 1) if store.get_blob(f"before {number}") is not None]


def test_pre_images_have_so_much_room_and_the_oldest_go(store: Store, clock: MockClock) -> None:
    journal = Journal(store, clock, keep_bytes=10_000)
    for number in range(1, 7):
        sized(journal, store, number, 3_000)
    assert kept(store, 6) == [4, 5, 6]
    assert [entry.id for entry in journal.undoable("ann", "/w")] == [6, 5, 4]
    assert [entry.given_up for entry in journal.entries()] == [False] * 3 + [True] * 3
    gone = journal.given_up("ann", "/w")
    assert gone is not None
    assert (gone.id, gone.state, gone.inverse) == (3, "done", None)
    assert journal.given_up("ann", "/elsewhere") is None
    # What is taken back makes room, in the next program too.
    journal.undone(5)
    journal.close()
    journal = Journal(store, clock, keep_bytes=10_000)
    sized(journal, store, 7, 3_000)
    assert kept(store, 7) == [4, 6, 7]
    # Each for itself: what needs no pre-image isn't given up.
    undoable(journal)
    sized(journal, store, 9, 9_000)
    journal.settle()  # until then what has just ended keeps its own
    assert kept(store, 9) == [9]
    assert [entry.id for entry in journal.undoable("ann", "/w")] == [9, 8]
    journal.close()


def test_the_newest_keeps_its_pre_image_however_large(store: Store, clock: MockClock) -> None:
    journal = Journal(store, clock, keep_bytes=0)
    sized(journal, store, 1, 5_000, ends=False)  # a call that is still at work
    sized(journal, store, 2, 5_000)
    assert kept(store, 2) == [1, 2]
    journal.done(1)
    sized(journal, store, 3, 5_000)
    journal.close()
    assert kept(store, 3) == [3]


def test_what_was_not_weighed_yet_is_weighed_at_the_next_start(store: Store, clock: MockClock) -> None:
    journal = Journal(store, clock)
    for number in range(1, 5):
        sized(journal, store, number, 3_000)
    journal.close()
    for record in list(store.scan("journal.size")):  # as a version wrote it that didn't weigh
        store.delete("journal.size", record.id)
    store.delete("journal.counter", "bytes")
    Journal(store, clock, keep_bytes=7_000).close()
    assert kept(store, 4) == [3, 4]


def test_what_came_to_nothing_has_no_weight(store: Store, clock: MockClock) -> None:
    journal = Journal(store, clock, keep_bytes=10_000)
    sized(journal, store, 1, 3_000)
    entry = intend(journal)
    with pytest.raises(ZeroDivisionError), store.transaction():
        blob = store.put_blob(bytes(9_000))
        journal.prepare_inverse(entry.id, "files.restore", {}, blobs=[blob])
        raise ZeroDivisionError
    journal.failed(entry.id, "no")
    sized(journal, store, 3, 3_000)
    assert kept(store, 3) == [1, 3]
    journal.close()
