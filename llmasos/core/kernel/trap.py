"""The one door. Every syscall of every process comes through `Kernel.trap`, whoever asks and however it was said.

alive? -> lookup -> validate -> policy -> preview -> consent -> journal intent -> run -> journal outcome -> result.
A refusal or a failure is a result with an errno-like code, never an exception; only a kill passes through.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from llmasos.core.base.clock import Clock
from llmasos.core.base.errors import Denied, LlmasosError, NeedsAnswer, ProcessKilled, SyscallError
from llmasos.core.base.types import Call, Result
from llmasos.core.kernel.instruments import Instruments
from llmasos.core.kernel.journal import Entry, Journal
from llmasos.core.kernel.policy import Decision, Policy, stronger
from llmasos.core.kernel.process import Process, ProcessTable
from llmasos.core.kernel.session import Consent, Session
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.syscall import Syscall, SyscallTable

log = logging.getLogger(__name__)

LIMIT = 4 * 1024 * 1024
"""Characters in one argument; more is E2BIG."""

MESSAGE = 2_000
"""Characters of an error at most."""


@dataclass(frozen=True, slots=True)
class Trapped:
    """One call that came through the door, as instruments and the audit log see it.

    Attributes:
        process: Who made it.
        call: The call, its arguments checked where it came so far.
        decision: What policy said; without a rule where it wasn't asked.
        result: What came of it.
        entry: Its number in the journal, 0 where it changed nothing.
        seconds: How long it took.
    """

    process: Process
    call: Call
    decision: Decision
    result: Result
    entry: int
    seconds: float


TrapHook = Callable[[Trapped], None]
"""Called after each call."""


UNDECIDED = Decision("deny", "")
"""Of a call that didn't come as far as policy."""


@dataclass
class Caller:
    """Who makes a call, and what its handler may ask of the kernel while it runs."""

    kernel: Kernel
    process: Process
    session: Session
    call: Call
    entry: Entry | None = None
    request: str = ""
    decision: Decision = UNDECIDED

    def prepare(self, inverse: str, payload: dict[str, Any], blobs: tuple[str, ...] = ()) -> None:
        """Persist what takes this effect back, BEFORE the effect happens.

        Args:
            inverse: Name of the inverse in the table.
            payload: Its argument, JSON.
            blobs: Ids of store blobs that the payload refers to; they live as long as the journal entry.
        """
        if self.entry is not None:
            self.kernel.journal.prepare_inverse(self.entry.id, inverse, payload, blobs=blobs)

    def erase(self, match: Callable[[Entry], bool]) -> None:
        """Take the traces of what is erased for good out of the journal, and out of whatever kept what was shown."""
        self.kernel.journal.erase(match)
        for forget in self.kernel.erasing:
            forget(self.session.person)

    async def choose(self, question: str, options: list[str]) -> str:
        """Which of several matches is meant.

        Raises:
            SyscallError: EAMBIG with the options, where nobody answers.
        """
        index = await self.session.front.choose(question, options)
        if index is None:
            raise SyscallError("EAMBIG", f"{question} {', '.join(options[:8])}", "Say which.", choices=tuple(options))
        return options[index]


@dataclass
class Kernel:
    """The kernel's parts, and the door."""

    table: SyscallTable
    processes: ProcessTable
    policy: Policy
    journal: Journal
    store: Store
    clock: Clock
    hooks: list[TrapHook] = field(default_factory=list)
    guards: list[Callable[[], None]] = field(default_factory=list)
    """Called before something is changed; what one raises stops it."""
    erasing: list[Callable[[str], None]] = field(default_factory=list)
    """Told of the person when something of theirs is erased for good: forget what you keep of what was shown."""
    boot: str = field(default_factory=lambda: secrets.token_hex(8))
    """Another one each time a kernel is started: pids mean nothing in the next."""
    instruments: Instruments = field(init=False)

    def __post_init__(self) -> None:
        self.instruments = Instruments(self.clock, self.processes)
        self.hooks.append(self.instruments.trapped)

    async def trap(self, process: Process, session: Session, call: Call, *, request: str = "") -> Result:
        """Run one call for a process.

        Raises:
            ProcessKilled: The process was killed before or while it ran.
        """
        self._check_alive(process)
        started = time.perf_counter()
        caller = Caller(self, process, session, call, request=request)
        try:
            self._within_budget(process)
            row = self.table[call.syscall]
            caller.call = call = replace(call, args=row.validate(_bounded(call.args)))
            caller.decision = self.policy.decide(process.subject, row.name, row.effect, call.args)
            result = await self._decided(row, caller)
        except LlmasosError as error:
            result = self._failed(caller, error)
        except asyncio.CancelledError:
            self._check_alive(process)  # a kill, not a Ctrl-C
            raise
        except RecursionError:
            nested = SyscallError("E2BIG", f"The arguments of {call.syscall} are nested too deeply.")
            result = self._failed(caller, nested)
        except Exception as error:
            log.exception("syscall %s failed", call.syscall)
            what = f"{call.syscall} failed: {type(error).__name__}: {error}"
            result = self._failed(
                caller, SyscallError("EIO", what, "This is a defect; 'llmasos doctor' shows where the log is.")
            )
        self._check_alive(process)
        process.calls += 1
        entry = caller.entry.id if caller.entry else 0
        trapped = Trapped(process, call, caller.decision, result, entry, time.perf_counter() - started)
        for hook in self.hooks:
            hook(trapped)
        await session.front.after(result)
        return result

    async def undo(self, caller: Caller, entry: Entry, *, chosen: bool = False) -> str:
        """Take an earlier effect back through its inverse.

        Args:
            caller: Who asks.
            entry: What to take back.
            chosen: Whether the person chose this entry, not just the last one.

        Raises:
            SyscallError: ESTALE, what it changed has changed since; nothing was done. Unless it was chosen, the next
                undo goes on to the entry before.
        """
        assert entry.inverse is not None
        handler = self.table.inverses.get(entry.inverse["name"])
        if handler is None:
            raise SyscallError(
                "ENOSYS", f"What takes back {entry.call['syscall']} isn't loaded.", "Load its plugin again."
            )
        try:
            message: str = await handler(caller, entry.inverse["payload"])
        except SyscallError as error:
            if error.code != "ESTALE":
                raise
            if chosen:  # what came later may be taken back first
                raise SyscallError("ESTALE", error.what, "Take back first what was done to it since.") from None
            self.journal.stale(entry.id)
            raise SyscallError("ESTALE", error.what, "'undo' once more takes back what was done before that.") from None
        self.journal.undone(entry.id)
        return message

    async def judge(self, caller: Caller) -> tuple[Decision, dict[str, str]]:
        """What policy says of a call that will be made later, and its arguments as far as they can be resolved now.

        Raises:
            Denied: It may not be made.
            SyscallError: EINVAL, its arguments are wrong.
        """
        row = self.table[caller.call.syscall]
        call = replace(caller.call, args=row.validate(_bounded(caller.call.args)))
        decision = self.policy.decide(caller.process.subject, row.name, row.effect, call.args)
        try:
            return await self._resolved(row, decision, replace(caller, call=call, entry=None))
        except SyscallError:  # what isn't there yet can be there by then
            self._refuse_denied(row, decision)
            return decision, {name: str(value) for name, value in call.args.items()}

    async def _resolved(self, row: Syscall, decision: Decision, caller: Caller) -> tuple[Decision, dict[str, str]]:
        """The decision with the arguments resolved, and those as a person should see them."""
        args = caller.call.args
        self._refuse_denied(row, decision)
        shown = {name: str(value) for name, value in args.items()}
        if row.preview and not caller.call.references:
            shown |= await row.preview(caller, **args)
            # A rule about `private/*` must hold for whatever name the person used for what is in there.
            resolved = self.policy.decide(caller.process.subject, row.name, row.effect, {**args, **shown})
            decision = stronger(decision, resolved)
            self._refuse_denied(row, decision)
        return decision, shown

    async def _decided(self, row: Syscall, caller: Caller) -> Result:
        call, session = caller.call, caller.session
        decision, shown = await self._resolved(row, caller.decision, caller)
        caller.decision = decision
        if decision.verdict == "ask":
            await self._ask(row, decision, caller, shown)
        if row.effect != "read":
            for guard in self.guards:
                guard()
            await session.front.before(call, shown, row.effect)
            caller.entry = self.journal.intend(
                person=session.person,
                workspace=str(session.workspace),
                pid=caller.process.pid,
                request=caller.request,
                call=call.to_json(),
                effect=row.effect,
                rule=decision.rule,
                by=caller.process.program,
                cwd=session.cwd,
            )
        undoable = False
        try:
            value = await self._run(row, caller)
        except Exception as error:
            if caller.entry:
                self.journal.failed(caller.entry.id, str(error) or type(error).__name__)
            raise
        except BaseException:
            if caller.entry:
                self.journal.interrupted(caller.entry.id)
            raise
        if caller.entry:
            undoable = row.effect in ("write", "destroy") and self.journal.get(caller.entry.id).inverse is not None
            self.journal.done(caller.entry.id, value.get("message", "") if isinstance(value, dict) else "")
        return Result(call, value=value, rule=decision.rule, undoable=undoable)

    async def _run(self, row: Syscall, caller: Caller) -> Any:
        task = asyncio.current_task()
        assert task is not None
        caller.process.tasks.add(task)
        try:
            value = row.run(caller, **caller.call.args)
            return await value if inspect.isawaitable(value) else value
        finally:
            caller.process.tasks.discard(task)

    async def _ask(self, row: Syscall, decision: Decision, caller: Caller, shown: dict[str, str]) -> None:
        granted: set[str] = caller.session.state.setdefault("consents", set())
        if f"{caller.process.subject} {row.name}" in granted:
            return
        question = Consent(caller.call, shown, row.effect, decision.rule, caller.process.subject)
        answer = await caller.session.front.consent(question)
        if answer is None:
            raise NeedsAnswer(
                f"{row.name} asks for consent (rule {decision.rule!r}) and nobody is there to give it.",
                "Say it again with --yes, or in the shell.",
            )
        if answer == "no":
            raise SyscallError("EACCES", f"{row.name} was not done: you said no.")
        # What can't be taken back asks every time.
        if answer == "session" and row.effect != "final":
            granted.add(f"{caller.process.subject} {row.name}")

    def _refuse_denied(self, row: Syscall, decision: Decision) -> None:
        if decision.verdict == "deny":
            raise Denied(
                f"{row.name} is denied by the rule {decision.rule!r} of the policy {self.policy.name!r}.",
                "Start with another --policy if this should be possible.",
                rule=decision.rule,
            )

    def _within_budget(self, process: Process) -> None:
        used = self.processes.used_up(process)
        if used:
            raise SyscallError("EDQUOT", f"{process.name} has used up its budget of {used}.", "Start it again.")

    def _check_alive(self, process: Process) -> None:
        if not process.alive:
            raise ProcessKilled(process.pid)

    def _failed(self, caller: Caller, error: LlmasosError) -> Result:
        call = caller.call
        if isinstance(error, Denied):
            caller.decision = Decision("deny", error.rule)
            return Result(call, error="EACCES", message=_readable(str(error)), rule=error.rule)
        code = error.code if isinstance(error, SyscallError) else "EAGAIN" if isinstance(error, NeedsAnswer) else "EIO"
        return Result(call, error=code, message=_readable(str(error)), rule=caller.decision.rule)


def _readable(message: str) -> str:
    """The message; one that repeats a long argument without the middle of it."""
    return message if len(message) <= MESSAGE else f"{message[: MESSAGE // 2]} […] {message[-MESSAGE // 2 :]}"


def _bounded(args: dict[str, Any]) -> dict[str, Any]:
    """The arguments, or an error where one could choke what comes after."""
    for name, value in args.items():
        if isinstance(value, str):
            if len(value) > LIMIT:
                raise SyscallError("E2BIG", f"{name} has {len(value):,} characters; {LIMIT:,} is the limit.")
            if "\0" in value:
                raise SyscallError("EINVAL", f"{name} holds a NUL character.", "Text can't.")
            if any("\ud800" <= c <= "\udfff" for c in value):
                raise SyscallError("EILSEQ", f"{name} isn't valid Unicode text.")
        elif isinstance(value, bytes | bytearray):
            raise SyscallError("EINVAL", f"{name} is binary; syscalls take text.", "Put it into a file.")
    return args
