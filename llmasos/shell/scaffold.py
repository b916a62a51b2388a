"""`llmasos plugin new NAME`, `llmasos app new NAME`: a small one that works, to be changed."""

from __future__ import annotations

import getpass
import json
import re
from pathlib import Path

from llmasos.core.base.errors import UsageError
from llmasos.core.kernel.sandbox import Kind

_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")

_MANIFEST = """\
name = "{name}"
version = "0.1.0"
description = "{about}"
author = "{author}"
license = "Apache-2.0"
isolation = "worker"

[capabilities]
{capabilities}"""

_NOTHING_ASKED = """\
# Nothing is asked for. What could be:
# hosts = ["api.example.org"]        what fetch() may reach
# syscalls = ["memory.recall"]       what call() may call
# paths.read = ["~/Music", "notes"]  folders of the home folder and of the workspace
# paths.write = ["exports"]
# memory = 1024                      MiB
"""

_PLUGIN = '''\
"""Bills in a restaurant. Each function marked with @syscall is something that people can say."""

from llmasos.sdk import ToolError, syscall


@syscall(effect="read")
def split(amount: float, people: int = 2, tip: int = 0) -> str:
    """Split a bill between several people.

    Args:
        amount: What it costs in all.
        people: How many share it.
        tip: The tip in percent.

    Examples:
        split 86 between 4 people
        share a bill of 60 between three, with a 10 percent tip
        86元四个人平分
    """
    if people < 1:
        raise ToolError("Nobody is there to pay.", "Say how many people share it, at least one.")
    share = amount * (100 + tip) / 100 / people
    return f"Each of {people} pays {share:.2f}."


@syscall(effect="read")
def tip(amount: float, percent: int = 10) -> str:
    """Work out the tip for a bill.

    Args:
        amount: What it costs without the tip.
        percent: How much tip, in percent.

    Examples:
        what is a 15 percent tip on 48.20
        how much should I tip for 30
    """
    extra = amount * percent / 100
    return f"{extra:.2f}, together {amount + extra:.2f}."
'''

_PLUGIN_TESTS = """\
[[test]]
call = "split"
args = { amount = 86, people = 4, tip = 10 }
result = "Each of 4 pays 23.65."

[[test]]
call = "split"
args = { amount = 86, people = 0 }
error = "Nobody is there to pay."

[[test]]
call = "tip"
args = { amount = 30 }
contains = "together 33.00"

# Does the model make this call of it?
[[test]]
say = "split 86 between 4 people"
call = "split"
args = { amount = 86, people = 4 }
"""

_APP = '''\
"""An app: `open` is called when it is opened, `say` with each line that is typed while it is."""

from llmasos.sdk import TrapError, call, syscall


@syscall(effect="read")
def open(request: str = "") -> str:
    """What to cook.

    Args:
        request: What there is in the house.
    """
    liked = call("memory.recall", query="food that I like")["items"]
    return f"You like this: {liked[0]['ref']}" if liked else "What do you like to eat?"


@syscall(effect="read")
def say(line: str) -> str:
    """Something that the person likes.

    Args:
        line: What was typed.
    """
    try:
        call("memory.remember", text=f"I like {line}")
    except TrapError as error:
        return f"I can't remember that: {error.what}"
    return "I'll cook that."
'''

_APP_TESTS = """\
[[test]]
call = "open"
result = "What do you like to eat?"

[[test]]
before = ["memory.remember text='I like food with garlic'"]
call = "open"
contains = "garlic"
"""

_README = """\
# {name}

{about}. A {kind} for [llmasos](https://pypi.org/project/llmasos/).

    llmasos {kind} check .    # is it well-formed?
    llmasos {kind} test .     # do its calls give what tests.toml says?
    llmasos {kind} add .      # install it; shows what it asks for

`{kind}.toml` says who it is and what it asks for, `{kind}.py` what it does.
"""


def files(kind: Kind, name: str, author: str) -> dict[str, str]:
    """The files of a new plugin or app."""
    about = "Splits bills and works out tips" if kind == "plugin" else "Says what to cook, and remembers what was liked"
    asked = _NOTHING_ASKED if kind == "plugin" else 'syscalls = ["memory.recall", "memory.remember"]\n'
    said = {"name": name, "about": about, "author": author, "kind": kind, "capabilities": asked}
    return {
        f"{kind}.toml": _MANIFEST.format(**said),
        f"{kind}.py": _PLUGIN if kind == "plugin" else _APP,
        "tests.toml": _PLUGIN_TESTS if kind == "plugin" else _APP_TESTS,
        "README.md": _README.format(**said),
    }


def make(kind: Kind, name: str, into: Path, *, as_json: bool) -> int:
    """Write a new one into a folder of its name.

    Raises:
        UsageError: The name can't be one, or the folder is there already.
    """
    if not _NAME.fullmatch(name) or len(name) > 32:
        raise UsageError(
            f"{name!r} can't be a name.", "Small letters, digits, '-' and '_', a letter first, at most 32."
        )
    folder = into / name
    try:
        folder.mkdir(parents=True)
        for file, text in files(kind, name, _author()).items():
            (folder / file).write_text(text, encoding="utf-8")
    except FileExistsError:
        raise UsageError(f"{folder} is there already.", "Choose another name, or another folder with --into.") from None
    except OSError as error:
        raise UsageError(f"{folder} can't be made: {error.strerror}.", "Choose another folder with --into.") from None
    if as_json:
        print(json.dumps({"folder": str(folder), "files": sorted(files(kind, name, ""))}, ensure_ascii=False))
    else:
        print(f"Made {folder}. Next: llmasos {kind} test {folder}, then llmasos {kind} add {folder}")
    return 0


def _author() -> str:
    try:
        return getpass.getuser() or "me"
    except (KeyError, OSError):
        return "me"
