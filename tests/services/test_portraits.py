"""Portraits: the picture that a card came in is the picture it goes out in, and goes with its character."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from talk_desk import Desk, open_desk

from llmasos.core.base.errors import SyscallError
from llmasos.services.characters import png
from llmasos.services.characters.card import Card
from llmasos.services.export import export

CANARY = b"painted by Hollin 7391"


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def picture(colour: bytes = b"\xc0\x20\x40", *more: bytes) -> bytes:
    """Two by two pixels, with things beside them that some program wrote."""
    rows = b"".join(b"\0" + colour * 2 for _ in range(2))
    parts = [
        chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0)),
        chunk(b"pHYs", struct.pack(">IIB", 2835, 2835, 1)),
        chunk(b"tEXt", b"Comment\0" + CANARY),
        *more,
        chunk(b"IDAT", zlib.compress(rows)),
        chunk(b"IEND", b""),
    ]
    return png.SIGNATURE + b"".join(parts)


RED, BLUE = picture(), picture(b"\x20\x40\xc0")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as desk:
        yield desk


def put(desk: Desk, name: str, data: bytes) -> None:
    (desk.session.workspace / name).write_bytes(data)


async def looks(desk: Desk, name: str = "out") -> bytes:
    """The picture that Mira goes out in, without the card."""
    file = desk.session.workspace / f"{name}.png"
    file.unlink(missing_ok=True)
    await desk.ok("character.export", name="Mira", path=file.name)
    data = file.read_bytes()
    assert png.read(data).name == "Mira"
    return png.portrait(data)


def test_a_picture_without_its_card_is_as_it_was() -> None:
    whole = png.write(Card.make("Mira"), RED)
    assert whole != RED
    assert png.portrait(whole) == RED == png.portrait(RED)
    assert png.portrait(png.write(Card.make("Bram"), whole) + b"behind the end") == RED


@pytest.mark.parametrize(
    "data", [png.write(Card.make("Mira")), png.SIGNATURE + chunk(b"IEND", b""), RED.replace(b"IDAT", b"iDOT")]
)
def test_where_nothing_is_to_be_seen_is_no_portrait(data: bytes) -> None:
    if b"iDOT" in data:  # its checksum is wrong, and so nothing of it is taken
        with pytest.raises(SyscallError):
            png.portrait(data)
    else:
        assert png.portrait(data) == b""


async def test_it_goes_out_as_it_came_in(tmp_path: Path) -> None:
    with open_desk(tmp_path) as desk:
        put(desk, "mira.png", png.write(Card.make("Mira", personality="bold"), RED))
        await desk.ok("character.import", path="mira.png")
        (desk.session.workspace / "mira.png").unlink()
        assert await looks(desk) == RED
        assert (await desk.ok("character.show", name="Mira"))["fields"]["portrait"] == "PNG, 1 KiB"
        await desk.ok("character.create", name="Mira", role="sailor")
        assert await looks(desk) == RED, "another version of the card looks the same"
        assert png.read((desk.session.workspace / "out.png").read_bytes()).role == "sailor"
    with open_desk(tmp_path) as desk:
        assert await looks(desk) == RED, "and another day"
        await desk.ok("character.delete", name="Mira")
        await desk.ok("character.import", path="out.png")
        assert await looks(desk, "again") == RED


async def test_a_character_without_a_picture_goes_out_in_a_grey_dot(desk: Desk) -> None:
    await desk.ok("character.create", name="Mira")
    assert await looks(desk) == b""
    assert "portrait" not in (await desk.ok("character.show", name="Mira"))["fields"]
    await desk.ok("character.delete", name="Mira")
    await desk.ok("character.import", path="out.png")
    assert "portrait" not in (await desk.ok("character.show", name="Mira"))["fields"]


async def test_another_picture_takes_its_place_and_undo_brings_it_back(desk: Desk) -> None:
    card = Card.make("Mira", personality="bold")
    put(desk, "red.png", png.write(card, RED))
    put(desk, "blue.png", png.write(card, BLUE))
    put(desk, "shy.png", png.write(Card.make("Mira", personality="shy"), BLUE))
    put(desk, "shy.json", Card.make("Mira", personality="shy").to_text().encode())
    await desk.ok("character.import", path="red.png")
    assert (await desk.ok("character.import", path="red.png"))["message"] == "Mira is there already."

    value = await desk.ok("character.import", path="blue.png")
    assert value["message"] == "Mira is there already, and looks as in blue.png now."
    assert await looks(desk) == BLUE
    await desk.undo()  # of the export
    assert await desk.undo() == "Mira looks as before."
    assert await looks(desk) == RED
    await desk.undo()

    await desk.ok("character.import", path="shy.png")
    assert await looks(desk) == BLUE
    await desk.undo()
    await desk.undo()
    assert await looks(desk) == RED
    assert (await desk.ok("character.show", name="Mira"))["fields"]["personality"] == "bold"
    await desk.undo()

    await desk.ok("character.import", path="shy.json")
    assert await looks(desk) == RED, "a card without a picture takes none away"


async def test_it_is_sealed_and_goes_with_the_character(tmp_path: Path) -> None:
    with open_desk(tmp_path) as desk:
        put(desk, "mira.png", png.write(Card.make("Mira"), RED))
        await desk.ok("character.import", path="mira.png")
        store, (mira,) = desk.kernel.store, desk.characters.cast.of("ada")
        assert store.get_blob(mira.portrait, subject=mira.subject) == RED
        assert not [file for file in (tmp_path / "home").rglob("*") if file.is_file() and CANARY in file.read_bytes()]
        await desk.ok("character.delete", name="Mira")
        assert store.get_blob(mira.portrait, subject=mira.subject) is None
        assert store.blob_bytes() == 0
        await desk.ok("character.import", path="mira.png")
        await desk.undo()
        assert store.blob_bytes() == 0, "undo of the import leaves none either"


async def test_a_picture_too_large_with_its_card_is_no_file_that_nobody_can_read(desk: Desk) -> None:
    large = picture(b"\0\0\0", chunk(b"zzZz", b"\0" * (png.LARGEST_PICTURE - 100_000)))
    put(desk, "mira.png", png.write(Card.make("Mira"), large))
    await desk.ok("character.import", path="mira.png")
    put(desk, "long.json", Card.make("Mira", scenario="s" * 200_000).to_text().encode())
    await desk.ok("character.import", path="long.json")
    result = await desk.do("character.export", name="Mira", path="out.png")
    assert result.error == "E2BIG" and ".charx" in result.message
    assert not (desk.session.workspace / "out.png").exists()
    for name in ("out.json", "out.charx"):
        await desk.ok("character.export", name="Mira", path=name)


async def test_it_is_among_the_open_files(desk: Desk) -> None:
    put(desk, "mira.png", png.write(Card.make("Mira"), RED))
    await desk.ok("character.import", path="mira.png")
    store = desk.kernel.store
    files = dict(export(store.all(), desk.clock.now(), lambda subject, id: store.get_blob(id, subject=subject)))
    assert files["characters/Mira.png"] == RED
