"""The recovery code: 160 random bits as 8 groups of 4 letters; opens the keyring when all else is lost."""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import Any

from llmasos.core.base.errors import StoreError
from llmasos.core.kernel import crypto

CODE_BYTES = 20


def make(store: str, kek: bytes) -> tuple[str, dict[str, Any]]:
    """A new code, and the KEK sealed by it for the keyring's header."""
    letters = base64.b32encode(secrets.token_bytes(CODE_BYTES)).decode()
    code = "-".join(letters[at : at + 4] for at in range(0, len(letters), 4))
    salt = secrets.token_bytes(16)
    wrapped = crypto.wrap_key(_key(code, salt), kek, _aad(store))
    return code, {"salt": salt.hex(), "wrapped": base64.b64encode(wrapped).decode()}


def use(store: str, part: dict[str, Any], code: str) -> bytes:
    """The KEK.

    Raises:
        StoreError: The code is wrong.
    """
    try:
        key = _key(code, bytes.fromhex(part["salt"]))
        return crypto.unwrap_key(key, base64.b64decode(part["wrapped"]), _aad(store))
    except StoreError:
        remedy = "Compare it with what you wrote down: 8 groups of 4."
        raise StoreError("The recovery code is wrong.", remedy) from None


def _key(code: str, salt: bytes) -> bytes:
    # Read back from paper: case, spaces and the digits that look like letters don't matter.
    letters = "".join(code.split()).replace("-", "").upper().translate(str.maketrans("018", "OIB"))
    try:
        secret = base64.b32decode(letters)
    except (binascii.Error, ValueError):
        secret = b""
    if len(secret) != CODE_BYTES:
        raise StoreError("This is no recovery code.")
    # 160 random bits need no stretching.
    return crypto.derive(secret, "recovery", salt=salt)


def _aad(store: str) -> bytes:
    return b"|".join([b"llmasos/kek/1", store.encode(), b"recovery"])
