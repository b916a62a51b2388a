"""Character cards inside PNG pictures: base 64 JSON in a `ccv3` text chunk, or an older `chara` one.

A picture comes from strangers, so every length is checked before it is believed, and what is compressed is
unpacked up to a limit only. Format: PNG Specification (Third Edition), chunks tEXt, zTXt and iTXt.
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from collections.abc import Iterator

from llmasos.core.base.errors import SyscallError
from llmasos.services.characters.card import LARGEST, Card

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LARGEST_PICTURE = 32 * 1024 * 1024
_VERSIONS = {"ccv3": 3, "chara": 2}
_KEYS = tuple(_VERSIONS)  # the newer one wins
_CHUNKS = 4096


def read(data: bytes) -> Card:
    """The card in a picture.

    Raises:
        SyscallError: EINVAL, it is no picture with a card; E2BIG.
    """
    if len(data) > LARGEST_PICTURE:
        raise SyscallError("E2BIG", f"The picture has {len(data):,} bytes; {LARGEST_PICTURE:,} is the limit.")
    found: dict[str, bytes] = {}
    for kind, body in _chunks(data):
        key, text = _text(kind, body)
        if key in _KEYS and key not in found:
            found[key] = text
    for key in _KEYS:
        if key in found:
            try:
                return Card.from_text(base64.b64decode(found[key], validate=False).decode("utf-8"))
            except (binascii.Error, UnicodeDecodeError):
                raise SyscallError("EINVAL", f"The picture's {key} text is damaged.") from None
    raise SyscallError("EINVAL", "There is no character card in this picture.")


def portrait(data: bytes) -> bytes:
    """A picture without the card in it, for `write` to put one in again; empty where nothing is to be seen.

    Raises:
        SyscallError: EINVAL or E2BIG, as `read`.
    """
    parts = [(kind, body) for kind, body in _chunks(data) if _text(kind, body)[0] not in _KEYS]
    seen = parts[0][0] == b"IHDR" and any(kind == b"IDAT" for kind, _ in parts)
    picture = SIGNATURE + b"".join(_chunk(kind, body) for kind, body in parts)
    return picture if seen and picture != _dot() else b""


def write(card: Card, picture: bytes = b"") -> bytes:
    """A picture with the card in it: the given one with its card replaced, or one grey dot.

    Raises:
        SyscallError: E2BIG, nobody could read it again.
    """
    texts = {key: base64.b64encode(card.to_text(version).encode("utf-8")) for key, version in _VERSIONS.items()}
    out = [SIGNATURE]
    for kind, body in _chunks(picture or _dot()):
        if kind == b"IEND":
            out += [_chunk(b"tEXt", key.encode() + b"\0" + texts[key]) for key in reversed(_KEYS)]
        if _text(kind, body)[0] not in _KEYS:
            out.append(_chunk(kind, body))
    if sum(map(len, out)) > LARGEST_PICTURE or len(out) > _CHUNKS:
        what = f"The portrait and the card of {card.name} are together more than a picture holds"
        raise SyscallError("E2BIG", f"{what} ({LARGEST_PICTURE:,} bytes).", "Export to a .json or .charx file.")
    return b"".join(out)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not data.startswith(SIGNATURE):
        raise SyscallError("EINVAL", "That is no PNG picture.")
    at = len(SIGNATURE)
    for _ in range(_CHUNKS):
        if at + 12 > len(data):
            break
        size, kind = struct.unpack_from(">I4s", data, at)
        if at + 12 + size > len(data):
            break
        body = data[at + 8 : at + 8 + size]
        if struct.unpack_from(">I", data, at + 8 + size)[0] != zlib.crc32(kind + body):
            raise SyscallError("EINVAL", "The picture is damaged: a checksum is wrong.")
        yield kind, body
        if kind == b"IEND":
            return
        at += 12 + size
    raise SyscallError("EINVAL", "The picture is cut off, or has too many parts.")


def _text(kind: bytes, body: bytes) -> tuple[str, bytes]:
    """Key and text of a text chunk; an empty key for other chunks and for text we don't read."""
    if kind not in (b"tEXt", b"zTXt", b"iTXt"):
        return "", b""
    key, _, rest = body.partition(b"\0")
    name = key.decode("latin-1").lower()
    if name not in _KEYS:
        return "", b""
    if kind == b"zTXt":
        return name, _unpacked(rest[1:])
    if kind == b"iTXt":
        packed, rest = rest[:1] == b"\1", rest[2:]
        text = rest.split(b"\0", 2)[-1]
        return name, _unpacked(text) if packed else text
    return name, rest


def _unpacked(data: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(data, 2 * LARGEST)
    except zlib.error:
        raise SyscallError("EINVAL", "The picture's text can't be unpacked.") from None
    if unpacker.unconsumed_tail:
        raise SyscallError("E2BIG", f"The picture's text unpacks to more than {2 * LARGEST:,} bytes.")
    return text


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _dot() -> bytes:
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"".join(
        [SIGNATURE, _chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(b"\0\x80")), _chunk(b"IEND", b"")]
    )
