"""The one door to the `cryptography` package, and the few primitives that everything at rest uses.

Sealing is AES-256-GCM with a random 96-bit nonce in front: `nonce(12) | ciphertext | tag(16)`. The associated
data (AAD) says *what* is sealed, so that a sealed text moved to another place doesn't open there. Keys come
from a random source, from another key by HKDF-SHA-256 with a label, or from a passphrase by Argon2id.

Python can't promise to wipe a key from memory; it can keep keys out of files, arguments and environments.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from os import urandom
from struct import Struct
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher as Ciphers
from cryptography.hazmat.primitives.ciphers import algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from llmasos.core.base.errors import StoreError

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
LARGE = 1 << 20
"""Bytes from which a text is sealed in place: putting the nonce in front would copy it once more."""
OVERHEAD = NONCE_BYTES + TAG_BYTES
"""How much longer a sealed text is than the plain one."""


UNOPENED = (InvalidTag, ValueError)
"""What `Cipher.decrypt` raises of what doesn't open; ValueError where it is too short to hold a nonce."""


class Cipher:
    """A key made ready, for many seals and opens; making it ready costs as much as sealing a short text.

    Attributes:
        decrypt: As `open`, of the nonce and of the rest apart, with the library's own errors (`UNOPENED`): for the
            point read of the store, where each call more can be measured.
    """

    __slots__ = ("_aead", "decrypt")

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)
        self.decrypt = self._aead.decrypt

    def seal(self, plain: bytes, aad: bytes) -> bytes:
        """Encrypt and authenticate; `aad` is authenticated only and must be given again to open."""
        # Random nonces are safe for about 2^32 seals of one key; a key serves one subject of one home.
        nonce = urandom(NONCE_BYTES)
        if len(plain) < LARGE:
            return nonce + self._aead.encrypt(nonce, plain, aad)
        sealed = bytearray(NONCE_BYTES + len(plain) + TAG_BYTES)
        sealed[:NONCE_BYTES] = nonce
        self._aead.encrypt_into(nonce, plain, aad, memoryview(sealed)[NONCE_BYTES:])
        return sealed  # type: ignore[return-value]  # as good as bytes, and needn't be copied

    def open(self, sealed: bytes, aad: bytes) -> bytes:
        """Decrypt what `seal` made.

        Raises:
            StoreError: It was sealed with another key or for another place, or it was changed since.
        """
        whole = memoryview(sealed)  # a slice of bytes would copy them, and a context has 23 MB
        try:
            return self._aead.decrypt(whole[:NONCE_BYTES], whole[NONCE_BYTES:], aad)
        except UNOPENED:
            raise unopened() from None

    def open_into(self, sealed: bytes | memoryview, aad: bytes, room: bytearray) -> memoryview:
        """As `open`, into a buffer that is large enough: fresh memory for 23 MB costs more than decrypting them.

        Raises:
            StoreError: As `open`.
        """
        size = max(len(sealed) - OVERHEAD, 0)
        try:
            # Released at the end: who mapped a file for it wants to let go of it.
            with memoryview(sealed) as whole, whole[:NONCE_BYTES] as nonce, whole[NONCE_BYTES:] as body:
                self._aead.decrypt_into(nonce, body, aad, memoryview(room)[:size])
        except UNOPENED:
            raise unopened() from None
        return memoryview(room)[:size]


def random_key() -> bytes:
    """A new 256-bit key."""
    return secrets.token_bytes(KEY_BYTES)


def unopened() -> StoreError:
    """What is told of a sealed text that doesn't open."""
    return StoreError(
        "A sealed record doesn't open: it was changed, moved, or sealed with another key.",
        "Restore the latest backup.",
    )


def wrap_key(kek: bytes, key: bytes, aad: bytes) -> bytes:
    """Seal a key with a key-encryption key; `aad` says whose key it is and what for."""
    return Cipher(kek).seal(key, aad)


def unwrap_key(kek: bytes, wrapped: bytes, aad: bytes) -> bytes:
    """Open what `wrap_key` made.

    Raises:
        StoreError: Wrong key-encryption key, or the wrapped key is another's or damaged.
    """
    return Cipher(kek).open(wrapped, aad)


def derive(key: bytes, label: str, *, salt: bytes = b"") -> bytes:
    """A subkey for one purpose (HKDF-SHA-256, RFC 5869); it says nothing about `key` or other labels."""
    # Imported here, as is Argon2id: neither is needed before the first key is.
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), KEY_BYTES, salt or None, b"llmasos/" + label.encode()).derive(key)


class Tagger:
    """Keyed tags of 16 bytes: equal texts get equal tags, and only key holders can tell which.

    Args:
        key: Whose holders.
        prefix: What is put before each text.

    Keyed BLAKE2b (RFC 7693), a MAC like HMAC at a third of its cost: every point read makes a tag.
    """

    __slots__ = ("_keyed",)

    def __init__(self, key: bytes, prefix: bytes = b"") -> None:
        # Copied for each tag: cheaper than keying anew, and than hashing what all begin with.
        self._keyed = hashlib.blake2b(prefix, key=key, digest_size=TAG_BYTES)

    def tag(self, data: bytes) -> bytes:
        """The tag of `data`."""
        state = self._keyed.copy()
        state.update(data)
        return state.digest()

    def tag_text(self, text: str) -> bytes:
        """The tag of a text, of one with lone surrogates too."""
        state = self._keyed.copy()
        try:
            state.update(text.encode())
        except UnicodeEncodeError:
            state.update(text.encode("utf-8", "surrogatepass"))
        return state.digest()

    def verify(self, data: bytes, tag: bytes) -> bool:
        """Whether `tag` is the tag of `data`, compared in constant time."""
        return hmac.compare_digest(self.tag(data), tag)


class Blocks:
    """Keyed numbers for blocks of 16 bytes, many at once: AES as a pseudorandom function. Not for encrypting.

    A million of them take as long as a thousand keyed hashes, for it is one call.
    """

    __slots__ = ("_aes",)

    def __init__(self, key: bytes) -> None:
        # ECB is AES itself: equal blocks give equal numbers, which is what is wanted here, and nobody sees them.
        self._aes = Ciphers(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305

    def total(self, blocks: Sequence[bytes]) -> int:
        """The sum of the numbers of all blocks."""
        numbers = Struct(f">{2 * len(blocks)}Q").unpack(self._aes.update(b"".join(blocks)))
        high, low = sum(numbers[::2]), sum(numbers[1::2])
        return int((high << 64) + low)


@dataclass(frozen=True, slots=True)
class Argon2Cost:
    """What one guess of a passphrase costs; the defaults are RFC 9106's second choice, about 0.15 s.

    Attributes:
        memory_kib: Memory.
        iterations: Passes over it.
        lanes: Lanes computed at once.
    """

    memory_kib: int = 64 * 1024
    iterations: int = 3
    lanes: int = 4

    def to_json(self) -> dict[str, Any]:
        """The form kept in the keyring's header."""
        return asdict(self)


def stretch(passphrase: str, salt: bytes, cost: Argon2Cost) -> bytes:
    """A key from a passphrase (Argon2id, RFC 9106)."""
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    kdf = Argon2id(
        salt=salt, length=KEY_BYTES, iterations=cost.iterations, lanes=cost.lanes, memory_cost=cost.memory_kib
    )
    return kdf.derive(passphrase.encode("utf-8", "surrogatepass"))
