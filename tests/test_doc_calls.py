"""Calls that are written out in the pages: each names what there is, and says all that is needed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llmasos.core.kernel.syscall import SyscallTable
from llmasos.services.interpreter.explicit import written_call
from tests.catalogue import live_rows

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_TYPED = re.compile(r"^❯ (.+)$|llmasos (?:--\S+ )*-c (?:\"([^\"]+)\"|'([^']+)')", re.MULTILINE)
_QUOTED = re.compile(r"`([a-z]+\.[a-z_]+ [^`]+)`")


def table() -> SyscallTable:
    found = SyscallTable()
    found.rows.update(live_rows())
    return found


def calls(page: Path) -> list[str]:
    """What a page says is typed, and what it quotes, as far as it begins with a syscall and its values."""
    text = page.read_text(encoding="utf-8")
    typed = [next(filter(None, match.groups())) for match in _TYPED.finditer(text)]
    return [line for line in [*typed, *_QUOTED.findall(text)] if line.split()[0] in live_rows()]


def test_there_are_some() -> None:
    assert sum(len(calls(page)) for page in PAGES) > 20


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_can_be_made(page: Path) -> None:
    for line in calls(page):
        program = written_call(line, table())
        assert program is not None, line
        row, args = live_rows()[program[0].syscall], program[0].args
        assert {a.name for a in row.arguments if a.required} <= set(args), line
        for quoted in re.findall(r"\"([^\"]+)\"|'([^']+)'", line):
            assert max(quoted) in args.values(), f"{line}: what is in quotes is one value: {args}"
        assert not any(re.match(r"[a-z_]+=", str(value)) for value in args.values()), f"{line}: {args}"
