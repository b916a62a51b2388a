"""What the tests of plugins share: plugins that are written for them, and a person at a system that can be started again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmasos.compose import Machine, Outside, compose
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call, Result
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.core.kernel.network import Broker, Fetched, Request, Target
from llmasos.core.kernel.policy import Policy, Rule
from llmasos.core.kernel.session import Session
from tests.seat import Person

MANIFEST = """\
name = "{name}"
version = "{version}"
description = "For a test"
author = "Ada"
license = "MIT"
isolation = "worker"

[capabilities]
{asks}
"""

DOES = '''
from llmasos.sdk import ToolError, TrapError, call, fetch, folder, syscall

@syscall(effect="read")
def do(what: str, name: str = "", text: str = "") -> object:
    """Do something."""
    try:
        if what == "call":
            return call(name, **({"text": text} if text else {}))
        if what == "fetch":
            got = fetch(name, headers={"X-Key": "1"})
            return [got.url, got.status, got.headers["x-from"], got.text, got.json()]
        if what == "read":
            return sorted(one.name for one in folder(name).iterdir())
        if what == "write":
            (folder(name) / "made.txt").write_text(text)
            return str(folder(name))
        if what == "open":
            return open(name).read()
        if what == "grow":
            return len(bytearray(int(text) << 20))
    except TrapError as error:
        return [error.code, str(error)]
    except ToolError as error:
        return ["told", str(error)]
    except (OSError, MemoryError) as error:
        return [type(error).__name__]
'''


def write(top: Path, name: str = "odd", asks: str = "", *, version: str = "1.0", code: str = DOES) -> Path:
    """A plugin's folder."""
    place = top / name
    place.mkdir(parents=True, exist_ok=True)
    (place / "plugin.toml").write_text(MANIFEST.format(name=name, version=version, asks=asks))
    (place / "plugin.py").write_text(code)
    return place


class Web:
    """The network."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    async def __call__(self, target: Target, addresses: Sequence[str], asked: Request) -> Fetched:
        self.asked.append((str(target), asked.headers.get("X-Key", "")))
        if target.path == "/away":
            return Fetched("", 302, {"location": "https://other.example.org/"}, b"")
        return Fetched(str(target), 200, {"x-from": "web", "content-type": "text/plain"}, b'"gr\xc3\xbc\xc3\x9fe"')


@dataclass
class Desk:
    """A person at a system, which can be started again."""

    top: Path
    machine: Machine
    web: Web
    person: Person = field(default_factory=Person)

    def __post_init__(self) -> None:
        self.process, self.session = self.machine.session(self.top / "workspace", self.person)

    async def do(self, syscall: str, session: Session | None = None, **args: Any) -> Result:
        return await self.machine.kernel.trap(self.process, session or self.session, Call(syscall, args))

    async def ok(self, syscall: str, **args: Any) -> Any:
        result = await self.do(syscall, **args)
        assert result.ok, result
        return result.value

    async def error(self, syscall: str, **args: Any) -> str:
        result = await self.do(syscall, **args)
        assert not result.ok, result
        return f"{result.error}: {result.message}"

    async def add(self, place: Path) -> Any:
        return await self.ok("plugin.add", path=str(place))

    async def standing(self, name: str) -> dict[str, Any]:
        (row,) = [row for row in (await self.ok("plugin.list"))["items"] if row["name"] == name]
        return row  # type: ignore[no-any-return]

    def allow(self, *rules: Rule) -> None:
        policy = self.machine.kernel.policy
        self.machine.kernel.policy = Policy("test", (*policy.rules, *rules))


Open = Callable[..., Any]


def opener(top: Path) -> Open:
    """Starts the system of one home."""
    for folder in ("workspace", "person"):
        (top / folder).mkdir()

    @asynccontextmanager
    async def open_desk(
        person: Path = top / "person", broker: Broker | None = None, **settings: Any
    ) -> AsyncIterator[Desk]:
        async def resolve(host: str, port: int) -> Sequence[str]:
            return ["93.184.215.14"]

        web = Web()
        machine = await compose(
            Settings(home=top / "home", owner="ada", seed=1, **settings),
            engines=ScriptedEngines(),
            outside=Outside(broker or Broker(resolve=resolve, ask=web), person),
        )
        try:
            yield Desk(top, machine, web)
        finally:
            await machine.close()

    return open_desk
