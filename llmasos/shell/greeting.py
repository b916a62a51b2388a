"""What a person reads when the shell opens, and when they ask what can be said."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from llmasos.shell.safe import one_line

FIRST = {
    "en": (
        "This is llmasos. Say what you want: a model on this machine does it, offline.",
        "Try  {0}  or  {1}",
        "Your files are those in {0}. '?' helps, 'undo' takes back, Ctrl-D ends.",
    ),
    "zh": (
        "这里是 llmasos。说出你想做的事，本机的语言模型就会照办，无需联网。",
        "试试  {0}  或  {1}",
        "你的文件就是 {0} 里的文件。“?” 看帮助，undo 撤销，Ctrl-D 退出。",
    ),
}
AWAY = {
    "en": "This is llmasos. Say what you want: it is read on this machine; answers and talk come from {0}.",
    "zh": "这里是 llmasos。说出你想做的事：句子在本机读懂，回答和对话由 {0} 写出。",
}
"""The first line where the model that talks is on a server."""
EXAMPLES = {
    "en": ("remind me to call Bob tomorrow at 9", "write a haiku about autumn"),
    "zh": ("明天早上九点提醒我给小雪打电话", "写一首关于秋天的诗"),
}
AGAIN = "llmasos · files in {0} · '?' helps"
AGAIN_AWAY = "llmasos · files in {0} · words by {1} · '?' helps"
RECOVERY = "Recovery code: {0}"
RECOVERY_FOR = (
    "Write it down: it opens your data if this machine's key is lost. Shown once. "
    "'llmasos init' chooses a passphrase and a policy."
)

HELP_HEAD = "Say what you want, in your own words. For example:"
HELP_EXAMPLES = (
    ("find my tax pdf and move it to archive", "files"),
    ("remind me to call Bob tomorrow at 9", "reminders"),
    ("add buy milk to my list", "to-dos"),
    ("remember that the key is under the mat", "memory"),
    ("write a story about a lighthouse", "words"),
    ("create a friendly character called Alice", "characters"),
    ("turn off the lamp in the study", "devices"),
    ("what's 15% of 80", "sums"),
)
HELP_TAIL = (
    "Written calls and shell habits work as well: files.read notes.md, ls, cd, cat, cp, mv, rm, mkdir. "
    "!sort notes.md runs a native command.",
    "undo takes back · history shows what was done · ps shows what runs",
    "Tab completes · Ctrl-R searches · Alt-Enter begins a line · Ctrl-C stops a request · Ctrl-D ends",
    "'system.help' lists all, '? files' one part of it.",
)


def language(environment: Mapping[str, str] | None = None) -> str:
    """The person's language as far as it is spoken here: `zh` or `en`."""
    environment = os.environ if environment is None else environment
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):  # the order that POSIX gives them
        if environment.get(variable):
            return "zh" if environment[variable].startswith("zh") else "en"
    return "en"


def first(workspace: Path, spoken: str, server: str = "") -> RenderableType:
    """Three lines for somebody who has never been here; `server` is where the model that talks is, if on one."""
    what, examples, where = FIRST[spoken]
    if server:
        what = AWAY[spoken].format(one_line(server))
    one, two = EXAMPLES[spoken]
    head, tail = examples.split("{0}")
    between, end = tail.split("{1}")
    line = Text.assemble(head, (one, "cyan"), between, (two, "cyan"), end)
    return Group(Text(what, style="bold"), line, Text(where.format(one_line(str(workspace))), style="dim"))


def again(workspace: Path, server: str = "") -> RenderableType:
    """One line for somebody who knows; `server` as for `first`."""
    line = AGAIN_AWAY if server else AGAIN
    return Text(line.format(one_line(str(workspace)), one_line(server)), style="dim")


def recovery(code: str) -> RenderableType:
    """The recovery code, with what it is for."""
    return Group(Text(RECOVERY.format(code), style="bold yellow"), Text(RECOVERY_FOR, style="dim"))


def help_page() -> RenderableType:
    """What can be said, short."""
    grid = Table.grid(padding=(0, 3, 0, 0))
    for sentence, about in HELP_EXAMPLES:
        grid.add_row(Text(f"  {sentence}", style="cyan"), Text(about, style="dim"))
    return Group(Text(HELP_HEAD, style="bold"), grid, *(Text(line, style="dim") for line in HELP_TAIL))
