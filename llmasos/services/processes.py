"""process.*: the process table, seen and steered by a person."""

from __future__ import annotations

from typing import Annotated, Any

from llmasos.core.base.values import done, items, record
from llmasos.core.kernel.process import Process, State
from llmasos.core.kernel.syscall import Kind, inverse, syscall
from llmasos.core.kernel.trap import Caller

Pid = Annotated[int, Kind("process")]

COLUMNS = ("pid", "parent", "name", "program", "state", "class", "tokens", "calls")
PAGING = ("swapped", "page ins", "page outs")
"""Columns that are shown where a context was ever taken out of the model's cells."""


class Processes:
    """The process table's syscalls."""

    @syscall("process.list", effect="read")
    async def list(self, caller: Caller) -> dict[str, Any]:
        """The process table.

        Examples:
            what's running right now
            show the processes
            现在都有哪些进程
        """
        rates = caller.kernel.instruments.rates()
        rows = [{"ref": str(p.pid), **_row(p, rates[p.pid])} for p in caller.kernel.processes if p.alive]
        paging = [column for column in PAGING if any(row[column] for row in rows)]
        return items("process", rows, [*COLUMNS, *paging])

    @syscall("process.show", effect="read")
    async def show(self, caller: Caller, pid: Pid) -> dict[str, Any]:
        """One process.

        Args:
            pid: Its number.

        Examples:
            tell me about process 4
            details of pid 12
            看看 7 号进程
        """
        process = caller.kernel.processes.check_alive(pid)
        row = _row(process, caller.kernel.instruments.rates()[pid])
        fields = {
            **{name: value for name, value in row.items() if name not in PAGING},
            "owner": process.owner,
            "acts as": process.subject,
            "started": process.started,
            "context": f"{row['context']} tokens",
            "token budget": process.budget.tokens,
            "call budget": process.budget.calls,
            "time budget": f"{process.budget.seconds:g} seconds" if process.budget.seconds is not None else None,
            "swapped": f"{process.swapped_bytes:,} bytes" if process.swapped_bytes else None,
            "page ins and outs": f"{process.page_ins}, {process.page_outs}" if process.page_outs else None,
        }
        return record(f"Process {pid}", fields, ref=str(pid))

    @syscall("process.stop", effect="write", preview="preview")
    async def stop(self, caller: Caller, pid: Pid) -> dict[str, Any]:
        """Suspend a process: nothing is computed for it until it is resumed.

        Args:
            pid: Its number.

        Examples:
            pause process 6
            freeze pid 3 for now
            暂停 5 号进程
        """
        caller.prepare("process.resume", _running(caller, pid))
        process = caller.kernel.processes.stop(pid)
        return done(f"Stopped process {pid} ({process.name}).", ref=str(pid))

    @syscall("process.resume", effect="write", preview="preview")
    async def resume(self, caller: Caller, pid: Pid) -> dict[str, Any]:
        """Continue a stopped process.

        Args:
            pid: Its number.

        Examples:
            let process 6 go on
            unpause pid 3
            恢复 5 号进程
        """
        caller.prepare("process.stop", _running(caller, pid))
        process = caller.kernel.processes.resume(pid)
        return done(f"Process {pid} ({process.name}) goes on.", ref=str(pid))

    @syscall("process.kill", effect="final", preview="preview")
    async def kill(self, caller: Caller, pid: Pid) -> dict[str, Any]:
        """End a process.

        Args:
            pid: Its number.

        Examples:
            kill process 9
            end pid 4 please
            结束 8 号进程
        """
        process = await caller.kernel.processes.kill(pid)
        caller.erase_process(process)
        return done(f"Killed process {pid} ({process.name}).", ref=str(pid))

    async def preview(self, caller: Caller, pid: int) -> dict[str, str]:
        """The process with its name."""
        process = caller.kernel.processes.check_alive(pid)
        return {"pid": f"{pid} ({process.name}, {process.program}, {process.state.value})"}

    @inverse("process.resume")
    async def take_back_stop(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Continue what was stopped."""
        if not _still_runs(caller, payload, State.STOPPED):
            return f"There was nothing to take back: process {payload['pid']} isn't stopped any more."
        process = caller.kernel.processes.resume(payload["pid"])
        return f"Process {process.pid} ({process.name}) goes on again."

    @inverse("process.stop")
    async def take_back_resume(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Stop what was resumed."""
        if not _still_runs(caller, payload, None):
            return f"There was nothing to take back: process {payload['pid']} has ended."
        process = caller.kernel.processes.stop(payload["pid"])
        return f"Process {process.pid} ({process.name}) is stopped again."


def _running(caller: Caller, pid: int) -> dict[str, Any]:
    """A process as an inverse names it: a pid means another one in the next kernel, unless it came back."""
    process = caller.kernel.processes.check_alive(pid)
    return {"pid": pid, "started": process.started, "boot": process.boot}


def _still_runs(caller: Caller, payload: dict[str, Any], state: State | None) -> bool:
    process = next((p for p in caller.kernel.processes if p.pid == payload["pid"] and p.alive), None)
    return process is not None and payload["boot"] == process.boot and state in (None, process.state)


def _row(process: Process, rate: float) -> dict[str, Any]:
    """What `ps` and `top` show of a process; `context` is in tokens, `swapped` in bytes."""
    return {
        "pid": process.pid,
        "parent": process.parent,
        "name": process.name,
        "program": process.program,
        "state": process.state.value,
        "class": process.priority,
        "tokens": process.tokens,
        "calls": process.calls,
        "tokens/s": round(rate, 1),
        "context": len(process.sequence.tokens) if process.sequence else 0,
        "resident": process.sequence is not None,
        "swapped": process.swapped_bytes,
        "page ins": process.page_ins,
        "page outs": process.page_outs,
    }
