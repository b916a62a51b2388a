"""memory.*: kept, found by words and meaning, the same after a restart, and erased for good."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from talk_desk import Desk, in_new_process, open_desk

from llmasos.services.memory.postings import Postings
from llmasos.services.memory.retrieval import Index, Item, pack, unpack
from llmasos.services.memory.words import terms

FACTS = (
    "my dog is called Rex",
    "I am allergic to peanuts",
    "the spare key is under the blue pot",
    "Bob's birthday is on 3 May",
    "我的车停在三楼",
)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as desk:
        yield desk


async def learn(desk: Desk) -> None:
    for fact in FACTS:
        await desk.ok("memory.remember", text=fact)


async def recalled(desk: Desk, query: str, as_: str = "") -> list[str]:
    return [row["ref"] for row in (await desk.ok("memory.recall", query=query, as_=as_))["items"]]


@pytest.mark.parametrize(
    ("query", "fact"),
    [
        ("dog", 0),
        ("what is my dog called", 0),
        ("peanut", 1),
        ("where is the key", 2),
        ("Bobs birthdays", 3),
        ("车停在哪里", 4),
        ("车", 4),
    ],
)
async def test_a_fact_is_found_by_its_words(desk: Desk, query: str, fact: int) -> None:
    await learn(desk)
    assert (await recalled(desk, query))[:1] == [FACTS[fact]]


@pytest.mark.parametrize("query", ["the capital of France", "quantum physics", "what is the", "量子物理"])
async def test_what_was_never_told_is_not_known(desk: Desk, query: str) -> None:
    await learn(desk)
    value = await desk.ok("memory.recall", query=query)
    assert value["items"] == []
    assert query in value["empty"]


async def test_it_says_when_it_was_said(desk: Desk) -> None:
    await desk.ok("memory.remember", text=FACTS[0])
    (row,) = (await desk.ok("memory.recall", query="dog"))["items"]
    assert row["said"] == "Sun 01 Mar 2026 12:01"


async def test_the_newer_of_two_equals_comes_first(desk: Desk) -> None:
    await desk.ok("memory.remember", text="the alarm code is 1111")
    await learn(desk)
    await desk.ok("memory.remember", text="the alarm code is 2222")
    assert await recalled(desk, "alarm code") == ["the alarm code is 2222", "the alarm code is 1111"]


async def test_an_old_fact_is_still_found_under_a_thousand(desk: Desk) -> None:
    await desk.ok("memory.remember", text=FACTS[2])
    index = desk.memory._index("ada")
    for number in range(1000):
        index.add(Item(f"n{number}", f"note {number} about ordinary things of the day", number + 10))
    assert (await recalled(desk, "where did I put the spare key"))[0] == FACTS[2]


async def test_the_same_fact_is_kept_once(desk: Desk) -> None:
    await desk.ok("memory.remember", text="My dog is called  Rex")
    await desk.ok("memory.remember", text=FACTS[0])
    assert len(await recalled(desk, "dog")) == 1


async def test_memories_are_each_persons_own(desk: Desk) -> None:
    await desk.ok("memory.remember", text=FACTS[0])
    await desk.ok("memory.remember", text="my dog is called Fifi", as_="bob")
    assert await recalled(desk, "dog") == [FACTS[0]]
    assert await recalled(desk, "dog", as_="bob") == ["my dog is called Fifi"]
    assert await recalled(desk, "everything") == [FACTS[0]]


async def test_undo_unlearns(desk: Desk) -> None:
    await desk.ok("memory.remember", text=FACTS[0])
    assert FACTS[0] in await desk.undo()
    assert await recalled(desk, "dog") == []


async def test_undo_of_a_repetition_keeps_the_first(desk: Desk) -> None:
    await desk.ok("memory.remember", text=FACTS[0])
    await desk.ok("memory.remember", text=FACTS[1])
    await desk.ok("memory.remember", text=FACTS[0])
    await desk.undo()
    (row,) = (await desk.ok("memory.recall", query="dog"))["items"]
    assert row["said"].endswith("12:01")


async def test_undo_works_after_a_restart(tmp_path: Path) -> None:
    with open_desk(tmp_path) as desk:
        await desk.ok("memory.remember", text=FACTS[0])
    with open_desk(tmp_path) as desk:
        await desk.undo()
        assert await recalled(desk, "dog") == []


async def test_forget_shows_what_goes_and_only_that_goes(desk: Desk) -> None:
    await learn(desk)
    await desk.ok("memory.remember", text="Rex the dog hates thunder")
    await desk.ok("memory.forget", query="dog")
    (shown,) = desk.person.consents
    assert FACTS[0] in shown["erases"]
    assert "thunder" in shown["erases"]
    assert "peanuts" not in shown["erases"]
    assert await recalled(desk, "dog") == []
    assert len(await recalled(desk, "everything")) == 4


async def test_what_is_told_while_the_question_stands_is_not_erased_unseen(desk: Desk) -> None:
    await learn(desk)
    answer = desk.person.consent

    async def told_meanwhile(question):  # type: ignore[no-untyped-def]
        await desk.ok("memory.remember", text="the dog needs a vet on Friday")
        return await answer(question)

    desk.person.consent = told_meanwhile  # type: ignore[method-assign]
    await desk.ok("memory.forget", query="dog")
    assert await recalled(desk, "dog") == ["the dog needs a vet on Friday"]


async def test_no_leaves_everything(desk: Desk) -> None:
    await learn(desk)
    desk.person.yes = False
    assert await desk.error("memory.forget", query="dog") == "EACCES"
    assert await recalled(desk, "dog") == [FACTS[0]]


async def test_forget_leaves_no_trace(tmp_path: Path) -> None:
    with open_desk(tmp_path) as desk:
        await learn(desk)
        await desk.ok("memory.forget", query="peanuts")
        assert "peanut" not in desk.journal_text()
        assert "Rex" in desk.journal_text()
    with open_desk(tmp_path) as desk:
        assert await recalled(desk, "peanuts") == []
        for record in desk.kernel.store.scan("memory"):
            assert "peanut" not in record.value["text"]
    everything = b"".join(p.read_bytes() for p in (tmp_path / "home").rglob("*") if p.is_file())
    assert b"peanut" not in everything
    assert b"Rex" not in everything


async def test_forget_of_something_unknown(desk: Desk) -> None:
    await learn(desk)
    assert await desk.error("memory.forget", query="submarines") == "ENOENT"
    assert desk.person.consents == []


@pytest.mark.parametrize("text", ["", "   ", "x" * 30_000])
async def test_hostile_facts(desk: Desk, text: str) -> None:
    assert await desk.error("memory.remember", text=text) in ("EINVAL", "E2BIG")


RESTART = """
import asyncio, sys
from pathlib import Path
from talk_desk import open_desk

async def main():
    with open_desk(Path(sys.argv[1])) as desk:
        for query in ("dog", "key pot", "birthday", "everything"):
            for row in (await desk.ok("memory.recall", query=query))["items"]:
                print(row["id"], row["text"])

asyncio.run(main())
"""


async def test_the_same_question_finds_the_same_in_new_processes(tmp_path: Path) -> None:
    with open_desk(tmp_path) as desk:
        await learn(desk)
    outputs = [await in_new_process(RESTART, tmp_path, salt) for salt in ("1", "2")]
    assert outputs[0] == outputs[1]
    assert FACTS[0] in outputs[0]


class Meaning:
    """Knows that a tooth doctor is a dentist, and nothing else."""

    name = "multilingual-e5-small-test"

    async def embed(self, texts, kind):  # type: ignore[no-untyped-def]
        rows = np.zeros((len(texts), 384), np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[0 if "dentist" in text or "tooth" in text else 1 + len(text)] = 1.0
        return rows


async def test_meaning_finds_what_words_do_not(tmp_path: Path) -> None:
    with open_desk(tmp_path, embedder=Meaning()) as desk:
        await desk.ok("memory.remember", text="my dentist is Dr. Lee")
        await learn(desk)
        assert await recalled(desk, "tooth doctor") == ["my dentist is Dr. Lee"]
    with open_desk(tmp_path, embedder=Meaning()) as desk:
        assert await recalled(desk, "tooth doctor") == ["my dentist is Dr. Lee"]


async def test_one_memory_and_equal_scores_are_no_trouble() -> None:
    index = Index()
    assert await index.search("cat") == []
    for number in range(3):
        index.add(Item(str(number), "the cat sat", number))
    assert [hit.item.id for hit in await index.search("cat")] == ["2", "1", "0"]


def test_a_text_that_was_removed_or_replaced_is_not_found_by_its_old_words() -> None:
    words = Postings()
    for number, text in enumerate(["red apples", "green apples", "blue plums"]):
        words.add(number, terms(text))
    there = np.array([False, True, True])
    assert list(words.coverage(terms("apple"), there)) == [0.0, 1.0, 0.0]
    assert list(words.coverage(terms("blue apples"), there)) == [0.0, 0.5, 0.5]
    assert list(words.coverage(terms("pear"), there)) == [0.0, 0.0, 0.0]


def test_a_vector_survives_its_record() -> None:
    vector = np.linspace(-1, 1, 384, dtype=np.float32)
    assert np.allclose(unpack(pack(vector)), vector, atol=1e-3)
