"""One child process that holds one plugin, and the channel to it.

A child that is late, talks out of turn, or sends what isn't JSON is killed with all its own children, and the
next call starts a fresh one. So is one whose caller was cancelled: its next answer belongs to nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn

from llmasos.core.base.errors import Errno, PluginError, SyscallError
from llmasos.core.kernel.sandbox import limits, runner
from llmasos.core.kernel.sandbox.bare import BareChild
from llmasos.core.kernel.sandbox.description import without_lines
from llmasos.core.kernel.sandbox.folders import ORDINARY, Allowed
from llmasos.core.kernel.sandbox.launcher import Child, Launcher
from llmasos.core.kernel.sandbox.lines import Lines
from llmasos.core.kernel.sandbox.manifest import Plugin

LIMIT = runner.LIMIT
TRAPS = 100
"""Syscalls that a child may make in one call of its own."""

Door = Callable[[str, Mapping[str, Any]], Awaitable[dict[str, Any]]]
"""Makes a syscall for the child: `{"value": ...}` or `{"error": {"code", "what", "remedy"}}`."""


class _RefusedError(Exception):
    """The child broke the protocol; says how."""


class Worker:
    """Calls one plugin in a child that is started at the first call and stays.

    A plugin that is `single_use` gets a fresh child for each call. The next one is started, confined and loaded
    while nobody waits for it.

    Args:
        plugin: Which.
        launcher: Starts the children.
        timeout: Seconds that a call, or the start with the plugin's import, may take.
        idle: Seconds without a call after which the child ends; a Python process costs about 8 MB.
        allowed: Says what of the machine a child may use, when one is started.
        described: What the plugin said about itself when it was loaded; None where this worker is asked for that.
    """

    def __init__(
        self,
        plugin: Plugin,
        launcher: Launcher,
        *,
        timeout: float,
        idle: float,
        allowed: Callable[[], Allowed] = lambda: ORDINARY,
        described: Any = None,
    ) -> None:
        self._plugin = plugin
        self._launcher = launcher
        self._timeout = timeout
        self._idle = idle
        self._allowed = allowed
        self._turn = asyncio.Lock()  # guards everything below: one request at a time
        self._child: Child | BareChild | None = None
        self._lines: Lines
        self._number = 0
        self._used = False
        self._closed = False
        self._described = described
        self._ending: asyncio.TimerHandle | None = None
        self._last = 0.0  # when it was used
        self._ending_children: set[asyncio.Future[None]] = set()
        self._refilling: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The child's process id, None where none runs."""
        return self._child.pid if self._child else None

    async def describe(self) -> Any:
        """What the plugin says about itself; not checked.

        Raises:
            PluginError: It can't be imported, or took too long.
        """
        async with self._turn:
            try:
                await self._start()
            except SyscallError as error:
                raise PluginError(error.what, error.remedy) from None
            return self._described

    async def call(self, function: str, args: Mapping[str, Any], door: Door | None = None) -> Any:
        """Run one of its functions.

        Args:
            function: Which.
            args: What it is called with.
            door: Makes the syscalls that it asks for; None refuses all of them.

        Raises:
            SyscallError: EINVAL with the plugin's own words, ETIMEDOUT, E2BIG, or EIO where it is broken.
        """
        name = f"{self._plugin.name}.{function}"
        async with self._turn:
            await self._start()
            self._number += 1
            line = _request(name, {"id": self._number, "name": function, "args": args})
            try:
                answer = await self._exchange(name, line)
                made = 0
                while "trap" in answer:
                    made += 1
                    if made > TRAPS:
                        self._fail("EIO", f"{name} made more than {TRAPS} syscalls and was stopped.")
                    answer = await self._exchange(name, await self._made(answer["trap"], door))
            finally:
                if self._plugin.isolation == "single_use":
                    self._used = True
                    self._refilling = asyncio.ensure_future(self._refill())
        return _value(name, answer)

    async def close(self) -> None:
        """End the child and wait until it is gone."""
        self._closed = True  # before taking the turn: a running call isn't waited for, a waiting one starts nothing
        lines = self._lines if self._child else None
        self._kill()
        async with self._turn:
            if lines:
                await lines.closed
            await asyncio.gather(*self._ending_children)

    async def _made(self, asked: Mapping[str, Any], door: Door | None) -> bytes:
        """The answer to what the child asks for, as a line."""
        try:
            return await _answered(asked, door)
        except BaseException:
            self._kill()  # it still waits, and would take the next request for its answer
            raise

    async def _refill(self) -> None:
        async with self._turn:
            with contextlib.suppress(SyscallError):  # the next call meets it again, and tells
                await self._start()

    async def _start(self) -> None:
        if self._closed:
            raise self._gone()
        if self._child and not (self._used or self._lines.ended or _is_worn(self._child.pid)):
            return
        self._kill()  # a child that has served, that died between two calls, or soon would
        try:
            child = await self._launcher.launch(self._plugin.code, self._allowed())
        except PluginError as error:
            raise SyscallError("EAGAIN", error.what, error.remedy) from None
        try:
            loop = asyncio.get_running_loop()
            _, self._lines = await loop.create_unix_connection(lambda: Lines(LIMIT), sock=child.channel)
        except BaseException:
            child.channel.close()
            child.kill()
            raise
        self._child, self._number, self._used = child, 0, False
        if self._closed:  # meanwhile
            self._kill()
            raise self._gone()
        greeting = await self._exchange(f"The plugin {self._plugin.name}", b"")
        if "error" in greeting:
            self._kill()
            said = greeting["error"]
            raise SyscallError("EIO", f"{self._plugin.code} can't be loaded: {said['what']}", said["remedy"])
        if self._described is not None and without_lines(greeting["value"]) != without_lines(self._described):
            self._kill()  # what the table and the policy know is no longer what would run
            raise SyscallError(
                "ESTALE", f"{self._plugin.code} has changed since it was loaded.", "Load the plugin again."
            )
        self._described = greeting["value"]
        if self._plugin.isolation == "single_use":  # its one call would be the first to go this way
            await self._exchange(f"The plugin {self._plugin.name}", _line({"id": self._number}))

    async def _exchange(self, name: str, line: bytes) -> dict[str, Any]:
        try:
            if line:
                self._lines.write(line)
            answer = _answer(await self._lines.line(self._timeout), self._number)
        except TimeoutError:
            self._fail("ETIMEDOUT", f"{name} took longer than {self._timeout:g} seconds and was stopped.")
        except (EOFError, OSError):
            self._fail("EIO", f"{name} crashed: the plugin {self._plugin.name} ended its process.")
        except OverflowError:
            self._fail("EIO", f"{name} sent more than {LIMIT:,} bytes and was stopped.")
        except _RefusedError as error:
            self._fail("EIO", f"{name} was stopped: the plugin {self._plugin.name} {error}.")
        except BaseException:
            self._kill()
            raise
        self._last = time.monotonic()
        if self._ending is None:
            self._retire_in(self._idle)
        return answer

    def _gone(self) -> SyscallError:
        return SyscallError("ECANCELED", f"The plugin {self._plugin.name} is no longer loaded.")

    def _fail(self, code: Errno, what: str) -> NoReturn:
        self._kill()
        if self._closed:
            raise self._gone() from None
        raise SyscallError(code, what, "It is started afresh with the next call.") from None

    def _retire_in(self, seconds: float) -> None:
        self._ending = asyncio.get_running_loop().call_later(seconds, self._retire)

    def _retire(self) -> None:
        """End the child if it wasn't used for so long; one timer that looks again, instead of one for each call."""
        left = self._last + self._idle - time.monotonic()
        if self._turn.locked() or left > 0:
            self._retire_in(max(left, 0.0) or self._idle)
        else:
            self._kill()

    def _kill(self) -> None:
        if self._ending:
            self._ending.cancel()
            self._ending = None
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        self._lines.abort()
        self._ending_children.add(child.ended)
        child.ended.add_done_callback(self._ending_children.discard)


def _is_worn(pid: int) -> bool:
    """Whether a child has used half of the processor time that it may use in its life."""
    try:
        return time.clock_gettime((~pid << 3) | 2) > limits.CPU / 2  # CPUCLOCK_SCHED of a process
    except OSError:
        return False


def _line(message: Mapping[str, Any]) -> bytes:
    return _encode(message).encode() + b"\n"


def _request(name: str, request: dict[str, Any]) -> bytes:
    return _bounded(f"The arguments of {name}", request, LIMIT)


def _bounded(what: str, message: dict[str, Any], longest: int) -> bytes:
    try:
        line = _line(message)
    except (TypeError, ValueError, RecursionError):
        raise SyscallError("EINVAL", f"{what} can't be written as JSON.") from None
    if len(line) > longest:
        raise SyscallError("E2BIG", f"{what} have {len(line):,} bytes.", f"The limit is {longest:,}.")
    return line


async def _answered(asked: Mapping[str, Any], door: Door | None) -> bytes:
    name = asked["name"]
    if door is None:
        return _line({"error": {"code": "EACCES", "what": f"{name[:80]} can't be called from here.", "remedy": ""}})
    try:
        return _bounded(f"The results of {name[:80]}", await door(name, asked["args"]), runner.LARGEST)
    except SyscallError as error:
        return _line({"error": {"code": error.code, "what": error.what, "remedy": error.remedy}})


def _answer(line: bytes, number: int) -> dict[str, Any]:
    """The child's answer, with exactly one of `value` and a whole `error`; or a `trap` that it asks for meanwhile.

    Raises:
        _RefusedError: It is anything else.
    """
    try:
        answer = _DECODER.decode(line.decode())
        if b"\\u" in line:  # an escape can spell half a character, which nothing later could write down
            json.dumps(answer, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise _RefusedError("sent what isn't JSON") from None
    if isinstance(answer, dict) and set(answer) == {"trap"} and number:
        asked = answer["trap"]
        known = isinstance(asked, dict) and set(asked) == {"name", "args"}
        if not known or not isinstance(asked["name"], str) or not isinstance(asked["args"], dict):
            raise _RefusedError("sent what isn't a syscall")
        return answer
    if not isinstance(answer, dict) or answer.pop("id", None) != number or len(answer) != 1:
        raise _RefusedError("sent what isn't the answer")
    if "error" in answer:
        error = answer["error"]
        if not isinstance(error, dict) or set(error) != {"kind", "what", "remedy"}:
            raise _RefusedError("sent what isn't the answer")
        if not all(isinstance(text, str) and len(text) <= 4000 for text in error.values()):
            raise _RefusedError("sent what isn't the answer")
    elif "value" not in answer:
        raise _RefusedError("sent what isn't the answer")
    return answer


def _value(name: str, answer: dict[str, Any]) -> Any:
    if "error" not in answer:
        return answer["value"]
    error = answer["error"]
    if error["kind"] == "tool":
        raise SyscallError("EINVAL", error["what"], error["remedy"])
    raise SyscallError("EIO", f"{name} broke: {error['what']}", error["remedy"])


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(text)
    return number


def _no_constant(text: str) -> NoReturn:
    raise ValueError(text)


# One for all: json.dumps with arguments makes an encoder for each call.
_encode = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode
# 1e999 and NaN are no numbers that the rest of the system could write down again.
_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant)
