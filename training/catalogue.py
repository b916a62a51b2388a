"""The order of each syscall's arguments, which is the order they are written in.

The grammar of the running system takes it from the functions themselves; training must not need them.
"""

from __future__ import annotations

from typing import Any

_TABLE = """
files.list path
files.find query path when
files.read path
files.write path content
files.append path content
files.copy source destination
files.move source destination
files.delete path
files.mkdir path
files.summarize path
schedule.add title when repeat
schedule.list when
schedule.move title when
schedule.cancel title
tasks.add title due priority
tasks.list status
tasks.complete title
tasks.remove title
memory.remember text
memory.recall query
memory.forget query
search.find query
assistant.answer question
content.write kind topic style language
content.translate text language
content.summarize text
character.create name personality role language
character.chat name message
character.list
character.show name
character.delete name
character.import path
character.export name path
device.list
device.get name
device.turn_on name
device.turn_off name
device.set name value setting
app.list
app.open name request
app.close name
process.list
process.show pid
process.stop pid
process.resume pid
process.kill pid
system.status
system.help topic
system.undo
system.history
system.time
calculator.evaluate expression
"""

ARGUMENTS: dict[str, list[str]] = {
    name: arguments for name, *arguments in (line.split() for line in _TABLE.strip().splitlines())
}
"""Syscall to its arguments, in order."""

ENUMERATED = {"status", "priority", "setting"}
"""Arguments whose values come from a list or from common sense, not from the sentence."""


def ordered(syscall: str, args: dict[str, Any]) -> dict[str, Any]:
    """The arguments in the order of the definition.

    Raises:
        KeyError: No such syscall.
        ValueError: The syscall has no such argument.
    """
    known = ARGUMENTS[syscall]
    return {name: args[name] for name in sorted(args, key=known.index)}
