"""Forms that a description asks for: as expressions, and in the grammar with the model's own tokenizer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from llmasos.core.engine import models
from llmasos.core.engine.llama_model import LlamaModel
from llmasos.services.interpreter import sentence
from llmasos.services.interpreter.decoding import program_of
from llmasos.services.interpreter.forms import asks_for_lower_case, forms
from llmasos.services.interpreter.grammar import grammar

Schema = dict[str, Any]
Fits = Callable[..., bool]


def asked(description: str, text: str) -> bool:
    return any(re.fullmatch(form, text) for form in forms(description))


# --------------------------------------------------------------------------------------------- expressions


@pytest.mark.parametrize(
    ("description", "text"),
    [
        ("YYYY-MM-DD", "2026-05-03"),
        ("Day, yyyy-mm-dd. Default is today.", "2026-05-03"),
        ("in the format DD.MM.YYYY", "03.05.2026"),
        ("mm/dd/yyyy", "05/03/2026"),
        ("dd/mm/yy", "03/05/26"),
        ("M/D/YYYY", "5/3/2026"),
        ("YYYYMMDD", "20260503"),
        ("YYYY/MM", "2026/05"),
        ("season in the form YYYY-YY, e.g. 2018-19", "2026-27"),
        ("YYYY-MM-DD HH:MM", "2026-05-03 09:30"),
        ("YYYY-MM-DDTHH:MM", "2026-05-03T09:30"),
        ("yyyy-MM-dd'T'HH:mm:ss", "2026-05-03T09:30:00"),
        ("YYYY-MM-DDTHH:MM:SSZ", "2026-05-03T09:30:00Z"),
        ("YYYY-MM-DDTHH:mm:ss.SSSZ", "2026-05-03T09:30:00.000Z"),
        ("YYYY-MM-DDTHH:MM:SS+HH:MM", "2026-05-03T09:30:00+02:00"),
        ("%Y-%m-%d %H:%M", "2026-05-03 09:30"),
        ("DD MMM YYYY", "03 May 2026"),
        ("MMMM DD, YYYY", "December 03, 2026"),
        ("日期,YYYY-MM-DD", "2026-05-03"),
        ("格式为YYYY年MM月DD日", "2026年05月03日"),
        ("24-hour HH:MM", "21:30"),
        ("H:MM", "9:30"),
        ("hh:mm AM/PM", "09:30 PM"),
        ("MM:SS", "04:33"),
        ("ISO 8601 date", "2026-05-03"),
        ("iso8601 timestamp", "2026-05-03T09:30:00Z"),
        ("RFC 3339", "2026-05-03T09:30:00+02:00"),
        ("ISO 8601 duration", "PT1H30M"),
        ("ISO 4217 three-letter code", "CHF"),
        ("Country, ISO 3166 two-letter code", "CH"),
        ("IATA code", "ZRH"),
        ("货币的ISO代码", "CHF"),
        ("Code of the airport", "ZRH"),
        ("Symbol of the share", "AAPL"),
        ("Language, ISO 639-1 code", "de"),
        ("Language code", "de"),
        ("Locale code", "de-CH"),
        ("Locale code", "de_CH"),
        ("country code in lower case", "ch"),
        ("Lowercase code", "ch"),
        ("#RRGGBB", "#FF8000"),
        ("Hex colour", "ff8000"),
        ("hexadecimal", "FF"),
        ("Cron expression", "*/15 9-17 * * MON-FRI"),
        ("cron", "0 7 1,15 * *"),
        ("in Python syntax", "x**2 + 3*x"),
        ("Condition in SQL syntax", "age > 3 AND name = 'Ana'"),
        ("Expression to evaluate", "sqrt(2)"),
        ("Formula", "x"),
    ],
)
def test_a_form_that_is_asked_for(description: str, text: str) -> None:
    assert asked(description, text)


@pytest.mark.parametrize(
    ("description", "text"),
    [
        ("YYYY-MM-DD", "2026-5-3"),
        ("YYYY-MM-DD", "3 May 2026"),
        ("mm/dd/yyyy", "05/2026"),
        ("DD MMM YYYY", "03 05"),
        ("YYYY-MM-DDTHH:MM:SSZ", "2026-05-03T09:30:00"),
        ("HH:MM", "9:30"),
        ("hh:mm AM/PM", "09:30"),
        ("ISO 8601 date", "NOW"),
        ("ISO 8601 duration", "P"),
        ("Language, ISO 639-1 code", "DE"),
        ("lower-case country code", "CH"),
        ("IATA code", "zrh"),
        ("IATA code", "ZURICH"),
        ("Hex colour code", "RED"),
        ("Cron expression", "every day at seven"),
        ("cron", "0 7 * *"),
        ("in Python syntax", ""),
        ("in Python syntax", " "),
        ("in Python syntax", "x "),
        ("in Python syntax", 'print("a")'),
        ("in Python syntax", "x" * 81),
    ],
)
def test_another_form_isnt_asked_for(description: str, text: str) -> None:
    assert list(forms(description))
    assert not asked(description, text)


@pytest.mark.parametrize(
    "description",
    [
        "", "Name of the city", "Address, with the middle name", "Number of days", "Rain in mm/h", "Width in mm. Depth too",
        "DD", "Text to encode", "Decode it", "Scan the barcode", "An expressionless face", "Comment", "MM. Nothing else",
        "precise summary", "The HH class", "Hexagon", "asymmetric", "Name of the month (MMMM)", "日期", "COMMAND-DDOS",
    ],
)  # fmt: skip
def test_a_description_that_asks_for_no_form(description: str) -> None:
    assert list(forms(description)) == []


@pytest.mark.parametrize(
    ("description", "wanted"),
    [
        ("lowercase", True), ("in lower case", True), ("Lower-case name", True),
        ("lower floor, in that case", False), ("flowercase", False), ("", False),
    ],
)  # fmt: skip
def test_lower_case_is_asked_for(description: str, wanted: bool) -> None:
    assert asks_for_lower_case(description) == wanted


# ----------------------------------------------------------------------------------------- in the grammar


@pytest.fixture(scope="module")
def model() -> LlamaModel:
    return LlamaModel.load(models.locate("smollm2"))


@pytest.fixture(scope="module")
def fits(model: LlamaModel) -> Fits:
    ends = model.tokenize("<|im_end|>", special=True)[0]

    def check(schema: Schema, said: str, value: str, *, derive: bool = True) -> bool:
        """Whether a value can be written for an argument; the program must be readable too where it can."""
        tool = {"name": "do", "inputSchema": {"properties": {"x": schema}, "required": ["x"]}}
        words = sentence.read(said)
        constraint = model.constrain(grammar(words, [tool], may_be_nothing=False, may_derive=derive))
        written = f"do\n x: {value}\n"
        if not all(constraint.consume(token) for token in model.tokenize(written)):
            return False
        if not (constraint.finished() or constraint.mask()[ends]):
            return False
        assert len(program_of(written, words, [tool])) == 1
        return True

    return check


def string(description: str = "", **more: Any) -> Schema:
    return {"type": "string", "description": description, **more}


def array(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


DAY = string("Day, YYYY-MM-DD")
PLAN = {"type": "object", "properties": {"start": {"type": "string"}, "end": {"type": "string"}}, "required": ["start"]}
UNIT = string("'percent' or \"steps\"", default="lux")


@pytest.mark.parametrize(
    ("schema", "said", "value"),
    [
        (DAY, "on 3 May", "2026-05-03"),
        (DAY, "on 3 May", "3 May"),  # a span still may
        (string("MM/DD/YYYY HH:MM"), "soon", "05/03/2026 09:30"),
        (string("DD.MM.YYYY"), "soon", "03.05.2026"),
        (string("yyyy-MM-dd'T'HH:mm:ss"), "soon", "2026-05-03T09:30:00"),
        (string("YYYY-MM-DDTHH:MM:SS+HH:MM"), "soon", "2026-05-03T09:30:00+02:00"),
        (string("MMMM DD, YYYY"), "soon", "May 03, 2026"),
        (string("YYYY年MM月DD日"), "明天", "2026年05月03日"),
        (string("hh:mm AM/PM"), "soon", "09:30 PM"),
        (string("ISO 8601"), "soon", "2026-05-03T09:30Z"),
        (string("ISO 8601 duration"), "soon", "PT1H30M"),
        (string("24-hour HH:MM"), "at half past nine", "21:30"),
        (string("ISO 4217 code"), "in Swiss francs", "CHF"),
        (string("Language code"), "in German", "de"),
        (string("Hex colour"), "in orange", "#ff8000"),
        (string("Cron expression"), "every quarter hour", "*/15 * * * MON-FRI"),
        (string("in Python syntax"), "x squared", "x**2 / 3"),
        (string("Language, lowercase"), "in Swiss German please", "swiss german"),
        (UNIT, "make it soft", "percent"),
        (UNIT, "make it soft", "steps"),
        (UNIT, "make it soft", "lux"),
        # In JSON, and with the description of what they are in.
        (array(DAY), "3 and 4 May", '["2026-05-03", "2026-05-04", "May"]'),
        (array({"type": "string"}, description="Days, YYYY-MM-DD"), "soon", '["2026-05-03"]'),
        ({**PLAN, "description": "From and to, HH:MM"}, "all day", '{"start": "09:00", "end": "17:30"}'),
        (array({**PLAN}, description="Times as HH:MM"), "all day", '[{"start": "09:00"}, {"start": "10:00"}]'),
        (array(UNIT), "soft", '["percent", "lux"]'),
        (array(string(default='say "a\\b"')), "soft", '["say \\"a\\\\b\\""]'),
        (array(string("lower case")), "Say A \"B\"", '["a \\"b\\""]'),
        # Unions.
        ({"anyOf": [{"type": "string"}, {"type": "null"}], "description": "YYYY-MM-DD"}, "soon", "2026-05-03"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}], "default": "celsius"}, "soon", "celsius"),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, "call me 5 times", "me"),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, "call me 5 times", "5"),
        ({"type": ["string", "null"], "description": "IATA code"}, "to Zurich", "ZRH"),
        ({"type": ["string", "null"]}, "to Zurich", "null"),
        ({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}, "red and blue", "red"),
        ({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}, "red and blue", '["red", "blue"]'),
        ({"anyOf": [{"enum": ["on", "off"]}, {"type": "string"}]}, "make it red", "off"),
        # Long lists, and text with marks in lists.
        (array({"type": "string"}), "a b", json.dumps(["a", "b"] * 32)),
        (array({"type": "string"}), 'say "hello" to c:\\b', '["hello", "\\"hello\\"", "c:\\\\b", "\\\\b"]'),
        # Numbers with exponents, where any number may be written and where it was said.
        ({"type": "number"}, "very hot", "1e5"),
        ({"type": "number"}, "very hot", "-2.5e-3"),
        ({"type": "number"}, "very hot", "6.02e+23"),
        ({"type": "number"}, "it weighs 2.5e-3 grams", "0.0025"),
        (array({"type": "number"}), "very hot", "[1e5, 0.5, -0]"),
    ],
)  # fmt: skip
def test_what_can_be_written(fits: Fits, schema: Schema, said: str, value: str) -> None:
    assert fits(schema, said, value)


@pytest.mark.parametrize(
    ("schema", "said", "value"),
    [
        (DAY, "on 3 May", "2026-5-3"),
        (DAY, "on 3 May", "May 3"),
        (DAY, "on 3 May", "2026-05-03 or so"),
        (string("ISO 4217 code"), "in Swiss francs", "francs CHF"),
        (string("ISO 8601 date"), "soon", "NOW"),
        (string("Cron expression"), "every quarter hour", "often"),
        (string("in Python syntax"), "x squared", 'f("x")'),
        (string("Language, lowercase"), "in Swiss German please", "swiss german french"),
        # Nothing is asked for: only what was said.
        (string("Name of the city"), "to Zurich", "ZRH"),
        (string("Name of the city"), "to Zurich", "zurich"),
        (string("Name of the city"), "to Zurich", "2026-05-03"),
        (string("the user's name or the club's name"), "to Zurich", "s name or the club"),
        (string(), "to Zurich", "Zurich to"),
        (array({"type": "string"}), "to Zurich", '["ZRH"]'),
        (array({"type": "string"}, description="Cities"), "to Zurich", '["2026-05-03"]'),
        # A description of its own counts, not the one around it.
        ({"type": "object", "properties": {"a": string("City")}, "description": "HH:MM"}, "to Zurich", '{"a": "09:00"}'),
        ({"type": ["string", "null"]}, "to Zurich", "nil"),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, "call me", "you"),
        (string(default="two\nlines"), "soft", "two\nlines"),
        # Lists: one too many, none, and text that is none or isn't whole.
        (array({"type": "string"}), "a b", json.dumps(["a", "b"] * 32 + ["a"])),
        (array({"type": "string"}), "a b", "[]"),
        (array({"type": "string"}), "a b", '[""]'),
        (array({"type": "string"}), "a b", '[" "]'),
        (array({"type": "string"}), "a b", '["a "]'),
        (array({"type": "string"}), 'say "hello" to c:\\b', '[""hello"]'),
        (array({"type": "string"}), 'say "hello" to c:\\b', '["hello\\"]'),
        (array({"type": "string"}), 'say "hello" to c:\\b', '["c:\\"]'),
        # Numbers that are none, or without end.
        ({"type": "number"}, "very hot", "1e"),
        ({"type": "number"}, "very hot", "1e999"),
        ({"type": "number"}, "very hot", "01"),
        ({"type": "number"}, "very hot", ".5"),
        ({"type": "number"}, "very hot", "1.e5"),
        ({"type": "integer"}, "very hot", "1e5"),
        ({"type": "number"}, "it weighs 2.5e-3 grams", "7"),
    ],
)  # fmt: skip
def test_what_cannot_be_written(fits: Fits, schema: Schema, said: str, value: str) -> None:
    assert not fits(schema, said, value)


@pytest.mark.parametrize(
    ("schema", "value"), [(DAY, "2026-05-03"), (UNIT, "percent"), (UNIT, "lux"), (string("ISO code"), "CHF")]
)
def test_nothing_is_derived_where_nothing_may_be(fits: Fits, schema: Schema, value: str) -> None:
    assert fits(schema, "soft", value)
    assert not fits(schema, "soft", value, derive=False)


@pytest.mark.parametrize(
    "description", [f"{d} as {t}" for d in ("Days", "Zeit") for t in ("YYYY-MM-DD", "HH:MM", "SQL", "hex")]
)
def test_each_form_makes_a_grammar_for_any_sentence(model: LlamaModel, description: str) -> None:
    properties = {"a": string(description), "b": array(string(description)), "c": {**PLAN, "description": description}}
    tool = {"name": "do", "inputSchema": {"properties": properties}}
    for said in ("\\ \" ' ` {}[] /", "ÄÖÜ %regex {", "A" * 700, "字" * 700):
        assert model.constrain(grammar(sentence.read(said), [tool], may_be_nothing=True, may_derive=True)).mask().any()
