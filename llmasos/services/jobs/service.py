"""jobs.*: programs that run in the background, at once or again and again, under the policy of who asked."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from llmasos.core.base.clock import Clock
from llmasos.core.base.errors import LlmasosError, NeedsAnswer, ProcessKilled, SyscallError
from llmasos.core.base.types import Program, Result, from_records, to_records
from llmasos.core.base.values import Source, done, items, plain, text
from llmasos.core.kernel import program as programs
from llmasos.core.kernel.labels import is_source, of_call
from llmasos.core.kernel.mailbox import Mailboxes, Message
from llmasos.core.kernel.process import Budget, Process
from llmasos.core.kernel.session import Consent, Nobody, Session
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.syscall import Kind, inverse, syscall
from llmasos.core.kernel.trap import Caller, Kernel
from llmasos.services.interpreter.reading import say
from llmasos.services.jobs import orders
from llmasos.services.jobs.job import EVENT, KIND, OUTPUT, TOLD, Allowed, Job, Run, State
from llmasos.services.jobs.orders import Order
from llmasos.services.schedule import recurrence
from llmasos.services.schedule.event import Event
from llmasos.services.schedule.planning import planned
from llmasos.services.schedule.ringer import Ringer

log = logging.getLogger(__name__)

Tell = Callable[[str], bool]
"""Tells whoever listens; whether anybody did."""
Number = Annotated[int, Kind("job")]

LATE = timedelta(hours=1)
"""A repeated job later than this is left out: what should have been done at ten isn't wanted at six."""
TOKENS, CALLS, SECONDS = 50_000, 100, 3600.0
"""What one run may use up."""
LEAVING = 10.0
"""Seconds that running jobs have for coming to an end when the kernel leaves."""


class Jobs:
    """Background jobs.

    Args:
        store: Where they are kept, sealed.
        clock: Decides what is due.
        tell: Tells a person who listens how a job ended.
        mailboxes: Keeps it for one who doesn't.
    """

    def __init__(self, store: Store, clock: Clock, tell: Tell, mailboxes: Mailboxes) -> None:
        self._store = store
        self._clock = clock
        self._tell = tell
        self._mailboxes = mailboxes
        self._ringer = Ringer(store, clock, self._due, kind=EVENT, told=TOLD)
        self._running: dict[int, tuple[Process, asyncio.Task[None]]] = {}
        self._said: dict[int, _Recorder] = {}
        self._cancelling: set[int] = set()
        self._kernel: Kernel | None = None

    async def start(self, kernel: Kernel) -> None:
        """Run what is due from now on; jobs that an earlier kernel left in the middle are told and not begun again."""
        self._kernel = kernel
        for job in self._jobs():
            if job.state == "running" and job.number not in self._running and job.last:
                told = f"Job {job.number} was interrupted: {job.said!r}. 'jobs.show {job.number}' tells how far."
                self._ended(job, replace(job.last, state="interrupted"), told)
        await self._ringer.start()

    async def close(self) -> None:
        """Let running jobs come to an end, for a while; run nothing more."""
        self._ringer.stop()
        tasks = [task for _, task in self._running.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=LEAVING)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def order(self, line: str) -> Order | None:
        """The background job that a line orders; None where it is an ordinary request."""
        return orders.order_in(line, self._clock.now())

    @syscall("jobs.add", effect="write", preview="preview_add", spoken=False)
    async def add(self, caller: Caller, program: str, said: str, when: str | None = None) -> dict[str, Any]:
        """Run a program in the background. "In the background ..." and "every weekday at 8 ..." come here.

        Args:
            program: The calls, as JSON.
            said: The words that ordered it.
            when: When again and again; at once where it is left out.
        """
        calls = self._checked(program)
        event = self._event(said, when) if when else None
        allowed = await self._consented(caller, calls)
        session = caller.session
        number = int(self._store.get("job.counter", "last") or 0) + 1
        # Read anew: nobody has had these calls in hand since they were agreed to.
        agreed = to_records(self._checked(program))
        job = Job(
            number, said, agreed, session.person, str(session.workspace), session.cwd, when or "",
            [*allowed], "waiting",
        )  # fmt: skip
        caller.prepare("jobs.remove", {"number": number})
        run = Run(self._clock.now().isoformat(), "running")
        with self._store.transaction():
            self._store.put("job.counter", "last", number)
            # One that runs once begins here: it is there as begun, or not at all.
            self._put(job if event else job.ran(run))
            if event:
                self._store.put(EVENT, str(number), replace(event, id=str(number)).to_json())
        if event:
            self._ringer.changed(str(number))
            return done(f"Job {number} runs {_times(event, self._clock.now())}.", ref=str(number))
        self._begin(caller.kernel, job, run)
        return done(f"Job {number} runs in the background. 'fg {number}' waits for it.", ref=str(number))

    async def preview_add(self, caller: Caller, program: str, said: str, when: str | None = None) -> dict[str, str]:
        """What will be done, and when."""
        shown = {"program": say(self._checked(program))}
        if when:
            shown["when"] = _times(self._event(said, when), self._clock.now())
        return shown

    @syscall("jobs.list", effect="read", spoken=False)
    async def list(self, caller: Caller) -> dict[str, Any]:
        """Background jobs: what runs, what waits for its time, how the last ones ended."""
        now = self._clock.now()
        rows = []
        for job in self._jobs(caller.session.person):
            event = self._store.get(EVENT, str(job.number))
            upcoming = next(Event.from_json(event).occurrences(now), None) if event else None
            rows.append({
                "ref": str(job.number),
                "number": job.number,
                "state": job.state if job.state != "waiting" or event else "cancelled",
                "next": Event.from_json(event).shown(upcoming) if event and upcoming else "",
                "last": f"{job.last.state}, {job.last.at[:16].replace('T', ' ')}" if job.last else "",
                "job": job.said,
            })  # fmt: skip
        return items("job", rows, ["number", "state", "next", "last", "job"], empty="There are no background jobs.")

    @syscall("jobs.show", effect="read", spoken=False)
    async def show(self, caller: Caller, number: Number) -> dict[str, Any]:
        """What the last run of a job said.

        Args:
            number: Which job.
        """
        job = self._mine(caller, number)
        if job.last is None:
            return text("It hasn't run yet.", source="system", ref=str(number), title=job.said)
        note = f"{job.last.state}, {job.last.at[:16].replace('T', ' ')}"
        source: Source = "model" if {"model", "character"} & set(job.last.sources) else "system"
        said = job.last.output or "It said nothing."
        return text(said, source=source, ref=str(number), title=job.said, note=note, sources=job.last.sources)

    @syscall("jobs.wait", effect="read", spoken=False)
    async def wait(self, caller: Caller, number: Number | None = None) -> dict[str, Any]:
        """Wait until a job's run ends, and show what it said; Ctrl-C stops the waiting, not the job.

        Args:
            number: Which job; the last one that runs where it is left out.
        """
        if number is None:
            mine = [n for n in self._running if self._job(n).person == caller.session.person]
            if not mine:
                raise SyscallError("ENOENT", "No job runs.", "'jobs' lists them.")
            number = max(mine)
        self._mine(caller, number)
        if number in self._running:
            await asyncio.wait([self._running[number][1]])
        shown: dict[str, Any] = await self.show(caller, number)
        return shown

    @syscall("jobs.cancel", effect="destroy", preview="preview_cancel", spoken=False)
    async def cancel(self, caller: Caller, number: Number) -> dict[str, Any]:
        """End a job: what runs of it now, and all its coming runs.

        Args:
            number: Which job.
        """
        job = self._mine(caller, number)
        event = self._store.get(EVENT, str(number))
        if number not in self._running and event is None:
            raise SyscallError("EINVAL", f"Job {number} has ended already.", "'jobs' lists them.")
        caller.prepare("jobs.restore", {"number": number, "event": event})
        await self._end(number, event is not None)
        return done(f"Cancelled job {number}: {job.said!r}.", ref=str(number))

    async def preview_cancel(self, caller: Caller, number: int) -> dict[str, str]:
        """Which job."""
        return {"number": f"{number} ({self._mine(caller, number).said})"}

    @inverse("jobs.remove")
    async def take_back_add(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Remove a job that was ordered; what it has done already has entries of its own in the history."""
        number = payload["number"]
        await self._end(number, True)
        self._store.delete(KIND, str(number))
        return f"Job {number} is removed."

    @inverse("jobs.restore")
    async def take_back_cancel(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Let a repeated job come again; a run that was cut off isn't begun again."""
        number = payload["number"]
        if payload["event"] is None:
            return f"Job {number} was cut off; order it again."
        self._store.put(EVENT, str(number), payload["event"])
        self._store.put(TOLD, str(number), {"until": self._clock.now().astimezone(UTC).isoformat()})
        self._ringer.changed(str(number))
        self._put(replace(self._job(number), state="waiting"))
        return f"Job {number} comes again."

    # Running

    async def _due(self, reminder: Mapping[str, Any]) -> None:
        """A repeated job's time has come."""
        assert self._kernel is not None
        job = self._job(int(reminder["id"]))
        now = self._clock.now()
        if now - datetime.fromisoformat(reminder["alarm"]) > LATE:
            told = f"Job {job.number} was missed at {reminder['when']}, no kernel ran: {job.said!r}."
            self._ended(job, Run(reminder["start"], "missed"), told)
        elif job.number in self._running:
            told = f"Job {job.number} is left out this time: its last run hasn't ended. {job.said!r}"
            self._note(self._mailboxes.post(job.person, told))
        else:
            run = Run(now.isoformat(), "running")
            with self._store.transaction():
                # That it rang, and that it began: killed in between, it would begin once more.
                self._store.put(TOLD, reminder["id"], {"until": now.astimezone(UTC).isoformat()})
                self._put(job.ran(run))
            self._begin(self._kernel, job, run)

    def _begin(self, kernel: Kernel, job: Job, run: Run) -> None:
        process = kernel.processes.spawn(
            kernel.processes.init, name=f"job {job.number}", program="job", subject=f"user:{job.person}",
            owner=job.person, priority="background", budget=Budget(tokens=TOKENS, calls=CALLS, seconds=SECONDS),
        )  # fmt: skip
        task = asyncio.create_task(self._run(kernel, job, process, run), name=process.name)
        self._running[job.number] = process, task
        task.add_done_callback(lambda _: self._running.pop(job.number, None))

    async def _run(self, kernel: Kernel, job: Job, process: Process, run: Run) -> None:
        state: State = "failed"
        output = ""
        front = self._said[job.number] = _Recorder(lambda: self._so_far(job.number, run, front))
        try:
            session = Session(job.person, Path(job.workspace), front, cwd=job.cwd)
            kernel.consents.preset(session, job.consented)
            try:
                results = await programs.run(
                    kernel, process, session, job.program, request=f"job {job.number}: {job.said}"
                )
                state = "done" if all(result.ok for result in results) else "failed"
            except ProcessKilled:
                state = "failed" if process.why else "cancelled"
                front.note(process.why)
            except asyncio.CancelledError:
                state = "cancelled" if job.number in self._cancelling else "interrupted"
                raise
            finally:
                output = front.output
        except LlmasosError as error:
            output = f"{output}\n{error}".strip()
        except Exception as error:  # a job's defect is nobody else's; the log has the traceback
            log.exception("job %d failed", job.number)
            output = f"{output}\n{type(error).__name__}: {error}".strip()
        finally:
            self._said.pop(job.number, None)
            await kernel.processes.exit(process, 0 if state == "done" else 1)
            first = output.strip().partition("\n")[0]
            told = f"Job {job.number} {_ENDED[state]}: {job.said!r}" + (f"  {first[:120]}" if first else "")
            self._ended(job, replace(run, state=state, output=output[-OUTPUT:], sources=sorted(front.sources)), told)

    async def _end(self, number: int, repeated: bool) -> None:
        if repeated:
            self._store.delete(EVENT, str(number))
            self._ringer.changed(str(number))
        if number in self._running:
            _, task = self._running[number]
            self._cancelling.add(number)
            task.cancel()
            await asyncio.wait([task])
            self._cancelling.discard(number)
        if self._store.get(KIND, str(number)) is not None:
            self._put(replace(self._job(number), state="cancelled"))

    # Reading

    def _jobs(self, person: str | None = None) -> Sequence[Job]:
        found = [Job.from_json(record.value) for record in self._store.scan(KIND)]
        return [job for job in found if person in (None, job.person)]

    def _job(self, number: int) -> Job:
        value = self._store.get(KIND, str(number))
        if value is None:
            raise SyscallError("ENOENT", f"There is no job {number}.", "'jobs' lists them.")
        return Job.from_json(value)

    def _mine(self, caller: Caller, number: int) -> Job:
        job = self._job(number)
        if job.person != caller.session.person:
            raise SyscallError("ENOENT", f"There is no job {number}.", "'jobs' lists them.")
        return job

    def _put(self, job: Job) -> None:
        self._store.put(KIND, str(job.number), job.to_json())

    def _so_far(self, number: int, run: Run, front: _Recorder) -> None:
        """Keep what a run has said by now, so that one which is cut off tells how far it came."""
        if self._store.get(KIND, str(number)) is not None:
            self._put(self._job(number).ran(replace(run, output=front.output[-OUTPUT:], sources=sorted(front.sources))))

    def _ended(self, job: Job, run: Run, told: str) -> None:
        """A run has ended, and the person is told: both, or neither."""
        with self._store.transaction():
            if self._store.get(KIND, str(job.number)) is not None:  # else it was taken back meanwhile
                self._put(self._job(job.number).ran(run))
            message = self._mailboxes.post(job.person, told)
        self._note(message)

    def _note(self, message: Message) -> None:
        """Tell whoever listens; where nobody does, it waits for the person."""
        if self._tell(message.words):
            self._mailboxes.delivered(message)

    def forget(self, person: str) -> None:
        """Something of a person's is erased for good: forget what jobs said, and what ran once and has ended."""
        for job in self._jobs(person):
            if job.number in self._said:
                self._said[job.number].output = ""
            if job.when or job.number in self._running:
                self._put(replace(job, runs=[replace(run, output="") for run in job.runs]))
            else:
                self._store.delete(KIND, str(job.number))

    def _checked(self, program: str) -> Program:
        try:
            found = from_records(json.loads(program))
        except (ValueError, KeyError, TypeError):
            raise SyscallError("EINVAL", "The program is no list of calls.", "Say what to do in words.") from None
        if not found or any(call.syscall.startswith(("jobs.", "system.undo", "system.redo")) for call in found):
            raise SyscallError("EINVAL", "A job needs calls that do something.", "Say what to do in words.")
        return found

    def _event(self, said: str, when: str) -> Event:
        now = self._clock.now()
        found, rule = planned("", when, None, now)
        if not rule:
            raise SyscallError("EINVAL", f"{when!r} says no repetition.", "Say it as 'every weekday at 8'.")
        return Event.new(said, found.start, found.end, found.timed, rule=rule, said=when, now=now, by="job")

    async def _consented(self, caller: Caller, program: Program) -> Sequence[Allowed]:
        """What the person allows for all runs, asked now: when it runs nobody is there."""
        allowed: list[Allowed] = []
        kernel, subject = caller.kernel, caller.process.subject
        for call in program:
            decision, shown = await kernel.judge(replace(caller, call=call))
            row = kernel.table[call.syscall]
            labels = caller.labels | of_call(row, call)
            one = (subject, row.name, sorted(labels))
            if decision.verdict != "ask" or one in allowed:
                continue
            standing = kernel.consents.covering(caller.session, subject, row, shown, labels)
            if standing and not standing.session and not standing.until:
                continue  # it holds when the job runs too, unless it is revoked
            if row.effect == "final":
                raise SyscallError(
                    "EPERM", f"{row.name} can't be taken back, so it never runs unseen.", "Say it yourself."
                )
            # For this job alone, whichever yes it is: what is kept for longer is kept when the call itself is made.
            question = Consent(call, shown, row.effect, decision.rule, subject, labels=tuple(sorted(labels)))
            answer = await kernel.consents.ask(caller, question)
            if answer is None:
                raise NeedsAnswer(f"{row.name} asks for consent and nobody is there to give it.", "Say it with --yes.")
            if answer == "no":
                raise SyscallError("EACCES", f"The job was not made: you said no to {row.name}.")
            allowed.append(one)
        return allowed


_ENDED: dict[State, str] = {
    "done": "is done", "failed": "failed", "cancelled": "was cancelled", "interrupted": "was interrupted",
}  # fmt: skip


class _Recorder(Nobody):
    """Keeps what a job's calls said.

    Args:
        heard: Told after each call.
    """

    def __init__(self, heard: Callable[[], None]) -> None:
        super().__init__()
        self._heard = heard
        self.output = ""
        self.sources: set[str] = set()

    async def after(self, result: Result) -> None:
        self.sources.update(filter(is_source, result.labels))
        said = plain(result.value) if result.ok else result.message
        self.note(said)
        self._heard()

    def note(self, said: str) -> None:
        """Keep a line more."""
        self.output += f"{said}\n" if said else ""


def _times(event: Event, now: datetime) -> str:
    upcoming = next(event.occurrences(now), event.first)
    return f"{recurrence.said(event.rule)}, next {event.shown(upcoming)}"
