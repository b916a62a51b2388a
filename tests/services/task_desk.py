"""Tasks as if they had been trained, for tests that train none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llmasos.core.engine import adapters, models
from llmasos.services.models import examples, trained
from llmasos.services.models.trained import Trained


def about(name: str = "visitors", task: examples.Task = "classify", **more: Any) -> Trained:
    source = models.fingerprint(models.locate("smollm2"))
    fields = {
        "name": name, "task": task, "labels": ["prices", "routes"], "model": "smollm2", "fingerprint": source,
        "examples": 20, "held_out": 10, "accuracy": 0.9, "compared": {"nearest": 0.8}, "trained": "2026-11-27T00:00:00",
    }  # fmt: skip
    return Trained(**{**fields, **more})


def put(home: Path, what: Trained) -> None:
    folder = adapters.folder_of(home, what.name)
    folder.mkdir(parents=True)
    (folder / adapters.FILE).write_bytes(b"weights")
    trained.keep(home, what)
