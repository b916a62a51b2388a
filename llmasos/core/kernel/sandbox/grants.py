"""What the person granted to plugins and apps, and which of them are switched off; sealed in the store.

A grant holds for one name from one source. A newer manifest that asks for no more goes on with it; one that asks for
more isn't loaded until the person has seen what is new and granted it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmasos.core.kernel.sandbox.capabilities import NOTHING, Capabilities
from llmasos.core.kernel.sandbox.manifest import Kind, Plugin
from llmasos.core.kernel.store import Store

_GRANT, _OFF = "plugin.grant", "plugin.off"

Kept = Mapping[str, Any]
"""A grant as it is kept: capabilities, and source and digest of the manifest that asked for them."""


class Grants:
    """The grants of one home.

    Args:
        store: Where they are kept.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def of(self, plugin: Plugin) -> Capabilities:
        """What a plugin was granted; nothing where another one of its name was."""
        kept = self.kept(plugin.kind, plugin.name)
        if kept is None or kept["source"] != plugin.source:
            return NOTHING
        return Capabilities.from_json(kept["capabilities"])

    def give(self, plugin: Plugin) -> None:
        """Grant a plugin all that it asks for, and no longer what it doesn't ask for any more."""
        kept = {"source": plugin.source, "digest": plugin.digest, "capabilities": plugin.asks.to_json()}
        self.put_back(plugin.kind, plugin.name, kept)

    def take(self, kind: Kind, name: str) -> Kept | None:
        """Take back what was granted; returns it for `put_back`."""
        kept = self.kept(kind, name)
        self._store.delete(_GRANT, f"{kind}/{name}")
        return kept

    def put_back(self, kind: Kind, name: str, kept: Kept | None) -> None:
        """Grant again what was taken."""
        if kept is not None:
            self._store.put(_GRANT, f"{kind}/{name}", dict(kept))

    def kept(self, kind: Kind, name: str) -> Kept | None:
        """The grant as it is kept; None where there is none."""
        kept: Kept | None = self._store.get(_GRANT, f"{kind}/{name}")
        return kept

    def is_off(self, kind: Kind, name: str) -> bool:
        """Whether the person switched it off."""
        return self._store.get(_OFF, f"{kind}/{name}") is not None

    def switch(self, kind: Kind, name: str, *, on: bool) -> None:
        """Switch it on or off."""
        if on:
            self._store.delete(_OFF, f"{kind}/{name}")
        else:
            self._store.put(_OFF, f"{kind}/{name}", True)
