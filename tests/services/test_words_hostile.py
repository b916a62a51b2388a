"""Times that can't be read, days that don't exist, and what a person's surroundings change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmasos.core.base.errors import SyscallError
from llmasos.services.schedule import lunar, repeats, words

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 18, 10, 0, tzinfo=BERLIN)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "banana",
        "before the first frost",
        "tomorrow at banana",
        "31 June",
        "30 February",
        "29 February 2027",
        "the 32nd",
        "6月31号",
        "13月5日",
        "at 25:00",
        "10:75",
        "二十五点",
        "农历八月五五",
        "in 10000000000 days",
        "in 99999999999999999999 years",
        "1" * 300,
        "tomorrow at 9 and bring milk",
        "2026-13-40",
        "\x00",
        "🎉",
        "明天吃饭",
    ],
)
def test_what_can_not_be_read_is_refused_with_examples(text: str) -> None:
    for read in (words.when, words.span):
        with pytest.raises(SyscallError) as error:
            read(text, NOW)
        assert error.value.code == "EINVAL"
        assert "tomorrow at 9" in error.value.remedy


@pytest.mark.parametrize("text", ["第一个", "第三个"])
def test_a_number_that_counts_nothing_is_no_moment(text: str) -> None:
    with pytest.raises(SyscallError, match="is no time"):
        words.when(text, NOW)


@settings(deadline=None)  # dateparser loads its languages when it first meets a strange text
@given(st.text(max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    for read in (words.when, words.span, words.shift, repeats.find):
        try:
            read(text, NOW)
        except SyscallError as error:
            assert error.code == "EINVAL"


_PIECES = [
    "tomorrow",
    "at",
    "9",
    "next",
    "week",
    "Monday",
    "to",
    "from",
    "10:30",
    "3",
    "of",
    "May",
    "pm",
    "in",
    "days",
    "before",
    "end",
    "-",
]
_PIECES += ["明天", "下", "周", "三", "点", "半", "到", "后", "月", "十", "号", "每", "晚上", "前"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(_PIECES), max_size=8))
def test_no_jumble_of_time_words_breaks_it(pieces: list[str]) -> None:
    for text in (" ".join(pieces), "".join(pieces)):
        for read in (words.when, words.span, words.shift, repeats.find):
            try:
                read(text, NOW)
            except SyscallError as error:
                assert error.code == "EINVAL"


@pytest.mark.parametrize(("now", "at"), [(8, "2026-11-18 16:00"), (17, "2026-11-19 16:00"), (3, "2026-11-18 16:00")])
def test_at_four(now: int, at: str) -> None:
    assert f"{words.when('at 4', NOW.replace(hour=now)).start:%Y-%m-%d %H:%M}" == at


@pytest.mark.parametrize(("now", "at"), [(6, "18 08:00"), (10, "18 20:00"), (21, "19 08:00")])
def test_at_eight(now: int, at: str) -> None:
    assert f"{words.when('at 8', NOW.replace(hour=now)).start:%d %H:%M}" == at


def test_what_it_is_about_tells_morning_from_evening() -> None:
    assert words.when("tomorrow at 7", NOW, about="dinner with Kim").start.hour == 19
    assert words.when("tomorrow at 6", NOW, about="wake-up call").start.hour == 6
    assert words.when("明天六点", NOW, about="起床").start.hour == 6


@pytest.mark.parametrize(
    ("zone", "text", "month", "day"),
    [
        ("Europe/Berlin", "02/11/2027", 11, 2),
        ("America/New_York", "02/11/2027", 2, 11),
        ("Asia/Shanghai", "12/31", 12, 31),
    ],
)
def test_slashed_dates_follow_the_country(zone: str, text: str, month: int, day: int) -> None:
    start = words.when(text, NOW.astimezone(ZoneInfo(zone))).start
    assert (start.month, start.day) == (month, day)


def test_a_distance_in_hours_is_elapsed_time_and_one_in_days_is_not() -> None:
    before = datetime(2027, 3, 27, 12, 0, tzinfo=BERLIN)  # the night in which the clocks go forward
    assert words.when("in 24 hours", before).start == datetime(2027, 3, 28, 13, 0, tzinfo=BERLIN)
    assert words.when("in 1 day at 12:00", before).start == datetime(2027, 3, 28, 12, 0, tzinfo=BERLIN)


def test_a_time_that_the_clock_skips_exists_afterwards() -> None:
    start = words.when("28 March 2027 at 2:30 am", NOW).start
    assert (start.hour, start.minute, start.utcoffset()) == (3, 30, timedelta(hours=2))


@pytest.mark.parametrize(("text", "deadline"), [
    ("Friday", "2026-11-21 00:00"),
    ("before Friday", "2026-11-20 00:00"),
    ("by Friday", "2026-11-21 00:00"),
    ("this week", "2026-11-23 00:00"),
    ("Friday at 3", "2026-11-20 15:00"),
    ("before noon", "2026-11-18 12:00"),
    ("周五前", "2026-11-21 00:00"),
    ("今晚十二点前", "2026-11-19 00:00"),
])  # fmt: skip
def test_deadlines(text: str, deadline: str) -> None:
    assert f"{words.when(text, NOW).deadline:%Y-%m-%d %H:%M}" == deadline


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("by 20 minutes", 20),
        ("by an hour", 60),
        ("back by an hour", 60),
        ("forward by an hour", -60),
        ("half an hour later", 30),
        ("15 minutes earlier", -15),
        ("a day later", 24 * 60),
        ("推迟半小时", 30),
        ("提前一小时", -60),
        ("晚二十分钟", 20),
        ("往后推两天", 2 * 24 * 60),
        ("tomorrow at 9", None),
        ("half past six", None),
        ("晚上八点", None),
    ],
)
def test_distances(text: str, minutes: int | None) -> None:
    assert words.shift(text, NOW) == (None if minutes is None else timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("year", "month", "day", "solar"),
    [
        (2026, 1, 1, "2026-02-17"),
        (2027, 1, 1, "2027-02-06"),
        (2026, 8, 15, "2026-09-25"),
        (2025, 6, 1, "2025-06-25"),
        (2033, 12, 1, "2034-01-20"),
    ],
)
def test_lunar_dates(year: int, month: int, day: int, solar: str) -> None:
    assert lunar.solar(year, month, day).isoformat() == solar


def test_lunar_years_follow_one_another() -> None:
    for year in range(lunar.FIRST_YEAR, 2080):
        days = (lunar.new_year(year + 1) - lunar.new_year(year)).days
        assert days in (353, 354, 355, 383, 384, 385)
    with pytest.raises(ValueError, match="isn't in the table"):
        lunar.new_year(2099)


def test_other_zones_keep_their_own_now() -> None:
    assert words.when("noon", NOW.astimezone(UTC)).start == datetime(2026, 11, 18, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("text", ["week from", "a week from from", "2 weeks after", "the month before"])
def test_before_or_after_nothing_is_no_time(text: str) -> None:
    with pytest.raises(SyscallError, match=r"can't be read|is no time"):
        words.when(text, NOW)
