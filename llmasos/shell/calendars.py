"""`llmasos calendar`: calendars of other programs, imported, exported, or followed read-only."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from llmasos.client import Client
from llmasos.core.base.errors import UsageError
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call, Result
from llmasos.core.kernel.session import FrontEnd
from llmasos.shell.once import exit_code
from llmasos.shell.seat import session
from llmasos.shell.secrets_front import front_of

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for.

    Attributes:
        action: `list`, `add`, `remove`, `sync`, `import` or `export`.
        what: The calendar's name; or the file or folder.
        place: Where a calendar is that is added: a folder, a file or an address.
        login: Whether its server wants a user and a password.
        since: What is exported: from when on.
        until: Until when.
    """

    action: str
    what: str = ""
    place: str = ""
    login: bool = False
    since: str = ""
    until: str = ""


async def run_calendar(settings: Settings, wanted: Wanted, output: str) -> int:
    """Do it, and print what came of it.

    Returns:
        0 done, else as for any call.

    Raises:
        UsageError: A name or a file is missing.
    """
    _check(wanted)
    front = front_of(settings, output)
    async with session(settings, front) as client:
        calls = await _calls(client, wanted, front)
        results = [await client.trap(call) for call in calls]
    if output != "text":
        shown = [result.to_json() for result in results]
        print(json.dumps(shown[0] if len(shown) == 1 else shown, ensure_ascii=False))
    elif not calls:
        print("No calendar is followed. 'llmasos calendar add' follows one.")
    return exit_code(results)


def _check(wanted: Wanted) -> None:
    needs = {
        "add": "a name and a place, as: llmasos calendar add work https://dav.example.org/ada/ --login",
        "remove": "the name of a calendar, as: llmasos calendar remove work",
        "import": "a file or a folder, as: llmasos calendar import holidays.ics",
        "export": "a file, as: llmasos calendar export plan.ics --from today --to 'next month'",
    }
    if wanted.action in needs and not wanted.what:
        raise UsageError(f"calendar {wanted.action} needs more.", f"It takes {needs[wanted.action]}")


async def _calls(client: Client, wanted: Wanted, front: FrontEnd) -> list[Call]:
    """The calls that do it."""
    name = {"name": wanted.what}
    match wanted.action:
        case "add":
            # An address that is a secret of its own needn't stand in the command line, where others can read it.
            place = wanted.place or await front.secret("Folder or address:", hidden=False) or ""
            if not place:
                raise UsageError(
                    "calendar add needs a place.", "A folder or file of the workspace, or an https address."
                )
            if _ADDRESS.match(place):
                return [Call("calendar.subscribe", {**name, "address": place, "login": wanted.login})]
            return [Call("calendar.add", {**name, "path": place})]
        case "remove":
            return [Call("calendar.remove", name)]
        case "sync":
            return await _syncs(client, wanted.what)
        case "import":
            return [Call("calendar.import", {"path": wanted.what})]
        case "export":
            span = {"since": wanted.since, "until": wanted.until}
            return [Call("calendar.export", {"path": wanted.what, **{k: v for k, v in span.items() if v}})]
    return [Call("calendar.list", {})]


async def _syncs(client: Client, name: str) -> list[Call]:
    """A call for each calendar that is read again."""
    found: Result = await client.trap(Call("calendar.list", {}), quiet=True)
    rows = found.value["items"] if found.ok else []
    kinds = {row["name"]: row["kind"] for row in rows}
    if name:
        known = next((one for one in kinds if one.casefold() == name.casefold()), name)
        kinds = {known: kinds.get(known, "server")}
    return [Call("calendar.refresh" if k == "folder" else "calendar.sync", {"name": n}) for n, k in kinds.items()]
