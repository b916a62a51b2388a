"""`llmasos policy`: which policies there are, what is wrong in one, and why a sentence may or may not be done."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from llmasos.client import Client
from llmasos.client.remote import RemoteClient
from llmasos.core.base.errors import LlmasosError, UsageError
from llmasos.core.base.paths import expanded
from llmasos.core.base.settings import Settings
from llmasos.core.kernel.policy import Rule, Sources
from llmasos.core.kernel.policy.file import Found
from llmasos.core.kernel.policy.sources import Source, known
from llmasos.core.kernel.session import Nobody
from llmasos.shell.safe import one_line
from llmasos.shell.seat import session

Json = dict[str, Any]


async def run_policy(settings: Settings, action: str, what: str, *, subject: str = "", as_json: bool = False) -> int:
    """List policies, check one, or explain a sentence.

    Returns:
        0; 1 where a policy that is checked has mistakes.

    Raises:
        UsageError: There is no such policy, or nothing to explain.
        NotUnderstood: The sentence fits nothing.
    """
    if action == "list":
        found = await _list(settings)
        print(_json(found) if as_json else "\n".join(_listed(found)))
        return 0
    if action == "check":
        found = await _check(settings, what)
        print(_json(found) if as_json else "\n".join(_checked(found)))
        return 0 if found["ok"] else 1
    if not what.strip():
        raise UsageError("explain needs a sentence or a call.", "As: llmasos policy explain 'files.delete path=a.txt'")
    async with session(settings, Nobody()) as client:
        told = await client.explain_policy(what, subject=subject)
    print(_json(told) if as_json else "\n".join(explained(told)))
    return 0


async def lines(client: Client, line: str) -> list[str]:
    """An explanation for the shell, a line each."""
    return explained(await client.explain_policy(line))


async def _list(settings: Settings) -> Json:
    """The policies there are, and the one in force: the running kernel's, else the one that a start would take."""
    running = await _running(settings)
    in_force: Mapping[str, Any] = {"policy": settings.policy, "problem": ""}
    if running:
        in_force = await running.policy_files()
        await running.close()
    names = list(known(settings.home))
    if in_force["policy"] not in names:
        names.append(str(in_force["policy"]))
    policies = []
    admin: list[Json] = []
    for name in names:
        try:
            files = [_file(source, found) for source, found in Sources.of(name, settings.home).examine()]
        except UsageError:  # what was in force isn't there any more
            files = []
        admin = [file for file in files if file["tier"] == "admin"]
        own = [file for file in files if file["tier"] != "admin"]
        policies.append({"name": name, "active": name == in_force["policy"], "files": own})
    return {
        "active": in_force["policy"], "running": running is not None, "problem": in_force["problem"],
        "policies": policies, "admin": admin,
    }  # fmt: skip


async def _check(settings: Settings, what: str) -> Json:
    """The mistakes of a policy's files, and what is worth a second look."""
    name = what or settings.policy
    if name.endswith(".toml") and not expanded(name).exists():
        raise UsageError(f"There is no file {name}.", "'llmasos policy list' shows the policies there are.")
    running = await _running(settings)
    syscalls: list[str] = []
    if running:
        await running.load_table()
        syscalls = [row.name for row in running.table]
        await running.close()
    files = [_file(source, found, syscalls) for source, found in Sources.of(name, settings.home).examine()]
    return {"policy": name, "ok": not any(file["mistakes"] for file in files), "files": files}


def _file(source: Source, found: Found, syscalls: Sequence[str] = ()) -> Json:
    return {
        "tier": source.tier,
        "path": str(source.path),
        "rules": len(found.rules),
        "description": found.description,
        "moderation": found.moderation or "",
        "mistakes": [{"line": m.line, "what": m.what, "remedy": m.remedy} for m in found.mistakes],
        "notes": [note for rule in found.rules for note in _notes(rule, syscalls)],
    }


def _notes(rule: Rule, syscalls: Sequence[str]) -> list[str]:
    """What a rule says that its author may not mean."""
    notes = []
    wide = not rule.effect and "*" in rule.syscall
    if rule.decision == "allow" and (wide or "final" in rule.effect):
        notes.append(f"The rule {rule.id!r} ({rule.where}) allows what can't be taken back, without a question.")
    for pattern in rule.syscall if syscalls else ():
        if not any(fnmatchcase(name, pattern) for name in syscalls):
            near = difflib.get_close_matches(pattern, syscalls, n=1)
            meant = f" Did you mean {near[0]}?" if near else ""
            notes.append(f"The rule {rule.id!r} ({rule.where}) names {pattern!r}, which is no syscall here.{meant}")
    return notes


async def _running(settings: Settings) -> RemoteClient | None:
    """A session with the kernel that runs, whatever its settings; None where none runs or it doesn't let us in."""
    try:
        return await RemoteClient.meet(settings, {}, Path("/"), Nobody())
    except LlmasosError:
        return None


def _listed(found: Json) -> list[str]:
    told = []
    for policy in found["policies"]:
        for place, file in enumerate(reversed(policy["files"])):
            head = f"{'*' if policy['active'] else ' '} {one_line(policy['name'])}" if place == 0 else ""
            told.append(f"{head:14} {_about(file)}")
            if file["description"]:
                told.append(f"{'':14} {one_line(file['description'])}")
    told += [f"{'  above all':14} {_about(file)}" for file in found["admin"]]
    told.append("")
    told.append("* is in force." if found["running"] else "* is what a start takes; no kernel runs.")
    return told + ([one_line(found["problem"])] if found["problem"] else [])


def _about(file: Json) -> str:
    count = len(file["mistakes"])
    wrong = f"  {count} {'mistake' if count == 1 else 'mistakes'}: 'llmasos policy check'" if count else ""
    rules = f"{file['rules']:3} {'rule ' if file['rules'] == 1 else 'rules'}"
    level = f"  moderation {file['moderation']}" if file["moderation"] else ""
    return f"{file['tier']:8} {rules}  {one_line(file['path'])}{level}{wrong}"


def _checked(found: Json) -> list[str]:
    told = []
    for file in found["files"]:
        told.append(f"{'ok    ' if not file['mistakes'] else 'BROKEN'} {_about({**file, 'mistakes': []})}")
        told += [f"       {one_line(m['what'])} {one_line(m['remedy'])}".rstrip() for m in file["mistakes"]]
        told += [f"note   {one_line(note)}" for note in file["notes"]]
    return told


def explained(told: Mapping[str, Any]) -> list[str]:
    """What policy would decide about each call, and each rule's part in it."""
    said = []
    for call in told["calls"]:
        args = " ".join(f"{name}={one_line(str(value))!r}" for name, value in call["args"].items())
        said.append(f"{call['syscall']} {args}".rstrip() + f"  ({call['effect']}, by {one_line(call['subject'])})")
        meant = {k: v for k, v in call["about"].items() if v != str(call["args"].get(k))}
        said += [f"  {name} means {one_line(value)!r}" for name, value in meant.items()]
        rule = f"the rule {call['rule']!r} of the {call['tier']} tier, {call['where']}" if call["tier"] else "no rule"
        said.append(f"  {call['verdict'].upper()}  by {rule}")
        if call["consent"] is not None:
            said.append(f"  consent {call['consent']} holds, so it isn't asked")
        said += [f"  {one_line(note)}" for note in (call["note"], call["unresolved"]) if note]
        said += [f"    {_tried(rule)}" for rule in call["rules"]]
    return said + ([f"It could also mean something else: {one_line(told['ask'])}"] if told.get("ask") else [])


def _tried(rule: Json) -> str:
    fate = "decides" if rule["decides"] else f"{'loses' if rule['matched'] else 'no'}: {one_line(rule['why'])}"
    return f"{rule['tier']:8} {rule['decision']:6} {one_line(rule['rule'])}  {fate}"


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)
