"""One request: what a person typed becomes calls and their results. Shell, `-c`, API and server share this function."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from llmasos.core.base.errors import LlmasosError, NeedsAnswer, NotUnderstood, SyscallError, UsageError
from llmasos.core.base.types import Call, Program, Result, to_records
from llmasos.core.base.values import text
from llmasos.core.kernel import program as programs
from llmasos.core.kernel.labels import PIPED
from llmasos.core.kernel.process import Process
from llmasos.core.kernel.session import Session
from llmasos.core.kernel.trap import Kernel
from llmasos.services.commands.typed import RUN, typed
from llmasos.services.files import cd, pwd
from llmasos.services.interpreter import dialogue, names
from llmasos.services.interpreter.asked import Typed, asked
from llmasos.services.interpreter.conversations import Conversations
from llmasos.services.interpreter.dialogue import Dialogue
from llmasos.services.interpreter.explicit import habit, written_call
from llmasos.services.interpreter.interpreter import Context, Interpreter
from llmasos.services.interpreter.kept import CHOSEN, KeptReadings
from llmasos.services.interpreter.reading import Reading, say
from llmasos.services.jobs import Jobs
from llmasos.services.jobs.orders import Order, plain_order
from llmasos.services.outcome import OnReading, Outcome, Way
from llmasos.services.safety import Moderation

log = logging.getLogger(__name__)

NamesOf = Callable[[Session], Awaitable[Iterable[str]]]
"""Names of the things there are in a session's view."""
NEITHER = "neither"


class Requests:
    """Understands and runs requests.

    Args:
        kernel: Whose door the calls go through.
        interpreter: What reads sentences.
        kept: Readings that persons corrected or confirmed; None keeps none.
        names: Where names of things come from.
        apps: Which apps are installed; None where there are none.
        private: Folders that `cd` can't enter.
        jobs: Takes orders for the background; None where there are none.
        conversations: Where sessions go on with the one before; None where they don't.
        moderation: Knows a person in a crisis; None where nothing looks.
    """

    def __init__(
        self,
        kernel: Kernel,
        interpreter: Interpreter,
        *,
        kept: KeptReadings | None = None,
        names: Sequence[NamesOf] = (),
        apps: Callable[[], Collection[str]] | None = None,
        private: Sequence[Path] = (),
        jobs: Jobs | None = None,
        conversations: Conversations | None = None,
        moderation: Moderation | None = None,
    ) -> None:
        self._kernel = kernel
        self._interpreter = interpreter
        self._kept = kept
        self._names = tuple(names)
        self._apps = apps
        self._private = tuple(private)
        self._jobs = jobs
        self._conversations = conversations
        self._moderation = moderation

    async def understand(
        self, session: Session, line: str, *, appended: str = "", before: tuple[str, Program] | None = None
    ) -> tuple[Reading, Way]:
        """The program that a line means; nothing is run.

        Args:
            session: Whose line.
            line: What was typed.
            appended: What was piped in; the sentence is about it.
            before: The exchange that the line leans on.

        Raises:
            NotUnderstood: Empty, too long, or nothing fits.
        """
        appended = appended.strip()
        command = typed(line)
        if command is not None:
            return Reading((Call(RUN, {"command": command}),), 1.0), "call"
        written = written_call(line, self._kernel.table)
        if written:
            return Reading(written, 1.0), "call"
        if not appended:
            habitual = self._habit(session, line)
            if habitual:
                return Reading(habitual, 1.0), "habit"
            explained = self._kept.recall(session.person, line) if self._kept else None
            if explained is not None and all(call.syscall in self._kernel.table for call in explained):
                return Reading(explained, 1.0), "kept"
            shown = asked(line, self._kernel.table)
            if isinstance(shown, Typed):
                raise NotUnderstood("No sentence does that yet; it is a call that is typed.", f"Type: {shown.line}")
            if shown:
                return Reading(shown, 1.0), "habit"
        said = f"{line.strip()}\n\n{appended}" if appended else line
        context = Context(
            before=before,
            like=self._kept.like(session.person, line) if self._kept else None,
            names=names.meant(line, await self._there(session)),
            appended=bool(appended),
        )
        return await self._interpreter.interpret(said, context=context), "model"

    def _habit(self, session: Session, line: str) -> Program | None:
        return habit(line, lambda path: _exists(session, path), self._apps() if self._apps else ())

    async def _there(self, session: Session) -> list[str]:
        """Names of what there is; a source that fails costs its names, not the sentence."""
        found: list[str] = []
        for names_of in self._names:
            try:
                found += await names_of(session)
            except (LlmasosError, OSError) as error:
                log.warning("names are missing: %s", error)
        return found

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
        command = typed(line)
        if command is not None:
            return await self._commanded(process, session, line, command, appended)
        moved = await self._moved(session, line)
        if moved:
            return Outcome(Reading((), 1.0), (moved,), "habit")
        if not appended:
            ordered = await self._ordered(process, session, line)
            if ordered:
                return ordered
        talk = self._dialogue(session)
        said, before = dialogue.meant(line), talk.before(line)
        # "No, I meant ..." is about the sentence before, and a second one about the same.
        corrected = (talk.corrected or talk.said) if said else ""
        again = talk.again(line) or self._aid(line, talk.said)
        talk.begin(line, corrected)
        wanted = said if corrected else line
        way: Way = "habit"
        reading = Reading(again, 1.0)
        if not again:
            reading, way = await self.understand(session, wanted, appended=appended, before=before)
        teaches = corrected
        if reading.alternative is not None:
            reading, picked = await self._asked(session, reading)
            teaches = line if picked else ""
        if way in ("model", "kept"):
            reading = await self._resolved(session, reading)
            if on_reading and not teaches and reading.program:
                on_reading(reading)
        if not reading.program:
            raise NotUnderstood(
                "I don't know what to do with that.", "Say it in other words, or '?' for what can be said."
            )
        labels = frozenset({PIPED}) if appended.strip() else frozenset[str]()
        results = await programs.run(self._kernel, process, session, reading.program, request=line, labels=labels)
        talk.note(reading.program, results)
        self._remember(session, talk)
        outcome = Outcome(reading, tuple(results), way)
        if self._kept and teaches and outcome.ok and _said_in(reading.program, teaches):
            self._kept.keep(session.person, teaches, reading.program)
            outcome = replace(outcome, kept=teaches)
        return outcome

    async def _commanded(self, process: Process, session: Session, line: str, command: str, appended: str) -> Outcome:
        """What came of a native command; it is no part of the conversation."""
        if appended.strip():
            raise UsageError("A native command gets nothing that is piped in.", "Put it into a file, and name that.")
        call = Call(RUN, {"command": command})
        result = await self._kernel.trap(process, session, call, request=line)
        return Outcome(Reading((call,), 1.0), (result,), "call")

    def _aid(self, line: str, before: str) -> Program:
        """The program for a line of a person in a crisis, which no model should read as an order; else empty."""
        if (
            self._moderation is None
            or written_call(line, self._kernel.table)
            or "assistant.answer" not in self._kernel.table
        ):
            return ()
        aid = self._moderation.aid(line, [before])
        return (Call("assistant.answer", {"question": line}),) if aid else ()

    def _dialogue(self, session: Session) -> Dialogue:
        """The memory of a session's conversation; in another folder than before, names of files mean others.

        Empty again where something was erased for good since: it may have been shown.
        """
        if "dialogue" not in session.state or (self._conversations and not self._conversations.holds(session)):
            resumed = self._conversations.resume(session) if self._conversations else Dialogue()
            session.state["dialogue"] = resumed
        talk = session.state["dialogue"]
        assert isinstance(talk, Dialogue)
        if talk.folder != session.cwd:
            talk.moved(session.cwd)
        return talk

    def _remember(self, session: Session, talk: Dialogue) -> None:
        """Keep the conversation for the next session."""
        # In a home where nothing may be changed a session talks all the same.
        if self._kernel.store.frozen:
            return
        if self._conversations and session.resumes and self._conversations.holds(session):
            self._conversations.keep(session, talk)

    async def _ordered(self, process: Process, session: Session, line: str) -> Outcome | None:
        """What came of a line that orders a background job; None where it is an ordinary request."""
        order = self._order(session, line)
        if order is None:
            return None
        if typed(order.rest) is not None:
            raise UsageError("A native command runs where you wait for it, not in the background.", "Type it alone.")
        reading, _ = await self.understand(session, order.rest)
        if order.fits(reading.program, self._is_text) and reading.alternative is not None:
            reading, _ = await self._asked(session, reading)
        if not order.fits(reading.program, self._is_text):
            return None
        talk = self._dialogue(session)
        talk.begin(line, "")
        reading = await self._resolved(session, reading)
        args = {"program": json.dumps(to_records(reading.program), ensure_ascii=False), "said": order.rest}
        call = Call("jobs.add", {**args, **({"when": order.when} if order.when else {})})
        result = await self._kernel.trap(process, session, call, request=line)
        talk.note((), [result])
        return Outcome(replace(reading, program=(call,)), (result,), "call")

    def _order(self, session: Session, line: str) -> Order | None:
        """The order in a line; what is written out or was once explained is only ordered by "&"."""
        if self._jobs is None:
            return None
        order = plain_order(line)
        if order is not None:
            return order
        known = (
            written_call(line, self._kernel.table)
            or self._habit(session, line)
            or (self._kept.recall(session.person, line) if self._kept else None)
        )
        return None if known else self._jobs.order(line)

    def _is_text(self, syscall: str, argument: str) -> bool:
        """Whether an argument is free text that names nothing."""
        if syscall not in self._kernel.table:
            return False
        return any(a.name == argument and a.is_text and not a.kind for a in self._kernel.table[syscall].arguments)

    async def _resolved(self, session: Session, reading: Reading) -> Reading:
        """The reading with "it" and "the second one" replaced by what was shown; asks where several are meant."""
        talk = self._dialogue(session)
        picked: dict[tuple[int, str], str] = {}
        for number, call in enumerate(reading.program):
            for argument in call.args:
                meant = talk.candidates(call, argument, names_thing=self._names_thing(call, argument))
                many = dialogue.points_at_many(str(call.args[argument]))
                if many and len(meant) > dialogue.MOST:
                    raise NotUnderstood(
                        f"{call.args[argument]!r} means {len(meant)} things; at most {dialogue.MOST} are done at once.",
                        "Name fewer of them, or what holds them.",
                    )
                if len(meant) > 1 and not many:
                    index = await session.front.choose(f"Which one is {call.args[argument]!r}?", meant)
                    if index is None:
                        raise NeedsAnswer(
                            f"{call.args[argument]!r} could be {len(meant)} things: {', '.join(meant[:8])}.",
                            "Say which one.",
                        )
                    picked[number, argument] = meant[index]
        return replace(reading, program=talk.resolved(reading.program, picked, self._names_thing))

    def _names_thing(self, call: Call, argument: str) -> bool:
        """Whether an argument names something that is there, by the table."""
        if call.syscall not in self._kernel.table:
            return False
        return any(a.name == argument and a.kind for a in self._kernel.table[call.syscall].arguments)

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

    async def _asked(self, session: Session, reading: Reading) -> tuple[Reading, bool]:
        """The reading that the person picks of the two likeliest ones, or explains; and whether they did."""
        assert reading.alternative is not None
        options = [say(reading.program), say(reading.alternative), NEITHER]
        answer = await session.front.explain("I'm not sure what you mean:", options)
        if answer is None:
            if self._changes(reading.program):
                raise NeedsAnswer(
                    f"That could mean two things. {reading.ask}", "Say it more plainly, or write the call out."
                )
            return reading, False
        if isinstance(answer, str):
            explained, _ = await self.understand(session, answer)
            if explained.alternative is not None:
                raise NeedsAnswer(
                    f"That could mean two things too. {explained.ask}", "Write the call out, as 'files.read notes.md'."
                )
            return explained, True
        choices: tuple[Program, ...] = (reading.program, reading.alternative, ())
        return Reading(choices[answer], reading.confidence, ms=reading.ms), True

    def _changes(self, program: Program) -> bool:
        return any(
            call.syscall in self._kernel.table and self._kernel.table[call.syscall].effect != "read" for call in program
        )


def _said_in(program: Program, line: str) -> bool:
    """Whether a program could be read from a sentence: all its text stands there, or it has none."""
    folded = line.casefold()
    return all(
        value.casefold() in folded or argument in call.references or argument in CHOSEN
        for call in program
        for argument, value in call.args.items()
        if isinstance(value, str)
    )


def _exists(session: Session, path: str) -> bool:
    """Whether a typed path is there; only decides between a habit and a sentence, so nothing is opened."""
    try:
        return (session.workspace / session.cwd / path).exists()
    except (OSError, ValueError):
        return False
