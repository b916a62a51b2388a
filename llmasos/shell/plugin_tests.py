"""tests.toml of a plugin: calls and sentences with what should come of them, read strictly.

[[test]]
call = "split"
args = { amount = 86, people = 4 }
result = "Each of 4 pays 21.50."      # or: contains = "21.50", error = "Nobody"

[[test]]
say = "split 86 between 4 people"     # the model should make this call of it
call = "split"
args = { amount = 86, people = 4 }

[[test]]
before = ["memory.remember text='I like rain'"]
call = "now"
contains = "rain"

[[web]]                               # what fetch gets; a test reaches nothing else
url = "https://api.example.org/now"
body = '{"sky": "rain"}'

[files]                               # what there is in the workspace and in the home folder
"notes/a.txt" = "words"
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmasos.core.base.errors import PluginError
from llmasos.core.base.foreign import parse_toml

FILE = "tests.toml"
_OUTCOMES = ("result", "contains", "error")
_TEST = {"say": str, "call": str, "args": dict, "before": list, "result": object, "contains": str, "error": str}
_PAGE = {"url": str, "method": str, "status": int, "headers": dict, "body": str}


@dataclass(frozen=True)
class Test:
    """One test.

    Attributes:
        call: The function.
        args: What it is called with.
        say: The sentence that should mean this call; empty where the call is made as it is.
        before: Calls that the person makes first.
        expected: `result`, `contains` or `error`, and what.
    """

    call: str
    args: Mapping[str, Any] = field(default_factory=dict)
    say: str = ""
    before: tuple[str, ...] = ()
    expected: Mapping[str, Any] = field(default_factory=dict)

    __test__ = False


@dataclass(frozen=True)
class Page:
    """What a fetch of a URL gets."""

    url: str
    method: str = "GET"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True)
class Tests:
    """All of a file."""

    tests: tuple[Test, ...] = ()
    web: tuple[Page, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)

    __test__ = False


def read(folder: Path) -> Tests:
    """The tests of a plugin; none where it has no file of them.

    Raises:
        PluginError: The file is wrong; the test and the key are named.
    """
    file = folder / FILE
    try:
        table = parse_toml(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Tests()
    except OSError as error:
        raise PluginError(f"{file} can't be read: {error.strerror}.") from None
    except ValueError as error:
        raise PluginError(f"{file} isn't TOML: {error}.") from None
    for key in set(table) - {"test", "web", "files"}:
        raise PluginError(f"{file} has an unknown key {key!r}.", "There are [[test]], [[web]] and [files].")
    tests = tuple(_test(f"{file}, test {n}", one) for n, one in enumerate(_tables(file, table, "test"), 1))
    pages = tuple(_page(f"{file}, web {n}", one) for n, one in enumerate(_tables(file, table, "web"), 1))
    files = table.get("files", {})
    if not isinstance(files, dict) or not all(isinstance(text, str) for text in files.values()):
        raise PluginError(f"{file}: [files] is no table of texts.", 'Write "notes/a.txt" = "words".')
    for name in files:
        if ".." in name.split("/") or name.startswith("/"):
            raise PluginError(f"{file}: the file {name!r} leads out of the workspace.", "Name it from there.")
    return Tests(tests, pages, files)


def _tables(file: Path, table: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise PluginError(f"{file}: {key} is no list of tables.", f"Write each as [[{key}]].")
    return value


def _test(where: str, raw: Mapping[str, Any]) -> Test:
    _check(where, raw, _TEST)
    outcomes = {key: raw[key] for key in _OUTCOMES if key in raw}
    if "call" not in raw:
        raise PluginError(f"{where} has no call.", 'Write call = "the function".')
    if len(outcomes) != 1 and not (not outcomes and "say" in raw):
        raise PluginError(f"{where} expects {len(outcomes)} things.", f"Write one of {', '.join(_OUTCOMES)}.")
    if not all(isinstance(line, str) for line in raw.get("before", [])):
        raise PluginError(f"{where}: before is no list of calls.", "Write before = [\"memory.remember text='...'\"].")
    return Test(raw["call"], raw.get("args", {}), raw.get("say", ""), tuple(raw.get("before", ())), outcomes)


def _page(where: str, raw: Mapping[str, Any]) -> Page:
    _check(where, raw, _PAGE)
    if "url" not in raw:
        raise PluginError(f"{where} has no url.", 'Write url = "https://...".')
    if not all(isinstance(value, str) for value in raw.get("headers", {}).values()):
        raise PluginError(f"{where}: a header isn't text.", 'Write headers = { etag = "1" }.')
    return Page(**raw)


def _check(where: str, raw: Mapping[str, Any], known: Mapping[str, type]) -> None:
    for key, value in raw.items():
        if key not in known:
            raise PluginError(f"{where} has an unknown key {key!r}.", f"There are: {', '.join(known)}.")
        if not isinstance(value, known[key]):
            raise PluginError(f"{where}: {key} is {str(value)[:60]!r}.", f"It should be a {_WORDS[known[key]]}.")


_WORDS = {str: "text", dict: "table", list: "list", int: "number"}
