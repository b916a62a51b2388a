"""Kinds of text: what a small model is asked for, how its answer begins, how it is kept in shape."""

from __future__ import annotations

import re
from dataclasses import dataclass

from llmasos.services.language.template import Template


@dataclass(frozen=True, slots=True)
class Form:
    """One kind of text.

    Attributes:
        words: Nouns that name it, English and Chinese.
        ask: What the model is asked; places `style`, `kind`, `topic`.
        opening: What the answer begins with, where that gives it its form; place `topic`.
        closing: What it ends with.
        titled: Whether the topic heads it.
        tokens: How long it gets.
        lines: At most so many lines; 0 for as many as come.
        numbered: A list of steps: what is no step is left out.
        prose: No list: numbers and bullets before lines go.
    """

    words: tuple[str, ...]
    ask: str = "Write a {style}{kind} about {topic}."
    opening: str = ""
    closing: str = ""
    titled: bool = False
    tokens: int = 260
    lines: int = 0
    numbered: bool = False
    prose: bool = False


FORMS = (
    Form(
        ("haiku", "俳句"),
        ask="Write a {style}{kind} about {topic}. It has three short lines.",
        titled=True,
        tokens=50,
        lines=3,
    ),
    Form(
        ("poem", "verse", "rhyme", "song", "lullaby", "ode", "sonnet", "limerick", "诗", "诗歌", "歌"),
        ask="Write a {style}{kind} about {topic}. Use short lines.",
        titled=True,
        tokens=160,
        lines=14,
    ),
    Form(
        ("email", "e-mail", "mail", "letter", "message", "邮件", "信", "电子邮件"),
        ask="Write a {style}{kind} about {topic}. Keep it to one short paragraph.",
        opening="Subject: {topic}\n\nHello,\n\n",
        closing="\n\nBest regards",
        tokens=120,
        lines=6,
        prose=True,
    ),
    Form(
        (
            "plan",
            "list",
            "checklist",
            "agenda",
            "steps",
            "outline",
            "itinerary",
            "schedule",
            "计划",
            "清单",
            "大纲",
        ),
        ask="Write a {style}{kind} for {topic}, as a numbered list of five short steps.",
        opening="1.",
        titled=True,
        tokens=200,
        lines=8,
        numbered=True,
    ),
    Form(
        ("quest", "mission", "任务"),
        ask="Write a {style}{kind} for a game about {topic}: what the hero must do, "
        "in a numbered list of four short steps.",
        opening="1.",
        titled=True,
        tokens=180,
        lines=6,
        numbered=True,
    ),
    Form(
        ("dialogue", "dialog", "conversation", "scene", "sketch", "对话"),
        ask="Write a {style}{kind} between Anna and Ben about {topic}. Each line begins with the name of who speaks.",
        opening="Anna:",
        titled=True,
        tokens=200,
        lines=8,
    ),
    Form(
        ("story", "tale", "fable", "fairy tale", "bedtime story", "short story", "故事", "童话"),
        ask="Write a short {style}{kind} about {topic}.",
        titled=True,
        tokens=240,
    ),
    Form(
        ("description", "blurb", "bio", "caption", "描述", "介绍"),
        ask="Write a short {style}{kind} of {topic}.",
        titled=True,
        tokens=160,
    ),
)
PLAIN = Form((), titled=True)
"""Any other kind."""


def form(kind: str) -> Form:
    """The form of a kind: by its whole name, else by its last word (the English noun), else the plain one."""
    wanted = " ".join(kind.casefold().split())
    last = wanted.rsplit(" ", 1)[-1].rstrip("s") if wanted else ""
    for key in (wanted, wanted.removesuffix("s"), last):
        for found in FORMS:
            if key in found.words:
                return found
    chinese = [f for f in FORMS for word in f.words if not word.isascii() and word in wanted]
    return chinese[0] if chinese else PLAIN


def request(chosen: Form, kind: str, topic: str, style: str, language: str) -> str:
    """What the model is asked."""
    # A long style is a sentence of its own; adjectives stand before the noun.
    short = bool(style) and len(style.split()) <= 3 and " in " not in f" {style} "
    asked = Template(chosen.ask).fill(style=f"{style} " if short else "", kind=kind, topic=topic)
    if style and not short:
        asked += f" Style: {style}."
    if language:
        asked += f" Write in {language}."
    return re.sub(r"\ba (?=[aeiou])", "an ", asked)


def shaped(chosen: Form, words: str) -> str:
    """The model's words in the form they should have."""
    if chosen.numbered:
        words = re.sub(r"(?<=[.!?])\s+(?=\d+[.)]\s)", "\n", words)  # steps in one line
    lines = [line.rstrip() for line in words.strip().splitlines()]
    if chosen.prose:
        lines = [re.sub(r"^\s*(?:\d+[.)]|[-*])\s+", "", line) for line in lines]
    if chosen.numbered:
        steps = [re.sub(r"^\s*\d+[.)]\s*", "", line) for line in lines if re.match(r"\s*\d+[.)]\s*\S", line)]
        lines = [f"{number}. {step}" for number, step in enumerate(dict.fromkeys(steps), 1)]
    if chosen.lines:
        kept, count = [], 0
        for line in lines:
            count += bool(line)
            if count > chosen.lines:
                break
            kept.append(line)
        lines = kept
    return "\n".join(lines).strip() + chosen.closing


def title(topic: str) -> str:
    """A topic as a title."""
    words = topic.strip().rstrip(".!?。！？")
    return words[:1].upper() + words[1:]
