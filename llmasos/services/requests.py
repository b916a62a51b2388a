"""One request: what a person typed becomes calls and their results. Shell, `-c`, API and server share this function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from llmasos.core.base.errors import NeedsAnswer, NotUnderstood, SyscallError
from llmasos.core.base.types import Call, Program, Result
from llmasos.core.base.values import text
from llmasos.core.kernel import program as programs
from llmasos.core.kernel.process import Process
from llmasos.core.kernel.session import Session
from llmasos.core.kernel.trap import Kernel
from llmasos.services.files import cd, pwd
from llmasos.services.interpreter.explicit import habit, written_call
from llmasos.services.interpreter.interpreter import Interpreter
from llmasos.services.interpreter.reading import Reading, say

Way = Literal["habit", "call", "model"]
OnReading = Callable[[Reading], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a request.

    Attributes:
        reading: The program and how sure it was; written calls are certain.
        results: One for each call that was tried.
        way: How it was understood: as a habit, a written call, or by the model.
    """

    reading: Reading
    results: tuple[Result, ...]
    way: Way

    @property
    def ok(self) -> bool:
        """Whether all was done."""
        return all(result.ok for result in self.results)


class Requests:
    """Understands and runs requests.

    Args:
        kernel: Whose door the calls go through.
        interpreter: What reads sentences.
        private: Folders that `cd` can't enter.
    """

    def __init__(self, kernel: Kernel, interpreter: Interpreter, *, private: Sequence[Path] = ()) -> None:
        self._kernel = kernel
        self._interpreter = interpreter
        self._private = tuple(private)

    async def understand(self, session: Session, line: str, *, appended: str = "") -> tuple[Reading, Way]:
        """The program that a line means; nothing is run.

        Args:
            session: Whose line.
            line: What was typed.
            appended: What was piped in; the sentence is about it.

        Raises:
            NotUnderstood: Empty, too long, or nothing fits.
        """
        appended = appended.strip()
        written = written_call(line, self._kernel.table)
        if written:
            return Reading(written, 1.0), "call"
        if not appended:
            habitual = habit(line, lambda path: _exists(session, path))
            if habitual:
                return Reading(habitual, 1.0), "habit"
        said = f"{line.strip()}\n\n{appended}" if appended else line
        return await self._interpreter.interpret(said), "model"

    async def handle(
        self, process: Process, session: Session, line: str, *, appended: str = "", on_reading: OnReading | None = None
    ) -> Outcome:
        """Understand a line and run it.

        Args:
            process: Who asks.
            session: Whose line.
            line: What was typed.
            appended: What was piped in.
            on_reading: Told what a sentence was read as, before any of it runs.

        Raises:
            NotUnderstood: Nothing fits.
            NeedsAnswer: It could mean two things, would change something, and nobody is there to say which.
        """
        moved = await self._moved(session, line)
        if moved:
            return Outcome(Reading((), 1.0), (moved,), "habit")
        reading, way = await self.understand(session, line, appended=appended)
        if reading.alternative is not None:
            reading = await self._asked(session, reading)
        elif on_reading and way == "model" and reading.program:
            on_reading(reading)
        if not reading.program:
            raise NotUnderstood(
                "I don't know what to do with that.", "Say it in other words, or '?' for what can be said."
            )
        results = await programs.run(self._kernel, process, session, reading.program, request=line)
        return Outcome(reading, tuple(results), way)

    async def _moved(self, session: Session, line: str) -> Result | None:
        """The result of `cd` and `pwd`, which concern the session alone; None for any other line."""
        command, *rest = line.split(maxsplit=1) or [""]
        if command not in ("cd", "pwd") or (command == "pwd" and rest):
            return None
        call = Call(command, {"path": rest[0]} if rest else {})
        try:
            if command == "cd":
                cd(session, rest[0].strip("\"'") if rest else "~", self._private)
            result = Result(call, value=text(pwd(session), source="system"))
        except SyscallError as error:
            result = Result(call, error=error.code, message=str(error))
        await session.front.after(result)
        return result

    async def _asked(self, session: Session, reading: Reading) -> Reading:
        """The reading that the person picks of the two likeliest ones."""
        assert reading.alternative is not None
        options = [say(reading.program), say(reading.alternative), "neither"]
        index = await session.front.choose("I'm not sure what you mean:", options)
        if index is None and self._changes(reading.program):
            raise NeedsAnswer(
                f"That could mean two things. {reading.ask}", "Say it more plainly, or write the call out."
            )
        chosen: Program = (reading.program, reading.alternative, ())[index or 0]
        return Reading(chosen, reading.confidence, ms=reading.ms)

    def _changes(self, program: Program) -> bool:
        return any(
            call.syscall in self._kernel.table and self._kernel.table[call.syscall].effect != "read" for call in program
        )


def _exists(session: Session, path: str) -> bool:
    """Whether a typed path is there; only decides between a habit and a sentence, so nothing is opened."""
    try:
        return (session.workspace / session.cwd / path).exists()
    except (OSError, ValueError):
        return False
