"""system.*: what the system says about itself, and taking things back."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llmasos.core.base.errors import SyscallError
from llmasos.core.base.values import done, items, record, text
from llmasos.core.kernel.journal import Entry
from llmasos.core.kernel.syscall import Syscall, syscall
from llmasos.core.kernel.trap import Caller

Facts = Callable[[], dict[str, Any]]


class System:
    """The system's own syscalls.

    Args:
        facts: What is known of the engines: model, tokens per second, cells.
    """

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

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
        return record(
            "System",
            {
                **self._facts(),
                "processes": len(processes),
                "load": f"{load[0]:.2f} {load[1]:.2f} {load[2]:.2f} on {os.cpu_count()} cores",
                "memory": f"{resident_mb():.0f} MB resident",
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
    async def undo(self, caller: Caller) -> dict[str, Any]:
        """Take back the last change that was made for you in this workspace.

        Examples:
            oops, put it back
            undo that
            撤销刚才的操作
        """
        entry = self._last(caller)
        message = await caller.kernel.undo(caller, entry)
        return done(message, ref=str(entry.id))

    async def what_undo_takes(self, caller: Caller) -> dict[str, str]:
        """The call that would be taken back."""
        entry = self._last(caller)
        return {"takes back": f"{_told(entry)} ({entry.at[:16].replace('T', ' ')})"}

    def _last(self, caller: Caller) -> Entry:
        entry = caller.kernel.journal.last_undoable(caller.session.person, str(caller.session.workspace))
        if entry is None:
            raise SyscallError(
                "ENOENT", "There is nothing to take back in this workspace.", "'system.history' shows what was done."
            )
        return entry

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


def resident_mb() -> float:
    """Memory of this process and its children that is theirs, in MB: PSS, so that shared pages count once."""
    total = 0
    for pid in [os.getpid(), *_descendants(os.getpid())]:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
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


def _told(entry: Entry) -> str:
    what = ", ".join(f"{k}={_short(v)}" for k, v in entry.call.get("args", {}).items())
    return f"{entry.call['syscall']} {what}".strip()


def _short(value: Any) -> str:
    line = " ".join(str(value).split())
    return line if len(line) <= 48 else line[:47] + "…"
