"""The one door. Every syscall of every process comes through `Kernel.trap`, whoever asks and however it was said.

alive? -> lookup -> validate -> policy -> preview -> policy of what is meant -> consent -> is it still that?
-> journal intent -> run -> journal outcome -> result.
A refusal or a failure is a result with an errno-like code, never an exception; only a kill passes through.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from llmasos.core.base.clock import Clock
from llmasos.core.base.errors import (
    Denied,
    LlmasosError,
    NeedsAnswer,
    ProcessKilled,
    StoreError,
    SyscallError,
    Undecided,
)
from llmasos.core.base.types import Call, Result
from llmasos.core.kernel.consent import Consents, receipt
from llmasos.core.kernel.instruments import Instruments
from llmasos.core.kernel.journal import Entry, Journal, as_said
from llmasos.core.kernel.labels import of_call, of_result
from llmasos.core.kernel.mailbox import Mailboxes
from llmasos.core.kernel.policy import NO_LABELS, NOTHING_USED, Decision, Explanation, Policy, Rates, Used, stronger
from llmasos.core.kernel.process import Process, ProcessTable
from llmasos.core.kernel.session import Session
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.syscall import Syscall, SyscallTable

log = logging.getLogger(__name__)

LIMIT = 4 * 1024 * 1024
"""Characters in one argument; more is E2BIG."""

SETTLED_AFTER = 0.5
"""Seconds after which outcomes that only the file of intents knows get into the store: in one transaction, and not
while somebody waits for an answer."""

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
        labels: Where the request and what it is about come from.
    """

    process: Process
    call: Call
    decision: Decision
    result: Result
    entry: int
    seconds: float
    labels: frozenset[str] = NO_LABELS


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
    labels: frozenset[str] = NO_LABELS

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

        def goes(entry: Entry) -> bool:
            found = match(entry)
            if found and entry.inverse:  # before the entry, which alone says where it is
                self.kernel.discard(entry.inverse)
            return found

        self.kernel.journal.erase(goes)
        self.kernel.consents.erase(match)
        person = self.session.person
        for forget in self.kernel.erasing:
            forget(person)
        for forget_lines in self.kernel.erasing_lines:
            forget_lines(lambda line: match(as_said(person, line)))

    def erase_process(self, process: Process) -> None:
        """Take the traces of a process that was ended for good out of what was kept of it."""
        names = {"pid": process.pid, "boot": process.boot}

        def about(entry: Entry) -> bool:
            payload = (entry.inverse or {}).get("payload")
            return isinstance(payload, dict) and names.items() <= payload.items()

        self.kernel.journal.erase(about)
        for forget in self.kernel.killing:
            forget(process)

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
    discarding: dict[str, Callable[[Mapping[str, Any]], None]] = field(default_factory=dict)
    """By the name of an inverse: forgets what is kept for it outside of the store, when it is erased for good."""
    erasing_lines: list[Callable[[Callable[[str], bool]], None]] = field(default_factory=list)
    """Given what tells a line that is erased for good: forget such lines, where you keep what persons typed."""
    killing: list[Callable[[Process], None]] = field(default_factory=list)
    """Told of a process that a person ended for good: forget what you keep of it."""
    instruments: Instruments = field(init=False)
    rates: Rates = field(init=False)
    consents: Consents = field(init=False)
    mailboxes: Mailboxes = field(init=False)
    _settling: asyncio.TimerHandle | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.rates = Rates(self.clock)
        self.mailboxes = Mailboxes(self.store, self.clock)
        self.consents = Consents(self.store, self.clock, self.mailboxes)
        self.instruments = Instruments(self.clock, self.processes)
        self.hooks.append(self.instruments.trapped)
        self.erasing.append(self.mailboxes.forget)

    @property
    def boot(self) -> str:
        """Another one each time a kernel is started."""
        return self.processes.boot

    async def trap(
        self,
        process: Process,
        session: Session,
        call: Call,
        *,
        request: str = "",
        labels: frozenset[str] = NO_LABELS,
        row: Syscall | None = None,
    ) -> Result:
        """Run one call for a process.

        Args:
            process: Who makes it.
            session: For whom.
            call: Which.
            request: What was said.
            labels: Where the request and the arguments come from, as policy rules name it.
            row: What the call is, where it isn't in the table: a plugin's fetch.

        Raises:
            ProcessKilled: The process was killed before or while it ran.
        """
        self._check_alive(process)
        started = time.perf_counter()
        caller = Caller(self, process, session, call, request=request, labels=labels)
        try:
            self._within_budget(process)
            row = row or self.table[call.syscall]
            caller.labels = labels | of_call(row, call)
            args = row.validate(_bounded(call.args))
            caller.call = call = Call(call.syscall, args, call.references, call.origins)
            caller.decision = self.decide(caller, row, call.args)
            self._refuse_denied(row, caller.decision)
            result = await self._decided(row, caller)
        except LlmasosError as error:
            result = self.refused(caller, error)
        except asyncio.CancelledError:
            self._check_alive(process)  # a kill, not a Ctrl-C
            raise
        except RecursionError:
            nested = SyscallError("E2BIG", f"The arguments of {call.syscall} are nested too deeply.")
            result = self.refused(caller, nested)
        except Exception as error:
            log.exception("syscall %s failed", call.syscall)
            what = f"{call.syscall} failed: {type(error).__name__}: {error}"
            result = self.refused(
                caller, SyscallError("EIO", what, "This is a defect; 'llmasos doctor' shows where the log is.")
            )
        self._check_alive(process)
        process.calls += 1
        entry = caller.entry.id if caller.entry else 0
        seconds = time.perf_counter() - started
        trapped = Trapped(process, call, caller.decision, result, entry, seconds, caller.labels)
        for hook in self.hooks:
            hook(trapped)
        if caller.entry and self._settling is None:
            self._settling = asyncio.get_running_loop().call_later(SETTLED_AFTER, self._settle)
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

    def discard(self, inverse: Mapping[str, Any]) -> None:
        """Forget what an inverse would need that isn't in the store; the journal forgets what is."""
        forget = self.discarding.get(inverse["name"])
        if forget:
            forget(inverse["payload"])

    def _settle(self) -> None:
        """What was done a moment ago gets from the file of intents into the store."""
        self._settling = None
        try:
            self.journal.settle()
        except StoreError:
            log.exception("outcomes stay in the file of intents")  # the next ones try again

    def decide(self, caller: Caller, row: Syscall, args: Mapping[str, Any]) -> Decision:
        """What policy says of a call of this caller with these arguments."""
        subject, labels = caller.process.subject, caller.labels
        used = self.used(caller.process)
        return self.policy.decide(subject, row.name, row.effect, args, labels=labels, rates=self.rates, used=used)

    def used(self, process: Process) -> Used:
        """What a process used so far, where a rule asks for it."""
        if not self.policy.budgeted:
            return NOTHING_USED
        seconds = self.processes.now() - process.began
        return {"calls": process.calls, "tokens": process.tokens, "seconds": seconds}

    async def judge(self, caller: Caller) -> tuple[Decision, dict[str, str]]:
        """What policy says of a call that will be made later, and its arguments as far as they can be resolved now.

        Raises:
            Denied: It may not be made.
            SyscallError: EINVAL, its arguments are wrong.
        """
        row = self.table[caller.call.syscall]
        call = replace(caller.call, args=row.validate(_bounded(caller.call.args)))
        caller = replace(caller, call=call, entry=None, labels=caller.labels | of_call(row, call))
        decision = self.decide(caller, row, call.args)
        self._refuse_denied(row, decision)
        try:
            return await self._resolved(row, caller)
        except SyscallError:  # what isn't there yet can be there by then
            return decision, {name: str(value) for name, value in call.args.items()}

    async def explain(self, caller: Caller, subject: str = "") -> tuple[Explanation, dict[str, str], str]:
        """Why policy would decide as it would; nothing runs.

        Args:
            caller: With the call.
            subject: Who would make it; the caller's process where empty.

        Returns:
            The decision with each rule's part in it, the arguments as a person would see them, and why they couldn't be
            resolved, where they couldn't.

        Raises:
            SyscallError: There is no such call, or its arguments are wrong.
        """
        row = self.table[caller.call.syscall]
        call = replace(caller.call, args=row.validate(_bounded(caller.call.args)))
        caller = replace(caller, call=call, entry=None)
        shown = {name: str(value) for name, value in call.args.items()}
        why = "Its arguments are results of calls before it." if call.references else ""
        if row.preview and not why:
            try:
                shown = await self._shown(row, caller)
            except SyscallError as error:
                why = str(error)
        found = [
            self.policy.explain(
                subject or caller.process.subject,
                row.name,
                row.effect,
                args,
                labels=caller.labels,
                rates=self.rates,
                used=NOTHING_USED if subject else self.used(caller.process),
            )
            for args in (call.args, {**call.args, **shown})
        ]
        said, meant = found[0], found[-1]
        return (meant if stronger(said.decision, meant.decision) is not said.decision else said), shown, why

    async def _shown(self, row: Syscall, caller: Caller) -> dict[str, str]:
        """The arguments as a person should see them."""
        shown = {name: str(value) for name, value in caller.call.args.items()}
        if row.preview and not caller.call.references:
            shown |= await row.preview(caller, **caller.call.args)
        return shown

    async def _resolved(self, row: Syscall, caller: Caller) -> tuple[Decision, dict[str, str]]:
        """The decision about a call, and its arguments as a person should see them; raises Denied."""
        shown = await self._shown(row, caller)
        return self._decision(row, caller, shown), shown

    def _decision(self, row: Syscall, caller: Caller, shown: Mapping[str, str]) -> Decision:
        """The decision about what was said and about what it means: a rule about `private/*` must hold for both."""
        args = caller.call.args
        decision = self.decide(caller, row, args)
        if row.preview:
            decision = stronger(decision, self.decide(caller, row, {**args, **shown}))
        self._refuse_denied(row, decision)
        return decision

    async def _decided(self, row: Syscall, caller: Caller) -> Result:
        call, session = caller.call, caller.session
        shown = {name: str(value) for name, value in call.args.items()}
        if row.preview:
            caller.decision, shown = await self._resolved(row, caller)
        agreed = ""
        if caller.decision.verdict == "ask":
            agreed = receipt(call, shown)
            if await self.consents.obtain(caller, row, caller.decision, shown):
                # Time has passed: policy may have changed, and what the words mean.
                shown = shown if row.bound else await self._shown(row, caller)
                caller.decision = self._decision(row, caller, shown)
        self._charge(row, caller, shown)
        if row.effect != "read":
            for guard in self.guards:
                guard()
            await session.front.before(call, shown, row.effect)
        # What was agreed to is what runs; whatever changed it meanwhile, it isn't done.
        if agreed and receipt(call, shown) != agreed:
            raise SyscallError(
                "EACCES", f"{row.name} was not done: it isn't what you agreed to any more.", "Say it again."
            )
        if row.effect != "read" and row.journaled:
            caller.entry = self.journal.intend(
                person=session.person,
                workspace=str(session.workspace),
                pid=caller.process.pid,
                request=caller.request,
                call=call.to_journal(),
                effect=row.effect,
                rule=caller.decision.rule,
                by=caller.process.program,
                cwd=session.cwd,
            )
        undoable = False
        try:
            value = await self._run(row, caller)
        except Undecided:
            if caller.entry:
                self.journal.interrupted(caller.entry.id)
                self.journal.told(caller.entry.id)  # by the error itself
            raise
        except Exception as error:
            if caller.entry:
                self.journal.failed(caller.entry.id, str(error) or type(error).__name__)
            raise
        except BaseException:
            if caller.entry:
                self.journal.interrupted(caller.entry.id)
            raise
        if caller.entry:
            undoable = row.effect != "final" and self.journal.get(caller.entry.id).inverse is not None
            # What was erased for good may stand in what is said of it.
            told = value.get("message", "") if isinstance(value, dict) and row.effect != "final" else ""
            self.journal.done(caller.entry.id, told)
        labels = of_result(row, call, value)
        return Result(call, value=value, rule=caller.decision.rule, undoable=undoable, labels=labels)

    async def _run(self, row: Syscall, caller: Caller) -> Any:
        task = asyncio.current_task()
        assert task is not None
        caller.process.tasks.add(task)
        try:
            value = row.run(caller, **caller.call.args)
            return await value if inspect.isawaitable(value) else value
        finally:
            caller.process.tasks.discard(task)

    def _charge(self, row: Syscall, caller: Caller, shown: Mapping[str, str]) -> None:
        """Use up the rates of the rules that are about a call which runs now."""
        if not self.policy.rated:
            return
        subject, args = caller.process.subject, caller.call.args
        found = {
            (rule.tier, rule.id): rule
            for known in (args, {**args, **shown})
            for rule in self.policy.charges(
                subject,
                row.name,
                row.effect,
                known,
                labels=caller.labels,
                rates=self.rates,
                used=self.used(caller.process),
            )
        }
        for rule in found.values():
            self.rates.spend(rule, subject)

    def _refuse_denied(self, row: Syscall, decision: Decision) -> None:
        if decision.verdict != "deny":
            return
        of = "the administrator's policy" if decision.tier == "admin" else f"the policy {self.policy.name!r}"
        remedy = "Start with another --policy if this should be possible."
        if decision.tier == "admin":
            remedy = "Ask who administers this machine."
        raise Denied(
            f"{row.name} is denied by the rule {decision.rule!r} of {of}.",
            decision.note or remedy,
            rule=decision.rule,
        )

    def _within_budget(self, process: Process) -> None:
        used = self.processes.used_up(process)
        if used:
            raise SyscallError("EDQUOT", f"{process.name} has used up its budget of {used}.", "Start it again.")

    def _check_alive(self, process: Process) -> None:
        if not process.alive:
            raise ProcessKilled(process.pid)

    def refused(self, caller: Caller, error: LlmasosError) -> Result:
        """The result of a call that came to nothing."""
        call = caller.call
        if isinstance(error, Denied):
            same = caller.decision.rule == error.rule
            caller.decision = replace(caller.decision, verdict="deny") if same else Decision("deny", error.rule)
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
            if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
                raise SyscallError("EILSEQ", f"{name} isn't valid Unicode text.")
        elif isinstance(value, bytes | bytearray):
            raise SyscallError("EINVAL", f"{name} is binary; syscalls take text.", "Put it into a file.")
    return args
