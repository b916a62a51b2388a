"""Processes: a context of the model with everything the kernel knows about it, and the table of all of them.

As in Unix: init is pid 1, children of a dead process become init's, a dead process stays a ZOMBIE until its parent
waits for it. Unlike Unix, what is scheduled is the model: a RUNNING process is one whose tokens are being computed.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

from llmasos.core.base.clock import Clock
from llmasos.core.base.errors import SyscallError
from llmasos.core.engine.base import Engine, LiveSequence

PriorityClass = Literal["interactive", "normal", "background"]
KILLED = -9
"""Exit status of a killed process."""


class State(Enum):
    """Where a process is in its life."""

    NEW = "new"
    READY = "ready"
    RUNNING = "running"
    WAITING = "waiting"
    STOPPED = "stopped"
    SWAPPED = "swapped"
    ZOMBIE = "zombie"


LEGAL: dict[State, frozenset[State]] = {
    State.NEW: frozenset({State.READY, State.ZOMBIE}),
    State.READY: frozenset({State.RUNNING, State.WAITING, State.STOPPED, State.SWAPPED, State.ZOMBIE}),
    State.RUNNING: frozenset({State.READY, State.WAITING, State.STOPPED, State.ZOMBIE}),
    State.WAITING: frozenset({State.READY, State.RUNNING, State.STOPPED, State.SWAPPED, State.ZOMBIE}),
    State.STOPPED: frozenset({State.READY, State.SWAPPED, State.ZOMBIE}),
    State.SWAPPED: frozenset({State.READY, State.STOPPED, State.ZOMBIE}),
    State.ZOMBIE: frozenset(),
}
"""The only moves there are; anything else is a defect and raises."""


@dataclass
class Budget:
    """What a process may use up; None is unlimited. A process that has used it up is ended.

    Attributes:
        tokens: Computed for it.
        calls: Syscalls.
        seconds: Since it was started.
        kv_bytes: Its live context.
    """

    tokens: int | None = None
    calls: int | None = None
    seconds: float | None = None
    kv_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Lasting:
    """What a process belongs to that outlives its kernel, and so why it comes back with the next (roster.py).

    Attributes:
        of: By an id that stays: a character's, an app's name.
        key: The store's subject whose key seals what is kept of it; when that is shredded, this is gone too.
    """

    of: str
    key: str


@dataclass(eq=False)
class Process:
    """The process control block.

    Attributes:
        pid: Unique while the kernel runs.
        parent: The pid that waits for it.
        owner: The person it works for.
        name: What `ps` shows.
        program: What it runs: `init`, `shell`, `character`, `job`, ...
        subject: Who asks, as policy rules name it: `user:ada`, `character:Alice`, `plugin:calculator`.
        boot: The kernel in which it was started; with the pid it names one process for good.
        lasting: Why it comes back with the next kernel; None where it ends with this one.
        state: Where it is in its life.
        began: The same as seconds since the epoch.
        priority: Its scheduling class.
        weight: Its share inside the class.
        deadline: Until then it goes before the others of its class, the earliest first; seconds since the epoch.
        virtual_tokens: Tokens computed for it, divided by its weight; the fair scheduler takes the smallest.
        backlog: Requests that wait for it to be done with another one; where there are some the fair scheduler hurries.
        exit_status: 0 done, above 0 failed, KILLED; None while it lives.
        why: Why it was ended, where that wasn't asked for.
        sequence: Its live context, where it has one.
        page_ins: How often its context was brought back from swap.
        page_outs: How often it was put there.
        swapped_bytes: What of it is there now.
        attention: Set while somebody waits for it to come to an end with what it does.
    """

    pid: int
    parent: int
    owner: str
    name: str
    program: str
    subject: str
    started: str
    began: float
    boot: str = ""
    lasting: Lasting | None = None
    state: State = State.NEW
    priority: PriorityClass = "normal"
    weight: float = 1.0
    deadline: float | None = None
    budget: Budget = field(default_factory=Budget)
    virtual_tokens: float = 0.0
    backlog: int = 0
    tokens: int = 0
    calls: int = 0
    exit_status: int | None = None
    why: str = ""
    engine: Engine | None = None
    sequence: LiveSequence | None = None
    page_ins: int = 0
    page_outs: int = 0
    swapped_bytes: int = 0
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    attention: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def turn(self, lock: asyncio.Lock) -> AsyncIterator[None]:
        """Hold a lock that makes requests to the process wait for each other; who waits is counted."""
        self.backlog += 1
        try:
            await lock.acquire()
        finally:
            self.backlog -= 1
        try:
            yield
        finally:
            lock.release()

    def move(self, state: State) -> None:
        """Change the state; staying where it is is no move.

        Raises:
            SyscallError: EINVAL, the move isn't legal.
        """
        if state is self.state:
            return
        if state not in LEGAL[self.state]:
            raise SyscallError("EINVAL", f"Process {self.pid} is {self.state.value} and can't become {state.value}.")
        self.state = state

    @property
    def alive(self) -> bool:
        """Whether it can still run."""
        return self.state is not State.ZOMBIE

    async def unless_called(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something until it is done or the process's attention is asked for; then it is cancelled."""
        task, called = asyncio.ensure_future(work), asyncio.ensure_future(self.attention.wait())
        try:
            await asyncio.wait({task, called}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            called.cancel()
            task.cancel()
            await asyncio.wait({task, called})
        if not task.cancelled():
            task.result()


class ProcessTable:
    """All processes. Only the kernel's event loop changes it; engines' threads look (scheduler.py, instruments.py)."""

    def __init__(self, clock: Clock, owner: str) -> None:
        self._clock = clock
        self._processes: dict[int, Process] = {}
        self._next = 1
        self._lasting: dict[tuple[str, str], Process] = {}
        self.boot = secrets.token_hex(8)
        """Another one each time a kernel is started: a pid alone means nothing in the next."""
        self.by_sequence: dict[tuple[int, int], Process] = {}
        """(id of the engine, id of the sequence) -> its process; what the scheduler looks up each step."""
        self.accounts = threading.Lock()
        """Held while tokens are booked: what several engines' threads compute may be for children of one process."""
        self.keeping: list[Callable[[Process], None]] = []
        """Told of each process that begins, stops or goes on, before anybody else is; what one raises prevents it."""
        self.leaving: list[Callable[[Process], None]] = []
        """Told of each process that ends."""
        self.init = self.spawn(None, name="init", program="init", subject="kernel", owner=owner)
        self.init.move(State.WAITING)

    def spawn(
        self,
        parent: Process | None,
        *,
        name: str,
        program: str,
        subject: str = "",
        owner: str = "",
        priority: PriorityClass = "normal",
        weight: float = 1.0,
        budget: Budget | None = None,
        within: float | None = None,
        lasting: Lasting | None = None,
    ) -> Process:
        """A new process, READY. Subject and owner are inherited where they aren't named.

        Args:
            parent: Who waits for it.
            name: What `ps` shows.
            program: What it runs.
            subject: Who asks.
            owner: Whom it works for.
            priority: Its class.
            weight: Its share inside the class.
            budget: What it may use up.
            within: Seconds in which it should be done: its deadline.
            lasting: Why it comes back with the next kernel.

        Raises:
            SyscallError: ESRCH, the parent is dead.
            StoreError: It should come back, and can't be written down.
        """
        if parent is not None and not parent.alive:
            raise SyscallError("ESRCH", f"Process {parent.pid} has ended and can't start another.")
        now = self._clock.now()
        process = Process(
            pid=self._next,
            parent=parent.pid if parent else 0,
            owner=owner or (parent.owner if parent else ""),
            name=name,
            program=program,
            subject=subject or (parent.subject if parent else ""),
            started=now.isoformat(timespec="seconds"),
            began=now.timestamp(),
            boot=self.boot,
            lasting=lasting,
            deadline=now.timestamp() + within if within is not None else None,
            priority=priority,
            weight=weight,
            budget=budget or Budget(),
            # As in CFS: who comes late starts where the others are, or it would run alone until it caught up.
            virtual_tokens=min((p.virtual_tokens for p in self if p.alive and p.sequence), default=0.0),
        )
        process.move(State.READY)
        for keep in self.keeping:
            keep(process)
        self._next += 1
        self._enter(process)
        return process

    def readmit(self, process: Process) -> None:
        """Let a process of an earlier kernel in again, under its pid; whose parent has gone is init's.

        Raises:
            SyscallError: EEXIST, the pid is taken.
        """
        if process.pid in self._processes:
            raise SyscallError("EEXIST", f"There is a process {process.pid} already.")
        parent = self._processes.get(process.parent)
        process.parent = parent.pid if parent and parent.alive else self.init.pid
        self._next = max(self._next, process.pid + 1)
        self._enter(process)

    async def fork(self, process: Process, *, name: str = "") -> Process:
        """A child with a copy of the process's context, sharing the computed state where the engine can."""
        self.check_alive(process.pid)
        child = self.spawn(
            process,
            name=name or process.name,
            program=process.program,
            priority=process.priority,
            weight=process.weight,
        )
        child.virtual_tokens = process.virtual_tokens
        if process.engine and process.sequence:
            try:
                sequence = await process.engine.fork(process.sequence, owner=child.pid)
            except BaseException:
                await self.exit(child, 1)
                raise
            self.attach(child, process.engine, sequence)
        return child

    async def exec(self, process: Process, *, name: str, program: str) -> None:
        """Become another program: same pid, context gone."""
        self.check_alive(process.pid)
        await self._free(process)
        if process.lasting:
            self._lasting.pop((process.program, process.lasting.of), None)
        process.name, process.program = name, program
        self._enter(process)
        self._kept(process, process.state)

    def now(self) -> float:
        """Seconds since the epoch, by the kernel's clock."""
        return self._clock.now().timestamp()

    def used_up(self, process: Process) -> str:
        """Which budget of a process is used up, in words; empty where none is."""
        budget = process.budget
        if budget.tokens is not None and process.tokens >= budget.tokens:
            return f"{budget.tokens:,} tokens"
        if budget.calls is not None and process.calls >= budget.calls:
            return f"{budget.calls:,} calls"
        if budget.seconds is not None and self.now() - process.began >= budget.seconds:
            return f"{budget.seconds:g} seconds"
        held = (
            len(process.sequence.tokens) * process.engine.bytes_per_token if process.sequence and process.engine else 0
        )
        return f"{budget.kv_bytes:,} bytes of context" if budget.kv_bytes is not None and held > budget.kv_bytes else ""

    def attach(self, process: Process, engine: Engine, sequence: LiveSequence) -> None:
        """Give a process its live sequence."""
        process.engine, process.sequence = engine, sequence
        sequence.owner = process.pid
        self.by_sequence[id(engine), sequence.id] = process

    def detach(self, process: Process) -> tuple[Engine, LiveSequence] | None:
        """Take its live sequence from a process; who asked closes it. None where it has none."""
        engine, sequence = process.engine, process.sequence
        process.engine = process.sequence = None
        if engine is None or sequence is None:
            return None
        self.by_sequence.pop((id(engine), sequence.id), None)
        return engine, sequence

    def stop(self, pid: int) -> Process:
        """Suspend: no token is computed for it until it is resumed."""
        process = self.check_alive(pid)
        self._guard(process, "stopped")
        return self._kept(process, State.STOPPED)

    def resume(self, pid: int) -> Process:
        """Continue a stopped or swapped process.

        Raises:
            SyscallError: EINVAL, it isn't stopped.
        """
        process = self.check_alive(pid)
        if process.state not in (State.STOPPED, State.SWAPPED):
            raise SyscallError("EINVAL", f"Process {pid} ({process.name}) isn't stopped; it is {process.state.value}.")
        return self._kept(process, State.READY)

    async def kill(self, pid: int) -> Process:
        """End a process at once: its waiting requests are cancelled and its cells freed."""
        process = self.check_alive(pid)
        self._guard(process, "killed")
        await self.exit(process, KILLED)
        return process

    def ender(self) -> Callable[[Process, str], None]:
        """What ends a process from another thread, soon, and says why. Asked for on the kernel's loop."""
        loop, ending = asyncio.get_running_loop(), set[asyncio.Task[None]]()

        def begin(process: Process) -> None:
            task = loop.create_task(self.exit(process, KILLED))
            ending.add(task)
            task.add_done_callback(ending.discard)

        def end(process: Process, why: str) -> None:
            process.why = why
            loop.call_soon_threadsafe(begin, process)

        return end

    async def exit(self, process: Process, status: int = 0) -> None:
        """Become a ZOMBIE: free the context, give children to init, wake whoever waits."""
        if not process.alive:
            return
        process.move(State.ZOMBIE)
        process.exit_status = status
        for task in process.tasks - {asyncio.current_task()}:
            task.cancel()
        for child in self.children(process.pid):
            child.parent = self.init.pid
            if not child.alive:
                self._reap(child)
        if process.lasting and self.of(process.program, process.lasting.of) is process:
            del self._lasting[process.program, process.lasting.of]
        for told in self.leaving:
            told(process)
        try:
            await self._free(process)
        finally:
            # Whatever the engine says, nobody may wait for ever for a process that has ended.
            process.ended.set()
            if process.parent == self.init.pid:  # init waits for all of its children
                self._reap(process)

    async def wait(self, parent: Process, pid: int) -> int:
        """Wait until a child ends; returns its exit status and forgets it.

        Raises:
            SyscallError: ESRCH, it isn't a child.
        """
        child = self._processes.get(pid)
        if child is None or child.parent != parent.pid:
            raise SyscallError("ESRCH", f"Process {pid} is no child of {parent.pid}.")
        await child.ended.wait()
        self._reap(child)
        assert child.exit_status is not None
        return child.exit_status

    def line(self, process: Process) -> Iterator[Process]:
        """A process, its parent, and so on; without init."""
        one: Process | None = process
        while one is not None and one.parent:
            yield one
            one = self._processes.get(one.parent)

    def children(self, pid: int) -> list[Process]:
        """The children of a process, zombies included."""
        return [p for p in self._processes.values() if p.parent == pid]

    def check_alive(self, pid: int) -> Process:
        """The living process of a pid.

        Raises:
            SyscallError: ESRCH, there is none.
        """
        process = self._processes.get(pid)
        if process is None or not process.alive:
            raise SyscallError("ESRCH", f"There is no process {pid}.", "'process.list' shows those there are.")
        return process

    def find(self, program: str, name: str) -> Process | None:
        """The living process that runs a program under a name."""
        return next((p for p in self if p.program == program and p.name == name and p.alive), None)

    def of(self, program: str, what: str) -> Process | None:
        """The living process of something that outlives it, as `Lasting` names it."""
        return self._lasting.get((program, what))

    def __iter__(self) -> Iterator[Process]:
        return iter(list(self._processes.values()))

    def __len__(self) -> int:
        return len(self._processes)

    def _guard(self, process: Process, what: str) -> None:
        if process.program in ("init", "shell"):
            raise SyscallError(
                "EPERM", f"Process {process.pid} ({process.name}) can't be {what}.", "It carries the others."
            )

    def _enter(self, process: Process) -> None:
        self._processes[process.pid] = process
        if process.lasting:
            self._lasting[process.program, process.lasting.of] = process

    def _kept(self, process: Process, state: State) -> Process:
        """Move it, and have that written down."""
        before = process.state
        process.move(state)
        try:
            for keep in self.keeping:
                keep(process)
        except BaseException:
            process.state = before
            raise
        return process

    def _reap(self, process: Process) -> None:
        self._processes.pop(process.pid, None)

    async def _free(self, process: Process) -> None:
        live = self.detach(process)
        if live:
            engine, sequence = live
            await engine.close(sequence)
