"""Questions to the person: one line typed, upper or lower case, asked again where it fits nothing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from prompt_toolkit import PromptSession
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from llmasos.core.base.errors import UsageError
from llmasos.core.kernel.grant import Pattern
from llmasos.core.kernel.session import LONGEST_CONSENT, Answer, Consent, Lasting
from llmasos.shell import lines
from llmasos.shell.safe import one_line, safe

CONSENT, CONSENT_LASTING, CONSENT_FINAL = "Do it? [y/s/N] ", "Do it? [y/s/a/1h/N] ", "Do it? [y/N] "
CHOICE = "Which? "
YES_ONCE = "once"
YES_ALL = "all {count}"
YES_SESSION = "every {syscall} in this session"
YES_ALWAYS, YES_TIME = "always", "for a time"
NO_ANSWER = "y, s, n, a, or a time as 30m, 1h, 1d. Another pattern stands behind it: a device.* name=lamp*"
FROM = "from"
NO = "no"
WANTED_BY = "wanted by"
RULE = "rule"
NOT_ONE = "That is none of them. A number, a word of one, or nothing for none of them."
OR_EXPLAIN = "A number, or say what you mean in other words; it is remembered."
REMEMBERED = "Remembered: {said!r}. 'readings' lists what is."
MORE = "{count} more; a word of one chooses it too"
REACH = {
    "read": "only looks",
    "write": "can be taken back",
    "destroy": "can be taken back",
    "final": "can't be taken back",
    "external": "acts outside",
}
ANSWERS: dict[str, Answer] = {
    **dict.fromkeys(("y", "yes", "ok", "once", "是", "好", "可以"), "once"),
    **dict.fromkeys(("s", "session", "这次会话"), "session"),
    **dict.fromkeys(("", "n", "no", "不", "否", "不要"), "no"),
}

ALWAYS = frozenset({"a", "always", "总是"})
SECONDS = {"m": 60, "min": 60, "分钟": 60, "h": 3600, "小时": 3600, "d": 86400, "天": 86400}
_TIME = re.compile(rf"(\d{{1,4}})\s?({'|'.join(SECONDS)})(?:\s+|$)")

OPTIONS = 30
"""Options listed; more scroll away what they are about."""


class Interrupted(Exception):
    """Ctrl-C at a prompt; an ordinary exception, for KeyboardInterrupt would tear down the event loop."""


async def ask(prompt: str, *, hidden: bool = False) -> str:
    """One line from the person; empty at the end of input.

    Args:
        prompt: What stands before it.
        hidden: Whether stars are shown instead of what is typed.

    Raises:
        CancelledError: Ctrl-C: the request that asks is over.
    """
    line: PromptSession[str] = PromptSession(interrupt_exception=Interrupted)
    try:
        return (await line.prompt_async(prompt, is_password=hidden)).strip()
    except EOFError:
        return ""
    except Interrupted:
        raise asyncio.CancelledError from None


def consent(question: Consent) -> RenderableType:
    """All that a person should know before they say yes; to several things at once, where a request needs that."""
    about: list[RenderableType] = [part for one in (question, *question.others) for part in _about(one)]
    keys = Text("  ", style="dim")
    reach = {one.effect for one in (question, *question.others)}
    named = question.call.syscall if not question.others else "of these"
    session = [] if reach == {"final"} else [("s", YES_SESSION.format(syscall=named))]
    yes = YES_ALL.format(count=1 + len(question.others)) if question.others else YES_ONCE
    for key, meaning in (("y", yes), *session, ("n", NO)):
        keys.append(f"{key} ", style="not dim bold").append(f"{meaning}   ")
    keys.append(f"{RULE} {one_line(question.rule)}" if question.rule else "")
    about.append(keys)
    if question.pattern:
        lasting = Text("  ", style="dim", overflow="fold")
        for key, meaning in (("a", YES_ALWAYS), ("1h", YES_TIME)):
            lasting.append(f"{key} ", style="not dim bold").append(f"{meaning}   ")
        about.append(lasting.append(one_line(question.pattern)))
    if question.note:
        about.append(Text(f"  {one_line(question.note)}", style="yellow"))
    return Group(*about)


def _about(question: Consent) -> list[RenderableType]:
    """What would be done, and to what."""
    call = question.call
    head = Text("? ", style="bold yellow")
    head.append(call.syscall, style=lines.COLOURS.get(question.effect, "bold"))
    head.append(f"  {REACH.get(question.effect, question.effect)}", style="dim")
    if not question.subject.startswith("user:"):
        head.append(f" · {WANTED_BY} {one_line(question.subject)}", style="yellow")
    if question.labels:
        head.append(f" · {FROM} {one_line(', '.join(question.labels))}", style="yellow")
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in question.shown.items():
        grid.add_row(Text(f"  {one_line(name)}"), Text(lines.whole(value)))
    return [head, *([grid] if question.shown else [])]


def prompt(question: Consent) -> str:
    """What stands before the answer to a question of consent."""
    return CONSENT_LASTING if question.pattern else CONSENT_FINAL if question.effect == "final" else CONSENT


def answer(typed: str, *, about: str = "") -> Answer | None:
    """The answer to a question of consent; None where it is no answer.

    Args:
        typed: What was typed: a word, or `a` or a time and perhaps another pattern than the one that was shown.
        about: The syscall, where consent can be given for longer than a session.
    """
    plain = ANSWERS.get(typed.strip().casefold().rstrip(".!。！"))
    if plain or not about:
        return plain
    word, _, pattern = typed.strip().partition(" ")
    seconds = None
    if word.casefold() not in ALWAYS:
        found = _TIME.match(typed.strip().casefold())
        if found is None or not 0 < int(found[1]) * SECONDS[found[2]] <= LONGEST_CONSENT:
            return None
        seconds, pattern = float(int(found[1]) * SECONDS[found[2]]), typed.strip()[found.end() :]
    if not pattern.strip():
        return Lasting("", seconds)
    try:
        wanted = Pattern.parse(pattern)
    except UsageError:
        return None
    return Lasting(str(wanted), seconds) if Pattern(wanted.syscall).covers(about, {}) else None


def options(question: str, choices: Sequence[str]) -> RenderableType:
    """A question with its numbered options."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(justify="right", style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for number, choice in enumerate(choices[:OPTIONS], 1):
        grid.add_row(f"  {number}", Text(one_line(choice)))
    if len(choices) > OPTIONS:
        grid.add_row("", Text(MORE.format(count=len(choices) - OPTIONS), style="dim"))
    return Group(Text.assemble(("? ", "bold yellow"), safe(question)), grid)


def explained(typed: str, choices: Sequence[str]) -> int | str | None:
    """What an answer to "which did you mean" says: an option by number or whole, the last one by a no, or other words.

    Unlike `picked`, a part of an option picks nothing: "no" is in "notes". None where it is no answer.
    """
    folded = typed.strip().casefold().rstrip(".!。！")
    for place, choice in enumerate(choices, 1):
        if folded in (str(place), choice.casefold()):
            return place - 1
    if ANSWERS.get(folded) == "no" or folded in ("none", "cancel", "nope", "都不是", "取消"):
        return len(choices) - 1
    return typed.strip() if any(character.isalpha() for character in folded) and len(folded) > 1 else None


def picked(typed: str, choices: Sequence[str]) -> int | None:
    """Which option a number, its words, or a part that only one has means; None where it isn't plain."""
    typed = typed.strip().casefold()
    if typed.isdecimal() and 1 <= int(typed) <= len(choices):
        return int(typed) - 1
    folded = [choice.casefold() for choice in choices]
    if folded.count(typed) == 1:
        return folded.index(typed)
    having = [place for place, choice in enumerate(folded) if typed in choice]
    return having[0] if typed and len(having) == 1 else None
