"""The store against a dict: writes, deletes, transactions, shreddings and reopenings in any order."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
)

from llmasos.core.kernel import custody
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.store import Store

KINDS = st.sampled_from(["task", "memory", "任务"])
IDS = st.sampled_from(["", "1", "2", "a\0b", "\udc80"])
SUBJECTS = st.sampled_from(["person", "alice", "bob"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


class StoreAgainstDict(RuleBasedStateMachine):
    """Keys of the model are (kind, id, subject); a dict keeps the order of insertion, as the store must."""

    blobs: Bundle[str] = Bundle("blobs")

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(custody, "secret_service", lambda: None)
        self.folder = Path(tempfile.mkdtemp())

    @initialize()
    def start(self) -> None:
        self.store = Store.open(self.folder, Keyring.open(self.folder))
        self.other = Store.open(self.folder, Keyring.open(self.folder))
        self.model: dict[tuple[str, str, str], Any] = {}
        self.bytes: dict[tuple[str, str], bytes] = {}

    def teardown(self) -> None:
        self.store.close()
        self.other.close()
        self.patch.undo()
        shutil.rmtree(self.folder)

    @rule(kind=KINDS, id=IDS, subject=SUBJECTS, value=VALUES)
    def put(self, kind: str, id: str, subject: str, value: Any) -> None:
        self.store.put(kind, id, value, subject=subject)
        self.model[kind, id, subject] = value

    @rule(kind=KINDS, id=IDS, subject=SUBJECTS)
    def get(self, kind: str, id: str, subject: str) -> None:
        assert self.store.get(kind, id, subject=subject) == self.model.get((kind, id, subject))

    @rule(kind=KINDS, id=IDS, subject=SUBJECTS)
    def delete(self, kind: str, id: str, subject: str) -> None:
        assert self.store.delete(kind, id, subject=subject) == ((kind, id, subject) in self.model)
        self.model.pop((kind, id, subject), None)

    @rule(target=blobs, data=st.binary(max_size=50), subject=SUBJECTS)
    def put_blob(self, data: bytes, subject: str) -> str:
        blob = self.store.put_blob(data, subject=subject)
        self.bytes[blob, subject] = data
        return blob

    @rule(blob=blobs, subject=SUBJECTS)
    def get_blob(self, blob: str, subject: str) -> None:
        assert self.store.get_blob(blob, subject=subject) == self.bytes.get((blob, subject))

    @rule(blob=consumes(blobs), subject=SUBJECTS)
    def delete_blob(self, blob: str, subject: str) -> None:
        assert self.store.delete_blob(blob, subject=subject) == ((blob, subject) in self.bytes)
        self.bytes.pop((blob, subject), None)

    @rule(
        writes=st.lists(st.tuples(KINDS, IDS, SUBJECTS, VALUES), max_size=4),
        inner=st.lists(st.tuples(KINDS, IDS, SUBJECTS), max_size=4),
        fails=st.sampled_from(["no", "inner", "outer"]),
    )
    def transaction(
        self, writes: list[tuple[str, str, str, Any]], inner: list[tuple[str, str, str]], fails: str
    ) -> None:
        try:
            with self.store.transaction():
                for kind, id, subject, value in writes:
                    self.store.put(kind, id, value, subject=subject)
                try:
                    with self.store.transaction():
                        for kind, id, subject in inner:
                            self.store.delete(kind, id, subject=subject)
                        if fails == "inner":
                            raise LookupError
                except LookupError:
                    pass
                if fails == "outer":
                    raise ZeroDivisionError
        except ZeroDivisionError:
            return
        for kind, id, subject, value in writes:
            self.model[kind, id, subject] = value
        for key in inner if fails == "no" else []:
            self.model.pop(key, None)

    @rule(subject=SUBJECTS)
    def shred(self, subject: str) -> None:
        self.store.shred(subject)
        self.model = {key: value for key, value in self.model.items() if key[2] != subject}
        self.bytes = {key: data for key, data in self.bytes.items() if key[1] != subject}

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = Store.open(self.folder, Keyring.open(self.folder))

    @rule()
    def use_the_other_one(self) -> None:
        """Two stores on one home take turns; neither may trust what it remembers."""
        self.store, self.other = self.other, self.store

    @precondition(lambda self: hasattr(self, "store"))
    @invariant()
    def same_records_in_the_same_order(self) -> None:
        for kind in ("task", "memory", "任务"):
            expected = [(key[1], key[2], value) for key, value in self.model.items() if key[0] == kind]
            assert [(r.id, r.subject, r.value) for r in self.store.scan(kind)] == expected
            backwards = self.store.scan(kind, newest_first=True)
            assert [(r.id, r.subject, r.value) for r in backwards] == expected[::-1]
            assert self.store.count(kind) == len(expected)
            mine = [(id, value) for id, subject, value in expected if subject == "alice"]
            assert [(r.id, r.value) for r in self.store.scan(kind, subject="alice")] == mine


StoreAgainstDict.TestCase.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestStoreAgainstDict = StoreAgainstDict.TestCase
