"""Plugins in child processes: described, called, timed out, crashed, refused, removed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from llmasos.core.base.errors import PluginError, SyscallError
from llmasos.core.base.paths import shipped
from llmasos.core.kernel.sandbox import limits, runner
from llmasos.core.kernel.sandbox.host import PluginHost
from llmasos.core.kernel.sandbox.worker import TRAPS
from llmasos.core.kernel.syscall import Syscall

MANIFEST = """\
name = "{name}"
version = "1.0"
description = "For a test"
author = "A Tester"
license = "Apache-2.0"
isolation = "worker"

[capabilities]
"""

DICE = '''
from typing import Literal
from llmasos.sdk import ToolError, syscall

@syscall(effect="read")
def roll(sides: int = 6, colour: Literal["red", "blue"] = "red") -> dict:
    """Roll a die.

    Fair or not.

    Args:
        sides: How many sides it has.

    Examples:
        roll a die
        掷骰子
    """
    print("noise", flush=True)
    if sides < 1:
        raise ToolError("A die has sides.", "Say at least one.")
    return {"shown": sides, "colour": colour}
'''

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a plugin folder."""

    def write(name: str, code: str = DICE, manifest: str = MANIFEST, folder: str = "plugins", **files: str) -> Path:
        place = tmp_path / folder / name
        place.mkdir(parents=True)
        (place / "plugin.toml").write_text(manifest.format(name=name), encoding="utf-8")
        (place / "plugin.py").write_text(textwrap.dedent(code), encoding="utf-8")
        for file, text in files.items():
            (place / f"{file}.py").write_text(textwrap.dedent(text), encoding="utf-8")
        return place

    return write


@pytest.fixture
async def host() -> AsyncIterator[PluginHost]:
    async with PluginHost(reserved={"files"}, timeout=10) as host:
        yield host


def function(body: str) -> str:
    """A plugin with one syscall `go(text: str = "")`."""
    head = 'from llmasos.sdk import syscall\nimport os, sys, time\n@syscall(effect="read")\n'
    head += 'def go(text: str = "") -> object:\n    "Go."\n'
    return head + textwrap.indent(textwrap.dedent(body), "    ")


async def only_row(host: PluginHost, folder: Path) -> Syscall:
    (row,) = await host.add(folder)
    return row


async def refused(row: Syscall, code: str, **args: Any) -> SyscallError:
    with pytest.raises(SyscallError) as caught:
        await row.run(None, **args)
    assert caught.value.code == code, caught.value
    return caught.value


async def gone(pid: int) -> bool:
    for _ in range(200):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True  # an orphan's zombie, where pid 1 doesn't reap
        except (FileNotFoundError, ProcessLookupError):
            return True
        await asyncio.sleep(0.02)
    return False


# -- described and called


async def test_load_describes_and_calls(host: PluginHost, make: Make) -> None:
    place = make("dice")
    rows, problems = await host.load([place.parent, place.parent / "nowhere"])
    assert problems == []
    (row,) = rows
    assert (row.name, row.effect, row.plugin) == ("dice.roll", "read", "dice")
    assert (row.summary, row.body) == ("Roll a die.", "Fair or not.")
    assert row.examples == ("roll a die", "掷骰子")
    assert row.source == str(place / "plugin.py")
    assert [(a.name, a.required, a.description) for a in row.arguments] == [
        ("sides", False, "How many sides it has."),
        ("colour", False, ""),
    ]
    assert row.schema["properties"]["colour"] == {"type": "string", "enum": ["red", "blue"]}
    assert await row.run(None, **row.validate({"sides": "20"})) == {"shown": 20, "colour": "red"}
    assert [p.name for p in host.plugins] == ["dice"]


async def test_discover_runs_nothing(host: PluginHost, make: Make, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    place = make("eager", f"open({str(mark)!r}, 'w').close()")
    plugins, problems, _ = host.discover([place.parent])
    assert [p.name for p in plugins] == ["eager"]
    assert problems == []
    assert not mark.exists()


async def test_tool_error_is_told(host: PluginHost, make: Make) -> None:
    row = await only_row(host, make("dice"))
    error = await refused(row, "EINVAL", sides=0)
    assert str(error) == "A die has sides. Say at least one."


async def test_arguments_are_checked_in_the_child_too(host: PluginHost, make: Make) -> None:
    row = await only_row(host, make("dice"))
    assert "sides is 'six'" in str(await refused(row, "EINVAL", sides="six"))
    assert "no argument 'weight'" in str(await refused(row, "EINVAL", weight=1))


async def test_a_plugin_of_several_files_and_with_a_standard_name(host: PluginHost, make: Make) -> None:
    code = "from llmasos.sdk import syscall\nfrom .json import WORD\nimport json\n" + (
        '@syscall(effect="read")\ndef go() -> str:\n    "Go."\n    return json.dumps(WORD)\n'
    )
    row = await only_row(host, make("json", code, json="WORD = 'here'"))
    assert await row.run(None) == '"here"'


async def test_calls_to_one_plugin_take_turns_and_each_gets_its_own_answer(host: PluginHost, make: Make) -> None:
    row = await only_row(host, make("echo", function("return text")))
    texts = [f"{i} 你好" for i in range(40)]
    assert await asyncio.gather(*(row.run(None, text=t) for t in texts)) == texts


# -- what the child has and hasn't


async def test_the_child_has_nothing_of_ours(
    host: PluginHost, make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LLMASOS_SECRET", "s3cret")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    code = function("""
        import importlib
        files, found = [], []
        for file in range(64):
            try:
                os.fstat(file)
                files.append(file)
            except OSError:
                pass
        for module in ("llmasos.core", "llmasos.core.kernel.keyring", "pydantic", "pytest"):
            try:
                importlib.import_module(module)
                found.append(module)
            except ImportError:
                pass
        return {
            "environment": dict(os.environ), "cwd": os.getcwd(), "argv": sys.argv, "pid": os.getpid(),
            "ours": sorted(m for m in sys.modules if m.startswith("llmasos")), "found": found,
            "asyncio": "asyncio" in sys.modules,
            "stdin": sys.stdin.read(), "session": os.getsid(0), "files": files,
            "bytes": sys.dont_write_bytecode, "encoding": sys.getfilesystemencoding(),
        }
    """)
    with (tmp_path / "open").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        row = await only_row(host, make("nosy", code))
        got = await row.run(None)
    assert got["environment"] in ({}, {"LC_CTYPE": "C.UTF-8"})  # Python sets that one itself
    assert got["cwd"] == "/"
    assert got["argv"] == ["plugin"]
    assert got["found"] == []
    assert got["ours"] == ["llmasos", "llmasos.sdk", "llmasos_plugin", "llmasos_plugin.plugin"]
    assert got["asyncio"] is False
    assert got["stdin"] == ""
    assert got["session"] == got["pid"] != os.getpid()
    assert len(got["files"]) == 4, "stdin, stdout, stderr and the channel"
    assert got["bytes"] is True
    assert got["encoding"] == "utf-8"


async def test_prints_do_not_disturb(host: PluginHost, make: Make, capfd: pytest.CaptureFixture[str]) -> None:
    body = """
        print('{"id": 1, "value": "forged"}' * 20000, flush=True)
        os.write(1, b"raw\\n"); os.write(2, b"raw\\n")
        return "right"
    """
    row = await only_row(host, make("loud", function(body)))
    assert await row.run(None) == "right"
    assert capfd.readouterr() == ("", "")


async def test_the_worker_stays_and_ends_when_idle(make: Make) -> None:
    async with PluginHost(idle=0.2) as host:
        row = await only_row(host, make("who", function("return os.getpid()")))
        first = await row.run(None)
        assert await row.run(None) == first
        assert await gone(first)
        assert await row.run(None) != first


# -- late, crashed, cancelled


async def test_a_late_call_is_stopped_and_the_next_one_works(make: Make) -> None:
    body = """
        while text == "loop":
            pass
        return os.getpid()
    """
    async with PluginHost(timeout=2) as host:
        row = await only_row(host, make("slow", function(body)))
        before = await row.run(None)
        error = await refused(row, "ETIMEDOUT", text="loop")
        assert "slow.go took longer than 2 seconds" in str(error)
        assert await gone(before)
        assert await row.run(None) != before


async def test_the_child_starts_no_process(host: PluginHost, make: Make) -> None:
    row = await only_row(host, make("parent", function("return os.fork()")))
    assert "PermissionError" in str(await refused(row, "EIO"))


@pytest.mark.parametrize(
    "body", ["os._exit(3)", "import ctypes; ctypes.string_at(0)", "os.closerange(3, 100); time.sleep(60)"]
)
async def test_a_crash_names_the_plugin_and_is_over(host: PluginHost, make: Make, body: str) -> None:
    row = await only_row(host, make("frail", function(f"if text:\n    {body}\nreturn 'well'")))
    error = await refused(row, "EIO", text="now")
    assert "frail" in str(error)
    assert await row.run(None) == "well"


async def test_a_child_killed_between_two_calls_is_replaced(host: PluginHost, make: Make) -> None:
    row = await only_row(host, make("who", function("return os.getpid()")))
    first = await row.run(None)
    os.kill(first, signal.SIGKILL)
    await asyncio.sleep(0.1)
    assert await row.run(None) != first


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return 1 / 0", "ZeroDivisionError: division by zero (plugin.py, line 8)"),
        ("sys.exit(3)", "SystemExit: 3"),
        ("def f(): f()\nf()", "RecursionError"),
        ("class E(Exception):\n    def __str__(self): raise E\nraise E", "E: "),
        ("raise ValueError('x' * 10**7)", "ValueError: xxx"),
        ("raise ValueError('\\ud800')", "ValueError: ?"),
        ("return object()", "can't be passed on"),
        ("return float('nan')", "can't be passed on"),
        ("return '\\ud800'", "can't be passed on"),
        ("return 'x' * (1 << 20)", "the limit is 1,048,576"),
        ("x = []\nfor _ in range(100000): x = [x]\nreturn x", "can't be passed on"),
    ],
)
async def test_what_breaks_inside_is_told_and_the_worker_lives(
    host: PluginHost, make: Make, body: str, said: str
) -> None:
    row = await only_row(host, make("odd", function("if text == 'pid':\n    return os.getpid()\n" + body)))
    pid = await row.run(None, text="pid")
    error = await refused(row, "EIO")
    assert "odd.go" in str(error)
    assert said in str(error)
    assert len(str(error)) < 5000
    assert await row.run(None, text="pid") == pid


FORGED = [
    b"not json\n",
    b"[]\n",
    b'{"id":1}\n',
    b'{"id":7,"value":1}\n',
    b'{"id":1,"value":1,"more":2}\n',
    b'{"id":1,"error":"x"}\n',
    b'{"id":1,"error":{"kind":"tool","what":1,"remedy":""}}\n',
    b'{"id":1,"value":NaN}\n',
    b'{"id":1,"value":1e999}\n',
    b'{"id":1,"value":"\\ud800"}\n',
    b'{"id":1,"value":"\xff"}\n',
    b'{"id":1,"value":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
    b'{"id":1,"value":' + b"9" * 10_000 + b"}\n",
    b"x" * (runner.LIMIT + 2),
]


@pytest.mark.parametrize("line", FORGED, ids=lambda line: line[:40].decode(errors="replace").strip())
async def test_forged_answers_are_refused(host: PluginHost, make: Make, line: bytes) -> None:
    # The plugin finds the channel among its descriptors and writes there itself; then it never answers.
    body = """
        import stat
        if not text:
            return "well"
        channel = next(f for f in range(3, 9) if stat.S_ISSOCK(os.fstat(f).st_mode))
        data = open(text, "rb").read()
        while data:
            data = data[os.write(channel, data):]
        time.sleep(60)
    """
    place = make("forger", function(body))
    (place / "line").write_bytes(line)
    row = await only_row(host, place)
    error = await refused(row, "EIO", text=str(place / "line"))
    assert "forger" in str(error)
    assert await row.run(None) == "well"


async def test_arguments_are_json_and_not_too_large(host: PluginHost, make: Make) -> None:
    row = await only_row(host, make("echo", function("return text")))
    await refused(row, "EINVAL", text=object())
    await refused(row, "EINVAL", text=float("nan"))
    await refused(row, "EINVAL", text="\ud800")
    assert "limit is 1,048,576" in str(await refused(row, "E2BIG", text="x" * runner.LIMIT))
    assert await row.run(None, text="x" * (runner.LIMIT - 100)) == "x" * (runner.LIMIT - 100)


async def test_a_cancelled_call_leaves_no_answer_for_the_next(host: PluginHost, make: Make) -> None:
    row = await only_row(host, make("nap", function("time.sleep(float(text))\nreturn text")))
    calling = asyncio.ensure_future(row.run(None, text="0.5"))
    await asyncio.sleep(0.2)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert await row.run(None, text="0") == "0"


async def test_close_does_not_wait_for_a_running_call(make: Make) -> None:
    host = PluginHost()
    row = await only_row(host, make("nap", function("time.sleep(60)")))
    calling = [asyncio.ensure_future(row.run(None)) for _ in range(2)]
    await asyncio.sleep(0.2)
    began = time.monotonic()
    await host.close()
    assert time.monotonic() - began < 2
    for call in calling:
        with pytest.raises(SyscallError, match="no longer loaded"):
            await call


async def test_a_looping_child_dies_with_a_kernel_that_was_killed(make: Make) -> None:
    place = make("loop", function("while text: pass\nreturn os.getpid()"))
    kernel = textwrap.dedent(f"""
        import asyncio
        from pathlib import Path
        from llmasos.core.kernel.sandbox.host import PluginHost
        async def main():
            (row,) = await PluginHost().add(Path({str(place)!r}))
            print(await row.run(None), flush=True)
            await row.run(None, text="loop")
        asyncio.run(main())
    """)
    root = Path(runner.__file__).parents[4]
    command = [sys.executable, "-c", kernel]
    process = await asyncio.create_subprocess_exec(*command, cwd=root, stdout=asyncio.subprocess.PIPE)
    assert process.stdout
    pid = int(await process.stdout.readline())
    await asyncio.sleep(0.2)
    process.kill()
    await process.wait()
    try:
        assert await gone(pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


# -- a fresh child for each call

SINGLE = MANIFEST.replace('"worker"', '"single_use"')


async def filled(host: PluginHost, name: str) -> int:
    """The process of the child that waits for the next call."""
    worker = host._entries[name].worker
    assert worker._refilling
    await worker._refilling
    assert worker.pid
    return worker.pid


async def test_each_call_has_a_fresh_child_that_was_loaded_before(host: PluginHost, make: Make) -> None:
    code = "met = []\n" + function("met.append(text)\nreturn [met, os.getpid()]")
    row = await only_row(host, make("once", code, SINGLE))
    waiting = host._entries["once"].worker.pid
    assert await row.run(None, text="a") == [["a"], waiting]
    waiting = await filled(host, "once")
    assert await row.run(None, text="b") == [["b"], waiting]
    await filled(host, "once")
    answers = await asyncio.gather(*(row.run(None, text=str(i)) for i in range(8)))
    assert [met for met, _ in answers] == [[str(i)] for i in range(8)]
    assert len({pid for _, pid in answers}) == 8


async def test_a_used_child_is_gone(host: PluginHost, make: Make) -> None:
    row = await only_row(host, make("once", function("return 1 / 0 if text else os.getpid()"), SINGLE))
    first = await row.run(None)
    assert await filled(host, "once") != first
    assert await gone(first)
    await refused(row, "EIO", text="x")
    second = await filled(host, "once")
    assert await row.run(None) == second
    await host.remove("once")
    assert await gone(second)


async def test_a_spare_that_breaks_while_nobody_waits_is_told_to_the_next_call(host: PluginHost, make: Make) -> None:
    place = make("once", function("return 1"), SINGLE)
    row = await only_row(host, place)
    (place / "plugin.py").write_text("raise SystemError('worn out')", encoding="utf-8")
    assert await row.run(None) == 1
    assert "worn out" in str(await refused(row, "EIO"))


async def test_a_child_is_replaced_before_it_has_used_up_its_processor_time(
    host: PluginHost, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = await only_row(host, make("who", function("return os.getpid()")))
    first = await row.run(None)
    assert await row.run(None) == first
    monkeypatch.setattr(limits, "CPU", 0)
    assert await row.run(None) != first


# -- syscalls from inside a call

ASKING = """
from llmasos.sdk import TrapError, syscall, trap

@syscall(effect="read")
def go(name: str, times: int = 1) -> list:
    "Go."
    said = []
    for number in range(times):
        try:
            said.append(trap(name, number=number))
        except TrapError as error:
            said.append([error.code, error.what, error.remedy])
    return said
"""


@pytest.mark.parametrize("isolation", [MANIFEST, SINGLE], ids=["worker", "single_use"])
async def test_a_call_makes_syscalls(host: PluginHost, make: Make, isolation: str) -> None:
    await host.add(make("asks", ASKING, isolation))
    worker = host._entries["asks"].worker

    async def door(name: str, args: Mapping[str, Any]) -> dict[str, Any]:
        if name == "no.way":
            raise SyscallError("EACCES", "You may not.", "Ask.")
        return {"value": [name, args["number"]]}

    for _ in range(2):
        assert await worker.call("go", {"name": "room.look", "times": 2}, door) == [["room.look", 0], ["room.look", 1]]
        assert await worker.call("go", {"name": "no.way"}, door) == [["EACCES", "You may not.", "Ask."]]
        assert (await worker.call("go", {"name": "room.look"}))[0][0] == "EACCES", "no door, no syscall"


async def test_a_call_does_not_ask_for_ever(host: PluginHost, make: Make) -> None:
    await host.add(make("asks", ASKING))
    worker = host._entries["asks"].worker

    async def door(name: str, args: Mapping[str, Any]) -> dict[str, Any]:
        return {"value": None}

    assert await worker.call("go", {"name": "a.b", "times": TRAPS}, door) == [None] * TRAPS
    with pytest.raises(SyscallError, match="more than 100 syscalls"):
        await worker.call("go", {"name": "a.b", "times": TRAPS + 1}, door)
    assert await worker.call("go", {"name": "a.b"}, door) == [None]


async def test_an_import_makes_no_syscall(host: PluginHost, make: Make) -> None:
    with pytest.raises(PluginError, match="was stopped: the plugin eager sent what isn't the answer"):
        await host.add(make("eager", "from llmasos.sdk import trap\ntrap('a.b')"))


# -- broken plugins


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t + "[", "isn't TOML"),
        (lambda t: "speed = 1\n" + t, "unknown key 'speed'"),
        (lambda t: t.replace('version = "1.0"\n', ""), 'has no version. Add version = "..."'),
        (lambda t: t.replace('"1.0"', "1.0"), "version is '1.0'. It must be text"),
        (lambda t: t.replace('"1.0"', '"one"'), "It looks like '1.0'"),
        (lambda t: t.replace('"{name}"', '"Bad Name"'), "the name is 'Bad Name'"),
        (lambda t: t.replace('"{name}"', '"../x"'), "the name is '../x'"),
        (lambda t: t.replace('"{name}"', '"files"'), "the name 'files' belongs to the system"),
        (lambda t: t.replace('"worker"', '"none"'), "isolation is 'none'. It is 'worker'"),
        (lambda t: t.replace("For a test", "two\\nlines"), "control characters"),
        (lambda t: t.replace("[capabilities]\n", ""), "has no table [capabilities]"),
        (lambda t: t + "root = []", "has no capability 'root' to ask for"),
        (lambda t: t + 'hosts = "example.org"', "asks for hosts that are no list of names"),
        (lambda t: t + 'hosts = ["*"]', "asks for hosts '*': it has no host"),
        (lambda t: t + 'hosts = ["*.org"]', "'*.org': it means more than the names below one domain"),
        (lambda t: t + 'hosts = ["ftp://example.org"]', "asks for hosts 'ftp://example.org': it"),
        (lambda t: t + 'hosts = ["example.org/path"]', "it is more than a host"),
        (lambda t: t + 'syscalls = ["*"]', "is neither a syscall nor a room of them"),
        (lambda t: t + 'syscalls = ["plugin.*"]', "can't be called by a plugin"),
        (lambda t: t + 'syscalls = ["net.fetch"]', "can't be called by a plugin"),
        (lambda t: t + 'paths = ["notes"]', "asks for paths that are no lists of folders"),
        (lambda t: t + 'paths.execute = ["notes"]', "asks for paths.execute. There are paths.read and paths.write"),
        (lambda t: t + 'paths.read = ["/etc"]', "'/etc': it is no folder in the workspace or the home folder"),
        (lambda t: t + 'paths.read = ["a/../../b"]', "it is no folder in the workspace"),
        (lambda t: t + 'paths.write = ["~"]', "'~': it is no folder in the workspace"),
        (lambda t: t + "memory = true", "asks for memory = True. It is a number of MiB, 64 to 8192"),
        (lambda t: t + "memory = 100000", "It is a number of MiB"),
        (lambda t: t + 'hosts = ["a.example.org"]', "It asks for what it wasn't granted: network a.example.org"),
        (lambda t: t + "#" * 70_000, "The limit is 65,536"),
    ],
)
async def test_a_bad_manifest_is_named_and_skipped(
    host: PluginHost, make: Make, change: Callable[[str], str], said: str
) -> None:
    good = make("good")
    bad = make("bad", manifest=change(MANIFEST))
    rows, problems = await host.load([good.parent])
    assert [row.name for row in rows] == ["good.roll"]
    (problem,) = problems
    assert problem.folder == bad
    assert problem.name == ("files" if "files" in said else "bad")
    assert str(problem).startswith(f"The plugin {problem.name} isn't loaded: ")
    assert f"{bad / 'plugin.toml'}" in str(problem) or "granted" in said
    assert said in str(problem)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import nothing_here", "No module named 'nothing_here' (plugin.py, line 1)"),
        ("import llmasos.core", "No module named 'llmasos.core'"),
        ("def f(:", "SyntaxError: invalid syntax (plugin.py, line 1)"),
        ("raise SystemExit", "SystemExit"),
        ("import os; os._exit(0)", "crashed"),
        ("while True: pass", "took longer than"),
        ("", "defines no syscall"),
        ("from llmasos.sdk import syscall\n@syscall(effect='write')\ndef f(): 'F.'", "promises an undo"),
        (
            "from llmasos.sdk import syscall\n@syscall(effect='read')\ndef f(a): 'F.'",
            "parameter a of f has no type",
        ),
        ("from llmasos.sdk import syscall\n@syscall(effect='read')\ndef f(): pass", "line 2: f has no docstring"),
        (
            "import llmasos.sdk\nllmasos.sdk.describe = lambda names: {'f': {'effect': []}}",
            "f isn't described as the sdk does it",
        ),
        (
            "import llmasos.sdk\nllmasos.sdk.describe = lambda n: {'f': dict(line=1, effect=[], doc='F.', schema={})}",
            "line 1: f isn't described as the sdk does it",
        ),
        (
            "import llmasos.sdk\nllmasos.sdk.describe = lambda n: {'f': dict(line=1, effect='read', doc='', fault=7)}",
            "isn't described right",
        ),
        ("import llmasos.sdk\nllmasos.sdk.describe = lambda n: 'x' * (2 << 20)", "limit is 1,048,576"),
        (
            "import llmasos.sdk\nllmasos.sdk.describe = lambda n: dict.fromkeys(map(str, range(65)))",
            "defines 65 syscalls. The limit is 64",
        ),
        (
            "from llmasos.sdk import syscall\n@syscall(effect='read')\ndef f(): pass\nf.__doc__ = 'F. ' + 'x' * 9000",
            "has a docstring that is too long",
        ),
        ("from llmasos.sdk import syscall\n@syscall(effect='read')\ndef F(): 'F.'", "F can't be the name"),
        (
            "from llmasos.sdk import syscall\n@syscall(effect='read')\n"
            "def f():\n    'F.\\n\\n    Args:\\n        a: A.'",
            "describes 'a', which is no parameter",
        ),
    ],
)
async def test_broken_code_is_named_and_skipped(make: Make, code: str, said: str) -> None:
    good = make("good")
    bad = make("bad", code)
    async with PluginHost(timeout=3) as host:
        rows, problems = await host.load([good.parent])
        assert [row.name for row in rows] == ["good.roll"]
        (problem,) = problems
        assert problem.folder == bad
        assert said in str(problem)
        assert [p.name for p in host.plugins] == ["good"]


async def test_a_folder_without_code(host: PluginHost, make: Make) -> None:
    place = make("empty")
    (place / "plugin.py").unlink()
    with pytest.raises(PluginError, match=r"has no plugin\.py"):
        await host.add(place)


async def test_a_folder_without_a_manifest_is_named(host: PluginHost, make: Make) -> None:
    place = make("bare")
    (place / "plugin.toml").unlink()
    (place.parent / "notes").mkdir()
    rows, (problem,) = await host.load([place.parent])
    assert rows == []
    assert f"{place / 'plugin.toml'} can't be read: No such file or directory" in str(problem)


async def test_a_taken_name_names_both_files(host: PluginHost, make: Make) -> None:
    first, second = make("dice"), make("dice", folder="user")
    rows, (problem,) = await host.load([first.parent, second.parent])
    assert [row.source for row in rows] == [str(first / "plugin.py")]
    assert str(first / "plugin.toml") in str(problem)
    assert str(second / "plugin.toml") in str(problem)
    with pytest.raises(PluginError, match="is taken by"):
        await host.add(second)


SCHEMAS: list[Any] = [
    {"$ref": "file:///etc/passwd"},
    {"type": "string", "pattern": "(a+)+$"},
    {"type": "array"},
    {"type": "string", "enum": []},
    {"type": "string", "enum": [{}]},
    {"type": "teapot"},
    {"anyOf": []},
    "string",
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
async def test_a_description_that_the_sdk_would_not_make_is_refused(host: PluginHost, make: Make, schema: Any) -> None:
    arguments = {"type": "object", "properties": {"a": schema}, "required": []}
    said = {"go": {"line": 1, "effect": "read", "doc": "Go.", "schema": arguments}}
    code = f"import llmasos.sdk\nllmasos.sdk.describe = lambda names: {said!r}\n"
    with pytest.raises(PluginError, match="schema of a"):
        await host.add(make("liar", code))


# -- while the system runs


async def test_added_reloaded_and_removed_at_run_time(host: PluginHost, make: Make) -> None:
    place = make("dice")
    row = await only_row(host, place)
    (place / "plugin.py").write_text(DICE.replace("def roll(", "def throw("), encoding="utf-8")
    assert await row.run(None) == {"shown": 6, "colour": "red"}  # the worker still holds what was loaded
    assert [new.name for new in await host.add(place)] == ["dice.throw"]
    assert "no longer loaded" in str(await refused(row, "ECANCELED"))
    assert await host.remove("dice") == ["dice.throw"]
    assert await host.remove("dice") == []
    assert host.plugins == []


async def test_code_changed_on_disk_does_not_slip_in_with_a_restart(host: PluginHost, make: Make) -> None:
    place = make("who", function("return os.getpid()"))
    row = await only_row(host, place)
    pid = await row.run(None)
    (place / "plugin.py").write_text(function("return 1").replace('"read"', '"external"'), encoding="utf-8")
    os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(0.1)
    assert "has changed since it was loaded" in str(await refused(row, "ESTALE"))


async def test_the_shipped_plugins_load(host: PluginHost) -> None:
    rows, problems = await host.load([shipped("plugins")])
    assert problems == []
    row = next(row for row in rows if row.name == "calculator.evaluate")
    assert [(a.name, a.required, a.is_text) for a in row.arguments] == [("expression", True, True)]
    assert row.effect == "read"
    assert len(row.examples) >= 4
    assert await row.run(None, expression="15% of 2,340") == "351"
    assert str(await refused(row, "EINVAL", expression="1/0")).startswith("Dividing by zero")
