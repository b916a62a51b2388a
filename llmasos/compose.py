"""The composition root: every part of the system, built in order, one comment each. Nothing else builds parts."""

from __future__ import annotations

import contextlib
import getpass
import logging
import os
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from llmasos.core.base.clock import Clock, SystemClock
from llmasos.core.base.errors import StoreError, UsageError
from llmasos.core.base.paths import Kind as Folder
from llmasos.core.base.paths import anchor_file, expanded, private_dir, shipped
from llmasos.core.base.settings import Settings
from llmasos.core.engine.base import Engine, Generated
from llmasos.core.engine.embed import Embedder, RecentEmbedder
from llmasos.core.engine.openai.address import Address, is_remote
from llmasos.core.engine.pool import EnginePool
from llmasos.core.engine.slot import EngineSlot
from llmasos.core.engine.sources import Engines, LlamaEngines
from llmasos.core.kernel.audit import FOLDER as AUDIT
from llmasos.core.kernel.audit import Anchor, AuditLog, Auditor
from llmasos.core.kernel.home import sizes as home_sizes
from llmasos.core.kernel.journal import Journal, program_id
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.keyring_file import NAME as KEYRING
from llmasos.core.kernel.network import Broker
from llmasos.core.kernel.own_log import seal_log
from llmasos.core.kernel.policy import LivePolicy, Sources
from llmasos.core.kernel.process import Process, ProcessTable
from llmasos.core.kernel.replay import Recorder
from llmasos.core.kernel.roster import Roster
from llmasos.core.kernel.sandbox import Folders, Grants, Kind, Launcher, Plugin, PluginHost, wheels
from llmasos.core.kernel.scheduler import Discipline, Scheduler
from llmasos.core.kernel.sealed_log import SealedLog
from llmasos.core.kernel.session import FrontEnd, Session
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.store.store import WORN
from llmasos.core.kernel.swap import Swap
from llmasos.core.kernel.syscall import Syscall, SyscallTable, names
from llmasos.core.kernel.trap import Kernel
from llmasos.services.answers import Grounds
from llmasos.services.answers.grounds import Place as Ground
from llmasos.services.answers.places import about_itself, rows_as_passages
from llmasos.services.apps import Apps
from llmasos.services.calendars import Calendars
from llmasos.services.characters import Characters
from llmasos.services.commands.service import Commands
from llmasos.services.commands.typed import RUN
from llmasos.services.devices import Brokers, Devices
from llmasos.services.figures import of_engine
from llmasos.services.files import Files, trash
from llmasos.services.files.documents import Documents
from llmasos.services.interpreter.conversations import Conversations
from llmasos.services.interpreter.interpreter import ADAPTER, Interpreter
from llmasos.services.interpreter.kept import KeptReadings, words_of
from llmasos.services.jobs import Jobs
from llmasos.services.language import Language, Speaker
from llmasos.services.language.served import Served
from llmasos.services.memory import Memory
from llmasos.services.memory.retrieval import CALIBRATED
from llmasos.services.models.service import Models
from llmasos.services.models.voices import Voices
from llmasos.services.plugins import Collection, Plugins, Shelf, TableShelf
from llmasos.services.processes import Processes
from llmasos.services.requests import Requests
from llmasos.services.rooms import RoomService
from llmasos.services.safety import HeldBack, Moderation, Safety
from llmasos.services.schedule import Schedule
from llmasos.services.search import Place, Search, by_finding
from llmasos.services.system import System
from llmasos.services.tasks import Tasks

Hear = Callable[[Mapping[str, Any]], None]
"""Told of a reminder: `{"title", "when", ...}`, or of something else to know: `{"note"}`."""
Hears = Callable[[Engine], Callable[[Generated], None]]
"""Makes what an engine tells of its runs."""
SERVICES = (
    Files, Schedule, Tasks, Memory, Search, Language, Characters, RoomService, Devices, Brokers, Processes, System,
    Commands, Jobs, Apps, Plugins, Calendars, Safety, Models,
)  # fmt: skip
"""The services that have syscalls."""
FOLDERS: Mapping[Kind, Folder] = {"plugin": "plugins", "app": "apps"}
"""Where plugins and apps are, in the home and in what ships."""
SPEECH, INTERPRETING = "speech", "interpreting"
"""What engines are there for."""
LOG_FILE = "llmasos.log.sealed"
SWAP = "swap"
MB = 1_000_000
NOTHING_KEPT = (
    "This session keeps nothing: it began empty, and what is said, remembered and planned in it is gone when it ends. "
    "Files that it changes stay changed."
)
HISTORY_FILE = "shell-history.sealed"
HISTORY_PURPOSE = "shell history"


class Bell:
    """Tells whoever listens of reminders, and of what else they should know."""

    def __init__(self) -> None:
        self._listeners: list[Hear] = []

    def __call__(self, told: Mapping[str, Any]) -> None:
        """Tell everybody."""
        for hear in list(self._listeners):
            hear(told)

    def note(self, words: str) -> bool:
        """Tell everybody; whether anybody listens."""
        self({"note": words})
        return bool(self._listeners)

    def __len__(self) -> int:
        return len(self._listeners)

    def add(self, hear: Hear) -> Callable[[], None]:
        """One more who listens; returns what ends that."""
        self._listeners.append(hear)
        return lambda: self._listeners.remove(hear)


@dataclass(frozen=True)
class Outside:
    """What plugins meet outside the system, where they were granted it.

    Attributes:
        broker: Fetches for them.
        home: The person's home folder, `~`.
    """

    broker: Broker = field(default_factory=Broker)
    home: Path = field(default_factory=Path.home)


@dataclass
class Machine:
    """A composed system. Lives on one event loop; `close` ends all that it started."""

    settings: Settings
    person: str
    kernel: Kernel
    requests: Requests
    interpreter: Interpreter
    kept: KeptReadings
    characters: Characters
    schedule: Schedule
    calendars: Calendars
    brokers: Brokers
    jobs: Jobs
    files: Files
    memory: Memory
    plugins: PluginHost
    launcher: Launcher
    speech: EngineSlot
    interpreting: EngineSlot
    embedder: Embedder
    speaker: Speaker
    keyring: Keyring
    bell: Bell
    history: SealedLog
    problems: list[str] = field(default_factory=list)
    """What a person should know after start: plugins and apps that didn't load."""
    closing: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)
    _keeps_jobs: bool = False

    def session(
        self, workspace: Path, front: FrontEnd, *, person: str = "", resumes: bool = False, program: int = 0
    ) -> tuple[Process, Session]:
        """A person's session with the process that stands for it.

        Args:
            workspace: The folder that `files.*` sees.
            front: Who is shown and asked things.
            person: Who it is; the machine's person where empty.
            resumes: Whether it goes on with the conversation of the session before.
            program: The process id of the program where they sit; 0 for this one.
        """
        person = person or self.person
        process = self.kernel.processes.spawn(
            self.kernel.processes.init,
            name=person,
            owner=person,
            program="shell",
            subject=f"user:{person}",
            priority="interactive",
        )
        at = program_id(program or os.getpid())
        session = Session(person, workspace, front, resumes=resumes, program=at)
        self.files.watch(session)
        return process, session

    def served(self) -> Served:
        """What a server asks the model through, as a process of its own."""
        return Served(self.kernel, self.speaker, self.embedder, self.person)

    async def listen(self, hear: Hear, *, person: str = "") -> Callable[[], None]:
        """Hear of reminders from now on, first of those that came while nobody listened; returns what ends that.

        The first listener is told too which effects an earlier program left in the middle, and each person what was
        left in their mailbox.
        """
        deafen = self.bell.add(hear)
        if len(self.bell) == 1 and not self.kernel.store.frozen:
            await self.keep_jobs()
            await self.schedule.start()
            for entry in self.kernel.journal.undecided():
                what = f"{entry.call['syscall']} ({entry.request!r})"
                hear({"note": f"Stopped in the middle, so look whether it was done: {what}. 'undo' takes it back."})
                self.kernel.journal.told(entry.id)
        if not self.kernel.store.frozen:
            self.kernel.mailboxes.deliver(person or self.person, lambda words: hear({"note": words}))

        def end() -> None:
            deafen()
            if not self.bell:
                self.schedule.stop()  # what comes now waits for the next who listens

        return end

    async def keep_jobs(self) -> None:
        """Run jobs, read followed calendars, index workspaces and keep brokers connected; for a program that stays."""
        if not self._keeps_jobs and not self.kernel.store.frozen:
            self._keeps_jobs = True
            await self.jobs.start(self.kernel)
            self.calendars.start(self.kernel)
            self.files.start(self.kernel.store)
            self.brokers.start(self.kernel)

    async def close(self) -> None:
        """Stop reminders, workers and engines, then close the store."""
        await self.closing.aclose()


async def compose(
    settings: Settings,
    *,
    clock: Clock | None = None,
    engines: Engines | None = None,
    ask: Callable[[str], str] | None = None,
    outside: Outside | None = None,
) -> Machine:
    """Build a system.

    Args:
        settings: What the person set.
        clock: The time; the machine's clock where None.
        engines: Where models come from; the real ones where None.
        ask: Asks for the passphrase of a home that has one; None where nobody is there.
        outside: The network and the home folder that plugins can be granted; the real ones where None.

    Raises:
        UsageError: The policy is wrong or missing.
        StoreError: The store can't be opened with this key.
    """
    clock = clock or SystemClock()
    engines = engines or LlamaEngines(settings, ADAPTER)
    person = settings.owner or login_name()
    async with contextlib.AsyncExitStack() as closing:
        # What starts the children of plugins: a process of its own, started before there are keys in this one.
        launcher = Launcher(unconfined=settings.unconfined_plugins, unconfined_commands=settings.unconfined_commands)
        closing.push_async_callback(launcher.close)
        launcher.start()

        # State: one folder that only the person can enter, everything in it sealed.
        home = state = private_dir(settings.home)
        if settings.remember:
            # A first start asks nothing: a passphrase can be given later, with 'llmasos recover'.
            keyring = Keyring.open(home, ask=ask if (home / KEYRING).exists() else None)
        else:
            # Somewhere else, under a key that is never written down.
            state = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="llmasos-")))
            keyring = Keyring.passing(state)
        store = Store.open(state, keyring, pages_sealed=settings.sqlcipher)
        closing.callback(store.close)
        closing.callback(seal_log(logging.getLogger("llmasos"), sealed_log(state, keyring)))
        # The audit log: every call, tied to those before; checkpoints of it, and of the store, in a second place.
        kept_at = settings if settings.remember else replace(settings, home=state, audit_anchor=str(state / "anchor"))
        audit = open_audit(kept_at, keyring, clock, store)
        closing.callback(audit.close)
        if audit.trouble:
            store.freeze(audit.trouble)
        journal = Journal(
            store, clock, keep=settings.keep_history, keep_undo=settings.keep_undo,
            keep_bytes=settings.keep_undo_mb * MB,
        )  # fmt: skip
        closing.callback(journal.close)
        history = SealedLog(state / HISTORY_FILE, keyring.derive(HISTORY_PURPOSE))

        # The kernel: who runs, who may do what, what was done.
        table = SyscallTable()
        processes = ProcessTable(clock, person)
        bell = Bell()
        policy = LivePolicy(Sources.of(settings.policy, home), clock, lambda words: changed(words))
        kernel = Kernel(table, processes, policy, journal, store, clock)
        # Characters and apps that an earlier kernel had.
        Roster(store, processes)

        auditor = Auditor(audit, table, clock, lambda row: layers_of(row, launcher))
        kernel.hooks.append(auditor.trapped)
        kernel.guards.append(auditor.ready)

        def changed(words: str) -> None:
            """Another policy is in force, or isn't: everybody hears of it, and the audit log."""
            bell.note(words)
            with contextlib.suppress(StoreError):  # said by the next effect, which isn't done then
                audit.note(words)

        # Engines load behind the prompt; the scheduler is the only queue they have.
        discipline = _discipline(settings.scheduler)
        recorder = Recorder(store, clock, processes, keep=settings.keep_runs)
        hears = recorder.hears if settings.record else None
        speech = EngineSlot(_scheduled(engines.speech, kernel, SPEECH, discipline, hears), settings.model)
        interpreting = EngineSlot(
            _scheduled(engines.interpreting, kernel, INTERPRETING, discipline, hears), "interpreter"
        )
        closing.push_async_callback(speech.shutdown)
        closing.push_async_callback(interpreting.shutdown)
        embedder = RecentEmbedder(engines.embedder())
        closing.push_async_callback(embedder.close)

        # Services: what the syscalls do.
        problems: list[str] = [] if settings.remember else [NOTHING_KEPT]
        if store.seals() >= WORN:
            problems.append("The keys have sealed so often that new ones are due: 'llmasos keys rotate --data'.")
        for said in filter(is_remote, (settings.model, settings.translator)):
            # Words that go to a server are out of this system's hands: said at each start; on record where they leave.
            address = Address.named(said)
            told = address.told if said == settings.model else f"Translations: {address.whither}."
            problems.append(told)
            if not address.stays:
                with contextlib.suppress(StoreError):
                    audit.note(told)
            if settings.record and said == settings.model:
                problems.append("What a server writes can't be replayed, so it isn't recorded.")
        if audit.trouble:
            problems.append(
                f"{audit.alarm} Until you have seen to it nothing is changed: 'llmasos restore' brings a backup back, "
                "'llmasos audit accept' takes things as they are."
            )
        swap = Swap(state / SWAP, memory=settings.swap_memory << 20, disk=settings.swap_disk << 20)
        closing.callback(swap.close)
        # What a model says passes here on its way to a person, whoever lets it speak.
        held = HeldBack(store, clock)
        moderation = Moderation(lambda: policy.moderation, held)
        # Further models, and adapters on those that are loaded: opened while somebody speaks with them.
        pool = EnginePool(lambda said: _scheduled(lambda: engines.named(said), kernel, said, discipline, None)())
        closing.push_async_callback(pool.shutdown)
        speaker = Speaker(
            speech,
            processes,
            seed=settings.seed,
            swap=swap,
            moderation=moderation,
            pool=pool,
            chosen=lambda process: voices.of(process),
        )
        schedule = Schedule(store, clock, bell)
        closing.callback(schedule.stop)
        calendars = Calendars(store, clock, schedule, bell.note, private=(home, state))
        files = Files(
            private=(home, state), embedder=embedder, span=schedule.span, keep_trash=settings.keep_trash,
            keep_trash_bytes=settings.keep_trash_mb * MB, documents=Documents(launcher),
        )  # fmt: skip
        closing.push_async_callback(files.close)
        memory = Memory(store, clock, embedder)
        closing.callback(memory.close)
        tasks = Tasks(store, clock)
        characters = Characters(store, clock, speaker, embedder, private=(home,), model_of=lambda id: voices.given(id))
        closing.push_async_callback(characters.conversations.close)
        rooms = RoomService(store, clock, characters)
        voices = Voices(store, characters.cast, processes)
        trained = Models(settings, pool, speaker, characters.cast, lambda subject: loaded(hosts.values(), subject))
        brokers = Brokers(store, clock, bell.note)
        devices = Devices(store, clock, brokers=brokers)
        commands = Commands(launcher, store, private=(home, state, audit_anchor(settings)))
        await commands.settle(journal)
        jobs = Jobs(store, clock, bell.note, kernel.mailboxes)
        roles = {SPEECH: speech, INTERPRETING: interpreting}
        system = System(lambda: facts(settings, kernel, roles), recorder, (speech, interpreting))
        search = Search([
            Place("file", by_finding(files.find, "name"), "files.find"),
            Place("memory", memory.look, "memory.recall"),
            Place("event", schedule.look, "schedule.list"),
            Place("task", tasks.look, "tasks.list"),
            Place("conversation", characters.look, "character.show"),
        ])  # fmt: skip
        grounds = Grounds([
            Ground("files.find", files.passages),
            Ground("memory.recall", rows_as_passages(memory.look, "what you told me")),
            Ground("schedule.list", rows_as_passages(schedule.look, "your calendar", titles=True)),
            Ground("tasks.list", rows_as_passages(tasks.look, "your to-dos", titles=True)),
            Ground("character.show", rows_as_passages(characters.look, "a conversation")),
            Ground("system.help", about_itself(shipped("docs"))),
        ], embedder if embedder.name.startswith(CALIBRATED) else None)  # fmt: skip
        language = Language(speaker, translator=settings.translator, grounds=grounds.value)
        memory.elsewhere = grounds.quoted
        for service in (
            files, schedule, tasks, memory, search, language, characters, rooms,
            devices, brokers, Processes(), system, commands, jobs, calendars, Safety(held), trained,
        ):  # fmt: skip
            table.add_service(service)

        # Plugins and apps: described and called in their own processes, within what the person granted.
        outside, grants = outside or Outside(), Grants(store)
        closing.callback(outside.broker.close)
        hosts: dict[Kind, PluginHost] = {
            kind: PluginHost(
                reserved=own_rooms() if kind == "plugin" else (), kind=kind, launcher=launcher, trusted=shipped(folder),
                grants=grants, folders=Folders(outside.home, (home, audit_anchor(settings))), broker=outside.broker,
            )
            for kind, folder in FOLDERS.items()
        }  # fmt: skip
        for host in hosts.values():
            closing.push_async_callback(host.close)
        apps = Apps(hosts["app"])
        shelves: dict[Kind, Shelf] = {"plugin": TableShelf(table), "app": apps}
        installed = Plugins(
            {kind: Collection(hosts[kind], shelves[kind], home, folder) for kind, folder in FOLDERS.items()},
            wheels.find, grants, home,
        )  # fmt: skip
        closing.push_async_callback(jobs.close)  # before what its calls need
        closing.push_async_callback(calendars.close)
        closing.push_async_callback(brokers.close)
        problems += await installed.load("plugin") + await installed.load("app")
        if launcher.unconfined:
            problems.append("Plugins and apps run unconfined, as unconfined_plugins is set: they can do what you can.")
            with contextlib.suppress(StoreError):  # as above
                audit.note("plugins and apps run unconfined, as unconfined_plugins is set")
        if settings.unconfined_commands and await launcher.runs_unconfined():
            problems.append("Native commands run unconfined, as unconfined_commands is set: they can do what you can.")
            with contextlib.suppress(StoreError):  # as above
                audit.note("native commands run unconfined, as unconfined_commands is set")
        table.add_service(apps)
        table.add_service(installed)

        interpreter = Interpreter(interpreting, table, embedder)
        examples = frozenset(word for row in table for said in row.examples for word in words_of(said))
        kept = KeptReadings(store, clock, examples.__contains__)
        lists = (devices.names, files.names, characters.names, apps.names)
        conversations = Conversations(store, clock)
        kernel.erasing += [conversations.forget, jobs.forget, recorder.forget, held.forget, lambda _: embedder.forget()]
        kernel.erasing_lines += [history.erase, kept.erase]
        kernel.discarding["files.untrash"] = trash.forget
        kernel.killing.append(recorder.forget_process)
        requests = Requests(
            kernel, interpreter, kept=kept, names=lists, apps=apps.installed, private=(home,), jobs=jobs,
            conversations=conversations, moderation=moderation,
        )  # fmt: skip

        return Machine(
            settings, person, kernel, requests, interpreter, kept, characters, schedule, calendars, brokers, jobs,
            files, memory, hosts["plugin"], launcher, speech, interpreting, embedder, speaker, keyring, bell, history,
            problems, closing.pop_all(),
        )  # fmt: skip
    raise AssertionError("unreachable")


def loaded(hosts: Iterable[PluginHost], subject: str) -> Plugin | None:
    """The plugin or app that policy names so, if it is loaded."""
    return next((plugin for host in hosts for plugin in host.plugins if plugin.subject == subject), None)


def own_rooms() -> frozenset[str]:
    """The rooms of the system's own syscalls, which no plugin may be called by; without building a system."""
    return frozenset(name.partition(".")[0] for service in SERVICES for name in names(service))


def layers_of(row: Syscall, launcher: Launcher) -> str:
    """What confines the code that a syscall runs, where that isn't ours."""
    if row.plugin:
        return launcher.enforced
    return launcher.commands_enforced if row.name == RUN else ""


def login_name() -> str:
    """Who is logged in, as policy subjects name the person."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "person"


def _scheduled(
    load: Callable[[], Awaitable[Engine]], kernel: Kernel, role: str, discipline: Discipline, hears: Hears | None
) -> Callable[[], Awaitable[Engine]]:
    """A loader whose engine asks the kernel's scheduler what runs, and is measured under the name of its role."""

    async def load_and_join() -> Engine:
        engine = await load()
        processes, meter = kernel.processes, kernel.instruments.meter(role)
        meter.lanes = engine.lanes
        engine.set_queue(Scheduler(processes, engine, discipline, processes.ender(), [meter]))
        engine.on_generated = hears(engine) if hears and engine.capabilities.replay else None
        return engine

    return load_and_join


def _discipline(said: str) -> Discipline:
    for known in get_args(Discipline):
        if said == known:
            return known  # type: ignore[no-any-return]  # what a Literal's arguments are isn't known to mypy
    raise UsageError(f"There is no scheduler {said!r}.", f"There are: {', '.join(get_args(Discipline))}.")


def facts(settings: Settings, kernel: Kernel, slots: Mapping[str, EngineSlot]) -> dict[str, Any]:
    """What `system.status` tells of the engines, by role."""
    loaded = {role: slot.loaded for role, slot in slots.items()}
    figures = {role: of_engine(engine, role, kernel.instruments) for role, engine in loaded.items() if engine}
    remote = Address.parse(settings.model) if is_remote(settings.model) else None
    return {
        "kept": kept_words(kernel.store),
        "model": settings.model,
        **({"words": remote.whither} if remote else {}),
        "tokens/s": round(sum(figure["tokens/s"] for figure in figures.values()), 1),
        **{role: figures.get(role, "not loaded yet") for role in slots},
    }


def kept_words(store: Store) -> str:
    """How much is kept on disk, and of what."""
    parts = {**home_sizes(store.home), "of the store for undo": store.blob_bytes()}
    return ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in parts.items() if size or name == "store")


def open_audit(
    settings: Settings, keyring: Keyring, clock: Clock, store: Store | None = None, *, looks: bool = False
) -> AuditLog:
    """The audit log of a home; only to look at it where another program may carry the home.

    Args:
        settings: Which home.
        keyring: Its keys.
        clock: What dates it.
        store: What its checkpoints tell of too, and are held against.
        looks: Only look.
    """

    def facts() -> dict[str, Any]:
        return {"policy": settings.policy, **(store.facts() if store else {})}

    doubts = store.older_than if store else lambda facts: ""
    where = Anchor(audit_anchor(settings))
    return AuditLog(
        settings.home / AUDIT, keyring, clock, where,
        facts=facts, doubts=doubts, looks=looks, keep=settings.keep_audit,
    )  # fmt: skip


def audit_anchor(settings: Settings) -> Path:
    """The file that checkpoints go to."""
    return expanded(settings.audit_anchor) if settings.audit_anchor else anchor_file(settings.home)


def sealed_log(home: Path, keyring: Keyring) -> SealedLog:
    """The program's own log; nothing of it is readable on disk."""
    return SealedLog(home / LOG_FILE, keyring.derive("log"))
