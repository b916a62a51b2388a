"""The dates and times of day that a sentence says, in the form that definitions ask for."""

import pytest

from llmasos.services.interpreter.moments import dates, times


@pytest.mark.parametrize(
    ("line", "day"),
    [
        ("on 3 May 2026", "2026-05-03"),
        ("May 3rd, 2026 please", "2026-05-03"),
        ("the third of May 2026", "2026-05-03"),
        ("2026年5月3日之前", "2026-05-03"),
        ("until 03.05.2026", "2026-05-03"),
        ("since 2026-05-03", "2026-05-03"),
    ],
)
def test_a_day_with_its_year(line: str, day: str) -> None:
    assert dates(line) == (day,)


def test_days_of_one_month() -> None:
    assert dates("from 3 to 10 May 2026") == ("2026-05-03", "2026-05-10")


@pytest.mark.parametrize(
    "line", ["on the 31st of June 2026", "tomorrow", "New Year's Eve 2026", "the last day of May 2026"]
)
def test_days_that_are_no_date_or_are_named_otherwise(line: str) -> None:
    assert dates(line) == ()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("two seats at a quarter past eight tonight", {"20:15"}),
        ("two seats for Lantern Bay at 9:15 pm", {"21:15"}),
        ("ten to nine in the morning", {"08:50"}),
        ("seven o'clock", {"07:00", "19:00"}),
        ("at 19:30", {"19:30"}),
        ("at 0830 hours", {"08:30", "20:30"}),
        ("下午四点的票", {"16:00"}),
        ("早上七点一刻", {"07:15"}),
        ("差十分九点", {"08:50", "20:50"}),
        ("midnight", {"00:00"}),
        ("a quarter to noon", {"11:45", "23:45", "12:00"}),
        ("8 in the evening for 7 people", {"20:00"}),
        ("make it 6", {"06:00", "18:00"}),
    ],
)
def test_times_of_day(line: str, found: set[str]) -> None:
    assert set(times(line)) == found


def test_which_half_of_the_day_is_left_open_where_it_is_not_said() -> None:
    assert set(times("at seven")) == {"07:00", "19:00"}


def test_minutes_and_seconds_are_no_time_of_day() -> None:
    assert times("from 3 minutes 10 seconds on") == ()
