"""What comes over the wire that no client of ours would send, and who isn't let in."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openai
import pytest

from llmasos.core.base.errors import LlmasosError, ModelError, UsageError
from llmasos.core.kernel.network import Broker, Fetched, Host, Target
from llmasos.core.kernel.network import Request as Fetch
from llmasos.server import wire
from llmasos.server.access import listen, name_of, names_for, read_key
from llmasos.shell.keys import show_log
from tests.server.conftest import Running, scripted

KEY = "correct-horse-battery"
HELLO: Any = [{"role": "user", "content": "Hello, xyzzy."}]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """These clients read until the end, so nobody needs to wait for them."""
    monkeypatch.setattr(wire, "LINGER_SECONDS", 0.1)


def post(body: bytes, *headers: str, path: str = "/v1/chat/completions", host: str = "localhost") -> bytes:
    head = [f"POST {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}", *headers]
    if not any(h.lower().startswith("content-type") for h in headers):
        head.append("Content-Type: application/json")
    return "\r\n".join([*head, "Connection: close", "", ""]).encode() + body


def status(back: bytes) -> int:
    return int(back.split(b" ", 2)[1])


def error(back: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(back.partition(b"\r\n\r\n")[2])["error"]
    assert found.keys() == {"message", "type", "param", "code"}
    return found


async def test_a_wrong_key_and_none(home: Path) -> None:
    async with scripted(home, key=KEY) as server:
        async with server.client(key="wrong") as client:
            with pytest.raises(openai.AuthenticationError) as refused:
                await client.chat.completions.create(model="llmasos", messages=HELLO)
            assert refused.value.code == "invalid_api_key"
        async with server.client(key=KEY) as client:
            assert (await client.chat.completions.create(model="llmasos", messages=HELLO)).choices
        assert status(await server.raw(post(b"{}"))) == 401
        assert (
            status(await server.raw(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")) == 401
        )
        assert status(await server.raw(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")) == 200
        assert not any(KEY in seen for seen in server.engines.speaker.requests)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8317", "127.0.0.1.evil.example", "", "0.0.0.0"])
async def test_another_name_is_refused(server: Running, host: str) -> None:
    back = await server.raw(post(b"{}", host=host))
    assert status(back) == 403 and error(back)["code"] == "wrong_host"


@pytest.mark.parametrize("host", ["localhost:8317", "127.0.0.1:1", "[::1]:8317", "LOCALHOST"])
async def test_own_names_are_known(server: Running, host: str) -> None:
    assert status(await server.raw(post(b"{}", host=host))) == 400  # let in: the body has no model


async def test_what_a_page_could_send_without_asking_is_refused(server: Running) -> None:
    body = json.dumps({"model": "llmasos", "messages": HELLO}).encode()
    back = await server.raw(post(body, "Content-Type: text/plain", "Origin: https://evil.example"))
    assert status(back) == 415
    back = await server.raw(post(body, "Origin: https://evil.example"))
    assert b"access-control" not in back.lower()
    head = b"OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    back = await server.raw(head)
    assert status(back) == 405 and b"allow: POST" in back and b"access-control" not in back.lower()


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"model": "\\ud800"}', b"[" * 100_000, b'{"model": 1e999}', b'{"a":' * 5_000],
)  # fmt: skip
async def test_garbage_for_a_body(server: Running, body: bytes) -> None:
    back = await server.raw(post(body))
    assert status(back) == 400 and error(back)["type"] == "invalid_request_error"
    assert b"Traceback" not in back


@pytest.mark.parametrize(
    "data",
    [b"\0" * 100 + b"\r\n\r\n", b"HELLO\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00" * 40 + b"\r\n\r\n",
     b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n"],
)  # fmt: skip
async def test_what_is_no_http(server: Running, data: bytes) -> None:
    back = await server.raw(data)
    assert back == b"" or 400 <= status(back) < 500


async def test_a_huge_head(server: Running) -> None:
    back = await server.raw(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000)
    assert status(back) in (400, 431)


async def test_a_huge_body_by_its_length_and_by_its_pieces(server: Running) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    back = await server.raw(head + b"Content-Length: 99999999\r\n\r\n" + b"x" * 200_000)
    assert status(back) == 413 and error(back)["code"] == "body_too_large"
    piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    back = await server.raw(head + b"Transfer-Encoding: chunked\r\n\r\n" + piece * 80)
    assert status(back) == 413


async def test_paths_and_methods(server: Running) -> None:
    back = await server.raw(post(b"{}", path="/v1/images"))
    assert status(back) == 404 and error(back)["code"] == "not_found"
    back = await server.raw(post(b"{}", path="/v1/models"))
    assert status(back) == 405 and b"allow: GET" in back


async def test_a_connection_serves_one_request_after_another(server: Running) -> None:
    get = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
    back = await server.raw(get + b"\r\n" + get + b"\r\n" + get + b"Connection: close\r\n\r\n")
    assert back.count(b"HTTP/1.1 200") == 3


async def test_who_waits_for_100_is_told_to_go_on(server: Running) -> None:
    back = await server.raw(post(b"{}", "Expect: 100-continue"))
    assert status(back) == 400  # the body came along


async def test_a_slow_head_and_a_slow_body_end(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "HEAD_SECONDS", 0.05)
    monkeypatch.setattr(wire, "BODY_SECONDS", 0.05)
    assert await server.raw(b"GET /health HT") == b""
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    assert status(await server.raw(head + b"Content-Length: 10\r\n\r\n{")) == 408


async def test_who_does_not_read_is_left(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(wire, "WRITE_SECONDS", 0.05)
    async with scripted(home, ["on and " * 5_000], policy="developer") as server:
        processes = server.machine.kernel.processes
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", server.port))
        wanted = {"model": "llmasos", "messages": HELLO, "stream": True, "max_tokens": 60_000}
        await loop.sock_sendall(client, post(json.dumps(wanted).encode()))
        while not [p for p in processes if p.name == "chat"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        while [p for p in processes if p.name == "chat"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        client.close()
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_reset_leaves_nothing_behind(home: Path) -> None:
    async with scripted(home, ["on and " * 5_000], policy="developer") as server:
        processes = server.machine.kernel.processes
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(
            post(json.dumps({"model": "llmasos", "messages": HELLO, "stream": True, "max_tokens": 60_000}).encode())
        )
        await reader.readuntil(b"content")
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        while [p for p in processes if p.name == "chat"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert server.engines.speaker.stats()["sequences"] == 0


async def test_a_busy_model_says_when_to_come_again(home: Path) -> None:
    async with scripted(home, ["on and " * 200], policy="developer") as server:
        admission = server.machine.speaker._admission
        admission._places, admission._queue = 1, 1
        async with server.client() as client:

            async def one(number: int) -> str:
                said: Any = [{"role": "user", "content": f"Number {number}"}]
                try:
                    await client.chat.completions.create(model="llmasos", messages=said)
                except openai.RateLimitError as refused:
                    assert refused.type == "rate_limit_error"
                    return str(refused.response.headers["retry-after"])
                return "done"

            assert sorted(await asyncio.gather(*map(one, range(4)))) == ["2", "2", "done", "done"]


async def test_more_clients_than_there_is_room_for(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmasos.server.run.CONNECTIONS", 1)
    get = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(get)
    assert await reader.readuntil(b"}")
    async with asyncio.timeout(20):  # who is let in keeps the connection, and would wait here for long
        back = await server.raw(get)
    assert status(back) == 429 and b"retry-after" in back and b"connection: close" in back
    writer.close()


async def test_llmasos_log_shows_requests_and_fetches_and_nothing_that_was_said(
    server: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    async with server.client() as client:
        await client.chat.completions.create(model="llmasos", messages=HELLO)

    async def page(target: Target, addresses: Sequence[str], asked: Fetch) -> Fetched:
        return Fetched(str(target), 200, {}, b"here")

    async def found(host: str, port: int) -> Sequence[str]:
        return ["93.184.215.14"]

    fetches = Broker(resolve=found, ask=page)
    await fetches.fetch("plugin:weather", Fetch("https://example.org/xyzzy?q=xyzzy"), [Host.parse("example.org")])
    assert await asyncio.to_thread(show_log, server.machine.settings) == 0
    shown = capsys.readouterr().out
    assert re.search(r"INFO llmasos\.server\.api POST /v1/chat/completions: 200, [\d.]+ s$", shown, re.MULTILINE)
    assert "INFO llmasos.core.kernel.network.broker net.fetch plugin:weather GET https://example.org: 200" in shown
    assert "xyzzy" not in shown and "red in autumn" not in shown and HELLO[-1]["content"] not in shown


async def test_nothing_of_a_prompt_is_logged(
    server: Running, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG, "llmasos")
    caplog.set_level(logging.DEBUG, "asyncio")
    async with server.client() as client:
        await client.chat.completions.create(model="llmasos", messages=HELLO)
        await server.raw(post(b'{"model": "xyzzy", "messages": "xyzzy"}'))
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("xyzzy")

        def broken(*_: object, **__: object) -> Any:
            raise KeyError("xyzzy")

        monkeypatch.setattr("llmasos.server.asking.chat", broken)
        with pytest.raises(openai.InternalServerError) as failed:
            await client.chat.completions.create(model="llmasos", messages=HELLO)
    assert "xyzzy" not in str(failed.value)
    ours = [record for record in caplog.records if record.name.startswith(("llmasos", "asyncio"))]
    assert any("/v1/chat/completions: 200" in record.getMessage() for record in ours)
    assert any("GET /v1/models/...: 404" in record.getMessage() for record in ours)
    assert not any("xyzzy" in record.getMessage() or record.exc_info for record in ours)


def test_where_others_can_reach_it_a_key_is_needed() -> None:
    with pytest.raises(UsageError, match="--key-file"):
        listen("0.0.0.0", 0, "")
    listening, stays = listen("0.0.0.0", 0, KEY)
    listening.close()
    assert not stays and not names_for("0.0.0.0", stays=stays)


def test_a_taken_port_and_no_host() -> None:
    listening, stays = listen("localhost", 0, "")
    with listening:
        assert stays
        with pytest.raises(LlmasosError, match="another --port") as taken:
            listen("127.0.0.1", listening.getsockname()[1], "")
        assert taken.value.exit_code == 1
    with pytest.raises(UsageError):
        listen("no such host", 1, "")
    with pytest.raises(UsageError):
        listen("127.0.0.1", 70_000, "")


def test_keys_are_read_from_private_files(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    file.chmod(0o600)
    assert read_key(file) == KEY
    file.chmod(0o644)
    with pytest.raises(ModelError, match="chmod 600"):
        read_key(file)
    file.chmod(0o600)
    file.write_text("short")
    with pytest.raises(UsageError, match="16 characters"):
        read_key(file)
    with pytest.raises(ModelError, match="--key-file"):
        read_key(tmp_path / "none")


def test_names_in_host_headers() -> None:
    assert [name_of(h) for h in ("a:1", "[::1]:80", "A.b.", "")] == ["a", "::1", "a.b", ""]
