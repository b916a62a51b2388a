"""assistant.answer and content.*: words of the model, marked as such, and refused where it can't."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from llmasos.core.base.errors import CutOff, SyscallError
from llmasos.core.base.values import Source, text
from llmasos.core.engine.openai.address import called
from llmasos.core.kernel.syscall import Written, syscall
from llmasos.core.kernel.trap import Caller
from llmasos.services.language import extract, forms, models, pieces, tongue
from llmasos.services.language.aside import aside
from llmasos.services.language.context import Message
from llmasos.services.language.forms import Form, Length, Part
from llmasos.services.language.hygiene import Manners, tidy
from llmasos.services.language.models import CONFIGURE, TRANSLATOR
from llmasos.services.language.speech import SAMPLING, Speaker, Voice
from llmasos.services.safety import Notice, notice
from llmasos.services.safety.service import note
from llmasos.services.script import has_chinese
from llmasos.services.sentences import whole as sentences_of

SYSTEM = "You are a helpful assistant. Give short, plain answers."
LONGEST = 8_000
"""Characters of a question or a topic."""
IN_WORDS = 1_200
"""Characters up to which a text is summarized in the model's words; of a longer one the best sentences."""
PARTS = 0.5
"""The temperature of a part at its first attempt."""
PORTION = 1_200
"""Characters that are translated at once."""
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
        translator: The model that translates, by name; empty for the one that speaks, where it can.
        grounds: Where answers are looked for before the model is asked; None asks the model at once.
    """

    def __init__(self, speaker: Speaker, *, translator: str = "", grounds: Ground | None = None) -> None:
        self._speaker = speaker
        self._translator = translator
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
        can = models.of(await self._speaker.engine())
        spoken = "zh" if has_chinese(asked) else tongue.of(asked)
        if not can.knows(spoken):
            # What it would write has nothing to do with the question; that is worse than no answer.
            return text(tongue.sorry(spoken), source="system")
        in_it = f" Answer in {tongue.name(spoken)}." if spoken not in ("", "en") else ""
        messages = [Message("system", SYSTEM + in_it)]
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
        self,
        caller: Caller,
        kind: str,
        topic: str,
        style: str | None = None,
        language: str | None = None,
        length: Annotated[Length | None, Written()] = None,
    ) -> dict[str, Any]:
        """Write a text: story, poem, quest, dialogue, description, email, plan, ...

        A quest has a goal, steps and a reward, a dialogue lines by turns, a plan steps, a story a beginning, a turn and
        an end. Where a model is asked for them one by one, they come in `parts` too, for programs.

        Args:
            kind: The noun for the text.
            topic: What it is about.
            style: How it should sound.
            language: The language to write in.
            length: How long it gets; without it, as the kind and the style say ("short", "in seven steps").

        Examples:
            write a short story about a lost umbrella
            compose a cheerful poem on Mondays
            draft a polite email about the broken heating
            写一首关于月亮的诗
        """
        about = _bounded(topic, "topic")
        sort = " ".join(kind.split())[:60] or "text"
        how = (style or "").strip()[:200]
        wanted = (language or "").strip()
        can = models.of(await self._speaker.engine())
        code = tongue.named(wanted) if wanted else tongue.of(f"{about} {how}")
        if wanted and not can.knows(code or "?"):
            raise SyscallError("ENOTSUP", f"The model in use writes English only, not {wanted}.", CONFIGURE)
        understood = can.knows(code)
        if not wanted and understood and code != "en":
            wanted = tongue.name(code)
        chosen = forms.sized(forms.form(sort), forms.length(length, sort, how), forms.count(sort, how))
        chosen = forms.localised(chosen, code if understood else "")
        who = forms.speakers(about, sort, how)
        asked = [Message("user", forms.request(chosen, sort, about, how, wanted, who, small=can.tiny))]
        said, parts = await self._written(caller, sort, chosen, about, who, asked, tiny=can.tiny)
        shown = text(
            said.words,
            source=said.source,
            title=forms.title(about) if chosen.titled else "",
            note=_noted(caller, said) or ("" if understood else tongue.sorry(code)),
        )
        return {**shown, "parts": [{"name": part.name, "text": part.text} for part in parts]} if parts else shown

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
        engine = await self._speaker.engine(self._translator)
        can, target, spoken = models.of(engine), tongue.named(language), tongue.of(said)
        if can.tiny or not (can.knows(target or "?") and can.knows(spoken)):
            raise SyscallError(
                "ENOTSUP",
                f"The model in use ({called(engine.name)}) can't translate into {language}.",
                TRANSLATOR,
            )
        into, made = tongue.name(target) or language, list[Said]()
        for part in _portions(said):
            asked = f"Translate into {into}. Write the translation and nothing else.\n\n{part.strip()}"
            # Shown when it is known to be one: nothing that was shown is taken back.
            done = await self._words(
                caller, "translate", [Message("user", asked)], tokens=len(part) + 64, temperature=0.0, stream=False,
                model=self._translator,
            )  # fmt: skip
            if not _is_in(done.words, target, spoken):
                raise SyscallError("EIO", f"What {called(engine.name)} wrote isn't {into}.", TRANSLATOR)
            made.append(replace(done, words=done.words + part[len(part.rstrip()) :]))
        whole = Said("".join(one.words for one in made).strip(), [n for one in made for n in one.notices], made[-1].cut)
        return _text(whole.words, source=whole.source, title=into, note=_noted(caller, whole))

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
        own = "Its own sentences, chosen and not rewritten."
        if len(extract.sentences(whole)) <= 2:
            return _text(best, source="system", note=own)
        can = models.of(await self._speaker.engine())
        spoken = "zh" if has_chinese(whole) else tongue.of(whole)
        # Of a long text the model reads its best sentences: what it can't read at once it can't sum up.
        basis = whole if len(whole) <= IN_WORDS else best
        if not can.knows(spoken) or len(basis) > IN_WORDS:
            return _text(best, source="system", note=own)
        asked = f"{basis}\n\nSummarize the text above in one or two short sentences."
        if spoken not in ("", "en"):
            asked += f" Write in {tongue.name(spoken)}."
        made = await self._words(
            caller, "summarize", [Message("user", asked)], tokens=90, temperature=0.2, stream=False
        )
        if not made.cut and not made.notices and _faithful(made.words, basis):
            note = "" if basis is whole else "In the model's words, of the sentences that say most of it."
            return _text(made.words, note=note)
        return _text(best, source="system", note=own)

    async def _written(
        self,
        caller: Caller,
        sort: str,
        chosen: Form,
        about: str,
        who: Sequence[str],
        asked: list[Message],
        *,
        tiny: bool,
    ) -> tuple[Said, list[pieces.Piece]]:
        """A text of a form: whole from a model that keeps to it, part by part from one that doesn't."""
        name = f"write {sort}"[:24]
        formed = bool(chosen.labels or chosen.numbered)
        if not (tiny and chosen.parts):
            said = await self._words(
                caller,
                name,
                asked,
                tokens=chosen.tokens if tiny else 3 * chosen.tokens,
                opening=forms.opening(chosen, about, who),
                # What is put in shape afterwards is shown when it has it: nothing that was shown is taken back.
                stream=not (formed or chosen.lines or chosen.prose or chosen.closing),
            )
            words = forms.shaped(chosen, said.words)
            if not chosen.parts or not formed or forms.kept(chosen, words, who):
                return replace(said, words=words), []
        return await self._in_parts(caller, name, chosen, who, asked)

    async def _in_parts(
        self, caller: Caller, name: str, chosen: Form, who: Sequence[str], asked: list[Message]
    ) -> tuple[Said, list[pieces.Piece]]:
        """A text part by part, each shown when it is settled."""
        notices: list[Notice] = []
        person = caller.session.person
        async with aside(self._speaker.processes, caller, name) as process:

            async def say(before: str, part: Part, attempt: int) -> str:
                # The blank behind a label is the model's: its words begin with one.
                opening = before.rstrip(" ")
                sampling = replace(SAMPLING, max_tokens=part.tokens, temperature=PARTS + 0.1 * attempt)
                if self._speaker.seed >= 0:
                    sampling = replace(sampling, seed=(self._speaker.seed + 7919 * attempt + len(before)) % 2**31)
                voice = Voice(
                    sampling=sampling,
                    manners=Manners(person=person, others=who if part.speaks else (), sentences=part.sentences),
                    opening=opening,
                    stop=("\n\n" if part.sentences > 1 else "\n",),
                )
                said = ""

                async def heard(piece: str) -> None:
                    nonlocal said
                    said += piece
                    if isinstance(piece, Notice):
                        notices.append(piece)

                await self._speaker.say(process, asked, voice, on_piece=heard)
                return said.removeprefix(opening)

            words, made = await pieces.build(forms.slots(chosen, who), say, caller.session.front.words)
        if not made:
            raise SyscallError("EIO", "The model found no words for that.", "Say it in other words, or try again.")
        return Said(words, notices), made

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
        model: str = "",
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
            model=model,
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

        async with aside(self._speaker.processes, caller, name) as process:
            try:
                await self._speaker.say(process, messages, voice, stable=stable, on_piece=heard)
            except CutOff as error:
                if not tidy(said.removeprefix(opening)):
                    raise
                cut = str(error)
        if not tidy(said.removeprefix(opening)):
            raise SyscallError("EIO", "The model found no words for that.", "Say it in other words, or try again.")
        return Said(tidy(said), notices, cut)


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


def _portions(said: str) -> list[str]:
    """A text in parts of whole sentences that a model translates at once; together they are the text."""
    found = [""]
    for sentence in sentences_of(said):
        if found[-1] and len(found[-1]) + len(sentence) > PORTION:
            found.append("")
        found[-1] += sentence
    return found


def _is_in(words: str, target: str, source: str) -> bool:
    """Whether a translation can be in its language: written in its script, or at least no longer in the old one."""
    found = tongue.of(words)
    if target in tongue.OWN_SCRIPT:
        return found == target
    return found in ("", target) or found not in (source, *tongue.OWN_SCRIPT)


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
