"""Reading calendars from a CalDAV server (RFC 4791), or from an address that gives one as a file.

Only what reading needs: where the person's calendars are, whether one has changed, what is in it. What answers are
made of is XML without a document type, so there are no entities in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urljoin, urlsplit
from xml.etree import ElementTree as ET

from llmasos.services.calendars.address import Refused, Unreachable, same_server
from llmasos.services.calendars.net import Answer, Web

PAST = timedelta(days=366)
"""How far back events are asked for."""
MOST_CALENDARS = 50

_DAV, _CAL, _SERVER = "{DAV:}", "{urn:ietf:params:xml:ns:caldav}", "{http://calendarserver.org/ns/}"
_SPACES = 'xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav" xmlns:s="http://calendarserver.org/ns/"'
_FIND = f"""<d:propfind {_SPACES}><d:prop><d:resourcetype/><d:current-user-principal/><c:calendar-home-set/>
<c:supported-calendar-component-set/><s:getctag/><d:sync-token/></d:prop></d:propfind>"""
_QUERY = f"""<c:calendar-query {_SPACES}><d:prop><c:calendar-data/></d:prop><c:filter><c:comp-filter name="VCALENDAR">
<c:comp-filter name="VEVENT"><c:time-range start="%s"/></c:comp-filter></c:comp-filter></c:filter></c:calendar-query>"""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a server has.

    Attributes:
        state: By which it is known whether anything has changed; empty where that can't be told.
        files: Calendars as text; none where nothing has changed.
        changed: Whether anything has.
    """

    state: str
    files: Sequence[bytes] = ()
    changed: bool = True


@dataclass(frozen=True, slots=True)
class _Thing:
    """One resource of an answer."""

    url: str
    element: ET.Element

    def find(self, path: str) -> ET.Element | None:
        for props in self.element.iter(f"{_DAV}prop"):
            found = props.find(path)
            if found is not None:
                return found
        return None

    def text(self, path: str) -> str:
        found = self.find(path)
        return (found.text or "").strip() if found is not None else ""

    def link(self, name: str) -> str:
        found = self.find(f"{name}/{_DAV}href")
        return urljoin(self.url, (found.text or "").strip()) if found is not None else ""

    @property
    def is_calendar(self) -> bool:
        kinds = self.find(f"{_DAV}resourcetype")
        if kinds is None or kinds.find(f"{_CAL}calendar") is None:
            return False
        parts = self.find(f"{_CAL}supported-calendar-component-set")
        return parts is None or any(part.get("name") == "VEVENT" for part in parts)


def fetch(web: Web, address: str, state: str, now: datetime) -> Fetched:
    """What is in the calendars at an address.

    Args:
        web: Asks the server.
        address: Of a calendar, of a folder of calendars, of a person or of a server; or of a file.
        state: As of the last time; empty for none.
        now: The present.

    Raises:
        Unreachable: The server can't be reached, or doesn't answer as it should.
        Refused: It doesn't let us in, or has no calendar there.
    """
    if not urlsplit(address).path.lower().endswith(".ics"):
        calendars = list(_calendars(web, address))
        if calendars:
            return _read(web, calendars, state, now)
    answer = web.ask("GET", address, Accept="text/calendar")
    if answer.status != 200 or b"BEGIN:VCALENDAR" not in answer.body[:4096].upper():
        host = urlsplit(address).netloc
        if answer.status >= 500:
            raise Unreachable(f"{host} has trouble of its own (it answers {answer.status}).")
        raise Refused(f"{host} has no calendar there (it answers {answer.status}).", "Check the address.")
    found = hashlib.blake2b(answer.body, digest_size=16).hexdigest()
    return Fetched(found, (answer.body,), True) if found != state else Fetched(found, changed=False)


def _calendars(web: Web, address: str) -> Iterator[_Thing]:
    """The calendars that an address leads to; none where it leads to no CalDAV server."""
    things = _things(web, address, "0")
    if not things and urlsplit(address).path in ("", "/"):
        things = _things(web, urljoin(address, "/.well-known/caldav"), "0")
    for thing in things:
        if thing.is_calendar:
            yield thing
            return
    home = next((link for thing in things if (link := thing.link(f"{_CAL}calendar-home-set"))), "")
    person = next((link for thing in things if (link := thing.link(f"{_DAV}current-user-principal"))), "")
    if not home and person:
        about = _things(web, _ours(address, person), "0")
        home = next((link for thing in about if (link := thing.link(f"{_CAL}calendar-home-set"))), "")
    if not home and not things:
        return
    found = [thing for thing in _things(web, _ours(address, home or address), "1") if thing.is_calendar]
    if not found:
        raise Refused(f"{urlsplit(address).netloc} has no calendar there.", "Check the address.")
    if len(found) > MOST_CALENDARS:
        raise Refused(f"There are more than {MOST_CALENDARS} calendars.", "Follow one of them by its own address.")
    yield from found


def _read(web: Web, calendars: Sequence[_Thing], state: str, now: datetime) -> Fetched:
    marks = [(thing.url, thing.text(f"{_SERVER}getctag") or thing.text(f"{_DAV}sync-token")) for thing in calendars]
    found = ""
    if all(mark for _, mark in marks):
        found = hashlib.blake2b(repr(sorted(marks)).encode(), digest_size=16).hexdigest()
        if found == state:
            return Fetched(found, changed=False)
    query = (_QUERY % f"{(now - PAST).astimezone(UTC):%Y%m%dT000000Z}").encode()
    files: list[bytes] = []
    for thing in calendars:
        answer = web.ask("REPORT", thing.url, query, Depth="1", Content_Type="application/xml; charset=utf-8")
        if answer.status != 207:
            raise Unreachable(f"{urlsplit(thing.url).netloc} doesn't tell what is in the calendar ({answer.status}).")
        found_here = _parsed(answer).iter(f"{_CAL}calendar-data")
        files += [data.text.encode("utf-8", "replace") for data in found_here if data.text]
    return Fetched(found, files)


def _ours(address: str, link: str) -> str:
    """A link of the server to itself."""
    if not same_server(urlsplit(address), urlsplit(link)):
        raise Refused(
            f"{urlsplit(address).netloc} keeps its calendars at {link}.",
            "Your password goes to no other server than you named. Follow that address if you trust it.",
        )
    return link


def _things(web: Web, address: str, depth: str) -> list[_Thing]:
    answer = web.ask("PROPFIND", address, _FIND.encode(), Depth=depth, Content_Type="application/xml; charset=utf-8")
    if answer.status != 207:
        return []
    found = []
    for element in _parsed(answer).iter(f"{_DAV}response"):
        link = urljoin(answer.url, (element.findtext(f"{_DAV}href") or "").strip())
        if same_server(urlsplit(answer.url), urlsplit(link)):
            found.append(_Thing(link, element))
    return found


def _parsed(answer: Answer) -> ET.Element:
    try:
        text = answer.body.decode("utf-8-sig")
        if "<!DOCTYPE" in text.upper():
            raise ValueError
        return ET.fromstring(text)  # noqa: S314  without a document type there are no entities
    except (ValueError, ET.ParseError, RecursionError):
        raise Unreachable(f"{urlsplit(answer.url).netloc} answers something that is no XML.") from None
