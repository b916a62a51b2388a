"""The README's Python runs on the real model, and the commands it names exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from llmasos.cli import _parser
from tests.system.program import Program

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", *(str(page.relative_to(ROOT)) for page in sorted((ROOT / "docs").glob("*.md")))]
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def fences(page: str, *languages: str) -> list[str]:
    """The examples in some languages."""
    return [
        code for language, code in _FENCE.findall((ROOT / page).read_text(encoding="utf-8")) if language in languages
    ]


def commands(code: str) -> list[str]:
    """The single commands of a shell example; `llmasos ps | history` names two."""
    found = []
    for line in code.splitlines():
        for command in re.split(r"\s*&&\s*", line.partition(" # ")[0].partition("    #")[0].strip()):
            first, *others = command.split(" | ")
            alternatives = all(re.fullmatch(r"[a-z]+", other.strip()) for other in others)
            found += [first, *(f"llmasos {other.strip()}" for other in others)] if alternatives else [first, *others]
    return [command for command in found if command]


@pytest.mark.parametrize("number", range(len(fences("README.md", "python"))))
def test_python_of_the_readme_runs(home: Path, workspace: Path, number: int) -> None:
    program = Program(home, workspace)
    said = program.run(code=fences("README.md", "python")[number])
    assert said.returncode == 0, said.stderr
    assert said.stderr == ""
    assert said.stdout.strip(), "it prints something"


@pytest.mark.parametrize("page", PAGES)
def test_commands_exist(page: str) -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for command in (c for code in fences(page, "sh", "bash", "console", "shell") for c in commands(code)):
        words = shlex.split(command.removeprefix("$ "))
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words.pop(0)
        if words[:1] == ["make"]:
            named = [word for word in words[1:] if "=" not in word]
            assert set(named) <= set(targets), f"{page}: there is no 'make {' '.join(named)}'"
        elif words[:1] == ["llmasos"]:
            try:
                _parser().parse_args([word for word in words[1:] if word not in ("<", ">")])
            except SystemExit as end:
                assert end.code == 0, f"{page}: {command}"


def test_the_readme_names_commands() -> None:
    named = {command for code in fences("README.md", "sh") for command in commands(code)}
    assert {"make run", "make test", "make check", "llmasos", "llmasos undo", "llmasos doctor"} <= named
