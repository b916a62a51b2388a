"""The front end of a session whose person is at a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.status import Status

from llmasos.core.base.types import Call, Result
from llmasos.core.kernel.session import Answer, Consent
from llmasos.services.commands.typed import RUN
from llmasos.services.interpreter.reading import Reading
from llmasos.shell import keyboard, lines, questions, views
from llmasos.shell.flow import Flow
from llmasos.shell.safe import safe

WORKING = "working"
INTERRUPTED = "Interrupted."
DONE_BEFORE = "Done before that:"
IN_THE_MIDDLE = "Stopped in the middle, look whether it was done:"
YES = "yes, as it was said with --yes"

PATIENCE = 0.3
"""Seconds before a spinner appears; most requests are done by then."""


class TerminalFront:
    """Shows calls and results to a person, and asks them.

    Args:
        console: Where to; the terminal where None.
        yes: Consent to what policy asks about.
    """

    def __init__(self, console: Console | None = None, *, yes: bool = False) -> None:
        self.console = console or Console(markup=False, emoji=False, highlight=False)
        self.yes = yes
        self._flow: Flow | None = None
        self._wrote = False
        """Whether a command shows what it writes."""
        self._begun = False
        """Whether it has begun a line that it hasn't ended."""
        self._spinner: Status | None = None
        self._soon: asyncio.TimerHandle | None = None
        self.begin()

    def begin(self, waiting: str = "") -> None:
        """A request begins.

        Args:
            waiting: What to say while nothing can be shown yet.
        """
        self._calls = 1
        self._number = 0
        self._agreed: list[Call] = []
        self._running: list[tuple[Call, str]] = []
        self._effects: list[tuple[str, bool]] = []
        if waiting:
            self._wait(waiting)

    def understood(self, reading: Reading) -> None:
        """What a sentence was read as, before any of it runs."""
        self._stop_waiting()
        self._calls = len(reading.program)
        self.console.print(lines.understood(reading), overflow="fold")
        self._wait(WORKING)

    async def before(self, call: Call, shown: Mapping[str, str], effect: str) -> None:
        """Show the call with resolved values, unless the person has just agreed to exactly that."""
        self._settle()
        line = lines.call(call.syscall, shown, effect, number=self._place())
        self._running.append((call, line.plain))
        if call in self._agreed:  # shown with the question
            self._agreed.remove(call)
        elif call.syscall != RUN:  # else it is what was typed
            self.console.print(line, overflow="fold")
        self._wait(WORKING)

    async def after(self, result: Result) -> None:
        """Show what came of a call; words that were streamed aren't shown again."""
        streamed = self._settle()
        self.console.print(views.result(result, number=self._place(), streamed=streamed))
        if self._running and self._running[-1][0] == result.call:
            _, line = self._running.pop()
            if result.ok:
                self._effects.append((line, result.undoable))
        if not self._running:
            self._number += 1
        if result.ok and self._number < self._calls:
            self._wait(WORKING)

    async def words(self, piece: str) -> None:
        """Show a piece of a text as it comes."""
        self._stop_waiting()
        self._flow = self._flow or Flow(self.console.width)
        self._write(self._flow.feed(piece))

    async def written(self, piece: str) -> None:
        """Show what a command writes, as it comes and line by line as it is."""
        self._wrote = True
        shown = safe(piece)
        if shown:
            self._stop_waiting()
            self._write(shown)
            self._begun = not shown.endswith("\n")

    async def consent(self, question: Consent) -> Answer | None:
        """Ask before an effect; no answer is a no."""
        self._settle()
        self.console.print(questions.consent(question))
        if self.yes:
            self.console.print(views.note(YES))
            self._agreed = [one.call for one in (question, *question.others)]
            return "once"
        keyboard.forget_typed()
        about, prompt = question.call.syscall if question.pattern else "", questions.prompt(question)
        while (answer := questions.answer(await questions.ask(prompt), about=about)) is None:
            if about:
                self.console.print(views.note(questions.NO_ANSWER))
        if answer != "no":
            self._agreed = [one.call for one in (question, *question.others)]
        return answer

    async def choose(self, question: str, options: Sequence[str]) -> int | None:
        """Ask which one; an empty line chooses none."""
        self._settle()
        self.console.print(questions.options(question, options))
        keyboard.forget_typed()
        while typed := await questions.ask(questions.CHOICE):
            index = questions.picked(typed, options)
            if index is not None:
                return index
            self.console.print(views.note(questions.NOT_ONE))
        return None

    async def explain(self, question: str, options: Sequence[str]) -> int | str | None:
        """Ask which reading is right; any other words say what was meant, an empty line nothing."""
        self._settle()
        self.console.print(questions.options(question, options))
        self.console.print(views.note(questions.OR_EXPLAIN))
        keyboard.forget_typed()
        while typed := await questions.ask(questions.CHOICE):
            answer = questions.explained(typed, options)
            if answer is not None:
                return answer
            self.console.print(views.note(questions.OR_EXPLAIN))
        return None

    async def secret(self, question: str, *, hidden: bool = True) -> str | None:
        """Ask for something that isn't kept, and isn't shown while it is typed; an empty line is none."""
        self._settle()
        keyboard.forget_typed()
        return await questions.ask(f"{question} ", hidden=hidden) or None

    def interrupted(self) -> None:
        """Say what an interrupted request has already done."""
        self._settle()
        self.console.print(views.note(INTERRUPTED))
        if self._effects:
            self.console.print(views.note(DONE_BEFORE))
        for line, undoable in self._effects:
            self.console.print(f"  ✓ {line}", overflow="fold", end="" if undoable else "\n")
            if undoable:
                self.console.print(views.note(f"  {views.UNDO}"))
        for _, line in self._running:
            self.console.print(views.note(IN_THE_MIDDLE))
            self.console.print(f"  ? {line}", overflow="fold")

    def pause(self) -> None:
        """Make room for something else on the screen; the request goes on."""
        self._settle()

    def end(self) -> None:
        """The request is over, however it ended."""
        self._settle()

    def _place(self) -> int:
        """The number of the call in its program; 0 where it is the only one."""
        return self._number + 1 if self._calls > 1 else 0

    def _settle(self) -> bool:
        """Leave the spinner and the stream; whether there was a stream."""
        self._stop_waiting()
        streamed, self._wrote = self._wrote, False
        if self._begun:
            self._begun = False
            self._write("\n")
        if self._flow is None:
            return streamed
        self._write(self._flow.end())
        self._flow = None
        return True

    def _write(self, text: str) -> None:
        if text:
            self.console.out(text, end="", highlight=False)

    def _wait(self, words: str) -> None:
        self._stop_waiting()
        if self.console.is_terminal and not self.console.is_dumb_terminal:
            self._soon = asyncio.get_running_loop().call_later(PATIENCE, self._spin, words)

    def _spin(self, words: str) -> None:
        self._spinner = self.console.status(views.note(f"{words}…"), spinner="dots")
        self._spinner.start()

    def _stop_waiting(self) -> None:
        if self._soon:
            self._soon.cancel()
            self._soon = None
        if self._spinner:
            self._spinner.stop()
            self._spinner = None
