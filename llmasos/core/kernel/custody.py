"""Who keeps the key-encryption key (KEK): the desktop's keyring, a passphrase, or a file.

    place()   puts a KEK somewhere, at first run and at recovery, and returns what the keyring must remember
    fetch()   gets it back from there

What the keyring remembers is never secret: for a passphrase it is the salt, the cost and the KEK sealed by
the stretched passphrase; for the other two it is only the name of the place.
"""

from __future__ import annotations

import base64
import binascii
import importlib
import importlib.util
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from llmasos.core.base.durable import replace_file, scrub
from llmasos.core.base.errors import StoreError
from llmasos.core.kernel import crypto

KEY_FILE = "keyring.key"
SERVICE = "llmasos"
TRIES = 3
_SALT_BYTES = 16
# Four times what we ask for. A header that asks for more is no header of ours; it would only stall the machine.
MOST_MEMORY_KIB, MOST_ITERATIONS, MOST_LANES = 256 * 1024, 12, 16

SENTENCES = {
    "os-keyring": "Your desktop's keyring holds the key: whoever can log in as you can read what is stored.",
    "passphrase": "A passphrase protects what is stored: a stolen disk can't be read without it.",
    "key-file": f"A key file ({KEY_FILE}, beside the data) holds the key: it protects no stolen disk, "
    "only copies and backups made without it.",
    "memory": "The key is nowhere but in this program's memory, and is gone when it ends.",
}

Ask = Callable[[str], str]


class SecretService(Protocol):
    """What is used of the `keyring` package."""

    def get_password(self, service: str, username: str, /) -> str | None:
        """The kept secret."""

    def set_password(self, service: str, username: str, password: str, /) -> None:
        """Keep a secret."""

    def delete_password(self, service: str, username: str, /) -> None:
        """Remove a secret."""


def place(
    home: Path, store: str, kek: bytes | None, *, passphrase: str | None, ask: Ask | None
) -> tuple[bytes, dict[str, Any]]:
    """Put a KEK into the best custody there is.

    Args:
        home: The folder of all state.
        store: The store's id, so that two homes don't share a secret's name.
        kek: The KEK; None for a new one.
        passphrase: Use this passphrase, whatever else there is.
        ask: Asks the person for a passphrase, where the desktop keeps no keys.

    Returns:
        The KEK and the header's part.
    """
    if passphrase:
        return _lock(kek or crypto.random_key(), store, passphrase)
    if (service := secret_service()) is not None:
        kek = kek or crypto.random_key()
        if _keep(service, store, kek):
            return kek, {"kind": "os-keyring"}
    if ask is not None and (passphrase := _ask_twice(ask)):
        return _lock(kek or crypto.random_key(), store, passphrase)
    return _to_file(home / KEY_FILE, kek), {"kind": "key-file"}


def fetch(home: Path, store: str, part: dict[str, Any], *, passphrase: str | None, ask: Ask | None) -> bytes:
    """Get the KEK back from where `place` put it.

    Raises:
        StoreError: The passphrase is wrong, or the key isn't there.
    """
    match part["kind"]:
        case "passphrase":
            return _unlock(store, part, passphrase, ask)
        case "os-keyring":
            service = secret_service()
            kept = _kept(service, store) if service is not None else None
            if kept is None:
                raise StoreError(
                    "The key is in your desktop's keyring, which isn't there or doesn't have it.",
                    "Log in to the desktop and try again, or use the recovery code: llmasos recover.",
                )
            return _decode(kept, "The key in the desktop's keyring")
        case "key-file":
            path = home / KEY_FILE
            if not path.is_file():
                raise StoreError(
                    f"The key file {path} is missing, and without it nothing stored here can be read.",
                    "Put it back, or use the recovery code: llmasos recover.",
                )
            return _decode(path.read_text("ascii", "replace"), f"The key file {path}")
        case "memory":
            raise StoreError("The key was in the memory of a program that has ended.", "Nothing here can be read.")
        case other:
            raise StoreError(f"The keyring names an unknown place for its key: {other!r}.", "Update llmasos.")


def forget(home: Path, store: str, *, kept: str) -> None:
    """Remove the key from everywhere but where it is kept now.

    A file's bytes are overwritten first, as far as a disk does that.

    Raises:
        StoreError: The desktop's keyring doesn't let go of it.
    """
    if kept != "key-file":
        for path in (home / KEY_FILE, home / f"{KEY_FILE}.replaced"):
            scrub(path)
    if kept != "os-keyring" and (service := secret_service()) is not None and _kept(service, store) is not None:
        try:
            service.delete_password(SERVICE, store)
        except Exception as error:  # noqa: BLE001  each desktop's backend raises its own
            raise StoreError(
                f"The key is still in your desktop's keyring: {error}.",
                f"Remove the entry {SERVICE!r} there; what is stored is under its new protection already.",
            ) from None


def choose(ask: Ask | None) -> str:
    """A new passphrase for a key that one protects.

    Raises:
        StoreError: Nobody is there to type it, or it was left empty.
    """
    passphrase = _ask_twice(ask, "The passphrase from now on, a new one or the same: ") if ask else ""
    if not passphrase:
        raise StoreError("A passphrase protects the key, and none was given.", "Say it at a terminal.")
    return passphrase


def forget_replaced(home: Path) -> None:
    """Remove a key file that was replaced by another key's."""
    scrub(home / f"{KEY_FILE}.replaced")


def secret_service() -> SecretService | None:
    """The desktop's keyring, where there is a session and the optional package; slow, so looked up late."""
    if sys.platform != "darwin" and not os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return None
    if importlib.util.find_spec("keyring") is None:
        return None
    service = importlib.import_module("keyring")
    # Below 1 are the package's stand-ins: the one that always fails and those that keep plain text.
    return service if service.get_keyring().priority >= 1 else None


def _keep(service: SecretService, store: str, kek: bytes) -> bool:
    secret = base64.b64encode(kek).decode()
    try:
        service.set_password(SERVICE, store, secret)
    except Exception:  # noqa: BLE001  each desktop's backend raises its own; the next custody serves
        return False
    return _kept(service, store) == secret


def _kept(service: SecretService, store: str) -> str | None:
    try:
        return service.get_password(SERVICE, store)
    except Exception:  # noqa: BLE001  locked, or no answer: as if it were not there
        return None


def _lock(kek: bytes, store: str, passphrase: str) -> tuple[bytes, dict[str, Any]]:
    cost, salt = crypto.Argon2Cost(), secrets.token_bytes(_SALT_BYTES)
    wrapped = crypto.wrap_key(crypto.stretch(passphrase, salt, cost), kek, _aad(store))
    return kek, {
        "kind": "passphrase",
        "kdf": "argon2id",
        **cost.to_json(),
        "salt": salt.hex(),
        "wrapped": wrapped.hex(),
    }


def _unlock(store: str, part: dict[str, Any], passphrase: str | None, ask: Ask | None) -> bytes:
    try:
        cost = crypto.Argon2Cost(int(part["memory_kib"]), int(part["iterations"]), int(part["lanes"]))
        salt, wrapped = bytes.fromhex(part["salt"]), bytes.fromhex(part["wrapped"])
        known = part["kdf"] == "argon2id" and len(salt) == _SALT_BYTES
    except (KeyError, TypeError, ValueError, OverflowError):
        known, cost = False, crypto.Argon2Cost()
    if (
        not known
        or not 8 * cost.lanes <= cost.memory_kib <= MOST_MEMORY_KIB
        or not 1 <= cost.iterations <= MOST_ITERATIONS
        or not 1 <= cost.lanes <= MOST_LANES
    ):
        raise StoreError("The keyring's header is damaged.", "Restore keyring.json from a backup.")
    if not passphrase and ask is None:
        raise StoreError(
            "A passphrase protects what is stored here, and nobody is there to type it.",
            "Start llmasos in a terminal.",
        )
    for left in reversed(range(1 if passphrase else TRIES)):
        said = passphrase or (ask("Passphrase: ") if ask else "")
        try:
            return crypto.unwrap_key(crypto.stretch(said, salt, cost), wrapped, _aad(store))
        except StoreError:
            if not left:
                break
        except MemoryError:
            raise StoreError(
                f"To check a passphrase takes {cost.memory_kib >> 10:,} MiB of memory, and they aren't there.",
                "End other programs and try again.",
            ) from None
    raise StoreError("The passphrase is wrong.", "Try again, or use the recovery code: llmasos recover.")


def _ask_twice(
    ask: Ask, question: str = "Choose a passphrase for what llmasos keeps (empty: a key file instead): "
) -> str:
    for _ in range(TRIES):
        said = ask(question)
        if not said or ask("The same again: ") == said:
            return said
    raise StoreError("The two passphrases differ.", "Start again.")


def _to_file(path: Path, kek: bytes | None) -> bytes:
    if path.exists():
        if kek is None:
            # Left by a first run that was killed before its keyring; or a keyring moved away needs it.
            return _decode(path.read_text("ascii", "replace"), f"The key file {path}")
        # Copied, not moved: killed here, the old one must still be in its place.
        replace_file(path.with_name(f"{KEY_FILE}.replaced"), path.read_bytes())
    kek = kek or crypto.random_key()
    replace_file(path, base64.b64encode(kek) + b"\n", scrub=True)
    return kek


def _decode(text: str, what: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != crypto.KEY_BYTES:
        raise StoreError(f"{what} is damaged.", "Put the right one back, or use the recovery code: llmasos recover.")
    return key


def _aad(store: str) -> bytes:
    return b"|".join([b"llmasos/kek/1", store.encode(), b"passphrase"])
