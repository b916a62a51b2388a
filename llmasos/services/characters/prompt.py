"""The prompt compiler: card and rules first, then the latest turns, then what is recalled and the new line.

What comes first stays the same from turn to turn, so the model's state for it is kept; what changes comes
last.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from llmasos.services.characters.card import Card
from llmasos.services.characters.events import Event
from llmasos.services.language.context import Message
from llmasos.services.language.template import Template
from llmasos.services.memory.retrieval import Hit
from llmasos.services.script import has_chinese

CARD = 2_400
"""Characters of a card that reach the prompt, about 600 tokens; first come the fields that say most."""

_RULES = Template(
    "You are {name}{role}.{card} You are talking with {person}. Answer as {name},"
    " in one or two short sentences."
    " If {person} sincerely asks, say that you are an AI character and not a human."
)
# A model of 135M takes every word of its rules for a topic: told what to say of AI, it talks of AI. For such
# a model honesty is the guard's alone (honesty.py), and two turns show what a reply looks like.
_RULES_GUIDED = Template(
    "You are {name}{role}.{card} You are talking with your friend {person}."
    " Answer {person} in one or two short sentences."
)
_PRIMER = (
    (Template("Hi!"), Template("Hello {person}! It's good to see you.")),
    (Template("I had a long day."), Template("Oh, poor {person}. Sit down and tell me about it.")),
)
_RULES_CHINESE = Template(
    "你是{name}{role}。{card}你在和{person}说话。请以{name}的身份用一两句简短的话回答。"
    "如果{person}认真地问，就说明你是由人工智能扮演的角色，不是真人。"
)
_RECALLED = Template("({who} told you: {what})\n{line}")
_RECALLED_CHINESE = Template("（{who}告诉过你：{what}）\n{line}")
_ASKS_NAME = re.compile(
    r"\b(?:what(?:'s| is) your name|who are you|your name\?)|你(?:叫什么|是谁|的名字是什么)", re.IGNORECASE
)
_ASKS_BACK = re.compile(r"\b(?:my|mine|i|me|we|our)\b|我", re.IGNORECASE)
_QUESTION = re.compile(
    r"[?？]\s*$|^(?:who|what|when|where|which|do you (?:know|remember))\b|什么|哪|谁|几|多少|吗",
    re.IGNORECASE,
)
SURE = 0.45
"""Relevance from which a question about the person is answered with what they said themselves."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A turn, ready to be spoken.

    Attributes:
        messages: System, latest turns, the new line.
        stable: So many of them stay for the next turn.
        answer: The whole reply, where a rule knows it; then the model isn't asked.
        recalled: Numbers of the events that were recalled.
    """

    messages: tuple[Message, ...]
    stable: int
    answer: str
    recalled: tuple[int, ...]


def compile_prompt(
    card: Card, person: str, history: Sequence[Event], recalled: Sequence[Hit], line: str, *, guided: bool
) -> Prompt:
    """The prompt for one line of a person.

    Args:
        card: Who speaks.
        person: Who is spoken to.
        history: The latest events that both witnessed, oldest first.
        recalled: Older ones that fit the line.
        line: What the person says now.
        guided: Answer by rule what a rule knows, and show by example how to talk; for a model too small
            without.
    """
    chinese = speaks_chinese(card, line)
    messages = [Message("system", system(card, person, chinese=chinese, guided=guided))]
    messages += _turns(card, person, history, primed=guided and not chinese)
    stable = len(messages)
    said = line
    if recalled:
        quotes = [f"“{hit.item.text}”" if chinese else f'"{hit.item.text}"' for hit in recalled]
        template = _RECALLED_CHINESE if chinese else _RECALLED
        said = template.fill(who=person, what=("；" if chinese else " ").join(quotes), line=line)
    if stable > 1 and messages[-1].role == "user":  # the last line got no answer; one user message, not two
        stable -= 1
        said = f"{messages.pop().content}\n{said}"
    messages.append(Message("user", said))
    answer = _known(card, recalled, line, chinese) if guided else ""
    return Prompt(tuple(messages), stable, answer, tuple(hit.item.order for hit in recalled))


def system(card: Card, person: str, *, chinese: bool, guided: bool = False) -> str:
    """The stable first message."""
    parts, room = [], CARD
    personality = card.text("personality", person=person)
    if personality:
        parts.append(
            _sentence(
                f"{card.called}的性格：{personality}" if chinese else _described(card.called, personality),
                chinese,
            )
        )
    for field in ("system_prompt", "description", "scenario"):
        text = card.text(field, person=person).replace("{{original}}", "").strip()
        if text:
            parts.append(_sentence(text, chinese))
    kept = []
    for part in parts:
        kept.append(part if len(part) <= room else part[:room].rsplit(" ", 1)[0] + "…")
        room -= len(part)
        if room <= 0:
            break
    glue = "" if chinese else " "
    words = glue.join(kept)
    role = card.role.strip().rstrip(".。")
    if chinese:
        return _RULES_CHINESE.fill(name=card.called, role=f"，{role}" if role else "", card=words, person=person)
    rules = _RULES_GUIDED if guided else _RULES
    return rules.fill(
        name=card.called,
        role=f", {_article(role)}{role}" if role else "",
        card=f" {words}" if words else "",
        person=person,
    )


def speaks_chinese(card: Card, line: str = "") -> bool:
    """Whether a character speaks Chinese: its card says so, or is written in it, or it is spoken to in it."""
    if card.language:
        return has_chinese(card.language) or card.language.lower() in ("zh", "chinese", "mandarin")
    return has_chinese(f"{card.called}{card.data.get('personality', '')}{card.data.get('description', '')}{line}")


def _article(noun: str) -> str:
    if re.match(r"(?:an?|the|my|our)\b", noun, re.IGNORECASE):
        return ""
    return "an " if noun[:1].lower() in "aeiou" else "a "


def _described(name: str, personality: str) -> str:
    """Adjectives need a verb; a whole sentence stands by itself."""
    words = personality.strip()
    if re.match(rf"(?:{re.escape(name)}|you|he|she|they|it|i)\b", words, re.IGNORECASE) or len(words) > 120:
        return words
    return f"You are {words}"


def _sentence(text: str, chinese: bool) -> str:
    return text if re.search(r"[.!?。！？…]$", text) else text + ("。" if chinese else ".")


def _turns(card: Card, person: str, history: Sequence[Event], *, primed: bool) -> list[Message]:
    """Events as turns that alternate: lines in a row become one, a reply to nothing is left out."""
    turns: list[Message] = []
    greeting = card.text("first_mes", person=person)
    if greeting and len(greeting) < 600:
        turns += [
            Message("user", "Hello!" if not has_chinese(greeting) else "你好！"),
            Message("assistant", greeting),
        ]
    elif primed:
        for line, reply in _PRIMER:
            said = reply.fill(person=person) if reply.names else reply.fill()
            turns += [Message("user", line.fill()), Message("assistant", said)]
    for event in history:
        role: str = "assistant" if event.speaker != person else "user"
        if turns and turns[-1].role == role:
            turns[-1] = Message(turns[-1].role, f"{turns[-1].content}\n{event.text}")
        elif role == "user":
            turns.append(Message("user", event.text))
        elif turns:
            turns.append(Message("assistant", event.text))
    return turns


def _known(card: Card, recalled: Sequence[Hit], line: str, chinese: bool) -> str:
    if _ASKS_NAME.search(line):
        what = f"，{card.role}" if chinese and card.role else f", {_article(card.role)}{card.role}" if card.role else ""
        return f"我是{card.called}{what}。" if chinese else f"I'm {card.called}{what}."
    if recalled and recalled[0].relevance >= SURE and _QUESTION.search(line) and _ASKS_BACK.search(line):
        words = recalled[0].item.text.strip()
        return f"你告诉过我：“{words}”" if chinese else f'You told me: "{words}"'
    return ""
