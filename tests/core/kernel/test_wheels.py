"""Plugins in wheels: found by what is written beside them, run only in their child."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from llmasos.core.kernel.sandbox import PluginHost, wheels
from tests.core.kernel.test_plugins import DICE, MANIFEST

METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
ENTRY = "[llmasos.plugins]\n{name} = {package}\n"


def build(folder: Path, name: str = "llmasos-dice", package: str = "llmasos_dice", **files: str) -> Path:
    """Write a wheel, as any build tool does."""
    files = {
        f"{package}/plugin.toml": MANIFEST.format(name="dice"),
        f"{package}/plugin.py": DICE,
        f"{package}/__init__.py": "raise SystemExit('imported')",
        **files,
    }
    info = f"{name.replace('-', '_')}-1.0.dist-info"
    files[f"{info}/METADATA"] = METADATA.format(name=name)
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files.setdefault(f"{info}/entry_points.txt", ENTRY.format(name="dice", package=package))
    digests = {
        path: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        for path, text in files.items()
    }
    lines = [f"{path},sha256={digests[path]},{len(text.encode())}" for path, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,"]) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{name.replace('-', '_')}-1.0-py3-none-any.whl"
    with ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel


def install(wheel: Path, site: Path) -> Path:
    """What pip does with it."""
    with ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return tmp_path / "site"


async def test_found_described_and_called_without_being_imported(tmp_path: Path, site: Path) -> None:
    install(build(tmp_path), site)
    (found,) = wheels.find([str(site)])
    assert found == wheels.Packaged("llmasos-dice", site / "llmasos_dice")
    async with PluginHost() as host:
        rows, problems = await host.load([], [found])
        assert problems == []
        (row,) = rows
        assert (row.name, row.plugin) == ("dice.roll", "dice")
        assert await row.run(None, sides=20) == {"shown": 20, "colour": "red"}
        assert host.plugins[0].source == "wheel llmasos-dice"
    assert not [name for name in sys.modules if name.startswith("llmasos_dice")]


async def test_what_ships_goes_first_then_wheels_then_folders(tmp_path: Path, site: Path) -> None:
    install(build(tmp_path), site)
    for folder in ("shipped", "home"):
        place = tmp_path / folder / "dice"
        place.mkdir(parents=True)
        (place / "plugin.toml").write_text(MANIFEST.format(name="dice"))
        (place / "plugin.py").write_text(DICE)
    found = wheels.find([str(site)])
    async with PluginHost(trusted=tmp_path / "shipped") as host:
        plugins, problems, _ = host.discover([tmp_path / "shipped", tmp_path / "home"], found)
        assert [plugin.folder for plugin in plugins] == [tmp_path / "shipped" / "dice"]
        assert [problem.folder for problem in problems] == [site / "llmasos_dice", tmp_path / "home" / "dice"]
    async with PluginHost() as host:
        plugins, problems, _ = host.discover([tmp_path / "home"], found)
        assert [plugin.wheel for plugin in plugins] == ["llmasos-dice"]
        assert "is taken by" in problems[0].what


async def test_its_code_is_confined_like_anybodys(tmp_path: Path, site: Path) -> None:
    code = 'from llmasos.sdk import syscall\n@syscall(effect="read")\ndef look(path: str) -> str:\n    "Look."\n'
    install(build(tmp_path, **{"llmasos_dice/plugin.py": code + "    return open(path).read()\n"}), site)
    async with PluginHost() as host:
        (row,) = (await host.load([], wheels.find([str(site)]))).rows
        assert "defines" not in await row.run(None, path=str(site / "llmasos_dice" / "plugin.toml"))
        with pytest.raises(Exception, match=r"PermissionError|FileNotFoundError"):
            await row.run(None, path=str(site / "llmasos_dice-1.0.dist-info" / "METADATA"))


@pytest.mark.parametrize(
    ("package", "entry", "said"),
    [
        ("llmasos_dice", ENTRY.format(name="dice", package="llmasos_other"), "names 'llmasos_other' in llmasos.plugins, which is no folder"),
        ("llmasos_dice", "[llmasos.plugins]\ndice = ../../etc\n", "names '../../etc' in llmasos.plugins, no package"),
        ("llmasos_dice", "[llmasos.plugins]\ndice = \n", "no package"),
        ("llmasos_dice", "[llmasos.plugins]\ndice = /etc\n", "no package"),
    ],
)  # fmt: skip
async def test_a_wheel_that_names_what_is_not_there(
    tmp_path: Path, site: Path, package: str, entry: str, said: str
) -> None:
    install(build(tmp_path, **{"llmasos_dice-1.0.dist-info/entry_points.txt": entry}), site)
    async with PluginHost() as host:
        rows, (problem,) = await host.load([], wheels.find([str(site)]))
    assert rows == []
    assert said in str(problem)
    assert "pip uninstall llmasos-dice" in str(problem)


async def test_a_wheel_whose_manifest_is_missing_or_wrong(tmp_path: Path, site: Path) -> None:
    install(build(tmp_path, **{"llmasos_dice/plugin.toml": "name = 1"}), site)
    async with PluginHost() as host:
        (problem,) = (await host.load([], wheels.find([str(site)]))).problems
        assert problem.name == "llmasos-dice"
        assert "plugin.toml" in problem.what
        (site / "llmasos_dice" / "plugin.toml").unlink()
        (problem,) = (await host.load([], wheels.find([str(site)]))).problems
        assert "plugin.toml can't be read" in problem.what


@pytest.mark.parametrize("name", ["evil.pth", "sitecustomize.py"])
async def test_a_wheel_that_runs_at_every_start_is_named(tmp_path: Path, site: Path, name: str) -> None:
    install(build(tmp_path, **{name: "import os"}), site)
    async with PluginHost() as host:
        rows, (problem,) = await host.load([], wheels.find([str(site)]))
    assert rows == []
    assert f"brings {name}, which Python runs at every start" in problem.what


def test_an_editable_install_is_found_where_it_is_written(tmp_path: Path, site: Path) -> None:
    install(build(tmp_path / "a"), site)
    info = site / "llmasos_dice-1.0.dist-info"
    source = tmp_path / "my checkout" / "src" / "llmasos_dice"
    source.mkdir(parents=True)
    origin = {"url": source.parents[1].as_uri(), "dir_info": {"editable": True}}
    (info / "direct_url.json").write_text(json.dumps(origin))
    assert wheels.find([str(site)]) == [wheels.Packaged("llmasos-dice", source)]


@pytest.mark.parametrize("text", ["[llmasos.plugins", "no = section\n[llmasos.plugins]", "\0", "[llmasos.plugins]\nx"])
def test_entry_points_that_cannot_be_read_name_nothing(tmp_path: Path, site: Path, text: str) -> None:
    install(build(tmp_path, **{"llmasos_dice-1.0.dist-info/entry_points.txt": text}), site)
    assert wheels.find([str(site)]) == []
    (site / "llmasos_dice-1.0.dist-info" / "entry_points.txt").write_bytes(b"[llmasos.plugins]\n\xff")
    assert wheels.find([str(site)]) == []


def test_other_distributions_are_passed_over(site: Path, tmp_path: Path) -> None:
    install(build(tmp_path, **{"llmasos_dice-1.0.dist-info/entry_points.txt": "[console_scripts]\na = b:c\n"}), site)
    assert wheels.find([str(site)]) == []
    assert all(one.wheel for one in wheels.find()), "and where Python looks, nothing breaks"
