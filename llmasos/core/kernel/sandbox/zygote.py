"""Runs as the zygote: a small process that forks a child for each plugin, and never runs a plugin's code itself.

    python -I -S -B zygote.py CONTROL SDK

CONTROL is the descriptor of a socket to the kernel. First the zygote tells which layers of confinement this machine
has, and what a child that is confined with them could do all the same. Then, for each `{"code", "confined", "read",
"write", "memory", "names"}`, it forks a child and answers `{"pid"}` with two descriptors, the kernel's end of the
child's channel and a pidfd. For each `{"command"}` it does the same with a native command, whose output is a third
descriptor; `{"look"}` asks what confines those. It ends when the kernel does, and all children with it.

The kernel never forks itself: a copy of it would hold its keys, and copying its tables takes long. Started by path,
with nothing of llmasos but this folder and the sdk's file; what is loaded here, no child has to load again.
"""

from __future__ import annotations

import _socket
import array
import gc
import json
import os
import signal
import sys
from types import ModuleType
from typing import Any, NoReturn

if not __package__:  # started by path: this folder as a package without the ones above it
    __package__ = "confinement"
    sys.modules[__package__] = ModuleType(__package__)
    sys.modules[__package__].__path__ = [os.path.dirname(__file__)]  # noqa: PTH120 - pathlib costs 4 ms

from . import command, confine, crowd, identity, landlock, namespaces, runner, seccomp, seccomp_commands, selftest

LONGEST = 1 << 16
"""Bytes of a request."""


class Zygote:
    """The process.

    Args:
        control: The socket to the kernel.
        sdk_file: The sdk's module.
    """

    def __init__(self, control: _socket.socket, sdk_file: str) -> None:
        self._control = control
        self._sdk = runner.load_sdk(sdk_file)
        library = confine.library()
        machine = os.uname().machine
        kinds = (False, True) if seccomp.is_available() else ()
        programs = tuple(seccomp.compiled(machine, writes=writes) for writes in kinds)
        complete = programs and landlock.abi() >= landlock.ABI
        # Where children can't be confined and are wanted all the same, they get the machine as it is.
        self._unhidden = _enter_namespaces(library.places) if complete else "they aren't confined"
        own_user = identity.is_free()  # asked in the namespaces
        self._how = confine.How(library, programs, os.getpid(), own_user, hidden=not self._unhidden)
        self._means: command.Means | None = None
        self._escapes = self._tried() if complete else []

    def layers(self) -> dict[str, Any]:
        """What this machine has."""
        return {
            "landlock": landlock.abi(),
            "seccomp": bool(self._how.programs),
            "machine": os.uname().machine,
            "own_user": self._how.own_user,
            "unhidden": self._unhidden,
            "escapes": self._escapes,
        }

    def _tried(self) -> list[str]:
        """What a child that is confined as all will be can do and shouldn't."""
        heard, said = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                confine.apply(os.path.dirname(__file__), self._how, confine.Granted([], [], 0))  # noqa: PTH120
                os.write(said, json.dumps(selftest.ways_out()).encode())
            finally:
                os._exit(0)
        os.close(said)
        told = os.read(heard, LONGEST)
        os.close(heard)
        os.waitpid(pid, 0)
        # Nothing where a layer can't be put in force in it: then no plugin is loaded, and its error says why.
        found: list[str] = json.loads(told or b"[]")
        return found

    def serve(self) -> None:
        """Answer requests until the kernel closes its end."""
        signal.signal(signal.SIGCHLD, _reap)
        self._answer(self.layers())
        gc.freeze()  # children share what is loaded by now
        while line := self._control.recv(LONGEST):
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})  # a child that isn't reaped keeps its pid
            try:
                self._do(json.loads(line))
            finally:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})

    def _do(self, request: dict[str, Any]) -> None:
        try:
            if "code" in request:
                self._fork(request)
                return
            self._means = self._means or self._command_means()
            if "look" in request:
                lacking = crowd.lacking(counted=self._means.counted, hidden=self._means.hidden)
                self._answer({"hidden": self._means.hidden, "uncounted": lacking})
                return
            heard, said = os.pipe2(os.O_CLOEXEC)
            try:
                self._fork(request, heard, said)
            finally:
                os.close(heard)
                os.close(said)
        except OSError as error:
            self._answer({"error": error.strerror})

    def _fork(self, request: dict[str, Any], heard: int = -1, said: int = -1) -> None:
        """Fork a child and pass on what belongs to it; of a command too what is heard of it, by what it says."""
        ours, theirs = _socket.socketpair()
        try:
            pid = os.fork()
            if not pid:
                ours.close()
                self._become(theirs.detach(), said, request)
            pidfd = os.pidfd_open(pid)
            self._answer({"pid": pid}, ours.fileno(), pidfd, *([heard] if heard >= 0 else []))
            os.close(pidfd)
        finally:
            ours.close()
            theirs.close()

    def _become(self, channel: int, output: int, request: dict[str, Any]) -> NoReturn:
        """Be the child, to the end."""
        try:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            self._control.close()
            os.setsid()
            if self._means and "command" in request:
                order = request["command"] | {"workspace": landlock.Place(*request["command"]["workspace"])}
                command.run(channel, output, command.Order(**order), self._means)
            self._sdk._folders = request["names"]  # type: ignore[attr-defined]
            runner.run(channel, request["code"], self._sdk, lambda: self._confine(request))
        finally:
            os._exit(0)

    def _command_means(self) -> command.Means:
        """How native commands are confined; found out when the first one is wanted."""
        hidden, known = self._how.hidden, bool(self._how.programs)
        program = seccomp_commands.compiled(os.uname().machine, hidden=hidden) if known else b""
        return command.Means(program, hidden, crowd.is_counted())

    def _confine(self, request: dict[str, Any]) -> None:
        if not request["confined"]:
            confine.end_with(self._how.parent)
            return
        read, write = ([landlock.Place(*place) for place in request[kind]] for kind in ("read", "write"))
        granted = confine.Granted(read, write, request["memory"])
        confine.apply(os.path.dirname(request["code"]), self._how, granted)  # noqa: PTH120

    def _answer(self, said: dict[str, Any], *descriptors: int) -> None:
        rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        self._control.sendmsg([json.dumps(said).encode()], rights)


def _enter_namespaces(places: list[str]) -> str:
    """Enter them and try in a child whether all else can be hidden; why not, empty where it can."""
    try:
        namespaces.enter()
    except OSError as error:
        return str(error)
    pid = os.fork()
    if not pid:
        try:
            namespaces.hide_all_but(places)
            os._exit(0)
        finally:
            os._exit(1)
    return "files can't be hidden" if os.waitpid(pid, 0)[1] else ""


def _reap(*_: object) -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


if __name__ == "__main__":
    Zygote(_socket.socket(fileno=int(sys.argv[1])), sys.argv[2]).serve()
