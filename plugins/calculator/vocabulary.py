"""The words of arithmetic in English and Chinese: phrase -> (kind of token, what it means).

A phrase is matched at its longest, so `百分之` is found before `百` and `to the power of` before `to the`.
"""

from __future__ import annotations

SKIP = "skip"


def _table(kind: str, **meanings: str) -> dict[str, tuple[str, str]]:
    return {phrase.strip(): (kind, meaning) for meaning, phrases in meanings.items() for phrase in phrases.split("|")}


_INFIX = _table(
    "infix",
    plus="plus|added to|increased by|+|加|加上|加上去|再加上",
    minus="minus|less|take away|takeaway|decreased by|reduced by|-|减|减去|扣掉|扣除|减掉",
    times="times|multiplied by|multiply by|x|*|×|·|⋅|∙|乘|乘以|乘上",
    over="divided by|divide by|over|out of|/|÷|⁄|∕|除以",
    mod="mod|modulo|modulus|取余|求余|余",
    power="to the power of|to the power|raised to the power of|raised to the power|raised to|to the|^|**",
    minus_from="from|away from|subtracted from|less than|fewer than|taken from",
    plus_to="more than",
    off="off",
    of="of|on|tip on|tax on|vat on|interest on|tip for|tip of",
    at="at|@",
    ratio="as a percentage of|as percentage of|as a percent of|is what percent of|is what percentage of",
    possessive="的",
    part="分之|份之",
    discount="打",
)

_POSTFIX = _table(
    "postfix",
    factorial="!|阶乘",
    percent="%|percent|per cent|pct|percentage",
    permille="‰",
    squared="squared|平方",
    cubed="cubed|立方",
    degrees="degrees|degree|deg|°|度",
    sqrt="平方根|开方|开平方|开根号",
    cbrt="立方根|开立方",
    abs="绝对值",
    tenths="折",
    power="次方|次幂",
    root="次方根|次根",
    whole="倍",
)

_FUNCTION = _table(
    "function",
    sqrt="sqrt|square root|root|√|根号",
    cbrt="cbrt|cube root|cubic root|∛",
    sin="sin|sine|正弦",
    cos="cos|cosine|余弦",
    tan="tan|tangent|正切",
    asin="asin|arcsin|arcsine",
    acos="acos|arccos|arccosine",
    atan="atan|arctan|arctangent",
    ln="ln|natural log|natural logarithm",
    log="log|logarithm|lg",
    log2="log2",
    log10="log10",
    exp="exp",
    abs="abs|absolute value",
    round="round",
    floor="floor|round down",
    ceil="ceil|ceiling|round up",
    factorial="factorial",
    square="square",
    cube="cube",
    reciprocal="reciprocal",
    double="double|twice",
    triple="triple|thrice|treble",
    quadruple="quadruple",
    halve="halve",
    negative="negative|负",
    percent="百分之",
    permille="千分之",
)

_LIST = _table(
    "list",
    sum="sum|sum up|total|add up|add together",
    mean="average|mean|avg|平均",
    median="median",
    product="product",
    difference="difference",
    quotient="quotient",
    max="max|maximum|largest|biggest|最大值",
    min="min|minimum|smallest|最小值",
    gcd="gcd|greatest common divisor|hcf|highest common factor",
    lcm="lcm|least common multiple|lowest common multiple",
)

# What a list is for, said after it: "3 and 4 added together", 3和5的积.
_AFTER = _table(
    "after",
    sum="added together|added up|combined|together|altogether|in total|的和|之和|的总和|总和",
    mean="的平均数|的平均值|的平均|平均数|平均值",
    product="的积|之积|的乘积|multiplied together",
    difference="的差|之差",
    quotient="的商|之商",
    max="的最大值",
    min="的最小值",
)

_VERB = _table(
    "verb",
    add="add",
    subtract="subtract|take|deduct",
    multiply="multiply",
    divide="divide|split|share",
    increase="increase|raise",
    decrease="decrease|reduce",
    ratio="what percent of|what percentage of",
)

_OTHER = {
    **_table("and", **{"and": "and|&|和|与|跟|、"}),
    **_table(",", **{",": ",|;"}),
    **_table("then", then="then|and then|再|然后|然后再|之后再"),
    **_table("(", **{"(": "(|[|{"}),
    **_table(")", **{")": ")|]|}"}),
    **_table("by", by="by|between|among|into|with|to"),
    **_table("is", **{"is": "is"}),
    **_table("base", base="base"),
    **_table("per", per="per|each|apiece|every|每"),
    **_table("article", article="a|an"),
    **_table("constant", half="一半", pi="pi|π|圆周率", e="e", tau="tau"),
    **_table("equals", equals="=|equals|equal to|is equal to"),
}

_SKIPPED = _table(
    SKIP,
    skip="the|please|what is|what's|whats|how much is|how much|calculate|compute|evaluate|work out|"
    "figure out|tell me|value of|result of|?|.|'|\"|“|”|:|请|请问|帮我|帮我算|算|算算|算一下|算下|"
    "计算|计算一下|一下|等于|等于多少|等于几|是多少|是几|多少|得多少|得几|一共|总共|"
    "吗|呢|啊|呀|吧|先|。",
)

PHRASES: dict[str, tuple[str, str]] = {
    **_SKIPPED,
    **_OTHER,
    **_VERB,
    **_AFTER,
    **_LIST,
    **_FUNCTION,
    **_POSTFIX,
    **_INFIX,
}

FIRST_WORDS = {word for phrase in PHRASES if len(word := phrase.split()[0]) >= 5 and word.isascii()}

MOST_WORDS = max(phrase.count(" ") + 1 for phrase in PHRASES)
LONGEST = max(len(phrase) for phrase in PHRASES if not phrase.isascii())

UNITS = {
    alias: names.split("|")[0]
    for names in (
        "hours|hour|hrs|hr|h|小时|个小时",
        "minutes|minute|mins|分钟",
        "seconds|second|secs|sec|秒",
        "days|day|天|日",
        "weeks|week|周|星期",
        "months|month|个月",
        "years|year|年",
        "nights|night|晚",
        "people|persons|person|人|个人",
        "km|kilometres|kilometers|公里|千米",
        "m|metres|meters|metre|meter|米",
        "cm|centimetres|centimeters|厘米",
        "mm|毫米",
        "miles|mile",
        "feet|foot|ft",
        "inches|inch",
        "kg|kilos|kilo|kilograms|公斤|千克",
        "g|grams|gram|克",
        "lb|lbs",
        "斤",
        "litres|liters|litre|liter|l|升",
        "$|dollars|dollar|bucks|usd|美元",
        "€|euros|euro|eur|欧元",
        "£|pounds|pound|gbp|quid|英镑",
        "¥|yuan|rmb|元|块|块钱|人民币",
        "cents|cent",
        "celsius|c",
        "fahrenheit|f",
        "个",
        "件",
        "张",
        "本",
        "杯",
        "瓶",
        "岁",
    )
    for alias in names.split("|")
}
"""Units that may follow a number -> their name. They are carried along so that unlike things aren't added."""

CURRENCIES = "$€£¥"
