"""Passphrases and the recovery code, asked at a terminal; and what a person should hear at a start."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable

from llmasos.client import Client
from llmasos.core.base.errors import NeedsAnswer
from llmasos.core.base.settings import Settings
from llmasos.core.kernel.keyring import Keyring


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
