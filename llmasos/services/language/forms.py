"""Kinds of text: what a model is asked for, the parts that each consists of, and how an answer is kept in shape."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from llmasos.services import numerals
from llmasos.services.language.template import Template

Length = Literal["short", "medium", "long"]
_FACTOR: dict[str, float] = {"short": 0.6, "medium": 1.0, "long": 1.6}
_MOST = 12
"""Lines, steps or sentences that can be asked for by number."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a text of a kind has at one place.

    Attributes:
        name: What it is to a program: `goal`, `step`, `reward`, ...
        before: Our label before it; places `n`, its number, and `who`, who speaks.
        leads: Our first words of it, one each time, where they give it its direction.
        times: How often it comes.
        sentences: At most so many.
        tokens: How long one gets.
        speaks: Whether it is what somebody says.
        counted: Whether a number that the person says ("in seven steps") is how often it comes.
    """

    name: str
    before: str = ""
    leads: tuple[str, ...] = ()
    times: int = 1
    sentences: int = 1
    tokens: int = 40
    speaks: bool = False
    counted: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """One kind of text.

    Attributes:
        words: Nouns that name it, English and Chinese.
        ask: What the model is asked; places `style`, `kind`, `topic`, `length`, `count`, `who`.
        opening: What the answer begins with, where that gives it its form; place `topic`.
        closing: What it ends with.
        titled: Whether the topic heads it.
        tokens: How long it gets.
        lines: At most so many lines; 0 for as many as come.
        numbered: A list of steps: what is no step is left out.
        prose: No list: numbers and bullets before lines go.
        small: What a small model is asked instead, which is asked for the parts one by one.
        parts: What it consists of: a small model is asked for one after the other.
        labels: What a whole answer must have at the beginnings of lines.
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
    small: str = ""
    parts: tuple[Part, ...] = ()
    labels: tuple[str, ...] = ()


FORMS: tuple[Form, ...] = (
    Form(
        ("haiku", "俳句"),
        ask="Write a {style}{kind} about {topic}. It has three short lines.",
        titled=True,
        tokens=50,
        lines=3,
        parts=(Part("verse", "\n", times=3, tokens=16),),
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
        ask="Write a {style}{kind} for {topic}, as a numbered list of {count} short steps.",
        opening="1.",
        titled=True,
        tokens=200,
        lines=8,
        numbered=True,
        parts=(Part("step", "\n{n}. ", times=5, counted=True),),
    ),
    Form(
        ("quest", "mission", "任务"),
        ask="Write a {style}{kind} for a game about {topic}. The first line is 'Goal:' and what the hero must reach, "
        "then come {count} short steps in a numbered list, and the last line is 'Reward:' and what the hero gets.",
        small="Write a {style}{kind} for a game about {topic}: the goal, what the hero does, and the reward.",
        opening="Goal:",
        titled=True,
        tokens=220,
        lines=8,
        parts=(
            Part("goal", "Goal: ", ("The hero must",)),
            Part("step", "\n{n}. ", ("Go to", "Look for", "Take", "Bring it back to"), times=4, counted=True),
            Part("reward", "\nReward: ", tokens=30),
        ),
        labels=("Goal:", "1.", "2.", "Reward:"),
    ),
    Form(
        ("dialogue", "dialog", "conversation", "scene", "sketch", "对话"),
        ask="Write a {style}{kind} between {who} about {topic}. Each line begins with the name of who speaks.",
        opening="{first}:",
        titled=True,
        tokens=200,
        lines=8,
        parts=(Part("line", "\n{who}: ", times=6, sentences=2, tokens=48, speaks=True, counted=True),),
        labels=("{first}:", "{second}:"),
    ),
    Form(
        ("story", "tale", "fable", "fairy tale", "bedtime story", "short story", "故事", "童话"),
        ask="Write a {length}{style}{kind} about {topic}.",
        titled=True,
        tokens=240,
        # A beginning, what goes wrong, how it ends: what a model of 135M loses on the way.
        parts=(
            Part("beginning", "", sentences=3, tokens=90),
            Part("turn", "\n\n", ("But then",), sentences=3, tokens=90),
            Part("end", "\n\n", ("In the end",), sentences=2, tokens=70),
        ),
    ),
    Form(
        ("description", "blurb", "bio", "caption", "描述", "介绍"),
        ask="Write a {length}{style}{kind} of {topic}.",
        titled=True,
        tokens=160,
    ),
)
PLAIN = Form((), titled=True)
"""Any other kind."""

_SAID_LENGTH = {
    "short": re.compile(r"\b(?:short|brief|tiny|quick|concise)\b|短|简短|简要", re.IGNORECASE),
    "long": re.compile(r"\b(?:long|detailed|extensive|thorough)\b|长篇|详细|很长", re.IGNORECASE),
}
_COUNT = re.compile(
    r"\b(\d+)[ -]?(?:short |simple |easy |numbered )?(?:step|line|point|item|sentence|part)s?\b"
    r"|(\d+)\s*个?(?:步骤|步|行|句|条)",
    re.IGNORECASE,
)
_BETWEEN = re.compile(
    r"\bbetween\s+(.{1,40}?)\s+and\s+(.{1,40}?)(?=\s+(?:about|on|over|who|in|at)\b|[,.;]|$)", re.IGNORECASE
)
_BETWEEN_CHINESE = re.compile(r"([\u3400-\u9fff]{1,6}?)[和与跟]([\u3400-\u9fff]{1,6}?)(?:之间|的对话)")
_ARTICLE = re.compile(r"^(?:an?|the|my|two)\s+", re.IGNORECASE)
_CHINESE = {
    "Goal: ": "目标：", "Goal:": "目标：", "Reward: ": "奖励：", "Reward:": "奖励：", "Subject: ": "主题：",
    "Hello,": "您好！", "Best regards": "此致\n敬礼", "But then": "可是", "In the end": "最后", "{who}: ": "{who}：",
    "{first}:": "{first}：", "{second}:": "{second}：",
}  # fmt: skip
"""Our own words in a Chinese text; longer ones first where one begins another."""
SPEAKERS = ("Anna", "Ben")
"""Who speaks where nobody was named."""


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


def length(said: Length | None, *words: str) -> Length:
    """How long a text is to be: as was said, else as its kind and style say."""
    if said:
        return said
    for one, pattern in _SAID_LENGTH.items():
        if any(pattern.search(word) for word in words):
            return one  # type: ignore[return-value]  # a key of Length
    return "medium"


def count(*words: str) -> int:
    """How many steps, lines or sentences were said ("in seven steps"); 0 where nothing was."""
    for word in words:
        found = _COUNT.search(numerals.english(numerals.chinese(word)))
        if found:
            return min(_MOST, max(1, int(found[1] or found[2])))
    return 0


def sized(chosen: Form, long: Length, counted: int) -> Form:
    """A form for a length, and for a number that was said."""
    factor = _FACTOR[long]
    parts = tuple(
        replace(part, times=(counted if counted and part.counted else max(1, round(part.times * factor)))
                if part.times > 1 else 1, sentences=max(1, round(part.sentences * factor)),
                tokens=round(part.tokens * (factor if part.sentences > 1 else 1.0)))
        for part in chosen.parts
    )  # fmt: skip
    # A number that was said is of steps; what else a form with labels has comes on top of them.
    lines = 0 if chosen.labels else counted or round(chosen.lines * max(1.0, factor))
    adjective = {"short": "very short ", "medium": "short ", "long": "long "}[long]
    steps = next((part.times for part in parts if part.counted), 0)
    ask = chosen.ask.replace("{length}", adjective).replace("{count}", str(steps))
    return replace(chosen, ask=ask, parts=parts, tokens=round(chosen.tokens * factor), lines=lines)


def localised(chosen: Form, code: str) -> Form:
    """A form with our own words in the language of the text."""
    if code != "zh":
        return chosen

    def put(words: str) -> str:
        for english, chinese in _CHINESE.items():
            words = words.replace(english, chinese)
        return words

    return replace(
        chosen, ask=put(chosen.ask), opening=put(chosen.opening), closing=put(chosen.closing),
        # A lead that has no counterpart is left out: the model finds its own words.
        parts=tuple(
            replace(part, before=put(part.before), leads=tuple(put(lead) for lead in part.leads if lead in _CHINESE))
            for part in chosen.parts
        ),
        labels=tuple(map(put, chosen.labels)),
    )  # fmt: skip


def speakers(*words: str) -> tuple[str, str]:
    """Who talks in a dialogue, as far as it was said: "between a cat and a postman"."""
    for said in words:
        found = _BETWEEN.search(said) or _BETWEEN_CHINESE.search(said)
        if found:
            first, second = (title(_ARTICLE.sub("", name.strip())) for name in found.groups())
            if first and second and first != second:
                return first, second
    return SPEAKERS


def request(
    chosen: Form,
    kind: str,
    topic: str,
    style: str,
    language: str,
    who: Sequence[str] = SPEAKERS,
    *,
    small: bool = False,
) -> str:
    """What the model is asked; a small one in fewer words, where they are enough."""
    # A long style is a sentence of its own; adjectives stand before the noun.
    short = bool(style) and len(style.split()) <= 3 and " in " not in f" {style} "
    values = {"style": f"{style} " if short else "", "kind": kind, "topic": topic, "who": " and ".join(who)}
    template = Template((small and chosen.small) or chosen.ask)
    asked = template.fill(**{name: value for name, value in values.items() if name in template.names})
    if style and not short:
        asked += f" Style: {style}."
    if language:
        asked += f" Write in {language}."
    # "a short short story" and "a long short story" are what nobody says.
    named = f"{values['style']}{kind}"
    if re.search(r"\b(?:short|long)\b", named):
        asked = re.sub(rf"\b(?:very short|short|long) (?={re.escape(named)})", "", asked, count=1)
    return re.sub(r"\ba (?=[aeiou])", "an ", asked)


def opening(chosen: Form, topic: str, who: Sequence[str] = SPEAKERS) -> str:
    """What an answer begins with."""
    return chosen.opening.replace("{topic}", title(topic)).replace("{first}", who[0])


def slots(chosen: Form, who: Sequence[str] = SPEAKERS) -> Iterator[tuple[str, str, Part]]:
    """The places of a form in order: our label before each (`{n}` is its number), our first words, and what it is."""
    for part in chosen.parts:
        for time in range(part.times):
            lead = part.leads[time % len(part.leads)] if part.leads else ""
            yield part.before.replace("{who}", who[time % 2]), lead, part


def kept(chosen: Form, words: str, who: Sequence[str] = SPEAKERS) -> bool:
    """Whether a whole answer has what its form must have."""
    lines = [line.strip() for line in words.splitlines()]
    wanted = [label.replace("{first}", who[0]).replace("{second}", who[1]) for label in chosen.labels]
    if chosen.numbered:
        wanted += ["1.", "2."]
    return all(any(line.startswith(label) and len(line) > len(label) + 1 for line in lines) for label in wanted)


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
