"""A process with a root folder of its own: what it sees, and that nothing of it is left on the machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import llmasos
from tests.seat import tree

HIDE = """
import json, os, socket, sys
from llmasos.core.kernel.sandbox import namespaces
try:
    namespaces.enter()
except OSError as error:
    sys.exit(f"no namespaces: {error}")
namespaces.hide_all_but(sys.argv[1:])
seen = [path + "/" + name for path, folders, files in os.walk("/") for name in (*folders, *files)]
with_link = os.path.exists(sys.argv[1] + "/inside")
print(json.dumps([seen, socket.gethostname(), [name for _, name in socket.if_nameindex()], with_link]))
"""


def test_only_what_is_shown_is_there_and_nothing_is_made(tmp_path: Path) -> None:
    place, other = tmp_path / "place", tmp_path / "other"
    (place / "inner").mkdir(parents=True)
    other.mkdir()
    (place / "inside").write_text("x")
    (other / "file").write_text("x")
    (other / "hidden").write_text("x")
    (tmp_path / "link").symlink_to(other)
    before = tree(tmp_path)
    shown = [place, place / "inner", place / "missing.zip", place / "none" / "deep", other / "file", tmp_path / "link"]
    environment = {**os.environ, "PYTHONPATH": str(Path(llmasos.__file__).parents[1])}
    command = [sys.executable, "-c", HIDE, *map(str, shown)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if "no namespaces" in done.stderr:
        pytest.skip(done.stderr)
    seen, name, networks, inside = json.loads(done.stdout)
    assert tree(tmp_path) == before
    names = {Path(path).name for path in seen}
    assert {"inside", "inner", "file", "link"} <= names
    assert not {"missing.zip", "none", "etc", "home", "usr", "proc", "old"} & names
    assert inside
    assert name == "llmasos"
    assert networks == ["lo"]
