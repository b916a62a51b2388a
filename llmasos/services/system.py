"""system.*: what the system says about itself, and taking things back."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

from llmasos.core.base.errors import SyscallError
from llmasos.core.base.types import Call
from llmasos.core.base.values import done, items, record, text
from llmasos.core.engine.slot import EngineSlot
from llmasos.core.kernel.journal import Entry, Journal
from llmasos.core.kernel.replay import Recorder, replay
from llmasos.core.kernel.syscall import Syscall, Written, syscall
from llmasos.core.kernel.trap import Caller
from llmasos.services.figures import of_kernel

Facts = Callable[[], dict[str, Any]]
NO_RUNS = "No run is recorded. Start with LLMASOS_RECORD=1, and talk."


class System:
    """The system's own syscalls.

    Args:
        facts: What is known of the engines: model, tokens per second, cells.
        recorder: Keeps what the model wrote, where that is wanted.
        engines: What replays it.
    """

    def __init__(self, facts: Facts, recorder: Recorder, engines: Sequence[EngineSlot] = ()) -> None:
        self._facts = facts
        self._recorder = recorder
        self._engines = engines

    @syscall("system.status", effect="read")
    async def status(self, caller: Caller) -> dict[str, Any]:
        """Load, memory, model, tokens per second.

        Examples:
            how is the machine doing
            are you running hot?
            系统现在怎么样
        """
        load = os.getloadavg()
        processes = [p for p in caller.kernel.processes if p.alive]
        memory = await asyncio.to_thread(resident_mb)  # Linux walks all our pages for it
        return record(
            "System",
            {
                **self._facts(),
                **of_kernel(caller.kernel.instruments),
                "processes": len(processes),
                "load": f"{load[0]:.2f} {load[1]:.2f} {load[2]:.2f} on {os.cpu_count()} cores",
                "memory": f"{memory:.0f} MB resident",
                "policy": caller.kernel.policy.name,
                "workspace": str(caller.session.workspace),
            },
        )

    @syscall("system.help", effect="read")
    async def help(self, caller: Caller, topic: str | None = None) -> dict[str, Any]:
        """What can be said.

        Args:
            topic: A syscall, a room such as `files`, or a word.

        Examples:
            what can I say here
            help me with reminders
            怎么用翻译
        """
        rows = sorted(caller.kernel.table, key=lambda row: row.name)
        if topic is None:
            shown = [
                {"ref": r.name, "syscall": r.name, "does": r.summary, "say": r.examples[0] if r.examples else ""}
                for r in rows
            ]
            return items("syscall", shown, ["syscall", "does", "say"])
        wanted = topic.casefold().strip()
        found = [r for r in rows if r.name == wanted]
        found = found or [r for r in rows if _mentions(r, wanted)]
        if not found:
            raise SyscallError("ENOENT", f"There is no help on {topic!r}.", "'system.help' lists all that can be said.")
        if len(found) > 1:
            shown = [
                {"ref": r.name, "syscall": r.name, "does": r.summary, "say": r.examples[0] if r.examples else ""}
                for r in found
            ]
            return items("syscall", shown, ["syscall", "does", "say"])
        return text(manual(found[0]), source="system", format="markdown", ref=found[0].name)

    @syscall("system.undo", effect="write", preview="what_undo_takes")
    async def undo(self, caller: Caller, what: Annotated[str | None, Written()] = None) -> dict[str, Any]:
        """Take back the last change that was made for you in this workspace.

        Args:
            what: How many changes, as 3; or which one, as #41, the number that the history shows.

        Examples:
            oops, put it back
            undo that
            撤销刚才的操作
        """
        entries, chosen = self._meant(caller, what)
        messages: list[str] = []
        for entry in entries:
            try:
                messages.append(await caller.kernel.undo(caller, entry, chosen=chosen))
            except SyscallError as error:
                if not messages:
                    raise
                done_so_far = f"{len(messages)} of {len(entries)} changes were taken back: {' '.join(messages)}"
                raise SyscallError(error.code, f"{done_so_far} Then: {error.what}", error.remedy) from None
        return done(" ".join(messages), ref=str(entries[-1].id))

    async def what_undo_takes(self, caller: Caller, what: str | None = None) -> dict[str, str]:
        """The calls that would be taken back."""
        entries, _ = self._meant(caller, what)
        told = "; ".join(f"{_told(entry)} ({entry.at[:16].replace('T', ' ')})" for entry in entries)
        return {**({"what": what} if what else {}), "takes back": told}

    def _meant(self, caller: Caller, what: str | None) -> tuple[list[Entry], bool]:
        """The entries to take back, newest first, and whether the person chose one."""
        said = (what or "1").strip()
        number = said.removeprefix("#")
        if not number.isdecimal() or len(number) > 9 or int(number) == 0:
            raise SyscallError(
                "EINVAL", f"{said!r} is no number.", "'undo 3' takes back three changes, 'undo #41' one."
            )
        journal, session = caller.kernel.journal, caller.session
        if said != number:
            return [self._chosen(caller, int(number))], True
        found = list(islice(journal.undoable(session.person, str(session.workspace)), int(number)))
        if len(found) == int(number):
            return found, False
        gone = journal.given_up(session.person, str(session.workspace))
        why = f" #{gone.id}, {_told(gone)}, {_given_up(journal)}." if gone else ""
        if not found:
            raise SyscallError(
                "ENOENT", f"There is nothing to take back in this workspace.{why}", "'history' shows what was done."
            )
        raise SyscallError(
            "ENOENT",
            f"Only {len(found)} change{'s' * (len(found) > 1)} can be taken back in this workspace.{why}",
            f"Say 'undo {len(found)}'.",
        )

    def _chosen(self, caller: Caller, id: int) -> Entry:
        """The entry of a number, if it is the person's and can be taken back."""
        journal, session = caller.kernel.journal, caller.session
        entry = journal.get(id)
        if entry.person != session.person:
            raise SyscallError("ENOENT", f"There is no entry {id} in your history.", "See 'system.history'.")
        if not journal.can_be_undone(entry, chosen=True):
            why = {
                "undone": "was taken back already",
                "failed": "didn't happen",
                "stale": "can't be taken back: what it changed has changed since",
            }.get(entry.state, "can't be taken back")
            if entry.given_up:
                why = _given_up(journal)
            raise SyscallError("ESTALE", f"{_told(entry)} {why}.", "'history' shows what else was done.")
        if entry.workspace != str(session.workspace):
            raise SyscallError(
                "EACCES", f"{_told(entry)} was done in {entry.workspace}.", "Start llmasos there to take it back."
            )
        return entry

    @syscall("system.redo", effect="write", preview="what_redo_does", spoken=False)
    async def redo(self, caller: Caller) -> dict[str, Any]:
        """Do again what was taken back last.

        It is said again in the same folder, under today's policy.
        """
        entry = self._taken_back(caller)
        call = Call.from_record({**entry.call, "references": ()})
        today = caller.kernel.clock.now().isoformat()[:10]
        if {"when", "due"} & set(call.args) and entry.at[:10] != today:
            raise SyscallError("ESTALE", f"{_told(entry)} was said on another day.", "Say it anew.")
        # In the folder that it was said in: its paths begin there.
        session = replace(caller.session, cwd=entry.cwd)
        result = await caller.kernel.trap(
            caller.process, session, call, request=f"redo #{entry.id}", labels=caller.labels
        )
        if not result.ok:
            raise SyscallError("ESTALE", f"It can't be done again. {result.message}")
        caller.kernel.journal.redone(entry.id)
        return done(f"Done again: {_told(entry)}.", ref=str(entry.id))

    async def what_redo_does(self, caller: Caller) -> dict[str, str]:
        """The call that would be made."""
        return {"does again": _told(self._taken_back(caller))}

    def _taken_back(self, caller: Caller) -> Entry:
        entry = caller.kernel.journal.last_undone(caller.session.person, str(caller.session.workspace))
        if entry is None:
            raise SyscallError("ENOENT", "Nothing was taken back in this workspace.", "'history' shows what was done.")
        return entry

    @syscall("system.replay", effect="read", spoken=False)
    async def replay(self, caller: Caller, runs: int = 10) -> dict[str, Any]:
        """Write again what the model wrote last, and say whether it is the same, token for token.

        Runs are recorded where `LLMASOS_RECORD=1` is set.

        Args:
            runs: How many, the newest first.
        """
        rows = []
        known = {engine.fingerprint: engine for engine in [await slot.get() for slot in self._engines]}
        for run in islice(self._recorder.runs(caller.session.person), max(0, runs)):
            engine = known.get(run.model)
            told = "recorded with another model"
            if engine:
                place = await replay(engine, run)
                told = "the same" if place is None else f"parts at token {place + 1}"
            rows.append({
                "ref": str(run.number),
                "run": run.number,
                "when": run.at[:16].replace("T", " "),
                "process": run.process,
                "tokens": len(run.generated.tokens),
                "replayed": told,
            })  # fmt: skip
        return items(
            "run",
            rows,
            ["run", "when", "process", "tokens", "replayed"],
            empty="No run is recorded. Start with LLMASOS_RECORD=1, and talk.",
        )

    @syscall("system.history", effect="read")
    async def history(self, caller: Caller) -> dict[str, Any]:
        """What was done, by whom.

        Examples:
            what did you change today
            show me the last things that happened
            看看操作记录
        """
        rows = [
            {
                "ref": str(entry.id),
                "id": entry.id,
                "when": entry.at[:16].replace("T", " "),
                "who": entry.person,
                "call": _told(entry),
                "state": {"intent": "undecided"}.get(entry.state, entry.state),
                "said": _short(entry.request),
            }
            for entry in caller.kernel.journal.entries(limit=50, person=caller.session.person)
        ]
        return items(
            "entry", rows, ["id", "when", "who", "call", "state", "said"], empty="Nothing has been changed yet."
        )

    @syscall("system.time", effect="read")
    async def time(self, caller: Caller) -> dict[str, Any]:
        """Date and time.

        Examples:
            what's the time
            which day is it
            现在几点了
        """
        now = caller.kernel.clock.now()
        return text(f"{now:%A} {now.day} {now:%B %Y}, {now:%H:%M} ({now.tzinfo})", source="system")


def manual(row: Syscall) -> str:
    """The manual page of a syscall, as Markdown; docs/syscalls.md consists of them."""
    lines = [f"### {row.name}", "", f"{row.summary} *Effect: {row.effect}.*", "", f"    {row.usage}", ""]
    for argument in row.arguments:
        choices = argument.schema.get("enum")
        about = argument.description or "As said."
        lines.append(
            f"- `{argument.name}`{'' if argument.required else ' (optional)'}: {about}"
            + (f" One of {', '.join(choices)}." if choices else "")
        )
    if row.examples:
        lines += ["", "Say, for example:", "", *(f"- {example}" for example in row.examples)]
    return "\n".join(lines) + "\n"


def resident_mb(part: str = "Pss") -> float:
    """Memory of this process and its children that is theirs, in MB: PSS, so that shared pages count once.

    Args:
        part: Of which pages, by the kernel's name: all; `Pss_Anon` leaves out those of files, which count for less
            while another program has the same file open.
    """
    total = 0
    for pid in [os.getpid(), *_descendants(os.getpid())]:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith(f"{part}:"))
        except (OSError, StopIteration):
            continue
    return total / 1024


def _descendants(pid: int) -> list[int]:
    try:
        children = [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:
        return []
    return children + [grandchild for child in children for grandchild in _descendants(child)]


def _mentions(row: Syscall, wanted: str) -> bool:
    stem = wanted[:-1] if wanted.endswith("s") and len(wanted) > 3 else wanted
    return stem in f"{row.name} {row.summary} {' '.join(row.examples)}".casefold()


def _given_up(journal: Journal) -> str:
    return (
        "can't be taken back any more: what that needs was given up to make room for newer changes "
        f"(keep_undo_mb, now {journal.room})"
    )


def _told(entry: Entry) -> str:
    what = ", ".join(f"{k}={_short(v)}" for k, v in entry.call.get("args", {}).items())
    return f"{entry.call['syscall']} {what}".strip()


def _short(value: Any) -> str:
    line = " ".join(str(value).split())
    return line if len(line) <= 48 else line[:47] + "…"
