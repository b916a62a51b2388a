"""The syscall table: everything comes from one typed function."""

from typing import Annotated, Any, Literal

import pytest

from llmasos.core.base.errors import PluginError, SyscallError
from llmasos.core.kernel.syscall import Kind, SyscallTable, inverse, schema_of, syscall


class Room:
    @syscall("room.paint", effect="write")
    async def paint(
        self,
        caller: Any,
        wall: Annotated[str, Kind("wall")],
        coats: int = 1,
        finish: Literal["matt", "gloss"] | None = None,
    ) -> dict[str, Any]:
        """Paint a wall.

        It dries by itself.

        Args:
            wall: Which wall,
                by its name.
            coats: How often.

        Examples:
            paint the north wall
        """
        return {"wall": wall, "coats": coats, "finish": finish}

    @inverse("room.strip")
    async def strip(self, caller: Any, payload: dict[str, Any]) -> str:
        return "stripped"


@pytest.fixture
def table():
    made = SyscallTable()
    made.add_service(Room())
    return made


def test_schema_help_and_usage_come_from_the_function(table):
    row = table["room.paint"]
    assert row.summary == "Paint a wall."
    assert row.examples == ("paint the north wall",)
    assert row.usage == "room.paint wall [coats] [finish]"
    assert row.schema == {
        "type": "object",
        "properties": {
            "wall": {"type": "string", "description": "Which wall, by its name."},
            "coats": {"type": "integer", "description": "How often."},
            "finish": {"type": "string", "enum": ["matt", "gloss"]},
        },
        "required": ["wall"],
        "additionalProperties": False,
    }
    assert row.arguments[0].kind == "wall"
    assert "room.strip" in table.inverses


def test_words_become_numbers(table):
    assert table["room.paint"].validate({"wall": "north", "coats": "3"}) == {"wall": "north", "coats": 3}


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({}, "needs wall"),
        ({"wall": "n", "colour": "red"}, "no argument 'colour'"),
        ({"wall": 3}, "isn't text"),
        ({"wall": None}, "isn't text"),
        ({"wall": "n", "coats": "many"}, "isn't a whole number"),
        ({"wall": "n", "coats": True}, "isn't a whole number"),
        ({"wall": "n", "coats": "9" * 5000}, "isn't a whole number"),
        ({"wall": "n", "finish": "satin"}, "matt, gloss"),
        ({"wall": ["n"]}, "isn't text"),
    ],
)
def test_a_wrong_argument_is_named(table, args, says):
    with pytest.raises(SyscallError, match=says) as error:
        table["room.paint"].validate(args)
    assert error.value.code == "EINVAL"


def test_an_unknown_name_suggests_the_nearest(table):
    with pytest.raises(SyscallError, match=r"Did you mean room\.paint") as error:
        table["room.pant"]
    assert error.value.code == "ENOSYS"


def test_a_taken_name_names_both_files(table):
    with pytest.raises(PluginError, match=r"test_syscall\.py and again in"):
        table.add_service(Room())


def test_a_type_that_a_sentence_cannot_carry_is_refused():
    with pytest.raises(TypeError, match="can't take"):
        schema_of(dict)
