"""The kernel's end of a child's channel: whole lines, however they come, and an end to what is waited for or kept."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from llmasos.core.kernel.sandbox.lines import Lines

LIMIT = 1000


@pytest.fixture
async def channel() -> AsyncIterator[tuple[Lines, socket.socket]]:
    ours, theirs = socket.socketpair()
    _, lines = await asyncio.get_running_loop().create_unix_connection(lambda: Lines(LIMIT), sock=ours)
    with theirs:
        theirs.setblocking(False)
        yield lines, theirs
    lines.abort()
    await lines.closed


Channel = tuple[Lines, socket.socket]


async def test_a_line_in_pieces_and_two_at_once(channel: Channel) -> None:
    lines, theirs = channel
    waiting = asyncio.create_task(lines.line(10))
    for piece in (b"on", b"e", b"\ntwo\nth", b"ree\n"):
        theirs.send(piece)
        await asyncio.sleep(0)
    assert await waiting == b"one\n"
    assert [await lines.line(10), await lines.line(10)] == [b"two\n", b"three\n"]
    lines.write(b"back\n")
    assert theirs.recv(100) == b"back\n"


async def test_the_end(channel: Channel) -> None:
    lines, theirs = channel
    theirs.send(b"last\nhalf")
    theirs.close()
    assert await lines.line(10) == b"last\n"
    with pytest.raises(EOFError):
        await lines.line(10)
    assert lines.ended
    await lines.closed


async def test_it_is_not_waited_for_longer(channel: Channel) -> None:
    lines, theirs = channel
    theirs.send(b"half")
    with pytest.raises(TimeoutError):
        await lines.line(0.01)
    theirs.send(b" and half\n")
    assert await lines.line(10) == b"half and half\n"


@pytest.mark.parametrize("sent", [b"x" * (LIMIT - 1) + b"\n", b"x" * LIMIT + b"\n", b"x" * 100_000])
async def test_a_line_has_a_limit(channel: Channel, sent: bytes) -> None:
    lines, theirs = channel
    theirs.send(sent)
    if len(sent) <= LIMIT:
        assert await lines.line(10) == sent
        return
    with pytest.raises(OverflowError):
        await lines.line(10)


async def test_what_nobody_waits_for_does_not_fill_the_memory(channel: Channel) -> None:
    lines, theirs = channel
    theirs.send(b"x" * 150_000)
    for _ in range(20):
        await asyncio.sleep(0.001)
        try:
            theirs.send(b"y" * 150_000)
        except BlockingIOError:
            break
    else:
        raise AssertionError("all of it was read")
    assert len(lines._got) < 600_000


async def test_who_is_cancelled_leaves_no_timer(channel: Channel) -> None:
    lines, theirs = channel
    waiting = asyncio.create_task(lines.line(0.02))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    again = asyncio.create_task(lines.line(10))
    await asyncio.sleep(0.05)
    assert not again.done()
    theirs.send(b"x\n")
    assert await again == b"x\n"
