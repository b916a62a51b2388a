"""Reminders: rung when due by our clock, told as missed once, by one program only."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from plan_desk import Desk, open_desk

from llmasos.core.base.clock import SystemClock
from llmasos.services.schedule import Schedule
from llmasos.services.schedule.alarms import Alarms
from llmasos.services.schedule.event import KIND, Event


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as desk:
        yield desk


async def test_a_reminder_rings_once_and_when_it_is_due(desk: Desk) -> None:
    await desk.schedule.start()
    await desk.ok("schedule.add", title="roast", when="in 40 minutes")
    desk.clock.advance(39 * 60)
    assert await desk.schedule.ring_due() == 0
    desk.clock.advance(60)
    assert await desk.schedule.ring_due() == 1
    assert await desk.schedule.ring_due() == 0
    (rung,) = desk.rung
    assert (rung["title"], rung["when"], rung["missed"]) == ("roast", "Wed 18 Nov 2026 10:40", False)
    desk.schedule.stop()


async def test_what_was_missed_is_told_once_at_the_next_start(desk: Desk) -> None:
    await desk.ok("schedule.add", title="roast", when="in 40 minutes")
    await desk.ok("schedule.add", title="pill", when="daily at 20:00")
    desk.clock.advance(3 * 24 * 3600)
    later = desk.anew()
    assert await later.start() == 2
    told = {rung["title"]: (rung["missed"], rung["count"], rung["when"]) for rung in desk.rung}
    assert told == {
        "roast": (True, 1, "Wed 18 Nov 2026 10:40"),
        "pill": (True, 3, "Fri 20 Nov 2026 20:00"),
    }
    later.stop()
    again = desk.anew()
    assert await again.start() == 0
    again.stop()


async def test_a_moved_one_rings_at_its_new_time_only_and_a_cancelled_one_never(desk: Desk) -> None:
    await desk.schedule.start()
    await desk.ok("schedule.add", title="roast", when="in 40 minutes")
    await desk.ok("schedule.add", title="bins", when="in 50 minutes")
    await desk.ok("schedule.move", title="roast", when="by an hour")
    await desk.ok("schedule.cancel", title="bins")
    desk.clock.advance(55 * 60)
    assert await desk.schedule.ring_due() == 0
    desk.clock.advance(45 * 60)
    assert await desk.schedule.ring_due() == 1
    # Snoozed after it rang: from now on, not from its old time.
    desk.clock.advance(20 * 60)
    await desk.ok("schedule.move", title="roast", when="by 10 minutes")
    desk.clock.advance(10 * 60)
    assert await desk.schedule.ring_due() == 1
    desk.schedule.stop()


async def test_undo_of_a_cancel_rings_again_but_not_what_was_told(desk: Desk) -> None:
    await desk.schedule.start()
    await desk.ok("schedule.add", title="pill", when="daily at 11:00")
    desk.clock.advance(3600)
    assert await desk.schedule.ring_due() == 1
    await desk.ok("schedule.cancel", title="pill")
    await desk.undo()
    assert await desk.schedule.ring_due() == 0
    desk.clock.advance(24 * 3600)
    assert await desk.schedule.ring_due() == 1
    desk.schedule.stop()


async def test_a_shown_reminder_is_no_change_for_undo(desk: Desk) -> None:
    await desk.schedule.start()
    await desk.ok("schedule.add", title="pill", when="daily at 11:00")
    desk.clock.advance(3600)
    await desk.schedule.ring_due()
    await desk.undo()
    assert await desk.rows("schedule.list") == []
    desk.schedule.stop()


@pytest.mark.parametrize(("hour", "alarm"), [(8, "09:00"), (10, "18:00")])
async def test_a_whole_day_is_reminded_of_in_its_morning_or_later_that_day(hour: int, alarm: str) -> None:
    now = datetime(2026, 11, 18, hour, tzinfo=UTC)
    day = now.replace(hour=0)
    event = Event.new("it", day, None, False, rule="", said="today", now=now, by="user:ada")
    assert [f"{a:%H:%M}" for a, _ in event.alarms(now)] == [alarm]


async def test_one_that_can_not_be_shown_does_not_silence_the_others(desk: Desk) -> None:
    rung: list[str] = []

    async def show(event: dict[str, Any]) -> None:
        rung.append(event["title"])
        if event["title"] == "a":
            raise RuntimeError("the terminal is gone")

    schedule = Schedule(desk.store, desk.clock, show)
    for title in "ab":
        await desk.ok("schedule.add", title=title, when="in 1 minute")
    desk.clock.advance(60)
    await schedule.start()
    assert sorted(rung) == ["a", "b"]
    assert await schedule.ring_due() == 0
    schedule.stop()


async def test_daylight_saving_keeps_the_wall_clock(desk: Desk) -> None:
    await desk.ok("schedule.add", title="pill", when="daily at 8:00")
    await desk.schedule.start()
    spring = datetime(2027, 3, 26, 12, tzinfo=desk.clock.now().tzinfo)
    desk.clock.advance((spring.astimezone(UTC) - desk.clock.now().astimezone(UTC)).total_seconds())
    await desk.schedule.ring_due()
    desk.rung.clear()
    for _ in range(3 * 24):
        desk.clock._now = (desk.clock._now.astimezone(UTC) + timedelta(hours=1)).astimezone(spring.tzinfo)
        await desk.schedule.ring_due()
    assert [rung["start"] for rung in desk.rung] == [
        "2027-03-27T08:00:00+01:00",
        "2027-03-28T08:00:00+02:00",
        "2027-03-29T08:00:00+02:00",
    ]
    desk.schedule.stop()


async def test_a_day_of_200_reminders(desk: Desk) -> None:
    await desk.schedule.start()
    for n in range(200):
        event = Event.new(
            f"job {n}",
            desk.clock.now() + timedelta(minutes=7 * n + 1),
            None,
            True,
            rule="",
            said="",
            now=desk.clock.now(),
            by="user:ada",
        )
        desk.store.put(KIND, event.id, event.to_json())
    for _ in range(24 * 2):
        desk.clock.advance(1800)
        await desk.schedule.ring_due()
    assert [rung["title"] for rung in desk.rung] == [f"job {n}" for n in range(200)]
    desk.schedule.stop()


async def test_apscheduler_really_wakes_it(desk: Desk) -> None:
    rung: asyncio.Queue[str] = asyncio.Queue()
    clock = SystemClock(UTC)
    schedule = Schedule(desk.store, clock, lambda event: rung.put_nowait(event["title"]))
    soon = clock.now() + timedelta(milliseconds=80)
    event = Event.new("soon", soon, None, True, rule="", said="", now=clock.now(), by="user:ada")
    event = Event.from_json({**event.to_json(), "start": soon.replace(tzinfo=None).isoformat()})
    desk.store.put(KIND, event.id, {**event.to_json(), "created": (soon - timedelta(days=1)).isoformat()})
    await schedule.start()
    assert await asyncio.wait_for(rung.get(), 5) == "soon"
    schedule.stop()


async def test_the_heartbeat_looks_without_any_alarm() -> None:
    looked = asyncio.Event()

    async def look() -> None:
        looked.set()

    alarms = Alarms(look, heartbeat=0.05)
    alarms.start()
    await asyncio.wait_for(looked.wait(), 5)
    alarms.stop()
    assert not alarms.running
