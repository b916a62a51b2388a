"""`llmasos bench NAME`: runs a benchmark of the checkout and prints its rows."""

from __future__ import annotations

import importlib.util
import json
import sys
from typing import Any

from llmasos.core.base.errors import UsageError
from llmasos.core.base.paths import PACKAGE


def run_bench(name: str, *, as_json: bool) -> int:
    """Run `benchmarks/NAME.py` and print its rows; exit code 1 where a figure misses what it must reach."""
    folder = PACKAGE.parent / "benchmarks"
    names = sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))
    if name not in names:
        known = f"There are: {', '.join(names)}." if names else "Benchmarks come with a checkout of the source, not with the wheel."
        raise UsageError(f"There is no benchmark {name!r}.", known)
    spec = importlib.util.spec_from_file_location(f"benchmarks.{name}", folder / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(folder.parent))
    spec.loader.exec_module(module)
    rows: list[dict[str, Any]] = module.rows()
    if as_json:
        print(json.dumps({"rows": rows}, ensure_ascii=False))
    else:
        for row in rows:
            bar = f"must be {row['must']}" if row["must"] else ""
            mark = {True: "ok", False: "MISSED", None: ""}[row["holds"]]
            print(f"{row['id']:32} {row['value']!s:>10} {row['unit']:10} {bar:18} {mark:7} n={row['n']}")
    return 0 if all(row["holds"] is not False for row in rows) else 1
