"""The command line from outside: exit codes, streams, formats, variables, and what is wrong said in a sentence."""

from __future__ import annotations

import json
import signal
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llmasos.core.engine import models
from tests.system.program import Program

UTTERANCES = ["what time is it", "remind me to call Bob tomorrow at 9"]
WEATHER = {
    "name": "weather.forecast",
    "description": "The weather forecast for a place.",
    "inputSchema": {
        "type": "object",
        "properties": {"place": {"type": "string", "description": "Which town"}},
        "required": ["place"],
    },
}


# Exit codes and streams.


def test_0_results_on_stdout_remarks_on_stderr(program: Program) -> None:
    done = program.run("-c", "files.write a.md 'some words'")
    assert done.returncode == 0
    assert "a.md" in done.stdout and "files.write" not in done.stdout
    assert "files.write" in done.stderr, "the call before its effect"
    assert (program.workspace / "a.md").read_text().strip() == "some words"
    read = program.run("-c", "files.read a.md")
    assert (read.stdout.strip(), read.stderr) == ("some words", ""), "a result is nothing but the result"


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["-c", "files.read nothere.md"], 1, "nothere.md"),
        (["--policy", "nosuch", "-c", "files.list"], 2, "nosuch"),
        (["--seed", "many", "-c", "files.list"], 2, "many"),
        (["--workspace", "nosuchfolder", "-c", "files.list"], 2, "nosuchfolder"),
        (["--nosuch"], 2, "--nosuch"),
        (["-c", "files.read a b=c d", "--dry-run", "--model"], 2, "--model"),
        (["interpret"], 2, "sentence"),
        (["bench", "nosuch"], 2, "nosuch"),
        (["--policy", "readonly", "-c", "files.write a.md words"], 3, "readonly"),
        (["-c", "memory.forget key"], 4, "--yes"),
        (["-c", "device.turn_on 'kitchen light'"], 4, "--yes"),
        (["-c", ""], 5, "empty"),
        (["-c", "   "], 5, "empty"),
    ],
)
def test_exit_codes(program: Program, args: list[str], code: int, said: str) -> None:
    (program.workspace / "b.md").write_text("key")
    if "memory.forget key" in args:
        program.ok("-c", "memory.remember 'the key is here'")
    done = program.run(*args)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert done.stdout == "", "no failure on stdout"
    assert "Traceback" not in done.stderr
    assert not (program.workspace / "a.md").exists()


def test_130_when_interrupted(program: Program) -> None:
    said = "content.write story 'a long voyage'"
    with program.start("--output", "stream-json", "-c", said, stdin=subprocess.DEVNULL) as process:
        assert process.stdout
        first = json.loads(process.stdout.readline())
        assert first["event"] == "words", first
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130, err
    assert "Traceback" not in err


def test_yes_consents_but_policy_stays(program: Program) -> None:
    assert program.run("--yes", "-c", "device.turn_on 'kitchen light'").returncode == 0
    assert program.run("--yes", "--policy", "readonly", "-c", "device.turn_on 'kitchen light'").returncode == 3


# Formats.


def test_json(program: Program) -> None:
    done = program.run("--json", "-c", "tasks.add 'buy milk'")
    said = json.loads(done.stdout)
    assert said["calls"] == [{"syscall": "tasks.add", "args": {"title": "buy milk"}}]
    assert said["ok"] and said["confidence"] == 1.0 and said["results"][0]["value"]["type"] == "done"
    failed = program.run("--json", "-c", "files.read nothere.md")
    assert failed.returncode == 1
    assert json.loads(failed.stdout)["results"][0]["error"] == "ENOENT"
    not_understood = program.run("-c", "", "--json")
    assert not_understood.returncode == 5 and json.loads(not_understood.stdout)["error"] == "NotUnderstood"


def test_stream_json(program: Program) -> None:
    out = program.ok("--output", "stream-json", "-c", "content.write story 'a long voyage'")
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["event"] for event in events[:-1]] == ["words"] * (len(events) - 1) and len(events) > 1
    assert events[-1]["event"] == "result" and events[-1]["ok"]


def test_dry_run_does_nothing(program: Program) -> None:
    out = program.ok("--dry-run", "-c", "files.write a.md words")
    assert "files.write" in out and "a.md" in out
    assert not (program.workspace / "a.md").exists()
    said = program.json("--dry-run", "--json", "-c", UTTERANCES[1])
    assert said["calls"][0]["syscall"] == "schedule.add" and "results" not in said
    assert program.json("history", "--json")["results"][0]["value"]["items"] == []


def test_short_commands(program: Program) -> None:
    program.ok("-c", "tasks.add milk")
    assert "init" in program.ok("ps")
    assert "tasks.add" in program.ok("history")
    assert "milk" in program.ok("undo")
    assert "policy" in program.ok("status")
    assert program.run("undo").returncode == 1, "there is nothing left to take back"
    assert program.ok("--version").startswith("llmasos ")


def test_doctor_and_models(program: Program) -> None:
    found = {finding["what"]: finding["state"] for finding in program.json("doctor", "--json")}
    assert "broken" not in found.values() and found["understanding"] == "ok"
    listed = program.json("model", "list", "--json")
    assert listed and Path(listed[0]["path"]).is_file()
    assert program.json("model", "info", "smollm2", "--json")["architecture"] == "llama"


# Standard input.


def test_stdin_is_appended_to_the_sentence(program: Program) -> None:
    text = "The harbour froze in January.\nShips waited for weeks.\n"
    said = program.json("--dry-run", "--json", "-c", "summarize this text:", stdin=text)
    values = [value for call in said["calls"] for value in call["args"].values()]
    assert any("Ships waited for weeks." in value for value in values), said
    assert program.json("--dry-run", "--json", "-c", "files.list")["calls"][0]["syscall"] == "files.list"


def test_lines_piped_into_the_shell(program: Program) -> None:
    out = program.ok(stdin="# a comment\ntasks.add 'buy milk'\n\n   \ntasks.list\n")
    assert [("milk" in line) for line in out.splitlines()] == [True, True]
    done = program.run(stdin="tasks.add one\nfiles.read nothere.md\ntasks.add two\n")
    assert done.returncode == 1 and "nothere.md" in done.stderr
    assert "two" not in program.ok("-c", "tasks.list"), "the rest isn't done"
    assert program.run(stdin="").returncode == 0


# interpret.


def interpreted(program: Program, *args: str, lines: list[Any]) -> tuple[int, list[dict[str, Any]]]:
    stdin = "".join((line if isinstance(line, str) else json.dumps(line, ensure_ascii=False)) + "\n" for line in lines)
    done = program.run("interpret", "--jsonl", *args, stdin=stdin)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_interpret_prints_one_program_and_does_nothing(program: Program) -> None:
    said = program.json("interpret", "make a folder called drafts")
    assert set(said) >= {"calls", "confidence", "ms"} and 0 <= said["confidence"] <= 1
    assert [call["syscall"] for call in said["calls"]] == ["files.mkdir"]
    assert not list(program.workspace.iterdir())


def test_interpret_lines(program: Program) -> None:
    lines = [
        {"id": "a", "utterance": UTTERANCES[0]},
        {"id": 7, "utterance": UTTERANCES[1]},
        {"utterance": "明天早上九点提醒我开会"},
    ]
    code, answers = interpreted(program, lines=lines)
    assert code == 0
    assert [answer["id"] for answer in answers] == ["a", 7, 3], "in order, with the line's number where it has no id"
    assert [answer["calls"][0]["syscall"] for answer in answers] == ["system.time", "schedule.add", "schedule.add"]
    assert all(isinstance(answer["ms"], float) and 0 <= answer["confidence"] <= 1 for answer in answers)


BAD = [
    "no json",
    "[1]",
    "{}",
    '{"utterance": 5}',
    '{"utterance": ""}',
    '{"id": 1, "utterance": "hi", "tools": 5}',
    "[" * 100_000,
]


def test_bad_lines_are_answered_and_the_rest_goes_on(program: Program) -> None:
    code, answers = interpreted(program, lines=[*BAD, {"id": "z", "utterance": UTTERANCES[0]}])
    assert code == 1
    assert len(answers) == len(BAD) + 1
    assert all(answer["error"] and answer["calls"] == [] for answer in answers[:-1])
    assert answers[-1]["id"] == "z" and answers[-1]["calls"], "a bad line stops nothing"


def test_tools_from_a_file_and_in_a_line(program: Program) -> None:
    file = program.workspace / "tools.json"
    file.write_text(json.dumps({"tools": [WEATHER]}))
    asked = {"id": 1, "utterance": "weather forecast for Lisbon"}
    expected = [{"syscall": "weather.forecast", "args": {"place": "Lisbon"}}]

    _, answers = interpreted(program, "--tools", str(file), "--only-tools", lines=[asked])
    assert answers[0]["calls"] == expected
    _, answers = interpreted(program, "--tools", str(file), lines=[{"utterance": UTTERANCES[0]}])
    assert answers[0]["calls"][0]["syscall"] == "system.time", "the catalogue is still there"
    _, answers = interpreted(program, "--only-tools", lines=[{**asked, "tools": [WEATHER]}, asked])
    assert answers[0]["calls"] == expected
    assert answers[1]["calls"] == [], "a line's tools are that line's only, and the catalogue is left out"
    _, answers = interpreted(program, lines=[asked])
    assert "weather.forecast" not in str(answers[0]["calls"])


@pytest.mark.parametrize("content", [None, "no json", "5", '[{"description": "nameless"}]', '[{"name": "a\\nb"}]'])
def test_bad_tools_files(program: Program, content: str | None) -> None:
    file = program.workspace / "tools.json"
    if content is not None:
        file.write_text(content)
    done = program.run("interpret", "hello", "--tools", str(file))
    assert done.returncode == 2 and "tools.json" in done.stderr and "Traceback" not in done.stderr


# Models and variables.


@pytest.mark.parametrize("kind", ["missing", "folder", "not a GGUF", "empty", "truncated"])
@pytest.mark.parametrize("option", ["--model", "--interpreter-model"])
def test_bad_model_files(program: Program, kind: str, option: str) -> None:
    file = program.workspace / "bad.gguf"
    if kind == "folder":
        file.mkdir()
    elif kind != "missing":
        good = models.locate("smollm2")
        with good.open("rb") as model:
            file.write_bytes(
                {"not a GGUF": b"PK\x03\x04 something else", "empty": b""}.get(kind) or model.read(3_000_000)
            )
        if kind == "empty":
            file.write_bytes(b"")
    done = program.run(option, str(file), "-c", "what time is it")
    assert done.returncode == 1, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and str(file) in lines[0] and lines[0].endswith("."), done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("variable", "value", "args", "code"),
    [
        ("POLICY", "readonly", ["-c", "files.write a.md words"], 3),
        ("POLICY", "nosuch", ["-c", "files.list"], 2),
        ("POLICY", "readonly", ["--policy", "default", "-c", "files.write a.md words"], 0),
        ("YES", "1", ["-c", "device.turn_on 'kitchen light'"], 0),
        ("YES", "0", ["-c", "device.turn_on 'kitchen light'"], 4),
        ("SEED", "x", ["-c", "files.list"], 2),
        ("MODEL", "/nosuch.gguf", ["-c", "files.list"], 1),
        ("WORKSPACE", "/nosuch", ["-c", "files.list"], 2),
        ("OUTPUT", "nosuch", ["-c", "files.list"], 2),
    ],
)
def test_variables(program: Program, variable: str, value: str, args: list[str], code: int) -> None:
    done = replace(program, environment={f"LLMASOS_{variable}": value}).run(*args)
    assert done.returncode == code, done.stderr


def test_variables_name_folders_and_formats(program: Program, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "here.md").write_text("words")
    moved = replace(
        program, environment={"LLMASOS_WORKSPACE": str(other), "LLMASOS_OUTPUT": "json", "LLMASOS_OWNER": "bob"}
    )
    said = moved.json("-c", "files.list")
    assert said["results"][0]["value"]["items"][0]["ref"] == "here.md"
    moved.json("-c", "tasks.add milk")
    history = moved.json("history")["results"][0]["value"]["items"]
    assert [row["who"] for row in history] == ["bob"]
    assert program.home.is_dir() and program.home.stat().st_mode & 0o077 == 0


def test_a_line_that_fails_ends_it_though_more_could_come(program: Program) -> None:
    with program.start() as process:
        assert process.stdin
        process.stdin.write("files.read nothing.md\n")
        process.stdin.flush()
        assert process.wait(timeout=60) == 1
        process.stdin.close()
        assert process.stderr and "nothing.md" in process.stderr.read()
