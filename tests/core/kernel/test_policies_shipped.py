"""What each bundled policy decides about each syscall there is, for the person and for an app.

Written out, so that a new syscall or a changed rule shows here what it means. Whatever isn't in a table is denied.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

import llmasos
from llmasos.core.base.paths import shipped
from llmasos.core.kernel.policy import Policy
from llmasos.core.kernel.policy.file import _KEYS, examine
from tests.catalogue import live_rows

READS = """
    files.list files.find files.read files.summarize schedule.list tasks.list memory.recall search.find
    assistant.answer content.write content.translate content.summarize character.list character.show room.show
    device.list device.get device.what_if device.sources process.list process.show system.status system.help system.replay system.history system.time
    jobs.list jobs.show jobs.wait calculator.evaluate app.list app.say plugin.list safety.show calendar.list
    character.memories character.rest model.list model.classify model.generate
"""
CHILD_READS = READS.replace("safety.show", "")
WRITES = """
    files.write files.append files.copy files.move files.mkdir
    schedule.add schedule.move tasks.add tasks.complete memory.remember
    character.create character.chat character.import character.export character.remember model.assign
    room.invite room.dismiss room.say room.go_on process.stop process.resume system.undo system.redo
    jobs.add app.open app.close plugin.revoke plugin.disable plugin.enable
    calendar.import calendar.export calendar.add calendar.refresh
"""
UNDOABLE = (
    f"{WRITES} files.delete schedule.cancel tasks.remove jobs.cancel plugin.remove calendar.remove device.disconnect "
)
COMMANDS = "system.run "
"""Native commands: a person's own, nobody else's."""
FINAL = "memory.forget character.delete character.forget process.kill plugin.add plugin.grant"
EXTERNAL = "device.turn_on device.turn_off device.set device.connect device.reconnect calendar.subscribe calendar.sync"

# policy -> subject -> what it may, and what it is asked about
TABLE = {
    "default": {
        "user:ada": (READS + UNDOABLE + COMMANDS, FINAL + " " + EXTERNAL),
        "app:social": (READS + "room.invite room.dismiss room.say room.go_on", ""),
        "character:Alice": (READS, ""),
        "plugin:weather": (
            READS + WRITES,
            "",
        ),  # of these it can do what it was granted, and the grant is looked at first
    },
    "agent": {
        "user:ada": (READS + UNDOABLE + COMMANDS + EXTERNAL, FINAL),
        "app:social": (READS + "room.invite room.dismiss room.say room.go_on", ""),
        "character:Alice": (READS, ""),
        "plugin:weather": (READS + WRITES, ""),
    },
    "developer": {
        "user:ada": (READS + UNDOABLE + COMMANDS + EXTERNAL, FINAL),
        "app:social": (READS + UNDOABLE + EXTERNAL, FINAL),
        "character:Alice": (READS + UNDOABLE + EXTERNAL, FINAL),
    },
    "readonly": {
        "user:ada": (READS, ""),
        "app:social": (READS, ""),
        "character:Alice": (READS, ""),
        "plugin:weather": (READS, ""),
    },
    "child": {
        "user:ada": (
            CHILD_READS
            + """
            files.write files.append files.copy files.mkdir
            schedule.add schedule.move schedule.cancel tasks.add tasks.complete tasks.remove memory.remember
            character.chat room.invite room.dismiss room.say room.go_on app.open app.close system.undo system.redo
            """,
            "",
        ),
        "app:social": (CHILD_READS + "room.invite room.dismiss room.say room.go_on", ""),
        "character:Alice": (CHILD_READS, ""),
    },
    "kiosk": {
        "user:ada": (
            """
            assistant.answer content.write content.translate content.summarize calculator.evaluate
            system.time system.help character.list character.chat room.show room.say room.go_on
            app.list app.open app.say app.close
            """,
            "",
        ),
        "app:social": (
            """
            assistant.answer content.write content.translate content.summarize calculator.evaluate
            system.time system.help character.list character.chat room.show room.say room.go_on
            """,
            "",
        ),
        "character:Alice": (
            """
            assistant.answer content.write content.translate content.summarize calculator.evaluate
            system.time system.help
            """,
            "",
        ),
    },
}
CASES = [(policy, subject) for policy, subjects in TABLE.items() for subject in subjects]

# Said once more, one by one: what must never be possible there, under whatever name.
NEVER = {
    "child": ["*.delete", "*.kill", "system.run", "memory.forget", "device.turn_*", "device.set", "files.move", "app.install*",
              "app.remove*", "plugin.install", "model.use", "process.*op", "jobs.add", "character.import",
              "calendar.import", "calendar.add", "calendar.subscribe"],
    "kiosk": ["files.*", "memory.*", "search.*", "tasks.*", "schedule.*", "device.*", "process.*", "jobs.*", "calendar.*",
              "system.history", "system.undo", "system.run", "character.show", "character.delete", "app.install",
              "plugin.install"],
    "readonly": ["files.write", "files.delete", "memory.forget", "device.turn_on", "tasks.add", "system.undo",
                 "system.run"],
}  # fmt: skip


def loaded(name: str) -> Policy:
    return Policy.load(shipped("policies") / f"{name}.toml")


def test_every_bundled_policy_has_a_table() -> None:
    assert {path.stem for path in shipped("policies").glob("*.toml")} == set(TABLE)


@pytest.mark.parametrize(("name", "subject"), CASES)
def test_what_is_decided_about_each_syscall(name: str, subject: str) -> None:
    policy = loaded(name)
    allowed, asked = (words.split() for words in TABLE[name][subject])
    wanted = {**dict.fromkeys(live_rows(), "deny"), **dict.fromkeys(allowed, "allow"), **dict.fromkeys(asked, "ask")}
    decided = {row.name: policy.decide(subject, row.name, row.effect, {}).verdict for row in live_rows().values()}
    assert decided == wanted


@pytest.mark.parametrize(("name", "pattern"), [(n, p) for n, patterns in NEVER.items() for p in patterns])
def test_what_is_never_possible(name: str, pattern: str) -> None:
    policy = loaded(name)
    rows = [row for row in live_rows().values() if fnmatchcase(row.name, pattern)]
    effects = {row.name: row.effect for row in rows if row.effect != "read" or name == "kiosk"}
    # What another version may bring: a syscall of that name, whatever it does short of looking.
    for effect in ("write", "destroy", "final", "external"):
        assert policy.decide("user:ada", pattern.replace("*", "x"), effect, {}).verdict == "deny"
    for syscall, effect in effects.items():
        assert policy.decide("user:ada", syscall, effect, {}).verdict == "deny", syscall


@pytest.mark.parametrize("name", ["default", "developer", "readonly", "child", "kiosk"])
def test_who_may_fetch(name: str) -> None:
    policy = loaded(name)
    fetches = {
        subject: policy.decide(subject, "net.fetch", "external", {"host": "example.org"}).verdict
        for subject in ("plugin:weather", "app:social", "character:Alice")
    }
    free = "allow" if name in ("default", "developer") else "deny"
    everybody = "allow" if name == "developer" else "deny"
    assert fetches == {"plugin:weather": free, "app:social": free, "character:Alice": everybody}


@pytest.mark.parametrize("name", ["default", "developer", "readonly", "child", "kiosk"])
def test_nothing_final_ever_runs_unasked(name: str) -> None:
    policy = loaded(name)
    for subject in ("user:ada", "app:social", "character:Alice", "plugin:x"):
        assert policy.decide(subject, "any.thing", "final", {}).verdict != "allow"


@pytest.mark.parametrize("name", list(TABLE))
@pytest.mark.parametrize("subject", ["app:social", "plugin:x", "character:Alice"])
def test_nobody_but_a_person_runs_native_commands(name: str, subject: str) -> None:
    decided = loaded(name).decide(subject, "system.run", "write", {"command": "ls"})
    assert decided.verdict == "deny"
    assert decided.rule != "no-rule", "said in so many words, so that a rule that allows more doesn't allow this"


def test_the_documented_format_is_the_one_that_is_read(tmp_path: Path) -> None:
    page = (Path(llmasos.__file__).parents[1] / "docs" / "policy.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```toml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert len(examples) >= 2
    for number, example in enumerate(examples):
        path = tmp_path / f"{number}.toml"
        path.write_text(example)
        found = examine(path)
        assert not found.mistakes and (found.rules or found.moderation)
    keys = re.findall(r"^\| `(\w+)` \| [^|]+ \| (?:needed|any|no|any arguments|anybody)?[^|]*\|$", page, re.MULTILINE)
    assert set(keys) == _KEYS


@pytest.mark.parametrize("name", list(TABLE))
def test_each_says_what_it_is_for(name: str) -> None:
    found = examine(shipped("policies") / f"{name}.toml")
    assert found.name == name and found.description.endswith(".") and not found.mistakes
