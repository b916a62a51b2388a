"""`llmasos export`: everything that is kept, as open files."""

from __future__ import annotations

from pathlib import Path

from llmasos.compose import HISTORY_FILE, HISTORY_PURPOSE
from llmasos.core.base.clock import SystemClock
from llmasos.core.base.durable import owner_only
from llmasos.core.base.errors import StoreError, UsageError
from llmasos.core.base.paths import expanded
from llmasos.core.base.settings import Settings
from llmasos.core.kernel import home
from llmasos.core.kernel.keyring import Keyring
from llmasos.core.kernel.sealed_log import SealedLog
from llmasos.core.kernel.store import Store
from llmasos.services.export import export
from llmasos.shell.keys import asker


def run_export(settings: Settings, folder: Path) -> int:
    """Write what is kept to an empty folder; it isn't protected there.

    Raises:
        UsageError: There is no home, or something is in the folder.
        StoreError: It can't be written.
    """
    if not home.is_home(settings.home):
        raise UsageError(f"There is no home in {settings.home}.", "Name one with --home.")
    folder = expanded(folder).resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} isn't an empty folder.", "Name one that is empty or isn't there yet.")
    keyring = Keyring.open(settings.home, ask=asker())
    count = 0
    try:
        owner_only(folder)
        with Store.open(settings.home, keyring) as store:

            def blob(subject: str, id: str) -> bytes | None:
                return store.get_blob(id, subject=subject)

            for name, content in export(store.all(), SystemClock().now(), blob):
                owner_only((folder / name).parent)
                _write(folder / name, content)
                count += 1
        typed = list(SealedLog(settings.home / HISTORY_FILE, keyring.derive(HISTORY_PURPOSE)).lines())
        if typed:
            _write(folder / "shell-history.txt", "\n".join(typed) + "\n")
            count += 1
    except OSError as error:
        raise StoreError(f"{folder} can't be written: {error.strerror}.", "See its disk and owner.") from error
    print(f"Wrote {count} files to {folder}. They are plain: whoever can read the folder can read all of it.")
    return 0


def _write(path: Path, content: str | bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
