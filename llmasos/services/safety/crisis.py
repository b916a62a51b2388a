"""A person in a crisis: the signs of one in what they say, and what is said then instead of a reply.

A fixed, careful, honest sentence by language and country: a character, or a small model, must not improvise here. Signs are
about the speaker or somebody near them; stories, questions about suicide and figures of speech are none.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

from llmasos.services.safety import fold
from llmasos.services.safety.patterns import compiled
from llmasos.services.script import has_chinese

LONGEST = 2_000
"""Characters of a line that are looked at."""
RECENT = 3
"""Lines before one in which a sign makes smaller signs count."""

_SELF = r"(?:kill(?:ing)? myself|end(?:ing)? (?:my(?: own)? life|it all)|hang(?:ing)? myself|shoot(?:ing)? myself|hurt(?:ing)? myself|harm(?:ing)? myself|commit(?:ting)? suicide)"
_WANT = r"(?:want to|wanna|want|wish to|need to|am going to|'m going to|'m gonna|am gonna|will|'ll|am about to|'m about to|feel like|might|plan to|am planning to|'m planning to|keep thinking (?:of|about)|think (?:of|about)|tried to|have tried to)"
_ADVERBS = r"(?:really |just |kinda |so |badly |actually |honestly |always |only |sometimes )*"
_NEAR = (
    r"(?:my|a) (?:best )?(?:friend|brother|sister|son|daughter|child|kid|mom|mum|mother|dad|father|wife|husband|partner|roommate|flatmate|classmate|girlfriend"
    r"|boyfriend|cousin|colleague|student)"
)
_SIGNS = (
    rf"\bi ?{_ADVERBS}{_WANT} {_ADVERBS}{_SELF}"
    rf"|\bi(?:'m| am| feel| have been|'ve been)? {_ADVERBS}(?:thinking|thought|dreaming|thoughts) (?:a lot )?(?:about|of) (?:suicide|dying|{_SELF})"
    rf"|\bi {_ADVERBS}(?:want to|wanna|wish i could|wish to|need to|hope to|hope i) {_ADVERBS}(?:die|not wake up|never wake up|be dead)\b"
    r"(?! (?:in|at|of|on|laughing|from|with|for|as|before|than)\b)"
    r"|\bi(?:'m| am) (?:ready|about|going) to (?:die|end my life)\b(?! (?:in|of|laughing)\b)"
    r"|\bi (?:don't|dont|do not) (?:really |even )?(?:want to|wanna) (?:live|be alive|exist)\b(?! (?:in|with|at|on|near|alone|here|there|like|next|by|under|off)\b)"
    r"|\bi(?:'m| am| feel|'m feeling| am feeling) (?:\w+ )?suicidal\b|\bmy suicid(?:e note|al thoughts)|\bi have suicidal"
    r"|\bi wish (?:that )?i (?:was|were|had) (?:dead|never (?:been )?born)|\bi'd be better off dead|\bi would be better off dead"
    r"|\b(?:world|everyone|everybody|they|you all|my (?:family|parents|kids|friends)|people) (?:would|will|'d|'ll)(?: all| just)? be (?:so much |much )?(?:better(?: off)?|happier) without me"
    r"|\b(?:nobody|no one|no-one) (?:would|will|'d) (?:even )?(?:care|notice|miss me|mind) if i (?:died|die|was dead|were dead|was gone|were gone|disappeared|killed)"
    r"|\b(?:no|any) (?:reason|point) (?:for me )?(?:to|in) (?:live|living|be alive|being alive|go on living)"
    r"|\bi (?:just )?want (?:it all|everything|my life) to (?:just )?(?:end|stop|be over)\b"
    r"|\bi(?:'ve| have|'m| am)? (?:been |started |keep )?(?:cutting|hurting|harming|burning|starving) myself\b(?! (?:a|an|some|off|shaving|on)\b)"
    r"|\bi (?:just )?(?:cut|hurt|burned) myself (?:again|on purpose|to feel|because)"
    r"|\bi(?:'ve| have)? (?:just )?(?:took|taken|swallowed) (?:all|a whole|the whole|every|too many|a bottle|\d{2,}) ?(?:of )?(?:my |the |a |an )*(?:bottle (?:of )?)?(?:sleeping )?(?:pills|tablets|meds|painkillers)"
    r"\b(?![^.!?]*\b(?:doctor|prescribed|usual|breakfast|today's|this morning)\b)"
    r"|\bi(?:'m| am) (?:standing |sitting )?on (?:the|a) (?:bridge|roof|ledge|edge|tracks|balcony)\b[^.!?]*\bjump"
    r"|^kms\b|\b(?:gonna|going to|want to|wanna|might) kms\b"
    rf"|\b{_NEAR}\b[^.!?]{{0,40}}\b(?:kill (?:herself|himself|themselves|themself)|end (?:her|his|their) (?:own )?life|is suicidal|wants? to die|commit suicide)"
)  # fmt: skip
_SIGNS_CHINESE = (
    r"我(?:真的?|好|很|一直|每天|又|还是|就|有时候?|都|现在|只|总|经常|也|控制不住|忍不住|在|已经)*(?:想|要|打算|准备|想过|想着|想去|决定)(?:要|去|着)?"
    r"(?:自杀(?!式)|轻生|去死|寻死|上吊|跳楼|割腕|自残|伤害自己|结束(?:自己的?|我的|这条)?(?:生命|一切)|从(?:楼|阳台|楼顶|桥|窗)(?:上|户)?跳下去)"
    r"|(?:我|活着[^。！？]{0,6}[，,])(?:真的?|好|都|只|就|现在|太|很|也)*想死(?![你我他她它们])"
    r"|(?:我|真的?|都|就|好|也|已经|^)不想(?:再)?活(?:了|下去|着)|(?:我|真的?|快|已经|都)活不下去|死了算了|一死了之|撑不下去了[^。]{0,6}想死"
    r"|没有?我[^。！？]{0,8}(?:更好|更轻松|更幸福|更开心)|我死了[^。！？]{0,6}(?:没人|没有人|谁会)"
    r"|我(?:已经|刚|刚才|刚刚|又)*(?:吃|吞|喝)(?:了|下|下了|掉了)?(?:一?整瓶|一瓶|好多|很多|大量|几十片)(?:的)?(?:安眠药|药|农药|百草枯|止痛药)"
    r"|我(?:又|刚|刚才|昨天|今天|已经|一直|经常)*(?:割腕|自残|割自己|自杀)(?:了|过)?|我(?:已经)?(?:写好|写了|在写)了?遗书|想(?:着)?自杀的事"
    r"|(?:朋友|同学|妹妹|姐姐|哥哥|弟弟|妈妈|爸爸|母亲|父亲|女儿|儿子|室友|老公|老婆|孩子|同事)[^。！？]{0,10}(?:想|要|说)[^。！？]{0,4}(?:自杀|轻生|跳楼|不想活)"
)  # fmt: skip
_AFTER = (
    r"\b(?:nobody|no one|alone|pills?|knife|blade|rope|gun|bridge|roof|pointless|point|matter|goodbye|bye|tonight|tomorrow|now|ready|already|over|done|dead|die|dying"
    r"|hurts?|pain|tired|hopeless|worthless|sorry|yes|yeah|yep|can't|cannot|anymore)\b"
    r"|没有?人|意义|意思|算了|告别|再见|药|刀|楼|桥|今晚|现在|孤独|累|撑|疼|痛|绝望|死|对不起|是的|嗯|准备好"
)
_QUOTED = re.compile(r"\"[^\"]*\"|《[^》]*》|'[^']{3,}'(?!\w)")
_REQUEST = (
    r"^(?:please )?(?:write|compose|draft|translate|summari[sz]e|find|search|remind|remember|save|play|sing|read|define|explain|tell me (?:a|the) (?:story|joke))\b[^.!?,;:]*"
    r"|^(?:请|帮我)?(?:写|翻译|总结|查|找|搜|提醒|记住|讲|解释)[^，。！？]*"
)

_LINES: Mapping[str, tuple[str, str, str]] = {
    "US": ("988 (call or text)", "988", "911"),
    "CA": ("988 (call or text)", "988", "911"),
    "GB": ("Samaritans, 116 123", "116 123", "999"),
    "IE": ("Samaritans, 116 123", "116 123", "112"),
    "AU": ("Lifeline, 13 11 14", "13 11 14", "000"),
    "NZ": ("1737 (call or text)", "1737", "111"),
    "ZA": ("SADAG, 0800 567 567", "0800 567 567", "112"),
    "IN": ("Tele-MANAS, 14416", "14416", "112"),
    "DE": ("TelefonSeelsorge, 116 123", "116 123", "112"),
    "AT": ("TelefonSeelsorge, 142", "142", "112"),
    "CH": ("143", "143", "112"),
    "FR": ("3114", "3114", "112"),
    "ES": ("024", "024", "112"),
    "PL": ("116 123", "116 123", "112"),
    "NL": ("113", "113", "112"),
    "BR": ("CVV, 188", "188", "192"),
    "MX": ("Línea de la Vida, 800 911 2000", "800 911 2000", "911"),
    "KR": ("109", "109", "119"),
    "CN": ("12356", "全国统一心理援助热线 12356", "120 或 110"),
    "HK": ("18111", "情绪通 18111", "999"),
    "TW": ("1925", "安心专线 1925", "119 或 110"),
    "SG": ("SOS, 1767", "SOS 1767", "995"),
}
"""By country: a crisis line, the same in Chinese, and the emergency number."""
_ENGLISH = (
    "This is the program speaking, not a character. What you say matters, and it is more than a program can help with. Please talk to a"
    " human being now: somebody you trust, a doctor, or {where}. If there is danger at this moment, call {emergency}. The same"
    " holds if it is about somebody near you. You needn't be alone with this."
)
_ANYWHERE = "a crisis line of your country (findahelpline.com lists them)"
_EMERGENCY = "your emergency number (112, 911 or 999 in many countries)"
_CHINESE = (
    "这是程序本身在说话，不是角色。你说的事很重要，也超出了程序能帮忙的范围。请现在就和真人谈一谈：你信任的人、医生，或者{where}。"
    "如果此刻有危险，请马上拨打{emergency}。如果说的是你身边的人，也是一样。你不必独自承受。"
)
_ANYWHERE_CHINESE = "心理援助热线（中国大陆：12356；其他地方见 findahelpline.com）"
_EMERGENCY_CHINESE = "当地急救电话（中国大陆：120）"


def is_one(line: str, before: Iterable[str] = ()) -> bool:
    """Whether a person's line is a sign of a crisis; after a line that was one, smaller signs are enough.

    Args:
        line: What they said.
        before: What they said before it, oldest first.
    """
    if _is_sign(line):
        return True
    recent = list(before)[-RECENT:]
    return any(map(_is_sign, recent)) and bool(compiled(_AFTER).search(fold.plain(line[:LONGEST])))


def _is_sign(line: str) -> bool:
    folded = compiled(_REQUEST).sub("", _QUOTED.sub("", fold.plain(line[:LONGEST])))
    return bool(compiled(_SIGNS).search(folded) or (has_chinese(folded) and compiled(_SIGNS_CHINESE).search(folded)))


def answer(line: str, country: str | None = None) -> str:
    """What is said then.

    Args:
        line: Decides the language.
        country: Two letters; what the locale says where None.
    """
    known = _LINES.get(_country() if country is None else country)
    if has_chinese(line):
        where, emergency = (known[1], known[2]) if known else (_ANYWHERE_CHINESE, _EMERGENCY_CHINESE)
        return _CHINESE.format(where=where, emergency=emergency)
    where, emergency = (
        (f"a crisis line: {known[0]}", known[2].replace("或", "or")) if known else (_ANYWHERE, _EMERGENCY)
    )
    return _ENGLISH.format(where=where, emergency=emergency)


def _country() -> str:
    """The country of the locale, as "US"; empty where it says none."""
    said = next((value for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := os.environ.get(name))), "")
    found = re.match(r"[a-z]{2,3}_([A-Z]{2})", said)
    return found[1] if found else ""
