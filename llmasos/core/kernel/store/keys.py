"""A subject's keys made ready for records and blobs, kept as long as the keyring keeps them."""

from __future__ import annotations

from llmasos.core.kernel import crypto
from llmasos.core.kernel.keyring import Dek, Keyring


class SubjectKeys:
    """What one subject's records are sealed and named with.

    Attributes:
        token: The subject, as it stands in the table.
        version: The key's version.
        cipher: Seals records and blobs.
        names: Makes record and blob tokens. Keyed by the subject's own key, so that after a shredding nobody
            can even test a guess of what a record was called.
    """

    __slots__ = ("cipher", "names", "token", "version")

    def __init__(self, dek: Dek) -> None:
        self.token = dek.token
        self.version = dek.version
        self.cipher = crypto.Cipher(crypto.derive(dek.key, "rec"))
        self.names = crypto.Tagger(crypto.derive(dek.key, "idx"))


class Keys:
    """The keys in use. Its caller holds the database lock."""

    def __init__(self, keyring: Keyring) -> None:
        self.keyring = keyring
        self._by_name: dict[str, SubjectKeys] = {}
        self._by_token: dict[bytes, SubjectKeys] = {}

    def need(self, subject: str) -> SubjectKeys:
        """A subject's keys, made where it has none."""
        return self._by_name.get(subject) or self._keep(subject, self.keyring.dek(subject))

    def known(self, subject: str) -> SubjectKeys | None:
        """A subject's keys, if it has any."""
        keys = self._by_name.get(subject)
        if keys is None:
            dek = self.keyring.find(self.keyring.token(subject))
            if dek is not None:
                keys = self._keep(subject, dek)
        return keys

    def by_token(self, token: bytes) -> SubjectKeys | None:
        """The same, for a subject known only by its token."""
        keys = self._by_token.get(token)
        if keys is None:
            dek = self.keyring.find(token)
            if dek is not None:
                keys = self._by_token[token] = SubjectKeys(dek)
        return keys

    def refresh(self) -> bool:
        """Take up what another process changed in the keyring; says whether there was anything."""
        changed = self.keyring.refresh()
        if changed:
            self.clear()
        return changed

    def clear(self) -> None:
        """Forget all keys made ready."""
        self._by_name.clear()
        self._by_token.clear()

    def _keep(self, subject: str, dek: Dek) -> SubjectKeys:
        keys = self.by_token(dek.token)
        if keys is None or keys.version != dek.version:
            keys = self._by_token[dek.token] = SubjectKeys(dek)
        self._by_name[subject] = keys
        return keys
