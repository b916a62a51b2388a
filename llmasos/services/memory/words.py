"""Words of a text, for search by words: English and its kin by stem, Chinese by pairs of characters."""

from __future__ import annotations

import re
import unicodedata

from llmasos.services.script import has_chinese

_RUN = re.compile(r"[\u3400-\u9fff]+|[^\W_\u3400-\u9fff]+(?:['’][^\W_\u3400-\u9fff]+)?")
_STOP = frozenset(
    """a about all am an and any anything are as at be been but by can could did do does ever
    everything for from had has have he her him his how i if in into is it its know known me mine
    my of on or our please she should so some something tell than that the their them then there
    they this to us was we were what when where which who whom whose why will with would you your
    called name's say said regarding concerning""".split()  # noqa: SIM905
)
# Function characters split a run, so that no pair is made across them: 我的狗叫什么 asks for 狗叫.
_STOP_CHINESE = re.compile(
    "什么|怎么|哪里|哪儿|多少|关于|有关|一切|所有|全部|知道|告诉"
    "|[我你您他她它们的了吗呢吧啊是在和与就都也很把被这那哪谁几]"
)
_EVERYTHING = frozenset(
    {"everything", "all", "all of it", "anything", "it all", "一切", "所有", "全部", "所有的", "全部的"}
)


def means_everything(query: str) -> bool:
    """Whether a query asks for all there is."""
    return query.strip(" .!?。！？").casefold() in _EVERYTHING


def normalized(text: str) -> str:
    """A text in the form in which two writings of the same are equal."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def terms(text: str, *, query: bool = False) -> list[str]:
    """The content words of a text, stemmed, in order.

    Args:
        text: Any.
        query: Chinese gives pairs of characters, and single ones only where they stand alone; a text to be
            found gives both, so that either finds it.
    """
    found: list[str] = []
    for match in _RUN.finditer(normalized(text)):
        run = match[0]
        if not has_chinese(run):
            if run not in _STOP:
                found.append(_stem(run))
            continue
        for part in _STOP_CHINESE.split(run):
            found += [part[i : i + 2] for i in range(len(part) - 1)]
            if len(part) == 1 or not query:
                found += part
    # "What is the name of my dog?" asks for the dog; a text that says "called" has no name in it.
    return [term for term in found if term != "name"] or found if query else found


def surfaces(text: str, term: str) -> list[str]:
    """The words of a text, as they are written, that have a term as their stem; a Chinese term is its own."""
    if has_chinese(term):
        return [term] if term in text else []
    return [match[0] for match in _RUN.finditer(text) if _stem(normalized(match[0])) == term]


def _stem(word: str) -> str:
    word = re.sub(r"['’](?:s|t|re|ve|ll|d|m)?$", "", word)
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("s", "")):
        if len(word) > 3 and word.endswith(ending) and not word.endswith(("ss", "us", "is")):
            return word[: -len(ending)] + instead
    for ending in ("ing", "ed"):
        if len(word) > len(ending) + 3 and word.endswith(ending):
            return word[: -len(ending)]
    return word
