"""The calculator: sentences and results, what it refuses, and that nothing keeps it busy."""

from __future__ import annotations

import operator
import sys
import time
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmasos.core.base.paths import shipped
from llmasos.sdk import ToolError

sys.path.insert(0, str(shipped("plugins")))

from calculator import numerals  # type: ignore[import-not-found]
from calculator.plugin import evaluate  # type: ignore[import-not-found]
from calculator.vocabulary import PHRASES, UNITS  # type: ignore[import-not-found]

SYMBOLS = """
2 + 2 | 4
2+2= | 4
(3+4)*5^2 | 175
12 × 12 − 4 | 140
9.8×3.5÷2 | 17.15
125-48÷6 | 117
2**10 | 1024
2^3^2 | 512
2^-3 | 0.125
-2^2 | -4
(-2)^2 | 4
5² | 25
10⁻² | 0.01
2½ × 2 | 5
2 1/2 + 1 | 3.5
3--2 | 5
3 * -2 | -6
45x19 | 855
17%5 | 2
17 mod 5 | 2
2(3+4) | 14
(2)(3) | 6
2pi | 6.283185307
5! / (2! * 3!) | 10
1.5e6 / 3e2 | 5000
6.02e23 * 1.66e-24 | 0.99932
1,200 * 2 | 2400
450 + 275 + 1,080 | 1805
5k + 200 | 5200
$5.50 + $3 | 8.5
(3+4 | 7
（3＋4）×２ | 14
7 * 365 + 2... | 2557
"""

EXACT = """
0.1 + 0.2 | 0.3
0.3 times 0.3 | 0.09
1/3 | 0.3333333333 (1/3)
1/3 + 1/6 | 0.5
1,200 / 7 | 171.4285714 (1200/7)
1/2/3 | 0.1666666667 (1/6)
5000 * 1.04^10 | 7401.221425
123456789 * 987654321 | 121932631112635269
2^100 | 1267650600228229401496703205376
10^999 | 1e+999
400! | 6.403452285e+868
1e-20 | 1e-20
(1/3)^1000 | 7.563891323e-478
9^0.5 | 3
27^(1/3) | 3
(-8)^(1/3) | -2
8^(2/3) | 4
sqrt(1/4) | 0.5
sqrt(2) | 1.414213562
e^2 | 7.389056099
99999999999999999/7 | 1.428571429e+16 (99999999999999999/7)
12345678901/7 | 1763668414.4286 (12345678901/7)
"""

PERCENT = """
15% of 80 | 12
17.5% of 2,340 | 409.5
twenty-five percent of 200 | 50
25 percent of 360 | 90
10 percent of 20 percent of 500 | 10
100 minus 20% | 80
100 - 20% - 10% | 72
100 + 10% | 110
(100 + 50) minus 10% | 135
200 + 10% of 50 | 205
20% off 75 | 60
18 percent tip on 64.25 | 11.565
18% tip on 64.50 | 11.61
take 15% off 80 | 68
10% more than 50 | 55
increase 80 by 15% | 92
decrease 200 by a quarter | 150
50% | 50%
10% + 5% | 15%
12 is what percent of 80 | 15%
what percent of 80 is 12 | 15%
12 as a percentage of 80 | 15%
"""

WORDS = """
12 times 7 plus 3 | 87
12 times 7 is | 84
what's 12 times 7? | 84
eighteen divided by four | 4.5
88 multiplied by 12.5 | 1100
minus four times minus six | 24
thirty-two plus fifty-nine | 91
one hundred and five | 105
two thousand and five plus one | 2006
nineteen hundred minus 5 | 1895
three hundred thousand | 300000
twenty five million | 25000000
3 million divided by 12 | 250000
two point five million | 2500000
three point one four times two | 6.28
point five times 8 | 4
a dozen times 14 | 168
two and a half times 4 | 10
3 and a half plus 1 | 4.5
half of 90 | 45
half a million | 500000
half a dozen | 6
a quarter of a million | 250000
three quarters of 60 | 45
one third of 96 | 32
2 thirds of 96 | 64
third of nine hundred and thirty | 310
7 squared | 49
3 cubed | 27
2 to the power of 10 | 1024
2 to the third power | 8
two to the fifth | 32
2 to the 10th | 1024
raise 2 to the power of 8 | 256
square root of 144 | 12
the square root of 25 times 4 | 20
the cube root of 27 | 3
5th root of 32 | 2
the fifth root of 32 | 2
5 factorial | 120
factorial of 5 | 120
double 8 plus 2 | 18
twice 7 | 14
20 out of 80 | 0.25
99 mod 7 | 1
15 from 91 | 76
take 15 away from 91 | 76
subtract 5 from 20 | 15
5 less than 10 | 5
5 more than 10 | 15
divide 1001 by 13 | 77
multiply 0.075 by 24000 | 1800
multiply 3 and 4 | 12
add 5 to 10 | 15
add 10% to 50 | 55
split 187.60 by 5 | 37.52
divide 12 between 4 | 3
3 plus 5 then times 2 | 16
3 plus 5, then divide by 4 | 2
"""

LISTS = """
add up 310, 299 and 415 | 1024
Add up 12.99, 4.50, 8 and 31.20 | 56.69
12, 48 and 96 | 156 (added up)
19.20, 4.75 and 33 | 56.95 (added up)
340 and 275 and 19 added together | 634
the average of 4, 8, 15 and 16 | 10.75
average of 10 and 20 plus 1 | 16
median of 3, 9 and 4 | 4
sum of 3 and 4 | 7
product of 3, 4, and 5 | 60
difference between 4 and 10 | 6
max(100,200) | 200
smallest of 3, 2 and 8 | 2
gcd of 12 and 18 | 6
lcm of 4 and 6 | 12
"""

UNITS_SAID = """
3 nights at 84.50 plus 22 | 275.5
8 tickets at 13.50 each | 108
3 tickets at $12 each | 36
40 hours at 27.50 an hour | 1100
4 people at 12.50 per person | 50
split $90 among 4 people | 22.5
9.5 hours times 23 | 218.5
72 degrees minus 4.5 | 67.5
4.2 米乘 3.6 米 | 15.12
"""

FUNCTIONS = """
sin 30 degrees | 0.5
sin(30°)*2 | 1
sin(30度) | 0.5
cos 60 deg | 0.5
sin(30) | -0.9880316241 (in radians)
sin(pi) | 0 (in radians)
log of 1000 | 3 (base 10)
log2(4096)+1 | 13
log base 2 of 8 | 3
log 8 base 2 | 3
ln(e) | 1
abs(-5) | 5
round 2.5 | 3
round(-2.5) | -3
floor(2.9) | 2
pi times 6 | 18.84955592
sqrt(9)^2 | 9
"""

CHINESE = """
三乘以五加二 | 17
80的15% | 12
12 乘 7 | 84
25的平方根 | 5
一百除以四 | 25
2的10次方 | 1024
2的10次方 减 24 | 1000
十的三次方 | 1000
8的3次方根 | 2
八十打八折 | 64
一百打七五折 | 75
一百五十的百分之二十 | 30
两千三百四十的百分之十七点五 | 409.5
两千四百八十的一半 | 1240
9的一半加1 | 5.5
100的四分之一 | 25
一百的三倍 | 300
三分之二加五分之一 | 0.8666666667 (13/15)
三分之二加四份之一 | 0.9166666667 (11/12)
一万二除以三十 | 400
三百五加十 | 360
一百零二减二 | 100
一千零五十 | 1050
二零二五减一 | 2024
十二点五乘八 | 100
1.5亿除以3 | 50000000
3万加两千 | 32000
负三加五 | 2
负5的绝对值 | 5
五十六的平方 | 3136
7的立方 | 343
14的阶乘 | 87178291200
根号 2025 | 45
√2 | 1.414213562
18500 扣掉 12% | 16280
1024除以16再加3 | 67
3加5再乘2 | 16
3和5的和 | 8
3和5的积 | 15
4、8、15的平均数 | 9
3 乘 （4 + 5） | 27
请问 12 乘以 7 等于多少？ | 84
"""

CORRECTED = """
20 squred | 400 (read as squared)
12 tiems 3 | 36 (read as times)
10 devided by 4 | 2.5 (read as divided)
fourty plus two | 42
"""


def cases(*tables: str) -> list[tuple[str, str]]:
    rows = [line.split(" | ") for table in tables for line in table.strip().splitlines()]
    return [(said, result) for said, result in rows]


@pytest.mark.parametrize(
    ("said", "result"),
    cases(SYMBOLS, EXACT, PERCENT, WORDS, LISTS, UNITS_SAID, FUNCTIONS, CHINESE, CORRECTED),
)
def test_evaluate(said: str, result: str) -> None:
    assert evaluate(said) == result


REFUSED = """
1/0 | Dividing by zero
8 mod 0 | Dividing by zero
0^-1 | Dividing by zero
tan 90 degrees | no value there
sqrt(-4) | no real number
(-2)^0.5 | no real number
ln(0) | above zero
asin(2) | no real number
3.5! | whole numbers
(-3)! | isn't negative
1000! | 1000! is too large
10^1000 | beyond 1,000 digits
2^(10^10) | beyond 1,000 digits
9^9^9^9 | beyond 1,000 digits
pi^1000 | beyond 1,000 digits
(10^900)*pi | too large
1e9999 | too many digits
2 + 2 = 4 | That is an equation
3 + | Something is missing at the end
3+4) | I can't read ')'
12 34 | I can't tell what to do with '34'
3,5 | whether 3,5 is one number
3,5 * 2 | whether 3,5 is one number
1.2.3 | can't
5 apples plus 3 | I can't read 'apples'
$5 + €3 | I can't put $ and € together
3 km plus 200 m | I can't put km and m together
__import__('os') | I can't read '_'
1 if 1 else 2 | I can't read 'if'
what is the capital of France | I can't read 'capital'
你好 | I can't read '你好'
6除3 | I can't read '除3'
difference of 1, 2 and 3 | needs two numbers
"""


@pytest.mark.parametrize(("said", "message"), cases(REFUSED))
def test_refused_in_words(said: str, message: str) -> None:
    began = time.perf_counter()
    with pytest.raises(ToolError) as caught:
        evaluate(said)
    assert message in str(caught.value)
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize("said", ["", "   ", "the", "(" * 400, "-" * 400, "√" * 400, "1" * 501, "((1)" * 100, "\ud800"])
def test_nothing_and_nonsense(said: str) -> None:
    with pytest.raises(ToolError):
        evaluate(said)


NUMBERS = [
    "0",
    "1",
    "2",
    "3.5",
    "7",
    "12",
    "100",
    "999",
    "1e9",
    "1e999",
    "half",
    "two",
    "hundred",
    "三",
    "百",
    "万",
]
PIECES = [*PHRASES, *UNITS, *NUMBERS * 20]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=15), st.sampled_from(["", " "]))
def test_any_words_are_answered_or_refused(words: list[str], between: str) -> None:
    try:
        assert isinstance(evaluate(between.join(words)), str)
    except ToolError as error:
        assert error.what


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_answered_or_refused(text: str) -> None:
    try:
        assert isinstance(evaluate(text), str)
    except ToolError as error:
        assert error.what


Formula = tuple[str, Fraction | None]
"""A formula and its value, None where it divides by zero."""


def joined(parts: tuple[Formula, str, Formula]) -> Formula:
    (left, x), sign, (right, y) = parts
    text = f"({left} {sign} {right})"
    if x is None or y is None or (sign == "/" and not y):
        return text, None
    return text, {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}[sign](x, y)


FORMULAS: st.SearchStrategy[Formula] = st.recursive(
    st.integers(0, 10**6).map(lambda n: (str(n), Fraction(n))),
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(joined),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(FORMULAS)
def test_agrees_with_fractions(case: Formula) -> None:
    """Random formulas in symbols: the shown number is the exact one to ten digits."""
    text, exact = case
    if exact is None:
        with pytest.raises(ToolError, match="zero"):
            evaluate(text)
    else:
        shown = Fraction(evaluate(text).split()[0])
        assert shown == exact or abs(shown - exact) <= abs(exact) / 10**9


def test_whole_numbers_in_words_both_ways() -> None:
    small = [word for word, number in sorted(numerals._UNITS.items(), key=lambda item: item[1])]
    tens = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]

    def english(n: int) -> str:
        if n < 20:
            return small[n]
        if n < 100:
            return tens[n // 10] + (f"-{small[n % 10]}" if n % 10 else "")
        if n < 1000:
            return f"{small[n // 100]} hundred" + (f" and {english(n % 100)}" if n % 100 else "")
        return f"{english(n // 1000)} thousand" + (f" {english(n % 1000)}" if n % 1000 else "")

    def chinese(n: int) -> str:
        said, zero = "", False
        for size, char in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
            digit = n // size % 10
            if digit:
                said += ("零" if zero and said else "") + "零一二三四五六七八九"[digit] + char
                zero = False
            else:
                zero = True
        return said or "零"

    for n in [*range(0, 10_000, 37), 10, 11, 20, 101, 110, 1001, 1010, 1100, 9999]:
        assert evaluate(english(n)) == str(n), english(n)
        assert evaluate(chinese(n)) == str(n), chinese(n)
    assert evaluate(english(999_999)) == "999999"


def test_imports_the_sdk_and_the_standard_library_alone() -> None:
    import ast

    for file in (shipped("plugins") / "calculator").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                root = Path(str(node.module).replace(".", "/")).parts[0]
                assert node.module == "llmasos.sdk" or root in sys.stdlib_module_names, (file, node.module)
            if isinstance(node, ast.Import):
                assert all(alias.name.split(".")[0] in sys.stdlib_module_names for alias in node.names), file
