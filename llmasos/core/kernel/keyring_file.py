"""`keyring.json`: its form, its check, and how it is read and written.

    format, store      the form's version, and the random id of the home
    check              a tag under the KEK: a wrong key fails here, for AES-GCM alone is not key-committing
    custody, recovery  how to get the KEK: see custody.py and recovery.py
    root               the home's own key, wrapped
    subjects           token -> version and wrapped key, and older ones; the key is null where it was shredded
    rotating           while the KEK is replaced: the old one, wrapped by the new one
    mac                a tag under the KEK over all the rest

It holds nothing readable. Losing it is losing everything, so it is only ever replaced whole, and synced.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

from llmasos.core.base.durable import replace_file
from llmasos.core.base.errors import StoreError
from llmasos.core.base.foreign import parse_json
from llmasos.core.kernel import crypto

NAME = "keyring.json"
FORMAT = 2
PLAIN_FORMAT = 1
"""Without older keys: what the first versions of llmasos read. They would take what older keys seal for shredded."""
RESTORE = "Restore keyring.json from a backup; nothing was changed."

Content = dict[str, Any]
Signature = tuple[int, int, int]
"""What tells one written file from the next: inode, time, size."""


def read(home: Path) -> tuple[Content, Signature]:
    """The file's content, its form checked; whether it is true only the KEK can tell.

    Raises:
        StoreError: Missing, damaged, or written by a newer version.
    """
    path = home / NAME
    # Before the content: a change in between is then only read once more.
    seen = signature(home)
    try:
        content: Content = parse_json(path.read_bytes())
        newer = content["format"] > FORMAT
        if not newer:
            _check_form(content)
    except FileNotFoundError:
        raise StoreError(f"There is no keyring at {path}.", "Restore keyring.json from a backup.") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise StoreError(f"The keyring {path} is damaged.", RESTORE) from None
    if newer:
        raise StoreError(f"The keyring {path} was written by a newer llmasos.", "Update llmasos.")
    return content, seen


def write(home: Path, kek: bytes, content: Content, *, scrub: bool = False) -> Signature:
    """Write the file whole, its check and mac renewed."""
    older = any("older" in known for known in content["subjects"].values()) or "rotating" in content
    content["format"] = FORMAT if older else PLAIN_FORMAT
    content["check"] = _check(kek, content)
    content["mac"] = _mac(kek, content)
    replace_file(home / NAME, _encode(content), scrub=scrub)
    return signature(home)


def verify(home: Path, kek: bytes, content: Content) -> None:
    """Hold the content to the KEK.

    Raises:
        StoreError: It is another home's KEK, or the content was changed by somebody without it.
    """
    if not belongs(kek, content):
        raise StoreError("This key doesn't belong to the keyring of this home.", "Put the right key back.")
    if content["mac"] != _mac(kek, content):
        raise StoreError(f"The keyring {home / NAME} is damaged or was changed.", RESTORE)


def belongs(kek: bytes, content: Content) -> bool:
    """Whether this is the KEK of the content."""
    return bool(content["check"] == _check(kek, content))


def signature(home: Path) -> Signature:
    """One `stat`; zeros where there is no file."""
    try:
        # Every transaction asks, and joining a Path costs more than the call.
        stat = os.stat(f"{home}/{NAME}")  # noqa: PTH116
    except FileNotFoundError:
        return 0, 0, 0
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def text(data: bytes) -> str:
    """Bytes as they stand in the file."""
    return base64.b64encode(data).decode()


def data(text: str) -> bytes:
    """What `text` made."""
    return base64.b64decode(text, validate=True)


def _check_form(content: Content) -> None:
    for name in ("store", "check", "mac"):
        bytes.fromhex(content[name])
    data(content["root"])
    data(content["recovery"]["wrapped"])
    bytes.fromhex(content["recovery"]["salt"])
    if not isinstance(content["custody"]["kind"], str):
        raise TypeError
    for token, known in content["subjects"].items():
        bytes.fromhex(token)
        data(known["wrapped"] or "")
        if not isinstance(known["version"], int):
            raise TypeError
        for version, wrapped in known.get("older", {}).items():
            int(version)
            data(wrapped)
    data(content.get("rotating", ""))


def _check(kek: bytes, content: Content) -> str:
    return crypto.Tagger(crypto.derive(kek, "keyring/check")).tag(content["store"].encode()).hex()


def _mac(kek: bytes, content: Content) -> str:
    covered = {name: value for name, value in content.items() if name != "mac"}
    return crypto.Tagger(crypto.derive(kek, "keyring/mac")).tag(_encode(covered)).hex()


def _encode(content: Content) -> bytes:
    return json.dumps(content, indent=1, sort_keys=True).encode() + b"\n"
