"""What a line says of somebody, by rule: which fact, whether it corrects another one, whether a question asks for one.

A fact has a frame, what it is a fact of: "my dog is called Rex" and "my dog's name is Max" have the same one,
"dog name". Where two facts of one speaker have the same frame and only one of them can hold, the newer one does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from llmasos.services.memory.words import terms
from llmasos.services.script import has_chinese

_NAMED = r"(?:called|named|name is|name's|name was)"
_WHOSE = r"(?:my|our|the|his|her|their|[A-Z][\w-]+'s)"
_IS = r"(?:is|are|was|were|will be|has been|'s|'re)"
_SINCE = r"(?:just |now |actually |recently )?"
_FRAMES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), frame)
    for pattern, frame in (
        (r"\b(?:my name is|call me|i(?:'m| am) called)\b", "i name"),
        (r"\bi(?:'m| am| turned| just turned)(?: \w+ly)? (?:now )?\d{1,3}(?:\.|!|,|$| years?\b)", "i age"),
        (rf"\bi(?:'ve| have)? {_SINCE}(?:lived?|living|moved)\b (?:in|at|to|on|near|by|with)\b", "i live"),
        (rf"\bi(?:'ve| have)? {_SINCE}(?:work|worked|working|started)\b (?:as|at|for|in)\b", "i work"),
        (r"\bi(?:'m| am)(?: now)? (?:working|employed) (?:as|at|for|in)\b", "i work"),
        (r"\bi (?:now |actually )?study\b", "i study"),
        (r"\bi (?:now |actually )?drive an?\b", "i drive"),
        (r"我(?:现在|已经|其实)?(?:住|搬到|搬去|搬进)", "i live"),
        (r"我(?:现在|其实)?(?:在.{1,12}(?:工作|上班)|的工作)", "i work"),
        (r"我(?:现在|今年|已经)*[\d一二三四五六七八九十百两]+岁", "i age"),
        (r"我(?:现在)?(?:叫|的名字)", "i name"),
        (r"我(?:现在|其实|改)?支持.{1,8}队", "i support"),
    )
)
_OWNED = re.compile(
    rf"\b{_WHOSE} ([a-z][\w' -]{{0,40}}?)(?:'s)? (?:now |actually |really )?"
    rf"(?:{_NAMED}|{_IS}(?: (?:now|actually|really|still))?(?: {_NAMED})?|{_IS})\b",
    re.IGNORECASE,
)
_OWNED_IS_NAME = re.compile(_NAMED, re.IGNORECASE)
_OWNED_CHINESE = re.compile(r"我(?:家|们)?的?([\u3400-\u9fff]{1,8}?)(?:的?名字)?(叫|是|在|改)")
_STILL_CHINESE = re.compile("现在|其实|已经")
_ONE = re.compile(
    r"\b(?:name|birthday|age|address|number|password|code|job|boss|wife|husband|partner|favou?rite|colou?r|size"
    r"|appointment|wedding|flight|train|meeting|exam|interview|doctor|dentist|teacher|car|phone|email|home ?town|home"
    r"|room|desk|keys?|start|deadline|salary|rent|weight|height|team)\b"
    r"|名字|生日|地址|号码|密码|工作|电话|最喜欢|年龄|老板|上司|妻子|老婆|丈夫|老公|女朋友|男朋友|尺码|预约|婚礼|航班|飞机|火车"
    r"|会议|考试|面试|医生|牙医|老师|手机|邮箱|老家|房间|书桌|钥匙|截止|工资|房租|房东|体重|身高|尾号|座位|柜",
    re.IGNORECASE,
)
_CORRECTS = re.compile(
    r"\b(?:actually|now|no longer|not any ?more|any ?more|instead|correction|changed|moved|switched|sold|replaced"
    r"|renamed|i was wrong|i made a mistake|i misspoke|turns out|turned out|i meant|not .{1,30} but|rather than"
    r"|since (?:last|this)|new|these days|from now on|in fact|quit|left|used to)\b"
    r"|现在|其实|不再|改成|改到|改了|改主意|换成|换了|换[车号班家人手]|换工作|搬|不是.{1,10}(?:而)?是|说错|记错",
    re.IGNORECASE,
)
_SUBJECT = re.compile(r"\b(i|we|(?:my|our|the|his|her|their) [\w-]+)\b", re.IGNORECASE)
_NUMERALS_CHINESE = re.compile("[零〇一二三四五六七八九十百千万两]+")
SHARED = 0.5
"""Share of a fact's words that one must have that says it is no longer so."""

# Asked for a fact that only the person can have told: "what is my dog called?", not "what should I cook?".
_WH = r"\b(?:what|who|whom|whose|where|when|which|how (?:old|tall|many|much|long|often|far|big|high|fast|heavy))\b"
_TO = r"(?:(?!\byour?\b).)*?"
"""Whatever stands between, as long as nobody is spoken to."""
_SUPPOSED = r"(?:should|shall|could|would|might|can|may|ought to|must|need to|have to)"
_ASKS = re.compile(
    # Of what is theirs: "where in the room is my lamp", "when will my sofa come", "what can my parrot say".
    rf"{_WH}(?:(?!\b(?:you|your|i|we)\b).)*?\b(?:my|mine|our)\b"
    # Of what they do, did and are: "which herb don't I like", "in what city was I born", "what do we call our baby".
    rf"|{_WH}{_TO}\b(?:do|did|have|had|am|was|will|can't|don't|didn't|haven't|won't) i\b"
    rf"|{_WH}{_TO}\b(?:(?:did|have|had|were) we\b|(?:do|are) we\b.*\bour\b)"
    # Of what belongs to something they do: "the name of the man I met", "the colour of what I wear".
    rf"|{_WH}{_TO}\b(?:the (?:\w+ ){{1,3}}|(?:is|are|did i put) what )i (?!{_SUPPOSED})\w+"
    # Of what happens to them: "who taught me chess", "what makes me ill".
    rf"|{_WH}(?:(?!\b(?:you|your|people)\b).)*\b(?:me|us)\b"
    r"|\bhow (?:do|did) i\b|\bhow (?:is|are|was|were) my\b"
    r"|\bdo you (?:know|remember|recall)\b.*\b(?:my|our|i|me|we)\b"
    r"|\bcan you (?:tell me|remember|recall)\b.*\b(?:my|i|me)\b"
    r"|\bdid i (?:tell|say|mention)\b|\bdo i (?:have|like|own|drink|eat|live|work|play)\b",
    re.IGNORECASE,
)
_WAYS = (
    r"(?:take|drink|like|keep|call|know|earn|spend|sleep|relax|travel|commute|pronounce|spell|feel about|drive to"
    r"|come home from|get (?:in|home|to (?:my|work|school))|go to (?:my|work|school)|start (?:my|the) day)"
)
"""What everybody does in a way of their own: "how do I take my coffee". How else one does something is advice."""
_ADVICE = re.compile(
    rf"\b{_SUPPOSED} (?:i|we|you)\b|\bhow do i (?!{_WAYS}\b)|\bhow do we\b"
    r"|\bdo i (?:do|say)(?:\?|$| (?:now|next|first|about|with|if|when|in (?:that|this)|to)\b)"
    r"|\b(?:way|road|door|one|ones) do i\b|\bdo i (?:need|get|have to|ask) (?:for|if|when)\b"
    r"|\bwhere do i (?:buy|find|get|start|begin)\b|\bdo i (?:owe|look|sound|seem)\b.*\b(?:you|like|in)\b"
    r"|\b(?:where|why) am i\b|\bif (?:i|we|you)\b|\bwhat if\b|\bwho will\b"
    # "When will I see the doctor" was told; what will become of one, or how one will manage, nobody has.
    r"|\bwill i (?:ever|do|say|become|need|have to|end up|be able)\b|\bwhat will (?:happen|become)\b"
    r"|\b(?:what|who) (?:is|are|was) (?:that|this|these|those)\b"
    r"|\bhelp me\b|\btell me (?:a|about (?:your|the))\b|\b(?:am|were|was) i (?:right|wrong|late)\b"
    r"|\bof (?:my|our) (?:idea|plan|day|story|poem)\b",
    re.IGNORECASE,
)
# "What did I tell you?" asks for nothing that could be missing.
_VAGUE = frozenset(
    ("told", "remember", "recall", "talk", "mention", "say", "before", "yesterday", "last", "time", "just", "mean")
)
_WHAT_CHINESE = r"(?:(?<!为)什么(?!意思)|哪|谁|几(?![乎])|多[少大高久远长重快]|何时|何地)"
_ASKS_CHINESE = re.compile(
    # Of what is theirs and what they do; nobody else is spoken to.
    rf"^[^你您]*我[^你您]*{_WHAT_CHINESE}|^[^你您]*{_WHAT_CHINESE}[^你您]*我"
    r"|我(?:们?家)?[\u3400-\u9fff]{1,6}怎么了"
    r"|(?:记得|知道|告诉过你|跟你说过)我"
    # "Do I have a sister?", "does my brother live in Rome?": not "am I pretty?".
    r"|^我(?:现在|平时|以前)?(?:有没有|有|养|住|喝|吃|喜欢|爱|会|在)[^你您]*吗"
    r"|^我(?:的|家|们家)[^你您]*(?:叫|是|在|有|住|会|姓|还)[^你您]*吗|^我[^你您]{1,4}(?:叫|住|姓|养)[^你您]*吗"
    # What everybody does in a way of their own: how else one does something is advice.
    r"|我(?:平时|每天|一般|通常|以前)?(?:是)?怎么(?:去(?:公司|单位|学校|上班|上学)|上班|上学|回家|喝|挣钱|赚钱|谋生|认识|称呼|过周末)"
    r"|我[^你您]{0,12}怎么(?:进门|进屋|进去|回家)"
)
_ADVICE_CHINESE = re.compile(
    r"我们?(?:该|应该|能|可以|必须|需要)|我们?要(?:怎么|做|干|说|买|吃|喝|穿|带|选|去(?:哪|什么))|我们?要不要"
    r"|我们?会(?:不会|怎|变|死|成|赢|输|被|遇|有|是|在|去)|怎么办|怎么做|帮我|教我怎|你觉得|你说我"
    r"|我们(?:去|做|吃|现在|什么时候(?:走|出发|见))|如果我|要是我|我怎么了|我是什么意思|我说(?:得|的)对|凭什么|干什么(?!工作|活|的|行)"
)


def frame(text: str) -> str:
    """What a line is a fact of, in a few words; empty where no rule says."""
    for pattern, name in _FRAMES:
        if pattern.search(text):
            return name
    owned = _OWNED.search(text)
    if owned:
        named = " name" if _OWNED_IS_NAME.search(owned[0]) else ""
        what = " ".join(terms(owned[1]))
        return f"{what}{named}" if what else ""
    owned = _OWNED_CHINESE.search(_STILL_CHINESE.sub("", text))
    if owned:
        return f"{owned[1]}{' name' if owned[2] == '叫' or '名字' in owned[0] else ''}"
    return ""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a line says, as far as rules see it.

    Attributes:
        frame: What it is a fact of.
        corrects: Whether it says that something is otherwise than before.
        subjects: Of whom it says something: "i", "my sister"; the first is what it is about.
        words: Its content words, without those that say that something has changed.
    """

    frame: str
    corrects: bool
    subjects: tuple[str, ...]
    words: frozenset[str]

    @classmethod
    def of(cls, text: str) -> Claim:
        """What a line says."""
        bare = _CORRECTS.sub(" ", text)
        subjects = tuple(match[1].casefold() for match in _SUBJECT.finditer(bare))
        # In Chinese the value would be half of the words: 三十八码 is one more than its unit.
        words = frozenset(terms(_NUMERALS_CHINESE.sub(" ", bare) if has_chinese(bare) else bare)) - {"one"}
        return cls(frame(text), bare != text, subjects, words)

    def supersedes(self, older: Claim) -> bool:
        """Whether this says what an older line of the same speaker said, anew or otherwise."""
        if self.frame and self.frame == older.frame:
            what = self.frame
            return self.corrects or what.startswith("i ") or what.endswith(" name") or bool(_ONE.search(what))
        if not self.corrects or not older.words or not set(older.subjects[:1]) <= set(self.subjects):
            return False
        return len(older.words & self.words) >= SHARED * len(older.words)


def supersedes(new: str, old: str) -> bool:
    """Whether a newer line of a speaker takes the place of an older one."""
    return Claim.of(new).supersedes(Claim.of(old))


def asks_what_was_told(line: str) -> bool:
    """Whether a line asks for something definite that only the person can have told."""
    line = line.replace("’", "'")
    if _ASKS_CHINESE.search(line):
        asks = not _ADVICE_CHINESE.search(line)
    else:
        asks = bool(_ASKS.search(line)) and not _ADVICE.search(line)
    return asks and not _VAGUE.issuperset(terms(line, query=True))
