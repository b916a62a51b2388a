"""What was said and shown just before, so that "delete it", "the second one", "and tomorrow?" have something to lean on.

Two parts: a sentence that leans on the one before is read with it in the prompt (the adapter is trained on such
pairs); and words that point ("it", "the last two", 第二个), which the model copies as they are, are replaced here by what was
shown. Pointing is decided by rules, so that nothing is deleted because a model guessed.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from llmasos.core.base.types import Call, Program, Result
from llmasos.core.base.values import plain, references

REMEMBERED = 6
"""Results that can be pointed at."""
MOST = 20
"""Things that "all of them" may mean at once."""

_SERVICE_OF = {"file": "files", "event": "schedule", "task": "tasks", "memory": "memory", "conversation": "character"}
"""Where a finding of search.find belongs."""
_NAMING = ("path", "destination", "title", "name", "pid", "query")
"""Arguments that name the thing a call was about, where its result doesn't."""
_TEXTS = {("content.translate", "text"), ("content.summarize", "text"), ("files.write", "content"),
          ("files.append", "content"), ("memory.remember", "text")}  # fmt: skip
"""Arguments that take the words of what was shown, not its name."""

_NUMBERS = {word: number for number, words in enumerate(
    ("first 1st 一 1", "second 2nd 二 两 2", "third 3rd 三 3", "fourth 4th 四 4", "fifth 5th 五 5", "sixth 6th 六 6",
     "seventh 7th 七 7", "eighth 8th 八 8", "ninth 9th 九 9", "tenth 10th 十 10"), 1
) for word in words.split()}  # fmt: skip
_COUNTS = {"two": 2, "three": 3, "four": 4, "five": 5, "couple": 2, "两": 2, "二": 2, "三": 3, "四": 4, "五": 5}
_NOUN = r"(?:one|ones|file|files|document|note|event|events|reminder|appointment|meeting|task|tasks|to-?do|item|entry|result|results|match|device|light|lamp|app|character|process|memory)"
_ZH_NOUN = r"(?:个|条|份|项|盏|台|位|件|篇|张)?(?:文件|日程|提醒|任务|待办|设备|灯|结果|角色|人|应用|进程)?"
_ONE = re.compile(
    rf"(?:it|its?|that|this|him|her|he|she|them|they|the same(?: one)?|(?:that|this|the same|said) {_NOUN}|the {_NOUN})"
    rf"|它|他|她|(?:刚才|刚刚|上面|前面)?(?:那|这){_ZH_NOUN}|刚才的|上一个",
    re.IGNORECASE,
)
_ORDINAL = re.compile(
    rf"(?:the |number |no\.? |#)?(?P<en>first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|\d{{1,2}}(?:st|nd|rd|th)?|last)(?: {_NOUN})?"
    rf"|第(?P<zh>[一二两三四五六七八九十]|\d{{1,2}}){_ZH_NOUN}|(?P<last>最后(?:那|一)?{_ZH_NOUN})",
    re.IGNORECASE,
)
_MANY = re.compile(
    rf"them|them all|they|those|these|both|both of them|all|all of (?:them|those|these)|(?:those|these|all the|both) {_NOUN}"
    rf"|它们|他们|这些|那些|全部|所有的?|两个都?|都|这些{_ZH_NOUN}|那些{_ZH_NOUN}",
    re.IGNORECASE,
)
_SOME = re.compile(
    rf"(?:the )?(?P<end>first|last) (?P<count>two|three|four|five|couple|\d)(?: {_NOUN})?|(?P<zhend>前|后|最后)(?P<zhcount>[两二三四五]|\d){_ZH_NOUN}",
    re.IGNORECASE,
)
_LEANS = re.compile(
    r"^(?:and|no|nope|nah|not|what about|how about|also|then|again|once more|one more|actually|instead|rather|make|same|yes|"
    r"ok(?:ay)?|but|or|i meant?|sorry|shorter|longer|in [a-z]+(?: please)?$)\b"
    r"|\b(?:it|its|that|this|them|those|these|they|ones?|him|her|there|both|again|instead|too|as well|either|others?|same|"
    r"first|second|third|fourth|fifth|last)\b"
    r"|^(?:那|不|还有|再|也|改|换|同样|一样|还是|然后|另外|接着|短|长)|[它他她]|[这那](?!么|里的|边)|第.{1,2}[个条份项]|最后|刚才|刚刚|上面|也|都",
    re.IGNORECASE,
)
_SHORT_WORDS, _SHORT_CHARACTERS = 3, 6
_MEANT = re.compile(
    r"^(?:no[,. ]+)?(?:sorry[,. ]+)?(?:i|we) mean(?:t)?(?: to say)?[,: ]+(?P<en>.+)$|^不[是对]?[,， ]*我(?:是)?(?:说|要|想)(?:的是)?[,，:： ]*(?P<zh>.+)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What one result named.

    Attributes:
        service: `files`, `schedule`, ...
        refs: What later calls would name its things by.
        words: The result as text.
    """

    service: str
    refs: tuple[str, ...]
    words: str


@dataclass
class Dialogue:
    """The memory of one session.

    Attributes:
        said: The last sentence.
        program: What it was read as, pointing words resolved.
        shown: What results named, newest first.
    """

    said: str = ""
    program: Program = ()
    shown: deque[Shown] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def note(self, said: str, program: Program, results: Iterable[Result]) -> None:
        """Remember an exchange."""
        self.said, self.program = said, program
        for result in results:
            if result.ok:
                for shown in _shown(result):
                    self.shown.appendleft(shown)

    def before(self, line: str) -> tuple[str, Program] | None:
        """The exchange before, where a sentence leans on it."""
        return (self.said, self.program) if self.program and leans(line) else None

    def candidates(self, call: Call, argument: str) -> list[str]:
        """What the value of an argument points at: nothing where it doesn't point, several where that isn't plain."""
        value = call.args.get(argument)
        if not isinstance(value, str) or argument in call.references:
            return []
        said = value.strip(" .,!?。，！？")
        if (call.syscall, argument) in _TEXTS:
            return [self.shown[0].words] if self.shown and _ONE.fullmatch(said) else []
        service = call.syscall.partition(".")[0]
        shown = next((s for s in self.shown if s.service == service and s.refs), None)
        return pointed(said, shown.refs) if shown else []

    def resolved(self, program: Program, picked: Mapping[tuple[int, str], str]) -> Program:
        """The program with what it points at; one call for each of several things.

        Args:
            program: As the model read it.
            picked: (number of the call, argument) -> the one of several things that the person chose.
        """
        calls: list[Call] = []
        alone = len(program) == 1
        for number, call in enumerate(program):
            made = [call]
            for argument in call.args:
                meant = self.candidates(call, argument)
                one = picked.get((number, argument))
                if one is not None:
                    meant = [one]
                if meant and (alone or len(meant) == 1):
                    made = [replace(c, args={**c.args, argument: ref}) for c in made for ref in meant[:MOST]]
            calls += made
        return tuple(calls)


def leans(line: str) -> bool:
    """Whether a sentence may need the one before it: it points, continues, corrects, or is very short."""
    if _LEANS.search(line):
        return True
    han = len(re.findall(r"[\u3400-\u9fff]", line))
    return 0 < han <= _SHORT_CHARACTERS if han else len(line.split()) <= _SHORT_WORDS


def meant(line: str) -> str:
    """The sentence in "no, I meant ...", empty where it is none."""
    match = _MEANT.match(line.strip())
    return (match["en"] or match["zh"]).strip() if match else ""


def points_at_many(said: str) -> bool:
    """Whether words mean several things on purpose, so that nobody need be asked which."""
    said = said.strip(" .,!?。，！？")
    return bool(_MANY.fullmatch(said) or _SOME.fullmatch(said)) and said.casefold() not in ("they",)


def pointed(said: str, refs: Sequence[str]) -> list[str]:
    """The refs that words point at; empty where they don't point, or where there is no such one."""
    if said in refs:
        return []
    some = _SOME.fullmatch(said)
    if some:
        text = some["count"] or some["zhcount"]
        count = _COUNTS.get(text.casefold(), 0) or int(text)
        return list(refs[:count] if (some["end"] or some["zhend"]).casefold() in ("first", "前") else refs[-count:])
    ordinal = _ORDINAL.fullmatch(said)
    if ordinal and not said.isdigit():
        word = (ordinal["en"] or ordinal["zh"] or "last").casefold()
        if word == "last":
            return list(refs[-1:])
        number = _NUMBERS.get(word) or int(re.match(r"\d+", word)[0])  # type: ignore[index]  # digits, by the pattern
        return list(refs[number - 1 : number])
    if _MANY.fullmatch(said) or _ONE.fullmatch(said):
        return list(refs)
    return []


def _shown(result: Result) -> Iterable[Shown]:
    service = result.call.syscall.partition(".")[0]
    value: Any = result.value
    words = plain(value)
    if isinstance(value, Mapping) and value.get("type") == "items" and value.get("kind") == "finding":
        for where, of in _SERVICE_OF.items():
            refs = tuple(str(row["ref"]) for row in value["items"] if row.get("where") == where)
            if refs:
                yield Shown(of, refs, words)
        return
    refs = tuple(references(value)) if isinstance(value, Mapping) else ()
    listed = isinstance(value, Mapping) and value.get("type") == "items"
    if not refs and not listed:
        named = next((result.call.args[name] for name in _NAMING if result.call.args.get(name)), None)
        refs = (str(named),) if named is not None else ()
    if refs or words:
        yield Shown(service, refs, words)
