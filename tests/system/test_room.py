"""A talk of twenty lines in a room, with the default model: who speaks when, and what nobody may hear."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from llmasos.core.base.settings import Settings
from llmasos.services.characters import conversation
from llmasos.services.characters.prompt import Prompt, compile_prompt
from llmasos.system import System

CAST = {
    "Alice": ("friendly and curious", "baker"),
    "Bram": ("grumpy but kind", "fisherman"),
    "Cleo": ("calm and wise", "lighthouse keeper"),
}
# What is typed, and who speaks first then; "" where the dice decide. Cleo is out between "send" and "invite".
LINES = [
    ("Hello everyone!", "Alice"), ("Bram, how is the sea today?", "Bram"), ("And what did you catch?", "Bram"),
    ("Alice, what are you baking?", "Alice"), ("It smells good in here.", ""), ("Cleo, did a ship pass?", "Cleo"),
    ("What do you think of the storm, Bram?", "Bram"), ("I am tired today.", ""), ("go on", ""),
    ("send Cleo out", None), ("Bram, the password of the cellar is kumquat.", "Bram"), ("Alice, do you like ships?", "Alice"),
    ("We should sing.", ""), ("go on", ""), ("invite Cleo", None), ("Cleo, what is the password of the cellar?", "Cleo"),
    ("Alice, what is the word I told you?", "Alice"), ("Are you all human?", "Alice"), ("Bram, sing us a song.", "Bram"),
    ("Good night, all of you.", "Alice"),
]  # fmt: skip


@pytest.fixture
def system(home: Path, workspace: Path) -> Iterator[System]:
    with System(Settings.load({}, home=home, workspace=str(workspace), owner="ada", seed=3)) as made:
        yield made


def test_twenty_lines(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts: list[tuple[str, Prompt]] = []

    def recorded(card, company, *rest, **options):  # type: ignore[no-untyped-def]
        prompt = compile_prompt(card, company, *rest, **options)
        prompts.append((card.name, prompt))
        return prompt

    monkeypatch.setattr(conversation, "compile_prompt", recorded)
    for name, (personality, role) in CAST.items():
        system.create_character(name, personality=personality, role=role)
    system.call("character.chat", name="Alice", message="Only for you: the secret word is periwinkle.")
    prompts.clear()
    assert "Alice, Bram and Cleo are here." in system.call("app.open", name="social")["text"]

    out: set[str] = set()
    last = ""
    for line, first in LINES:
        said = system.call("app.say", name="social", line=line)["text"]
        if first is None:
            assert said == f"Cleo {'goes out' if 'out' in line else 'comes in'}."
            out ^= {"Cleo"}
            continue
        speakers = [turn.partition(": ")[0] for turn in said.splitlines() if turn.partition(": ")[0] in CAST]
        assert 1 <= len(speakers) <= 4, said
        assert not out & set(speakers), said
        assert all(one != other for one, other in pairwise(speakers)), said
        if line == "go on":
            assert speakers[0] != last, said
        if first:
            assert speakers[0] == first, (line, said)
        last = speakers[-1]
        assert not any(f"{name}: {name}:" in said or "ada:" in said for name in CAST), said

    assert len(prompts) > len(LINES) // 2
    for name, prompt in prompts:
        words = " ".join(message.content for message in prompt.messages) + prompt.answer
        assert "periwinkle" not in words, name  # Alice's, told to her alone
        others = [role for other, (_, role) in CAST.items() if other != name]
        assert not any(role in prompt.messages[0].content for role in others), name  # nobody sees another's card
    # While Cleo was out, a password was told: nobody can tell it once she is back.
    back = next(n for n, (name, p) in enumerate(prompts) if name == "Cleo" and "password" in p.messages[-1].content)
    for name, prompt in prompts[back:]:
        assert "kumquat" not in " ".join(message.content for message in prompt.messages), name
    assert "I'm not human. I'm Bram" in str(system.call("character.show", name="Cleo")["fields"]["remembers"])
    for name, knows in (("Bram", True), ("Cleo", False)):
        prompts.clear()
        answer = system.call("character.chat", name=name, message="What is the password of the cellar?")["text"]
        ((_, prompt),) = prompts
        assert ("kumquat" in f"{prompt.messages} {answer}") == knows, name
