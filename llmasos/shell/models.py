"""`llmasos model list|info`."""

from __future__ import annotations

import json
from dataclasses import asdict

from llmasos.core.engine import models


def show_models(action: str, name: str, *, as_json: bool) -> int:
    """List the known models, or tell about one."""
    if action == "info":
        shown = [models.info(models.locate(name or "smollm2"))]
    else:
        shown = [models.info(path) for path in models.known()]
    rows = [{k: str(v) if k == "path" else v for k, v in asdict(info).items()} for info in shown]
    if as_json:
        print(json.dumps(rows if action == "list" else rows[0], ensure_ascii=False, indent=1))
        return 0
    for row in rows:
        print("\n".join(f"{key:14} {value}" for key, value in row.items()))
    return 0
