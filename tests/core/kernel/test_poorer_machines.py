"""Where a child can't be confined no plugin is loaded, and the person is told why and what to do."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from benchmarks.sandbox.matrix import Weakened, column
from benchmarks.sandbox.weakened import LAYERS
from llmasos import compose as composing
from llmasos.compose import compose
from llmasos.core.base.errors import PluginError
from llmasos.core.base.settings import Settings
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.core.kernel.sandbox import Command, Launcher, Layers, PluginHost, launcher, selftest
from llmasos.core.kernel.sandbox.landlock import Place as Granted
from llmasos.core.kernel.sandbox.launcher import REMEDY
from llmasos.shell.doctor import _commands, _confinement
from tests.core.kernel.launchers import CONFINES, PYTHON, Mine, Poorer, Somebodys

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux")
confining = pytest.mark.skipif(not CONFINES, reason="this machine can't confine plugins")

MANIFEST = """\
name = "free"
version = "1.0"
description = "For a test"
author = "A Tester"
license = "Apache-2.0"
isolation = "worker"

[capabilities]
"""
CODE = """\
import os
import time
from llmasos.sdk import syscall

@syscall(effect="read")
def passwd() -> bool:
    "Look into a file."
    return bool(open("/etc/passwd").read())

@syscall(effect="read")
def network() -> str:
    "Tell the network."
    return os.readlink("/proc/self/ns/net")

@syscall(effect="read")
def child() -> int:
    "Start a process."
    child = os.fork()
    if not child:
        time.sleep(600)
    return child
"""
TELLING = [
    "files.see_a_file", "files.read_a_private_key", "files.write_outside", "files.change_mode", "sockets.connect_tcp",
    "sockets.send_udp", "sockets.connect_the_kernels_socket", "processes.kill_the_kernel", "processes.fork",
    "processes.read_the_kernels_memory", "kernel.enter_a_user_namespace", "kernel.mount", "resources.open_many_files",
]  # fmt: skip
"""Attacks of each kind."""
SPIN = """
@syscall(effect="read")
def spin() -> int:
    "Never end."
    while True:
        pass
"""
LACKING = {
    "no-landlock": "has no Landlock",
    "off-landlock": "has no Landlock",
    "no-seccomp": "has no seccomp",
    "other": "No list of system calls is known for this processor",
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A plugin that reads what it shouldn't."""
    folder = tmp_path / "free"
    folder.mkdir()
    (folder / "plugin.toml").write_text(MANIFEST)
    (folder / "plugin.py").write_text(CODE)
    return folder


def on(machine: str) -> type[Poorer]:
    return type("Poorer", (Poorer,), {"machine": machine})


@asynccontextmanager
async def a_host(launcher: Launcher) -> AsyncIterator[PluginHost]:
    try:
        async with PluginHost(launcher=launcher) as host:
            yield host
    finally:
        await launcher.close()


@pytest.mark.parametrize("machine", LACKING)
async def test_no_plugin_is_loaded(place: Path, machine: str) -> None:
    async with a_host(on(machine)()) as host:
        rows, (problem,) = await host.load([place.parent])
    assert rows == []
    assert str(problem).startswith("The plugin free isn't loaded: Plugins can't be confined here.")
    assert LACKING[machine] in str(problem)
    assert REMEDY in str(problem)


@confining
@pytest.mark.parametrize("machine", ["late-landlock", "late-seccomp"])
async def test_a_layer_that_fails_late_is_a_plugin_that_is_not_loaded(place: Path, machine: str) -> None:
    for unconfined in (False, True):  # the setting is for machines that lack something, not for accidents
        async with a_host(on(machine)(unconfined=unconfined)) as host:
            rows, (problem,) = await host.load([place.parent])
        assert rows == []
        assert "it can't be confined" in str(problem)


@pytest.mark.parametrize("machine", LACKING)
async def test_the_setting_loads_them_all_the_same(place: Path, machine: str) -> None:
    starter = on(machine)(unconfined=True)
    async with a_host(starter) as host:
        rows = {row.name: row for row in await host.add(place)}
        assert starter.unconfined
        assert await rows["free.passwd"].run(None) is True
        assert await rows["free.network"].run(None) == str(Path("/proc/self/ns/net").readlink())
        child = await rows["free.child"].run(None)
        os.kill(child, 0)
        await host.remove("free")
        await _gone(child)


@confining
async def test_the_setting_frees_nothing_where_they_can_be_confined(place: Path) -> None:
    starter = Launcher(unconfined=True)
    async with a_host(starter) as host:
        rows = {row.name: row for row in await host.add(place)}
        assert not starter.unconfined
        with pytest.raises(Exception, match=r"PermissionError|FileNotFoundError"):
            await rows["free.passwd"].run(None)


@confining
@pytest.mark.parametrize("machine", ["no-users", "no-mounts", "no-pivot"])
@pytest.mark.parametrize("who", [Mine, Somebodys])
async def test_without_namespaces_the_rest_holds(who: type[Mine], machine: str) -> None:
    if who is Somebodys and not PYTHON:
        pytest.skip("no Python that an ordinary user can start")
    starter = who(LAYERS)
    starter.machine = machine
    layers = await starter.layers()
    assert layers.unhidden
    found = await column(starter, TELLING, who.owner)
    assert found.won.keys() == {"files.see_a_file"}


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        (Layers(7, True, "riscv64", False, ""), "processor (riscv64)"),
        (Layers(7, False, "x86_64", False, ""), "no seccomp"),
        (Layers(0, True, "aarch64", False, ""), "no Landlock"),
        (Layers(3, True, "x86_64", False, ""), "ABI 3, and 4 is needed"),
        (Layers(4, True, "x86_64", False, "no namespaces"), ""),
        (Layers(9, True, "aarch64", True, ""), ""),
    ],
)
def test_what_is_lacking(layers: Layers, said: str) -> None:
    assert said in layers.lacking
    assert bool(layers.lacking) == bool(said)


@pytest.fixture
def macos(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of Linux alone is there, and nothing that was found out by it."""
    monkeypatch.setattr(launcher.sys, "platform", "darwin")
    for module, name in ((os, "pidfd_open"), (signal, "pidfd_send_signal"), (socket, "SO_PEERCRED")):
        monkeypatch.delattr(module, name)


@pytest.mark.usefixtures("macos")
async def test_on_another_system_no_plugin_is_loaded_and_no_command_run(place: Path) -> None:
    starter = Launcher(unconfined_commands=True)
    async with a_host(starter) as host:
        rows, (problem,) = await host.load([place.parent])
        assert rows == []
        assert "What confines them is part of Linux, and this is darwin." in str(problem)
        assert "LLMASOS_UNCONFINED_PLUGINS=1" in str(problem)
        (finding,) = await _confinement(starter)
        assert finding.state == "broken"
        assert "Type it into a terminal of its own." in (await _commands(starter)).detail
        with pytest.raises(PluginError, match="this is darwin") as caught:
            await starter.run(Command(["/bin/true"], Granted("/", 0, 0), "/"))
        assert "UNCONFINED" not in caught.value.remedy


@pytest.mark.usefixtures("macos")
async def test_on_another_system_the_setting_loads_them_in_a_process_of_their_own(place: Path) -> None:
    starter = Launcher(unconfined=True)
    async with a_host(starter) as host:
        rows = {row.name: row for row in await host.add(place)}
        assert starter.unconfined
        assert starter.enforced == "none"
        assert await rows["free.passwd"].run(None) is True
        worker = host._entries["free"].worker.pid
        assert worker not in (None, os.getpid())
        assert set(Path(f"/proc/{worker}/environ").read_bytes().split(b"\0")) <= {b"", b"LC_CTYPE=C.UTF-8"}
        child = await rows["free.child"].run(None)
        await host.remove("free")
        await _gone(child)
        assert worker
        await _gone(worker)


def test_on_another_system_it_ends_with_the_kernel(place: Path, child: Callable[..., subprocess.Popen[str]]) -> None:
    code = (
        "import asyncio, os, pathlib, sys, zoneinfo\n"
        "from llmasos.core.kernel.sandbox import Launcher, PluginHost\n"
        "sys.platform = 'darwin'\n"
        "async def main():\n"
        "    host = PluginHost(launcher=Launcher(unconfined=True))\n"
        "    row, = [r for r in await host.add(pathlib.Path(sys.argv[1])) if r.name.endswith('.spin')]\n"
        "    call = asyncio.create_task(row.run(None))\n"
        "    print(host._entries['free'].worker.pid, flush=True)\n"
        "    await call\n"
        "asyncio.run(main())\n"
    )
    (place / "plugin.py").write_text(CODE + SPIN)
    kernel = child(code, str(place))
    assert kernel.stdout is not None
    worker = int(kernel.stdout.readline())
    kernel.kill()
    kernel.wait()
    asyncio.run(_gone(worker))


async def test_the_person_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composing, "Launcher", on("no-landlock"))
    for unconfined, said, state in (
        (False, "isn't loaded: Plugins can't be confined here.", "broken"),
        (True, "run unconfined, as unconfined_plugins is set", "note"),
    ):
        settings = Settings(home=home, owner="ada", unconfined_plugins=unconfined)
        machine = await compose(settings, engines=ScriptedEngines())
        try:
            assert all(said in problem for problem in machine.problems) and machine.problems
            assert bool(machine.plugins.plugins) is unconfined
            (finding,) = await _confinement(machine.launcher)
            assert finding.state == state
            audit = composing.open_audit(settings, machine.keyring, machine.kernel.clock, looks=True)
            notes = [record.note for _, record in audit.records() if "plugins and apps run unconfined" in record.note]
            assert bool(notes) is unconfined, "the override is in the audit log"
        finally:
            await machine.close()


@confining
async def test_doctor_names_each_layer() -> None:
    starter = Launcher()
    found = {finding.what: finding for finding in await _confinement(starter)}
    await starter.close()
    assert found.keys() == {"landlock", "seccomp", "limits", "plugin user", "namespaces", "confinement"}
    assert {finding.state for finding in found.values()} == {"ok"}


class Holed(Mine):
    """Starts a zygote in which one layer is there and doesn't hold, as it wouldn't know itself."""

    def __init__(self, layers: Iterable[str], **more: bool) -> None:
        Launcher.__init__(self, **more)
        self._in_force = ",".join([*layers, "selftest"])


@confining
@pytest.mark.parametrize(
    ("left_out", "way"),
    [
        ("limits", "take a gigabyte of memory"), ("landlock", "list a folder"), ("seccomp", "open a network socket"),
    ],
)  # fmt: skip
async def test_a_layer_that_does_not_hold_is_found_at_the_start(place: Path, left_out: str, way: str) -> None:
    for override in (False, True):
        starter = Holed((layer for layer in LAYERS if layer != left_out), unconfined=override, unconfined_commands=True)
        async with a_host(starter) as host:
            rows, (problem,) = await host.load([place.parent])
            assert rows == []
            assert "The confinement doesn't hold: a child could " in str(problem)
            assert way in str(problem)
            assert "UNCONFINED" not in str(problem)
            assert not starter.unconfined
            with pytest.raises(PluginError, match="doesn't hold"):
                await starter.run(Command(["/bin/true"], Granted("/", 0, 0), "/"))
            (finding,) = await _confinement(starter)
            assert finding.state == "broken"
            assert way in finding.detail


@confining
async def test_what_is_tried_at_the_start_works_where_nothing_stops_it() -> None:
    starter = Holed(["selftest"])
    layers = await starter.layers()
    await starter.close()
    assert set(layers.escapes) >= set(selftest.WAYS) - {
        "be traced",
        "enter a mount namespace",
        "enter a user namespace",
    }


@confining
@pytest.mark.parametrize("who", [Mine, Somebodys])
async def test_at_the_start_nothing_gets_out(who: type[Mine]) -> None:
    if who is Somebodys and not PYTHON:
        pytest.skip("no Python that an ordinary user can start")
    starter = who([*LAYERS, "selftest"])
    layers = await starter.layers()
    await starter.close()
    assert (layers.escapes, layers.lacking) == ([], "")


@confining
async def test_doctor_says_what_gets_out() -> None:
    starter = Weakened(["limits", "user", "landlock"])
    found = {finding.what: finding for finding in await _confinement(starter)}
    await starter.close()
    assert found["confinement"].state == "broken"
    assert "A plugin can open a network socket, open a local socket, start a process" in found["confinement"].detail


# -- the zygote


@confining
async def test_a_zygote_that_was_killed_is_started_again(place: Path) -> None:
    starter = Launcher()
    async with a_host(starter) as host:
        await host.add(place)
        assert starter._process
        first = starter._process.pid
        worker = host._entries["free"].worker.pid
        os.kill(first, signal.SIGKILL)
        assert worker
        await _gone(worker)
        assert await host.add(place)
        assert starter._process.pid != first


@pytest.mark.parametrize(
    ("command", "said"),
    [("/bin/false", "process that starts plugins has ended"), ("/bin/nothing", "can't be started: .*No such file")],
)
async def test_a_zygote_that_does_not_start_is_told(place: Path, command: str, said: str) -> None:
    class Broken(Launcher):
        def _command(self, control: int) -> list[str]:
            return [command]

    async with a_host(Broken()) as host:
        with pytest.raises(PluginError, match=said):
            await host.add(place)


async def _gone(pid: int) -> None:
    for _ in range(500):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{pid} lives on")
