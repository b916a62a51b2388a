"""`llmasos serve` as another program, with the real model, and under llmasos itself."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest

from llmasos.compose import Machine, compose
from llmasos.core.base.settings import Settings
from llmasos.core.engine.base import Engine
from llmasos.core.engine.openai.engine import OpenAIEngine
from llmasos.core.engine.openai.server import Server
from llmasos.core.engine.sources import ScriptedEngines
from tests.seat import Person, reader
from tests.server.conftest import free_port, running, scripted

QUESTION: Any = [
    {"role": "system", "content": "You are a helpful assistant. Give short, plain answers."},
    {"role": "user", "content": "What is the capital of France?"},
]


@contextmanager
def serve(home: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The program, and its base URL."""
    command = [sys.executable, "-m", "llmasos", "serve", "--port", "0", "--home", str(home), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        try:
            assert program.stdout
            line = program.stdout.readline()
            found = re.search(r"http://\S+/v1", line)
            assert found, line + (program.stderr.read() if program.stderr and program.poll() is not None else "")
            yield program, found[0]
        finally:
            program.kill()


def heard(stream: Iterator[Any]) -> Iterator[Any]:
    """What comes of a stream that is cut; which package's error says so depends on where."""
    with contextlib.suppress(Exception):
        yield from stream


def test_a_program_of_its_own_ends_cleanly_in_the_middle_of_a_reply(home: Path) -> None:
    with serve(home, "--seed", "1") as (program, url):
        with openai.OpenAI(base_url=url, api_key="any", max_retries=0) as client:
            said = client.chat.completions.create(model="llmasos", messages=QUESTION, temperature=0, max_tokens=20)
            assert "Paris" in (said.choices[0].message.content or "")
            # Another program of the same home joins the kernel, and sees the conversation.
            ps = [sys.executable, "-m", "llmasos", "ps", "--home", str(home), "--json"]
            seen = json.loads(subprocess.run(ps, capture_output=True, text=True, check=True).stdout)
            assert '"chat"' in json.dumps(seen)
            long: Any = [{"role": "user", "content": "Tell me a very long story."}]
            stream = client.chat.completions.create(model="llmasos", messages=long, stream=True, max_tokens=1500)
            next(iter(stream))
            program.send_signal(signal.SIGTERM)
            assert all(chunk.choices[0].finish_reason is None for chunk in heard(stream))
        assert program.wait(60) == 0
        assert program.stderr and "Traceback" not in program.stderr.read()


def test_what_cannot_start_says_why(home: Path, tmp_path: Path) -> None:
    def ran(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "llmasos", "serve", "--home", str(home), *options]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    open_to_all = ran("--host", "0.0.0.0", "--port", str(free_port()))
    assert open_to_all.returncode == 2 and "--key-file" in open_to_all.stderr
    no_key = ran("--key-file", str(tmp_path / "none"))
    assert no_key.returncode == 1 and "can't be read" in no_key.stderr
    assert not home.exists()  # nothing was begun


def test_the_real_model_over_http(real_machine: Machine, real_runner: asyncio.Runner) -> None:
    async def asks() -> None:
        async with running(real_machine, ScriptedEngines()) as server, server.client() as client:
            turn = QUESTION
            plain: Any = {"model": "llmasos", "temperature": 0, "max_tokens": 24}
            whole = await client.chat.completions.create(messages=turn, **plain)
            text = whole.choices[0].message.content or ""
            assert "Paris" in text
            stream = await client.chat.completions.create(messages=turn, stream=True, **plain)
            pieces = [c.choices[0].delta.content or "" async for c in stream if c.choices]
            assert "".join(pieces) == text
            more: Any = [*turn, {"role": "assistant", "content": text}, {"role": "user", "content": "And of Italy?"}]
            second = await client.chat.completions.create(messages=more, **plain)
            usage = second.usage
            assert usage and usage.prompt_tokens_details
            # All that was read for the first answer is there; that answer and the new question are computed.
            assert whole.usage
            assert (usage.prompt_tokens_details.cached_tokens or 0) >= whole.usage.prompt_tokens - 4
            process = next(p for p in real_machine.kernel.processes if p.name == "chat" and p.sequence)
            assert await real_machine.speaker._pager.put_out(process) and process.swapped_bytes
            said: Any = {"role": "assistant", "content": second.choices[0].message.content}
            last: Any = [*more, said, {"role": "user", "content": "And of Spain?"}]
            third = (await client.chat.completions.create(messages=last, **plain)).usage
            assert third and third.prompt_tokens_details and process.page_ins == 1
            assert (third.prompt_tokens_details.cached_tokens or 0) >= usage.prompt_tokens - 4
            form: Any = {"type": "json_object"}
            json_reply = await client.chat.completions.create(
                model="llmasos", messages=QUESTION, response_format=form, temperature=0, max_tokens=60
            )
            if json_reply.choices[0].finish_reason == "stop":
                assert isinstance(json.loads(json_reply.choices[0].message.content or ""), dict)
            assert (json_reply.choices[0].message.content or "").startswith("{")

    real_runner.run(asks())


async def test_the_client_in_the_pages(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "serve.md").read_text()
    code = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0]
    async with scripted(home, ["Less light, less green."]) as server:
        there = code.replace("http://127.0.0.1:8317/v1", server.url)
        assert there != code
        await asyncio.to_thread(exec, there, {})
    assert "Less light, less green." in capsys.readouterr().out


async def test_llmasos_over_llmasos(home: Path, tmp_path: Path, workspace: Path) -> None:
    """The engine for servers is tested against the server: a person's sentence is answered by a kernel elsewhere."""
    async with scripted(home, ["Leaves lose their green in autumn."]) as server:
        asked = "why do leaves turn red in autumn"

        class Elsewhere(ScriptedEngines):
            async def speech(self) -> Engine:
                return OpenAIEngine(Server.of(settings))

        settings = Settings(home=tmp_path / "second", owner="bob", seed=1, model=f"openai:{server.url}/llmasos")
        script = reader({asked: [("assistant.answer", {"question": asked})]})
        second = await compose(settings, engines=Elsewhere(reads=script))
        try:
            person = Person()
            process, session = second.session(workspace, person)
            outcome = await second.requests.handle(process, session, asked)
            assert outcome.ok, outcome
            assert "Leaves lose their green in autumn." in outcome.results[-1].value["text"]
            assert asked in server.engines.speaker.requests[-1]
        finally:
            await second.close()
