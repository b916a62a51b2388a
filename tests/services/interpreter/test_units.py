"""What a number that was said with a unit is for an argument in another one, and what it can't be."""

import pytest

from llmasos.services.interpreter.units import numbers_in, of_argument


def wanted(name: str, description: str = "", *others: str) -> tuple[str, float] | None:
    unit = of_argument(name, {"type": "number", "description": description}, (name, *others))
    return (unit.dimension, unit.size) if unit else None


@pytest.mark.parametrize(
    ("name", "description", "unit"),
    [
        ("thickness_cm", "", ("length", 0.01)),
        ("durationMinutes", "", ("time", 60)),
        ("length", "Length of the string in metres", ("length", 1)),
        ("drop", "cm", ("length", 0.01)),
        ("speed", "Launch speed in metres per second", ("speed", 3.6)),
        ("waste_percent", "", ("share", 1)),
        ("humidity", "Relative humidity, 0 to 1", ("share", 100)),
        ("radius", "", None),
        ("hours_per_week", "Reading time", None),
        ("mg_per_kg", "", None),
        ("value", "cm or kg", None),
        ("mileage", "In thousands of kilometres", None),
        ("price_min", "", None),  # the least, no minutes
    ],
)
def test_the_unit_of_an_argument(name: str, description: str, unit: tuple[str, float] | None) -> None:
    assert wanted(name, description) == unit


def test_where_the_unit_is_an_argument_itself_a_number_stays_as_it_was_said() -> None:
    assert wanted("amount", "Amount in litres", "unit") is None
    assert wanted("humidity", "a fraction between 0 and 1", "unit") == ("share", 100)


def said(line: str, name: str, description: str = "", *, whole: bool = False) -> tuple[str, ...]:
    unit = of_argument(name, {"description": description}, (name,))
    assert unit is not None
    return numbers_in(line, unit, whole=whole)


@pytest.mark.parametrize(
    ("line", "name", "number"),
    [
        ("a slab 0.2 metres thick", "thickness_cm", "20"),
        ("wait ninety minutes", "hours", "1.5"),
        ("two hours and 20 minutes", "minutes", "140"),
        ("500 g of copper", "mass_kg", "0.5"),
        ("走了三公里", "distance_m", "3000"),
        ("八斤苹果", "weight_kg", "4"),
        ("at 72 km/h", "speed_mps", "20"),
        ("a third of it, 15 % off", "discount_percent", "15"),
    ],
)
def test_what_was_said_in_another_unit_is_converted(line: str, name: str, number: str) -> None:
    assert number in said(line, name)


@pytest.mark.parametrize(
    ("line", "name", "wrong"),
    [
        ("a slab 0.2 metres thick and 3 m wide", "thickness_cm", {"0.2", "3"}),
        ("a 1.5 kg loaf for 40 minutes", "minutes", {"1.5"}),
        ("5 % of 90 cm", "rate_percent", {"90", "0.05"}),
    ],
)
def test_what_was_said_of_something_else_is_no_candidate(line: str, name: str, wrong: set[str]) -> None:
    assert not wrong & set(said(line, name))


def test_what_has_no_unit_may_be_it() -> None:
    assert {"15", "20"} <= set(said("15 by 20, and 3 hours of work", "width_cm"))
    assert "1.5" not in said("15 by 20, 3 hours", "width_cm", whole=True)


@pytest.mark.parametrize("line", ["an hour and a half", "one metre eighty", "half a litre", "四分之一小时"])
def test_where_several_words_make_one_number_nothing_is_ruled_out(line: str) -> None:
    from llmasos.services.interpreter.numbers import texts

    assert said(line, "minutes") == texts(line, whole=False)
