"""Passphrases and the recovery code, asked at a terminal; and what a person should hear at a start."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Callable
from typing import Any

from llmasos.client import Client
from llmasos.core.base.errors import NeedsAnswer, UsageError
from llmasos.core.base.settings import Settings
from llmasos.core.kernel.home import is_home
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.ownership import OwnerLock
from llmasos.core.kernel.store import Store, pages
from llmasos.core.kernel.store.store import WORN

PLAIN_PAGES = (
    "The store's pages are plain: who has the disk sees how many records there are, and how large. "
    "'llmasos keys seal-pages' seals them too."
)


def at_terminal() -> bool:
    """Whether somebody can type."""
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()


def asker() -> Callable[[str], str] | None:
    """What asks a person for a passphrase; None where nobody is there."""
    return getpass.getpass if at_terminal() else None


def announce(client: Client) -> None:
    """What a start without the shell has to say, on stderr: problems, and the recovery code of a new home."""
    for problem in client.problems:
        print(f"llmasos: {problem}", file=sys.stderr)
    code = client.recovery_code
    if code:
        print(f"llmasos: a new home was made in {client.home}. Its recovery code, shown once: {code}", file=sys.stderr)


def run_keys(settings: Settings, action: str, *, data: bool, as_json: bool) -> int:
    """Show what protects a home, give it new keys, or seal the pages of its store.

    Args:
        settings: Which home.
        action: `show`, `rotate`, `seal-pages` or `unseal-pages`.
        data: Seal all that is kept with new keys too, not only the keys themselves.
        as_json: Print JSON.

    Raises:
        UsageError: There is no home, or a program carries it.
        StoreError: The new key can't be placed.
    """
    if not is_home(settings.home):
        raise UsageError(f"There is no home in {settings.home}.", "Name one with --home.")
    if action == "show":
        return _show(settings, as_json=as_json)
    lock = OwnerLock(settings.home)
    if not lock.acquire():
        raise UsageError("A program carries this home just now.", "End it first: 'llmasos down', or close its shell.")
    try:
        keyring = Keyring.open(settings.home, ask=asker())
        if action != "rotate":
            return _rewrite(settings, keyring, sealed=action == "seal-pages")
        if data:
            with Store.open(settings.home, keyring) as store:
                print(f"Sealed {store.rotate():,} records and files with new keys.")
        keyring.rotate_kek(ask=asker())
    finally:
        lock.release()
    print(f"The key that wraps all others is a new one. {keyring.custody}")
    print("The recovery code is a new one too, shown once; the old one opens older backups of the keyring only:")
    print(keyring.created_recovery_code)
    return 0


def _rewrite(settings: Settings, keyring: Keyring, *, sealed: bool) -> int:
    count = pages.rewrite(settings.home, keyring, sealed=sealed)
    whole = " already" if count is None else f"; all {count:,} records and files are whole"
    print(f"The store's pages are {'sealed' if sealed else 'plain'}{whole}.")
    return 0


def _show(settings: Settings, *, as_json: bool) -> int:
    keyring = Keyring.open(settings.home, ask=asker())
    with Store.open(settings.home, keyring) as store:
        versions = [max(keyring.versions(token)) for token in keyring.live()]
        row: dict[str, Any] = {
            "custody": keyring.custody,
            "subjects": len(versions),
            "versions": [min(versions, default=0), max(versions, default=0)],
            "seals_at_most": store.seals(),
            "rotate_at": WORN,
            "unfinished": store.outdated(),
            "pages": store.pages,
        }
        worn = store.seals() >= WORN
    if as_json:
        print(json.dumps(row))
        return 0
    print(keyring.custody)
    first, last = row["versions"]
    print(f"{len(versions)} subjects, each with a key of its own; versions {first} to {last}.")
    print(f"No key has sealed more than {row['seals_at_most']:,} times; a new one is due at {WORN:,}.")
    print(f"The store's pages are sealed by {row['pages']}." if row["pages"] else PLAIN_PAGES)
    if row["unfinished"]:
        print("A rotation was stopped in the middle; nothing is lost. 'llmasos keys rotate --data' goes on with it.")
    elif worn:
        print("It is time for new keys: llmasos keys rotate --data")
    return 0


def show_log(settings: Settings) -> int:
    """Print the program's own log."""
    from llmasos.compose import sealed_log

    keyring = Keyring.open(settings.home, ask=asker())
    for line in sealed_log(settings.home, keyring).lines():
        print(line)
    return 0


def recover(settings: Settings) -> int:
    """Open a home with its recovery code and put the key into new custody.

    Raises:
        NeedsAnswer: Nobody is there to type the code.
        StoreError: The code is wrong, or there is nothing to recover.
    """
    ask = asker()
    if ask is None:
        raise NeedsAnswer("Recovering asks for the code and a new passphrase.", "Run it at a terminal.")
    print(f"The home is {settings.home}.", file=sys.stderr)
    keyring = Keyring.recover(settings.home, ask("Recovery code: "), ask=ask)
    print(keyring.custody, file=sys.stderr)
    return 0
