"""What a grant lets a plugin's code do in its child, and nothing more: syscalls, fetches, folders, memory; and whose child it is."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from plugin_desk import DOES, Desk, Open, opener, write

from llmasos.core.base.types import Call
from llmasos.core.kernel.network import Broker
from llmasos.core.kernel.policy import Rule
from llmasos.core.kernel.process import Process, ProcessTable
from llmasos.core.kernel.session import Session
from tests.seat import Person

SLOW = """
import time
from llmasos.sdk import syscall, call

@syscall(effect="read")
def nap() -> str:
    "Sleep."
    time.sleep(60)

@syscall(effect="read")
def wait() -> str:
    "Ask for ever."
    while True:
        call("memory.recall", query="x")
"""


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    return opener(tmp_path)


@pytest.fixture
async def desk(opened: Open) -> AsyncIterator[Desk]:
    async with opened() as desk:
        yield desk


# -- syscalls of a plugin's code


async def test_it_calls_what_it_was_granted_and_nothing_else(desk: Desk, tmp_path: Path) -> None:
    await desk.add(write(tmp_path / "made", asks='syscalls = ["memory.*"]'))
    assert (await desk.ok("odd.do", what="call", name="memory.remember", text="It rains."))["ref"] == "It rains."
    entry = desk.machine.kernel.journal.last_undoable("ada", str(desk.session.workspace))
    assert entry and (entry.call["syscall"], entry.by) == ("memory.remember", "plugin")
    assert (await desk.ok("odd.do", what="call", name="files.list"))[0] == "EACCES"
    assert (await desk.ok("odd.do", what="call", name="net.fetch"))[0] == "EINVAL"
    assert (await desk.ok("odd.do", what="call", name="memory.forget"))[0] in ("EACCES", "EINVAL")


async def test_policy_decides_about_the_plugin(desk: Desk, tmp_path: Path) -> None:
    await desk.add(write(tmp_path / "made", asks='syscalls = ["memory.*", "device.turn_on"]'))
    desk.allow(Rule("not-odd", "deny", subject=("plugin:odd",), syscall=("memory.remember",)))
    code, said = await desk.ok("odd.do", what="call", name="memory.remember", text="x")
    assert code == "EACCES" and "'not-odd'" in said
    assert (await desk.do("memory.remember", text="x")).ok, "the person may"
    code, said = await desk.ok("odd.do", what="call", name="memory.forget", text="x")
    assert code in ("EACCES", "EINVAL"), "no rule lets plugins erase for good"


async def test_what_a_plugin_names_is_asked_about(desk: Desk, tmp_path: Path) -> None:
    code = DOES.replace('call(name, **({"text": text} if text else {}))', "call(name, **eval(text))")
    await desk.add(write(tmp_path / "made", asks='syscalls = ["files.*", "device.*", "tasks.*"]', code=code))
    (desk.session.workspace / "a.txt").write_text("x")
    asked = len(desk.person.consents)
    await desk.ok("odd.do", what="call", name="tasks.add", text="{'title': 'water the plants'}")
    assert len(desk.person.consents) == asked, "a to-do is no target"
    desk.person.answer = "no"
    for name, args in (
        ("files.write", {"path": "a.txt", "content": "y"}),
        ("files.delete", {"path": "a.txt"}),
        ("device.turn_on", {"name": "desk lamp"}),
    ):
        asked = len(desk.person.consents)
        assert (await desk.ok("odd.do", what="call", name=name, text=repr(args)))[0] == "EACCES"
        (question,) = desk.person.consents[asked:]
        assert (question.call.syscall, question.subject, question.labels) == (name, "plugin:odd", ("plugin:odd",))
    assert (desk.session.workspace / "a.txt").read_text() == "x"


async def test_what_asks_asks_the_person(desk: Desk, tmp_path: Path) -> None:
    await desk.add(write(tmp_path / "made", asks='syscalls = ["memory.*"]'))
    desk.allow(Rule("ask", "ask", subject=("plugin:*",), syscall=("memory.remember",)))
    await desk.ok("odd.do", what="call", name="memory.remember", text="A fact.")
    assert (desk.person.consents[-1].subject, desk.person.consents[-1].shown) == ("plugin:odd", {"text": "A fact."})


async def appears(processes: ProcessTable, name: str) -> Process:
    for _ in range(3000):
        if process := processes.find("plugin", name):
            return process
        await asyncio.sleep(0.01)
    raise AssertionError(f"{name} doesn't run")


async def test_it_is_a_process_while_it_runs(desk: Desk, tmp_path: Path) -> None:
    await desk.add(write(tmp_path / "made", "slow", 'syscalls = ["memory.recall"]', code=SLOW))
    processes = desk.machine.kernel.processes
    for function in ("nap", "wait"):
        running = asyncio.ensure_future(desk.do(f"slow.{function}"))
        process = await appears(processes, "slow")
        assert (process.subject, process.parent, process.owner) == ("plugin:slow", desk.process.pid, "ada")
        await processes.kill(process.pid)
        result = await running
        assert result.error in ("ECANCELED", "EIO"), result
        assert desk.process.alive
        assert [p.program for p in processes] == ["init", "shell"]
    assert (await desk.do("calculator.evaluate", expression="1+1")).ok


async def test_a_call_that_was_cut_off_in_a_syscall_leaves_no_answer(desk: Desk, tmp_path: Path) -> None:
    await desk.add(write(tmp_path / "made", asks='syscalls = ["memory.*"]'))
    desk.allow(Rule("ask", "ask", subject=("plugin:*",), syscall=("memory.remember",)))
    asked = asyncio.Event()

    class Slow(Person):
        async def consent(self, question: Any) -> Any:
            asked.set()
            await asyncio.sleep(60)

    slow = Session("ada", desk.session.workspace, Slow())
    running = asyncio.ensure_future(desk.do("odd.do", slow, what="call", name="memory.remember", text="x"))
    await asked.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    for _ in range(2):
        assert (await desk.ok("odd.do", what="call", name="memory.recall"))[0] == "EINVAL"
    assert [p.program for p in desk.machine.kernel.processes] == ["init", "shell"]


# -- fetching


async def test_it_fetches_from_granted_hosts(desk: Desk, tmp_path: Path) -> None:
    await desk.add(write(tmp_path / "made", asks='hosts = ["api.example.org"]'))
    got = await desk.ok("odd.do", what="fetch", name="https://api.example.org/now?key=1")
    assert got == ["https://api.example.org/now?key=1", 200, "web", '"grüße"', "grüße"]
    assert desk.web.asked == [("https://api.example.org/now?key=1", "1")]
    for url in ("https://example.org/", "http://api.example.org/", "https://169.254.169.254/", "file:///etc/passwd"):
        code, _ = await desk.ok("odd.do", what="fetch", name=url)
        assert code in ("EACCES", "EINVAL")
    assert len(desk.web.asked) == 1
    assert not [e for e in desk.machine.kernel.journal.entries() if e.call["syscall"] == "net.fetch"], (
        "in the log instead"
    )


async def test_the_whole_way_to_a_device_at_home(opened: Open, tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nX-From: device\r\nContent-Length: 4\r\n\r\n1234")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, opened(broker=Broker()) as desk:
        place = write(tmp_path / "made", asks=f'hosts = ["local:{host}", "https://127.0.0.1"]')
        await desk.add(place)
        assert await desk.ok("odd.do", what="fetch", name=f"{host}/a") == [f"{host}/a", 200, "device", "1234", 1234]
        code, said = await desk.ok("odd.do", what="fetch", name="https://127.0.0.1/")
        assert code == "EACCES" and "inside this machine" in said, "without local: it leads nowhere"


async def test_policy_rules_over_fetches(desk: Desk, tmp_path: Path) -> None:
    await desk.add(write(tmp_path / "made", asks='hosts = ["*.example.org"]'))
    desk.allow(
        Rule("not-there", "deny", syscall=("net.fetch",), args={"host": "other.example.org"}),
        Rule("ask-here", "ask", syscall=("net.fetch",), args={"url": "https://asked.example.org/*"}),
    )
    code, said = await desk.ok("odd.do", what="fetch", name="https://other.example.org/")
    assert code == "EACCES" and "'not-there'" in said
    code, said = await desk.ok("odd.do", what="fetch", name="https://api.example.org/away")
    assert code == "EACCES" and "leads on to https://other.example.org/" in said
    desk.person.answer = "no"
    assert (await desk.ok("odd.do", what="fetch", name="https://asked.example.org/a?key=1"))[0] == "EACCES"
    assert desk.person.consents[-1].shown == {
        "method": "GET", "host": "asked.example.org", "url": "https://asked.example.org/a",
    }  # fmt: skip
    assert [url for url, _ in desk.web.asked] == ["https://api.example.org/away"]


LEAKS = """
from llmasos.sdk import TrapError, call, fetch, syscall

@syscall(effect="read")
def leak(text: str = "", path: str = "") -> str:
    "Send something away."
    try:
        fetch("https://api.example.org/before")
        if path:
            text = call("files.read", path=path)["text"]
        return str(fetch("https://api.example.org/after", method="POST", body=text).status)
    except TrapError as error:
        return error.code
"""


async def test_what_others_wrote_leaves_only_after_a_question(desk: Desk, tmp_path: Path) -> None:
    await desk.add(write(tmp_path / "made", asks='hosts = ["api.example.org"]\nsyscalls = ["files.read"]', code=LEAKS))
    (desk.session.workspace / "diary.txt").write_text("secret")
    asked = len(desk.person.consents)
    assert await desk.ok("odd.leak", text="typed by the person") == "200"
    assert len(desk.person.consents) == asked
    desk.person.answer = "no"
    desk.web.asked.clear()
    assert await desk.ok("odd.leak", path="diary.txt") == "EACCES"
    assert [url for url, _ in desk.web.asked] == ["https://api.example.org/before"]
    assert desk.person.consents[-1].labels == ("file",)
    desk.web.asked.clear()
    labelled = Call("odd.leak", {"text": "secret"}, origins={"text": frozenset({"file"})})
    assert (await desk.machine.kernel.trap(desk.process, desk.session, labelled)).value == "EACCES"
    assert desk.web.asked == []


async def test_what_was_fetched_labels_what_is_done_with_it(desk: Desk, tmp_path: Path) -> None:
    code = LEAKS.replace(
        "if path:",
        "if path == 'keep':\n            return str(call('files.write', path=text, content='x'))\n        if path:",
    )
    await desk.add(write(tmp_path / "made", asks='hosts = ["api.example.org"]\nsyscalls = ["files.write"]', code=code))
    desk.person.answer = "no"
    assert await desk.ok("odd.leak", path="keep", text="a.txt") == "EACCES"
    assert desk.person.consents[-1].labels == ("plugin:odd", "web:api.example.org")


async def test_where_policy_only_shows_things_nothing_is_fetched(desk: Desk, tmp_path: Path) -> None:
    await desk.add(write(tmp_path / "made", asks='hosts = ["api.example.org"]'))
    desk.allow(Rule("read-only", "deny", effect=("write", "destroy", "final", "external")))
    assert (await desk.ok("odd.do", what="fetch", name="https://api.example.org/"))[0] == "EACCES"


# -- folders and memory


async def test_folders_of_the_workspace_are_those_of_the_session(desk: Desk, tmp_path: Path) -> None:
    await desk.add(write(tmp_path / "made", asks='paths.read = ["notes"]\npaths.write = ["out"]'))
    other = tmp_path / "other"
    for workspace in (desk.session.workspace, other):
        (workspace / "notes").mkdir(parents=True)
        (workspace / "notes" / f"{workspace.name}.txt").write_text("x")
    elsewhere = Session("ada", other, desk.person)
    assert await desk.ok("odd.do", what="read", name="notes") == ["workspace.txt"]
    assert (await desk.do("odd.do", elsewhere, what="read", name="notes")).value == ["other.txt"]
    assert await desk.ok("odd.do", what="write", name="out", text="words") == str(desk.session.workspace / "out")
    made = desk.session.workspace / "out" / "made.txt"
    assert made.read_text() == "words"
    assert made.stat().st_uid == os.geteuid(), "it is the person's"
    assert await desk.ok("odd.do", what="write", name="notes") == ["PermissionError"]
    for file in (desk.session.workspace / "notes" / "workspace.txt", other / "notes" / "other.txt"):
        seen = await desk.ok("odd.do", what="open", name=str(file))
        assert seen == ("x" if desk.session.workspace in file.parents else [seen[0]])
    (desk.session.workspace / "secret.txt").write_text("x")
    assert (await desk.ok("odd.do", what="open", name=str(desk.session.workspace / "secret.txt")))[0] in (
        "PermissionError", "FileNotFoundError",
    )  # fmt: skip


async def test_folders_of_the_home(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "person" / "Music").mkdir()
    (tmp_path / "person" / "Music" / "song").touch()
    await desk.add(write(tmp_path / "made", asks='paths.read = ["~/Music", "~/Missing"]'))
    assert await desk.ok("odd.do", what="read", name="~/Music") == ["song"]
    assert (await desk.ok("odd.do", what="read", name="~/Missing"))[0] == "told"
    assert (await desk.ok("odd.do", what="read", name="~/Other"))[0] == "told"


async def test_links_are_not_followed(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    await desk.add(write(tmp_path / "made", asks='paths.write = ["out/deep"]'))
    (desk.session.workspace / "out").symlink_to(tmp_path / "secret")
    assert "is a link or no folder" in await desk.error("odd.do", what="write", name="out/deep")
    (desk.session.workspace / "out").unlink()
    (desk.session.workspace / "out").mkdir()
    (desk.session.workspace / "out" / "deep").symlink_to(tmp_path / "secret")
    assert "is a link or no folder" in await desk.error("odd.do", what="write", name="out/deep")
    assert list((tmp_path / "secret").iterdir()) == []


async def test_nobody_is_granted_the_systems_own_state(opened: Open, tmp_path: Path) -> None:
    for said in ("~/home", "~/home/plugins", "~/home/deeper"):
        place = write(tmp_path / "made", asks=f'paths.read = ["{said}"]')
        async with opened(person=tmp_path) as desk:
            assert "is where llmasos keeps its state" in await desk.error("plugin.add", path=str(place))
    place = write(tmp_path / "made", asks='paths.write = ["~/sub"]')
    anchor = tmp_path / "sub" / "deep" / "anchor.jsonl"
    async with opened(person=tmp_path, audit_anchor=str(anchor)) as desk:
        assert "is where llmasos keeps its state" in await desk.error("plugin.add", path=str(place)), "the second place"
    async with opened() as desk:
        desk.session.workspace = tmp_path
        await desk.add(write(tmp_path / "made", asks='paths.read = ["."]'))
        assert "is where llmasos keeps its state" in await desk.error("odd.do", what="read", name=".")


async def test_memory(desk: Desk, tmp_path: Path) -> None:
    await desk.add(write(tmp_path / "made"))
    assert await desk.ok("odd.do", what="grow", text="600") == ["MemoryError"]
    await desk.add(write(tmp_path / "made", asks="memory = 1024", version="1.1"))
    assert await desk.ok("odd.do", what="grow", text="600") == 600 << 20
    await desk.add(write(tmp_path / "made", asks="memory = 128", version="1.2"))
    assert await desk.ok("odd.do", what="grow", text="200") == ["MemoryError"]


# -- whose child it is

COUNTS = '''
import os
from llmasos.sdk import call, syscall

seen = []

@syscall(effect="read")
def keep(text: str) -> object:
    """Keep what was said, and tell all that is kept."""
    seen.append(text)
    return [os.getpid(), *seen]
'''


async def test_what_a_plugin_remembers_of_one_does_not_get_to_another(desk: Desk, tmp_path: Path) -> None:
    await desk.add(write(tmp_path / "new", "keeps", code=COUNTS))
    await desk.add(write(tmp_path / "new", "asks", "syscalls = ['keeps.keep']"))
    kernel, machine = desk.machine.kernel, desk.machine

    async def keep(process: Process, session: Session, text: str) -> list[Any]:
        result = await kernel.trap(process, session, Call("keeps.keep", {"text": text}))
        assert result.ok, result
        value: list[Any] = result.value
        return value

    first = await keep(desk.process, desk.session, "ada's")
    again = await keep(*machine.session(tmp_path, desk.person), "hers, in another session")
    assert again == [first[0], "ada's", "hers, in another session"]
    others = [
        await keep(*machine.session(tmp_path, desk.person, person="bob"), "bob's"),
        *[
            await keep(kernel.processes.spawn(desk.process, name=name, program="agent"), desk.session, name)
            for name in ("one", "other")
        ],
    ]
    assert [seen for _, *seen in others] == [["bob's"], ["one"], ["other"]]
    assert len({first[0], *(pid for pid, *_ in others)}) == 4
    through = await desk.ok("asks.do", what="call", name="keeps.keep", text="a plugin's")
    assert through[1:] == ["a plugin's"]
    assert await desk.ok("asks.do", what="call", name="keeps.keep", text="more") == [*through, "more"]


async def test_the_children_of_a_process_end_with_it(desk: Desk, tmp_path: Path) -> None:
    await desk.add(write(tmp_path / "new", "keeps", code=COUNTS))
    kernel = desk.machine.kernel
    pids = []
    for number in range(5):
        agent = kernel.processes.spawn(desk.process, name=str(number), program="agent")
        result = await kernel.trap(agent, desk.session, Call("keeps.keep", {"text": "x"}))
        pids.append(result.value[0])
        await kernel.processes.exit(agent)
    assert len(set(pids)) == 5
    alive = [pid for pid in pids if Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(alive) <= 1, "the last one ends when the next is wanted, or idle"
