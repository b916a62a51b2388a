"""Fetches for plugins: what is checked before anything is connected, real servers, and what leads elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from llmasos.core.base.errors import Denied, SyscallError
from llmasos.core.kernel.network import Broker, Fetched, Host, Request, Target
from llmasos.core.kernel.network.broker import LARGEST, REDIRECTS

PUBLIC = "93.184.215.14"
GRANTED = [Host.parse(said) for said in ("example.org", "*.example.org", "http://plain.example.org")]


class Web:
    """Answers without a network, and keeps what was asked."""

    def __init__(self, **pages: Fetched) -> None:
        self.pages = pages
        self.asked: list[tuple[str, Sequence[str], Request]] = []

    async def __call__(self, target: Target, addresses: Sequence[str], asked: Request) -> Fetched:
        self.asked.append((str(target), addresses, asked))
        return self.pages.get(target.path.strip("/"), Fetched(str(target), 200, {}, b"here"))


def leads(to: str, status: int = 302) -> Fetched:
    return Fetched("", status, {"location": to}, b"")


def resolving(*addresses: str) -> Callable[[str, int], asyncio.Future[Sequence[str]]]:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolve  # type: ignore[return-value]


def broker(web: Web, *addresses: str) -> Broker:
    return Broker(resolve=resolving(*(addresses or (PUBLIC,))), ask=web)


async def refused(code: str, work: object) -> str:
    with pytest.raises(SyscallError) as caught:
        await work  # type: ignore[misc]
    assert caught.value.code == code, caught.value
    return str(caught.value)


# -- what is checked


async def test_a_granted_host_at_the_address_that_was_looked_at() -> None:
    web = Web()
    fetched = await broker(web).fetch("plugin:a", Request("https://api.example.org/x?key=1"), GRANTED)
    assert fetched.body == b"here"
    assert [(url, addresses) for url, addresses, _ in web.asked] == [("https://api.example.org/x?key=1", (PUBLIC,))]


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.net/",
        "http://example.org/",
        "https://example.org:8443/",
        "https://127.0.0.1/",
        "https://localhost/",
    ],
)
async def test_hosts_that_were_not_granted(url: str) -> None:
    web = Web()
    said = await refused("EACCES", broker(web).fetch("plugin:a", Request(url), GRANTED))
    assert "isn't among the hosts that were granted. Granted: example.org, *.example.org" in said
    assert web.asked == []


async def test_with_no_grant_nothing() -> None:
    said = await refused("EACCES", broker(Web()).fetch("plugin:a", Request("https://example.org/"), []))
    assert "Granted: none." in said


@pytest.mark.parametrize(
    "bad", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:192.168.0.1", "224.0.0.1", "0.0.0.0"]
)
async def test_a_name_that_leads_inside_is_not_connected(bad: str) -> None:
    for found in ([bad], [PUBLIC, bad], [bad, PUBLIC]):
        web = Web()
        said = await refused("EACCES", broker(web, *found).fetch("plugin:a", Request("https://example.org/"), GRANTED))
        assert f"example.org leads to {bad}" in said
        assert web.asked == []


async def test_a_local_grant_reaches_the_home_and_no_keys_of_a_cloud() -> None:
    local = [Host.parse("local:http://nas.lan")]
    fetched = await broker(Web(), "192.168.1.7").fetch("plugin:a", Request("http://nas.lan/"), local)
    assert fetched.status == 200
    await refused("EACCES", broker(Web(), "169.254.169.254").fetch("plugin:a", Request("http://nas.lan/"), local))


async def test_a_name_is_resolved_once_for_a_request() -> None:
    """A second look could find another address: DNS rebinding."""
    answers = [[PUBLIC], ["127.0.0.1"]]

    async def resolve(host: str, port: int) -> Sequence[str]:
        return answers.pop(0)

    web = Web()
    await Broker(resolve=resolve, ask=web).fetch("plugin:a", Request("https://example.org/"), GRANTED)
    assert [addresses for _, addresses, _ in web.asked] == [[PUBLIC]]
    assert answers == [["127.0.0.1"]]


async def test_a_host_that_is_not_there() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    said = await refused("ENOENT", Broker(resolve=resolve).fetch("plugin:a", Request("https://example.org/"), GRANTED))
    assert said == "The host example.org isn't found. Is there a network?"


@pytest.mark.parametrize(
    ("request_", "code", "said"),
    [
        (Request("https://example.org/", "CONNECT"), "EINVAL", "no method 'CONNECT'"),
        (Request("https://example.org/", "get"), "EINVAL", "no method 'get'"),
        (Request("https://example.org/", headers={"Host": "evil.net"}), "EINVAL", "Host is set by the kernel"),
        (Request("https://example.org/", headers={"transfer-encoding": "chunked"}), "EINVAL", "set by the kernel"),
        (Request("https://example.org/", headers={"Proxy-Authorization": "x"}), "EINVAL", "set by the kernel"),
        (Request("https://example.org/", headers={"X": "a\r\nHost: evil.net"}), "EINVAL", "characters that none can have"),
        (Request("https://example.org/", headers={"X:": "a"}), "EINVAL", "characters that none can have"),
        (Request("https://example.org/", headers={"X": "ü"}), "EINVAL", "characters that none can have"),
        (Request("https://example.org/", headers={f"X{n}": "" for n in range(40)}), "E2BIG", "too many headers"),
        (Request("https://example.org/", headers={"X": "x" * 9000}), "E2BIG", "too many headers"),
        (Request("https://example.org/ x"), "EINVAL", "must be written as %XX"),
    ],
)  # fmt: skip
async def test_requests_that_are_not_made(request_: Request, code: str, said: str) -> None:
    web = Web()
    assert said in await refused(code, broker(web).fetch("plugin:a", request_, GRANTED))
    assert web.asked == []


# -- redirects


async def test_redirects_are_followed_to_granted_hosts() -> None:
    web = Web(a=leads("/b"), b=leads("https://api.example.org/c"), c=leads("http://plain.example.org/d"))
    fetched = await broker(web).fetch("plugin:a", Request("https://example.org/a"), GRANTED)
    assert fetched.url == "http://plain.example.org/d"
    assert [url for url, _, _ in web.asked] == [
        "https://example.org/a", "https://example.org/b", "https://api.example.org/c", "http://plain.example.org/d",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "place",
    ["https://evil.net/", "http://example.org/", "//evil.net/", "http://169.254.169.254/latest/", "https://localhost/",
     "file:///etc/passwd", "https://user@example.org/", "https://example.org:8443/", "\\\\evil.net/"],
)  # fmt: skip
async def test_a_redirect_is_checked_like_the_first(place: str) -> None:
    web = Web(a=leads(place))
    with pytest.raises(SyscallError) as caught:
        await broker(web).fetch("plugin:a", Request("https://example.org/a"), GRANTED)
    assert caught.value.code in ("EACCES", "EINVAL")
    assert len(web.asked) == 1


async def test_a_redirect_to_a_name_that_leads_inside() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["10.0.0.1"] if host == "inside.example.org" else [PUBLIC]

    web = Web(a=leads("https://inside.example.org/"))
    work = Broker(resolve=resolve, ask=web).fetch("plugin:a", Request("https://example.org/a"), GRANTED)
    assert "inside.example.org leads to 10.0.0.1" in await refused("EACCES", work)
    assert len(web.asked) == 1


async def test_redirects_end() -> None:
    web = Web(a=leads("/a"))
    await refused("EIO", broker(web).fetch("plugin:a", Request("https://example.org/a"), GRANTED))
    assert len(web.asked) == REDIRECTS + 1


async def test_what_goes_along() -> None:
    headers = {"Authorization": "Bearer secret", "X-Api-Key": "secret", "Accept": "text/html", "Cookie": "a=b"}
    web = Web(a=leads("/b", 307), b=leads("https://api.example.org/c", 307), c=leads("/d", 303))
    asked = Request("https://example.org/a", "POST", headers, b"body")
    await broker(web).fetch("plugin:a", asked, GRANTED)
    (_, _, first), (_, _, same), (_, _, other), (_, _, last) = web.asked
    assert first.headers == same.headers == headers
    assert (other.method, other.body, other.headers) == ("POST", b"body", {"Accept": "text/html"})
    assert (last.method, last.body) == ("GET", b"")


async def test_each_place_on_the_way_is_told() -> None:
    def onward(target: Target) -> None:
        raise Denied(f"not {target.shown}")

    web = Web(a=leads("/b"))
    with pytest.raises(Denied, match=r"not https://example\.org/b"):
        await broker(web).fetch("plugin:a", Request("https://example.org/a"), GRANTED, onward)
    assert len(web.asked) == 1


# -- real servers


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]


@contextlib.asynccontextmanager
async def serving(
    answer: bytes | Serve, context: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server on this machine that gives one answer; its port, and the requests that it got."""
    got: list[bytes] = []
    guests: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        guests.add(task)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
            )
            got.append(head + await reader.readexactly(length))
            if callable(answer):
                await answer(reader, writer)  # type: ignore[misc]
            else:
                writer.write(answer)
                await writer.drain()
        except (OSError, EOFError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1], got
    finally:
        server.close()
        await asyncio.gather(*guests)


def ok(body: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *headers, b"", body])


async def fetch(port: int, path: str = "/", *, seconds: float = 10, **asked: object) -> Fetched:
    host = f"http://127.0.0.1:{port}"
    request = Request(f"{host}{path}", **asked)  # type: ignore[arg-type]
    return await Broker(seconds=seconds).fetch("plugin:a", request, [Host.parse(f"local:{host}")])


async def test_a_real_answer_with_its_headers() -> None:
    async with serving(ok("grüße".encode(), b"Content-Type: text/plain", b"X-Two: a", b"x-two: b")) as (port, got):
        fetched = await fetch(port, "/a?b=c", method="POST", headers={"X-Key": "1"}, body=b"sent")
    assert (fetched.status, fetched.body.decode()) == (200, "grüße")
    assert fetched.headers["x-two"] == "a, b"
    assert fetched.url == f"http://127.0.0.1:{port}/a?b=c"
    (request,) = got
    assert request.startswith(b"POST /a?b=c HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{port}\r\n".encode() in request
    assert b"X-Key: 1\r\n" in request
    assert b"User-Agent: llmasos\r\n" in request
    assert request.endswith(b"sent")


async def test_a_server_that_keeps_the_connection_open_is_not_waited_for() -> None:
    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(ok(b"all of it"))
        await writer.drain()
        await reader.read()

    async with serving(keep) as (port, _):
        assert (await fetch(port)).body == b"all of it"


async def test_a_head_has_no_body() -> None:
    async with serving(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n") as (port, _):
        assert (await fetch(port, method="HEAD")).body == b""


async def test_the_largest_answer_and_one_byte_more() -> None:
    async with serving(ok(b"x" * LARGEST)) as (port, _):
        assert len((await fetch(port)).body) == LARGEST
    async with serving(ok(b"x" * (LARGEST + 1))) as (port, _):
        assert "more than 2,000,000 bytes" in await refused("E2BIG", fetch(port))


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        await writer.drain()


async def test_an_answer_without_end() -> None:
    async with serving(endless) as (port, _):
        await refused("E2BIG", fetch(port))


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X: 1")
        await writer.drain()
        await asyncio.sleep(0.01)


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


@pytest.mark.parametrize("slow", [drip, silent])
async def test_a_slow_server_is_left_and_the_connection_cut(slow: Serve) -> None:
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await slow(reader, writer)  # type: ignore[misc]
        finally:
            ended.set()

    async with serving(serve) as (port, _):
        assert "took longer than 0.3 seconds" in await refused("ETIMEDOUT", fetch(port, seconds=0.3))
        await asyncio.wait_for(ended.wait(), 30)


async def test_a_cancelled_fetch_cuts_its_connection() -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        began.set()
        await reader.read()
        ended.set()

    async with serving(serve) as (port, _):
        work = asyncio.ensure_future(fetch(port))
        await asyncio.wait_for(began.wait(), 30)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        await asyncio.wait_for(ended.wait(), 30)


@pytest.mark.parametrize(
    "answer",
    [b"", b"hello\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", ok(b"short").replace(b"Content-Length: 5", b"Content-Length: 50"),
     b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 200 + b"\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000,
     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
)  # fmt: skip
async def test_what_is_no_answer(answer: bytes) -> None:
    async with serving(answer) as (port, _):
        await refused("EIO", fetch(port))


async def test_nobody_listens() -> None:
    async with serving(b"") as (port, _):
        pass
    assert "can't be reached" in await refused("EIO", fetch(port))


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server shows that is called so, and what a client believes that knows it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cafile=str(file))


async def test_https_to_the_checked_address_by_the_hosts_name(tmp_path: Path) -> None:
    server, trust = certificate(tmp_path, "device.example.org")
    names: list[str | None] = []
    server.sni_callback = lambda _, name, __: names.append(name)
    async with serving(ok(b"sealed"), server) as (port, got):
        url = f"https://device.example.org:{port}"
        granted = [Host.parse(f"local:device.example.org:{port}")]
        home = Broker(resolve=resolving("127.0.0.1"), trust=trust)  # type: ignore[arg-type]
        assert (await home.fetch("plugin:a", Request(url), granted)).body == b"sealed"
        assert names == ["device.example.org"]
        assert f"Host: device.example.org:{port}\r\n".encode() in got[0]
        # Somebody else's certificate, and one that nobody vouches for.
        other = [Host.parse(f"local:other.example.org:{port}")]
        work = home.fetch("plugin:a", Request(url.replace("device", "other")), other)
        assert "can't prove who it is" in await refused("EIO", work)
        strict = Broker(resolve=resolving("127.0.0.1"))  # type: ignore[arg-type]
        assert "can't prove who it is" in await refused("EIO", strict.fetch("plugin:a", Request(url), granted))
    assert len(got) == 1, "nothing was sent to who couldn't prove it"


async def test_a_real_redirect_to_a_closed_door(tmp_path: Path) -> None:
    async with serving(ok(b"inside")) as (inner, inside):
        moved = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{inner}/\r\nContent-Length: 0\r\n\r\n".encode()
        async with serving(moved) as (port, _):
            await refused("EACCES", fetch(port))
        assert inside == []


async def test_the_log_says_who_fetched_what_and_no_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "llmasos")
    web = Web()
    asked = Request("https://example.org/s3cret/now?key=s3cret", headers={"Authorization": "s3cret"}, body=b"s3cret")
    moved = Request("https://example.org/x")
    await broker(web).fetch("plugin:weather", asked, GRANTED)
    await refused("EACCES", broker(web, "10.0.0.1").fetch("plugin:weather", asked, GRANTED))
    for place in ("https://s3cret@example.org/", "https://example.org/\\s3cret", "ftp://example.org/?s3cret"):
        said = await refused("EINVAL", broker(Web(x=leads(place))).fetch("plugin:weather", moved, GRANTED))
        assert "s3cret" in said  # the plugin is told; it sent the request
    assert "net.fetch plugin:weather GET https://example.org: 200, 4 bytes" in caplog.text
    assert "net.fetch plugin:weather GET https://example.org: EACCES" in caplog.text
    assert "net.fetch plugin:weather GET https://example.org: EINVAL" in caplog.text
    assert "s3cret" not in caplog.text
