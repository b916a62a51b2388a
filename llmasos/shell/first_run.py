"""`llmasos init`: keys, policy, model and a first sentence, in under a minute."""

from __future__ import annotations

import asyncio
import getpass
import shutil
import textwrap
from dataclasses import replace

from llmasos.client import Client
from llmasos.compose import login_name
from llmasos.core.base import settings as kept
from llmasos.core.base.errors import LlmasosError, NeedsAnswer
from llmasos.core.base.paths import expanded, private_dir
from llmasos.core.base.settings import Settings
from llmasos.core.engine import models
from llmasos.core.engine.openai.address import Address, is_remote
from llmasos.core.engine.sources import file_of
from llmasos.core.kernel.custody import Ask
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.policy import Sources
from llmasos.core.kernel.session import Nobody
from llmasos.services.interpreter.reading import say
from llmasos.shell import keys
from llmasos.shell.seat import session

SENTENCE = "what time is it"
POLICIES = {
    "default": "what changes nothing or can be undone runs and is shown; the rest asks",
    "developer": "for building plugins: only what can't be undone asks",
    "readonly": "for looking around: nothing is changed",
    "child": "looks, talks, keeps to-dos and reminders; deletes and installs nothing, acts nowhere else",
    "kiosk": "a public terminal: talk and answers, no files, nothing that was said before",
    "agent": "for a model that acts for you: what you said runs, what others' words would choose asks",
}


def run_init(settings: Settings) -> int:
    """Ask what matters, with an answer suggested for each; Ctrl-C leaves the rest as it is.

    Raises:
        NeedsAnswer: Nobody is there to ask; a first start does without questions.
    """
    if not keys.at_terminal():
        raise NeedsAnswer("Setting up asks questions.", "Run it at a terminal; without it the defaults hold.")
    home = private_dir(settings.home)
    print(f"Setting up llmasos for {settings.owner or login_name()} in {home}.")
    print("Enter takes what is suggested; Ctrl-C leaves the rest as it is.")
    ask = keys.asker()
    try:
        ask = _keys(settings) or ask
        settings = _policy(settings)
    except (KeyboardInterrupt, EOFError):
        print("\nThe rest stays as it is.")
    return asyncio.run(_try(settings, ask))


def _keys(settings: Settings) -> Ask | None:
    """Returns what answers for the passphrase from now on, where one was chosen."""
    keyring = Keyring.open(settings.home, ask=None if _is_new(settings) else keys.asker())
    _say(f"1. Keys. Everything that is kept is encrypted. {keyring.custody}")
    if keyring.created_recovery_code:
        print(f"   Recovery code: {keyring.created_recovery_code}")
        print("   Write it down: it opens your data if this machine's key is lost. Shown once.")
    passphrase = getpass.getpass("   A passphrase, asked at each start (Enter: none): ")
    if passphrase and getpass.getpass("   The same again: ") != passphrase:
        print("   The two differ, so nothing was changed. 'llmasos init' asks again.")
    elif passphrase:
        keyring.protect(passphrase)
        print(f"   {keyring.custody}")
        return lambda _: passphrase
    return None


def _is_new(settings: Settings) -> bool:
    return not (settings.home / "keyring.json").exists()


def _policy(settings: Settings) -> Settings:
    _say(f"2. Policy: what runs, what asks, what is denied. Now it is {settings.policy}.")
    for number, (name, meaning) in enumerate(POLICIES.items(), 1):
        print(f"   {number}  {name:10} {meaning}")
    said = input("   Which one (Enter: as it is): ").strip()
    numbers = {str(number): name for number, name in enumerate(POLICIES, 1)}
    name = numbers.get(said, said)
    if not name:
        return settings
    if name.endswith(".toml"):  # found from every folder
        name = str(expanded(name).resolve())
    Sources.of(name, settings.home).read()  # one that isn't there is said before it is kept
    kept.keep(settings.home, policy=name)
    return replace(settings, policy=name)


async def _try(settings: Settings, ask: Ask | None) -> int:
    if is_remote(settings.model):
        address = Address.named(settings.model)
        where = f"{address.name} ({address.whither})"
    else:
        where = f"{models.info(file_of(settings.model, settings)).name}, on this machine"
    _say(f"3. Model: {where}. A first sentence: {SENTENCE!r} ...")
    try:
        async with session(settings, Nobody(), ask=ask) as client:
            print(f"   {await _tried(client)}")
    except LlmasosError as error:
        print(f"   {error}")
        return 1
    print("\nReady. 'llmasos' opens the shell; 'llmasos doctor' looks at all of this again.")
    return 0


async def _tried(client: Client) -> str:
    reading = await client.understand(SENTENCE)
    return f"understood as {say(reading.program)}, {reading.confidence:.0%}, {reading.ms:.0f} ms."


def _say(words: str) -> None:
    """A paragraph, broken between words."""
    width = min(shutil.get_terminal_size().columns, 100)
    print("\n" + textwrap.fill(words, width, subsequent_indent="   "), flush=True)
