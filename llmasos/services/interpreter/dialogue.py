"""What was said and shown just before, so that "delete it", "the second one", "and tomorrow?" can lean on it.

Two parts: a sentence that leans on the one before is read with it in the prompt (the adapter is trained on such
pairs); and words that point ("it", "the last two", 第二个), which the model copies as they are, are replaced here by
what was shown. Pointing is decided by rules, so that nothing is deleted because a model guessed.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from llmasos.core.base.types import Call, Program, Result
from llmasos.core.base.values import plain, references
from llmasos.core.kernel.labels import of_each, of_names

REMEMBERED = 6
"""Results that can be pointed at."""
MOST = 20
"""Things that "all of them" may mean at once."""

_SERVICE_OF = {"file": "files", "event": "schedule", "task": "tasks", "memory": "memory", "conversation": "character"}
"""Where a finding of search.find belongs."""
_EVERY = ""
"""The service of a search over everything that found nothing."""
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
_NOUN = (
    r"(?:one|ones|file|files|document|note|event|events|reminder|appointment|meeting|task|tasks|to-?do|item|entry|"
    r"result|results|match|device|light|lamp|app|character|process|memory)"
)
_ZH_MEASURE = "(?:个|条|份|项|盏|台|位|件|篇|张)"
_ZH_THING = "(?:文件|日程|提醒|任务|待办|设备|灯|结果|角色|人|应用|进程)"
_ZH_NOUN = f"{_ZH_MEASURE}?{_ZH_THING}?"
_ONE = re.compile(
    rf"(?:it|its?|that|this|him|her|he|she|them|they|the same(?: one)?|(?:that|this|the same|said) {_NOUN}|the {_NOUN})"
    rf"|它|他|她|(?:刚才|刚刚|上面|前面)?(?:那|这){_ZH_NOUN}|刚才的|上一个",
    re.IGNORECASE,
)
_ORDINAL = re.compile(
    r"(?:the )?(?P<en>first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|\d{1,2}(?:st|nd|rd|th)|last)"
    rf"(?: {_NOUN})?|(?:the )?(?:number |no\.? ?|#)(?P<number>\d{{1,2}})"
    rf"|第(?P<zh>[一二两三四五六七八九十]|\d{{1,2}}){_ZH_NOUN}|(?P<last>最后(?:那|一)?{_ZH_NOUN})",
    re.IGNORECASE,
)
_MANY = re.compile(
    rf"them|them all|they|those|these|all|all of (?:them|those|these)|(?:those|these|all the) {_NOUN}"
    rf"|[它他她]们|全部|全都|所有的?|都|[这那]些{_ZH_NOUN}",
    re.IGNORECASE,
)
_SOME = re.compile(
    rf"(?:the )?(?P<end>first|last) (?P<count>two|three|four|five|couple|[1-9])(?: {_NOUN})?"
    rf"|(?P<zhend>前|后|最后)(?P<zhcount>[两二三四五1-9]){_ZH_NOUN}",
    re.IGNORECASE,
)
_COUNTED = re.compile(
    rf"(?P<both>both)(?: of (?:them|those|these)|(?: the)? {_NOUN})?"
    rf"|(?:the|those|these|all) (?P<count>two|three|four|five|[2-9])(?: of (?:them|those|these)| {_NOUN})?"
    rf"|[这那]?(?P<zhcount>[两二三四五2-9]){_ZH_MEASURE}{_ZH_THING}?都?",
    re.IGNORECASE,
)
"""As many as there are: "both" of three points at nothing."""
_LEANS = re.compile(
    r"^(?:and|no|nope|nah|not|what about|how about|also|then|again|once more|one more|actually|instead|rather|make|same"
    r"|yes|ok(?:ay)?|but|or|i meant?|sorry|shorter|longer|in [a-z]+(?: please)?$)\b"
    r"|\b(?:it|its|that|this|them|those|these|they|ones?|him|her|there|both|again|instead|too|as well|either|others?"
    r"|same|first|second|third|fourth|fifth|last)\b"
    r"|^(?:那|不|还有|再|也|改|换|同样|一样|还是|然后|另外|接着|短|长)|[它他她]|[这那](?!么|里的|边)"
    r"|第.{1,2}[个条份项]|最后|刚才|刚刚|上面|也|都",
    re.IGNORECASE,
)
_SHORT_WORDS, _SHORT_CHARACTERS = 3, 6
_AGAIN = re.compile(
    r"(?:(?:and |please )?(?:(?:(?:do|run) (?:it|that|this) )?(?:again|once more|one more time)|repeat(?: that| it)?)"
    r"|(?:再|重新)?(?:来|做|运行|执行)?(?:一次|一遍)|再来)[.!。！]?",
    re.IGNORECASE,
)
_MEANT = re.compile(
    r"^(?:(?:no|nope|sorry|wait)[,.! ]+)+(?:i|we) mean(?:t)?(?: to say)?[,: ]+(?P<en>.+)$"
    r"|^不[是对]?[,， ]*我(?:是)?(?:说|要|想)(?:的是)?[,，:： ]*(?P<zh>.+)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What one result named.

    Attributes:
        service: `files`, `schedule`, ...; `_EVERY` where it was about all of them.
        refs: What later calls would name its things by.
        words: The result as text.
        listed: Whether it was a list, whose places "the second one" counts.
        labels: Where it comes from, as far as that isn't the person.
        whose: Of refs that aren't the person's own words: whose they are.
    """

    service: str
    refs: tuple[str, ...]
    words: str
    listed: bool = False
    labels: frozenset[str] = frozenset()
    whose: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass
class Dialogue:
    """The memory of one session.

    Attributes:
        said: The last sentence, also one that wasn't understood.
        program: What it was read as, pointing words resolved; empty where it wasn't.
        corrected: The sentence that the last one corrected, or empty; a further correction is of that one.
        folder: The current folder when that was.
        shown: What results named, newest first.
    """

    said: str = ""
    program: Program = ()
    corrected: str = ""
    folder: str = ""
    shown: deque[Shown] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def again(self, line: str) -> Program:
        """The last program, where a line asks for it once more; empty where it doesn't."""
        return self.program if _AGAIN.fullmatch(line.strip()) else ()

    def begin(self, said: str, corrected: str) -> None:
        """A new sentence: until it is understood, there is nothing to lean on but what was shown."""
        self.said, self.program, self.corrected = said, (), corrected

    def moved(self, folder: str) -> None:
        """The current folder is another one, so that names of files mean others: nothing is done again there."""
        self.folder = folder
        self.program = ()
        kept = [shown for shown in self.shown if shown.service != "files"]
        self.shown.clear()
        self.shown.extend(kept)

    def note(self, program: Program, results: Iterable[Result]) -> None:
        """Remember what came of the sentence."""
        self.program = program
        for _, made in groupby(results, key=lambda result: result.call.syscall):
            shown = [one for result in made for one in _shown(result)]
            if len(shown) > 1 and not any(one.listed for one in shown):
                refs = tuple(dict.fromkeys(ref for one in shown for ref in one.refs))
                words = "\n".join(one.words for one in shown if one.words)
                labels = frozenset[str]().union(*(one.labels for one in shown))
                whose = {ref: labels for one in shown for ref, labels in one.whose.items()}
                shown = [Shown(shown[0].service, refs, words, labels=labels, whose=whose)]
            self.shown.extendleft(shown)

    def before(self, line: str) -> tuple[str, Program] | None:
        """The exchange before, where a sentence leans on it."""
        return (self.said, self.program) if self.program and leans(line) else None

    def candidates(self, call: Call, argument: str, *, names_thing: bool) -> list[str]:
        """What the value of an argument points at: nothing where it doesn't point, several where that isn't plain.

        Args:
            call: The call.
            argument: One of its arguments.
            names_thing: Whether the argument names something that is there; a new event's title doesn't.
        """
        return [one for one, _ in self._meant(call, argument, names_thing=names_thing)]

    def _meant(self, call: Call, argument: str, *, names_thing: bool) -> list[tuple[str, frozenset[str]]]:
        """`candidates`, each with the labels of where it comes from."""
        value = call.args.get(argument)
        if not isinstance(value, str) or argument in call.references:
            return []
        said = value.strip(" .,!?。，！？")
        if (call.syscall, argument) in _TEXTS:
            text = next((s for s in self.shown if s.words), None) if _ONE.fullmatch(said) else None
            return [(text.words, text.labels)] if text else []
        if not names_thing:
            return []
        # Also what names nothing: after "nothing found", "it" is none of the things before.
        shown = [s for s in self.shown if s.service in (_service(call), _EVERY)]
        # "Read the first one", "now the second": both count in the list, not in what was read.
        lists = [] if _ONE.fullmatch(said) else [s for s in shown if s.listed]
        newest = next(iter(lists or shown), None)
        return [(ref, newest.whose.get(ref, frozenset())) for ref in pointed(said, newest.refs)] if newest else []

    def resolved(
        self, program: Program, picked: Mapping[tuple[int, str], str], names_thing: Callable[[Call, str], bool]
    ) -> Program:
        """The program with what it points at; one call for each of several things.

        Args:
            program: As the model read it.
            picked: (number of the call, argument) -> the one of several things that the person chose.
            names_thing: Whether an argument of a call names something that is there.
        """
        calls: list[Call] = []
        numbered = any(call.references for call in program)  # which further calls would put out of step
        named: set[str] = set()
        for number, call in enumerate(program):
            made = [call]
            points = False
            for argument in call.args:
                one = picked.get((number, argument))
                # "Read a.txt and delete it" means a.txt, not what was shown before.
                anew = named if (call.syscall, argument) in _TEXTS else named & {_service(call)}
                before = self._meant(call, argument, names_thing=names_thing(call, argument))
                whose = dict(before)
                meant = ([] if anew else [ref for ref, _ in before]) if one is None else [one]
                points = points or bool(meant)
                if meant and (len(meant) == 1 or not numbered):
                    made = [
                        replace(
                            c,
                            args={**c.args, argument: ref},
                            origins={**c.origins, argument: whose.get(ref, frozenset())},
                        )
                        for c in made
                        for ref in meant[:MOST]
                    ]
            if not points:
                named.add(_service(call))
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
    many = _MANY.fullmatch(said) or _SOME.fullmatch(said) or _COUNTED.fullmatch(said)
    return bool(many) and said.casefold() != "they"


def pointed(said: str, refs: Sequence[str]) -> list[str]:
    """The refs that words point at; empty where they don't point, or where there is no such one."""
    if said in refs:
        return []
    some = _SOME.fullmatch(said)
    if some:
        count = _count(some["count"] or some["zhcount"])
        return list(refs[:count] if (some["end"] or some["zhend"]).casefold() in ("first", "前") else refs[-count:])
    counted = _COUNTED.fullmatch(said)
    if counted:
        count = 2 if counted["both"] else _count(counted["count"] or counted["zhcount"])
        return list(refs) if len(refs) == count else []
    ordinal = _ORDINAL.fullmatch(said)
    if ordinal:
        word = (ordinal["en"] or ordinal["number"] or ordinal["zh"] or "last").casefold()
        if word == "last":
            return list(refs[-1:])
        number = _NUMBERS.get(word) or int(re.match(r"\d+", word)[0])  # type: ignore[index]  # digits, by the pattern
        return list(refs[number - 1 : number])
    if _MANY.fullmatch(said) or _ONE.fullmatch(said):
        return list(refs)
    return []


def _count(said: str) -> int:
    return _COUNTS.get(said.casefold()) or int(said)


def _service(call: Call) -> str:
    return call.syscall.partition(".")[0]


def _shown(result: Result) -> Iterable[Shown]:
    """What a result named; of one that failed, what it was to be about, so that "it" is nothing older."""
    service = _service(result.call)
    if not result.ok:
        tried = _named(result.call, ("source", *_NAMING))
        if tried and not any(way.fullmatch(tried) for way in (_ONE, _MANY, _SOME, _COUNTED, _ORDINAL)):
            yield Shown(service, (tried,), "", whose=_whose(result, tried))
        return
    value: Any = result.value
    words = "" if value is None else plain(value)
    each = [(row, str(row.get("ref") or ""), labels) for row, labels in of_each(result)]
    listed = isinstance(value, Mapping) and value.get("type") == "items"
    if listed and value.get("kind") == "finding":
        for where, of in _SERVICE_OF.items():
            refs = tuple(ref for row, ref, _ in each if row.get("where") == where)
            if refs:
                whose = {ref: labels for row, ref, labels in each if labels and row.get("where") == where}
                yield Shown(of, refs, words, listed=True, labels=result.labels, whose=whose)
        if not value["items"]:
            yield Shown(_EVERY, (), words, listed=True)
        return
    refs = tuple(references(value)) if isinstance(value, Mapping) else ()
    if not refs and not listed:
        named = _named(result.call, _NAMING)
        refs = (named,) if named else ()
        whose = _whose(result, named)
    else:
        whose = {ref: labels for _, ref, labels in each if labels}
    if refs or words or listed:
        yield Shown(service, refs, words, listed=listed, labels=result.labels, whose=whose)


def _named(call: Call, arguments: Iterable[str]) -> str:
    said = (name for name in arguments if call.args.get(name) and name not in call.references)
    return next((str(call.args[name]) for name in said), "")


def _whose(result: Result, named: str) -> dict[str, frozenset[str]]:
    """Whose words a call named its thing by, where they weren't the person's."""
    origins = [labels for name, labels in result.call.origins.items() if str(result.call.args.get(name)) == named]
    labels = of_names(result.labels).union(*origins)
    return {named: labels} if named and labels else {}
