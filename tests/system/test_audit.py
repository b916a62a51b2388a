"""`llmasos audit`: what was asked is there, a change is found, and until it is accepted nothing else is changed."""

from __future__ import annotations

import json

from tests.system.program import Program


def test_what_was_asked_is_in_the_log_and_a_change_is_found(program: Program) -> None:
    program.ok(stdin="files.write a.md 'words'\nfiles.read a.md\n")
    program.run("--policy", "readonly", "-c", "files.write b.md no")
    rows = [json.loads(line) for line in program.ok("audit", "show", "--json").splitlines()]
    said = [(row["syscall"], row["verdict"], row["outcome"], "entry" in row) for row in rows]
    assert said == [
        ("files.write", "allow", "ok", True),
        ("files.read", "allow", "ok", False),
        ("files.write", "deny", "EACCES", False),
    ]
    assert "words" not in json.dumps(rows)
    assert "files.write" in program.ok("audit")
    assert "whole: 3 entries" in program.ok("audit", "verify")

    # A stranger needs nothing but the two files and the public key.
    (log,) = (program.home / "audit").glob("*.log")
    anchor = program.home.with_name(f"{program.home.name}.anchor.jsonl")
    copy = ["audit", "verify", "--log", str(log.parent), "--anchor", str(anchor)]
    key = program.ok("audit", "key").strip()
    assert program.run(*copy, "--key", key).returncode == 0
    assert program.run(*copy, "--key", "00" * 32).returncode == 1
    assert program.run(*copy, "--key", "short").returncode == 2

    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))  # who denied what is gone
    found = program.run("audit", "verify")
    assert found.returncode == 1
    assert "the newest were cut off" in found.stderr
    stopped = program.run("-c", "files.write c.md no")
    assert stopped.returncode == 1
    assert "audit log isn't what it was" in stopped.stderr + stopped.stdout
    assert not (program.workspace / "c.md").exists()
    assert "words" in program.ok("-c", "files.read a.md")

    assert "set aside" in program.ok("audit", "accept")
    program.ok("-c", "files.write c.md yes")
    assert "whole" in program.ok("audit", "verify")
    assert "accepted by the person" in program.ok("audit", "show")


def test_there_is_no_log_where_there_is_no_home(program: Program) -> None:
    missing = program.run("--home", str(program.home / "none"), "audit")
    assert missing.returncode == 2
    assert "no home" in missing.stderr
