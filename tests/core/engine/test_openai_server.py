"""A server in every way that it can behave: what is heard, what is asked again, and what a person reads of the rest."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from llmasos.core.base.errors import CutOff, EngineError
from llmasos.core.engine.base import Sampling
from llmasos.core.engine.openai.address import Address
from llmasos.core.engine.openai.key import Key
from llmasos.core.engine.openai.patience import Ended, Limits, Patience
from llmasos.core.engine.openai.protocol import Delta, Spent
from llmasos.core.engine.openai.server import Server
from tests.openai_server import Play, ScriptedServer, Wire, answers, says, sends, served, streams

LIMITS = Limits(connect=5, first=5, between=5, rest=0.05, retrying=2, pauses=(0.001,))
HASTY = replace(LIMITS, first=0.05, between=0.05)
KEY = Key("sk-very-secret", "LLMASOS_OPENAI_KEY")
HELLO = [{"role": "user", "content": "Hello!"}]
SAMPLING = Sampling(max_tokens=40, seed=3)
BUSY = answers(503, {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}})


def chunk(text: str, finish: str | None = None, **more: Any) -> str:
    return f"data: {json.dumps({'choices': [{'delta': {'content': text}, 'finish_reason': finish}], **more})}\n\n"


async def heard(
    server: ScriptedServer,
    *,
    limits: Limits = LIMITS,
    key: Key = KEY,
    stop: Sequence[str] = (),
    into: list[str] | None = None,
) -> list[Delta]:
    deltas = []
    async for delta in Server(server.address, key, limits=limits).stream(HELLO, SAMPLING, stop, Patience()):
        deltas.append(delta)
        if into is not None:
            into.append(delta.text)
    return deltas


async def error(*plays: Play, limits: Limits = LIMITS, key: Key = KEY, **options: Any) -> EngineError:
    async with served(*plays, **options) as server:
        with pytest.raises(EngineError) as caught:
            await heard(server, limits=limits, key=key)
    assert not isinstance(caught.value, CutOff)
    assert "sk-very-secret" not in str(caught.value)
    assert caught.value.remedy
    return caught.value


async def test_pieces_come_in_order_and_the_last_one_ends_it() -> None:
    async with served(says("One", ", ", "two", ".", usage={"prompt_tokens": 9, "completion_tokens": 4})) as server:
        deltas = await heard(server)
    assert [delta.text for delta in deltas] == ["One", ", ", "two", ".", ""]
    assert [delta.done for delta in deltas] == ["", "", "", "", "stop"]
    assert deltas[-1].spent == Spent(9, 0, 4)


async def test_each_piece_is_heard_when_it_comes() -> None:
    go_on = asyncio.Event()

    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.token("first")
        await go_on.wait()
        await wire.token("second")
        await wire.finish()

    async with served(play) as server:
        stream = Server(server.address, KEY, limits=LIMITS).stream(HELLO, SAMPLING, (), Patience())
        assert (await anext(stream)).text == "first"
        go_on.set()
        assert [delta.text async for delta in stream] == ["second", ""]


async def test_what_is_asked() -> None:
    async with served() as server:
        await heard(server, stop=["\nUser:", "b", "c", "d", "e"])
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.headers["authorization"] == "Bearer sk-very-secret"
    assert request.headers["host"] == f"127.0.0.1:{server.port}"
    assert request.body == {
        "model": "tiny", "messages": HELLO, "stream": True, "stream_options": {"include_usage": True}, "max_tokens": 40,
        "temperature": 0.7, "top_p": 0.95, "seed": 3, "stop": ["\nUser:", "b", "c", "d"],
        "chat_template_kwargs": {"enable_thinking": False},
    }  # fmt: skip


async def test_without_a_key_none_is_sent() -> None:
    async with served() as server:
        await heard(server, key=Key())
    assert "authorization" not in server.requests[0].headers


async def test_a_whole_answer_serves_where_a_server_does_not_stream() -> None:
    whole = {"choices": [{"message": {"role": "assistant", "content": "All at once."}, "finish_reason": "length"}]}
    async with served(answers(200, whole)) as server:
        deltas = await heard(server)
    assert ("".join(delta.text for delta in deltas), deltas[-1].done) == ("All at once.", "length")


@pytest.mark.parametrize(
    "stream",
    [
        [chunk("Hel"), chunk("lo"), chunk("", "stop"), "data: [DONE]\n\n"],
        [": a comment\n\nevent: message\nid: 7\n", chunk("Hel"), "retry: 10\n\n", chunk("lo", "stop")],
        ["data:" + chunk("Hello")[6:].replace("\n\n", "\r\n\r\n"), "data: [DONE]\r\n\r\n"],
        ["\r".join((chunk("Hello").strip(), "", chunk("", "stop").strip(), "", "data: [DONE]", "", ""))],
        [chunk("Hello", "stop").strip()],
        ['data: {"choices": [{"delta": {"content":\ndata: "Hello"}, "finish_reason": "stop"}]}\n\n'],
    ],
    ids=["plain", "extras", "crlf", "cr", "no-end", "two-lines"],
)
async def test_forms_of_a_stream(stream: list[str]) -> None:
    async with served(streams(*stream)) as server:
        deltas = await heard(server)
    assert "".join(delta.text for delta in deltas) == "Hello"
    assert deltas[-1].done == "stop"


async def test_a_bill_that_never_comes_is_not_waited_for() -> None:
    async with served(streams(chunk("Fine."), chunk("", "stop"), hangs=True)) as server:
        assert [delta.text for delta in await heard(server)] == ["Fine.", ""]


# What is asked again.


async def test_busy_is_asked_again() -> None:
    refusal = answers(429, {"error": {"message": "Too many requests"}})
    async with served(refusal, BUSY, refusal, says("Now.")) as server:
        assert (await heard(server))[0].text == "Now."
    assert len(server.requests) == 4


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_the_server_says_how_long_to_wait(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    later = "90" if form == "seconds" else format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    waited: list[float] = []

    async def pause(_: Patience, seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("llmasos.core.engine.openai.server._pause", pause)
    async with served(answers(429, "", retry_after=later), says("Now.")) as server:
        await heard(server, limits=replace(LIMITS, retrying=100))
    assert 30 < waited[0] <= 90


async def test_a_wait_that_is_too_long_is_told_at_once() -> None:
    told = await error(answers(429, {"error": {"message": "Slow down."}}, retry_after="3600"))
    assert "has had enough of requests for now (429): Slow down." in told.what
    assert told.remedy == "Try again in 3,600 seconds."


@pytest.mark.parametrize("said", ["-1", "soon", "nan", "1e9", "", "Wed, 99 Foo 2026"])
async def test_nonsense_about_waiting_is_ignored(said: str) -> None:
    async with served(answers(503, "", retry_after=said), says("Now.")) as server:
        assert (await heard(server))[0].text == "Now."


async def test_always_busy_is_told() -> None:
    async with served(BUSY) as server:
        with pytest.raises(EngineError, match=r"is busy or still loads its model \(503\): Loading model"):
            await heard(server, limits=replace(LIMITS, retrying=0.01))
    assert len(server.requests) > 2


async def test_no_waiting_pays_a_bill() -> None:
    unpaid = answers(429, {"error": {"message": "You exceeded your quota.", "code": "insufficient_quota"}})
    async with served(unpaid) as server:
        with pytest.raises(EngineError, match="You exceeded your quota"):
            await heard(server)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 500, 502, 504])
async def test_other_refusals_are_not_asked_again(status: int) -> None:
    async with served(answers(status, {"error": {"message": "No."}})) as server:
        with pytest.raises(EngineError, match=str(status)):
            # What the server may not know has been left out already.
            client = Server(server.address, KEY, limits=LIMITS)
            client._without.add("chat_template_kwargs")
            async for _ in client.stream(HELLO, SAMPLING, (), Patience()):
                pass
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("field", "complaint"),
    [
        (
            "max_tokens",
            {"error": {"message": "Unsupported parameter: use 'max_completion_tokens'.", "param": "max_tokens"}},
        ),
        ("seed", {"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}),
        ("stream_options", {"message": "property 'stream_options' is unsupported"}),
        ("temperature", {"error": "Only the default temperature is supported."}),
        ("chat_template_kwargs", {"error": {"message": "The body isn't what it should be."}}),
    ],
)
async def test_what_a_server_does_not_know_is_left_out_from_then_on(field: str, complaint: Any) -> None:
    async def play(wire: Wire) -> None:
        knows = field not in wire.request.body
        await (says("Fine.") if knows else answers(400, complaint))(wire)

    async with served(play) as server:
        client = Server(server.address, KEY, limits=LIMITS)
        for _ in range(2):
            assert [d.text async for d in client.stream(HELLO, SAMPLING, (), Patience())] == ["Fine.", ""]
    assert [field in request.body for request in server.requests] == [True, False, False]
    assert (server.requests[-1].body.get("max_completion_tokens") == 40) is (field == "max_tokens")


async def test_two_may_learn_the_same_at_once() -> None:
    both = asyncio.Event()

    async def play(wire: Wire) -> None:
        if "seed" in wire.request.body:
            if len(server.requests) == 2:
                both.set()
            await both.wait()
            await answers(400, {"error": "There is no seed."})(wire)
        else:
            await says("Fine.")(wire)

    async with served(play) as server:
        client = Server(server.address, KEY, limits=LIMITS)

        async def said() -> str:
            return "".join([delta.text async for delta in client.stream(HELLO, SAMPLING, (), Patience())])

        assert await asyncio.gather(said(), said()) == ["Fine.", "Fine."]
    assert len(server.requests) == 4


# What fails before a word was heard.


async def test_nobody_there() -> None:
    async with served() as server:
        pass
    with pytest.raises(EngineError, match=r"127\.0\.0\.1:\d+ can't be reached: connection refused\."):
        await heard(server)


async def test_no_such_host(monkeypatch: pytest.MonkeyPatch) -> None:
    async def look_up(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    address = Address.parse("openai:https://nowhere.invalid/v1/tiny")
    with pytest.raises(EngineError, match=r"nowhere\.invalid can't be reached: there is no host of that name"):
        await Server(address, KEY, limits=LIMITS).models()


async def test_the_key_is_refused_in_our_words() -> None:
    told = await error(answers(401, {"error": {"message": "Incorrect API key provided: sk-very-se**et"}}))
    assert "doesn't take the key from LLMASOS_OPENAI_KEY (401)" in told.what
    assert "sk-very" not in str(told)
    told = await error(answers(403, ""), key=Key())
    assert "wants a key" in told.what and "LLMASOS_OPENAI_KEY" in told.remedy


async def test_a_server_that_repeats_the_key_does_not_get_it_shown() -> None:
    told = await error(answers(500, {"error": {"message": "Crashed on Bearer sk-very-secret of Ada"}}))
    assert "Crashed on Bearer … of Ada" in told.what
    await error(streams('data: {"error": {"message": "sk-very-secret"}}\n\n'))


async def test_no_such_model() -> None:
    missing = answers(404, {"error": {"message": "model 'tiny' not found"}})
    told = await error(missing, models=[f"m{number}" for number in range(11)])
    assert "has no model tiny (404): model 'tiny' not found." in told.what
    assert told.remedy == "It has: m0, m1, m2, m3, m4, m5, m6, m7, and 3 more."
    assert "Check the URL" in (await error(missing, models=None)).remedy


async def test_a_redirect_is_not_followed() -> None:
    async with served(says("Stolen.")) as other:
        place = f"http://127.0.0.1:{other.port}/v1/chat/completions"
        told = await error(answers(307, "", location=place))
    assert "sends us on to http://127.0.0.1" in told.what
    assert other.requests == []


@pytest.mark.parametrize(
    ("play", "why"),
    [
        (sends(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"), "sent what isn't HTTP"),
        (sends(b"\x15\x03\x01\x00\x02\x02\x46"), "sent what isn't HTTP"),
        (sends(), "closed the connection"),
        (sends(b"HTTP/1.1 200 OK\r\nContent-Le"), "closed the connection"),
        (sends(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000), "sent what isn't HTTP"),
        (answers(200, "<html>Welcome to my router</html>", kind="text/html"), "sent a web page"),
        (answers(200, "Fine."), "sent what isn't JSON"),
        (answers(200, {"hello": "there"}), "sent no choices"),
        (answers(200, "[" * 200_000), "OpenAI's protocol"),
        (answers(200, b"x" * (5 << 20)), "sent more than 4,194,304 bytes"),
        (streams("data: {broken\n\n"), "sent what isn't JSON"),
        (streams('data: {"choices": [{"delta": {"content": 7}}]}\n\n'), "content of another form"),
        (streams('data: {"choices": ["text"]}\n\n'), "a choice of another form"),
        (streams("data: 7\n\n"), "sent no object"),
        (streams("just some text\n\n"), "ended before its answer did"),
        (streams(), "ended before its answer did"),
        (streams("data: " + "x" * (1 << 20) + "x"), "an event of more than 1,048,576 bytes"),
        (streams("data: x\n" * 300_000), "an event of more than 1,048,576 bytes"),
        (streams('data: {"error": {"message": "CUDA out of memory"}}\n\n'), "failed: CUDA out of memory"),
        (streams('data: {"object": "error", "message": "no"}\n\n'), "failed: no"),
        (says("", reason="content_filter"), "was stopped by its filter"),
    ],
)  # fmt: skip
async def test_garbage(play: Play, why: str) -> None:
    told = await error(play)
    assert "gave no answer" in told.what
    assert why in told.what


@pytest.mark.parametrize(
    "play",
    [
        sends(hangs=True),
        streams(hangs=True),
        streams(*[": still thinking\n\n"] * 3, hangs=True),
        streams(chunk(""), chunk(""), hangs=True),
    ],
    ids=["no-answer", "no-token", "pings", "empty"],
)
async def test_slow(play: Play) -> None:
    assert "it said nothing for 0.05 seconds" in (await error(play, limits=HASTY)).what


async def test_pings_for_ever_are_no_words() -> None:
    async def play(wire: Wire) -> None:
        await wire.head()
        while True:
            await wire.send(b": ping\n\n")
            await asyncio.sleep(0.005)

    assert "said nothing" in (await error(play, limits=HASTY)).what


async def test_a_model_that_only_thinks() -> None:
    async def play(wire: Wire) -> None:
        await wire.head()
        await wire.token("", reasoning_content="Hm.")
        await wire.token("", reasoning="Hm, hm.")
        await wire.finish("length")

    told = await error(play)
    assert "only thought, and said nothing in 40 tokens" in told.what


async def test_words_of_a_server_cannot_steer_a_terminal() -> None:
    told = await error(answers(400, {"error": {"message": "a\x1b[2J\u202eb\nc" + "x" * 9_000}}))
    assert all(c.isprintable() for c in told.what)
    assert len(told.what) < 500


# What fails in the middle.


@pytest.mark.parametrize(
    ("play", "why"),
    [
        (streams(chunk("One."), chunk(" Two")), "ended before its answer did"),
        (streams(chunk("One."), chunk(" Two"), "data: {bro"), "sent what isn't JSON"),
        (streams(chunk("One."), chunk(" Two"), 'data: {"error": "gone"}\n\n'), "failed: gone"),
        (streams(chunk("One."), chunk(" Two", "content_filter"), "data: [DONE]\n\n"), "stopped by its filter"),
        (streams(chunk("One."), chunk(" Two"), hangs=True), "said nothing for 0.05 seconds"),
        (
            sends(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n",
                *(f"{len(said):x}\r\n{said}\r\n".encode() for said in (chunk("One."), chunk(" Two"))),
            ),
            "closed the connection",
        ),
    ],
    ids=["ends", "garbage", "error", "filter", "slow", "chunked"],
)  # fmt: skip
async def test_cut_off_keeps_what_came(play: Play, why: str) -> None:
    said: list[str] = []
    async with served(play) as server:
        with pytest.raises(CutOff) as caught:
            await heard(server, limits=replace(HASTY, first=5), into=said)
    assert said == ["One.", " Two"]
    assert "broke off in the middle" in caught.value.what
    assert why in caught.value.what
    assert len(server.requests) == 1, "nothing is asked again after a word was heard"


async def test_an_answer_without_end_is_ended() -> None:
    async def play(wire: Wire) -> None:
        await wire.head()
        while True:
            await wire.token("and so on ")

    async with served(play) as server:
        deltas = await heard(server)
        assert deltas[-1].done == "length"
        assert len(deltas) < 100
        await asyncio.wait_for(server.until(lambda: not server.open), 5)  # it finds the connection closed


async def test_who_is_not_wanted_any_more_closes_the_connection() -> None:
    for play in (sends(hangs=True), streams(chunk("One."), hangs=True), answers(429, "", retry_after="20")):
        async with served(play) as server:
            patience = Patience()
            client = Server(server.address, KEY, limits=replace(LIMITS, retrying=30))

            async def listen(client: Server = client, patience: Patience = patience) -> None:
                async for _ in client.stream(HELLO, SAMPLING, (), patience):
                    pass

            task = asyncio.create_task(listen())
            await server.until(lambda: server.wires)
            patience.end()
            with pytest.raises(Ended):
                await asyncio.wait_for(task, 5)


async def test_who_stops_listening_closes_the_connection() -> None:
    async with served(streams(chunk("One."), hangs=True)) as server:
        stream = Server(server.address, KEY, limits=LIMITS).stream(HELLO, SAMPLING, (), Patience())
        assert (await anext(stream)).text == "One."
        await stream.aclose()
        await asyncio.wait_for(server.wires[0].gone.wait(), 5)


async def test_how_long_whoever_listens_takes_does_not_count() -> None:
    async with served(says("One.", " Two.")) as server:
        said = ""
        async for delta in Server(server.address, KEY, limits=HASTY).stream(HELLO, SAMPLING, (), Patience()):
            await asyncio.sleep(0.1)
            said += delta.text
    assert said == "One. Two."


# Unencrypted words.


async def test_words_do_not_go_unencrypted_through_the_internet(monkeypatch: pytest.MonkeyPatch) -> None:
    async def look_up(*_: Any, **__: Any) -> list[Any]:
        return [(2, 1, 6, "", ("203.0.113.7", 80))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    address = Address.parse("openai:http://models.example.org/v1/tiny")
    with pytest.raises(EngineError, match=r"which is 203\.0\.113\.7, isn't in a private network.*Nothing was sent"):
        await Server(address, KEY, limits=LIMITS).models()


async def test_a_name_that_leads_home_may_be_plain_and_the_setting_allows_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with served() as server:
        loop = asyncio.get_running_loop()

        async def look_up(host: str, port: int, **__: Any) -> list[Any]:
            return [(2, 1, 6, "", ("127.0.0.1", server.port))]

        monkeypatch.setattr(loop, "getaddrinfo", look_up)
        address = Address.parse(f"openai:http://nas.lan:{server.port}/v1/tiny")
        assert await Server(address, KEY, limits=LIMITS).models() == ["tiny"]
        monkeypatch.setattr("llmasos.core.engine.openai.exchange.is_private", lambda _: False)
        with pytest.raises(EngineError, match="unencrypted"):
            await Server(address, KEY, limits=LIMITS).models()
        assert await Server(address, KEY, limits=LIMITS, plainly=True).models() == ["tiny"]
