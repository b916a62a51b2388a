"""The key to a server: from a variable or a file, never from a command line, and shown to nobody."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from llmasos.core.base.errors import ModelError
from llmasos.core.base.paths import expanded

VARIABLE = "LLMASOS_OPENAI_KEY"
_LARGEST = 4096
_KEY = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Key:
    """A key.

    Attributes:
        value: The key; not in the object's `repr`, so in no log either.
        source: Where it is from.
    """

    value: str = field(default="", repr=False)
    source: str = "none"

    @staticmethod
    def read(file: str = "", environment: Mapping[str, str] | None = None) -> Key:
        """The key, from the variable, else from the file that the settings name; an empty one where neither has any.

        Raises:
            ModelError: The file can't be read, others can read it too, or what it holds is no key.
        """
        environment = os.environ if environment is None else environment
        said, source = environment.get(VARIABLE, "").strip(), VARIABLE
        if not said and file:
            path = expanded(file)
            said, source = kept(path), str(path)
        if said and not _KEY.fullmatch(said):
            raise ModelError(f"What {source} holds is no key: it has spaces or line ends in it.", "Correct it.")
        return Key(said, source) if said else Key()

    def hidden(self, text: str) -> str:
        """A text without the key, should it be in there."""
        return text.replace(self.value, "…") if self.value else text


def kept(path: Path, named: str = "openai_key_file") -> str:
    """What a key file holds.

    Args:
        path: The file.
        named: The setting or option that names it, for messages.

    Raises:
        ModelError: It can't be read, others can read it too, or it is too long for a key.
    """
    try:
        # Not blocking: a pipe has nobody at its other end.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise ModelError(f"The key file {path} is no file.", f"Correct {named}.")
            if stat.S_IMODE(found.st_mode) & 0o077:
                mode = f"{stat.S_IMODE(found.st_mode):o}"
                raise ModelError(
                    f"The key file {path} can be read by others (mode {mode}).", f"Say 'chmod 600 {path}'."
                )
            held = os.read(descriptor, _LARGEST + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ModelError(f"The key file {path} can't be read: {error.strerror}.", f"Correct {named}.") from None
    if len(held) > _LARGEST:
        raise ModelError(f"The key file {path} is too long for a key.", f"Correct {named}.")
    return held.decode("utf-8", "replace").strip()
