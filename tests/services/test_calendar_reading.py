"""Calendars of other programs as they come: read as they are meant, also where they are broken or hostile."""

from __future__ import annotations

import random
import threading
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import icalendar
import pytest
from calendar_desk import ICS, NOW, calendar, meeting

from llmasos.core.base.errors import SyscallError
from llmasos.services.calendars import lines, reading, writing, zones
from llmasos.services.calendars.reading import Entry, Found
from llmasos.services.schedule.event import Event

BERLIN = ZoneInfo("Europe/Berlin")


def read(*files: bytes) -> Found:
    return reading.read(files, BERLIN, NOW, threading.Event())


def entry(*events: str) -> Entry:
    (only,) = read(calendar(*events)).entries
    return only


def event_of(name: str, title: str) -> Event:
    found = [e.event for e in read((ICS / name).read_bytes()).entries if e.event.title == title]
    assert len(found) == 1, [e.event.title for e in read((ICS / name).read_bytes()).entries]
    return found[0]


def starts(event: Event, count: int) -> list[str]:
    return [f"{m:%Y-%m-%d %H:%M %z}" for m in islice(event.occurrences(NOW), count)]


def test_google_a_repetition_with_exceptions_a_moved_time_and_a_cancelled_event() -> None:
    standup = event_of("google.ics", "Stand-up")
    assert (standup.place, standup.before) == ("Raum 4, Nordflügel", [600])
    # Mondays and Wednesdays, without the 23rd (EXDATE) and the 25th (told of apart); across the end of summer time.
    assert starts(standup, 3) == ["2026-11-30 09:15 +0100", "2026-12-02 09:15 +0100", "2026-12-07 09:15 +0100"]
    april = datetime(2027, 3, 26, tzinfo=BERLIN)
    assert [f"{m:%d %b %H:%M %z}" for m in standup.occurrences(april)] == ["29 Mar 09:15 +0200", "31 Mar 09:15 +0200"]
    moved = event_of("google.ics", "Stand-up (moved to Thursday)")
    assert moved.start == "2026-11-26T14:00"
    assert event_of("google.ics", "项目评审：第三季度").first == datetime(2026, 11, 20, 13, tzinfo=UTC)
    christmas = event_of("google.ics", "Christmas with the family")
    assert (christmas.timed, christmas.shown()) == (False, "Thu 24 Dec 2026 to Sat 26 Dec 2026")
    assert [e.cancelled for e in read((ICS / "google.ics").read_bytes()).entries if e.event.title == "Drinks"] == [True]


def test_apple_alarms_a_birthday_without_a_year_and_a_time_without_a_zone() -> None:
    dinner = event_of("apple.ics", "Dinner at Café Ø")
    assert (dinner.zone, dinner.before, dinner.place) == (
        "America/New_York", [1800, 86400], "Café Ø 12 Main St New York",
    )  # fmt: skip
    birthday = event_of("apple.ics", "Noor’s birthday 🎂")
    assert birthday.shown(next(birthday.occurrences(NOW))) == "Thu 3 Dec 2026"
    assert birthday.before == [], "its alarm is one that says none"
    lunch = event_of("apple.ics", "Lunch")
    assert (lunch.zone, lunch.start, lunch.end, len(list(lunch.occurrences(NOW)))) == (
        "Europe/Berlin", "2026-11-20T12:30", "2026-11-20T13:15", 3,
    )  # fmt: skip


def test_outlook_zones_that_only_a_definition_explains() -> None:
    closing = event_of("outlook.ics", "Monatsabschluß")
    assert (closing.zone, closing.end) == ("Europe/Berlin", "2026-11-30T11:30")
    assert starts(closing, 2) == ["2026-11-30 10:30 +0100", "2026-12-28 10:30 +0100"]
    assert event_of("outlook.ics", "Call with Redmond").first == datetime(2026, 11, 20, 17, tzinfo=UTC)


def test_nextcloud_a_prefixed_zone_a_further_date_and_a_to_do() -> None:
    taichi = event_of("nextcloud.ics", "太极拳")
    assert taichi.zone == "Asia/Shanghai"
    assert starts(taichi, 3) == ["2026-11-21 20:00 +0800", "2026-11-25 20:00 +0800", "2026-11-28 20:00 +0800"]
    assert read((ICS / "nextcloud.ics").read_bytes()).notes["to-dos"] == 1


def test_broken_files_lose_only_what_is_broken() -> None:
    found = read((ICS / "broken.ics").read_bytes())
    assert [e.event.title for e in found.entries] == ["Frühstück bei Müllers", "Tea, without a UID"]
    tea = found.entries[1].event
    assert (tea.start, tea.end, tea.rule, tea.zone) == ("2026-11-23T17:00", "", "", "Europe/Berlin")
    assert {note for note, count in found.notes.items() if count} == {
        "files in Windows-1252 instead of UTF-8", "parts that aren't closed", "lines that can't be read",
        "events without a time that can be read", "times in a zone that isn't known, read in yours",
        "repetitions that aren't followed: these come once",
    }  # fmt: skip


def test_other_encodings_and_folds_through_a_character() -> None:
    (dentist,) = read((ICS / "gb18030.ics").read_bytes()).entries
    assert (dentist.event.title, dentist.event.place) == ("牙医预约", "人民医院三楼")
    whole = "SUMMARY:项目评审".encode()
    split = calendar(meeting(title="XX")).replace(b"SUMMARY:XX", whole[:9] + b"\r\n " + whole[9:])
    assert read(split).entries[0].event.title == "项目评审"
    utf16 = calendar(meeting(title="Müsli")).decode().encode("utf-16")
    assert read(utf16).entries[0].event.title == "Müsli"


@pytest.mark.filterwarnings("ignore:.*globally unique TZID")  # theirs warns where it guesses as we do
@pytest.mark.parametrize(
    "name", sorted(path.name for path in ICS.glob("*.ics") if path.name not in ("broken.ics", "gb18030.ics"))
)
def test_another_reader_sees_the_same(name: str) -> None:
    """Against the library icalendar: title, place, number and exact time of each event."""
    data = (ICS / name).read_bytes()
    theirs = {}
    for event in icalendar.Calendar.from_ical(data).walk("VEVENT"):
        start = event["DTSTART"].dt
        if isinstance(start, datetime) and start.tzinfo is None:
            start = start.replace(tzinfo=BERLIN)
        theirs[str(event["UID"]), str(event.get("RECURRENCE-ID") and event["RECURRENCE-ID"].dt)] = (
            str(event["SUMMARY"]),
            start,
        )
    ours = {}
    for one in read(data).entries:
        start: date = one.event.first if one.event.timed else one.event.first.date()
        at = datetime.fromisoformat(one.occurrence).astimezone(BERLIN) if one.occurrence else None
        ours[one.uid, str(at)] = (one.event.title, start)
    assert ours == theirs


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY",
        "FREQ=MINUTELY;BYSECOND=0,1,2,3",
        "FREQ=DAILY;BYHOUR=0,1,2,3,4,5,6,7,8,9,10,11;BYMINUTE=0,1,2,3;BYSECOND=0,1,2",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;BYMONTH=13",
        "FREQ=YEARLY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=99999999999999999999",
        "FREQ=DAILY;COUNT=4000000000",
        "FREQ=DAILY;UNTIL=never",
        "FREQ=WEEKLY;BYDAY=XX",
        "RSCALE=CHINESE;FREQ=YEARLY",
        "FREQ=DAILY;BYMONTHDAY=" + ",".join(["1"] * 5000),
        "FREQ=",
        "nothing",
    ],
)
def test_rules_that_never_end_or_never_come_are_not_followed(rule: str) -> None:
    found = read(calendar(meeting(more=f"RRULE:{rule}")))
    (event,) = [e.event for e in found.entries]
    assert event.rule == ""
    assert list(event.occurrences(NOW)) == [event.first], "it comes once"
    assert found.notes["repetitions that aren't followed: these come once"] == 1


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ("FREQ=WEEKLY;BYDAY=MO,MO,WE", "FREQ=WEEKLY;BYDAY=MO,WE"),
        ("INTERVAL=2;freq=weekly;byday=fr;WKST=SU", "FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=FR"),
        ("FREQ=MONTHLY;BYDAY=+2TU", "FREQ=MONTHLY;BYDAY=2TU"),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"),
        ("FREQ=DAILY;UNTIL=20261201T090000Z", "FREQ=DAILY;UNTIL=20261201T100000"),
        ("FREQ=DAILY;UNTIL=20261201", "FREQ=DAILY;UNTIL=20261201T235959"),
        ("FREQ=HOURLY;INTERVAL=4;COUNT=9", "FREQ=HOURLY;INTERVAL=4;COUNT=9"),
        ("FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO", "FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO"),
    ],
)
def test_rules_are_kept_in_one_form(rule: str, kept: str) -> None:
    assert entry(meeting(more=f"RRULE:{rule}")).event.rule == kept


def test_a_start_that_its_rule_does_not_have_counts_too() -> None:
    event = entry(meeting(day="20261120", more="RRULE:FREQ=WEEKLY;BYDAY=TU")).event  # a Friday
    assert starts(event, 2) == ["2026-11-20 10:00 +0100", "2026-11-24 10:00 +0100"]


def test_repetitions_beyond_a_thousand_come_once() -> None:
    many = [meeting(uid=f"r-{n}", more="RRULE:FREQ=DAILY") for n in range(reading.MOST_REPEATED + 5)]
    found = read(calendar(*many))
    assert sum(bool(e.event.rule) for e in found.entries) == reading.MOST_REPEATED


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_EVENTS", 10)
    with pytest.raises(SyscallError, match="more than 10 events"):
        read(calendar(*(meeting(uid=str(n)) for n in range(11))))
    with pytest.raises(SyscallError, match="more than 10 MB"):
        read(calendar(meeting()) + b" " * reading.MOST_BYTES)
    monkeypatch.setattr(reading, "PATIENCE", -1.0)
    with pytest.raises(SyscallError, match="takes over"):
        read(calendar(meeting()))


@pytest.mark.parametrize(
    "data",
    [
        b"BEGIN:VCALENDAR\n" + b"BEGIN:VEVENT\n" * 200_000,
        b"BEGIN:VCALENDAR\n" + b"BEGIN:VEVENT\nBEGIN:VALARM\n" * 10_000 + b"END:VALARM\nEND:VEVENT\n" * 10_000,
        b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART" + b";X=1" * 500_000 + b":20261120\nEND:VEVENT\nEND:VCALENDAR\n",
        b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:" + b"\\n" * 1_000_000 + b"\nEND:VEVENT\nEND:VCALENDAR\n",
        b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20261120T100000Z\nEXDATE:"
        + b"20261120T100000Z," * 200_000
        + b"\nEND:VEVENT\n",
        b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:00010101T000000Z\nDTEND:99991231T235959Z\nEND:VEVENT\nEND:VCALENDAR\n",
        b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:99991231T235959Z\nDURATION:P99999W\nEND:VEVENT\nEND:VCALENDAR\n",
        b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;TZID=../../etc/passwd:20261120T100000\nEND:VEVENT\nEND:VCALENDAR\n",
        b"BEGIN:VCALENDAR\n\0\0\xff\xfe\xfd" * 1000,
    ],
)
def test_hostile_files_come_to_an_end(data: bytes) -> None:
    for one in read(data).entries:
        list(islice(one.event.occurrences(NOW - timedelta(days=9)), 5))
        list(islice(one.event.alarms(NOW - timedelta(days=9)), 5))
        one.event.next(NOW)


def test_a_hostile_zone_is_not_followed() -> None:
    definition = (
        "BEGIN:VTIMEZONE\nTZID:X\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0300\n"
        "RRULE:FREQ=SECONDLY\nEND:STANDARD\nEND:VTIMEZONE\n"
    )
    text = (
        calendar("UID:z\nSUMMARY:Z\nDTSTART;TZID=X:20261120T100000")
        .decode()
        .replace("BEGIN:VEVENT", definition + "BEGIN:VEVENT", 1)
    )
    (one,) = read(text.encode()).entries
    assert one.event.zone == "+03:00"


def test_what_is_no_calendar_is_refused() -> None:
    for data in (b"", b"hello", b"\x89PNG\r\n", b"<html>"):
        with pytest.raises(SyscallError, match="no calendar"):
            read(data)


def test_bytes_changed_at_random_never_break_it() -> None:
    dice = random.Random(7)
    whole = (ICS / "google.ics").read_bytes() + (ICS / "outlook.ics").read_bytes()
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(dice.randrange(1, 40)):
            at = dice.randrange(len(data))
            data[at : at + dice.randrange(3)] = bytes(dice.randrange(256) for _ in range(dice.randrange(3)))
        data[:15] = b"BEGIN:VCALENDAR"
        for one in read(bytes(data)).entries:
            one.event.next(NOW)
            assert one.event.title.isprintable() and len(one.event.title) <= 500


def test_a_title_is_one_line_that_can_be_shown() -> None:
    event = entry(meeting(title="a\\nb\x1b[31m\u202ec\\, d\\; e\\\\f")).event
    assert event.title == "a b [31m c, d; e\\f"
    assert entry("UID:x\nDTSTART:20261120T100000Z").event.title == "(untitled)"


@pytest.mark.parametrize(
    "name", ["Europe/Berlin", "America/New_York", "Australia/Sydney", "Asia/Shanghai", "Africa/Casablanca"]
)
def test_our_definition_of_a_zone_is_right_for_another_reader(name: str) -> None:
    text = "\r\n".join(
        ["BEGIN:VCALENDAR", "VERSION:2.0", *zones.definition(ZoneInfo(name), 2020, 2027), "END:VCALENDAR", ""]
    )
    (theirs,) = icalendar.Calendar.from_ical(text.replace(name, "Somewhere/Else")).walk("VTIMEZONE")
    zone = theirs.to_tz(lookup_tzid=False)
    moment = datetime(2020, 2, 1, 3, 30)
    while moment.year < (2027 if name == "Africa/Casablanca" else 2033):  # Ramadan follows no yearly rule
        assert zone.utcoffset(moment) == ZoneInfo(name).utcoffset(moment), moment
        moment += timedelta(days=3)


def test_lines_are_folded_at_75_bytes_and_come_back() -> None:
    for text in ("SUMMARY:" + "a" * 400, "SUMMARY:" + "评" * 200, "SUMMARY:" + "🎂ü" * 90):
        written = lines.folded(text)
        assert all(len(line.encode()) <= 75 for line in written.split("\r\n"))
        assert lines.decoded(written.encode())[0] == text


def test_files_of_this_test_are_what_they_say() -> None:
    assert (ICS / "google.ics").read_bytes().count(b"\r\n ") > 1, "folded lines"
    assert Path(ICS / "broken.ics").read_bytes().count(b"\xfc") > 0, "another encoding"


@pytest.mark.parametrize("offset", ["+0200", "-0930", "+0545", "+1400"])
def test_a_zone_that_is_an_offset_comes_back_from_our_own_file(offset: str) -> None:
    file = calendar(f"UID:1\nSUMMARY:x\nDTSTART;TZID=UTC{offset}:20261130T103000\n")
    (known,) = read(file).entries
    assert known.event.zone == f"{offset[:3]}:{offset[3:]}"
    (again,) = read(writing.calendar([known.event], {}, NOW).encode()).entries
    assert (again.event.first, again.event.zone) == (known.event.first, known.event.zone)
