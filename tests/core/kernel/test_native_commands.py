"""Native commands, really run: what works, what is refused, and that none of their processes is left.

As root and as an ordinary user, in namespaces and where nobody may make any.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from benchmarks.sandbox.commands import BY_PURPOSE, IN_PLAIN_SIGHT, OF_ROOT, attacks, column_of_commands
from benchmarks.sandbox.commands import PYTHON as PYTHON_OF_SYSTEM
from benchmarks.sandbox.weakened import LAYERS
from llmasos.core.base.errors import PluginError
from llmasos.core.kernel.sandbox import COMMAND_REMEDY, Command, CommandLayers, Launcher, Layers, Running, limits
from llmasos.core.kernel.sandbox.landlock import Place
from tests.core.kernel.launchers import CONFINES, PYTHON, SOMEBODY, Mine, Poorer, Somebodys

pytestmark = pytest.mark.skipif(not CONFINES, reason="this machine can't confine anything")
HANGS = 60
"""Seconds after which a command counts as hanging; nothing is measured by it."""
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
needs_python = pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="no Python of the system")


def sh(command: str, folder: Path, *closed: Path) -> Command:
    about = folder.stat()
    workspace = Place(str(folder), about.st_dev, about.st_ino)
    return Command(["/bin/sh", "-c", command], workspace, str(folder), ENVIRONMENT, list(map(str, closed)))


@dataclass
class Ground:
    """A workspace, and what lies beside it."""

    launcher: Launcher
    workspace: Path
    outside: Path
    hidden: bool

    async def start(self, command: str, *closed: Path) -> Running:
        return await self.launcher.run(sh(command, self.workspace, *closed))

    async def run(self, command: str, *closed: Path) -> tuple[int | None, str]:
        """A command's exit code and output."""
        running = await self.start(command, *closed)
        try:
            said = b"".join([piece async for piece in running.output()])
            return await running.ended(), said.decode()
        finally:
            await running.end()
            running.close()

    async def says(self, command: str) -> str:
        """The output of a command that works."""
        code, said = await self.run(command)
        assert code == 0, said
        return said


@asynccontextmanager
async def a_ground(launcher: Launcher, owner: int | None) -> AsyncIterator[Ground]:
    top = Path(tempfile.mkdtemp())  # pytest's own folder can be entered by nobody else
    workspace, outside = top / "work", top / "home" / ".ssh"
    workspace.mkdir()
    outside.mkdir(parents=True)
    (outside / "id").write_text("a private key")
    (top / "victim").write_text("untouched")
    (workspace / "link").symlink_to(outside / "id")
    top.chmod(0o755)
    if owner is not None:
        for path in top.rglob("*"):
            os.chown(path, owner, owner, follow_symlinks=False)
    try:
        layers = await launcher.commands()
        if layers.lacking:
            pytest.skip(layers.lacking)
        yield Ground(launcher, workspace, outside, layers.hidden)
    finally:
        await launcher.close()
        shutil.rmtree(top)


WAYS = {
    "us": (Mine, ""),
    "somebody": (Somebodys, ""),
    "somebody, without namespaces": (Somebodys, "no-users"),
}


@pytest.fixture(params=WAYS)
async def ground(request: pytest.FixtureRequest) -> AsyncIterator[Ground]:
    kind, machine = WAYS[request.param]
    if kind is Somebodys and not PYTHON:
        pytest.skip("no Python that an ordinary user can start")
    launcher = kind(LAYERS)
    launcher.machine = machine
    async with a_ground(launcher, SOMEBODY if kind is Somebodys else None) as found:
        if machine:
            assert not found.hidden
        yield found


# What works


async def test_a_command_works_in_its_workspace(ground: Ground) -> None:
    said = await ground.says(
        "printf 'b\\na\\n' > list && sort list | tee sorted && mkdir -p deep/er && mv sorted deep/er/"
    )
    assert said == "a\nb\n"
    assert (ground.workspace / "deep/er/sorted").read_text() == "a\nb\n"


async def test_both_outputs_come_in_order(ground: Ground) -> None:
    assert await ground.says("echo one; echo two >&2; echo three") == "one\ntwo\nthree\n"


@pytest.mark.parametrize(("command", "code"), [("true", 0), ("exit 3", 3), ("kill -9 $$", -9), ("nothing-such", 127)])
async def test_how_it_ended(ground: Ground, command: str, code: int) -> None:
    assert (await ground.run(command))[0] == code


async def test_nothing_is_typed_into_it(ground: Ground) -> None:
    assert await ground.says("cat; echo over") == "over\n"


async def test_it_has_few_variables_and_a_home_that_goes(ground: Ground) -> None:
    said = dict(line.split("=", 1) for line in (await ground.says("echo x > $HOME/kept; env")).splitlines())
    assert set(said) - {"PWD", "OLDPWD", "SHLVL", "_"} == {"PATH", "LANG", "HOME", "TMPDIR"}
    assert said["HOME"].startswith("/tmp")
    assert not Path(said["HOME"], "kept").exists()


async def test_tools_of_every_day(ground: Ground) -> None:
    await ground.says(
        """set -e
        echo one > a; cp a b; ln -s a c; sed -i s/one/two/ a; grep -q two a; touch d; rm d
        find . -name a | xargs cat | wc -l; tar cf all.tar a b; mkdir out; tar xf all.tar -C out; cmp a out/a
        awk 'BEGIN { exit !(1 + 1 == 2) }'; (echo x; echo y) | sort -r | head -n 1; diff a a; date > /dev/null
        echo x > /dev/null; head -c 3 /dev/urandom | wc -c; t=$(mktemp); echo x > $t; rm $t; nice -n 5 true; true &
        wait"""
    )


@needs_python
async def test_programs_that_start_threads_and_processes(ground: Ground) -> None:
    code = "import threading, subprocess; t = threading.Thread(target=print, args=('x',)); t.start(); t.join()"
    assert await ground.says(f"python3 -c \"{code}; subprocess.run(['echo', 'y'])\" | sort") == "x\ny\n"


@pytest.mark.skipif(not shutil.which("git"), reason="no git")
async def test_version_control(ground: Ground) -> None:
    say = "git -c user.name=a -c user.email=a@b -c init.defaultBranch=main"
    said = await ground.says(
        f"{say} init -q . && echo x > f && {say} add f && {say} commit -qm one && git log --format=%s"
    )
    assert said == "one\n"


async def test_modes_are_set_where_it_can_only_reach_its_own(ground: Ground) -> None:
    if not ground.hidden:
        pytest.skip("answered and not done")
    await ground.says("printf '#!/bin/sh\\necho ran\\n' > script && chmod 755 script")
    assert await ground.says("./script") == "ran\n"


# What is refused


async def test_nothing_outside_is_read(ground: Ground) -> None:
    for path in (f"{ground.outside}/id", "link", "../home/.ssh/../.ssh/id", "/etc/shadow", "/etc/hostname"):
        code, said = await ground.run(f"cat {path}")
        assert code, said
        assert "key" not in said
    assert (await ground.run(f"ls {ground.outside.parent}"))[0]


async def test_nothing_outside_is_changed(ground: Ground) -> None:
    victim = ground.workspace.parent / "victim"
    before = victim.stat()
    for command in (
        f"echo owned >> {victim}", f"rm -f {victim}; ls {victim}", f"mv {victim} .", f"ln {victim} mine", f"truncate -s 0 {victim}",
        f"echo x > {victim.parent}/new", f"mkdir {victim.parent}/new", "echo x > /usr/bin/new", "echo x > /etc/new",
    ):  # fmt: skip
        await ground.run(f"{command}; true")
    await ground.run(f"chmod 777 {victim}; touch -d 1990-01-01 {victim}; chmod 777 {ground.outside}")
    after = victim.stat()
    assert victim.read_text() == "untouched"
    assert (before.st_mode, before.st_mtime_ns, before.st_ino) == (after.st_mode, after.st_mtime_ns, after.st_ino)
    assert sorted(path.name for path in victim.parent.iterdir()) == ["home", "victim", "work"]
    assert ground.outside.stat().st_mode & 0o777 == 0o755


async def test_a_closed_folder_is_empty(ground: Ground) -> None:
    if not ground.hidden:
        pytest.skip("it can't be hidden there, so no command is run")
    inside, beside = ground.workspace / "deep/er/private", ground.workspace / "deep/anchor"
    inside.mkdir(parents=True)
    (inside / "keyring.key").write_text("the key")
    beside.write_text("signed")
    for path in (ground.workspace / "deep", *(ground.workspace / "deep").rglob("*")):
        os.chown(path, ground.workspace.stat().st_uid, ground.workspace.stat().st_gid)
    said = ""
    for command in (
        "ls -A deep/er/private; cat deep/er/private/*", "echo x > deep/er/private/new", "mv deep/er/private/keyring.key .",
        "mv deep other", "mv deep/er deep/other", "mv deep/er/private .", "rm -rf deep", "echo x > deep/anchor",
        "rm -f deep/anchor", "mv deep/anchor .", "umount deep/er/private", "chmod 777 deep/er/private deep/anchor",
    ):  # fmt: skip
        said += (await ground.run(f"{command}; true", inside, beside))[1]
    assert "the key" not in said
    assert (inside / "keyring.key").read_text() == "the key"
    assert [path.name for path in inside.iterdir()] == ["keyring.key"]
    assert beside.read_text() == "signed"
    assert (await ground.run("cat deep/anchor; echo x > deep/er/mine; mv deep/er/mine .; cat mine", inside, beside)) == (
        0, "signedx\n",
    )  # fmt: skip


@needs_python
async def test_nobody_is_talked_to(ground: Ground) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()  # it can be reached
        kinds = "socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK, socket.AF_PACKET, socket.AF_VSOCK"
        said = await ground.says(
            f"""python3 -c "
import socket
for kind in ({kinds}):
    for how in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        try:
            socket.socket(kind, how)
            print(kind, how)
        except OSError:
            pass
" """
        )
        assert said == ""
        code, _ = await ground.run(f"bash -c 'echo x > /dev/tcp/127.0.0.1/{port}'")
        assert code


async def test_no_file_gives_others_the_persons_rights(ground: Ground) -> None:
    await ground.run("cp /bin/sh mine; chmod u+s mine; chmod 2755 mine; chmod 6755 mine; install -m 4755 /bin/sh other")
    assert not [path for path in ground.workspace.iterdir() if not path.is_symlink() and path.stat().st_mode & 0o6000]


async def test_others_are_not_signalled(ground: Ground) -> None:
    os.kill(os.getpid(), 0)
    for number in ("0", "TERM"):
        assert (await ground.run(f"kill -{number} {os.getpid()}"))[0]


@needs_python
async def test_it_has_no_privileges_and_gets_none(ground: Ground) -> None:
    said = await ground.says(
        """python3 -c "
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
libc.capget(header, sets)
print([hex(word) for word in sets], libc.prctl(39, 0, 0, 0, 0), [libc.prctl(23, cap, 0, 0, 0) for cap in range(41)])
" """
    )
    no_new_privileges, bounds = "1", [0] * 41
    assert said.startswith(f"{['0x0'] * 6} {no_new_privileges} ")
    if ground.hidden or os.geteuid():
        assert said.strip().endswith(str(bounds))


@pytest.mark.parametrize("way", WAYS)
async def test_no_attack_gets_more_than_a_command_is_for(way: str) -> None:
    if not Path(PYTHON_OF_SYSTEM).exists():
        pytest.skip("no Python of the system")
    kind, machine = WAYS[way]
    if kind is Somebodys and not PYTHON:
        pytest.skip("no Python that an ordinary user can start")
    launcher = kind(LAYERS)
    launcher.machine = machine
    layers = await launcher.commands()
    if layers.lacking:
        await launcher.close()
        pytest.skip(layers.lacking)
    found = await column_of_commands(launcher, owner=kind.owner)
    as_root = OF_ROOT if kind is Mine and os.geteuid() == 0 else frozenset[str]()
    assert set(found.won) - BY_PURPOSE - as_root == (set() if layers.hidden else IN_PLAIN_SIGHT), found.won
    assert {"processes.fork", "files.write_its_own_code"} <= set(found.won), "what a command is for works"
    assert len(found.won) + len(found.lost) == len(attacks())


# Limits, and the end


@needs_python
async def test_a_fork_bomb_ends_early_and_whole(ground: Ground) -> None:
    name = f"bomb-{secrets.token_hex(4)}"
    bomb = """import os, sys, time
count = 0
try:
    while True:
        if not os.fork():
            time.sleep(600)
        count += 1
except OSError:
    print(count)
"""
    (ground.workspace / name).write_text(bomb)
    count = int(await ground.says(f"python3 {name}"))
    assert 0 < count <= max(limits.THREADS, 600)
    assert not running_with(name)


async def test_nothing_runs_on_behind_its_back(ground: Ground) -> None:
    name = f"{secrets.randbelow(10**6)}.{secrets.randbelow(10**6)}"
    await ground.says(
        f"sleep {name} & (sleep {name} &) ; nohup sleep {name} >/dev/null 2>&1 & (setsid sleep {name} &); echo"
    )
    assert not running_with(name)


async def test_it_can_be_interrupted(ground: Ground) -> None:
    await interrupt(ground)


async def test_it_can_be_interrupted_where_llmasos_was_born_ignoring_that() -> None:
    """As a program that a script starts in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        async with a_ground(Mine(LAYERS), None) as ground:
            await interrupt(ground)
    finally:
        signal.signal(signal.SIGINT, before)


async def interrupt(ground: Ground) -> None:
    running = await ground.start("trap 'echo bye; exit 5' INT; echo ready; while :; do sleep 0.05; done")
    async with asyncio.timeout(HANGS):
        pieces = running.output()
        assert await anext(pieces) == b"ready\n"
        running.interrupt()
        assert b"".join([piece async for piece in pieces]) == b"bye\n"
        assert await running.ended() == 5
    running.close()


async def test_it_can_be_ended_whatever_it_wants(ground: Ground) -> None:
    name = f"{secrets.randbelow(10**6)}.{secrets.randbelow(10**6)}"
    running = await ground.start(f"trap '' INT TERM HUP; sleep {name} & echo ready; while :; do sleep {name}; done")
    assert await anext(running.output()) == b"ready\n"
    running.interrupt()
    await running.end()
    assert await running.ended() is None
    assert not running_with(name)
    running.close()


@pytest.mark.parametrize("whose", ["kernel", "zygote"])
async def test_it_ends_with_the_kernel(ground: Ground, whose: str) -> None:
    name = f"{secrets.randbelow(10**6)}.{secrets.randbelow(10**6)}"
    running = await ground.start(f"(setsid sleep {name} 2> /dev/null &); sleep {name} & echo ready; wait")
    assert await anext(running.output()) == b"ready\n"
    assert running_with(name)
    if whose == "kernel":
        running._let_go()  # as the system does when the kernel is killed
    else:
        assert ground.launcher._process
        os.kill(ground.launcher._process.pid, signal.SIGKILL)
        if not ground.hidden:
            await running.end()  # its supervisor waits for the kernel's word
    for _ in range(500):
        if not running_with(name):
            break
        await asyncio.sleep(0.02)
    else:
        raise AssertionError("it lives on")
    await running.end()
    running.close()


async def test_a_large_file_and_much_memory_are_refused(ground: Ground) -> None:
    code, _ = await ground.run("head -c 2G /dev/zero > large")
    assert code
    assert (ground.workspace / "large").stat().st_size <= limits.COMMAND_FILE
    (ground.workspace / "large").unlink()
    said = await ground.says("ulimit -Hd; ulimit -Hv; ulimit -Ht; ulimit -Hn; ulimit -Hc")
    assert [int(line) for line in said.split()] == [
        limits.COMMAND_MEMORY >> 10, limits.COMMAND_SPACE >> 10, limits.COMMAND_CPU, limits.COMMAND_FILES, 0,
    ]  # fmt: skip


async def test_a_folder_that_is_gone_is_told(ground: Ground) -> None:
    gone = replace(sh("true", ground.workspace), folder=str(ground.workspace / "gone"))
    running = await ground.launcher.run(gone)
    with pytest.raises(PluginError, match=r"can't be started: .*No such file"):
        await running.ended()
    running.close()


async def test_another_folder_in_its_workspaces_place_is_no_workspace(ground: Ground) -> None:
    order = sh("echo x > new", ground.workspace)
    ground.workspace.rename(ground.workspace.with_name("moved"))
    ground.workspace.symlink_to(ground.outside.parent)
    running = await ground.launcher.run(order)
    with pytest.raises(PluginError, match=r"can't be started: .*(was replaced meanwhile|No such file)"):
        await running.ended()
    running.close()
    assert not (ground.outside.parent / "new").exists()


async def test_what_is_too_long_is_told(ground: Ground) -> None:
    with pytest.raises(PluginError, match=r"too long\. Put it into a file"):
        await ground.run(f"echo {'x' * 70_000}")
    assert await ground.says("echo fine") == "fine\n"


# Machines that have less


def on(machine: str, **options: bool) -> Launcher:
    return type("Poorer", (Poorer,), {"machine": machine})(**options)


async def run(launcher: Launcher, folder: Path, command: str) -> str:
    running = await launcher.run(sh(command, folder))
    try:
        said = b"".join([piece async for piece in running.output()])
        await running.ended()
        return said.decode()
    finally:
        await running.end()
        running.close()


@pytest.mark.parametrize("machine", ["no-landlock", "off-landlock", "no-seccomp", "other"])
async def test_no_command_is_run_unconfined(tmp_path: Path, machine: str) -> None:
    launcher = on(machine)
    try:
        with pytest.raises(PluginError) as caught:
            await run(launcher, tmp_path, "echo ran > here")
        assert caught.value.what.startswith("Native commands can't be confined here. ")
        assert caught.value.remedy == COMMAND_REMEDY
        assert list(tmp_path.iterdir()) == []
        assert launcher.commands_enforced == "none"
    finally:
        await launcher.close()


@pytest.mark.parametrize("machine", ["no-landlock", "off-landlock", "no-seccomp"])
async def test_the_setting_runs_them_all_the_same_and_leaves_nobody(tmp_path: Path, machine: str) -> None:
    launcher = on(machine, unconfined_commands=True)
    name = f"{secrets.randbelow(10**6)}.{secrets.randbelow(10**6)}"
    try:
        assert await launcher.runs_unconfined()
        said = await run(
            launcher, tmp_path, f"cat /etc/hostname /etc/passwd; (setsid sleep {name} &); sleep {name} & echo"
        )
        assert "root:" in said
        assert not running_with(name)
    finally:
        await launcher.close()


@pytest.mark.parametrize("machine", ["late-landlock", "late-seccomp"])
async def test_a_layer_that_fails_late_is_a_command_that_is_not_run(tmp_path: Path, machine: str) -> None:
    for unconfined in (False, True):
        launcher = on(machine, unconfined_commands=unconfined)
        try:
            with pytest.raises(PluginError, match=r"can't be started|can't be confined"):
                await run(launcher, tmp_path, "echo ran > here")
            assert list(tmp_path.iterdir()) == []
        finally:
            await launcher.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="about root")
async def test_root_without_namespaces_could_have_any_number_of_processes(tmp_path: Path) -> None:
    launcher = on("no-users")
    try:
        with pytest.raises(PluginError, match="As root, without namespaces, the number"):
            await run(launcher, tmp_path, "echo ran > here")
        assert list(tmp_path.iterdir()) == []
    finally:
        await launcher.close()


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        (CommandLayers(Layers(7, True, "x86_64", True, ""), True, ""), ""),
        (CommandLayers(Layers(6, True, "aarch64", False, "not allowed"), False, ""), ""),
        (CommandLayers(Layers(5, True, "x86_64", False, "not allowed"), False, ""), "not allowed), and Landlock"),
        (CommandLayers(Layers(4, True, "x86_64", False, ""), True, ""), ""),
        (CommandLayers(Layers(0, True, "x86_64", False, ""), True, ""), "no Landlock"),
        (CommandLayers(Layers(7, True, "x86_64", True, ""), True, "Nobody counts."), "Nobody counts."),
    ],
)
def test_what_is_lacking(layers: CommandLayers, said: str) -> None:
    assert said in layers.lacking
    assert bool(layers.lacking) == bool(said)
    assert (layers.enforced == "none") == bool(said)


def running_with(word: str) -> list[str]:
    """Processes whose command line has a word, but for our own."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdecimal() and int(path.name) != os.getpid():
            try:
                line = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if word in line:
                found.append(line)
    return found
