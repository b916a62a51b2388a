"""The guide: a short tour of what can be said, for somebody's first ten minutes."""

from llmasos.sdk import syscall

ROOMS = {
    "files": (
        "files and folders",
        [
            "what is in this folder?",
            "write 'buy milk' to notes/shopping.txt",
            "find the tax pdf and move it to archive",
        ],
    ),
    "time": (
        "reminders and events",
        ["remind me to call Bob tomorrow at 9", "what have I planned next week?", "move the dentist to Friday at 4pm"],
    ),
    "tasks": (
        "to-dos",
        ["put water the plants on my list, it's urgent", "what is still to do?", "I've watered the plants"],
    ),
    "memory": ("things to remember", ["remember that the spare key is under the blue pot", "where is the spare key?"]),
    "characters": (
        "characters to talk with",
        ["create a friendly lighthouse keeper called Orrin", "ask Orrin how the sea is today"],
    ),
    "words": ("texts", ["write a short poem about rain", "summarize notes/report.txt"]),
    "home": ("the simulated home", ["turn on the kitchen light", "set the thermostat to 21 degrees"]),
    "undo": ("taking things back", ["undo", "what was done so far?"]),
}


@syscall(effect="read")
def open(request: str = "") -> str:
    """The tour, or one room of it.

    Args:
        request: What somebody wants to know about.
    """
    asked = request.casefold()
    rooms = {
        name: room
        for name, room in ROOMS.items()
        if asked and (name in asked or any(w in asked for w in room[0].split()))
    }
    lines = []
    for about, sentences in (rooms or ROOMS).values():
        lines.append(f"\n**{about}**\n")  # without empty lines Markdown takes it for the end of the list before it
        lines += [f"- {sentence}" for sentence in (sentences if rooms else sentences[:1])]
    if not rooms:
        lines.append(f"\n'app.open guide request={next(iter(ROOMS))}' says more about one of them.")
    return "\n".join(lines).strip()
