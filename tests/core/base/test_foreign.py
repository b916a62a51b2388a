"""JSON and TOML of others: read as they are, and refused where a library would fall over or never end."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmasos.core.base.errors import PluginError, UsageError
from llmasos.core.base.foreign import DEEPEST, PARTS, parse_json, parse_toml
from llmasos.core.base.settings import FILE, Settings
from llmasos.core.kernel.policy.file import examine
from llmasos.core.kernel.sandbox import manifest

TOML = (
    f"memory = {'9' * 5000}",  # more digits than Python makes a number of
    f"name{'.a' * 5000} = 1",
    f"name = {'{a=' * 300}1{'}' * 300}",
    f"name = {'[' * 5000}{']' * 5000}",
    "\n".join(["[" + ".".join("abcdefgh" * 3) + "]\na = {b = {c = 1}}", f"x = {'[' * 99}{']' * 99}"]),
)


@pytest.mark.parametrize(
    "text", ['{"a": [1, 2.5, null, "é"]}', "[" * DEEPEST + "]" * DEEPEST, "[" + "[]," * 5000 + "[]]", '"["']
)
def test_json_is_read(text: str) -> None:
    assert parse_json(text) == parse_json(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[" * 100_000, "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), '{"a":' * 150 + "1" + "}" * 150, "NaN",
        "[Infinity]", '{"a": -Infinity}', "1e999", "[-1e999]", "9" * 5000,
    ],
)  # fmt: skip
def test_json_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_json(text)


def test_toml_is_read() -> None:
    text = 'a.b."c d".e = 1\nwords = "' + "a.b" * 1000 + '"\nhosts = ["' + "x." * 40 + 'org"]\n'
    assert parse_toml(text)["a"] == {"b": {"c d": {"e": 1}}}
    assert parse_toml(".".join("a" * PARTS) + " = 1")


@pytest.mark.parametrize("text", TOML[:4])
def test_toml_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_toml(text)


@pytest.mark.parametrize("text", TOML)
def test_every_reader_of_toml_says_what_is_wrong(text: str, tmp_path: Path) -> None:
    for name in ("plugin.toml", FILE, "mine.toml"):
        (tmp_path / name).write_text(text)
    assert all(str(fault) for fault in manifest.faults(tmp_path))
    with pytest.raises(PluginError):
        manifest.read(tmp_path)
    with pytest.raises(UsageError):
        Settings.load({}, home=tmp_path)
    assert examine(tmp_path / "mine.toml").mistakes


def test_a_folder_of_nobody_is_refused(tmp_path: Path) -> None:
    for settings in (
        {"LLMASOS_HOME": "~nobody-here"},
        {"LLMASOS_HOME": str(tmp_path / "~"), "LLMASOS_THREADS": "many"},
    ):
        with pytest.raises(UsageError):
            Settings.load(settings)
