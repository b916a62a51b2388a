"""Which stored thing a person means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmasos.core.base.errors import SyscallError
from llmasos.services import matching

TITLES = [
    "Dentist",
    "Call Bob",
    "Call Bob back",
    "standup",
    "Lunch with Noor",
    "Luna's checkup",
    "physics tutoring",
    "Sprint planning",
    "take my blood pressure pill",
    "跟王总的会",
    "组会",
    "买牛奶",
    "健身私教课",
]


def leading(said: str, whole: bool = False) -> list[str]:
    found = matching.rank(said, TITLES, lambda title: [title], whole=whole)
    return [match.item for match in matching.leading(found)]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Dentist", ["Dentist"]),
        ("the dentist", ["Dentist"]),
        ('"DENTIST".', ["Dentist"]),
        ("dentsit", ["Dentist"]),
        ("call bob", ["Call Bob"]),
        ("bob", ["Call Bob", "Call Bob back"]),
        ("standup meeting", ["standup"]),
        ("noor lunch", ["Lunch with Noor"]),
        ("my lunch with noor", ["Lunch with Noor"]),
        ("Luna's checkup", ["Luna's checkup"]),
        ("lunas checkup", ["Luna's checkup"]),
        ("phyics tutoring", ["physics tutoring"]),
        ("pill", ["take my blood pressure pill"]),
        ("王总的会", ["跟王总的会"]),
        ("跟王总的会吧", ["跟王总的会"]),
        ("组会", ["组会"]),
        ("牛奶", ["买牛奶"]),
        ("私教课", ["健身私教课"]),
        ("plumber", []),
        ("", []),
        ("看电影", []),
    ],
)
def test_what_is_meant(said: str, meant: list[str]) -> None:
    assert leading(said) == meant


@pytest.mark.parametrize(
    ("said", "name", "fits"),
    [
        ("lights in the kitchen", "kitchen light", True),
        ("kitchen lihgt", "kitchen light", True),
        ("aquarium light", "kitchen light", False),
        ("dehumidifier", "humidifier", False),
        ("skylight", "light", False),
        ("pump 2", "pump 1", False),
        ("客厅灯", "客厅的灯", True),
        ("书房灯", "客厅的灯", False),
    ],
)
def test_whole_names_only(said: str, name: str, fits: bool) -> None:
    assert (matching.score(said, name, whole=True) >= matching.ENOUGH) is fits


class Chooser:
    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def choose(self, question: str, options: list[str]) -> str:
        self.asked = options
        return self.answer


async def test_one_is_taken_and_several_are_asked_about() -> None:
    chooser = Chooser("Call Bob back!")

    async def pick(said: str) -> str:
        return await matching.pick(
            chooser, said, TITLES, names=lambda title: [title], label=lambda title: f"{title}!", what="event"
        )

    assert await pick("call bob") == "Call Bob"
    assert chooser.asked == []
    assert await pick("bob") == "Call Bob back"
    assert chooser.asked == ["Call Bob!", "Call Bob back!"]
    with pytest.raises(SyscallError) as error:
        await pick("physics exam")
    assert error.value.code == "ENOENT"
    assert error.value.choices[0] == "physics tutoring"


@given(st.text(max_size=50), st.text(max_size=50))
def test_scores_are_between_0_and_1_and_a_name_fits_itself(a: str, b: str) -> None:
    assert 0 <= matching.score(a, b) <= 1
    assert matching.score(a, a) == 1
