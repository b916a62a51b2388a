"""The times of repetitions, against dateutil, which another hand wrote; and that they end where there are none."""

from __future__ import annotations

import types
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import dateutil.rrule
import hypothesis.strategies as st
import pytest
from dateutil.rrule import rrulestr
from hypothesis import assume, given, settings

from llmasos.services.schedule import expansion, recurrence

YEARS = timedelta(days=366 * 3)


@pytest.fixture(scope="module", autouse=True)
def a_calendar_that_ends() -> Iterator[None]:
    """Dateutil looks for a time that never comes to the year 9999; here its calendar ends earlier."""
    ends = types.SimpleNamespace(**{**vars(dateutil.rrule.datetime), "MAXYEAR": 2036})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dateutil.rrule, "datetime", ends)
        yield


def numbers(least: int, most: int) -> st.SearchStrategy[str]:
    some = st.lists(st.integers(least, most).filter(bool), min_size=1, max_size=3, unique=True)
    return some.map(lambda found: ",".join(map(str, found)))


@st.composite
def rules(draw: st.DrawFn) -> str:
    frequency = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    fields = {"FREQ": frequency, "INTERVAL": str(draw(st.integers(1, 4)))}
    plain = st.sampled_from(expansion.DAYS)
    # With and without a place beside each other, dateutil takes days that are both; the standard means either.
    placed = frequency in ("MONTHLY", "YEARLY") and draw(st.booleans())
    day = st.tuples(st.sampled_from(["1", "2", "-1"]), plain).map("".join) if placed else plain
    parts = {
        "BYMONTH": numbers(1, 12), "BYMONTHDAY": numbers(-31, 31), "BYHOUR": numbers(1, 23),
        "BYDAY": st.lists(day, min_size=1, max_size=3, unique=True).map(",".join),
        "WKST": st.sampled_from(expansion.DAYS),
    }  # fmt: skip
    if frequency == "YEARLY":
        parts |= {"BYYEARDAY": numbers(-366, 366), "BYWEEKNO": numbers(-53, 53)}
    if frequency in ("MONTHLY", "YEARLY"):
        parts["BYSETPOS"] = numbers(-4, 4)
    chosen = draw(st.lists(st.sampled_from(sorted(parts)), max_size=3, unique=True))
    # Dateutil counts places of weekdays beside week numbers in another way; the standard forbids the two together.
    assume(not {"BYWEEKNO", "BYDAY"} <= set(chosen))
    assume("BYSETPOS" not in chosen or any(name.startswith("BY") and name != "BYSETPOS" for name in chosen))
    fields |= {name: draw(parts[name]) for name in chosen}
    if draw(st.booleans()):
        fields["COUNT"] = str(draw(st.integers(1, 40)))
    return ";".join(f"{name}={value}" for name, value in fields.items())


@settings(max_examples=80)
@given(rules(), st.datetimes(datetime(2019, 1, 1), datetime(2027, 1, 1)), st.integers(0, 1200))
def test_the_same_times_as_another_expander(rule: str, start: datetime, days: int) -> None:
    start = start.replace(microsecond=0)
    since = start + timedelta(days=days)
    last = since + YEARS
    theirs = rrulestr(rule, dtstart=start).between(since, last, inc=True)
    assert list(expansion.times(rule, start, since, last)) == theirs


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=31",
        "FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=300",
        "FREQ=YEARLY;BYWEEKNO=30;BYMONTH=1",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=5",
    ],
)
def test_a_rule_without_a_time_ends(rule: str) -> None:
    start = datetime(2026, 6, 1, 9, tzinfo=UTC)
    assert recurrence.next_after(rule, start, start) is None


@pytest.mark.parametrize("start", [datetime(1604, 12, 3), datetime(1950, 2, 28), datetime(1999, 1, 31)])
@pytest.mark.parametrize(
    "rule", ["FREQ=DAILY;INTERVAL=3", "FREQ=WEEKLY;INTERVAL=2", "FREQ=MONTHLY;INTERVAL=5", "FREQ=YEARLY"]
)
def test_a_start_long_ago_is_not_walked_from(rule: str, start: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    since = datetime(2026, 11, 18)
    theirs = list(islice(rrulestr(rule, dtstart=start).xafter(since, inc=True), 5))
    looked = []
    real = expansion._period

    def counted(*args: object) -> object:
        looked.append(args)
        return real(*args)  # type: ignore[arg-type]  # handed through

    monkeypatch.setattr(expansion, "_period", counted)
    assert list(islice(expansion.times(rule, start, since, since + YEARS * 9), 5)) == theirs
    assert len(looked) < 40


def test_the_clock_of_the_zone_is_kept() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    start = datetime(2026, 3, 27, 2, 30, tzinfo=berlin)
    found = list(islice(recurrence.occurrences("FREQ=DAILY", start, start, inclusive=True), 4))
    assert [f"{m:%d %H:%M %z}" for m in found] == [
        "27 02:30 +0100",
        "28 02:30 +0100",
        "29 03:30 +0200",
        "30 02:30 +0200",
    ]
    assert [m.astimezone(UTC).hour for m in found] == [1, 1, 1, 0]
