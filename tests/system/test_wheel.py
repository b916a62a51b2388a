"""The wheel by itself: installed into an empty folder and started from another one, it finds all that belongs to it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.system.program import CHECKOUT, HANGS

# Dependencies come from the environment that runs the tests, without its pointer to the checkout.
START = """
import sys, runpy
sys.path[:] = [p for p in sys.path if p != CHECKOUT] + [DEPENDENCIES]
import llmasos
assert llmasos.__file__.startswith(INSTALLED), llmasos.__file__
assert not any(p == CHECKOUT for p in sys.path)
sys.argv[0] = "llmasos"
runpy.run_module("llmasos", run_name="__main__")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Built from a copy, so that nothing is left in the checkout.
    source, out = tmp_path_factory.mktemp("source") / "llmasos", tmp_path_factory.mktemp("dist")
    source.mkdir()
    for name in ("llmasos", "apps", "plugins", "policies", "docs"):
        shutil.copytree(CHECKOUT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, source)
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(out)]
    done = subprocess.run(build, cwd=source, capture_output=True, text=True, timeout=HANGS)
    assert done.returncode == 0, done.stdout + done.stderr
    [built] = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("installed")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--no-index",
        "--quiet",
        "--target",
        str(target),
        str(wheel),
    ]
    done = subprocess.run(pip, capture_output=True, text=True, timeout=HANGS)
    assert done.returncode == 0, done.stderr
    return target


def test_what_is_in_it(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    for needed in (
        "llmasos/py.typed", "llmasos/_share/apps/guide/app.py", "llmasos/_share/plugins/calculator/plugin.toml",
        "llmasos/_share/policies/default.toml", "llmasos/_share/docs/security.md", "llmasos/services/interpreter/adapter/llmasos-interpreter.gguf",
    ):  # fmt: skip
        assert needed in names, f"{needed} is missing"
    stray = [
        name
        for name in names
        if name.split("/")[0] in ("tests", "training", "benchmarks", "apps", "plugins", "policies", "docs")
    ]
    assert stray == []
    assert not any("__pycache__" in name for name in names)


def test_it_runs_from_another_folder(installed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "somewhere"
    folder.mkdir()
    constants = {"CHECKOUT": str(CHECKOUT), "DEPENDENCIES": sysconfig.get_path("purelib"), "INSTALLED": str(installed)}
    code = "".join(f"{name} = {value!r}\n" for name, value in constants.items()) + START

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("LLMASOS_") or k == "LLMASOS_CACHE"}
        environment |= {"PYTHONPATH": str(installed), "LLMASOS_HOME": str(tmp_path / "home")}
        # -S: no .pth file of the environment can bring the checkout back.
        return subprocess.run(
            [sys.executable, "-S", "-c", code, *args],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=HANGS,
        )

    checked = run("doctor", "--json")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    found = {finding["what"]: finding for finding in json.loads(checked.stdout)}
    assert found["plugins"]["detail"] == "calculator" and found["understanding"]["state"] == "ok"
    assert "problem" not in found
    apps = run("-c", "app.list")
    assert apps.returncode == 0 and "guide" in apps.stdout, apps.stderr
    assert run("--policy", "readonly", "-c", "files.write a.md words").returncode == 3
    assert "12" in run("-c", "calculator.evaluate '15% of 80'").stdout
    assert "guide" in run("-c", "app.open guide").stdout or run("-c", "app.open guide").returncode == 0
