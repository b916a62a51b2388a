"""Passphrases and the recovery code, asked at a terminal; and the log that only they open."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable

from llmasos.compose import sealed_log
from llmasos.core.base.errors import NeedsAnswer
from llmasos.core.base.settings import Settings
from llmasos.core.kernel.keyring import Keyring


def asker() -> Callable[[str], str] | None:
    """What asks a person for a passphrase; None where nobody is there."""
    return getpass.getpass if sys.stdin is not None and sys.stdin.isatty() else None


def show_log(settings: Settings) -> int:
    """Print the program's own log."""
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
