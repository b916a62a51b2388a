"""What llama.cpp finds when it is loaded."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

LOAD = "from llmasos.core.engine.native import native; native(tiles=False)"


def displayed(**settings: str) -> str:
    """What OpenMP read when it was loaded."""
    left = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    environment = {**left, "OMP_DISPLAY_ENV": "verbose", **settings}
    ran = subprocess.run([sys.executable, "-c", LOAD], env=environment, capture_output=True, text=True, check=True)
    if "GOMP_SPINCOUNT" not in ran.stderr:
        pytest.skip("OpenMP isn't GCC's here")
    return ran.stderr


def test_threads_of_a_step_spin_for_a_moment_before_they_sleep() -> None:
    said = displayed()
    assert "GOMP_SPINCOUNT = '10000'" in said
    assert "OMP_WAIT_POLICY = 'ACTIVE'" in said


def test_what_the_person_sets_stays() -> None:
    said = displayed(OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT="7")
    assert "GOMP_SPINCOUNT = '7'" in said
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in said
