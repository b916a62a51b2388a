"""Cards in pictures: round trips, and pictures made to hurt."""

import base64
import json
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmasos.core.base.errors import SyscallError
from llmasos.services.characters import png
from llmasos.services.characters.card import Card

TEXT = st.text(st.characters(blacklist_categories=("Cs",)), max_size=40)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def picture(*chunks: bytes) -> bytes:
    return png.SIGNATURE + b"".join(chunks) + chunk(b"IEND", b"")


def packed(name: str) -> bytes:
    return base64.b64encode(json.dumps({"data": {"name": name}}).encode())


@given(st.dictionaries(TEXT, TEXT | st.lists(TEXT) | st.integers()), TEXT)
def test_unknown_fields_survive_every_trip(extra: dict, personality: str) -> None:
    fields = {k: v for k, v in extra.items() if k.startswith("x")}
    card = Card({**fields, "name": "Mira", "personality": personality})
    again = png.read(png.write(Card.from_text(card.to_text())))
    assert again.to_json() == card.to_json()


def test_the_newer_card_wins_and_is_replaced() -> None:
    both = picture(chunk(b"tEXt", b"chara\0" + packed("Old")), chunk(b"tEXt", b"ccv3\0" + packed("New")))
    assert png.read(both).name == "New"
    rewritten = png.write(Card.make("Newest"), both)
    assert png.read(rewritten).name == "Newest"
    assert rewritten.count(b"ccv3") == 1


def test_compressed_text_is_read_up_to_a_limit() -> None:
    assert png.read(picture(chunk(b"zTXt", b"chara\0\0" + zlib.compress(packed("Zed"))))).name == "Zed"
    bomb = zlib.compress(b"\0" * (png.LARGEST * 4))
    with pytest.raises(SyscallError) as caught:
        png.read(picture(chunk(b"zTXt", b"chara\0\0" + bomb)))
    assert caught.value.code == "E2BIG"


@given(st.binary(max_size=200))
def test_broken_pictures_are_errors_and_no_crash(data: bytes) -> None:
    whole = picture(chunk(b"tEXt", b"chara\0" + packed("Mira")))
    for broken in (png.SIGNATURE + data, whole[:40] + data, data):
        with pytest.raises(SyscallError):
            png.read(broken)


def test_a_picture_without_a_card() -> None:
    with pytest.raises(SyscallError, match="no character card"):
        png.read(picture())


def test_version_one_cards() -> None:
    card = Card.from_json({"name": "Ida", "description": "a baker", "first_mes": "Hi"})
    assert (card.name, card.to_json()["data"]["description"]) == ("Ida", "a baker")


def test_macros_and_comments() -> None:
    card = Card(
        {
            "name": "Mira",
            "nickname": "Mi",
            "description": "{{char}} likes {{user}}.{{// not this}} <BOT> <USER>",
        }
    )
    assert card.text("description", person="Sam") == "Mi likes Sam. Mi Sam"


@pytest.mark.parametrize("said", ["1" + "0" * 400, "-1" + "0" * 400, '"NaN"', '"1e999"', "[]", '"0.25"'])
def test_talkativeness_is_a_share_whatever_is_said(said: str) -> None:
    card = Card.from_text(f'{{"name": "Mira", "extensions": {{"talkativeness": {said}}}}}')
    assert 0 <= card.talkativeness <= 1


@pytest.mark.parametrize("value", ["NaN", "-Infinity", "1e999", "9" * 5000, "[" * 200 + "]" * 200, '{"a":' * 900])
def test_what_could_not_be_kept_is_no_card(value: str) -> None:
    with pytest.raises(SyscallError) as caught:
        Card.from_text(f'{{"name": "Mira", "x": {value}}}')
    assert caught.value.code == "EINVAL"


def test_half_a_character_survives_every_trip() -> None:
    card = Card.from_text(r'{"name": "Mira", "personality": "odd \ud800", "description": "é"}')
    assert card.data["personality"] == "odd \ud800"
    assert png.read(png.write(card)).to_json() == card.to_json()
    assert Card.from_text(card.to_text().encode().decode()).to_json() == card.to_json()


@pytest.mark.parametrize(
    "raw", ['{"name": null}', '{"data": {"name": null}}', '{"name": ""}', '{"name": " "}', '{"name": "a\\u0000"}']
)
def test_a_card_that_names_nobody(raw: str) -> None:
    with pytest.raises(SyscallError) as caught:
        Card.from_text(raw)
    assert caught.value.code == "EINVAL"


def test_both_versions_go_out_and_come_in() -> None:
    book = {"entries": [{"keys": ["sea"], "content": "It is near.", "x_own": 1}], "x_book": True}
    card = Card(
        {"name": "Mira", "character_book": book, "extensions": {"x_other": {"kept": 1}}, "x_field": [1]}, {"x_top": 2}
    )
    for version, spec in ((2, "chara_card_v2"), (3, "chara_card_v3")):
        raw = json.loads(card.to_text(version))
        assert (raw["spec"], raw["x_top"]) == (spec, 2)
        again = Card.from_json(raw)
        assert again.data["character_book"] == book
        assert again.data["extensions"] == {"x_other": {"kept": 1}}
        assert again.data["x_field"] == [1]
    written = png.write(card)
    old = base64.b64decode(written.partition(b"tEXtchara\0")[2].partition(b"IEND")[0][:-8])
    assert json.loads(old)["spec"] == "chara_card_v2"


def test_what_a_card_says_of_models_and_servers_is_kept() -> None:
    card = Card(
        {"name": "Mira", "extensions": {"llmasos": {"model": "openai:http://evil.example/m", "voice": {"seed": 1}}}}
    )
    assert card.to_json()["data"]["extensions"]["llmasos"]["model"] == "openai:http://evil.example/m"
