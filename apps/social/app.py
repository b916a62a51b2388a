"""A room where a person and several of their characters talk.

The room itself is the kernel's: who hears what, who answers, what is kept. This app reads what the person wants.
"""

import re

from llmasos.sdk import TrapError, syscall, trap

FEW = 3
"""So many characters come in by themselves; of more the person says which."""

HOW = "Talk to everybody, or to one by name. 'invite Bram', 'send Bram out', 'who is here', 'go on', 'leave'."

INVITE = re.compile(r"(?:please )?(?:invite|bring in|call in|let in)\s+(.+)|(?:邀请|请|叫)(.+?)(?:进来|过来)?", re.I)
DISMISS = re.compile(
    r"(?:please )?(?:send|show|throw)\s+(.+?)\s+(?:out|away)|(?:dismiss|uninvite)\s+(.+)"
    r"|(?:让|请)(.+?)(?:出去|离开|走)",
    re.I,
)
WHO = re.compile(
    r"who(?:'s| is| else is)? (?:all )?(?:here|there|in the room)\W*|(?:这里)?(?:有谁|谁在)(?:这里|场)?\W*", re.I
)
GO_ON = re.compile(r"(?:please )?(?:go on|carry on|keep talking|talk among yourselves)\W*|(?:继续|你们聊)吧?\W*", re.I)
HELP = re.compile(r"(?:help|\?|帮助)", re.I)


@syscall(effect="read")
def open(request: str = "") -> str:
    """Go into the room, with those who are named.

    Args:
        request: Who should be there.
    """
    characters = [row["name"] for row in trap("character.list")["items"]]
    if not characters:
        return "There is nobody to talk with yet. 'create a character called Alice' makes somebody."
    here = _here()
    named = [name for name in characters if name.casefold() in request.casefold()]
    wanted = named or ([] if here or len(characters) > FEW else characters)
    for name in wanted:
        if name not in here:
            trap("room.invite", who=name)
    here = _here()
    if not here:
        return f"The room is empty. Who should come in? There are {', '.join(characters)}: 'invite {characters[0]}'."
    return f"{_listed(here)} {'is' if len(here) == 1 else 'are'} here. {HOW}"


@syscall(effect="read")
def say(line: str) -> str:
    """A line of the person: something said to those who are here, or who should come and go.

    Args:
        line: What was typed.
    """
    line = line.strip()
    if HELP.fullmatch(line):
        return HOW
    if WHO.fullmatch(line):
        here = _here()
        return f"{_listed(here)} {'is' if len(here) == 1 else 'are'} here." if here else "Nobody is here."
    if GO_ON.fullmatch(line):
        return str(trap("room.go_on")["text"])
    for pattern, call in ((DISMISS, "room.dismiss"), (INVITE, "room.invite")):
        names = _named(pattern.fullmatch(line.rstrip(".!。！")))
        if names:
            return " ".join(str(trap(call, who=name)["message"]) for name in names)
    try:
        return str(trap("room.say", message=line)["text"])
    except TrapError as error:
        if error.code == "ENOENT":
            return str(error)
        raise


def _here() -> list[str]:
    here = trap("room.show")["fields"]["here"]
    return [] if here == "nobody" else here.split(", ")


def _named(match: "re.Match[str] | None") -> list[str]:
    """The characters that an order names; none where it names nobody, and so was no order."""
    said = next((group for group in match.groups() if group), "") if match else ""
    names = [name.strip() for name in re.split(r",|\band\b|、|和", said) if name.strip()]
    known = {row["name"].casefold(): row["name"] for row in trap("character.list")["items"]} if names else {}
    meant = [next((real for low, real in known.items() if name.casefold() in low), "") for name in names]
    return meant if all(meant) else []


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
