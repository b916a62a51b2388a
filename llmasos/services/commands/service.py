"""system.run: a native command, kept before, run confined, shown while it runs, compared after."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from llmasos.core.base.errors import LlmasosError, NeedsAnswer, PluginError, SyscallError
from llmasos.core.base.values import text
from llmasos.core.kernel.journal import Journal
from llmasos.core.kernel.sandbox import Command, Launcher, Running
from llmasos.core.kernel.sandbox.landlock import Place
from llmasos.core.kernel.sandbox.root import PROGRAMS
from llmasos.core.kernel.session import Consent
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.syscall import inverse, syscall
from llmasos.core.kernel.trap import Caller
from llmasos.services.commands import keeping
from llmasos.services.commands.changes import Change, Changes, compare, summary
from llmasos.services.commands.keeping import Before, Kept
from llmasos.services.commands.output import LIMIT, Output
from llmasos.services.commands.restore import lost, restore
from llmasos.services.commands.survey import UnkeptError, survey
from llmasos.services.commands.typed import RUN, typed
from llmasos.services.files import effects
from llmasos.services.files.place import TRASH
from llmasos.services.files.space import Space
from llmasos.services.files.task import in_thread

log = logging.getLogger(__name__)
T = TypeVar("T")

SECONDS = 600.0
"""How long a command may take."""
POLITE = 1.0
"""Seconds that an interrupted command has for its own end."""
LATE = 124
"""The exit code of one that took too long, as timeout(1) has it."""
SHELL = "/bin/sh"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INVERSE = "system.unrun"
NOT_ALL = "changes files, may not be undone"
_AGREED = "commands.unkept"
_TOO_MUCH = frozenset({"/", "/dev", "/etc", "/proc", "/sys", "/tmp", *PROGRAMS})  # noqa: S108 - places to refuse
_NOT_DONE = re.compile(r"\b(?:chmod|chown|chgrp|touch|setfattr|setfacl)\b")
"""What is answered and not done where a command can see the whole machine."""


@dataclass(frozen=True, slots=True)
class _Bounds:
    """What a command is held to.

    Attributes:
        workspace: Its real path.
        closed: What lies in it and is none of a command's business.
        hidden: Whether it sees nothing of the machine but programs and the workspace.
    """

    workspace: Path
    closed: tuple[Path, ...]
    hidden: bool

    @property
    def skipped(self) -> list[str]:
        """That as paths from the top."""
        return [str(path.relative_to(self.workspace)) for path in self.closed]


class Commands:
    """Native commands.

    Args:
        launcher: Starts them.
        store: Where pre-images are kept.
        private: What no command may touch, the system's own home above all.
        seconds: How long a command may take.
    """

    def __init__(
        self, launcher: Launcher, store: Store, *, private: Sequence[Path] = (), seconds: float = SECONDS
    ) -> None:
        self._launcher = launcher
        self._store = store
        self._private = tuple(private)
        self._seconds = seconds
        self._keeping = asyncio.Lock()  # guards the record of pre-images

    @syscall(RUN, effect="write", spoken=False)
    async def run(self, caller: Caller, command: str) -> dict[str, Any]:
        """Run a native command, confined to the workspace. Only a person does, by typing it behind a "!".

        Args:
            command: What a shell (sh) is to run.
        """
        _check_typed(caller, command)
        space = Space.of(caller.session, self._private)
        bounds = await self._bounds(space)
        unkept = await self._kept(caller, bounds)
        output = Output()
        code, late = 0, False
        try:
            code, late = await self._run(caller, self._order(command, space, bounds), output)
        finally:
            changes = await _completed(self._settled(caller.kernel.journal, caller.entry.id if caller.entry else 0))
        told = [f"exit code {code}"] if code else []
        told += [f"stopped after {self._seconds:g} seconds"] if late else []
        told += [f"only the first {LIMIT >> 20} MB are kept"] if output.is_cut else []
        told += _of_changes(changes, unkept)
        if not bounds.hidden and _NOT_DONE.search(command):
            told.append("modes, owners and times of files can't be changed by commands on this machine")
        return {**text(output.text, source="system", note="; ".join(told)), "exit": code}

    @inverse(INVERSE)
    async def unrun(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Make everything what it was that a command changed."""
        workspace = Path(payload["root"])
        if "before" in payload:  # a crash, and nobody could look what it had changed until now
            before = _before(payload)
            changes = (await in_thread(lambda stop: compare(workspace, before, payload["skipped"], stop))).changes
        else:
            changes = [Change.from_json(one) for one in payload["changes"]]
        if not changes:
            return "The command had changed nothing."
        await in_thread(lambda stop: restore(workspace, changes, payload["spare"], self._store.get_blob, stop))
        gone = lost(changes)
        beside = f" {', '.join(gone[:3])} can't be brought back: no file, folder or link." if gone else ""
        return f"Took back what the command changed: {summary(changes)}.{beside}"

    async def settle(self, journal: Journal) -> None:
        """Look what commands had changed that an earlier kernel was killed over, before anything else is changed."""
        if self._store.frozen:
            return  # whoever may write again finds them
        for entry in journal.undecided():
            if entry.inverse and entry.inverse["name"] == INVERSE:
                try:
                    await self._settled(journal, entry.id)
                except (LlmasosError, OSError) as error:  # the workspace may be on a disk that isn't there
                    log.warning("what entry %d had changed isn't known: %s", entry.id, error)

    # Before

    async def _bounds(self, space: Space) -> _Bounds:
        """Where a command may go.

        Raises:
            SyscallError: EPERM, the workspace is no place for one.
        """
        try:
            layers = await self._launcher.check_commands()
        except PluginError as error:
            raise SyscallError("EPERM", error.what, error.remedy) from None
        if str(space.root) in _TOO_MUCH or space.is_private(space.root):
            raise SyscallError(
                "EPERM", f"No command is run in {space.root}: it may change all of its workspace.", "Start elsewhere."
            )
        inside = {path for path in space.private if path.is_relative_to(space.root) and path.exists()}
        closed = sorted(path for path in inside if not inside & set(path.parents))
        hidden = layers.hidden and not layers.lacking
        if closed and not hidden:
            raise SyscallError(
                "EPERM",
                f"{closed[0]} lies in the workspace, and can't be hidden from a command on this machine.",
                "Start in a folder beside it, or use another --home.",
            )
        trash = space.root / TRASH
        if hidden and trash.is_dir() and not trash.is_symlink():
            closed.append(trash)
        return _Bounds(space.root, tuple(closed), hidden)

    async def _kept(self, caller: Caller, bounds: _Bounds) -> str:
        """Keep what the workspace is; why it can't be, empty where it was kept.

        Raises:
            SyscallError: EACCES, the person said no.
            NeedsAnswer: Nobody is there to say whether it may run all the same.
        """
        workspace, skipped = bounds.workspace, bounds.skipped
        async with self._keeping:
            try:
                before = await in_thread(lambda stop: _seal(self._store, workspace, skipped, stop))
            except UnkeptError as error:
                why = str(error)
            else:
                self._hand_over(caller, workspace, skipped, before)
                return ""
        await _agreed(caller, why)
        return why

    def _hand_over(self, caller: Caller, workspace: Path, skipped: list[str], before: Before) -> None:
        """Let the pre-images belong to the journal's entry, before the command runs."""
        payload = {
            "root": str(workspace),
            "skipped": skipped,
            "spare": effects.temporary(),
            "before": {path: kept.to_json() for path, kept in before.items()},
        }
        with self._store.transaction():
            caller.prepare(INVERSE, payload, blobs=keeping.blobs(before.values()))
            self._store.delete(keeping.KIND, str(workspace))

    def _order(self, command: str, space: Space, bounds: _Bounds) -> Command:
        about = bounds.workspace.stat()
        environment = {"PATH": PATH, "LANG": os.environ.get("LANG") or "C.UTF-8", "TERM": "dumb"}
        return Command(
            [SHELL, "-c", command],
            Place(str(bounds.workspace), about.st_dev, about.st_ino),
            str(space.here.path),
            environment,
            [str(path) for path in bounds.closed],
        )

    # While it runs

    async def _run(self, caller: Caller, order: Command, output: Output) -> tuple[int, bool]:
        """Run it; its exit code, and whether it took too long."""
        try:
            running = await self._launcher.run(order)
        except PluginError as error:
            raise SyscallError("EPERM", error.what, error.remedy) from None
        try:
            async with asyncio.timeout(self._seconds):
                await _follow(caller, running, output)
                code = await running.ended()
        except TimeoutError:
            return LATE, True
        except PluginError as error:
            raise SyscallError("EPERM", error.what, "'llmasos doctor' looks what is wrong.") from None
        except OSError:  # whoever reads the output has gone
            return 128 + 13, False
        finally:
            await _completed(_end(running))
        return (128 - code if code is not None and code < 0 else code or 0), False

    # After

    async def _settled(self, journal: Journal, entry_id: int) -> Changes | None:
        """Compare, and keep only what is needed to take the changes back; None where nothing was kept."""
        entry = journal.get(entry_id) if entry_id else None
        payload = entry.inverse["payload"] if entry and entry.inverse else {}
        if "before" not in payload:
            return None
        workspace, before = Path(payload["root"]), _before(payload)
        async with self._keeping:
            changes = await in_thread(lambda stop: compare(workspace, before, payload["skipped"], stop))
            narrowed = {
                "root": payload["root"],
                "spare": payload["spare"],
                "changes": [change.to_json() for change in changes.changes],
            }
            with self._store.transaction():
                released = keeping.give_back(self._store, workspace, changes.unchanged)
                journal.narrow_inverse(
                    entry_id,
                    narrowed if changes.changes else None,
                    blobs=keeping.blobs(change.before for change in changes.changes if change.before),
                    released=released,
                )
        return changes


def _check_typed(caller: Caller, command: str) -> None:
    """Let through what a person typed behind a "!" in a shell; the request is the line that they typed.

    Raises:
        SyscallError: EPERM, it came in another way.
    """
    if caller.process.program != "shell" or typed(caller.request) != command:
        raise SyscallError(
            "EPERM", "A native command is only run where a person types it.", "In the shell, type '!' and the command."
        )


def _seal(store: Store, workspace: Path, skipped: list[str], stop: Any) -> Before:
    found = survey(workspace, skipped, stop, bounded=True)
    return keeping.keep(store, workspace, found.things, stop)


def _before(payload: dict[str, Any]) -> Before:
    return {path: Kept.from_json(one) for path, one in payload["before"].items()}


async def _agreed(caller: Caller, why: str) -> None:
    """Ask whether a command may run that can't be taken back."""
    if caller.session.state.get(_AGREED):
        return
    note = f"What it changes can't be undone: {why}."
    question = Consent(caller.call, {"command": caller.call.args["command"]}, NOT_ALL, "undo", caller.process.subject,
                       note=note)  # fmt: skip
    answer = await caller.session.front.consent(question)
    if answer is None:
        raise NeedsAnswer(f"The command asks for consent and nobody is there to give it. {note}", "Say it with --yes.")
    if answer == "no":
        raise SyscallError("EACCES", "The command was not run: you said no.")
    if answer == "session":
        caller.session.state[_AGREED] = True


async def _follow(caller: Caller, running: Running, output: Output) -> None:
    """Show what it writes."""
    front = caller.session.front
    await front.written("")  # what is shown from now on is its
    async with contextlib.aclosing(running.output()) as pieces:
        async for piece in pieces:
            shown = output.add(piece)
            if shown:
                await front.written(shown)
    rest = output.end()
    if rest:
        await front.written(rest)


async def _end(running: Running) -> None:
    """End a command that goes on, politely first."""
    if not running.is_gone:
        running.interrupt()
        await running.gone(within=POLITE)
    await running.end()
    running.close()


async def _completed(work: Coroutine[Any, Any, T]) -> T:
    """Wait until work is done, whatever becomes of who waits: it puts things in order."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled:
        if not task.cancelled() and task.exception():
            log.error("what follows a command failed", exc_info=task.exception())
        raise cancelled
    return task.result()


def _of_changes(changes: Changes | None, unkept: str) -> list[str]:
    """What the person should know of what it changed."""
    if unkept:
        return [f"what it changed can't be undone: {unkept}"]
    if changes is None:
        return []
    told = [f"changed {summary(changes.changes)}, 'undo' takes it back"] if changes.changes else []
    if changes.unseen:
        told.append(f"what it changed in {', '.join(changes.unseen[:3])} can't be undone, that can't be read")
    return told
