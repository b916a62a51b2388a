"""`llmasos model list|info`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from llmasos.core.base.settings import Settings
from llmasos.core.engine import models
from llmasos.core.engine.openai.address import is_remote
from llmasos.shell.server_model import look


def show_models(settings: Settings, action: str, *, as_json: bool) -> int:
    """List the known models and the one on a server that is in use, or tell about the one that was named.

    Returns:
        The exit code: 1 where a server doesn't answer, or hasn't the model.
    """
    rows: list[Mapping[str, Any]] = []
    found = True
    if action == "list":
        rows += [_row(info) for info in map(models.info, models.known())]
    elif not is_remote(settings.model):
        rows.append(_row(models.info(models.locate(settings.model))))
    if is_remote(settings.model):
        seen = asyncio.run(look(settings))
        rows.append(seen.row())
        found = action == "list" or not (seen.trouble or seen.missing)
    if as_json:
        print(json.dumps(rows if action == "list" else rows[0], ensure_ascii=False, indent=1))
    else:
        for row in rows:
            print("\n".join(f"{key:14} {value}" for key, value in row.items()))
    return 0 if found else 1


def _row(info: models.ModelInfo) -> dict[str, Any]:
    return {key: str(value) if key == "path" else value for key, value in asdict(info).items()}
