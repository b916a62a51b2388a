"""tasks.* through the kernel's door."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from plan_desk import Desk, open_desk

from llmasos.services.tasks import KIND


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as desk:
        yield desk


async def titles(desk: Desk, **args: str) -> list[str]:
    return [row["title"] for row in await desk.rows("tasks.list", **args)]


async def test_the_most_urgent_come_first(desk: Desk) -> None:
    await desk.ok("tasks.add", title="some day")
    await desk.ok("tasks.add", title="next month", due="next month")
    await desk.ok("tasks.add", title="friday", due="friday")
    await desk.ok("tasks.add", title="low", priority="low", due="today")
    await desk.ok("tasks.add", title="high", priority="high")
    await desk.ok("tasks.add", title="urgent", priority="urgent", due="周五前")
    assert await titles(desk) == ["urgent", "high", "friday", "next month", "some day", "low"]


async def test_what_is_overdue_moves_up_and_says_so(desk: Desk) -> None:
    await desk.ok("tasks.add", title="high", priority="high")
    await desk.ok("tasks.add", title="report", due="today at 11:00")
    assert await titles(desk) == ["high", "report"]
    desk.clock.advance(2 * 3600)
    rows = await desk.rows("tasks.list")
    assert [(row["title"], row["due"]) for row in rows] == [
        ("report", "Wed 18 Nov 2026 11:00 (overdue)"),
        ("high", ""),
    ]


@pytest.mark.parametrize(
    ("due", "shown"),
    [
        ("tomorrow", "Thu 19 Nov 2026"),
        ("Thursday night", "Thu 19 Nov 2026 21:00"),
        ("before the 21st", "before Sat 21 Nov 2026"),
        ("by Friday", "by Fri 20 Nov 2026"),
        ("this week", "Mon 16 Nov 2026 to Sun 22 Nov 2026"),
        ("月底前", "by Mon 30 Nov 2026"),
        ("今晚十二点前", "by Thu 19 Nov 2026 00:00"),
        ("before the first frost", "before the first frost"),
    ],
)
async def test_due_is_resolved_and_kept_as_said(desk: Desk, due: str, shown: str) -> None:
    await desk.ok("tasks.add", title="it", due=due)
    (row,) = await desk.rows("tasks.list")
    assert row["due"] == shown
    (record,) = desk.store.scan(KIND)
    assert record.value["due"] == due


async def test_what_is_due_at_no_readable_time_is_kept_and_noted(desk: Desk) -> None:
    value = await desk.ok("tasks.add", title="wrap the fig tree", due="before the first frost")
    assert value["note"] == "'before the first frost' is kept as said; it can't be put on the calendar."


async def test_tick_off_list_and_undo(desk: Desk) -> None:
    await desk.ok("tasks.add", title="descale the kettle")
    await desk.ok("tasks.add", title="water the ferns")
    value = await desk.ok("tasks.complete", title="kettle")
    assert value["note"] == "1 left."
    assert await titles(desk) == ["water the ferns"]
    assert await titles(desk, status="done") == ["descale the kettle"]
    assert await titles(desk, status="all") == ["water the ferns", "descale the kettle"]
    assert await desk.error("tasks.complete", title="descale the kettle") == "EINVAL"
    assert await desk.undo() == "The task 'descale the kettle' is as it was before."
    assert await titles(desk) == ["descale the kettle", "water the ferns"]


async def test_remove_and_undo_bring_back_the_same(desk: Desk) -> None:
    await desk.ok("tasks.add", title="给物业回电话", due="周五前", priority="high")
    (before,) = desk.store.scan(KIND)
    await desk.ok("tasks.remove", title="物业")
    assert desk.person.shown[-1]["title"] == "给物业回电话 (due by Fri 20 Nov 2026)"
    assert await titles(desk, status="all") == []
    await desk.undo()
    (after,) = desk.store.scan(KIND)
    assert after.value == before.value
    await desk.undo()
    assert await titles(desk, status="all") == []


async def test_undo_refuses_where_the_task_has_changed_since(desk: Desk) -> None:
    await desk.ok("tasks.add", title="post the letter")
    (record,) = desk.store.scan(KIND)
    desk.store.put(KIND, record.id, {**record.value, "priority": "high"})
    with pytest.raises(Exception, match="has changed since"):
        await desk.undo()
    assert await titles(desk) == ["post the letter"]


async def test_undo_after_a_crash_between_intent_and_effect_changes_nothing(desk: Desk) -> None:
    await desk.ok("tasks.add", title="post the letter")
    (record,) = desk.store.scan(KIND)
    desk.store.delete(KIND, record.id)  # as if the effect had never happened
    await desk.undo()
    assert await titles(desk) == []


async def test_errors_and_questions(desk: Desk) -> None:
    assert await desk.error("tasks.add", title=" ") == "EINVAL"
    assert await desk.error("tasks.add", title="x" * 501) == "E2BIG"
    assert await desk.error("tasks.add", title="x", priority="whenever") == "EINVAL"
    assert await desk.error("tasks.complete", title="nothing") == "ENOENT"
    await desk.ok("tasks.add", title="call Kim")
    assert await desk.error("tasks.add", title="Call kim") == "EEXIST"
    await desk.ok("tasks.add", title="call Kim", due="tomorrow")
    assert await desk.error("tasks.complete", title="call Kim") == "EAMBIG"
    assert desk.person.asked[-1] == ["call Kim", "call Kim (due Thu 19 Nov 2026)"]
    await desk.ok("tasks.complete", title="call Kim (due Thu 19 Nov 2026)")
    assert await titles(desk) == ["call Kim"]
