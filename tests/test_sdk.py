"""The sdk alone: schemas from types, validation, and that importing it costs next to nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Literal, Optional, Union

import pytest

from llmasos import sdk


@sdk.syscall(effect="read")
def sample(
    text: str,
    number: float,
    whole: int = 1,
    yes: bool = False,
    kind: Literal["a", "b"] = "a",
    level: Literal[1, 2] = 1,
    names: list[str] | None = None,
    table: dict[str, list[int]] | None = None,
    *,
    free: Optional[str] = None,  # noqa: UP045 - the old spelling counts too
) -> dict[str, Any]:
    """All types."""
    return {"text": text, "number": number, "names": names, "free": free}


SCHEMA = sdk.describe({"sample": sample})["sample"]["schema"]


def test_schema() -> None:
    assert SCHEMA["required"] == ["text", "number"]
    assert SCHEMA["additionalProperties"] is False
    assert SCHEMA["properties"] == {
        "text": {"type": "string"},
        "number": {"type": "number"},
        "whole": {"type": "integer"},
        "yes": {"type": "boolean"},
        "kind": {"type": "string", "enum": ["a", "b"]},
        "level": {"type": "integer", "enum": [1, 2]},
        "names": {"type": "array", "items": {"type": "string"}},
        "table": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "integer"}}},
        "free": {"type": "string"},
    }


def test_none_is_said_where_the_argument_is_required() -> None:
    assert sdk.schema_of(Union[str, None]) == {"anyOf": [{"type": "string"}, {"type": "null"}]}  # noqa: UP007


def test_the_function_stays_callable() -> None:
    assert sample("t", 1.5)["number"] == 1.5


def test_call_converts_whole_numbers_for_float_parameters() -> None:
    got = sdk.run(sample, SCHEMA, {"text": "t", "number": 3})["number"]
    assert got == 3.0
    assert isinstance(got, float)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({}, "text is missing"),
        ({"text": 1, "number": 1}, "text is 1, which isn't text"),
        ({"text": "t", "number": "1"}, "number is '1', which isn't a number"),
        ({"text": "t", "number": float("nan")}, "isn't a number"),
        ({"text": "t", "number": True}, "isn't a number"),
        ({"text": "t", "number": 10**400}, "is too large"),
        ({"text": "t", "number": 1, "whole": 1.5}, "whole is 1.5, which isn't a whole number"),
        ({"text": "t", "number": 1, "whole": True}, "isn't a whole number"),
        ({"text": "t", "number": 1, "yes": 1}, "yes is 1, which isn't true or false"),
        ({"text": "t", "number": 1, "kind": "c"}, "kind is 'c'; it is one of a, b"),
        ({"text": "t", "number": 1, "level": 3}, "level is 3; it is one of 1, 2"),
        ({"text": "t", "number": 1, "names": ["x", 2]}, "names[1] is 2"),
        ({"text": "t", "number": 1, "table": {"k": [1, "2"]}}, "table['k'][1] is '2'"),
        ({"text": "t", "number": 1, "other": 1}, "there is no argument 'other'"),
        ({"text": "t", "number": 1, "free": None}, "free is None"),
    ],
)
def test_wrong_arguments_are_named(args: dict[str, Any], said: str) -> None:
    with pytest.raises(sdk.ToolError) as caught:
        sdk.run(sample, SCHEMA, args)
    assert said in str(caught.value)


def untyped(a):  # type: ignore[no-untyped-def]
    """Untyped."""


def odd(a: set[str]) -> None:
    """Odd."""


def unknown(a: Nowhere) -> None:  # type: ignore[name-defined]  # noqa: F821
    """Unknown."""


def mixed(a: Literal["a", 1]) -> None:
    """Mixed."""


def keyed(a: dict[int, str]) -> None:
    """Keyed."""


def many(*a: str) -> None:
    """Many."""


def only(a: str, /) -> None:
    """Positional-only."""


async def later(a: str) -> None:
    """Later."""


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (untyped, "The parameter a of untyped has no type"),
        (odd, "The parameter a of odd: A syscall can't take"),
        (unknown, "The types of unknown can't be read"),
        (mixed, "aren't all text or all whole numbers"),
        (keyed, "A syscall can't take"),
        (many, "many has *args"),
        (only, "positional-only"),
        (later, "is a coroutine"),
    ],
)
def test_what_cannot_be_a_syscall_is_named(function: Any, said: str) -> None:
    described = sdk.describe({"f": sdk.syscall(effect="read")(function), "sample": sample})
    assert said in " ".join(described["f"]["fault"])
    assert described["f"]["line"] == function.__code__.co_firstlineno
    assert described["sample"]["schema"] == SCHEMA, "the others are described"


@pytest.mark.parametrize(("effect", "said"), [("write", "promises an undo"), ("reed", "no effect 'reed'")])
def test_effects(effect: Any, said: str) -> None:
    with pytest.raises(sdk.PluginError, match=said):
        sdk.syscall(effect=effect)


def test_a_leaf_of_the_standard_library_that_imports_little() -> None:
    code = (
        "import sys; before = set(sys.modules); import llmasos.sdk\n"
        "print(len(set(sys.modules) - before)); print(*(m for m in sys.modules if m.startswith('llmasos')))\n"
        "print(*({m.partition('.')[0] for m in sys.modules} - sys.stdlib_module_names - {'__main__'}))"
    )
    root = str(Path(sdk.__file__).parents[1])
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.append({root!r})\n{code}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    count, ours, outside = done.stdout.splitlines()
    assert ours.split() == ["llmasos", "llmasos.sdk"]
    assert outside.split() == ["llmasos"]
    assert int(count) < 45, "every worker pays for what it imports"
