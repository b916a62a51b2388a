"""A native command in a child of the zygote: what is done between the request and the program's first instruction.

    in namespaces     this child, outside   waits
                        the first process     builds the root folder, gives up its privileges, supervises
                          the command           limits, Landlock, seccomp, then the program
    without           this child            supervises, and adopts what the command leaves behind
                        the command           the same

The command's output goes straight to the kernel; what is told of it (`{"exit": 0}` or `{"error": "..."}`) goes over the
channel, which the program doesn't have.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from typing import Any, NamedTuple, NoReturn

from . import confine, crowd, identity, landlock, limits, namespaces, root, seccomp, supervisor
from .libc import call

_END_WITH_PARENT, _NO_NEW_PRIVILEGES = 1, 38  # PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS
_EAGER = "500"
"""What is added to its badness: where memory is short, a command goes before what the person runs otherwise."""


class Order(NamedTuple):
    """What is wanted.

    Attributes:
        argv: The program and its arguments.
        workspace: The only folder that it may change, by its real path.
        folder: Where it starts, in the workspace.
        environment: All of it; the temporary folder is added.
        closed: What lies in the workspace and is none of its business.
        confined: Whether it is confined.
    """

    argv: list[str]
    workspace: landlock.Place
    folder: str
    environment: dict[str, str]
    closed: list[str]
    confined: bool


class Means(NamedTuple):
    """How commands are confined on this machine.

    Attributes:
        program: The filter of system calls.
        hidden: Whether they get namespaces and a root folder of their own.
        counted: Whether the system counts their processes.
    """

    program: bytes
    hidden: bool
    counted: bool


def run(channel: int, output: int, order: Order, means: Means) -> NoReturn:
    """Be the process that all of a command's processes belong to, to the end.

    Args:
        channel: To the kernel.
        output: What the command writes to.
        order: What is wanted.
        means: How it is confined.
    """
    try:
        if order.confined and means.hidden:
            _in_namespaces(channel, output, order, means)
        else:
            _in_plain_sight(channel, output, order, means)
    except (OSError, ValueError) as error:
        _tell(channel, {"error": str(error)})
    finally:
        os._exit(0)


def _in_namespaces(channel: int, output: int, order: Order, means: Means) -> None:
    namespaces.leave_processes()
    first = os.fork()
    if first:
        os.close(channel)
        os.close(output)
        confine.end_with(os.getppid())  # and then the first process ends with us
        os.waitpid(first, 0)  # after that, none of the others is there
        return
    call("prctl", _END_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    _be_eager()
    root.build(order.workspace.path, order.closed)
    if not means.counted:
        crowd.limit()
    root.close()
    identity.forswear()
    identity.drop(own_user=False)
    call("prctl", _NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    command = _started(channel, output, order, means, root.TEMPORARY)
    _tell_end(channel, supervisor.supervise(channel, command))


def _in_plain_sight(channel: int, output: int, order: Order, means: Means) -> None:
    supervisor.adopt()
    temporary = f"{root.TEMPORARY}/llmasos-{os.urandom(8).hex()}"
    os.mkdir(temporary, 0o700)  # noqa: PTH102 - pathlib costs 4 ms
    try:
        if order.confined:
            identity.forswear()
            identity.drop(own_user=False)
            call("prctl", _NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        command = _started(channel, output, order, means, temporary)
        ended = supervisor.supervise(channel, command)
        supervisor.end_adopted(command)
    finally:
        with contextlib.suppress(OSError):
            _remove(temporary)
    _tell_end(channel, ended)


def _started(channel: int, output: int, order: Order, means: Means, temporary: str) -> int:
    """Start the command; its process id."""
    command = os.fork()
    if command:
        os.close(output)
        return command
    try:
        _become(output, order, means, temporary)
    except (OSError, ValueError) as error:
        _tell(channel, {"error": str(error)})
    finally:
        os._exit(127)


def _become(output: int, order: Order, means: Means, temporary: str) -> NoReturn:
    os.setsid()
    # Python ignores some, and who starts llmasos in the background others: a shell can't catch what it was born with.
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    os.chdir(order.folder)
    nothing = os.open("/dev/null", os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    environment = {**order.environment, "HOME": temporary, "TMPDIR": temporary}
    if order.confined:
        limits.apply_to_command(beside=0 if means.hidden else crowd.mine())
        landlock.restrict((), others=root.rights(order.workspace, temporary, built=means.hidden))
        seccomp.load(means.program)
    os.execve(order.argv[0], order.argv, environment)  # noqa: S606 - there is no shell but the one that is wanted


def _be_eager() -> None:
    with open("/proc/self/oom_score_adj", "w") as badness:  # noqa: PTH123
        badness.write(_EAGER)


def _tell_end(channel: int, ended: int | None) -> None:
    if ended is not None:
        _tell(channel, {"exit": ended})


def _tell(channel: int, said: dict[str, Any]) -> None:
    try:
        os.write(channel, json.dumps(said).encode() + b"\n")
    except OSError:
        return  # the kernel has gone


def _remove(folder: str) -> None:
    """Remove a temporary folder, as far as it can be; nobody is left who could change it meanwhile."""
    for path, folders, _ in os.walk(folder):
        for name in folders:
            if not os.path.islink(f"{path}/{name}"):  # noqa: PTH114
                os.chmod(f"{path}/{name}", 0o700)  # noqa: PTH101
    for path, folders, files in os.walk(folder, topdown=False):
        for name in (*files, *folders):
            inner = f"{path}/{name}"
            if name in files or os.path.islink(inner):  # noqa: PTH114
                os.unlink(inner)  # noqa: PTH108
            else:
                os.rmdir(inner)  # noqa: PTH106
    os.rmdir(folder)  # noqa: PTH106
