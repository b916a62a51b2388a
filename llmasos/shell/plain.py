"""Results as plain text, for a pipe: no colours, no boxes; results on one stream, remarks on the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmasos.core.base.types import Result
from llmasos.core.base.values import plain
from llmasos.shell import lines
from llmasos.shell.views import source_of


def result(outcome: Result) -> str:
    """What belongs on stdout: the words, the rows, what was done; empty where it failed."""
    return plain(outcome.value).rstrip("\n") if outcome.ok and outcome.value is not None else ""


def remark(outcome: Result) -> str:
    """What belongs on stderr: why it failed, whose words these are, what to know beside it; often empty."""
    if not outcome.ok:
        return outcome.message
    shape: Any = outcome.value
    if not isinstance(shape, Mapping):
        return ""
    if shape.get("type") == "text" and shape.get("source") != "file":
        return source_of(shape)
    return str(shape.get("note") or "")


def call(name: str, shown: Mapping[str, str], effect: str) -> str:
    """The line before an effect."""
    return lines.call(name, shown, effect).plain
