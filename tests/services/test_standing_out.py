"""Memories that answer a question in other words: what stands out from what the question is usually near to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from talk_desk import Desk, open_desk

from llmasos.services.characters.knowing import knows
from llmasos.services.memory.retrieval import FAR, WIDTH, Index, Item


class Near:
    """An embedder for which every text has a cosine to each question, as it was told; alike in nothing else.

    Args:
        cosines: Of texts, by a word in them; the question has none.
        usual: Of all others.
    """

    name = "multilingual-e5-small-test"

    def __init__(self, cosines: Mapping[str, float], usual: float) -> None:
        self.cosines, self.usual = cosines, usual
        self._known: dict[str, int] = {}

    async def embed(self, texts, kind):  # type: ignore[no-untyped-def]
        rows = np.zeros((len(texts), WIDTH), np.float32)
        for row, text in zip(rows, texts, strict=True):
            near = 1.0 if kind == "query" else next((c for w, c in self.cosines.items() if w in text), self.usual)
            row[0], row[1 + self._known.setdefault(text, len(self._known))] = near, np.sqrt(1 - near**2)
        return rows


async def filled(embedder: Near, *texts: str, others: int = 40, chinese: bool = False) -> Index:
    index = Index(embedder)
    said = [f"第{n}天很安静。" if chinese else f"Day {n} was quiet." for n in range(others)]
    for number, text in enumerate((*said, *texts)):
        index.add(Item(str(number), text, number, vector=await index.embed(text)))
    return index


async def test_what_stands_out_is_found_by_who_judges_and_by_nobody_else() -> None:
    index = await filled(Near({"Antwerp": FAR - 0.01}, 0.70), "I live in Antwerp.")
    assert await index.search("Which city is home for me?") == []
    (hit,) = await index.search("Which city is home for me?", wide=True)
    assert hit.item.text == "I live in Antwerp."
    assert (hit.relevance, hit.meaning) == (0.0, 0.0)
    assert hit.above is not None and 0.05 < hit.above < 0.11
    assert knows("Which city is home for me?", hit)


async def test_a_question_that_is_near_to_everything_is_answered_by_nothing() -> None:
    index = await filled(Near({"Antwerp": 0.84}, 0.82), "I live in Antwerp.")
    hits = await index.search("What about me?", wide=True)
    assert hits[0].item.text == "I live in Antwerp.", "it is the nearest, and near"
    assert not any(knows("What about me?", hit) for hit in hits)


async def test_what_fits_comes_before_what_stands_out() -> None:
    index = await filled(
        Near({"Ghent": 0.80, "Antwerp": 0.82}, 0.70), "I live in Antwerp.", "Ghent is near.", "Mail me."
    )
    found = [hit.item.text for hit in await index.search("mail", 3, wide=True)]
    assert found == ["Mail me.", "I live in Antwerp.", "Ghent is near."]


async def test_what_is_usual_is_so_in_one_script() -> None:
    """Chinese texts lie nearer to a Chinese question than English ones; these must not make them stand out."""
    embedder = Near({"南京": 0.85, "第": 0.83}, 0.70)
    index = await filled(embedder, "我住在南京。", chinese=True)
    for number in range(100, 300):
        index.add(Item(str(number), f"Row {number}", number, vector=await index.embed(f"Row {number}")))
    (best, *_) = await index.search("我家在哪里？", wide=True)
    assert best.item.text == "我住在南京。" and not knows("我家在哪里？", best)


async def test_few_memories_say_little_of_what_is_usual() -> None:
    index = await filled(Near({"Antwerp": 0.86}, 0.70), "I live in Antwerp.", others=0)
    (hit,) = await index.search("Which city is home for me?", wide=True)
    assert knows("Which city is home for me?", hit), "alone it is all there is, and no less near"


async def test_loaded_it_is_the_same() -> None:
    built = await filled(Near({"南京": 0.86, "第": 0.80, "Antwerp": 0.8}, 0.70), "我住在南京。", "I live in Antwerp.")
    loaded = Index(Near({"南京": 0.86, "第": 0.80, "Antwerp": 0.8}, 0.70))
    assert loaded.load(memoryview(built.pack()))
    for question in ("Which city is home for me?", "我家在哪里？"):
        one, other = [await index.search(question, wide=True) for index in (built, loaded)]
        assert [(hit.item.id, hit.score, hit.above) for hit in one] == [
            (hit.item.id, hit.score, hit.above) for hit in other
        ]
    loaded.add(Item("x", "又一个", 99, vector=await loaded.embed("又一个")))
    assert len(await loaded.search("我家在哪里？", wide=True)) >= 1


async def test_without_vectors_words_alone_decide() -> None:
    index = Index()
    index.add(Item("1", "I live in Antwerp.", 1))
    (hit,) = await index.search("live Antwerp", wide=True)
    assert (hit.above, knows("live Antwerp", hit)) == (None, True)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path, name="smollm2", embedder=Near({"Antwerp": FAR - 0.0005}, 0.70)) as desk:
        yield desk


async def test_a_character_answers_a_question_in_other_words(desk: Desk) -> None:
    await desk.ok("character.create", name="Alice")
    for line in ("I live in Antwerp.", *(f"On day {n} it rained." for n in range(20))):
        await desk.ok("character.chat", name="Alice", message=line)
    answer = await desk.ok("character.chat", name="Alice", message="Which city did I call home?")
    assert answer["text"] == 'You told me: "I live in Antwerp."'
    # Said, and no question: nothing that merely stands out comes into the prompt.
    await desk.ok("character.chat", name="Alice", message="Cities are noisy.")
    assert "Antwerp" not in desk.engine.requests[-1].rpartition("user\n")[2]


async def test_what_may_not_be_found_changes_nothing() -> None:
    """Neither what others said nor what came later shifts a score, by words or by meaning."""
    embedder = Near({"boat": 0.85}, 0.70)
    index = await filled(embedder, "My boat is called Albatross.")
    last = index.newest
    before = await index.search("What is my boat?", where=lambda item: item.order <= last, wide=True)
    for number in range(last + 1, last + 30):
        text = f"The boat of number {number}."
        index.add(Item(str(number), text, number, vector=await index.embed(text)))
    after = await index.search("What is my boat?", where=lambda item: item.order <= last, wide=True)
    assert [(hit.item.id, hit.score, hit.above) for hit in before] == [(h.item.id, h.score, h.above) for h in after]


async def ranked(cosines: Mapping[str, float], between: int = 0, importance: float = 1.0) -> list[str]:
    """In which order a question finds an old text and one that was said so many texts later, and is worth so much."""
    index = Index(Near(cosines, 0.70))
    texts = ["The old one.", *["It was quiet."] * between, "The new one."]
    for number, text in enumerate(texts):
        worth = importance if text == "The new one." else 1.0
        index.add(Item(str(number), text, number, vector=await index.embed(text), importance=worth))
    return [hit.item.text for hit in await index.search("Which is it?", 2)]


async def test_what_is_newer_counts_more_but_not_for_ever() -> None:
    nearly = {"old": 0.852, "new": 0.850}
    assert await ranked(nearly) == ["The old one.", "The new one."], "side by side the nearer one is first"
    assert await ranked(nearly, between=100) == ["The new one.", "The old one."]
    # However old it is, it never loses more than a fifth.
    assert await ranked({"old": 0.90, "new": 0.83}, between=2_000) == ["The old one.", "The new one."]


async def test_what_is_worth_less_comes_later() -> None:
    nearer = {"old": 0.85, "new": 0.86}
    assert await ranked(nearer) == ["The new one.", "The old one."]
    assert await ranked(nearer, importance=0.4) == ["The old one.", "The new one."]
