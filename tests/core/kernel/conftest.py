"""What the tests of sealed state share: a home, and a desktop that keeps no keys."""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import llmasos
from llmasos.core.base.clock import MockClock
from llmasos.core.kernel import custody
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.store import Store


@pytest.fixture(autouse=True)
def no_desktop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests never write into the keyring of whoever runs them."""
    monkeypatch.setattr(custody, "secret_service", lambda: None)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with Store.open(home, Keyring.open(home)) as store:
        yield store


@pytest.fixture
def clock() -> MockClock:
    return MockClock(datetime(2026, 3, 1, 12, 0, tzinfo=UTC))


@pytest.fixture
def child() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts another process that runs some code on the same package, its output a pipe; no desktop there either."""
    environment = {**os.environ, "PYTHONPATH": str(Path(llmasos.__file__).parents[1])}
    environment.pop("DBUS_SESSION_BUS_ADDRESS", None)
    with contextlib.ExitStack() as ending:

        def start(code: str, *args: str) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-c", code, *args], stdout=subprocess.PIPE, text=True, env=environment
            )
            ending.enter_context(process)
            ending.callback(process.kill)
            return process

        yield start


@pytest.fixture
def canaries() -> Callable[[Path], list[str]]:
    """Names of the files below a folder that hold the canary, as text or in a form it could hide in."""
    word = b"Canary7391"
    forms = {word, word.hex().encode(), word.decode().encode("utf-16-le")}
    # Base64 has three forms, by where the word starts; the outer letters depend on the neighbours.
    forms |= {base64.b64encode(b"\0" * skip + word + b"\0" * (-(skip + len(word)) % 3))[4:-4] for skip in range(3)}

    def search(folder: Path) -> list[str]:
        found = []
        for path in sorted(folder.rglob("*")):
            content = path.read_bytes() if path.is_file() else b""
            found += [str(path) for form in forms if form in content or form in path.name.encode()]
        return found

    return search
