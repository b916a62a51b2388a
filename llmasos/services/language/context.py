"""The context of a reply: messages that fit the model's window, as tokens, the stable ones first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from llmasos.core.base.errors import SyscallError
from llmasos.core.engine.base import Engine
from llmasos.core.engine.chat_template import ChatTemplate

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation; its content is never read for markers."""

    role: Role
    content: str


def fit(engine: Engine, messages: Sequence[Message], stable: int, room: int) -> tuple[list[Message], int]:
    """Messages within a budget of tokens: the system's and the newest stay, the oldest turns go.

    Half of what is over goes at once, so that the beginning stays the same for some turns and needn't be
    computed anew.

    Returns:
        The messages, and how many leading ones are stable now.

    Raises:
        SyscallError: E2BIG, the newest message alone is too long.
    """
    kept = list(messages)
    system = 1 if kept and kept[0].role == "system" else 0
    sizes = [len(engine.tokenize(m.content)) + 8 for m in kept]
    if sum(sizes) > room:
        last = sizes[-1]
        if last > room:
            raise SyscallError(
                "E2BIG",
                f"That is too long for the model: {last:,} tokens, {room:,} fit.",
                "Say less at once.",
            )
        if system and sizes[0] + last > room:
            words = engine.tokenize(kept[0].content)[: max(0, room - last - 8)]
            kept[0] = Message("system", engine.detokenize(words).rstrip("\ufffd"))
            sizes[0] = len(words) + 8
        aim = (room - sum(sizes[:system]) - last) // 2
        while len(kept) > system + 1 and sum(sizes[system:-1]) > aim:
            del kept[system], sizes[system]
            stable = max(system, stable - 1)
        # A conversation starts with the person.
        while len(kept) > system + 1 and kept[system].role == "assistant":
            del kept[system], sizes[system]
            stable = max(system, stable - 1)
    return kept, min(stable, len(kept) - 1)


def split(template: ChatTemplate, messages: Sequence[Message], stable: int) -> tuple[list[int], list[int]]:
    """Tokens of the stable part, and those from there to where the reply begins."""
    plain = [{"role": message.role, "content": message.content} for message in messages]
    whole = template.render(plain)
    head = template.render(plain[:stable], reply=False) if stable else []
    # Some templates write a beginning differently when more follows: what both have in common is stable.
    common = next((i for i, (a, b) in enumerate(zip(head, whole, strict=False)) if a != b), min(len(head), len(whole)))
    return whole[:common], whole[common:]


def template_of(engine: Engine) -> ChatTemplate:
    """The model's own conversation form, or ChatML where the engine knows none."""
    own = getattr(getattr(engine, "model", None), "chat", None)
    return own if isinstance(own, ChatTemplate) else ChatTemplate("", engine.tokenize)
