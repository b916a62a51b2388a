"""Tasks that were trained: an adapter each, in a folder of the home, with what is known of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from llmasos.core.base.errors import ModelError
from llmasos.core.engine import adapters, models
from llmasos.services.models.examples import Task

ABOUT = "task.json"


@dataclass(frozen=True, slots=True)
class Trained:
    """A task that a model was trained for.

    Attributes:
        name: Of the adapter.
        task: What it does.
        labels: What it chooses from, where it classifies.
        model: The model that it was trained on, as it is named.
        fingerprint: Of that model's file.
        examples: How many it learned from.
        held_out: How many it was tried on.
        accuracy: Share of those that it answered as wanted.
        compared: Accuracy of others on the same: the model without it, vectors alone.
        trained: When, UTC.
        likeness: chrF, 0 to 100, of what it writes and of others on the same; where it classifies, or sacrebleu isn't
            there, empty.
    """

    name: str
    task: Task
    labels: Sequence[str]
    model: str
    fingerprint: str
    examples: int
    held_out: int
    accuracy: float
    compared: dict[str, float]
    trained: str
    likeness: dict[str, float] = field(default_factory=dict)

    @property
    def spoken(self) -> str:
        """How the model with this adapter is named, `smollm2+visitors`."""
        return f"{self.model}+{self.name}"


def prompt(text: str) -> str:
    """What a text to be classified is put into; the label follows it."""
    return f"Text: {' '.join(text.split())}\nKind:"


def option(label: str) -> str:
    """A label as it follows the prompt; it ends, so that no label is the beginning of another."""
    return f" {label}\n"


def keep(home: Path, about: Trained) -> None:
    """Write what is known of an adapter beside it."""
    folder = adapters.folder_of(home, about.name)
    new = folder / f".{ABOUT}.new"
    new.write_text(json.dumps(asdict(about), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    new.replace(folder / ABOUT)


def all_of(home: Path) -> list[Trained]:
    """The trained tasks of a home, by name; a folder that holds none is passed over."""
    return [found for folder in sorted((home / adapters.FOLDER).glob("*")) if (found := _read(folder))]


def of(home: Path, name: str) -> Trained:
    """The trained task of a name.

    Raises:
        ModelError: There is none.
    """
    found = _read(adapters.folder_of(home, name)) if adapters.NAME.fullmatch(name) else None
    if found is None:
        known = ", ".join(one.name for one in all_of(home)) or "none yet"
        raise ModelError(f"No task {name!r} was trained; there are: {known}.", "Train it with 'llmasos model train'.")
    return found


def check(home: Path, about: Trained, folders: Sequence[Path]) -> None:
    """Make sure that the model is still the one that an adapter was trained on.

    Raises:
        ModelError: It isn't, or it is gone.
    """
    if models.fingerprint(models.locate(about.model, folders)) != about.fingerprint:
        raise ModelError(
            f"{about.name} was trained on another file than what {about.model} is now.",
            f"Train it again: 'llmasos model train {about.name} EXAMPLES.jsonl'.",
        )


def _read(folder: Path) -> Trained | None:
    try:
        raw: dict[str, Any] = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        # Those that were kept before figures were added have what there was; one that is missing else is no task.
        return Trained(**{one.name: raw[one.name] for one in fields(Trained) if one.name in raw})
    except (OSError, ValueError, KeyError, TypeError):
        return None
