"""Lines that go to an app, and what it says above the line that is typed."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from rich.console import Console, RenderableType

from llmasos.client import Client
from llmasos.core.base.types import Call, Result
from llmasos.core.base.values import text
from llmasos.core.kernel.session import FrontEnd
from llmasos.shell.inside import Inside


class App:
    """A client whose app says what it is told to, piece by piece, and waits in between."""

    def __init__(self, pieces: list[str], result: Result | None = None) -> None:
        self.pieces = pieces
        self.result = result
        self.calls: list[Call] = []
        self.go_on = asyncio.Event()
        self.closed = 0
        self.front: FrontEnd | None = None

    async def sibling(self, front: FrontEnd) -> App:
        self.front = front
        return self

    async def trap(self, call: Call) -> Result:
        self.calls.append(call)
        assert self.front
        for piece in self.pieces:
            await self.front.words(piece)
        await self.go_on.wait()
        return self.result or Result(call, value=text("".join(self.pieces) or "quiet", source="plugin"))

    async def close(self) -> None:
        self.closed += 1


def inside(app: App) -> tuple[Inside, list[str]]:
    shown: list[str] = []

    def show(what: RenderableType) -> None:
        console = Console(width=80)
        with console.capture() as capture:
            console.print(what)
        shown.append(capture.get().rstrip())

    return Inside(cast(Client, app), "social", show), shown


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_whole_lines_are_shown_as_they_come() -> None:
    app = App(["Alice: It is", " warm.\nBram: N", "o."])
    place, shown = inside(app)
    assert place.take("Hello!") == ""
    await settled()
    assert shown == ["Alice: It is warm."]
    assert app.calls == [Call("app.say", {"name": "social", "line": "Hello!"})]
    app.go_on.set()
    await settled()
    assert shown == ["Alice: It is warm.", "Bram: No."]
    assert app.closed == 1


async def test_an_answer_without_streaming_is_shown_whole() -> None:
    app = App([])
    place, shown = inside(app)
    app.go_on.set()
    place.take("who is here")
    await settled()
    assert shown == ["quiet"]


@pytest.mark.parametrize(("line", "left"), [("/undo", "undo"), ("/ ps", "ps"), ("/exit", "exit")])
async def test_a_slash_is_for_the_shell(line: str, left: str) -> None:
    app = App([])
    place, _ = inside(app)
    assert place.take(line) == left
    assert not place.over
    await settled()
    assert app.calls == []


@pytest.mark.parametrize("word", ["leave", "Exit", "再见"])
async def test_leaving_closes_the_app_and_ends_the_talk(word: str) -> None:
    app = App(["Alice: It is warm.\n"])
    place, _ = inside(app)
    place.take("Hello!")
    await settled()
    assert place.take(word) == "app.close social"
    assert place.over
    await settled()
    assert app.closed == 1  # the talk was cancelled and its session ended


async def test_an_app_that_was_closed_elsewhere_is_over() -> None:
    call = Call("app.say", {})
    app = App([], Result(call, error="ENOENT", message="social isn't open."))
    place, shown = inside(app)
    app.go_on.set()
    place.take("Hello!")
    await settled()
    assert place.over
    assert "social isn't open." in shown[0]
    assert place.take("what time is it") == "what time is it"  # the shell's again


async def test_ctrl_c_hushes_them() -> None:
    app = App(["Alice: It is warm.\n"])
    place, shown = inside(app)
    place.take("Hello!")
    await settled()
    place.hush()
    await settled()
    assert shown == ["Alice: It is warm."]
    assert app.closed == 1
    assert not place.over


async def test_nothing_typed_says_nothing() -> None:
    app = App([])
    place, _ = inside(app)
    assert place.take("") == ""
    await settled()
    assert app.calls == []


async def test_what_they_say_draws_nothing_on_the_terminal() -> None:
    app = App(["Alice: \x1b[31mred\x1b[0m\n"])
    place, shown = inside(app)
    place.take("Hello!")
    await settled()
    assert "\x1b" not in shown[0]
