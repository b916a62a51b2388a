"""What AgentDojo's tools do, in our kernel's words; read from what each tool does, once, for all tasks.

An effect and its targets, the arguments that name what it is done to or where it goes. And of what a tool returns: what
it names, and whose words are in it. AgentDojo's types are known by the name of their class, so that this needs none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from llmasos.core.base.types import Effect
from llmasos.core.base.values import done, items, record, text

ROOM = "dojo"
"""Of their names as syscalls."""


@dataclass(frozen=True, slots=True)
class Does:
    """An effect and the arguments that are its targets; where none is named, all are."""

    effect: Effect
    targets: tuple[str, ...] = ()


EFFECTS: Mapping[str, Does] = {
    # mail and calendar: invitations and changes of an event are mailed to who takes part
    "send_email": Does("external", ("recipients", "cc", "bcc")),
    "delete_email": Does("destroy", ("email_id",)),
    "create_calendar_event": Does("external", ("title", "participants")),
    "cancel_calendar_event": Does("external", ("event_id",)),
    "reschedule_calendar_event": Does("external", ("event_id",)),
    "add_calendar_event_participants": Does("external", ("event_id", "participants")),
    # files
    "create_file": Does("write", ("filename",)),
    "append_to_file": Does("write", ("file_id",)),
    "delete_file": Does("destroy", ("file_id",)),
    "share_file": Does("external", ("file_id", "email")),
    # the bank
    "send_money": Does("external", ("recipient",)),
    "schedule_transaction": Does("external", ("recipient",)),
    "update_scheduled_transaction": Does("external", ("id", "recipient")),
    "update_password": Does("external"),
    "update_user_info": Does("external"),
    # a workplace chat
    "add_user_to_channel": Does("external", ("user", "channel")),
    "send_direct_message": Does("external", ("recipient",)),
    "send_channel_message": Does("external", ("channel",)),
    "invite_user_to_slack": Does("external", ("user", "user_email")),
    "remove_user_from_slack": Does("external", ("user",)),
    "post_webpage": Does("external", ("url",)),
    "get_webpage": Does("external", ("url",)),  # whoever has the page sees that it is looked at, and by which address
    # travel
    "reserve_hotel": Does("external", ("hotel",)),
    "reserve_restaurant": Does("external", ("restaurant",)),
    "reserve_car_rental": Does("external", ("company",)),
}
READS = ("get_", "read_", "list_", "search_", "check_")
"""How the names of all others begin."""

OWN = frozenset(
    {
        "get_current_day", "get_iban", "get_balance", "get_user_info", "get_user_information",
        "search_contacts_by_name", "search_contacts_by_email", "get_scheduled_transactions",
    }
)  # fmt: skip
"""Tools that return what nobody else writes: the person's own data, address book and standing orders."""
CATALOGUE = "web:travel"
"""Hotels, restaurants, cars and flights: neither the list nor the words in it are the person's."""
NAMES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "Email": ("id_", ("sender", "recipients", "cc")),
    "EmailContact": ("name", ("email",)),
    "CalendarEvent": ("id_", ("title", "participants")),
    "CloudDriveFile": ("id_", ("filename",)),
    "Transaction": ("id", ("sender", "recipient", "amount")),
    "Message": ("sender", ("recipient",)),
}
"""Type -> the field with what a thing of it is called, and those with other names in it; subjects and bodies are words.

A payment is also told by its amount. Who writes in a workplace's chat is one of its members, let in by it; who writes a mail
is anybody, so that a mail is called by its number and only holds its sender's name."""


def does(tool: str) -> Does:
    """What a tool does.

    Raises:
        KeyError: That isn't known.
    """
    return EFFECTS[tool] if tool in EFFECTS or not tool.startswith(READS) else Does("read")


def label(suite: str, tool: str, args: Mapping[str, Any]) -> str:
    """Whose words are in what a tool returns; empty where they are the person's or the service's own."""
    if tool in OWN:
        return ""
    if tool == "get_webpage":
        url = str(args.get("url", ""))
        return f"web:{urlsplit(url if '//' in url else f'//{url}').hostname or 'unknown'}"
    if suite == "travel" and tool.startswith(READS) and "calendar" not in tool:
        return CATALOGUE
    return "file"


def shaped(tool: str, returned: Any, label: str) -> dict[str, Any]:
    """What a tool returned, as a result of a syscall."""
    labels = {"labels": [label]} if label else {}
    if isinstance(returned, list | tuple):
        rows = [_row(one) for one in returned]
        columns = list(dict.fromkeys(name for row in rows for name in row if name not in ("ref", "names")))
        return {**items("thing", rows, columns), **labels}
    if type(returned).__name__ in NAMES:
        row = _row(returned)
        fields = {name: value for name, value in row.items() if name not in ("ref", "names")}
        return {**record(tool, fields, ref=str(row["ref"])), "names": row["names"], **labels}
    if isinstance(returned, Mapping):
        return {**record(tool, dict(returned)), **labels}
    if returned is None:
        return done(f"{tool} is done.")
    return {**text(str(returned), source="system"), **labels}


def _row(one: Any) -> dict[str, Any]:
    names = NAMES.get(type(one).__name__)
    if names is None:
        return {"ref": str(one), "text": str(one)}
    fields = one.model_dump(mode="json")
    ref, others = names
    also = [name for field in others for name in _listed(fields.get(field))]
    return {**fields, "ref": str(fields.get(ref, "")), "names": also}


def _listed(value: Any) -> Sequence[str]:
    if isinstance(value, float):
        return [f"{value:.2f}"]
    return [str(one) for one in value] if isinstance(value, list | tuple) else [str(value)] if value else []


Runs = Callable[[str, Mapping[str, Any]], Any]
"""Runs a tool with its arguments; raises ValueError where it fails."""
