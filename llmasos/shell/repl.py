"""The shell: a line is read, understood, done, and the next prompt is there.

The prompt doesn't wait for the model, which loads behind it. Ctrl-C ends the request and never the shell.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app_or_none, run_in_terminal
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.styles import Style
from rich.console import RenderableType
from rich.text import Text

from llmasos.client import Client
from llmasos.core.base.errors import LlmasosError, ProcessKilled
from llmasos.core.base.types import Call
from llmasos.core.engine.openai.address import Address, is_remote
from llmasos.services.commands.typed import SIGN
from llmasos.services.files import pwd
from llmasos.shell import consents, greeting, keyboard, policies, questions, readings, views
from llmasos.shell.completion import ShellCompleter
from llmasos.shell.front import TerminalFront
from llmasos.shell.history import KeptHistory
from llmasos.shell.inside import ENTERED, LEAVE, Inside
from llmasos.shell.safe import one_line
from llmasos.shell.toolbar import Toolbar

log = logging.getLogger(__name__)

THINKING = "thinking"
LOADING = "loading the model"
KILLED = "The process of this shell was killed."
DEFECT = "That failed inside llmasos: {kind}: {error}"
DEFECT_REMEDY = "This is a defect; 'llmasos doctor' shows where the log is."
REMINDER, MISSED = "Reminder:", "Missed:"
TIMES = "{count} times since you were here"
SHORT_WORDS = {
    "help": "what can be said",
    "history": "what was done, by whom",
    "undo": "take back the last change; 'undo 3', 'undo #41'",
    "redo": "do again what was taken back",
    "ps": "what runs",
    "jobs": "what runs in the background; 'fg 2' waits for it",
    "readings": "what you explained; 'readings remove 2'",
    "consents": "what you agreed to for longer; 'consents revoke 2'",
    "policy": "'policy explain ...' says what may be done, and why",
    "cd": "go to a folder",
    "pwd": "which folder this is",
    "ls": "list a folder",
    "clear": "an empty screen",
    "exit": "leave",
}

AS_SYSCALL = {"history": "system.history", "ps": "process.list"}
LEAVING = frozenset({"exit", "quit", "logout"})

_STYLE = Style.from_dict(
    {
        "bottom-toolbar": "noreverse #888888",
        "prompt": "ansicyan bold",
        "folder": "ansibrightblack",
        "auto-suggestion": "#777777",
    }
)


async def run(client: Client) -> int:
    """Talk with a person until they leave.

    Args:
        client: The session; its front end becomes a terminal if it isn't one, and its models may still be loading.

    Returns:
        The exit code.
    """
    return await Shell(client).run()


class Shell:
    """One open shell. Arguments as for `run`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        front = client.session.front
        self._front = front if isinstance(front, TerminalFront) else TerminalFront()
        client.session.front = self._front
        self._toolbar = Toolbar(client)
        self._print = self._front.console.print
        self._completer = ShellCompleter(client, SHORT_WORDS)
        self._history = KeptHistory([], self._keep_line)
        self._keeping: set[asyncio.Task[None]] = set()
        self._killed = False
        self._inside: Inside | None = None
        self._show: Callable[[RenderableType], None] = self._print
        self._own_words: dict[str, Callable[[str], Awaitable[None]]] = {
            "?": self._help, "help": self._help, "cd": self._cd, "pwd": self._pwd, "clear": self._clear,
            "readings": self._readings, "consents": self._consents, "policy": self._policy,
        }  # fmt: skip

    async def run(self) -> int:
        """Read and do lines until the person leaves."""
        self._greet()
        self._history = KeptHistory(await self._client.history(), self._keep_line)
        prompt = self._prompt()
        loading = asyncio.create_task(self._watch_loading(prompt))
        show = self._show = self._shower()
        try:
            await self._client.listen(lambda told: show(_told(told)))
            # Between two lines Ctrl-C means nothing, and keys wait for the next prompt.
            with _interrupts(lambda: None), keyboard.unechoed():
                while True:
                    try:
                        line = await prompt.prompt_async()
                    except questions.Interrupted:
                        if self._inside:
                            self._inside.hush()
                        continue
                    except EOFError:
                        if self._inside is None:
                            return 0
                        line = LEAVE
                    line = self._for_shell(line.strip())
                    if line.casefold() in LEAVING:
                        return 0
                    if line and not await self._interruptible(self._do(line)):
                        return 1
                    self._toolbar.refresh()
        finally:
            loading.cancel()
            with suppress(asyncio.CancelledError):
                await loading
            if self._keeping:
                await asyncio.wait(self._keeping)

    def _for_shell(self, line: str) -> str:
        """What of a line is for the shell: all of it, unless the person is inside an app that converses."""
        if self._inside:
            line = self._inside.take(line)
            if self._inside.over:
                self._inside = None
        return line

    async def _do(self, line: str) -> None:
        """Do one line; whatever comes of it, the shell goes on."""
        word, _, rest = line.partition(" ")
        own = self._own_words.get(word) if self._is_own(word, rest.strip()) else None
        waiting = THINKING if self._client.glance().loaded else LOADING
        self._front.begin("" if line.startswith(SIGN) else waiting)
        try:
            if own:
                await own(rest.strip())
            else:
                await self._request(AS_SYSCALL.get(line, line))
        except LlmasosError as error:
            self._front.end()
            self._print(views.error(error))
        except ProcessKilled:
            self._killed = True  # seen by who started this
        except Exception as error:  # the shell outlives its defects; the log has the traceback
            log.exception("a line failed")
            self._front.end()
            what = DEFECT.format(kind=type(error).__name__, error=error)
            self._print(views.error(LlmasosError(what, DEFECT_REMEDY)))
        finally:
            self._front.end()

    def _keep_line(self, line: str) -> None:
        """Keep a line while the person types on."""
        task = asyncio.ensure_future(self._client.keep_line(line))
        self._keeping.add(task)
        task.add_done_callback(self._kept)

    def _kept(self, task: asyncio.Task[None]) -> None:
        self._keeping.discard(task)
        if not task.cancelled() and task.exception():
            log.warning("a line isn't in the history: %s", task.exception())

    async def _request(self, line: str) -> None:
        outcome = await self._client.handle(line, on_reading=self._front.understood)
        if outcome.kept:
            self._print(views.note(questions.REMEMBERED.format(said=one_line(outcome.kept))))
        value = outcome.results[-1].value if outcome.ok and outcome.results else None
        if isinstance(value, Mapping) and value.get("converses"):
            self._inside = Inside(self._client, str(value["ref"]), self._show)
            self._print(views.note(ENTERED.format(app=self._inside.app)))
        program = outcome.reading.program
        if outcome.way == "model" and len(program) == 1:
            # The call as well: from the history it can be changed and made again without the model.
            self._history.append_string(str(program[0]))

    def _is_own(self, word: str, rest: str) -> bool:
        """Whether a line is for the shell itself; "help me write a letter" is for the model."""
        if word == "help":
            rooms = {row.name.partition(".")[0] for row in self._client.table}
            return not rest or rest in rooms or rest in self._client.table
        if word == "readings":
            return not rest or rest.startswith("remove ")
        if word == "consents":
            return rest in ("", "list") or rest.startswith("revoke ")
        if word == "policy":
            return rest.startswith("explain ")
        return word in ("?", "cd") or not rest

    async def _help(self, topic: str) -> None:
        if topic:
            await self._trap(Call("system.help", {"topic": topic}))
        else:
            self._front.end()
            self._print(greeting.help_page())

    async def _cd(self, said: str) -> None:
        self._front.end()
        await self._client.go(said)

    async def _pwd(self, _: str) -> None:
        self._front.end()
        self._print(Text(one_line(pwd(self._client.session))), overflow="fold")

    async def _readings(self, rest: str) -> None:
        number = rest.removeprefix("remove").strip()
        told = [await readings.remove(self._client, number)] if rest else await readings.lines(self._client)
        self._front.end()
        self._print(Text("\n".join(told)), overflow="fold")

    async def _consents(self, rest: str) -> None:
        revoking, _, number = rest.partition(" ")
        revoked = revoking == "revoke"
        told = [await consents.revoke(self._client, number)] if revoked else await consents.lines(self._client)
        self._front.end()
        self._print(Text("\n".join(told)), overflow="fold")

    async def _policy(self, rest: str) -> None:
        told = await policies.lines(self._client, rest.removeprefix("explain").strip())
        self._front.end()
        self._print(Text("\n".join(told)), overflow="fold")

    async def _clear(self, _: str) -> None:
        self._front.end()
        self._front.console.clear()

    async def _trap(self, call: Call) -> None:
        await self._client.trap(call)

    async def _interruptible(self, work: Coroutine[Any, Any, None]) -> bool:
        """Run a request so that Ctrl-C ends it and only it; False where the shell itself was killed."""
        task = asyncio.ensure_future(work)
        with _interrupts(task.cancel):
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                task.cancel()
                raise
        if self._killed:
            self._front.end()
            self._print(views.note(KILLED))
            return False
        if task.cancelled():
            self._front.interrupted()
        else:
            task.result()
        return True

    def _greet(self) -> None:
        workspace, code = self._client.session.workspace, self._client.recovery_code
        model = self._client.glance().model
        server = Address.parse(model).authority if is_remote(model) else ""
        self._print(
            greeting.first(workspace, greeting.language(), server) if code else greeting.again(workspace, server)
        )
        if code:
            self._print(greeting.recovery(code))
        for problem in self._client.problems:
            self._print(views.note(problem))

    def _prompt(self) -> PromptSession[str]:
        keys = KeyBindings()

        @keys.add("escape", "enter")
        def _(event: KeyPressEvent) -> None:
            event.current_buffer.newline()

        session: PromptSession[str] = PromptSession(
            self._where,
            history=self._history,
            completer=self._completer,
            complete_while_typing=Condition(lambda: self._completer.written(session.default_buffer.text)),
            auto_suggest=AutoSuggestFromHistory(),
            bottom_toolbar=self._toolbar,
            key_bindings=keys,
            search_ignore_case=True,
            reserve_space_for_menu=6,
            prompt_continuation="  ",
            style=_STYLE,
            interrupt_exception=questions.Interrupted,
        )
        return session

    def _where(self) -> StyleAndTextTuples:
        folder = self._inside.app if self._inside else Path(self._client.session.cwd).name
        return [("class:folder", f"{one_line(folder)} " if folder else ""), ("class:prompt", "❯ ")]

    async def _watch_loading(self, prompt: PromptSession[str]) -> None:
        """Tell the toolbar when the model is there, and the person when it won't be."""
        try:
            await self._client.ready()
        except LlmasosError as error:
            self._toolbar.failed = True
            problem = views.error(error)
            await self._above(lambda: self._print(problem))
        self._toolbar.refresh()
        prompt.app.invalidate()

    def _shower(self) -> Callable[[RenderableType], None]:
        """What shows something above the line that is being typed, from whichever thread it comes."""
        loop, context = asyncio.get_running_loop(), contextvars.copy_context()
        shown: set[asyncio.Task[None]] = set()

        def show(what: RenderableType) -> None:
            loop.call_soon_threadsafe(begin, what)

        def begin(what: RenderableType) -> None:
            task = loop.create_task(self._above(lambda: self._print(what)), context=context)
            shown.add(task)
            task.add_done_callback(shown.discard)

        return show

    async def _above(self, show: Callable[[], None]) -> None:
        app = get_app_or_none()
        if app is not None and app.is_running:
            await run_in_terminal(show)
        else:
            self._front.pause()
            show()


def _told(event: Mapping[str, Any]) -> RenderableType:
    """A reminder, or something else to know."""
    if "note" in event:
        return views.note(str(event["note"]))
    line = Text.assemble((f"⏰ {MISSED if event.get('missed') else REMINDER} ", "bold yellow"))
    line.append(one_line(str(event.get("title", ""))))
    if event.get("when"):
        line.append(f"  {one_line(str(event['when']))}", style="dim")
    about = [one_line(str(event[name])) for name in ("place", "calendar", "source") if event.get(name)]
    if about:
        line.append(f"  {' · '.join(about)}", style="dim")
    if event.get("count", 1) > 1:
        line.append(f"  {TIMES.format(count=event['count'])}", style="dim")
    return line


@contextmanager
def _interrupts(act: Callable[[], object]) -> Iterator[None]:
    """Ctrl-C does this meanwhile. A prompt takes the handler away when it ends, so each request sets it."""
    loop = asyncio.get_running_loop()
    try:
        before = signal.getsignal(signal.SIGINT)
        loop.add_signal_handler(signal.SIGINT, act)
    except (ValueError, RuntimeError, NotImplementedError):  # not the main thread: nobody presses keys here
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, before)
