"""The Python API: a composed system behind ordinary functions.

    with llmasos.boot() as system:
        outcome = system.run("remind me to call Bob tomorrow at 9")
        found = system.call("files.find", query="tax pdf")

The system lives on an event loop in a thread of its own; every function here waits for it, the async twins don't.
"""

from __future__ import annotations

import asyncio
import concurrent.futures.thread  # noqa: F401 - see boot
import contextlib
import json
import queue
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, TypeVar, Unpack

from llmasos.client import Client, attach
from llmasos.client.base import value_of
from llmasos.core.base.errors import LlmasosError, SyscallError, UsageError
from llmasos.core.base.settings import Settings, workspace_folder
from llmasos.core.base.types import Call
from llmasos.core.engine.sources import Engines
from llmasos.core.kernel.session import FrontEnd, Nobody
from llmasos.services.outcome import Outcome

T = TypeVar("T")
Lore = Sequence[str | Mapping[str, Any]] | Mapping[str, str]


class Given(TypedDict, total=False):
    """What can be said of a character; `System.create_character` says what each is."""

    role: str
    scenario: str
    language: str
    lore: Lore
    goals: Sequence[str]
    seed: int | None
    temperature: float | None
    top_p: float | None
    max_tokens: int | None
    model: str
    new: bool


_current: System | None = None
_guard = threading.Lock()


def boot(**settings: Any) -> System:
    """The running system of this program, started where there is none yet.

    Args:
        **settings: See `llmasos.core.base.settings.Settings`; they can only be given at the first start.

    Raises:
        LlmasosError: It can't be started; the message says why and what to do.
    """
    global _current
    with _guard:
        if _current is None or _current.closed:
            _current = System(Settings.load(**settings))
            # Ordinary exit functions come after the thread pools are shut, and closing needs those. These run in
            # reverse order, and the pools' own was registered by the import above.
            threading._register_atexit(_current.close)  # type: ignore[attr-defined]  # as concurrent.futures does
        elif settings:
            raise SyscallError(
                "EBUSY",
                "The system runs already with other settings.",
                "Close it first, or boot it before anything else.",
            )
        return _current


class System:
    """A running system.

    Args:
        settings: What was set.
        engines: Where models come from; the real ones where None.
        front: Who is shown and asked things; nobody where None.
    """

    def __init__(self, settings: Settings, *, engines: Engines | None = None, front: FrontEnd | None = None) -> None:
        self.closed = False
        workspace, _ = workspace_folder(settings.workspace)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="llmasos", daemon=True)
        self._thread.start()
        try:
            self._front = front or Nobody(yes=settings.yes)
            self._client: Client = self._wait(attach(settings, workspace, self._front, engines=engines))
        except BaseException:
            self._stop_loop()
            raise

    def run(self, sentence: str) -> Outcome:
        """Understand a sentence and do it.

        Returns:
            The program, its confidence, and a result for each call; `outcome.ok` says whether all was done.

        Raises:
            NotUnderstood: Nothing fits.
        """
        return self._wait(self.arun(sentence))

    async def arun(self, sentence: str) -> Outcome:
        """The async twin of `run`."""
        return await self._on_loop(self._client.handle(sentence))

    def call(self, syscall: str, /, **args: Any) -> Any:
        """Make one call and return its value.

        Raises:
            SyscallError: It failed; `error.code` is errno-like.
            Denied: Policy says no; `error.rule` names the rule.
            NeedsAnswer: It asks for consent; boot with `yes=True`, or give a front end.
        """
        return self._wait(self.acall(syscall, **args))

    async def acall(self, syscall: str, /, **args: Any) -> Any:
        """The async twin of `call`."""
        return value_of(await self._on_loop(self._client.trap(Call(syscall, args))))

    def agent(self, said: str) -> Agent:
        """Calls that a model of yours makes for a person, one after the other, as it reads what comes of them.

        What the person said themselves may be done as policy lets them; what the model took from elsewhere is labelled
        by what it read, and asked about where policy says so.

        Args:
            said: What the person asked the model for, in their own words.

        Raises:
            UsageError: Nothing was said.
        """
        if not said.strip():
            raise UsageError("An agent works at something that a person said.", "Give their words.")
        return Agent(self, self._wait(self._on_loop(self._client.sibling(self._front, said=said))))

    def create_character(
        self,
        name: str,
        personality: str = "",
        *,
        role: str = "",
        scenario: str = "",
        language: str = "",
        lore: Lore = (),
        goals: Sequence[str] = (),
        seed: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        max_tokens: int | None = None,
        model: str = "",
        new: bool = False,
    ) -> Character:
        """The character of a name, made where there is none yet; run twice it is the same one, memory kept.

        Args:
            name: What it is called.
            personality: Its traits; another personality is a new version of its card, as are other fields.
            role: What it is.
            scenario: Where and when one meets it.
            language: What it speaks.
            lore: What it knows of its world: texts that it always knows, or a mapping from words that bring something
                up ("dragon, wyrm") to what is told then.
            goals: What it wants.
            seed: Of what it says: the same talk goes the same way again.
            temperature: How freely it draws its words, 0 to 2.
            top_p: Share of the likeliest words that it draws from.
            max_tokens: Where a reply ends at the latest.
            model: What it speaks with, as `model.assign` takes it; left out, it keeps what it has.
            new: Make a fresh one even if there is one of this name.

        Raises:
            SyscallError: EINVAL or E2BIG, one of them can't be; ENOENT, there is no such model.
        """
        return self._wait(
            self.acreate_character(
                name, personality, role=role, scenario=scenario, language=language, lore=lore, goals=goals,
                seed=seed, temperature=temperature, top_p=top_p, max_tokens=max_tokens, model=model, new=new,
            )
        )  # fmt: skip

    async def acreate_character(self, name: str, personality: str = "", **given: Unpack[Given]) -> Character:
        """The async twin of `create_character`."""
        goals, lore = "\n".join(given.get("goals", ())), _lore(given.get("lore", ()))
        card = {field: value for field, value in given.items() if field not in ("new", "model")}
        card |= {"personality": personality, "goals": goals, "lore": lore}
        if given.get("new"):
            await self._on_loop(self._client.set_aside(name))
        said = {field: value for field, value in card.items() if value not in ("", None)}
        await self.acall("character.create", name=name, **said)
        if model := given.get("model"):
            await self.acall("model.assign", character=name, model=model)
        return Character(self, name)

    def close(self) -> None:
        """End the system; closing twice is fine."""
        if self.closed:
            return
        self.closed = True
        try:
            self._wait(self._client.close())
        finally:
            self._stop_loop()

    def __enter__(self) -> System:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop.is_closed():
            work.close()
            raise LlmasosError("This system is closed.", "Boot it again.")
        if threading.current_thread() is self._thread:
            work.close()
            raise LlmasosError("A waiting function was called from inside the system.", "Use its async twin.")
        running = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return running.result()
        except KeyboardInterrupt:
            running.cancel()
            raise

    async def _on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        """Run on the system's loop and wait on whichever loop the caller has."""
        if asyncio.get_running_loop() is self._loop:
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def _stop_loop(self) -> None:
        asyncio.run_coroutine_threadsafe(_end_others(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()


async def _end_others() -> None:
    """Cancel what still runs on this loop, so that nobody waits for ever for a system that is closed."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class _Words(Nobody):
    """Hands streamed words to whoever iterates."""

    def __init__(self, pieces: queue.SimpleQueue[str | None]) -> None:
        super().__init__()
        self._pieces = pieces

    async def words(self, piece: str) -> None:
        self._pieces.put(piece)


class Agent:
    """Made by `System.agent`."""

    def __init__(self, system: System, client: Client) -> None:
        self.closed = False
        self._system = system
        self._client = client

    def call(self, syscall: str, /, **args: Any) -> Any:
        """As `System.call`; what comes back counts as read by the model."""
        return self._system._wait(self.acall(syscall, **args))

    async def acall(self, syscall: str, /, **args: Any) -> Any:
        """The async twin of `call`."""
        if self.closed:
            raise LlmasosError("This agent is closed.", "Begin another.")
        return value_of(await self._system._on_loop(self._client.trap(Call(syscall, args))))

    def close(self) -> None:
        """The request is over; closing twice is fine."""
        if self.closed:
            return
        self.closed = True
        self._system._wait(self._system._on_loop(self._client.close()))

    def __enter__(self) -> Agent:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Memory:
    """Something that a character remembers.

    Attributes:
        id: The same in every process.
        text: What was said, or thought.
        who: Who said it; "thought (rule)" or "thought (model)" for what it made of others.
        said: When.
        outdated: Whether it was corrected since.
        evidence: Of a thought, the ids of what it is drawn from.
    """

    id: str
    text: str
    who: str
    said: str
    outdated: bool = False
    evidence: tuple[int, ...] = ()


class Character:
    """A character to talk with; `name` is how the system knows it.

        with llmasos.create_character("Alice", "friendly") as alice:
            alice.chat("Hello!")

    Leaving the block ends its process, not its memory. Every function has an async twin whose name begins with `a`.
    """

    def __init__(self, system: System, name: str) -> None:
        self._system = system
        self.name = name

    def chat(self, message: str) -> str:
        """Say something; returns the whole answer.

        Raises:
            SyscallError: ENOENT, it was deleted.
        """
        return str(self._system.call("character.chat", name=self.name, message=message)["text"])

    async def achat(self, message: str) -> str:
        """The async twin of `chat`."""
        value = await self._system.acall("character.chat", name=self.name, message=message)
        return str(value["text"])

    def stream(self, message: str) -> Iterator[str]:
        """Say something; yields the answer in pieces as they are spoken."""
        pieces: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        work = asyncio.run_coroutine_threadsafe(self._streamed(message, pieces), self._system._loop)
        try:
            while (piece := pieces.get()) is not None:
                yield piece
            work.result()
        finally:
            work.cancel()  # who stops listening stops the talking

    async def astream(self, message: str) -> AsyncIterator[str]:
        """The async twin of `stream`."""
        pieces: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        work = asyncio.run_coroutine_threadsafe(self._streamed(message, pieces), self._system._loop)
        try:
            while (piece := await asyncio.to_thread(pieces.get)) is not None:
                yield piece
            await asyncio.wrap_future(work)
        finally:
            work.cancel()

    async def _streamed(self, message: str, pieces: queue.SimpleQueue[str | None]) -> None:
        try:
            client = await self._system._client.sibling(_Words(pieces))
            try:
                result = await client.trap(Call("character.chat", {"name": self.name, "message": message}))
            finally:
                await client.close()
            if not result.ok:
                raise SyscallError(result.error, result.message)  # type: ignore[arg-type]  # codes come from SyscallError itself
        finally:
            pieces.put(None)

    def remember(self, text: str) -> None:
        """Tell it a fact outside of a talk; it counts as told by you."""
        self._system._wait(self.aremember(text))

    async def aremember(self, text: str) -> None:
        """The async twin of `remember`."""
        await self._system.acall("character.remember", name=self.name, text=text)

    def memories(self, query: str = "") -> list[Memory]:
        """What it remembers that fits a query, best first; the latest where there is none, thoughts behind them."""
        return self._system._wait(self.amemories(query))

    async def amemories(self, query: str = "") -> list[Memory]:
        """The async twin of `memories`."""
        found = await self._system.acall("character.memories", name=self.name, **({"query": query} if query else {}))
        return [
            Memory(row["id"], row["text"], row["who"], row["said"], row["outdated"], tuple(row.get("evidence", ())))
            for row in found["items"]
        ]

    def forget(self, query: str) -> None:
        """Erase what it knows about something, for good.

        Raises:
            NeedsAnswer: It asks first; boot with `yes=True`, or give a front end.
        """
        self._system._wait(self.aforget(query))

    async def aforget(self, query: str) -> None:
        """The async twin of `forget`."""
        await self._system.acall("character.forget", name=self.name, query=query)

    def export(self, path: str) -> None:
        """Write its card to a file of the workspace: `.png`, `.charx`, `.v2.json` as Card V2, else Card V3 as JSON."""
        self._system._wait(self.aexport(path))

    async def aexport(self, path: str) -> None:
        """The async twin of `export`."""
        await self._system.acall("character.export", name=self.name, path=path)

    def delete(self) -> None:
        """Delete it and erase its memory, for good.

        Raises:
            NeedsAnswer: It asks first; boot with `yes=True`, or give a front end.
        """
        self._system._wait(self.adelete())

    async def adelete(self) -> None:
        """The async twin of `delete`."""
        await self._system.acall("character.delete", name=self.name)

    def rest(self) -> None:
        """End its process and free its context; it comes back, memory and all, when it is next spoken to."""
        self._system._wait(self.arest())

    async def arest(self) -> None:
        """The async twin of `rest`."""
        await self._system.acall("character.rest", name=self.name)

    def __enter__(self) -> Character:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(SyscallError):  # it was deleted inside
            self.rest()

    async def __aenter__(self) -> Character:
        return self

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(SyscallError):
            await self.arest()

    def __repr__(self) -> str:
        return f"Character({self.name!r})"


def create_character(name: str, personality: str = "", **given: Unpack[Given]) -> Character:
    """`System.create_character` on the running system, started where there is none yet."""
    return boot().create_character(name, personality, **given)


def _lore(lore: Lore) -> str:
    """Lore as `character.create` takes it."""
    rows: list[Any] = (
        [{"keys": keys, "content": content} for keys, content in lore.items()]
        if isinstance(lore, Mapping)
        else list(lore)
    )
    return json.dumps(rows, ensure_ascii=False) if rows else ""
