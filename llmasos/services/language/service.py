"""assistant.answer and content.*: words of the model, marked as such, and refused where it can't."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from llmasos.core.base.errors import CutOff, SyscallError
from llmasos.core.base.values import Source, text
from llmasos.core.kernel.process import Process
from llmasos.core.kernel.syscall import syscall
from llmasos.core.kernel.trap import Caller
from llmasos.services.language import extract, forms
from llmasos.services.language.context import Message
from llmasos.services.language.hygiene import Manners, tidy
from llmasos.services.language.models import CONFIGURE, ENGLISH_ONLY_CHINESE, ability
from llmasos.services.language.speech import SAMPLING, Speaker, Voice
from llmasos.services.safety import Notice, notice
from llmasos.services.safety.service import note
from llmasos.services.script import has_chinese

SYSTEM = "You are a helpful assistant. Give short, plain answers."
LONGEST = 8_000
"""Characters of a question or a topic."""
IN_WORDS = 1_200
"""Characters up to which a text is summarized in the model's words; of a longer one the best sentences."""
_LEANS = re.compile(
    r"\b(?:it|its|that|this|those|these|they|them|he|him|she|her|more|again|instead|another)\b"
    r"|^(?:and|but|why|how come|so)\b"
    r"|[它他她]|那|这|为什么|再",
    re.IGNORECASE,
)
_LAST = "assistant.last"
Ground = Callable[[Caller, str], Awaitable[dict[str, Any] | None]]
"""Answers a question from what there is, as the value of the call; None where the model should."""
TINY = "From a very small model that knows little; nothing of yours answers this."
_ENGLISH = frozenset({"", "english", "en", "英语", "英文"})


@dataclass(frozen=True, slots=True)
class Said:
    """What the model said.

    Attributes:
        words: All of it, with a notice in place of each sentence that was held back.
        notices: The notices.
        cut: Why it broke off, where it did.
    """

    words: str
    notices: Sequence[Notice]
    cut: str = ""

    @property
    def source(self) -> Source:
        """Whose words these are: the system's, where nothing of the model's was let through."""
        return "model" if notice.without(self.words) else "system"


class Language:
    """Words from the model.

    Args:
        speaker: The model's voice.
        native: A model other than the bundled one was named, so translating is worth a try.
        grounds: Where answers are looked for before the model is asked; None asks the model at once.
    """

    def __init__(self, speaker: Speaker, *, native: bool = False, grounds: Ground | None = None) -> None:
        self._speaker = speaker
        self._native = native
        self._grounds = grounds

    @syscall("assistant.answer", effect="read")
    async def answer(self, caller: Caller, question: str) -> dict[str, Any]:
        """Answer, explain, chat: whatever asks for words.

        Args:
            question: The question.

        Examples:
            why do leaves turn red in autumn
            explain what a mortgage is
            hello, how are you doing?
            为什么海水是咸的
        """
        asked = _bounded(question, "question")
        last = caller.session.state.get(_LAST)
        aid = self._speaker.moderation.aid(asked, [last[0]] if last else [])
        if aid:
            caller.session.state[_LAST] = (asked, str(aid))
            return text(aid, source="system")
        found = await self._grounds(caller, asked) if self._grounds else None
        if found:
            caller.session.state[_LAST] = (asked, found["text"])
            return found
        engine = await self._speaker.engine()
        can = ability(engine.name)
        if has_chinese(asked) and can.english_only:
            # What it would write has nothing to do with the question; that is worse than no answer.
            return text(ENGLISH_ONLY_CHINESE, source="system")
        messages = [Message("system", SYSTEM)]
        # An earlier answer helps only where the question leans on it; otherwise a small model clings to it.
        if last and last[1] and (not can.tiny or (len(asked) < 80 and _LEANS.search(asked))):
            messages += [Message("user", last[0]), Message("assistant", last[1])]
        messages.append(Message("user", asked))
        # A tiny model is right at first, if at all, and rambles after that.
        said = await self._words(
            caller,
            "answer",
            messages,
            tokens=160 if can.tiny else 600,
            temperature=0.3 if can.tiny else 0.7,
            sentences=4 if can.tiny else 0,
        )
        caller.session.state[_LAST] = (asked, notice.without(said.words))
        marked = TINY if can.tiny and said.source == "model" else ""
        return text(said.words, source=said.source, note=" ".join(filter(None, (_noted(caller, said), marked))))

    @syscall("content.write", effect="read")
    async def write(
        self, caller: Caller, kind: str, topic: str, style: str | None = None, language: str | None = None
    ) -> dict[str, Any]:
        """Write a text: story, poem, quest, dialogue, description, email, plan, ...

        Args:
            kind: The noun for the text.
            topic: What it is about.
            style: How it should sound.
            language: The language to write in.

        Examples:
            write a short story about a lost umbrella
            compose a cheerful poem on Mondays
            draft a polite email about the broken heating
            写一首关于月亮的诗
        """
        about = _bounded(topic, "topic")
        sort = " ".join(kind.split())[:60] or "text"
        wanted = (language or "").strip()
        engine = await self._speaker.engine()
        can = ability(engine.name)
        if can.english_only and wanted.casefold() not in _ENGLISH:
            raise SyscallError("ENOTSUP", f"The model in use writes English only, not {wanted}.", CONFIGURE)
        chosen = forms.form(sort)
        asked = forms.request(chosen, sort, about, (style or "").strip()[:200], wanted)
        opening = chosen.opening.replace("{topic}", forms.title(about))
        said = await self._words(
            caller,
            f"write {sort}"[:24],
            [Message("user", asked)],
            tokens=chosen.tokens if can.tiny else 3 * chosen.tokens,
            opening=opening,
            # What is put in shape afterwards is shown when it has it: nothing that was shown is taken back.
            stream=not (chosen.numbered or chosen.lines or chosen.prose or chosen.closing),
        )
        words = forms.shaped(chosen, said.words)
        heading = forms.title(about) if chosen.titled else ""
        language_note = ENGLISH_ONLY_CHINESE if has_chinese(about) and can.english_only else ""
        return text(words, source=said.source, title=heading, note=_noted(caller, said) or language_note)

    @syscall("content.translate", effect="read")
    async def translate(self, caller: Caller, text: str, language: str) -> dict[str, Any]:
        """Translate a text into a language.

        Args:
            text: What to translate.
            language: Into which language.

        Examples:
            translate "where is the station" into Italian
            how do you say good evening in Polish
            把“谢谢”翻译成法语
        """
        said = _bounded(text, "text")
        engine = await self._speaker.engine()
        if not self._native or ability(engine.name).tiny:
            raise SyscallError(
                "ENOTSUP",
                f"The model in use ({engine.name}) can't translate into {language}.",
                f"{CONFIGURE[:-1]}, one that knows {language}.",
            )
        asked = f"Translate into {language}. Write the translation and nothing else.\n\n{said}"
        made = await self._words(caller, "translate", [Message("user", asked)], tokens=len(said) + 64, temperature=0.0)
        return _text(made.words, source=made.source, title=language, note=_noted(caller, made))

    @syscall("content.summarize", effect="read")
    async def summarize(self, caller: Caller, text: str) -> dict[str, Any]:
        """Summarize a given text.

        Args:
            text: The text.

        Examples:
            summarize this: the board met on Tuesday and put off the vote because two members were ill
            give me the gist of the following text
            总结一下这段话
        """
        whole = text.strip()
        if not whole:
            raise SyscallError("EINVAL", "There is no text to summarize.")
        best = extract.summarize(whole)
        sentences = extract.sentences(whole)
        engine = await self._speaker.engine() if len(sentences) > 2 and len(whole) <= IN_WORDS else None
        if engine is None or (has_chinese(whole) and ability(engine.name).english_only):
            return _text(best, source="system", note="Its own sentences, chosen and not rewritten.")
        asked = f"{whole}\n\nSummarize the text above in one or two short sentences."
        made = await self._words(
            caller, "summarize", [Message("user", asked)], tokens=90, temperature=0.2, stream=False
        )
        if not made.cut and not made.notices and _faithful(made.words, whole):
            return _text(made.words)
        return _text(best, source="system", note="Its own sentences, chosen and not rewritten.")

    async def _words(
        self,
        caller: Caller,
        name: str,
        messages: list[Message],
        *,
        tokens: int,
        opening: str = "",
        temperature: float = 0.7,
        sentences: int = 0,
        stream: bool = True,
    ) -> Said:
        """What the model says, streamed to the person, computed by a process of its own."""
        sampling = replace(SAMPLING, max_tokens=tokens, temperature=temperature)
        if not temperature:
            sampling = replace(sampling, repeat_penalty=1.0)
        voice = Voice(
            sampling=sampling,
            manners=Manners(person=caller.session.person, sentences=sentences),
            opening=opening,
            stop=("\nUser:",),
        )
        stable = 1 if messages[0].role == "system" else 0
        said = cut = ""
        notices: list[Notice] = []

        async def heard(piece: str) -> None:
            nonlocal said
            said += piece
            if isinstance(piece, Notice):
                notices.append(piece)
            if stream:
                await caller.session.front.words(piece)

        async with self._aside(caller, name) as process:
            try:
                await self._speaker.say(process, messages, voice, stable=stable, on_piece=heard)
            except CutOff as error:
                if not tidy(said.removeprefix(opening)):
                    raise
                cut = str(error)
        if not tidy(said.removeprefix(opening)):
            raise SyscallError("EIO", "The model found no words for that.", "Say it in other words, or try again.")
        return Said(tidy(said), notices, cut)

    @asynccontextmanager
    async def _aside(self, caller: Caller, name: str) -> AsyncIterator[Process]:
        """A child process for one text: seen in `ps`, and killed without killing the caller."""
        processes = self._speaker.processes
        process = processes.spawn(caller.process, name=name, program="words", priority=caller.process.priority)
        try:
            yield process
        finally:
            await processes.exit(process)
            if caller.process.alive:
                await processes.wait(caller.process, process.pid)


def _noted(caller: Caller, said: Said) -> str:
    """What the person should know beside what the model said."""
    return " ".join(filter(None, (note(caller, said.notices), said.cut)))


def _text(words: str, *, source: Any = "model", title: str = "", note: str = "") -> dict[str, Any]:
    return text(words, source=source, title=title, note=note)


def _bounded(said: str, what: str) -> str:
    words = said.strip()
    if not words:
        raise SyscallError("EINVAL", f"The {what} is empty.")
    if len(words) > LONGEST:
        raise SyscallError("E2BIG", f"The {what} has {len(words):,} characters; {LONGEST:,} is the limit.")
    return words


def _faithful(summary: str, whole: str) -> bool:
    """Whether a summary is shorter than its text and names no number or name that isn't in it."""
    if not summary or len(summary) > 0.8 * len(whole):
        return False
    known = {word.casefold().removesuffix("'s") for word in re.findall(r"[\w'-]+", whole)}
    inner = re.findall(r"(?<![.!?\s])\s+([A-Z][\w'-]+)|(\d[\d.,]*)", summary)
    named = {(a or b.rstrip(".,")).casefold().removesuffix("'s") for a, b in inner}
    content = extract.words(summary)
    shared = sum(w in known for w in content) / len(content) if content else 0.0
    return named <= known and shared >= 0.6
