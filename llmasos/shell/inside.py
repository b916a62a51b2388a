"""Lines that go to an app: while one converses, what is typed is said to it, and what it says appears above the line.

The prompt is always there, so a person can say the next thing while others still talk; it overtakes them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rich.console import RenderableType
from rich.text import Text

from llmasos.client import Client
from llmasos.core.base.errors import LlmasosError, ProcessKilled
from llmasos.core.base.types import Call
from llmasos.core.kernel.session import Nobody
from llmasos.shell import views
from llmasos.shell.safe import one_line

ENTERED = (
    "What you type now is said in {app}. 'leave' ends that; a line that begins with / is for the shell, as '/undo'."
)
LEAVE = "leave"
LEAVING = frozenset({LEAVE, "bye", "exit", "quit", "logout", "离开", "再见", "退出"})

Show = Callable[[RenderableType], None]


class Lines(Nobody):
    """The front end of an app's calls: whole lines above the one that is typed.

    Args:
        show: Shows one.
    """

    def __init__(self, show: Show) -> None:
        super().__init__()
        self._show = show
        self._line = ""
        self.shown = False

    async def words(self, piece: str) -> None:
        """Show what is whole."""
        *whole, self._line = (self._line + piece).split("\n")
        for line in filter(str.strip, whole):
            self.shown = True
            self._show(_said(line))

    def end(self) -> None:
        """Show the rest."""
        if self._line.strip():
            self._show(_said(self._line))
        self._line = ""


class Inside:
    """A person inside an app.

    Args:
        client: The session that opened it.
        app: Which app.
        show: Shows something above the line that is typed.

    Attributes:
        over: Whether the app has been closed.
    """

    def __init__(self, client: Client, app: str, show: Show) -> None:
        self.app = app
        self.over = False
        self._client = client
        self._show = show
        self._saying: set[asyncio.Task[None]] = set()

    def take(self, line: str) -> str:
        """Say a line to the app, whose answer comes when it comes; what is left of it for the shell to do."""
        if self.over or line.startswith("/"):
            return line.removeprefix("/").strip()
        if line.casefold() in LEAVING:
            self.over = True
            self.hush()
            return f"app.close {self.app}"
        if line:
            task = asyncio.ensure_future(self._say(line))
            self._saying.add(task)
            task.add_done_callback(self._saying.discard)
        return ""

    def hush(self) -> None:
        """Whoever talks ends."""
        for task in self._saying:
            task.cancel()

    async def _say(self, line: str) -> None:
        front = Lines(self._show)
        client = await self._client.sibling(front)
        try:
            result = await client.trap(Call("app.say", {"name": self.app, "line": line}))
            front.end()
            if not result.ok:
                self.over = result.error == "ENOENT"
                self._show(views.error(LlmasosError(result.message)))
            elif not front.shown and result.value["text"]:
                self._show(Text(result.value["text"], overflow="fold"))
        except (LlmasosError, ProcessKilled) as error:
            self._show(views.error(LlmasosError(str(error))))
        finally:
            await client.close()


def _said(line: str) -> RenderableType:
    """A line with the name of who says it."""
    name, colon, words = line.partition(": ")
    shown = Text(overflow="fold")
    if colon and len(name) <= 80:
        return shown.append(f"{one_line(name)}: ", style="bold cyan").append(one_line(words))
    return shown.append(one_line(line), style="dim")
