"""schedule.* through the kernel's door: planned, listed, moved, cancelled, taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from plan_desk import Desk, open_desk

from llmasos.core.base.types import Call
from llmasos.services.schedule.event import KIND


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as desk:
        yield desk


async def whens(desk: Desk, **args: str) -> list[tuple[str, str]]:
    return [(row["title"], row["when"]) for row in await desk.rows("schedule.list", **args)]


async def test_an_event_is_shown_with_its_resolved_time_before_it_is_planned(desk: Desk) -> None:
    value = await desk.ok("schedule.add", title="call Bob", when="tomorrow at 9")
    assert desk.person.shown[-1]["when"] == "Thu 19 Nov 2026 09:00 Europe/Berlin"
    assert value["message"] == "Planned 'call Bob' for Thu 19 Nov 2026 09:00 Europe/Berlin."
    assert await whens(desk) == [("call Bob", "Thu 19 Nov 2026 09:00")]


async def test_chinese_whole_days_and_ranges(desk: Desk) -> None:
    await desk.ok("schedule.add", title="组会", when="下周三下午三点半")
    await desk.ok("schedule.add", title="Noor's birthday", when="3 December")
    await desk.ok("schedule.add", title="fair", when="from the 3rd to the 5th of December")
    await desk.ok("schedule.add", title="review", when="Friday from 14:00 to 15:30")
    assert await whens(desk) == [
        ("review", "Fri 20 Nov 2026 14:00–15:30"),
        ("组会", "Wed 25 Nov 2026 15:30"),
        ("Noor's birthday", "Thu 3 Dec 2026"),
        ("fair", "Thu 3 Dec 2026 to Sat 5 Dec 2026"),
    ]
    assert await whens(desk, when="4 December") == [("fair", "Thu 3 Dec 2026 to Sat 5 Dec 2026")]
    assert await whens(desk, when="下周") == [("组会", "Wed 25 Nov 2026 15:30")]
    assert await whens(desk, when="5 to 9 January") == []


async def test_a_repeated_event_is_listed_each_time_it_comes(desk: Desk) -> None:
    await desk.ok("schedule.add", title="standup", when="at 8", repeat="every weekday")
    assert desk.person.shown[-1] == {
        "title": "standup",
        "when": "Thu 19 Nov 2026 08:00 Europe/Berlin",
        "repeat": "every weekday",
    }
    assert await whens(desk, when="next week") == [
        ("standup", f"{day} {n} Nov 2026 08:00")
        for day, n in zip(["Mon", "Tue", "Wed", "Thu", "Fri"], range(23, 28), strict=True)
    ]


@pytest.mark.parametrize(
    ("when", "repeat", "first", "rule"),
    [
        ("at 18:30", "every Tuesday", "2026-11-24T18:30", "FREQ=WEEKLY;BYDAY=TU"),
        ("at seven", "each morning", "2026-11-19T07:00", "FREQ=DAILY"),
        ("at 8 pm", "every first Monday of the month", "2026-12-07T20:00", "FREQ=MONTHLY;BYDAY=1MO"),
        ("at 09:15 starting Monday", "daily", "2026-11-23T09:15", "FREQ=DAILY"),
        ("at ten", "every Thursday night", "2026-11-19T22:00", "FREQ=WEEKLY;BYDAY=TH"),
        ("at 2:15 pm", "every other Friday", "2026-11-20T14:15", "FREQ=WEEKLY;INTERVAL=2;BYDAY=FR"),
        ("0:30", "every night", "2026-11-19T00:30", "FREQ=DAILY"),
        ("every Tuesday at 7", "every Tuesday", "2026-11-24T07:00", "FREQ=WEEKLY;BYDAY=TU"),
        ("every Sunday evening", "every Sunday", "2026-11-22T19:00", "FREQ=WEEKLY;BYDAY=SU"),
        ("every day at 20:00", None, "2026-11-18T20:00", "FREQ=DAILY"),
        ("上午九点半", "每个星期一", "2026-11-23T09:30", "FREQ=WEEKLY;BYDAY=MO"),
        ("晚上十点", "每天", "2026-11-18T22:00", "FREQ=DAILY"),
        ("11月9号", "每年", "2027-11-09T00:00", "FREQ=YEARLY"),
        ("每月15号", "每月15号", "2026-12-15T00:00", "FREQ=MONTHLY;BYMONTHDAY=15"),
        ("18:00", "工作日每天", "2026-11-18T18:00", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"),
        ("31 January", "every month", "2027-01-31T00:00", "FREQ=MONTHLY;BYMONTHDAY=-1"),
        ("every 20 minutes", None, "2026-11-18T10:20", "FREQ=MINUTELY;INTERVAL=20"),
        ("every Monday from 9 to 10", None, "2026-11-23T09:00", "FREQ=WEEKLY;BYDAY=MO"),
    ],
)
async def test_when_and_repeat_together_make_the_first_time_and_the_rule(
    desk: Desk, when: str, repeat: str | None, first: str, rule: str
) -> None:
    args = {"title": "it", "when": when} | ({"repeat": repeat} if repeat else {})
    await desk.ok("schedule.add", **args)
    (record,) = desk.store.scan(KIND)
    assert (record.value["start"], record.value["rule"]) == (first, rule)


@pytest.mark.parametrize(
    ("when", "code"),
    [
        ("yesterday", "EINVAL"),
        ("today at 8am", "EINVAL"),
        ("2025-01-01", "EINVAL"),
        ("last week", "EINVAL"),
        ("when pigs fly", "EINVAL"),
        ("31 June", "EINVAL"),
        ("", "EINVAL"),
        ("tomorrow at 25:00", "EINVAL"),
        ("in 99999999999 years", "EINVAL"),
        ("every blue moon", "EINVAL"),
    ],
)
async def test_what_is_over_or_no_time_is_refused(desk: Desk, when: str, code: str) -> None:
    assert await desk.error("schedule.add", title="it", when=when) == code
    assert await whens(desk) == []


async def test_an_unreadable_time_beside_a_repetition_is_refused(desk: Desk) -> None:
    assert await desk.error("schedule.add", title="it", when="at the usual place", repeat="daily") == "EINVAL"


async def test_conflicts_are_noted_and_doubles_refused(desk: Desk) -> None:
    await desk.ok("schedule.add", title="dentist", when="Friday from 14:00 to 15:00")
    value = await desk.ok("schedule.add", title="tax call", when="Friday at 14:30")
    assert "At the same time: 'dentist' (Fri 20 Nov 2026 14:00–15:00)." in value["note"]
    value = await desk.ok("schedule.add", title="walk", when="Friday at 15:00")
    assert "same time" not in value["note"]
    assert await desk.error("schedule.add", title="dentist", when="Friday from 14:00 to 15:00") == "EEXIST"


@pytest.mark.parametrize(
    ("planned", "when", "to"),
    [
        ("Friday at 14:00", "Monday 8:15", "Mon 23 Nov 2026 08:15"),
        ("Friday at 14:00", "16:30", "Fri 20 Nov 2026 16:30"),  # on its own day
        ("Friday at 14:00", "next Tuesday", "Tue 24 Nov 2026 14:00"),  # at its own time
        ("Friday at 14:00", "by 20 minutes", "Fri 20 Nov 2026 14:20"),
        ("Friday at 14:00", "half an hour later", "Fri 20 Nov 2026 14:30"),
        ("Friday at 14:00", "an hour earlier", "Fri 20 Nov 2026 13:00"),
        ("Friday at 14:00", "a day later", "Sat 21 Nov 2026 14:00"),
        ("Friday at 14:00", "推迟半小时", "Fri 20 Nov 2026 14:30"),
        ("Friday at 14:00", "下个星期一同一时间", "Mon 23 Nov 2026 14:00"),
        ("Friday from 14:00 to 15:30", "Saturday at 9", "Sat 21 Nov 2026 09:00–10:30"),  # keeps its length
        ("Friday from 14:00 to 15:30", "Thursday between 1 and 3", "Thu 19 Nov 2026 13:00–15:00"),
        ("3 December", "5 December", "Sat 5 Dec 2026"),
        ("3 December", "4 December at noon", "Fri 4 Dec 2026 12:00"),
    ],
)
async def test_an_event_moves(desk: Desk, planned: str, when: str, to: str) -> None:
    await desk.ok("schedule.add", title="haircut", when=planned)
    before = await whens(desk)
    await desk.ok("schedule.move", title="haircut", when=when)
    assert await whens(desk) == [("haircut", to)]
    await desk.undo()
    assert await whens(desk) == before


async def test_of_a_repeated_event_the_next_one_moves_alone(desk: Desk) -> None:
    await desk.ok("schedule.add", title="yoga", when="every Thursday at 18:00")
    value = await desk.ok("schedule.move", title="yoga", when="Friday")
    assert "Only this one moves" in value["note"]
    assert await whens(desk, when="the next 10 days") == [
        ("yoga", "Fri 20 Nov 2026 18:00"),
        ("yoga", "Thu 26 Nov 2026 18:00"),
    ]
    await desk.undo()
    assert [when for _, when in await whens(desk, when="the next 10 days")] == [
        "Thu 19 Nov 2026 18:00",
        "Thu 26 Nov 2026 18:00",
    ]


async def test_a_repetition_moves_whole_where_that_is_said(desk: Desk) -> None:
    await desk.ok("schedule.add", title="yoga", when="every Thursday from 18:00 to 19:00")
    await desk.ok("schedule.move", title="yoga", when="every Tuesday at 17:30")
    assert await whens(desk) == [("yoga", "Tue 24 Nov 2026 17:30–18:30")]


async def test_cancel_and_undo_bring_back_the_same_event(desk: Desk) -> None:
    await desk.ok("schedule.add", title="barbecue with the Okafors", when="Saturday at 17:00")
    (before,) = desk.store.scan(KIND)
    await desk.ok("schedule.cancel", title="barbecue")
    assert desk.person.shown[-1]["title"] == "barbecue with the Okafors (Sat 21 Nov 2026 17:00 Europe/Berlin)"
    assert await whens(desk) == []
    assert await desk.undo() == "The schedule of 'barbecue with the Okafors' is as it was before."
    (after,) = desk.store.scan(KIND)
    assert (after.id, after.value) == (before.id, before.value)
    await desk.undo()
    assert await whens(desk) == []


async def test_undo_refuses_where_the_event_has_changed_since(desk: Desk) -> None:
    await desk.ok("schedule.add", title="dentist", when="Friday at 14:00")
    (record,) = desk.store.scan(KIND)
    desk.store.put(KIND, record.id, {**record.value, "title": "surgeon"})
    with pytest.raises(Exception, match="has changed since"):
        await desk.undo()
    assert await whens(desk) == [("surgeon", "Fri 20 Nov 2026 14:00")]


async def test_several_matches_are_asked_about(desk: Desk) -> None:
    await desk.ok("schedule.add", title="dentist", when="Friday at 14:00")
    await desk.ok("schedule.add", title="dentist", when="Monday at 9")
    assert await desk.error("schedule.cancel", title="dentist") == "EAMBIG"
    desk.person.answers = ["dentist (Mon 23 Nov 2026 09:00 Europe/Berlin)"]  # asked once for preview and run
    await desk.ok("schedule.cancel", title="dentist")
    assert await whens(desk) == [("dentist", "Fri 20 Nov 2026 14:00")]


async def test_the_day_tells_two_apart(desk: Desk) -> None:
    await desk.ok("schedule.add", title="聚餐", when="周五晚上七点")
    await desk.ok("schedule.add", title="聚餐", when="周六晚上七点")
    await desk.ok("schedule.cancel", title="周五的聚餐")
    assert await whens(desk) == [("聚餐", "Sat 21 Nov 2026 19:00")]
    await desk.ok("schedule.add", title="dinner", when="Friday at 19:00")
    await desk.ok("schedule.add", title="dinner", when="Sunday at 19:00")
    await desk.ok("schedule.cancel", title="dinner on Sunday")
    assert ("dinner", "Fri 20 Nov 2026 19:00") in await whens(desk)


async def test_a_missing_one_names_the_nearest(desk: Desk) -> None:
    await desk.ok("schedule.add", title="physics tutoring", when="Friday at 14:00")
    result = await desk.do("schedule.cancel", title="chemistry tutoring")
    assert (result.error, "Did you mean 'physics tutoring'?" in result.message) == ("ENOENT", True)
    await desk.ok("schedule.cancel", title="phyics tutoring")


async def test_a_list_feeds_the_next_call_of_a_program(desk: Desk) -> None:
    await desk.ok("schedule.add", title="dentist", when="Friday at 14:00")
    await desk.ok("schedule.add", title="dentist", when="Monday at 9")
    calls = (
        Call("schedule.list", {"when": "Monday"}),
        Call("schedule.cancel", {"title": "$1"}, frozenset({"title"})),
    )
    assert all(result.ok for result in await desk.run(*calls))
    assert await whens(desk) == [("dentist", "Fri 20 Nov 2026 14:00")]


async def test_what_began_is_still_listed_today(desk: Desk) -> None:
    await desk.ok("schedule.add", title="workshop", when="from 11 to 13 today")
    desk.clock.advance(2 * 3600)
    assert await whens(desk) == [("workshop", "Wed 18 Nov 2026 11:00–13:00")]
    desk.clock.advance(2 * 3600)
    assert await whens(desk) == []
    assert await whens(desk, when="today") == [("workshop", "Wed 18 Nov 2026 11:00–13:00")]


async def test_an_ambiguous_hour_is_told(desk: Desk) -> None:
    value = await desk.ok("schedule.add", title="swim", when="tomorrow at 6")
    assert value["note"] == "Read as 18:00; the morning would be 06:00."
    await desk.ok("schedule.add", title="wake-up call", when="6:15 tomorrow")
    assert ("wake-up call", "Thu 19 Nov 2026 06:15") in await whens(desk)


async def test_search_rows(desk: Desk) -> None:
    await desk.ok("schedule.add", title="boiler service", when="Friday at 14:00")
    (row,) = await desk.schedule.look(None, "boiler")  # type: ignore[arg-type]  # it asks nothing
    assert row["ref"] == "boiler service"
    assert row["text"].startswith("boiler service, Fri 20 Nov 2026 14:00")
