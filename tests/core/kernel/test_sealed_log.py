from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmasos.core.base.errors import StoreError
from llmasos.core.kernel import crypto
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.sealed_log import SealedHandler, SealedLog

KEY = crypto.random_key()
Child = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.sealed"


@pytest.fixture
def logger(path: Path) -> Iterator[logging.Logger]:
    logger = logging.getLogger("sealed log test")
    logger.propagate = False
    handler = SealedHandler(SealedLog(path, KEY))
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)


def test_lines_come_back_in_order(path: Path) -> None:
    texts = ["ls", "", "two\nlines", "中文", "\udcff", "x" * 100_000]
    log = SealedLog(path, KEY)
    assert list(log.lines()) == []
    for text in texts:
        log.append(text)
    assert list(log.lines()) == texts
    again = SealedLog(path, KEY)
    again.append("later")
    assert list(again.lines()) == [*texts, "later"]
    assert path.stat().st_mode & 0o077 == 0
    log.clear()
    assert list(again.lines()) == []


def test_another_key_or_name_does_not_open(path: Path) -> None:
    SealedLog(path, KEY).append("secret")
    with pytest.raises(StoreError):
        list(SealedLog(path, crypto.random_key()).lines())
    moved = path.replace(path.with_name("log.sealed"))
    with pytest.raises(StoreError):
        list(SealedLog(moved, KEY).lines())


def test_a_changed_line_is_noticed(path: Path) -> None:
    log = SealedLog(path, KEY)
    log.append("first")
    content = bytearray(path.read_bytes())
    for replaced in (b"A", b"B", b"!"):
        content[30:31] = replaced
        path.write_bytes(content)
    with pytest.raises(StoreError):
        list(log.lines())


def test_a_torn_line_is_left_out_wherever_it_is_torn(path: Path) -> None:
    log = SealedLog(path, KEY)
    log.append("first")
    whole = path.stat().st_size
    log.append("second")
    content = path.read_bytes()
    for end in range(whole, len(content)):
        path.write_bytes(content[:end])
        assert list(log.lines()) == ["first"]
        log.append("third")
        assert list(log.lines()) == ["first", "third"]


def test_it_turns_over_by_size(path: Path) -> None:
    log = SealedLog(path, KEY, max_bytes=1_000, keep=2)
    for number in range(100):
        log.append(f"line {number}")
    lines = list(log.lines())
    assert lines == [f"line {number}" for number in range(100 - len(lines), 100)]
    assert 15 < len(lines) < 100
    assert sorted(p.name for p in path.parent.iterdir()) == [path.name, f"{path.name}.1", f"{path.name}.2"]
    assert all(p.stat().st_size < 1_200 for p in path.parent.iterdir())


WRITER = """
import sys
from pathlib import Path
from llmasos.core.kernel.sealed_log import SealedLog
log = SealedLog(Path(sys.argv[1]), bytes.fromhex(sys.argv[2]), max_bytes=int(sys.argv[3]), keep=20)
number = 0
while number < int(sys.argv[4]):
    log.append(f"{sys.argv[5]} {number} " + "x" * (number % 500))
    print(number, flush=True)
    number += 1
"""


def test_several_processes_append_and_turn_over(path: Path, child: Child) -> None:
    writers = [child(WRITER, str(path), KEY.hex(), "20000", "200", name) for name in "abc"]
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    found = [line.split()[:2] for line in SealedLog(path, KEY, keep=20).lines()]
    for name in "abc":
        assert [int(number) for who, number in found if who == name] == list(range(200))


def test_acknowledged_lines_survive_kill_9(path: Path, child: Child) -> None:
    expected = 0
    for lines in (1, 3, 10, 40, 100):
        process = child(WRITER, str(path), KEY.hex(), "1000000000", "1000000000", "a")
        assert process.stdout is not None
        for _ in range(lines):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        expected += lines + process.stdout.read().count("\n")
        there = len(list(SealedLog(path, KEY).lines()))
        assert there in (expected, expected + 1)
        expected = there


def test_tracebacks_are_sealed(
    path: Path, logger: logging.Logger, tmp_path: Path, canaries: Callable[[Path], list[str]]
) -> None:
    try:
        raise ValueError("Canary7391")
    except ValueError:
        logger.exception("while reading %s", "Canary7391")
    (line,) = SealedLog(path, KEY).lines()
    assert "ERROR sealed log test while reading Canary7391" in line
    assert "Traceback" in line
    assert "ValueError: Canary7391" in line
    assert canaries(tmp_path) == []


def test_a_log_that_fails_says_so_without_the_message(
    path: Path, logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    path.mkdir()
    logger.error("the secret is %s", "Canary7391")
    assert capsys.readouterr().err == "llmasos: a log record was lost (StoreError).\n"


def test_a_sealed_log_needs_its_keyring(home: Path) -> None:
    keyring = Keyring.open(home)
    SealedLog(home / "history.sealed", keyring.derive("history")).append("ls")
    assert list(SealedLog(home / "history.sealed", Keyring.open(home).derive("history")).lines()) == ["ls"]
    (home / "keyring.json").unlink()
    with pytest.raises(StoreError, match="missing"):
        Keyring.open(home)


def test_records_are_taken_out_of_all_files(path: Path) -> None:
    log = SealedLog(path, KEY, max_bytes=600, keep=2)
    for number in range(12):
        log.append(f"secret {number}" if number % 3 == 0 else f"line {number}")
    before = list(log.lines())
    assert path.with_name(f"{path.name}.1").exists()
    assert any("secret" in line for line in before)
    with path.open("ab") as file:
        file.write(b"\n000000ff torn")
    log.erase(lambda line: "secret" in line)
    assert list(log.lines()) == [line for line in before if "secret" not in line]
    log.append("after")
    assert list(log.lines())[-1] == "after"
    kept = {file: file.stat().st_ino for file in path.parent.iterdir()}
    log.erase(lambda line: "secret" in line)
    assert {file: file.stat().st_ino for file in path.parent.iterdir()} == kept, "nothing is written where nothing goes"


def test_another_program_writes_on_while_records_are_taken_out(path: Path) -> None:
    log, other = SealedLog(path, KEY), SealedLog(path, KEY)
    log.append("secret")
    log.append("one")

    def match(line: str) -> bool:
        return line == "secret"

    def write() -> None:
        for number in range(200):
            other.append(str(number))

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        log.append("secret")
        log.erase(match)
    writer.join()
    log.erase(match)
    assert list(log.lines()) == ["one", *map(str, range(200))]
