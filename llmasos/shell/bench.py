"""`llmasos bench NAME`: runs a benchmark of the checkout and prints its rows."""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from typing import Any

from llmasos.core.base.errors import UsageError
from llmasos.core.base.paths import PACKAGE


def run_bench(name: str, *, as_json: bool) -> int:
    """Run the benchmark of a name and print its rows; exit code 1 where a figure misses what it must reach."""
    checkout = PACKAGE.parent
    names = sorted(info.name for info in pkgutil.iter_modules([str(checkout / "benchmarks")]) if info.name != "row")
    if name not in names:
        known = (
            f"There are: {', '.join(names)}."
            if names
            else "Benchmarks come with a checkout of the source, not with the wheel."
        )
        raise UsageError(f"There is no benchmark {name!r}.", known)
    sys.path.insert(0, str(checkout))
    module = importlib.import_module(f"benchmarks.{name}")
    rows: list[dict[str, Any]] = module.rows()
    if as_json:
        print(json.dumps({"rows": rows}, ensure_ascii=False))
    else:
        for row in rows:
            bar = f"must be {row['must']}" if row["must"] else ""
            mark = {True: "ok", False: "MISSED", None: ""}[row["holds"]]
            print(f"{row['id']:32} {row['value']!s:>10} {row['unit']:10} {bar:18} {mark:7} n={row['n']}")
    return 0 if all(row["holds"] is not False for row in rows) else 1
