"""`llmasos model list|info|use`: the models there are, what they say of themselves, and which one talks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from llmasos.core.base import settings as kept
from llmasos.core.base.errors import ModelError
from llmasos.core.base.settings import Settings
from llmasos.core.engine import adapters, models
from llmasos.core.engine.openai.address import Address, is_remote
from llmasos.core.engine.sources import file_of
from llmasos.services.models import trained
from llmasos.shell.server_model import look


def show_models(settings: Settings, action: str, *, as_json: bool) -> int:
    """List the known models and the one on a server that is in use, or tell about the one that was named.

    Returns:
        The exit code: 1 where a server doesn't answer, or hasn't the model.
    """
    rows: list[Mapping[str, Any]] = []
    found = True
    if action == "list":
        rows += [_row(path) for path in _found(settings)]
        rows += [_task_row(about) for about in trained.all_of(settings.home)]
    elif not is_remote(settings.model):
        rows.append(_named(settings))
    if is_remote(settings.model):
        seen = asyncio.run(look(settings))
        rows.append(seen.row())
        found = action == "list" or not (seen.trouble or seen.missing)
    if as_json:
        print(json.dumps(rows if action == "list" else rows[0], ensure_ascii=False, indent=1))
    elif action == "list":
        print("\n".join(_line(row, settings) for row in rows))
    else:
        print("\n\n".join("\n".join(f"{key:14} {value}" for key, value in _shown(row)) for row in rows))
    return 0 if found else 1


def use_model(settings: Settings, said: str) -> int:
    """Let a model talk from now on: write it into the home's settings, once it has been looked at.

    Args:
        settings: Whose home.
        said: A known name, a file, or one on a server; any with an adapter.

    Raises:
        ModelError: It can't be used.
    """
    if is_remote(said):
        address = Address.named(said)
        kept.keep(settings.home, model=said)
        print(f"From the next start on {address.name} talks. {address.told}")
        return 0
    path = file_of(said, settings)
    models.check(path)
    plus = said.rpartition("+")[2] if "+" in said and not Path(said).expanduser().exists() else ""
    if plus and adapters.NAME.fullmatch(plus):
        trained.check(settings.home, trained.of(settings.home, plus), settings.models_in)
    # From every folder the same one is meant.
    base = said.removesuffix(f"+{plus}") if plus else said
    named = base if base in models.KNOWN else str(path.resolve())
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept.keep(settings.home, model=f"{named}+{plus}" if plus else named)
    info = models.info(path)
    print(f"From the next start on {info.name}{f' with {plus}' if plus else ''} talks.")
    print("The interpreter keeps its own model: its adapter fits no other. --interpreter-model names one to compare.")
    return 0


def _found(settings: Settings) -> list[Path]:
    """The files of the packages, of the folders, and the one that was configured, each once."""
    files = [*models.known(), *models.files(settings.models_in)]
    configured = (settings.model, settings.interpreter_model, settings.translator)
    files += [file_of(said, settings) for said in configured if said and not is_remote(said)]
    each: dict[Path, Path] = {}
    for path in files:
        each.setdefault(path.resolve(), path)
    return list(each.values())


def _named(settings: Settings) -> Mapping[str, Any]:
    """Facts of the model, of a trained task, or of an adapter's file that was named."""
    said = settings.model
    if adapters.NAME.fullmatch(said) and said not in models.KNOWN and not file_of(said, settings).exists():
        known = {about.name: about for about in trained.all_of(settings.home)}
        if said in known:
            return _task_row(known[said])
    return _row(file_of(said, settings), strict=True)


def _row(path: Path, *, strict: bool = False) -> dict[str, Any]:
    try:
        info = models.info(path)
    except ModelError as error:
        if strict:
            raise
        return {"name": path.stem, "path": str(path), "trouble": str(error)}
    return {key: str(value) if key == "path" else value for key, value in asdict(info).items()}


def _task_row(about: trained.Trained) -> dict[str, Any]:
    row = asdict(about)
    return {"name": about.name, "adapter of": row.pop("model"), **row}


def _line(row: Mapping[str, Any], settings: Settings) -> str:
    """A row in one line, beginning with what the model is called in `model use` and `--model`."""
    if "adapter of" in row:
        model, share = row["adapter of"], row["accuracy"]
        return f"{model}+{row['name']}  {row['task']}, right for {share:.1%} of what was held out"
    if "path" not in row:  # on a server
        return "  ".join(str(value) for _, value in _shown(row))
    path = Path(row["path"])
    called = next((name for name in models.KNOWN if _same(name, path)), path.stem)
    roles = (("talks", settings.model), ("interprets", settings.interpreter_model), ("translates", settings.translator))
    does = [role for role, said in roles if said and not is_remote(said) and _is(file_of(said, settings), path)]
    if "trouble" in row:
        return f"{called}  {row['trouble']}"
    facts = f"{row['quantization']}, {row['size'] / 1e6:,.0f} MB, {row['context']:,} tokens"
    return "  ".join([called, facts, *([", ".join(does)] if does else []), str(path)])


def _same(name: str, path: Path) -> bool:
    try:
        return _is(models.locate(name), path)
    except ModelError:
        return False


def _is(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def _shown(row: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """A row's fields as a person reads them; those that say nothing are left out."""
    shown: list[tuple[str, Any]] = []
    for key, value in row.items():
        if isinstance(value, tuple | list):
            value = ", ".join(map(str, value))
        elif key == "likeness":
            key, value = "chrF", ", ".join(f"{name} {points:.1f}" for name, points in value.items())
        elif isinstance(value, dict):
            value = ", ".join(f"{name} {share:.1%}" for name, share in value.items())
        elif key == "accuracy":
            value = f"{value:.1%}"
        elif key in ("parameters", "context", "size") and isinstance(value, int):
            value = f"{value:,}"
        if value not in ("", None):
            shown.append((key, value))
    return shown
