"""What the tests of calendars share: a desk with calendars and the search, and servers on this machine."""

from __future__ import annotations

import base64
import http.client
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from plan_desk import NOW, Desk, Person, open_desk

from llmasos.core.base.types import Result
from llmasos.core.kernel.policy import Policy, Rule
from llmasos.core.kernel.session import Answer, Consent
from llmasos.services.calendars import Calendars
from llmasos.services.files import Files
from llmasos.services.search import Place, Search

ICS = Path(__file__).parent / "ics"
ASKING = Policy(
    "test", (Rule("rest", "allow", effect=("read", "write", "destroy")), Rule("outside", "ask", effect=("external",)))
)


class Typist(Person):
    """Also types secrets, and answers questions of consent."""

    def __init__(self) -> None:
        super().__init__()
        self.secrets: list[str] = []
        self.questions: list[Consent] = []
        self.hidden: list[bool] = []

    async def secret(self, question: str, *, hidden: bool = True) -> str | None:
        self.hidden.append(hidden)
        return self.secrets.pop(0) if self.secrets else None

    async def consent(self, question: Consent) -> Answer | None:
        self.questions.append(question)
        return await super().consent(question)


@dataclass
class CalendarDesk:
    """A person with a calendar program."""

    desk: Desk
    person: Typist
    calendars: Calendars
    folder: Path
    told: list[str] = field(default_factory=list)

    def put(self, name: str, *events: str, raw: bytes | None = None) -> str:
        """Write a calendar file into the workspace."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw if raw is not None else calendar(*events))
        return name

    def take(self, name: str) -> str:
        """One of the files of other programs, in the workspace."""
        return self.put(name, raw=(ICS / name).read_bytes())

    async def ok(self, syscall: str, **args: Any) -> Any:
        return await self.desk.ok(syscall, **args)

    async def refused(self, syscall: str, **args: Any) -> Result:
        result = await self.desk.do(syscall, **args)
        assert not result.ok, result
        return result

    async def whens(self, **args: str) -> list[tuple[str, str]]:
        return [(row["title"], row["when"]) for row in await self.desk.rows("schedule.list", **args)]


@contextmanager
def open_calendars(tmp_path: Path, *, policy: Policy | None = None) -> Iterator[CalendarDesk]:
    """A desk in a fresh home, its workspace beside it."""
    with open_desk(tmp_path) as desk:
        folder = tmp_path / "workspace"
        folder.mkdir()
        person = Typist()
        desk.session.workspace, desk.session.front, desk.person = folder, person, person
        told: list[str] = []

        def tell(words: str) -> bool:
            told.append(words)
            return True

        calendars = Calendars(desk.store, desk.clock, desk.schedule, tell, private=(tmp_path / "home",))
        search = Search([Place("event", desk.schedule.look, "schedule.list")])
        for service in (calendars, search, Files(private=(tmp_path / "home",))):
            desk.kernel.table.add_service(service)
        if policy:
            desk.kernel.policy = policy
        yield CalendarDesk(desk, person, calendars, folder, told)


def calendar(*events: str) -> bytes:
    """A calendar file; each event is its lines."""
    bodies = "".join(f"BEGIN:VEVENT\n{event.strip()}\nEND:VEVENT\n" for event in events)
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//tests//EN\n{bodies}END:VCALENDAR\n"
    return text.replace("\n", "\r\n").encode()


def meeting(uid: str = "m-1", title: str = "Meeting", day: str = "20261120", more: str = "") -> str:
    """An event at 10 in Berlin."""
    return (
        f"UID:{uid}\nSUMMARY:{title}\nDTSTART;TZID=Europe/Berlin:{day}T100000\n"
        f"DTEND;TZID=Europe/Berlin:{day}T110000\n{more}"
    )


# Servers


@dataclass
class Radicale:
    """A CalDAV server of this test's own."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def send(self, method: str, path: str, body: bytes = b"", *, user: str = "ada:s3cret-pass") -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        token = base64.b64encode(user.encode()).decode()
        try:
            connection.request(method, path, body, {"Authorization": f"Basic {token}"})
            return connection.getresponse().status
        finally:
            connection.close()


@contextmanager
def radicale(folder: Path) -> Iterator[Radicale]:
    """A real CalDAV server with a user `ada`, and a calendar `work` with nothing in it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "users").write_text("ada:s3cret-pass\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "radicale", f"--server-hosts=127.0.0.1:{port}", "--auth-type=htpasswd",
        f"--auth-htpasswd-filename={folder / 'users'}", "--auth-htpasswd-encryption=plain", "--auth-delay=0",
        f"--storage-filesystem-folder={folder / 'data'}", "--logging-level=error",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        server = Radicale(port, process)
        for _ in range(600):
            try:
                server.send("OPTIONS", "/")
                break
            except OSError:
                assert process.poll() is None, "radicale ended"
                time.sleep(0.05)
        assert server.send("MKCALENDAR", "/ada/office/") == 201
        yield server
    finally:
        process.terminate()
        process.wait(30)


Handle = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def serving(handle: Handle) -> Iterator[tuple[str, list[str]]]:
    """A server that does what a test says; yields its address and what it is asked, header and all."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            self.rfile.read(length)
            asked.append(f"{self.command} {self.path} {self.headers.get('Authorization', '-')}")
            handle(self)

        do_GET = do_PROPFIND = do_REPORT = _any  # noqa: N815  the library calls them so

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def answer(request: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    """Answer a request."""
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name.replace("_", "-"), value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def titles(rows: Sequence[dict[str, Any]]) -> list[str]:
    return [row["title"] for row in rows]


__all__ = [
    "ASKING", "ICS", "NOW", "CalendarDesk", "answer", "calendar", "meeting", "open_calendars", "radicale", "serving",
    "titles",
]  # fmt: skip
