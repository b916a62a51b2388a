"""What a plugin asks for: read, compared with what was granted, and put into words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmasos.core.kernel.sandbox import Capabilities, Grants, Plugin
from llmasos.core.kernel.sandbox.capabilities import NOTHING, faults, parse
from llmasos.core.kernel.store import Store

ALL = {
    "hosts": ["api.example.org", "local:http://10.0.0.7:8080"],
    "syscalls": ["memory.recall", "room.*"],
    "paths": {"read": ["~/Music", "notes/2026"], "write": ["exports"]},
    "memory": 1024,
}


def test_everything_that_can_be_asked_for() -> None:
    asks = parse(ALL)
    assert asks == Capabilities(
        ("api.example.org", "local:http://10.0.0.7:8080"), ("memory.recall", "room.*"), ("~/Music", "notes/2026"),
        ("exports",), 1024,
    )  # fmt: skip
    assert Capabilities.from_json(asks.to_json()) == asks
    assert str(asks) == (
        "network api.example.org, local:http://10.0.0.7:8080; syscalls memory.recall, room.*; "
        "reads ~/Music, workspace/notes/2026; writes workspace/exports; memory 1024 MiB"
    )


@pytest.mark.parametrize("asked", [{}, {"hosts": [], "syscalls": [], "paths": [], "memory": 0}, {"paths": {}}])
def test_nothing_by_default(asked: dict[str, Any]) -> None:
    assert parse(asked) == NOTHING
    assert not parse(asked)
    assert str(NOTHING) == "nothing"


def test_all_faults_are_named_at_once() -> None:
    wrong = {
        "hosts": ["*", "ok.example.org"],
        "syscalls": "x",
        "paths": {"read": ["../x"], "run": []},
        "memory": 1,
        "more": 1,
    }
    said = list(faults(wrong))
    assert len(said) == 6, said
    with pytest.raises(ValueError, match="no capability 'more'"):
        parse(wrong)


@pytest.mark.parametrize(
    "folder",
    ["", "/", "/etc", "~", "~/", "~ada/x", "..", "a/..", "a//b", "./a", "a/.", "~/../x", "a\0b", "x" * 400, "a\nb"],
)
def test_folders_that_are_not_granted(folder: str) -> None:
    assert list(faults({"paths": {"read": [folder]}}))


def test_the_whole_workspace_is_said_to_be_that() -> None:
    assert parse({"paths": {"write": ["."]}}).shown() == {"writes": "the whole workspace"}


def test_what_is_beyond_a_grant() -> None:
    granted = parse(ALL)
    assert not granted.beyond(granted)
    assert not NOTHING.beyond(granted)
    assert not parse({"memory": 256}).beyond(NOTHING), "less than everybody has needs no grant"
    more = parse({**ALL, "hosts": ["api.example.org", "*.example.org"], "memory": 2048})
    assert more.beyond(granted) == Capabilities(hosts=("*.example.org",), memory=2048)
    assert str(parse({"paths": {"write": ["~/Music"]}}).beyond(granted)) == "writes ~/Music", "reading isn't writing"
    assert not parse({"paths": {"read": ["exports"]}}).beyond(granted), "who may write may read"
    assert granted.beyond(NOTHING) == granted


def plugin(folder: Path, asks: Capabilities = NOTHING, **more: Any) -> Plugin:
    return Plugin("dice", "1.0", "Dice", "Ada", "MIT", "worker", folder, asks=asks, digest="d1", **more)


def test_grants_are_for_a_name_from_a_source(store: Store, home: Path, tmp_path: Path) -> None:
    grants, asks = Grants(store), parse(ALL)
    ours = plugin(tmp_path / "dice", asks)
    assert grants.of(ours) == NOTHING
    grants.give(ours)
    assert grants.of(ours) == asks
    assert grants.of(plugin(tmp_path / "other" / "dice", asks)) == NOTHING
    assert grants.of(plugin(tmp_path / "dice", asks, wheel="dice")) == NOTHING
    assert grants.of(plugin(tmp_path / "dice", asks, kind="app")) == NOTHING
    kept = grants.take("plugin", "dice")
    assert kept and kept["digest"] == "d1"
    assert grants.of(ours) == NOTHING
    grants.put_back("plugin", "dice", kept)
    assert grants.of(ours) == asks
    for place in home.rglob("*"):
        assert not place.is_file() or b"api.example.org" not in place.read_bytes(), "sealed"
