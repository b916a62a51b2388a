"""The prompt compiler: card and rules first, then the latest turns, then lore, what is recalled, and the new line.

What comes first stays the same from turn to turn, so the model's state for it is kept; what changes comes
last.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmasos.services.characters.card import Card
from llmasos.services.characters.events import Event
from llmasos.services.characters.macros import TIMELESS, Moment
from llmasos.services.characters.making import ByRule
from llmasos.services.language.context import Message
from llmasos.services.language.template import Template
from llmasos.services.memory.retrieval import Hit
from llmasos.services.safety.notice import without
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
_ASIDE = Template("({what})\n{line}")
_ASIDE_CHINESE = Template("（{what}）\n{line}")
_UNTOLD = Template("{person} may never have told you that. If nothing here says it, say that you don't know.")
_UNTOLD_CHINESE = Template("{person}可能没有告诉过你这件事。如果这里没有提到，请说你不知道。")
# Not "you haven't told me": asked in other words, what was told isn't always found.
DONT_KNOW = "I don't know. I don't remember that you told me."
DONT_KNOW_CHINESE = "我不知道，我不记得你告诉过我。"
_TOLD = Template("{who} told you: {quotes}")
_TOLD_CHINESE = Template("{who}告诉过你：{quotes}")
_ASKS_NAME = re.compile(
    r"\b(?:what(?:'s| is) your name|who are you|your name\?)|你(?:叫什么|是谁|的名字是什么)", re.IGNORECASE
)
_ASKS_OWN_NAME = re.compile(
    r"\bmy name\b|\bwho am i\s*(?:[?!.,]|$)|\bwhat am i called\b|我(?:叫什么|是谁(?![的家教])|的名字)", re.IGNORECASE
)

_COMPANY = Template("{rules} {others} {are} in the room too.")
_COMPANY_CHINESE = Template("{rules}在场的还有{others}。")


@dataclass(frozen=True, slots=True)
class Company:
    """Who hears a reply.

    Attributes:
        own: The id of the character that speaks.
        person: The person who is there.
        names: What the person's characters are called, by id.
        others: Ids of other characters that are there.
    """

    own: str
    person: str
    names: Mapping[str, str]
    others: tuple[str, ...] = ()

    @property
    def present(self) -> tuple[str, ...]:
        """All who are there, as events name their witnesses."""
        return (self.own, self.person, *self.others)

    @property
    def called(self) -> list[str]:
        """What the other characters that are there are called."""
        return [self.names[id] for id in self.others]

    def who(self, speaker: str) -> str:
        """The name of who said something; of a character that was deleted nothing is known any more."""
        return speaker if speaker == self.person else self.names.get(speaker, "somebody")

    def label(self, event: Event, *, alone: bool = False) -> str:
        """An event's words; with the name of who said them, where it isn't plain.

        Args:
            event: What was said.
            alone: Whether the person's lines are plain even where others are there.
        """
        plain = event.speaker == self.own or (event.speaker == self.person and (alone or not self.others))
        # What was held back isn't in it, and the notice of that is no part of the talk.
        words = event.text if event.speaker == self.person else without(event.text)
        return words if plain or not words else f"{self.who(event.speaker)}: {words}"


@dataclass(frozen=True, slots=True)
class Aside:
    """What is told to the model beside the talk, at the end of the prompt.

    Attributes:
        lore: What the lorebook says now.
        notes: What else the character knows: what was promised, what it made of earlier talks.
        promised: What it promised the person, where it is asked about that.
        sure: Whether the line asks for what the person has told, and what is recalled answers it.
        untold: Whether it asks for what they have never told.
    """

    lore: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    promised: tuple[str, ...] = ()
    sure: bool = False
    untold: bool = False


@dataclass(frozen=True, slots=True)
class Prompt:
    """A turn, ready to be spoken.

    Attributes:
        messages: System, latest turns, the new line.
        stable: So many of them stay for the next turn.
        answer: The whole reply, where a rule knows it; then the model isn't asked. What it promised is the model's.
        quoted: The event that the reply quotes; 0 where it quotes none.
        recalled: Numbers of the events that were recalled.
    """

    messages: tuple[Message, ...]
    stable: int
    answer: str
    recalled: tuple[int, ...]
    quoted: int = 0


def compile_prompt(
    card: Card,
    company: Company,
    history: Sequence[Event],
    recalled: Sequence[Hit],
    heard: Sequence[Event],
    *,
    guided: bool,
    aside: Aside = Aside(),
    moment: Moment = TIMELESS,
) -> Prompt:
    """The prompt for a reply.

    Args:
        card: Who speaks.
        company: Who hears it.
        history: The latest events that all of them witnessed, oldest first.
        recalled: Older ones that fit the line.
        heard: What is replied to, and in a room what others have said since.
        guided: Answer by rule what a rule knows, and show by example how to talk; for a model too small
            without.
        aside: What else it is told.
        moment: For the card's macros.
    """
    line, person = heard[0].text, company.person
    chinese = speaks_chinese(card, line)
    if guided:
        # A model of 135M loses itself among many voices: it sees the person and itself, and whom it replies to.
        history, heard = [e for e in history if e.speaker in (company.own, person)], heard[:1]
    messages = [Message("system", system(card, company, chinese=chinese, guided=guided, moment=moment))]
    messages += _turns(card, company, history, guided=guided, primed=guided and not chinese, moment=moment)
    stable = len(messages)
    said = "\n".join(company.label(event, alone=guided) for event in heard)
    beside = _ASIDE_CHINESE if chinese else _ASIDE
    for what in reversed(_asides(card, company, recalled, aside, chinese=chinese, guided=guided, moment=moment)):
        said = beside.fill(what=what, line=said)
    if stable > 1 and messages[-1].role == "user":  # the last line got no answer; one user message, not two
        stable -= 1
        said = f"{messages.pop().content}\n{said}"
    messages.append(Message("user", said))
    own = [hit for hit in recalled if hit.item.source == person]
    answer, quoted = _known(card, person, own, line, aside, chinese) if guided else ("", 0)
    return Prompt(tuple(messages), stable, answer, tuple(hit.item.order for hit in recalled), quoted)


def _asides(
    card: Card, company: Company, recalled: Sequence[Hit], aside: Aside, *, chinese: bool, guided: bool, moment: Moment
) -> list[str]:
    """What is told beside the line, one thing each, what was told by others last."""
    found = [card.fill(text, person=company.person, moment=moment) for text in aside.lore] + list(aside.notes)
    after = card.text("post_history_instructions", person=company.person, moment=moment).replace("{{original}}", "")
    if after.strip() and not guided:
        found.append(after.strip())
    told: dict[str, list[str]] = {}
    for hit in recalled:
        words = without(hit.item.text)
        told.setdefault(company.who(hit.item.source), []).append(f"“{words}”" if chinese else f'"{words}"')
    if told:
        glue, by_whom = ("；", _TOLD_CHINESE) if chinese else (" ", _TOLD)
        found.append(glue.join(by_whom.fill(who=who, quotes=glue.join(quotes)) for who, quotes in told.items()))
    if aside.untold and not guided:
        found.append((_UNTOLD_CHINESE if chinese else _UNTOLD).fill(person=company.person))
    return found


def system(card: Card, company: Company, *, chinese: bool, guided: bool = False, moment: Moment = TIMELESS) -> str:
    """The stable first message."""
    rules = _rules(card, company.person, chinese=chinese, guided=guided, moment=moment)
    others = company.called
    if not others:
        return rules
    if chinese:
        return _COMPANY_CHINESE.fill(rules=rules, others="、".join(others))
    names = " and ".join([", ".join(others[:-1]), others[-1]] if len(others) > 1 else others)
    return _COMPANY.fill(rules=rules, others=names, are="are" if len(others) > 1 else "is")


def _rules(card: Card, person: str, *, chinese: bool, guided: bool, moment: Moment) -> str:
    kept, room = [], CARD
    for part in _parts(card, person, chinese=chinese, guided=guided, moment=moment):
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


def _parts(card: Card, person: str, *, chinese: bool, guided: bool, moment: Moment) -> list[str]:
    """What a card says, in the order in which the model reads it."""

    def field(name: str) -> str:
        return card.text(name, person=person, moment=moment).replace("{{original}}", "").strip()

    def lore(before: bool) -> list[str]:
        fixed = [entry.content for entry in card.book.constant if entry.before is before]
        return [card.fill(text, person=person, moment=moment) for text in fixed]

    personality, name = field("personality"), card.called
    said = f"{name}的性格：{personality}" if chinese else _described(name, personality)
    parts = [*lore(True), said if personality else "", field("system_prompt"), field("description"), *lore(False)]
    parts.append(field("scenario"))
    if card.goals:
        goals = ("；" if chinese else "; ").join(card.fill(goal, person=person, moment=moment) for goal in card.goals)
        parts.append(f"{name}的目标：{goals}" if chinese else f"What you want: {goals}")
    if foreign(card) and not guided and not chinese:
        parts.append(f"You speak {card.language}, and answer in it")
    parts = [_sentence(part, chinese) for part in parts if part]
    examples = "" if guided else re.sub(r"(?:<START>\s*)+", "\n", field("mes_example")).strip()
    return [*parts, f"\n{examples}\n"] if examples else parts


def foreign(card: Card) -> bool:
    """Whether a character speaks something else than English."""
    return bool(card.language.strip()) and card.language.strip().casefold() not in ("en", "english", "英语", "英文")


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


def _turns(
    card: Card, company: Company, history: Sequence[Event], *, guided: bool, primed: bool, moment: Moment
) -> list[Message]:
    """Events as turns that alternate: lines in a row become one, a reply to nothing is left out."""
    turns: list[Message] = []
    person = company.person
    greeting = card.text("first_mes", person=person, moment=moment)
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
        said, role = company.label(event, alone=guided), "assistant" if event.speaker == company.own else "user"
        if not said:  # all of it was held back
            continue
        if turns and turns[-1].role == role:
            turns[-1] = Message(turns[-1].role, f"{turns[-1].content}\n{said}")
        elif role == "user":
            turns.append(Message("user", said))
        elif turns:
            turns.append(Message("assistant", said))
    return turns


def _known(card: Card, person: str, recalled: Sequence[Hit], line: str, aside: Aside, chinese: bool) -> tuple[str, int]:
    """The whole reply, where a rule knows it, and the event that it quotes, if it does.

    It knows who the character is, what it was told, what it promised, what it doesn't know.
    """
    if _ASKS_NAME.search(line):
        what = f"，{card.role}" if chinese and card.role else f", {_article(card.role)}{card.role}" if card.role else ""
        return ByRule(f"我是{card.called}{what}。" if chinese else f"I'm {card.called}{what}."), 0
    if aside.promised:  # in the words that the model found for it
        quotes = " ".join(f"“{words}”" if chinese else f'"{words}"' for words in aside.promised)
        return f"我答应过你：{quotes}" if chinese else f"I told you: {quotes}", 0
    if aside.sure and recalled:
        told = recalled[0].item
        words = told.text.strip()
        return ByRule(f"你告诉过我：“{words}”" if chinese else f'You told me: "{words}"'), told.order
    if _ASKS_OWN_NAME.search(line):
        return ByRule(f"你是{person}。" if chinese else f"You are {person}."), 0
    if aside.untold:
        return ByRule(DONT_KNOW_CHINESE if chinese else DONT_KNOW), 0
    return "", 0
