"""`llmasos plugin` and `llmasos app`: made, checked, tested and installed as their author and a person do it; and the docs."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import llmasos
from llmasos.cli import main
from llmasos.compose import own_rooms
from llmasos.core.base.settings import Settings
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.core.kernel.sandbox import PluginHost, wheels
from llmasos.shell import plugin_tests, scaffold
from llmasos.shell.plugin_check import check
from llmasos.shell.plugin_test import run_tests
from tests.catalogue import live_rows
from tests.core.kernel.test_wheels import install
from tests.seat import reader

DOCS = Path(llmasos.__file__).parents[1] / "docs"
SAYS = {"split 86 between 4 people": [("bill.split", {"amount": 86, "people": 4})]}


@pytest.fixture
def bill(tmp_path: Path) -> Path:
    """A new plugin."""
    assert scaffold.make("plugin", "bill", tmp_path, as_json=True) == 0
    return tmp_path / "bill"


def problems(folder: Path, kind: Any = "plugin") -> list[str]:
    report = asyncio.run(check(Settings(home=folder / "none"), kind, folder))
    assert not (folder / "none").exists(), "checking makes no home"
    return [str(error) for error in report.problems]


def outcome(
    folder: Path, capsys: pytest.CaptureFixture[str], kind: Any = "plugin", reads: Any = "none\n"
) -> dict[str, Any]:
    capsys.readouterr()
    engines = ScriptedEngines(reads=reads)
    code = asyncio.run(run_tests(Settings(home=folder / "none"), kind, folder, as_json=True, engines=engines))
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert code == (0 if said["ok"] else 1)
    assert not (folder / "none").exists()
    return said


# -- new


def test_what_is_made_is_well_formed_and_its_tests_pass(bill: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert problems(bill) == []
    said = outcome(bill, capsys, reads=reader(SAYS))
    assert said["ok"] and len(said["tests"]) == 4, said
    assert len((bill / "README.md").read_text().splitlines()) <= 10


def test_a_made_app_is_well_formed_and_its_tests_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scaffold.make("app", "dinner", tmp_path, as_json=True)
    assert problems(tmp_path / "dinner", "app") == []
    assert outcome(tmp_path / "dinner", capsys, "app")["ok"]


@pytest.mark.parametrize("name", ["", "Bill", "a b", "../up", "a/b", "x" * 33])
def test_names_that_nothing_is_made_of(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugin", "new", name, "--into", str(tmp_path)]) == 2
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(bill: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bill / "plugin.py").write_text("mine")
    assert main(["plugin", "new", "bill", "--into", str(bill.parent)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert (bill / "plugin.py").read_text() == "mine"


# -- check


def test_every_problem_of_a_manifest_is_named(bill: Path) -> None:
    (bill / "plugin.toml").write_text(
        'name = "Bill"\nversion = 1\nmore = 1\n[capabilities]\nhosts = ["*"]\nroot = true\n'
    )
    said = problems(bill)
    assert len(said) == 9, said
    for one in ("unknown key 'more'", "the name is 'Bill'", "version is '1'", "no description", "no author", "no license",
                "no isolation", "no capability 'root'", "asks for hosts '*'"):  # fmt: skip
        assert sum(one in problem for problem in said) == 1, one
    assert all(str(bill / "plugin.toml") in problem for problem in said)


WRONG = '''\
from llmasos.sdk import syscall

@syscall(effect="read")
def untyped(a):
    "Untyped."

@syscall(effect="read")
def silent(a: str):
    pass

@syscall(effect="read")
def fine(a: str):
    "Fine."

@syscall(effect="read")
def odd(a: set[str]):
    "Odd."

@syscall(effect="read")
def misdescribed(a: str):
    """Misdescribed.

    Args:
        b: Not there.
    """
'''


def test_every_function_that_cannot_be_a_syscall_is_named_with_its_line(bill: Path) -> None:
    (bill / "plugin.py").write_text(WRONG)
    said = problems(bill)
    assert [re.findall(r"plugin\.py, line (\d+): (\w+)", problem)[0] for problem in said] == [
        ("3", "untyped"), ("7", "silent"), ("15", "odd"), ("19", "misdescribed"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def f(:", "SyntaxError: invalid syntax (plugin.py, line 1)"),
        ("import requests", "No module named 'requests' (plugin.py, line 1)"),
        ("open('/etc/passwd')", "(plugin.py, line 1)"),
        ("import socket\nsocket.socket()", "PermissionError"),
        ("", "defines no syscall"),
    ],
)
def test_code_is_looked_at_in_the_confined_child(bill: Path, code: str, said: str) -> None:
    (bill / "plugin.py").write_text(code)
    (problem,) = problems(bill)
    assert said in problem


@pytest.mark.parametrize("name", ["files", "calculator", "plugin", "net", "app", "schedule"])
def test_names_of_the_catalogue_collide(bill: Path, name: str) -> None:
    (bill / "plugin.toml").write_text((bill / "plugin.toml").read_text().replace('"bill"', f'"{name}"'))
    (problem,) = problems(bill)
    assert f"the name {name!r} belongs to the system" in problem


def test_the_rooms_of_the_system_are_known_without_starting_it() -> None:
    live = {name.partition(".")[0] for name, row in live_rows().items() if not row.plugin}
    assert own_rooms() == live


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "isn't TOML"),
        ("x = 1", "unknown key 'x'"),
        ("[[test]]\nresult = 1", "tests.toml, test 1 has no call"),
        ('[[test]]\ncall = "split"', "test 1 expects 0 things"),
        ('[[test]]\ncall = "split"\nresult = 1\nerror = ""', "test 1 expects 2 things"),
        ('[[test]]\ncall = 1', "test 1: call is '1'. It should be a text"),
        ('[[test]]\ncall = "split"\nresult = 1\n[[test]]\nspeed = 1', "test 2 has an unknown key 'speed'"),
        ('test = 1', "test is no list of tables"),
        ('[[web]]\nbody = ""', "web 1 has no url"),
        ('[files]\n"../a" = "x"', "leads out of the workspace"),
        ('[files]\na = 1', "[files] is no table of texts"),
    ],
)  # fmt: skip
def test_a_wrong_file_of_tests_is_named(bill: Path, text: str, said: str) -> None:
    (bill / "tests.toml").write_text(text)
    (problem,) = problems(bill)
    assert str(bill / "tests.toml") in problem and said in problem


def test_an_app_that_cannot_be_opened(tmp_path: Path) -> None:
    scaffold.make("app", "dinner", tmp_path, as_json=True)
    code = tmp_path / "dinner" / "app.py"
    code.write_text(code.read_text().replace("def open(", "def start("))
    assert "has no function open(request)" in problems(tmp_path / "dinner", "app")[0]


def test_adapters_that_an_app_names_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scaffold.make("app", "dinner", tmp_path, as_json=True)
    manifest = tmp_path / "dinner" / "app.toml"
    manifest.write_text(f'{manifest.read_text()}\n[adapters]\nclassify = "dishes"\n')
    capsys.readouterr()
    assert main(["app", "check", str(tmp_path / "dinner")]) == 0
    assert "adapter  dishes: classify; 'llmasos model train dishes EXAMPLES.jsonl' makes it" in capsys.readouterr().out
    assert main(["app", "check", str(tmp_path / "dinner"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["adapters"] == {"classify": "dishes"}


def test_check_for_programs_and_for_people(bill: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["plugin", "check", str(bill), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] and [one["name"] for one in said["syscalls"]] == ["bill.split", "bill.tip"]
    (bill / "plugin.py").write_text(WRONG.replace("a: set[str]", "a: str"))
    assert main(["plugin", "check", str(bill)]) == 1
    out = capsys.readouterr().out
    assert f"problem  {bill / 'plugin.py'}, line 3: untyped" in out
    assert out.endswith("bill: 3 problems\n")
    assert main(["plugin", "check", str(bill / "none")]) == 2
    assert main(["plugin", "check"]) == 2


# -- test


def test_what_fails_is_said(bill: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bill / "tests.toml").write_text("""
[[test]]
call = "split"
args = { amount = 86, people = 4 }
result = "Each of 4 pays 99."

[[test]]
call = "split"
args = { amount = 86, people = 0 }
result = "x"

[[test]]
call = "split"
args = { amount = 86 }
error = "Nobody"

[[test]]
call = "nothing"
result = 1

[[test]]
call = "split"
args = { amount = "much" }
contains = "Each"

[[test]]
say = "split 86 now"
call = "split"
args = { amount = 86 }

[[test]]
before = ["memory.nothing"]
call = "split"
args = { amount = 86 }
contains = "Each"
""")
    said = outcome(bill, capsys, reads=reader({"split 86 now": [("bill.tip", {"amount": 86})]}))
    assert [one["ok"] for one in said["tests"]] == [False] * 7
    wrong = [one["wrong"] for one in said["tests"]]
    assert wrong[0] == "it gave 'Each of 4 pays 21.50.'"
    assert "Nobody is there to pay." in wrong[1]
    assert wrong[2] == "it gave 'Each of 2 pays 43.00.' and no error"
    assert "There is no syscall 'bill.nothing'" in wrong[3]
    assert "isn't a number" in wrong[4]
    assert wrong[5] == "it was read as bill.tip amount=86, not as bill.split amount=86"


def test_the_exit_code_and_the_lines_of_a_failure(bill: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bill / "tests.toml").write_text('[[test]]\ncall = "tip"\nargs = { amount = 10 }\nresult = "2.00"\n')
    capsys.readouterr()
    assert main(["plugin", "test", str(bill)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "FAILED 1 tip amount=10: it gave '1.00, together 11.00.'", "bill: 1 tests, 1 failed",
    ]  # fmt: skip
    (bill / "tests.toml").unlink()
    assert main(["plugin", "test", str(bill)]) == 1
    assert "has no test" in capsys.readouterr().err


USES = """
from llmasos.sdk import call, fetch, folder, syscall

@syscall(effect="external")
def use(name: str) -> list:
    "Use all that was granted."
    page = fetch("https://api.example.org/" + name)
    (folder("out") / "made.txt").write_text(page.text)
    kept = call("memory.recall", query="pot")["items"]
    notes = [(folder(place) / "a.txt").read_text() for place in ("notes", "~/Music")]
    return [page.status, page.headers["x-from"], kept[0]["ref"], *notes, (folder("out") / "made.txt").read_text()]
"""
TESTS = """
[files]
"notes/a.txt" = "in the workspace"
"~/Music/a.txt" = "at home"

[[web]]
url = "https://api.example.org/page"
status = 201
headers = { "X-From" = "tests" }
body = "fetched"

[[test]]
before = ["memory.remember text='The key is under the pot'"]
call = "use"
args = { name = "page" }
result = [201, "tests", "The key is under the pot", "in the workspace", "at home", "fetched"]

[[test]]
call = "use"
args = { name = "other" }
error = "tests.toml has no [[web]] for GET https://api.example.org/other"
"""


def test_what_a_test_lets_a_plugin_meet(bill: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asks = 'hosts = ["api.example.org"]\nsyscalls = ["memory.recall"]\npaths.read = ["notes", "~/Music"]\npaths.write = ["out"]\n'
    (bill / "plugin.toml").write_text((bill / "plugin.toml").read_text().partition("#")[0] + asks)
    (bill / "plugin.py").write_text(USES)
    (bill / "tests.toml").write_text(TESTS)
    said = outcome(bill, capsys)
    assert said["ok"], said


def test_a_plugin_that_cannot_be_added_is_not_tested(bill: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bill / "plugin.py").write_text("def f(:")
    assert main(["plugin", "test", str(bill)]) == 1
    assert "SyntaxError" in capsys.readouterr().err


# -- as a person does it


def test_added_listed_called_and_removed(
    bill: Path,
    home: Path,
    workspace: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdin", None)

    def run(*args: str) -> tuple[int, str]:
        code = main([*args, "--home", str(home), "--workspace", str(workspace)])
        told = capsys.readouterr()
        return code, told.out + told.err

    assert run("plugin", "add", str(bill))[0] == 4, "nobody is there to say yes"
    code, said = run("plugin", "add", str(bill), "--yes")
    assert code == 0 and "Added bill 0.1.0: bill.split, bill.tip." in said and "asks for: nothing" in said
    code, said = run("plugin", "list", "--json")
    rows = {row["name"]: row for row in json.loads(said)["results"][0]["value"]["items"]}
    assert (rows["bill"]["from"], rows["bill"]["state"]) == ("home", "loaded")
    assert rows["calculator"]["from"] == "bundled"
    assert run("-c", "bill.split amount=86 people=4") == (0, "Each of 4 pays 21.50.\n")
    assert run("plugin", "disable", "bill")[0] == 0
    assert run("-c", "bill.split amount=86 people=4")[0] != 0
    assert run("plugin", "enable", "bill")[0] == 0
    assert run("plugin", "remove", "bill")[0] == 0
    assert run("undo")[0] == 0
    assert run("-c", "bill.tip amount=30") == (0, "3.00, together 33.00.\n")
    assert run("plugin", "remove", "nothing")[0] == 1


# -- the docs


def documented(page: str, language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```$", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def test_the_docs_show_what_new_makes() -> None:
    made = scaffold.files("plugin", "bill", "ada")
    manifest, tests, *_ = documented("writing-a-plugin.md", "toml")
    code, _ = documented("writing-a-plugin.md", "python")
    assert made["plugin.toml"].startswith(manifest)
    assert code.strip() in made["plugin.py"]
    bare = re.sub(r" *#.*", "", made["tests.toml"])
    for test in re.sub(r" *#.*", "", tests).strip().split("\n\n"):
        assert test in bare
    made = scaffold.files("app", "dinner", "ada")
    manifest, *_ = documented("writing-an-app.md", "toml")
    (code,) = documented("writing-an-app.md", "python")
    assert made["app.toml"] == manifest
    assert code.strip() in made["app.py"]


def weather(folder: Path) -> Path:
    """The documented plugin that fetches."""
    _, _, manifest, tests, _ = documented("writing-a-plugin.md", "toml")
    _, code = documented("writing-a-plugin.md", "python")
    folder.mkdir(parents=True)
    for name, text in (("plugin.toml", manifest), ("plugin.py", code), ("tests.toml", tests)):
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_the_documented_plugin_that_fetches(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = weather(tmp_path / "weather")
    assert problems(folder) == []
    assert outcome(folder, capsys)["ok"]


def test_the_documented_wheel_is_built_and_found(tmp_path: Path) -> None:
    source = tmp_path / "source"
    weather(source / "llmasos_weather")
    (source / "pyproject.toml").write_text(documented("writing-a-plugin.md", "toml")[-1], encoding="utf-8")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    done = subprocess.run(build, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    (found,) = wheels.find([str(install(wheel, tmp_path / "site"))])

    async def described() -> list[str]:
        async with PluginHost() as host:
            faults, rows = await host.faults(host.read(found.folder, wheel=found.wheel))
            return [*map(str, faults), *(row.name for row in rows)]

    assert asyncio.run(described()) == ["weather.temperature"]
    assert plugin_tests.read(found.folder).tests, "its tests go along"
