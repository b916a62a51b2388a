"""tasks.*: to-dos with a priority and a due time."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC
from typing import Annotated, Any, Literal

from llmasos.core.base.clock import Clock
from llmasos.core.base.errors import SyscallError
from llmasos.core.base.values import done, items, sourced
from llmasos.core.kernel.labels import kept
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.syscall import Kind, inverse, syscall
from llmasos.core.kernel.trap import Caller
from llmasos.services import matching
from llmasos.services.asking import Once
from llmasos.services.changes import change, take_back
from llmasos.services.schedule import words
from llmasos.services.schedule.event import shown

KIND = "task"
Priority = Literal["low", "normal", "high", "urgent"]
Status = Literal["open", "done", "all"]
_URGENCY = {"urgent": 0, "high": 1, "normal": 2, "low": 3}
TITLE_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Task:
    """One to-do.

    Attributes:
        id: Random.
        title: As said.
        due: When it is due, as said; empty where nothing was.
        deadline: The last moment of that, UTC; empty where it couldn't be read ("before the first frost").
        due_shown: The resolved day or time for people.
        priority: low, normal, high, urgent.
        created: UTC.
        completed: UTC; empty while it is open.
        by: The subject that entered it.
        sources: Whose words these are, as labels name it, where they aren't the person's.
    """

    id: str
    title: str
    due: str
    deadline: str
    due_shown: str
    priority: Priority
    created: str
    completed: str
    by: str
    sources: list[str] = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Whether it is still to be done."""
        return not self.completed


class Tasks:
    """To-dos.

    Args:
        store: Where they are kept.
        clock: What due times are counted from.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @syscall("tasks.add", effect="write", preview="preview_add")
    async def add(
        self, caller: Caller, title: str, due: str | None = None, priority: Priority = "normal"
    ) -> dict[str, Any]:
        """Add a to-do.

        Args:
            title: What is to be done.
            due: By when, in words.
            priority: How pressing it is.

        Examples:
            I have to renew my passport by the end of next month
            new to-do: descale the kettle
            urgent: sign the lease before Friday
            待办加一条:周五前给物业回电话
        """
        title = title.strip()
        if not title:
            raise SyscallError("EINVAL", "The task has no title.", "Say what is to be done.")
        if len(title) > TITLE_LIMIT:
            raise SyscallError("E2BIG", f"The title has {len(title)} characters; {TITLE_LIMIT} is the limit.")
        deadline, due_shown = self._deadline(due)
        task = Task(
            id=secrets.token_hex(6),
            title=title,
            due=due or "",
            deadline=deadline,
            due_shown=due_shown,
            priority=priority,
            created=self._now(),
            completed="",
            by=caller.process.subject,
            sources=kept(caller.call),
        )
        if any(t.open and t.title.casefold() == title.casefold() and t.deadline == deadline for t in self._tasks()):
            raise SyscallError("EEXIST", f"{title!r} is on the list already.")
        await self._change(caller, task, task)
        note = "" if not due or due_shown else f"{due!r} is kept as said; it can't be put on the calendar."
        message = f"Added {title!r}{f', due {due_shown or due}' if due else ''}."
        return done(message, ref=title, note=note, sources=task.sources)

    async def preview_add(
        self, caller: Caller, title: str, due: str | None = None, priority: Priority = "normal"
    ) -> dict[str, str]:
        """The resolved due time."""
        _, due_shown = self._deadline(due)
        return {"due": due_shown} if due_shown else {}

    @syscall("tasks.list", effect="read")
    async def overview(self, caller: Caller, status: Status = "open") -> dict[str, Any]:
        """Show the to-dos, the most urgent first.

        Args:
            status: Which of them.

        Examples:
            what still needs doing?
            everything I have ticked off so far
            read out my to-do list
            还有哪些事没做
        """
        now = self._now()
        wanted = [task for task in self._tasks() if status == "all" or task.open == (status == "open")]
        wanted.sort(key=lambda t: (not t.open, _urgency(t, now), t.deadline or "9999", t.created))
        refs = self._refs(wanted)
        rows = [
            sourced(
                {
                    "ref": refs[task.id],
                    "title": task.title,
                    "due": (task.due_shown or task.due) + (" (overdue)" if _overdue(task, now) else ""),
                    "priority": task.priority if task.priority != "normal" else "",
                    "status": "open" if task.open else "done",
                },
                task.sources,
            )
            for task in wanted
        ]
        columns = ["title", "due", "priority"] + (["status"] if status == "all" else [])
        columns += ["source"] if any(task.sources for task in wanted) else []
        return items(
            "task",
            rows,
            columns,
            empty="Nothing has been done yet." if status == "done" else "Nothing is to be done.",
        )

    @syscall("tasks.complete", effect="write", preview="preview_open")
    async def complete(self, caller: Caller, title: Annotated[str, Kind("task")]) -> dict[str, Any]:
        """Tick off a to-do.

        Args:
            title: Which one.

        Examples:
            I've watered the ferns
            check off the tax return
            the invoice for Okafor is out, mark it done
            买菜这件事办完了
        """
        task = await self._meant(caller, title)
        if not task.open:
            raise SyscallError("EINVAL", f"{task.title!r} is done already.")
        await self._change(caller, task, replace(task, completed=self._now()))
        left = sum(t.open for t in self._tasks())
        note = f"{left} left." if left else "Nothing is left."
        return done(f"Done: {task.title!r}.", ref=task.title, note=note, sources=task.sources)

    @syscall("tasks.remove", effect="destroy", preview="preview_any")
    async def remove(self, caller: Caller, title: Annotated[str, Kind("task")]) -> dict[str, Any]:
        """Drop a to-do that needn't be done.

        Args:
            title: Which one.

        Examples:
            forget about painting the fence, strike it from the list
            the errand at the post office can go
            take "call the landlord" off my tasks
            把洗车从待办里删掉
        """
        task = await self._meant(caller, title)
        await self._change(caller, task, None)
        return done(f"Removed {task.title!r} from the list.", ref=task.title, sources=task.sources)

    async def preview_open(self, caller: Caller, title: str) -> dict[str, str]:
        """The to-do that is meant."""
        return {"title": self._label(await self._meant(caller, title))}

    async def preview_any(self, caller: Caller, title: str) -> dict[str, str]:
        """The to-do that is meant."""
        return {"title": self._label(await self._meant(caller, title))}

    @inverse("tasks.restore")
    async def restore(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Put a to-do back as it was before."""
        what = take_back(self._store, payload)
        return f"The task {what} is as it was before."

    async def look(self, caller: Caller, query: str) -> Sequence[dict[str, Any]]:
        """To-dos as rows of `search.find`."""
        tasks = self._tasks()
        refs = self._refs(tasks)
        found = matching.rank(query, tasks, lambda task: [task.title])
        rows = [({"ref": refs[m.item.id], "text": self._label(m.item), "score": m.score}, m.item) for m in found]
        return [sourced(row, task.sources) for row, task in rows]

    async def _change(self, caller: Caller, task: Task, after: Task | None) -> None:
        await change(caller, "tasks.restore", repr(task.title), (KIND, task.id, asdict(after) if after else None))

    def _tasks(self) -> list[Task]:
        return [Task(**record.value) for record in self._store.scan(KIND)]

    def _now(self) -> str:
        return self._clock.now().astimezone(UTC).isoformat(timespec="seconds")

    def _deadline(self, due: str | None) -> tuple[str, str]:
        """When it is due, UTC, and how that is shown; both empty where it can't be read."""
        if not due:
            return "", ""
        now = self._clock.now()
        try:
            found = words.when(due, now)
        except SyscallError:
            return "", ""
        seen = shown(found.start, found.end, found.timed)
        if found.bound == "before":
            seen = f"before {shown(found.start, None, found.timed)}"
        elif found.bound in ("by", "until"):
            last = found.start if found.end is None else found.end
            seen = f"by {shown(last, None, found.timed)}"
        return found.deadline.astimezone(UTC).isoformat(timespec="seconds"), seen

    async def _meant(self, caller: Caller, title: str) -> Task:
        """The to-do that a title means, an open one first."""
        tasks = self._tasks()
        refs = self._refs(tasks)

        def names(task: Task) -> list[str]:
            return [task.title, refs[task.id]]

        for some in ([t for t in tasks if t.open], tasks):
            group = matching.leading(matching.rank(title, some, names))
            if group:
                return await matching.pick(
                    Once(caller), title, [m.item for m in group], names=names, label=self._label, what="task"
                )
        raise matching.missing(title, tasks, names=names, what="task", remedy="'tasks.list' shows the list.")

    def _refs(self, tasks: list[Task]) -> dict[str, str]:
        """Id -> what a later call names it by: its title, and its due time where several have the same."""
        titles = [task.title for task in tasks]
        return {t.id: t.title if titles.count(t.title) == 1 else self._label(t) for t in tasks}

    def _label(self, task: Task) -> str:
        about = [
            text
            for text in (f"due {task.due_shown or task.due}" if task.due else "", "" if task.open else "done")
            if text
        ]
        return f"{task.title} ({', '.join(about)})" if about else task.title


def _overdue(task: Task, now: str) -> bool:
    return task.open and bool(task.deadline) and task.deadline < now


def _urgency(task: Task, now: str) -> int:
    """Priority; what is overdue comes as if it were one step more pressing."""
    return _URGENCY[task.priority] - (1 if _overdue(task, now) else 0)
