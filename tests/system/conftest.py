"""What the end-to-end tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.program import Program


@pytest.fixture
def program(home: Path, workspace: Path) -> Program:
    """The program with a home and a workspace of this test's own."""
    return Program(home, workspace)
