"""CHARX archives: what is taken and what is left, and archives made to hurt."""

import io
import json
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from talk_desk import Desk, open_desk

from llmasos.core.base.errors import SyscallError
from llmasos.services.characters import charx
from llmasos.services.characters.card import LARGEST, Card

MIRA = {
    "spec": "chara_card_v3", "spec_version": "3.0",
    "data": {"name": "Mira", "description": "She sails.", "x_own": 1,
             "assets": [{"type": "icon", "uri": "embeded://assets/icon/main.png", "name": "main", "ext": "png"}],
             "character_book": {"entries": [{"keys": ["sea"], "content": "It is cold.", "enabled": True}]}},
}  # fmt: skip


def archive(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as packed:
        for name, content in files:
            packed.writestr(name, content)
    return data.getvalue()


def card(raw: Any = MIRA) -> tuple[str, bytes]:
    return "card.json", json.dumps(raw).encode()


def code(data: bytes) -> str:
    with pytest.raises(SyscallError) as caught:
        charx.read(io.BytesIO(data))
    return caught.value.code


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as desk:
        yield desk


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_card_and_its_lorebook(method: int) -> None:
    whole = archive(("assets/icon/main.png", b"\x89PNG" * 4_000_000), card(), ("module.risum", b"x"), method=method)
    found = charx.read(io.BytesIO(whole))
    assert found.card.to_json()["data"]["x_own"] == 1
    assert found.card.book.told(["the sea"], 1, {}).texts == ["It is cold."]
    assert found.left == ["assets/icon/main.png", "module.risum"]
    assert "assets/icon/main.png, module.risum (15.3 MiB)" in found.note
    assert charx.read(io.BytesIO(archive(card()))).note == ""


async def test_it_comes_in_like_any_card(desk: Desk) -> None:
    (desk.session.workspace / "mira.charx").write_bytes(archive(card(), ("assets/a.png", b"1")))
    value = await desk.ok("character.import", path="mira.charx")
    assert value["message"] == "Mira came in from mira.charx."
    assert value["note"].startswith("Left in the archive: assets/a.png")
    (character,) = desk.characters.cast.of("ada")
    assert character.card.data["assets"] == MIRA["data"]["assets"]  # type: ignore[index]  # it is a dict
    await desk.undo()
    assert desk.characters.cast.of("ada") == []


def test_what_is_written_is_read_and_holds_the_card_alone() -> None:
    whole = Card.from_json(MIRA)
    data = charx.write(whole)
    found = charx.read(io.BytesIO(data))
    assert found.card.to_json() == whole.to_json() and found.card.data["x_own"] == 1
    assert found.left == [] and data == charx.write(whole)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["card.json"] and json.loads(archive.read("card.json"))["spec"] == "chara_card_v3"


async def test_it_goes_out_and_comes_in_elsewhere_and_undo_takes_it_away(desk: Desk) -> None:
    await desk.ok("character.create", name="Alice", personality="friendly", role="cook", lore='["The stove is cold."]')
    value = await desk.ok("character.export", name="Alice", path="cards/Alice.CHARX")
    assert value["ref"] == "cards/Alice.CHARX"
    assert await desk.error("character.export", name="Alice", path="cards/Alice.CHARX") == "EEXIST"
    await desk.ok("character.delete", name="Alice")
    await desk.ok("character.import", path="cards/Alice.CHARX")
    (alice,) = desk.characters.cast.of("ada")
    assert (alice.card.role, alice.card.data["personality"]) == ("cook", "friendly")
    assert [entry.content for entry in alice.card.book.constant] == ["The stove is cold."]
    await desk.ok("character.export", name="Alice", path="more/again.charx")
    await desk.undo()
    assert not (desk.session.workspace / "more").exists()


async def test_names_that_are_paths_lead_nowhere(desk: Desk) -> None:
    names = ["../../escaped", "/tmp/escaped", "a/../../escaped", "C:\\escaped", "../card.json", "new\x1b[31m\nline"]
    before = set(desk.session.workspace.parent.rglob("*"))
    (desk.session.workspace / "mira.charx").write_bytes(archive(*((name, b"x") for name in names), card()))
    value = await desk.ok("character.import", path="mira.charx")
    assert "../../escaped" in value["note"] and "\x1b" not in value["note"]
    left = set(desk.session.workspace.parent.rglob("*")) - before
    assert not [path for path in left if "escaped" in path.name or path.name == "card.json"]


def test_a_card_in_a_folder_is_none() -> None:
    assert code(archive(("../card.json", b"{}"), ("x/card.json", card()[1]))) == "EINVAL"


def test_what_unpacks_to_more_than_a_card() -> None:
    bomb = archive(("card.json", b" " * (LARGEST * 8)))
    assert len(bomb) < LARGEST // 50
    assert code(bomb) == "E2BIG"


def test_a_size_that_is_a_lie() -> None:
    """Both headers say that the card has one byte, though it unpacks to more than any."""
    bomb = archive(("card.json", b" " * (LARGEST * 8)))
    size = struct.pack("<I", LARGEST * 8)
    assert bomb.count(size) == 2
    assert code(bomb.replace(size, struct.pack("<I", 1))) == "EINVAL"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_could_unpack_without_end_is_not_unpacked(method: int) -> None:
    assert code(archive(card(), method=method)) == "EINVAL"


def test_contents_without_end() -> None:
    many = archive(card(), *((f"{'a' * 200}{number}", b"") for number in range(6_000)))
    assert code(many) == "E2BIG"


def test_one_with_a_password() -> None:
    locked = bytearray(archive(card()))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.index(signature) + at] |= 1
    assert code(bytes(locked)) == "EINVAL"


def test_archives_of_other_things() -> None:
    assert code(archive(("word/document.xml", b"<x/>"))) == "EINVAL"
    assert code(archive(("card.json", b"\xff\xfe"))) == "EINVAL"
    assert code(archive(("card.json", b"[" * 100_000))) == "EINVAL"
    assert code(archive(("card.json", b"{}"))) == "EINVAL"
    assert code(archive(("card.json/", b""))) == "EINVAL"


def test_a_file_without_a_name() -> None:
    """Python 3.11's own question whether it is a folder ends in an IndexError."""
    data = archive(card(), ("x", b"1"))
    name = data.rindex(b"x", 0, data.index(b"PK\x05\x06"))
    contents = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 1)
    short = data[:contents] + data[contents:name].replace(struct.pack("<H", 1), struct.pack("<H", 0)) + data[name + 1 :]
    at = short.index(b"PK\x05\x06") + 12
    size = struct.unpack_from("<I", short, at)[0] - 1
    short = short[:at] + struct.pack("<I", size) + short[at + 4 :]
    assert list(charx.read(io.BytesIO(short)).left) == [""]


def test_a_file_larger_than_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charx, "LARGEST_ARCHIVE", 100)
    assert code(archive(card())) == "E2BIG"


@given(st.data())
def test_broken_archives_are_errors_and_no_crash(data: st.DataObject) -> None:
    whole = archive(card(), ("assets/a.png", b"picture" * 9))
    broken = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = charx.read(io.BytesIO(bytes(broken[: data.draw(st.integers(0, len(whole)))])))
    except SyscallError as error:
        assert error.code in ("EINVAL", "E2BIG")
    else:
        assert found.card.name
