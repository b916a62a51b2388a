"""The keyring: one data-encryption key (DEK) for each subject, wrapped by one key-encryption key (KEK).

A subject is whoever the data is about: the person, a character, a process. Dropping a subject's DEK (`shred`)
makes all that was ever sealed with it unreadable, in old backups too. So a backup of `keyring.json` undoes a
shredding: keep few of them, and let them expire.

Keys are rotated for hygiene: `rotate` gives every subject a further DEK, and the older ones stay, wrapped, until the
subject is shredded, so that older backups can be read; `rotate_kek` wraps all of them with a new KEK.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from llmasos.core.base.durable import locked, owner_only
from llmasos.core.base.errors import StoreError
from llmasos.core.kernel import crypto, custody, keyring_file, recovery
from llmasos.core.kernel.custody import Ask
from llmasos.core.kernel.keyring_file import Content, Signature

LOCK = "keyring.lock"
# What can't be read without the keyring: where one of these is, a new keyring would only hide the loss.
SEALED = ("store.db", "*.sealed*")
_ROTATING = "rotating"
"""The old KEK wrapped by the new one, while that takes its place."""


@dataclass(frozen=True, slots=True)
class Dek:
    """A subject's data-encryption key.

    Attributes:
        token: The subject's tag, as it stands in files.
        version: Counts up when the subject gets a new key; a shredded version never comes back.
        key: 32 bytes. Use `crypto.derive(key, PURPOSE)`, not the key itself.
        first: The oldest key that the subject still has. What names are tagged with: they stay when keys rotate.
    """

    token: bytes
    version: int
    key: bytes = field(repr=False)
    first: bytes = field(repr=False)


class Keyring:
    """The keys of one home. Safe for threads, and for several processes at once.

    Attributes:
        store_id: Random, the same for the life of the home; binds all that is sealed to it.
        created_recovery_code: Opens the keyring when all else is lost; set on the first run, to show once.
    """

    def __init__(self, home: Path, kek: bytes, content: Content, seen: Signature) -> None:
        self._home = home
        self._kek = kek
        self._mutex = threading.RLock()
        self.store_id = bytes.fromhex(content["store"])
        self.created_recovery_code: str | None = None
        self._accept(content, seen)
        root = keyring_file.data(content["root"])
        self._root = crypto.unwrap_key(kek, root, _aad(self.store_id, b"", 1, b"root"))
        self._tagger = crypto.Tagger(self.derive("subjects"))

    @classmethod
    def open(cls, home: Path, *, passphrase: str | None = None, ask: Ask | None = None) -> Keyring:
        """Open the keyring of a home, or make one in an empty home.

        Args:
            home: The folder of all state; made, 0700.
            passphrase: The passphrase; of a new keyring too.
            ask: Asks the person for it, called only where it is needed.

        Raises:
            StoreError: Wrong passphrase, key missing, file damaged, or a store without its keyring.
        """
        owner_only(home)
        with locked(home / LOCK):
            if not (home / keyring_file.NAME).exists():
                return cls._create(home, passphrase, ask)
            content, seen = keyring_file.read(home)
        # Outside the lock: a person may take a minute to type.
        kek = custody.fetch(home, content["store"], content["custody"], passphrase=passphrase, ask=ask)
        if _ROTATING in content and not keyring_file.belongs(kek, content):
            # Killed when the new key was in its place, and nothing was wrapped with it yet.
            aad = _aad(bytes.fromhex(content["store"]), b"", 1, b"kek")
            old = crypto.unwrap_key(kek, keyring_file.data(content[_ROTATING]), aad)
            keyring = cls(home, old, content, seen)
            keyring._rewrap(kek, content["custody"])
            return keyring
        return cls(home, kek, content, seen)

    @classmethod
    def passing(cls, home: Path) -> Keyring:
        """A keyring for an empty folder, whose key is never written down: nobody can open it a second time."""
        keyring = cls._create(owner_only(home), None, None, kek=crypto.random_key())
        keyring.created_recovery_code = None
        return keyring

    @classmethod
    def recover(cls, home: Path, code: str, *, passphrase: str | None = None, ask: Ask | None = None) -> Keyring:
        """Open with the recovery code, and put the key into new custody as `open` does on a first run.

        Raises:
            StoreError: The code is wrong, or there is no keyring.
        """
        owner_only(home)
        with locked(home / LOCK, shared=True):
            content, seen = keyring_file.read(home)
        kek = recovery.use(content["store"], content["recovery"], code)
        keyring = cls(home, kek, content, seen)
        _, placed = custody.place(home, content["store"], kek, passphrase=passphrase, ask=ask)
        with keyring._change() as content:
            content["custody"] = placed
        custody.forget(home, content["store"], kept=placed["kind"])
        return keyring

    def protect(self, passphrase: str) -> None:
        """Put the key under a passphrase, and out of where it was."""
        _, placed = custody.place(self._home, self.store_id.hex(), self._kek, passphrase=passphrase, ask=None)
        with self._change() as content:
            content["custody"] = placed
        custody.forget(self._home, self.store_id.hex(), kept=placed["kind"])

    @classmethod
    def _create(cls, home: Path, passphrase: str | None, ask: Ask | None, *, kek: bytes | None = None) -> Keyring:
        for pattern in SEALED:
            for there in home.glob(pattern):
                raise StoreError(
                    f"{there} is there, but its keyring {home / keyring_file.NAME} is missing.",
                    "Restore keyring.json from a backup, or move the whole folder away to start anew.",
                )
        store_id = secrets.token_bytes(16)
        if kek is None:
            kek, placed = custody.place(home, store_id.hex(), None, passphrase=passphrase, ask=ask)
        else:
            placed = {"kind": "memory"}
        code, sealed_by_code = recovery.make(store_id.hex(), kek)
        root = crypto.wrap_key(kek, crypto.random_key(), _aad(store_id, b"", 1, b"root"))
        content: Content = {
            "format": keyring_file.PLAIN_FORMAT,
            "store": store_id.hex(),
            "custody": placed,
            "recovery": sealed_by_code,
            "root": keyring_file.text(root),
            "subjects": {},
        }
        seen = keyring_file.write(home, kek, content)
        keyring = cls(home, kek, content, seen)
        keyring.created_recovery_code = code
        return keyring

    @property
    def custody(self) -> str:
        """One sentence that says what protects the keys, and what doesn't."""
        return custody.SENTENCES[self._content["custody"]["kind"]]

    def derive(self, purpose: str) -> bytes:
        """A key of the whole home, for what belongs to no subject: an index, the program's log."""
        return crypto.derive(self._root, purpose)

    def token(self, subject: str) -> bytes:
        """How a subject is written in files: a tag that says nothing without the keyring."""
        return self._tagger.tag(subject.encode("utf-8", "surrogatepass"))

    def dek(self, subject: str) -> Dek:
        """A subject's key; made on first use, and durable before it is returned."""
        token = self.token(subject)
        dek = self.find(token)
        if dek is None:
            with self._change() as content:
                known = content["subjects"].get(token.hex(), {"version": 0, "wrapped": None})
                if known["wrapped"] is None:  # else another process was faster
                    version = known["version"] + 1
                    wrapped = crypto.wrap_key(
                        self._kek, crypto.random_key(), _aad(self.store_id, token, version, b"dek")
                    )
                    content["subjects"][token.hex()] = {
                        "version": version,
                        "wrapped": keyring_file.text(wrapped),
                    }
            dek = self.find(token)
            assert dek is not None
        return dek

    def find(self, token: bytes, version: int = 0) -> Dek | None:
        """The key of the subject with this token; None where it never had one, or was shredded.

        Args:
            token: Whose.
            version: Which of its keys; 0 is the newest.

        Raises:
            StoreError: The wrapped key is damaged, or another subject's.
        """
        with self._mutex:
            dek = self._deks.get((token, version))
            if dek is None:
                known = self._content["subjects"].get(token.hex())
                if known is None or known["wrapped"] is None:
                    return None
                wrapped = {known["version"]: known["wrapped"], **_older(known)}
                version = version or known["version"]
                if version not in wrapped:
                    return None
                first = min(wrapped)
                key = self._unwrap(token, version, wrapped[version])
                oldest = key if version == first else self._unwrap(token, first, wrapped[first])
                dek = self._deks[token, version] = Dek(token, version, key, oldest)
                if version == known["version"]:
                    self._deks[token, 0] = dek
            return dek

    def versions(self, token: bytes) -> list[int]:
        """The versions of a subject's keys, newest first; none where it was shredded."""
        with self._mutex:
            known = self._content["subjects"].get(token.hex())
            return sorted({known["version"], *_older(known)}, reverse=True) if known and known["wrapped"] else []

    def rotate(self) -> int:
        """Give every subject a further key; what was sealed with the older ones stays readable.

        Returns:
            How many subjects there are.
        """
        count = 0
        with self._change() as content:
            for text, known in content["subjects"].items():
                if known["wrapped"] is None:
                    continue
                version = known["version"] + 1
                aad = _aad(self.store_id, bytes.fromhex(text), version, b"dek")
                content["subjects"][text] = {
                    "version": version,
                    "wrapped": keyring_file.text(crypto.wrap_key(self._kek, crypto.random_key(), aad)),
                    "older": {**known.get("older", {}), str(known["version"]): known["wrapped"]},
                }
                count += 1
        return count

    def rotate_kek(self, *, ask: Ask | None = None) -> None:
        """Wrap everything with a new key, kept where the old one was; `created_recovery_code` is new too.

        Nobody else may have the keyring open. Killed in the middle, it opens with whichever key is in its place.

        Args:
            ask: Asks for the passphrase, where one protects the key.

        Raises:
            StoreError: The key can't be placed.
        """
        store, new = self.store_id.hex(), crypto.random_key()
        passphrase = custody.choose(ask) if self._content["custody"]["kind"] == "passphrase" else None
        with self._change() as content:
            sealed = crypto.wrap_key(new, self._kek, _aad(self.store_id, b"", 1, b"kek"))
            content[_ROTATING] = keyring_file.text(sealed)
        _, placed = custody.place(self._home, store, new, passphrase=passphrase, ask=None)
        self._rewrap(new, placed)

    def _rewrap(self, new: bytes, placed: Content) -> None:
        """Wrap all keys with the one that is in its place now, and drop what is left of the old one."""
        with self._mutex, locked(self._home / LOCK):
            content, seen = keyring_file.read(self._home)
            self._accept(content, seen)
            content = json.loads(json.dumps(content))
            content.pop(_ROTATING, None)

            def again(wrapped: str, aad: bytes) -> str:
                key = crypto.unwrap_key(self._kek, keyring_file.data(wrapped), aad)
                return keyring_file.text(crypto.wrap_key(new, key, aad))

            content["root"] = again(content["root"], _aad(self.store_id, b"", 1, b"root"))
            for text, known in content["subjects"].items():
                token = bytes.fromhex(text)
                if known["wrapped"] is not None:
                    known["wrapped"] = again(known["wrapped"], _aad(self.store_id, token, known["version"], b"dek"))
                for version, wrapped in known.get("older", {}).items():
                    known["older"][version] = again(wrapped, _aad(self.store_id, token, int(version), b"dek"))
            code, sealed_by_code = recovery.make(content["store"], new)
            content |= {"custody": placed, "recovery": sealed_by_code}
            seen = keyring_file.write(self._home, new, content, scrub=True)
            self._kek = new
            self._accept(content, seen)
            self.created_recovery_code = code
        custody.forget(self._home, content["store"], kept=placed["kind"])
        custody.forget_replaced(self._home)

    def _unwrap(self, token: bytes, version: int, wrapped: str) -> bytes:
        aad = _aad(self.store_id, token, version, b"dek")
        return crypto.unwrap_key(self._kek, keyring_file.data(wrapped), aad)

    def live(self) -> list[bytes]:
        """The tokens of all subjects that have a key."""
        with self._mutex:
            subjects = self._content["subjects"].items()
            return [bytes.fromhex(token) for token, known in subjects if known["wrapped"] is not None]

    def shredded(self, token: bytes) -> int:
        """The last version of this subject's key that was shredded; 0 for none."""
        with self._mutex:
            known = self._content["subjects"].get(token.hex(), {"version": 0, "wrapped": None})
            version: int = known["version"]
            return version if known["wrapped"] is None else min([version, *_older(known)]) - 1

    def shred(self, subject: str) -> bool:
        """Drop a subject's key for good; says whether there was one. A new use makes a new key."""
        token = self.token(subject).hex()
        with self._change(scrub=True) as content:
            known = content["subjects"].get(token)
            if known is None or known["wrapped"] is None:
                return False
            # The version stays: leftovers of the old key are then known as shredded, not as damaged.
            content["subjects"][token] = {"version": known["version"], "wrapped": None}
        return True

    def refresh(self) -> bool:
        """Look whether another process changed the keys (one `stat`); says whether it did.

        Raises:
            StoreError: The file is gone or damaged.
        """
        if self._seen == keyring_file.signature(self._home):
            return False
        with self._mutex, locked(self._home / LOCK, shared=True):
            self._accept(*keyring_file.read(self._home))
        return True

    @contextmanager
    def _change(self, *, scrub: bool = False) -> Iterator[Content]:
        """Lock, read what others wrote, let the body change it, write it; nothing if the body raises."""
        with self._mutex, locked(self._home / LOCK):
            before, seen = keyring_file.read(self._home)
            self._accept(before, seen)
            content: Content = json.loads(json.dumps(before))
            yield content
            if content != before:
                self._accept(content, keyring_file.write(self._home, self._kek, content, scrub=scrub))

    def _accept(self, content: Content, seen: Signature) -> None:
        keyring_file.verify(self._home, self._kek, content)
        if content["store"] != self.store_id.hex():
            raise StoreError("The keyring was replaced by another home's.", keyring_file.RESTORE)
        self._content, self._seen = content, seen
        self._deks: dict[tuple[bytes, int], Dek] = {}


def _older(known: Content) -> dict[int, str]:
    """A subject's older keys by version."""
    return {int(version): wrapped for version, wrapped in known.get("older", {}).items()}


def _aad(store_id: bytes, token: bytes, version: int, purpose: bytes) -> bytes:
    return b"|".join([b"llmasos/key/1", store_id.hex().encode(), token.hex().encode(), b"%d" % version, purpose])
