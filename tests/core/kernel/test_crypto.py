from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmasos.core.base.errors import StoreError
from llmasos.core.kernel import crypto

KEY = bytes(range(32))


@given(st.binary(max_size=300), st.binary(max_size=50))
def test_what_is_sealed_opens(plain: bytes, aad: bytes) -> None:
    cipher = crypto.Cipher(KEY)
    sealed = cipher.seal(plain, aad)
    assert len(sealed) == len(plain) + crypto.OVERHEAD
    assert cipher.open(sealed, aad) == plain


@given(st.binary(max_size=60), st.integers(min_value=0), st.integers(1, 255))
def test_any_changed_byte_is_noticed(plain: bytes, place: int, flip: int) -> None:
    cipher = crypto.Cipher(KEY)
    sealed = bytearray(cipher.seal(plain, b"here"))
    sealed[place % len(sealed)] ^= flip
    with pytest.raises(StoreError):
        cipher.open(bytes(sealed), b"here")


@pytest.mark.parametrize("length", [0, 1, 11, 12, 27])
def test_what_is_too_short_is_refused(length: int) -> None:
    with pytest.raises(StoreError):
        crypto.Cipher(KEY).open(bytes(length), b"")


def test_wrong_place_or_key_does_not_open() -> None:
    sealed = crypto.Cipher(KEY).seal(b"text", b"here")
    with pytest.raises(StoreError):
        crypto.Cipher(KEY).open(sealed, b"there")
    with pytest.raises(StoreError):
        crypto.Cipher(crypto.random_key()).open(sealed, b"here")


def test_sealing_twice_looks_different() -> None:
    cipher = crypto.Cipher(KEY)
    assert cipher.seal(b"same", b"") != cipher.seal(b"same", b"")


def test_wrapped_keys_are_bound_to_their_owner() -> None:
    key = crypto.random_key()
    wrapped = crypto.wrap_key(KEY, key, b"alice")
    assert crypto.unwrap_key(KEY, wrapped, b"alice") == key
    with pytest.raises(StoreError):
        crypto.unwrap_key(KEY, wrapped, b"bob")


def test_derive_is_rfc_5869() -> None:
    # Extract and expand (one block) by hand, from the standard library.
    extracted = hmac.digest(b"salt", KEY, "sha256")
    expanded = hmac.digest(extracted, b"llmasos/rec\x01", "sha256")
    assert crypto.derive(KEY, "rec", salt=b"salt") == expanded
    assert crypto.derive(KEY, "rec") != crypto.derive(KEY, "idx")


def test_tags_are_keyed_blake2b() -> None:
    tagger = crypto.Tagger(KEY)
    assert tagger.tag(b"name") == hashlib.blake2b(b"name", key=KEY, digest_size=16).digest()
    assert tagger.tag(b"name") == tagger.tag(b"name")
    assert tagger.verify(b"name", tagger.tag(b"name"))
    assert not tagger.verify(b"nome", tagger.tag(b"name"))
    assert crypto.Tagger(crypto.random_key()).tag(b"name") != tagger.tag(b"name")


def test_stretch_depends_on_everything() -> None:
    cheap = crypto.Argon2Cost(memory_kib=64, iterations=1, lanes=1)
    key = crypto.stretch("pass", b"s" * 16, cheap)
    assert key == crypto.stretch("pass", b"s" * 16, cheap)
    others = [
        crypto.stretch("Pass", b"s" * 16, cheap),
        crypto.stretch("pass", b"t" * 16, cheap),
        crypto.stretch("pass", b"s" * 16, crypto.Argon2Cost(memory_kib=64, iterations=2, lanes=1)),
        crypto.stretch("pass", b"s" * 16, crypto.Argon2Cost(memory_kib=128, iterations=1, lanes=1)),
    ]
    assert len({key, *others}) == 5


def test_the_default_cost_is_the_documented_one() -> None:
    assert crypto.Argon2Cost() == crypto.Argon2Cost(memory_kib=65536, iterations=3, lanes=4)


def test_blocks_have_numbers_that_only_the_key_tells() -> None:
    blocks = crypto.Blocks(b"k" * 32)
    one, other = b"a" * 16, b"b" * 16
    assert blocks.total([]) == 0
    assert blocks.total([one, other, one]) == 2 * blocks.total([one]) + blocks.total([other])
    assert 0 < blocks.total([one]) < 1 << 128
    assert blocks.total([one]) != blocks.total([other])
    assert blocks.total([one]) != crypto.Blocks(b"l" * 32).total([one])
    # AES-256 of the FIPS 197 example, C.3.
    key, plain = bytes(range(32)), bytes.fromhex("00112233445566778899aabbccddeeff")
    assert crypto.Blocks(key).total([plain]) == 0x8EA2B7CA516745BFEAFC49904B496089
