"""The encrypted store: records and blobs of one home in one SQLite file, nothing readable on disk."""

from llmasos.core.kernel.store.snapshot import Snapshot
from llmasos.core.kernel.store.store import Record, Store

__all__ = ["Record", "Snapshot", "Store"]
