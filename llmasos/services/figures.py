"""The instruments read out: figures with their units, as `system.status` tells them and `llmasos top` shows them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from llmasos.core.engine.base import Engine
from llmasos.core.kernel.instruments import Instruments, Latencies


def of_engine(engine: Engine, role: str, instruments: Instruments) -> dict[str, Any]:
    """What an engine does at present, and what it holds; figures that there aren't yet are left out."""
    pace, stats = instruments.pace(role), engine.stats()
    kept = max(0, int(stats.get("prefix_cells", 0)))
    asked = stats.get("prefix_hits", 0) + stats.get("prefix_misses", 0)
    told = {
        "tokens/s": round(pace.tokens_per_second, 1),
        "busy %": round(100 * pace.busy),
        "batch": None if pace.batch is None else round(pace.batch, 1),
        "queue": round(pace.queue, 1),
        "sequences": int(stats.get("sequences", 0)),
        "cells used": int(stats.get("cells_used", 0)) + kept,
        "cells": int(stats.get("cells", 0)),
        "kept prefixes": kept,
        "prefix hits %": round(100 * stats.get("prefix_hits", 0) / asked) if asked else None,
        **_milliseconds("first token", instruments.meter(role).first_tokens),
    }
    return {name: figure for name, figure in told.items() if figure is not None}


def of_kernel(instruments: Instruments) -> dict[str, Any]:
    """How long the kernel is up, and how long calls take."""
    calls = {name: figure for name, figure in _milliseconds("", instruments.traps).items() if figure is not None}
    return {"uptime": str(timedelta(seconds=int(instruments.uptime))), "calls": calls or None}


def _milliseconds(what: str, latencies: Latencies) -> dict[str, float | None]:
    return {
        f"{what} p{percent} ms".strip(): None if seconds is None else round(seconds * 1000, 2)
        for percent in (50, 95)
        for seconds in (latencies.percentile(percent),)
    }
