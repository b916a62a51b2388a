"""The syscall catalogue as a contract: names, argument names and effects that may grow but never change.

A `?` marks an optional argument. The live table is read from a composed system, plugins included.
"""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from llmasos.compose import compose
from llmasos.core.base.settings import Settings
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.core.kernel.syscall import Syscall

CONTRACT = """
files.list            read      path?
files.find            read      query path? when?
files.read            read      path
files.write           write     path content
files.append          write     path content
files.copy            write     source destination
files.move            write     source destination
files.delete          destroy   path
files.mkdir           write     path
files.summarize       read      path
schedule.add          write     title when repeat?
schedule.list         read      when?
schedule.move         write     title when
schedule.cancel       destroy   title
tasks.add             write     title due? priority?
tasks.list            read      status?
tasks.complete        write     title
tasks.remove          destroy   title
memory.remember       write     text
memory.recall         read      query
memory.forget         final     query
search.find           read      query
assistant.answer      read      question
content.write         read      kind topic style? language?
content.translate     read      text language
content.summarize     read      text
character.create      write     name personality? role? language?
character.chat        write     name message
character.list        read
character.show        read      name
character.delete      final     name
character.import      write     path
character.export      write     name path
device.list           read
device.get            read      name
device.turn_on        external  name
device.turn_off       external  name
device.set            external  name value setting?
app.list              read
app.open              write     name request?
app.close             write     name
process.list          read
process.show          read      pid
process.stop          write     pid
process.resume        write     pid
process.kill          final     pid
system.status         read
system.help           read      topic?
system.undo           write
system.history        read
system.time           read
calculator.evaluate   read      expression
"""
CHOICES = {("tasks.add", "priority"): "low normal high urgent", ("tasks.list", "status"): "open done all"}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the contract."""

    name: str
    effect: str
    required: tuple[str, ...]
    optional: tuple[str, ...]


def contract() -> dict[str, Row]:
    """The catalogue by name."""
    rows = {}
    for line in CONTRACT.strip().splitlines():
        name, effect, *arguments = line.split()
        required = tuple(a for a in arguments if not a.endswith("?"))
        rows[name] = Row(name, effect, required, tuple(a[:-1] for a in arguments if a.endswith("?")))
    return rows


@cache
def live_rows() -> dict[str, Syscall]:
    """The live table, in its own order; its functions belong to a system that has ended."""

    async def read() -> dict[str, Syscall]:
        with tempfile.TemporaryDirectory() as home:
            machine = await compose(Settings(home=Path(home) / "home"), engines=ScriptedEngines())
            try:
                if machine.problems:
                    raise RuntimeError(f"The bundled plugins or apps don't load: {machine.problems}")
                return dict(machine.kernel.table.rows)
            finally:
                await machine.close()

    return asyncio.run(read())


def broken_promises() -> list[str]:
    """What the live table doesn't keep of the contract; further syscalls and optional arguments are fine."""
    broken = []
    live = live_rows()
    for row in contract().values():
        if row.name not in live:
            broken.append(f"{row.name} is missing.")
            continue
        has = live[row.name]
        if has.effect != row.effect:
            broken.append(f"{row.name} has the effect {has.effect}, not {row.effect}.")
        required = tuple(a.name for a in has.arguments if a.required)
        if required != row.required:
            broken.append(f"{row.name} needs {required}, not {row.required}.")
        lacking = set(row.optional) - {a.name for a in has.arguments if not a.required}
        if lacking:
            broken.append(f"{row.name} lacks {sorted(lacking)}.")
    for (name, argument), words in CHOICES.items():
        schema = next((a.schema for a in live[name].arguments if a.name == argument), {}) if name in live else {}
        if schema.get("enum") != words.split():
            broken.append(f"{argument} of {name} is one of {schema.get('enum')}, not {words}.")
    return broken
