"""When a repeated event comes: wall clock through daylight saving, short months, limits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmasos.services.schedule.recurrence import next_after, occurrences

BERLIN = ZoneInfo("Europe/Berlin")


def first(rule: str, start: datetime, count: int, after: datetime | None = None) -> list[str]:
    moments = occurrences(rule, start, after or start, inclusive=True)
    return [moment.isoformat(timespec="minutes") for moment in islice(moments, count)]


def test_the_wall_clock_is_kept_when_the_clocks_change() -> None:
    start = datetime(2027, 3, 27, 8, 0, tzinfo=BERLIN)
    assert first("FREQ=DAILY", start, 3) == [
        "2027-03-27T08:00+01:00",
        "2027-03-28T08:00+02:00",
        "2027-03-29T08:00+02:00",
    ]
    start = datetime(2026, 10, 24, 8, 0, tzinfo=BERLIN)
    assert first("FREQ=DAILY", start, 3) == [
        "2026-10-24T08:00+02:00",
        "2026-10-25T08:00+01:00",
        "2026-10-26T08:00+01:00",
    ]


def test_a_time_that_the_clock_skips_comes_as_soon_as_it_can() -> None:
    start = datetime(2027, 3, 27, 2, 30, tzinfo=BERLIN)
    assert first("FREQ=DAILY", start, 3) == [
        "2027-03-27T02:30+01:00",
        "2027-03-28T03:30+02:00",
        "2027-03-29T02:30+02:00",
    ]


def test_a_time_that_comes_twice_rings_once() -> None:
    start = datetime(2026, 10, 24, 2, 30, tzinfo=BERLIN)
    assert first("FREQ=DAILY", start, 3) == [
        "2026-10-24T02:30+02:00",
        "2026-10-25T02:30+02:00",
        "2026-10-26T02:30+01:00",
    ]


def test_hours_run_on_elapsed_time() -> None:
    start = datetime(2027, 3, 28, 0, 0, tzinfo=BERLIN)
    assert first("FREQ=HOURLY;INTERVAL=2", start, 3) == [
        "2027-03-28T00:00+01:00",
        "2027-03-28T03:00+02:00",
        "2027-03-28T05:00+02:00",
    ]


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        ("FREQ=MONTHLY;BYMONTHDAY=-1", ["01-31", "02-28", "03-31", "04-30"]),
        ("FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1", ["02-28", "03-30", "04-30", "05-30"]),
        ("FREQ=MONTHLY;BYDAY=1MO", ["02-01", "03-01", "04-05", "05-03"]),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU", ["01-31", "02-14", "02-28", "03-14"]),
    ],
)
def test_months(rule: str, days: list[str]) -> None:
    start = datetime(2027, 1, 31, 9, 0, tzinfo=BERLIN)
    assert [moment[5:10] for moment in first(rule, start, 4)] == days


def test_limits() -> None:
    start = datetime(2027, 1, 1, 9, 0, tzinfo=BERLIN)
    assert len(first("FREQ=DAILY;COUNT=3", start, 10)) == 3
    assert len(first("FREQ=DAILY;UNTIL=20270103T235959", start, 10)) == 3
    assert len(first("FREQ=HOURLY;COUNT=3", start, 10)) == 3
    assert len(first("FREQ=MINUTELY;INTERVAL=30;UNTIL=20270101T100000", start, 10)) == 3
    assert next_after("FREQ=DAILY;COUNT=3", start, start + timedelta(days=2)) is None


def test_every_minute_for_years_is_found_at_once() -> None:
    start = datetime(2000, 1, 1, tzinfo=BERLIN)
    after = datetime(2026, 11, 18, 10, 0, 30, tzinfo=BERLIN)
    assert next_after("FREQ=MINUTELY", start, after) == datetime(2026, 11, 18, 10, 1, tzinfo=BERLIN)


@given(
    st.sampled_from(["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,FR", "FREQ=MONTHLY;BYMONTHDAY=-1", "FREQ=HOURLY;INTERVAL=5"]),
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),
    st.integers(0, 10_000_000),
)
def test_what_comes_next_is_later_and_nothing_lies_between(rule: str, start: datetime, seconds: int) -> None:
    begin = start.replace(tzinfo=BERLIN)
    after = (begin.astimezone(UTC) + timedelta(seconds=seconds)).astimezone(BERLIN)
    found = next_after(rule, begin, after)
    assert found is not None
    assert found.astimezone(UTC) > after.astimezone(UTC)
    between = next_after(rule, begin, (found.astimezone(UTC) - timedelta(seconds=1)).astimezone(BERLIN))
    assert between == found
