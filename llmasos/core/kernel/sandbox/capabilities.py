"""What a plugin may do beyond answering: asked for in its manifest, granted by the person, nothing by default.

[capabilities]
hosts = ["api.example.org"]             # what it may fetch
syscalls = ["memory.recall", "room.*"]  # what its code may call
paths.read = ["~/Music", "notes"]       # folders of the person's home, and of the workspace
paths.write = ["exports"]
memory = 1024                           # MiB, where 512 aren't enough
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from llmasos.core.kernel.network.hosts import Host
from llmasos.core.kernel.sandbox import limits

MOST = 16
"""Entries in one list."""
MEMORY = (64, 8192)
"""MiB that can be asked for, least and most."""
CLOSED = frozenset({"plugin", "app", "jobs", "net"})
"""Rooms that no plugin's code may call: in them others are granted things, or act as the person."""

_SYSCALL = re.compile(r"([a-z][a-z0-9_-]*)\.(?:[a-z][a-z0-9_]*|\*)")
_FOLDER = re.compile(r"(?:~/)?[^/~\0]+(?:/[^/\0]+)*")
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What was asked for, or granted.

    Attributes:
        hosts: Hosts, as `network/hosts.py` reads them.
        syscalls: Syscalls, and rooms of them as `room.*`.
        read: Folders to read: in the workspace, or in the home folder as `~/NAME`.
        write: Folders to read and write.
        memory: MiB of address space; 0 for what everybody has.
    """

    hosts: tuple[str, ...] = ()
    syscalls: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    memory: int = 0

    def __bool__(self) -> bool:
        return self != NOTHING

    def beyond(self, granted: Capabilities) -> Capabilities:
        """What of this isn't in a grant."""
        return Capabilities(
            hosts=_without(self.hosts, granted.hosts),
            syscalls=_without(self.syscalls, granted.syscalls),
            read=_without(self.read, granted.read + granted.write),
            write=_without(self.write, granted.write),
            memory=self.memory if self.memory > max(granted.memory, limits.MEMORY >> 20) else 0,
        )

    def shown(self) -> dict[str, str]:
        """As a person reads it, a line for each kind that there is."""
        words = {
            "network": ", ".join(self.hosts),
            "syscalls": ", ".join(self.syscalls),
            "reads": ", ".join(map(place_of, self.read)),
            "writes": ", ".join(map(place_of, self.write)),
            "memory": f"{self.memory} MiB" if self.memory else "",
        }
        return {kind: said for kind, said in words.items() if said}

    def __str__(self) -> str:
        return "; ".join(f"{kind} {said}" for kind, said in self.shown().items()) or "nothing"

    def to_json(self) -> dict[str, Any]:
        """For the store and for programs."""
        return {
            field.name: list(value) if isinstance(value := getattr(self, field.name), tuple) else value
            for field in fields(self)
        }

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Capabilities:
        """It again."""
        hosts, syscalls, read, write = (tuple(value[kind]) for kind in ("hosts", "syscalls", "read", "write"))
        return Capabilities(hosts, syscalls, read, write, value["memory"])

    @property
    def granted_hosts(self) -> tuple[Host, ...]:
        """The hosts, read."""
        return tuple(map(Host.parse, self.hosts))


NOTHING = Capabilities()


def place_of(folder: str) -> str:
    """A folder as a person reads it."""
    return "the whole workspace" if folder == "." else folder if folder.startswith("~/") else f"workspace/{folder}"


def parse(asked: Mapping[str, Any]) -> Capabilities:
    """Read the table of a manifest, which has no faults.

    Raises:
        ValueError: It has one.
    """
    for fault in faults(asked):
        raise ValueError(fault)
    paths = asked.get("paths") or {}  # an empty list asks for nothing too
    return Capabilities(
        tuple(asked.get("hosts", ())), tuple(asked.get("syscalls", ())), tuple(paths.get("read", ())),
        tuple(paths.get("write", ())), asked.get("memory", 0),
    )  # fmt: skip


def faults(asked: Any) -> Iterator[str]:
    """What is wrong with the table of a manifest, each as a sentence after the file's name."""
    if not isinstance(asked, Mapping):
        yield "has no table [capabilities]; add it, empty"
        return
    known = ("paths", "hosts", "syscalls", "memory")
    for key in asked:
        if key not in known:
            yield f"has no capability {key!r} to ask for; there are {', '.join(known)}"
    for kind, right in (("hosts", _host), ("syscalls", _syscall)):
        yield from _of_list(kind, asked.get(kind, []), right)
    paths = asked.get("paths", {})
    if isinstance(paths, Mapping):
        for key in paths:
            if key not in ("read", "write"):
                yield f"asks for paths.{key}; there are paths.read and paths.write"
        for kind in ("read", "write"):
            yield from _of_list(f"paths.{kind}", paths.get(kind, []), _folder)
    elif paths != []:
        yield 'asks for paths that are no lists of folders; write paths.read = ["notes"]'
    memory = asked.get("memory", 0)
    if memory != 0 and (type(memory) is not int or not MEMORY[0] <= memory <= MEMORY[1]):
        yield f"asks for memory = {str(memory)[:30]}; it is a number of MiB, {MEMORY[0]} to {MEMORY[1]}"


def _without(asked: tuple[str, ...], granted: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(one for one in asked if one not in granted)


def _of_list(kind: str, said: Any, right: Any) -> Iterator[str]:
    if not isinstance(said, list) or not all(isinstance(one, str) for one in said):
        yield f'asks for {kind} that are no list of names; write {kind} = ["..."]'
        return
    if len(said) > MOST:
        yield f"asks for {len(said)} {kind}; the limit is {MOST}"
    for one in said:
        if len(one) > _LONGEST or not one.isprintable():
            yield f"asks for {kind} that are too long or have control characters"
        elif wrong := right(one):
            yield f"asks for {kind} {one!r}: it {wrong}"


def _host(said: str) -> str:
    try:
        Host.parse(said)
    except ValueError as error:
        return str(error)
    return ""


def _syscall(said: str) -> str:
    match = _SYSCALL.fullmatch(said)
    if not match:
        return "is neither a syscall nor a room of them, as 'memory.recall' or 'memory.*'"
    return f"can't be called by a plugin, for what is in {match[1]!r} acts for others" if match[1] in CLOSED else ""


def _folder(said: str) -> str:
    if said == ".":
        return ""
    if not _FOLDER.fullmatch(said) or any(part in (".", "..") for part in said.split("/")):
        return "is no folder in the workspace or the home folder, as 'notes' or '~/Music'"
    return ""
