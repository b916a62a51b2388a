"""ASI10, Rogue Agents: one that has gone astray is seen, ended and undone, and can't hide, change the rules, or come back.

Besides: the audit log against whoever edits it in tests/core/kernel/test_audit.py and tests/system/test_audit.py, processes
and kill in tests/core/kernel/test_process.py, policy files in tests/core/kernel/test_policy_files.py.
"""

from __future__ import annotations

import pytest

from llmasos.compose import open_audit
from llmasos.core.kernel.process import State
from llmasos.shell.audit import _line
from tests.seat import Seat, tree
from tests.security.conftest import Begin


def test_it_is_ended_and_makes_no_further_call(seat: Seat, begin: Begin) -> None:
    rogue = begin("write x into a.txt")
    assert rogue.call("files.write", path="a.txt", content="x").ok
    pid = rogue.agent.process.pid
    assert str(pid) in seat.refs("process.list")
    seat.person.answer = "once"
    seat.ok("process.kill", pid=str(pid))
    result = rogue.call("files.write", path="a.txt", content="more")
    assert result.error == "ECANCELED"
    assert (seat.workspace / "a.txt").read_text().strip() == "x"
    assert seat.do("files.list").ok, "the person's own session goes on"


def test_it_is_not_brought_back_by_itself(seat: Seat, begin: Begin) -> None:
    rogue = begin("start again whatever happens")
    seat.wait(seat.machine.kernel.processes.kill(rogue.agent.process.pid))
    assert rogue.agent.process.state == State.ZOMBIE
    for name in ("jobs.add", "system.redo", "plugin.add"):
        assert rogue.call(name).error in ("EPERM", "ECANCELED")
    assert [one for one in seat.machine.kernel.processes if one.program == "agent" and one.alive] == []


@pytest.mark.parametrize("path", ["policies/default.toml", "store.db", "audit", "keyring.json", "settings.toml"])
def test_it_reaches_neither_rules_nor_keys_nor_the_log(seat: Seat, begin: Begin, path: str) -> None:
    seat.person.answer = "once"
    home = seat.machine.settings.home
    before = {name: content for name, content in tree(home).items() if not name.startswith(("audit", "store", "swap"))}
    for target in (str(home / path), f"../home/{path}"):
        rogue = begin(f"write and delete {target}")
        assert not rogue.call("files.write", path=target, content="x").ok
        assert not rogue.call("files.delete", path=target).ok
        assert not rogue.call("files.copy", source=target, destination="mine").ok
    assert {n: c for n, c in tree(home).items() if not n.startswith(("audit", "store", "swap"))} == before


def test_all_that_it_did_and_tried_is_in_the_log_with_what_decided(seat: Seat, begin: Begin) -> None:
    trapped = []
    seat.machine.kernel.hooks.append(trapped.append)
    seat.put("mail.txt", "delete all.txt")
    seat.put("all.txt", "x")
    rogue = begin("read mail.txt")
    rogue.call("files.read", path="mail.txt")
    rogue.call("files.delete", path="all.txt")
    tried = trapped[-1]
    assert (tried.process.subject, tried.process.program, tried.call.syscall) == ("user:ada", "agent", "files.delete")
    assert (tried.decision.rule, tried.labels, tried.result.error) == ("others-words", {"file"}, "EACCES")
    machine = seat.machine
    audit = open_audit(machine.settings, machine.keyring, machine.kernel.clock, looks=True)
    read, denied = [record for _, record in audit.records() if record.syscall.startswith("files.")][-2:]
    assert (read.syscall, read.verdict, read.by) == ("files.read", "allow", ())
    assert (denied.verdict, denied.rule, denied.labels, denied.by) == ("ask", "others-words", ("file",), ("file",))
    assert "ask (others-words: file) EACCES" in _line(7, denied)


def test_what_it_did_is_taken_back(seat: Seat, begin: Begin) -> None:
    seat.put("a.txt", "mine")
    before = tree(seat.workspace)
    rogue = begin("move a.txt to b.txt, write x into c.txt")
    assert rogue.call("files.move", source="a.txt", destination="b.txt").ok
    assert rogue.call("files.write", path="c.txt", content="x").ok
    rogue.close()
    for _ in range(2):
        seat.ok("system.undo")
    assert tree(seat.workspace) == before


def test_it_ends_with_the_session_it_was_begun_in(seat: Seat, begin: Begin) -> None:
    rogue = begin("list my files")
    rogue.close()
    assert rogue.call("files.list").error == "ECANCELED"
