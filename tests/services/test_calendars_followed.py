"""Calendars that are followed: folders, a real CalDAV server, and servers that misbehave, all on this machine."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from calendar_desk import (
    ASKING,
    ICS,
    NOW,
    CalendarDesk,
    Radicale,
    answer,
    calendar,
    meeting,
    open_calendars,
    radicale,
    serving,
)

from llmasos.core.base.errors import UsageError
from llmasos.core.base.types import Call
from llmasos.core.kernel.policy import Policy, Rule
from llmasos.services.calendars.address import checked
from llmasos.services.calendars.followed import KIND as FOLLOWED
from llmasos.services.export import export

READING = Policy("reading", (Rule("reads", "allow", effect=("read",)),))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[CalendarDesk]:
    with open_calendars(tmp_path, policy=ASKING) as desk:
        yield desk


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Radicale]:
    with radicale(tmp_path_factory.mktemp("radicale")) as server:
        yield server


@pytest.fixture
def dav(shared: Radicale) -> Radicale:
    shared.send("DELETE", "/ada/office/")
    assert shared.send("MKCALENDAR", "/ada/office/") == 201
    return shared


def put(dav: Radicale, uid: str, *events: str) -> None:
    assert dav.send("PUT", f"/ada/office/{uid}.ics", calendar(*events)) in (201, 204)


async def follow(desk: CalendarDesk, address: str, name: str = "work") -> str:
    desk.person.secrets = ["ada", "s3cret-pass"]
    return str((await desk.ok("calendar.subscribe", name=name, address=address, login=True))["message"])


def grants(desk: CalendarDesk) -> list[str]:
    return [str(grant.pattern) for grant in desk.desk.kernel.consents.of("ada")]


async def read_in_the_background(desk: CalendarDesk) -> None:
    """One round of the task that keeps calendars read."""
    for one in desk.calendars._shelf.all():
        await desk.calendars._quietly(desk.desk.kernel, one)


# Folders


async def test_a_folder_is_followed_and_shown_with_its_name(desk: CalendarDesk) -> None:
    desk.put("team/a.ics", meeting("a", title="Planning"))
    desk.put("team/b.ics", meeting("b", title="Review", day="20261121"))
    desk.put("team/notes.txt", raw=b"nothing")
    await desk.ok("schedule.add", title="roast", when="Saturday at 9")
    value = await desk.ok("calendar.add", name="team", path="team")
    assert value["message"] == "Following 'team': 2 events."
    rows = await desk.desk.rows("schedule.list")
    assert [(row["title"], row["calendar"]) for row in rows] == [
        ("Planning", "team"),
        ("roast", ""),
        ("Review", "team"),
    ]
    listing = await desk.desk.do("schedule.list")
    assert listing.value["columns"][-1] == "calendar" and listing.labels == {"calendar:team"}
    found = await desk.desk.do("search.find", query="planning")
    assert found.labels == {"calendar:team"} and "in the calendar 'team'" in found.value["items"][0]["what"]
    assert (await desk.desk.rows("calendar.list"))[0]["where"] == "team"


async def test_it_can_not_be_changed_here(desk: CalendarDesk) -> None:
    desk.put("team/a.ics", meeting(title="Planning"))
    await desk.ok("calendar.add", name="team", path="team")
    for call in (
        ("schedule.cancel", {"title": "Planning"}),
        ("schedule.move", {"title": "planning", "when": "Saturday"}),
    ):
        refused = await desk.refused(call[0], **call[1])
        assert (refused.error, refused.message) == (
            "EPERM",
            "'Planning' is in the calendar 'team', which is only read here. "
            "Change it in the program where that calendar is kept.",
        )
    await desk.ok("schedule.add", title="Planning", when="Monday at 9")  # one's own is the one that is meant
    await desk.ok("schedule.cancel", title="Planning")
    assert await desk.whens() == [("Planning", "Fri 20 Nov 2026 10:00–11:00")]
    value = await desk.ok("schedule.add", title="dentist", when="Friday at 10:30")
    assert "At the same time: 'Planning' (Fri 20 Nov 2026 10:00–11:00, team)." in value["note"]


async def test_a_folder_that_changes_is_read_again(desk: CalendarDesk) -> None:
    desk.put("team/a.ics", meeting(title="Planning"))
    await desk.ok("calendar.add", name="team", path="team")
    assert "nothing has changed" in (await desk.ok("calendar.refresh", name="team"))["message"]
    desk.put("team/a.ics", meeting(title="Planning, longer", day="20261122"))
    await read_in_the_background(desk)
    assert await desk.whens() == [("Planning, longer", "Sun 22 Nov 2026 10:00–11:00")]
    (desk.folder / "team" / "a.ics").unlink()
    await read_in_the_background(desk)
    assert await desk.whens() == [("Planning, longer", "Sun 22 Nov 2026 10:00–11:00")], "what was read stays"
    assert "There are no .ics files in team." in (await desk.desk.rows("calendar.list"))[0]["trouble"]
    assert [told for told in desk.told if "can't be read" in told] == desk.told and len(desk.told) == 1
    await read_in_the_background(desk)
    assert len(desk.told) == 1, "said once"
    desk.put("team/a.ics", meeting())
    await read_in_the_background(desk)
    assert desk.told[-1] == "The calendar 'team' can be read again."


async def test_a_folder_that_becomes_a_link_is_not_followed_out(desk: CalendarDesk, tmp_path: Path) -> None:
    desk.put("team/a.ics", meeting(title="Planning"))
    await desk.ok("calendar.add", name="team", path="team")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.ics").write_bytes(calendar(meeting(title="Secret")))
    (desk.folder / "team").rename(desk.folder / "old")
    (desk.folder / "team").symlink_to(outside)
    await read_in_the_background(desk)
    assert [title for title, _ in await desk.whens()] == ["Planning"]
    assert "leads out of the workspace" in (await desk.desk.rows("calendar.list"))[0]["trouble"]


async def test_adding_and_removing_are_taken_back(desk: CalendarDesk) -> None:
    desk.put("team/a.ics", meeting(title="Planning"))
    await desk.ok("calendar.add", name="team", path="team")
    await desk.desk.undo()
    assert await desk.whens() == [] and await desk.desk.rows("calendar.list") == []
    await desk.ok("calendar.add", name="team", path="team")
    await desk.ok("calendar.remove", name="TEAM")
    assert await desk.whens() == [] and await desk.desk.rows("calendar.list") == []
    assert await desk.desk.undo() == "Following 'team' again."
    assert [title for title, _ in await desk.whens()] == ["Planning"]


@pytest.mark.parametrize("name", ["imported", "a:b", "*", "x" * 41, "", "a/b", "team"])
async def test_names(desk: CalendarDesk, name: str) -> None:
    desk.put("team/a.ics", meeting())
    await desk.ok("calendar.add", name="Team", path="team")
    assert (await desk.refused("calendar.add", name=name, path="team")).error in ("EINVAL", "EEXIST")


async def test_the_same_event_in_two_calendars_is_shown_twice(desk: CalendarDesk) -> None:
    desk.put("a/a.ics", meeting())
    desk.put("b/a.ics", meeting())
    await desk.ok("calendar.add", name="one", path="a")
    await desk.ok("calendar.add", name="另一个", path="b")
    assert [row["calendar"] for row in await desk.desk.rows("schedule.list")] == ["one", "另一个"]


async def test_reminders_ring_with_the_calendars_name_and_not_for_what_was_over(desk: CalendarDesk) -> None:
    over = "UID:o\nSUMMARY:Over\nDTSTART:20261118T083000Z"
    desk.put("team/a.ics", "UID:s\nSUMMARY:Soon\nDTSTART:20261118T100000Z", over)
    await desk.desk.schedule.start()
    await desk.ok("calendar.add", name="team", path="team")
    desk.desk.clock.advance(3600)
    assert await desk.desk.schedule.ring_due() == 1
    assert [(rung["title"], rung["calendar"]) for rung in desk.desk.rung] == [("Soon", "team")]
    desk.put("team/a.ics", "UID:s\nSUMMARY:Soon, again\nDTSTART:20261118T100000Z", over)
    await read_in_the_background(desk)
    assert await desk.desk.schedule.ring_due() == 0, "it rang already"
    await desk.ok("calendar.remove", name="team")
    desk.desk.schedule.stop()


# CalDAV


async def test_caldav(desk: CalendarDesk, dav: Radicale) -> None:
    put(dav, "a", meeting("a", title="Planning", more="RRULE:FREQ=WEEKLY"))
    assert await follow(desk, f"{dav.address}ada/office/") == "Following 'work': 1 event."
    assert desk.person.hidden == [False, True], "the password isn't shown while it is typed"
    (question,) = desk.person.questions
    assert question.shown["address"] == f"127.0.0.1:{dav.port}" and "every 15 minutes" in question.shown["again"]
    assert await desk.whens() == [("Planning", "Fri 20 Nov 2026 10:00–11:00")]
    put(dav, "b", meeting("b", title="Review", day="20261121"))
    assert "it has changed" in (await desk.ok("calendar.sync", name="work"))["message"]
    assert [title for title, _ in await desk.whens()] == ["Planning", "Review"]
    assert "nothing has changed" in (await desk.ok("calendar.sync", name="work"))["message"]
    dav.send("DELETE", "/ada/office/a.ics")
    await read_in_the_background(desk)
    assert [title for title, _ in await desk.whens()] == ["Review"]
    assert len(desk.person.questions) == 1, "asked once, when it was added"


async def test_the_servers_address_alone_leads_to_all_calendars(desk: CalendarDesk, dav: Radicale) -> None:
    put(dav, "a", meeting("a", title="Planning"))
    await follow(desk, dav.address)
    assert [title for title, _ in await desk.whens()] == ["Planning"]


async def test_events_of_more_than_a_year_ago_are_left_at_the_server(desk: CalendarDesk, dav: Radicale) -> None:
    put(dav, "old", meeting("old", title="Old", day="20240105"))
    put(dav, "new", meeting("new", title="New"))
    await follow(desk, f"{dav.address}ada/office/")
    assert (await desk.desk.rows("calendar.list"))[0]["events"] == 1


async def test_user_and_password_are_nowhere_but_sealed(desk: CalendarDesk, dav: Radicale, tmp_path: Path) -> None:
    put(dav, "a", meeting("a"))
    await follow(desk, f"{dav.address}ada/office/")
    shown = [await desk.desk.do("calendar.list"), await desk.desk.do("calendar.sync", name="work")]
    told = json.dumps([result.value for result in shown] + desk.person.shown, default=str)
    journal = "".join(str(entry) for entry in desk.desk.kernel.journal.entries())
    (record,) = desk.desk.store.scan(FOLLOWED)
    assert record.value["password"] == "s3cret-pass", "where it is sealed"
    assert "s3cret-pass" not in told + journal + repr(desk.calendars._shelf.all())
    on_disk = b"".join(path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file())
    assert b"s3cret-pass" not in on_disk and b"Meeting" not in on_disk
    await desk.ok("calendar.remove", name="work")  # what takes it back is kept too
    assert "s3cret-pass" not in "".join(str(content) for _, content in export(desk.desk.store.all(), NOW))


async def test_a_wrong_password_and_none(desk: CalendarDesk, dav: Radicale) -> None:
    desk.person.secrets = ["ada", "wrong"]
    refused = await desk.refused("calendar.subscribe", name="work", address=f"{dav.address}ada/office/", login=True)
    assert "doesn't know this user and password" in refused.message
    refused = await desk.refused("calendar.subscribe", name="work", address=f"{dav.address}ada/office/")
    assert "asks who you are" in refused.message and "login" in refused.message
    refused = await desk.refused("calendar.subscribe", name="work", address=f"{dav.address}ada/office/", login=True)
    assert (refused.error, "none were typed" in refused.message) == ("EAGAIN", True)
    assert await desk.desk.rows("calendar.list") == [] and grants(desk) == []


async def test_offline_is_said_and_what_was_read_stays(desk: CalendarDesk, dav: Radicale, tmp_path: Path) -> None:
    with radicale(tmp_path / "radicale") as server:
        put(server, "a", meeting("a", title="Planning"))
        await follow(desk, f"{server.address}ada/office/")
    await read_in_the_background(desk)
    assert [title for title, _ in await desk.whens()] == ["Planning"]
    assert "can't be reached" in (await desk.desk.rows("calendar.list"))[0]["trouble"]
    assert len(desk.told) == 1 and "What was read 2026-11-18 10:00 is shown." in desk.told[0]
    refused = await desk.refused("calendar.sync", name="work")
    assert "can't be reached" in refused.message


# Policy and consent


async def test_reading_again_needs_what_was_consented_to(desk: CalendarDesk, dav: Radicale) -> None:
    put(dav, "a", meeting("a"))
    await follow(desk, f"{dav.address}ada/office/")
    assert grants(desk) == ["calendar.sync name=work"]
    (grant,) = desk.desk.kernel.consents.of("ada")
    desk.desk.kernel.consents.revoke("ada", grant.number)
    await read_in_the_background(desk)
    assert "asks for consent" in (await desk.desk.rows("calendar.list"))[0]["trouble"]


async def test_no_consent_no_request(desk: CalendarDesk) -> None:
    def never(request: BaseHTTPRequestHandler) -> None:
        answer(request, 200, calendar(meeting()))

    desk.person.yes = False
    with serving(never) as (address, asked):
        refused = await desk.refused("calendar.subscribe", name="work", address=f"{address}/a.ics")
    assert (refused.error, asked) == ("EAGAIN", [])


async def test_policy_is_asked_each_time(desk: CalendarDesk, dav: Radicale) -> None:
    desk.put("team/a.ics", meeting())
    await desk.ok("calendar.add", name="team", path="team")
    await follow(desk, f"{dav.address}ada/office/")
    desk.desk.kernel.policy = READING
    assert (await desk.refused("calendar.sync", name="work")).error == "EACCES"
    await read_in_the_background(desk)
    assert all("denied by the rule" in row["trouble"] for row in await desk.desk.rows("calendar.list"))


async def test_removing_ends_the_consent_and_undo_brings_both_back(desk: CalendarDesk, dav: Radicale) -> None:
    put(dav, "a", meeting("a", title="Planning"))
    await follow(desk, f"{dav.address}ada/office/")
    await desk.ok("calendar.remove", name="work")
    assert grants(desk) == [] and await desk.whens() == []
    await desk.desk.undo()
    assert grants(desk) == ["calendar.sync name=work"] and [t for t, _ in await desk.whens()] == ["Planning"]
    await read_in_the_background(desk)
    assert (await desk.desk.rows("calendar.list"))[0]["trouble"] == ""


async def test_reading_again_leaves_no_line_in_the_history(desk: CalendarDesk, dav: Radicale) -> None:
    await follow(desk, f"{dav.address}ada/office/")
    before, seen = len(desk.desk.kernel.journal.entries()), []
    desk.desk.kernel.hooks.append(seen.append)
    await read_in_the_background(desk)
    assert len(desk.desk.kernel.journal.entries()) == before
    assert [trapped.call.syscall for trapped in seen] == ["calendar.sync"], "but the audit log hears of it"


# Addresses and servers


@pytest.mark.parametrize(
    "address",
    [
        "http://example.org/cal.ics", "ftp://example.org/", "file:///etc/passwd", "https://", "example.org", "",
        "https://ada:pw@example.org/", "https://exa mple.org/", "https://example.org:99999/", "http://127.0.0.1.example.org/",
        "https://exämple.org/", "https://example.org/\r\nX: y", "http://[::1", "http://0.0.0.0/",
    ],
)  # fmt: skip
async def test_addresses_that_are_not_asked(desk: CalendarDesk, address: str) -> None:
    refused = await desk.refused("calendar.subscribe", name="work", address=address)
    assert refused.error == "EINVAL" and "pw@" not in refused.message


def test_addresses_that_are() -> None:
    assert checked("webcal://example.org/a.ics") == "https://example.org/a.ics"
    for address in ("https://example.org/", "http://localhost:5232/", "http://127.0.0.1/", "http://[::1]:80/x"):
        assert checked(address) == address
    with pytest.raises(UsageError, match="isn't encrypted"):
        checked("http://192.168.1.4/")


async def subscribed(desk: CalendarDesk, address: str, *, login: bool = False) -> str:
    """What comes of following an address: why not, or what."""
    desk.person.secrets = ["ada", "s3cret-pass"] if login else []
    result = await desk.desk.do("calendar.subscribe", name="work", address=address, login=login)
    return result.value["message"] if result.ok else result.message


async def test_an_address_that_gives_a_file(desk: CalendarDesk) -> None:
    def give(request: BaseHTTPRequestHandler) -> None:
        answer(request, 200 if request.command == "GET" else 405, (ICS / "google.ics").read_bytes())

    with serving(give) as (address, asked):
        assert await subscribed(desk, f"{address}/private-abc/basic.ics") == "Following 'work': 4 events."
        assert "nothing has changed" in (await desk.ok("calendar.sync", name="work"))["message"]
        assert asked == ["GET /private-abc/basic.ics -"] * 2
        where = (await desk.desk.rows("calendar.list"))[0]["where"]
        assert "private-abc" not in where
        await desk.ok("calendar.remove", name="work")
        assert await subscribed(desk, f"{address}/export") == "Following 'work': 4 events."


async def test_digest(desk: CalendarDesk) -> None:
    def give(request: BaseHTTPRequestHandler) -> None:
        given = request.headers.get("Authorization", "")
        if given.startswith("Digest ") and 'username="ada"' in given and "response=" in given:
            answer(request, 200, calendar(meeting()))
        else:
            answer(request, 401, WWW_Authenticate='Digest realm="x", nonce="n1", qop="auth", algorithm=MD5')

    with serving(give) as (address, asked):
        assert await subscribed(desk, f"{address}/a.ics", login=True) == "Following 'work': 1 event."
    assert "s3cret-pass" not in "".join(asked[1:])


async def test_a_password_goes_to_no_other_server(desk: CalendarDesk) -> None:
    def other(request: BaseHTTPRequestHandler) -> None:
        answer(request, 200, calendar(meeting()))

    with serving(other) as (elsewhere, heard):

        def send_away(request: BaseHTTPRequestHandler) -> None:
            answer(request, 302, Location=f"{elsewhere}/a.ics")

        with serving(send_away) as (address, _):
            said = await subscribed(desk, f"{address}/a.ics", login=True)
            assert "Your password goes to no other server than you named" in said and elsewhere in said
            assert "without encryption" in await subscribed(desk, f"{address}/a.ics")
    assert heard == []


async def test_a_server_that_names_another_as_its_home(desk: CalendarDesk) -> None:
    home = (
        '<d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:response><d:href>/</d:href><d:propstat>'
        "<d:prop><c:calendar-home-set><d:href>https://elsewhere.example/ada/</d:href></c:calendar-home-set></d:prop>"
        "</d:propstat></d:response></d:multistatus>"
    )
    with serving(lambda request: answer(request, 207, home.encode())) as (address, _):
        assert "keeps its calendars at https://elsewhere.example/ada/" in await subscribed(
            desk, f"{address}/", login=True
        )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'<!DOCTYPE x [<!ENTITY a "b">]><d:multistatus xmlns:d="DAV:">&a;</d:multistatus>', "no XML"),
        ('<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x []><x/>'.encode("utf-16"), "no XML"),
        (b"<d:multistatus", "no XML"),
        (b"<x>" * 100_000, "no XML"),
        (b"\xff\xfe\x00", "no XML"),
        (b'<d:multistatus xmlns:d="DAV:"/>', "no calendar there"),
    ],
)
async def test_answers_that_are_none(desk: CalendarDesk, body: bytes, said: str) -> None:
    with serving(lambda request: answer(request, 207, body)) as (address, _):
        assert said in await subscribed(desk, f"{address}/cal/")


async def test_answers_without_end_are_cut_off(desk: CalendarDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmasos.services.calendars.folder.MOST_BYTES", 1 << 20)

    def endless(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        try:
            while True:
                request.wfile.write(b"BEGIN:VCALENDAR\r\n" * 4096)
        except OSError:
            return

    with serving(endless) as (address, _):
        assert "answers with more than 1 MB" in await subscribed(desk, f"{address}/a.ics")


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (302, {"Location": "/a.ics"}, "from one address to the next"),
        (302, {"Location": "file:///etc/passwd"}, "no address"),
        (404, {}, "no calendar there"),
        (500, {}, "trouble of its own"),
        (403, {}, "doesn't let you see"),
        (200, {"Content_Encoding": "gzip"}, "packs its answer"),
    ],
)
async def test_servers_that_misbehave(desk: CalendarDesk, status: int, headers: dict[str, str], said: str) -> None:
    with serving(lambda request: answer(request, status, gzip.compress(b"x"), **headers)) as (address, _):
        assert said in await subscribed(desk, f"{address}/a.ics")
    assert await desk.desk.rows("calendar.list") == []


async def test_what_speaks_no_http(desk: CalendarDesk) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert "can't be reached" in await subscribed(desk, f"http://127.0.0.1:{port}/a.ics")
    server.close()
    await server.wait_closed()


# While a kernel stays


async def test_one_task_reads_at_the_start_and_ends_at_the_close(desk: CalendarDesk, dav: Radicale) -> None:
    await follow(desk, f"{dav.address}ada/office/")
    put(dav, "a", meeting("a", title="Planning"))
    read = asyncio.Event()
    desk.desk.kernel.hooks.append(lambda trapped: read.set())
    desk.calendars.start(desk.desk.kernel)
    desk.calendars.start(desk.desk.kernel)
    assert len([task for task in asyncio.all_tasks() if task.get_name() == "calendars"]) == 1
    async with asyncio.timeout(60):
        await read.wait()
    assert [title for title, _ in await desk.whens()] == ["Planning"]
    await desk.calendars.close()
    assert [task for task in asyncio.all_tasks() if task.get_name() == "calendars"] == []


async def test_closing_does_not_wait_for_a_server_that_says_nothing(desk: CalendarDesk) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        call = Call(
            "calendar.subscribe", {"name": "work", "address": f"http://127.0.0.1:{silent.getsockname()[1]}/a.ics"}
        )
        asking = asyncio.create_task(desk.desk.kernel.trap(desk.desk.process, desk.desk.session, call))
        connection = (await asyncio.to_thread(silent.accept))[0]
        with connection:
            asking.cancel()
            await asyncio.wait([asking])
            assert asking.cancelled()
            assert await asyncio.to_thread(_until_its_end, connection), "the request has ended too"
    assert await desk.desk.rows("calendar.list") == []


def _until_its_end(connection: socket.socket) -> bool:
    """Whether the other side hangs up."""
    connection.settimeout(15)
    while connection.recv(1000):
        pass
    return True
