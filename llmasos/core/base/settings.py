"""What a person can set: by an option of the command line, else by a variable `LLMASOS_*` of the same name.

What neither says stands in `settings.toml` in the home, which `llmasos init` writes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

from llmasos.core.base.durable import replace_file
from llmasos.core.base.errors import UsageError
from llmasos.core.base.foreign import parse_toml
from llmasos.core.base.paths import default_home, expanded

FILE = "settings.toml"
LEAST = {
    "conversations": 0, "keep_history": 1, "keep_undo": 0, "keep_undo_mb": 0, "keep_runs": 0, "keep_audit": 1,
    "keep_trash": 0, "keep_trash_mb": 0,
}  # fmt: skip
"""The least that some can be."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings with their defaults.

    Attributes:
        home: The folder of all state.
        workspace: The folder whose files `files.*` sees; empty for the folder the program is started in.
        model: The speaker: a GGUF file, a known name, or `openai:URL/NAME` for one on a server.
        translator: The model that translates, named like `model`; empty for the speaker, where it can.
        model_folders: Folders with GGUF files, `:` between them; beside `models` in the home.
        openai_key_file: The file with the key to that server, which only you can read; LLMASOS_OPENAI_KEY comes before
            it. The key itself is no setting: it stands in no settings.toml and on no command line.
        openai_insecure: Let words go to it unencrypted through networks that aren't private.
        interpreter_model: A GGUF file that interprets instead of the shipped pair; empty for the shipped pair.
        quantization: What the shipped model is requantized to in the cache: `q8_0`, `q4_0`, `as-shipped`, or `auto` for
            as shipped on processors with AMX and `q8_0` on others.
        threads: Threads a model context may use; 0 lets the engine choose.
        lanes: Contexts of the model that talks, computing side by side; 0 for one a core, two at most, and one where
            `threads` are said.
        conversations: How many the model that talks holds at once with memory of their own each, for many long ones.
            0 lets all share a small one, for few or short ones.
        swap_memory: Megabytes of memory for conversations that wait.
        swap_disk: Megabytes of files for those that don't fit there; sealed, and deleted at the end. 0 uses none.
        scheduler: Who gets the model next: `fair`, or to compare `fifo` and `round-robin`.
        policy: The name of a policy file.
        seed: The seed of all sampling; -1 draws one.
        record: Keep the last runs of the model, sealed, so that `system.replay` can write them again.
        owner: Who the person is, as events and audit name them; empty for the login name.
        audit_anchor: The file that the audit log's checkpoints go to; empty for one beside the home, or in the XDG
            state folder where the home is the usual one.
        keep_history: How many effects the history names; the oldest go.
        keep_undo: How many of them can be undone; what undoing needs of older ones goes.
        keep_undo_mb: Megabytes in the store that undoing may need; what the oldest need goes first, never the newest's.
        keep_runs: How many recorded runs of the model are kept.
        keep_audit: How many files of the audit log are kept, of two megabytes each.
        keep_trash: Days that something lies in a workspace's trash at most; 0 leaves it there.
        keep_trash_mb: Megabytes in a workspace's trash; the oldest go first, the newest stays. 0 is no limit.
        remember: Keep what is said and done. Without, a session begins empty in a place of its own, and nothing of it
            is left when it ends.
        sqlcipher: Seal the pages of a new home's store too, with SQLCipher: not even number and size of records are
            seen (extra `sqlcipher`). One that is there changes by 'llmasos keys seal-pages' and 'unseal-pages'.
        yes: Answer consent questions with yes.
        unconfined_plugins: Load plugins and apps even where this machine can't confine them.
        unconfined_commands: Run native commands even where this machine can't confine them.
    """

    home: Path
    workspace: str = ""
    model: str = "smollm2"
    translator: str = ""
    model_folders: str = ""
    openai_key_file: str = ""
    openai_insecure: bool = False
    interpreter_model: str = ""
    quantization: str = "auto"
    threads: int = 0
    lanes: int = 0
    conversations: int = 0
    swap_memory: int = 128
    swap_disk: int = 2048
    scheduler: str = "fair"
    policy: str = "default"
    seed: int = -1
    owner: str = ""
    audit_anchor: str = ""
    keep_history: int = 10_000
    keep_undo: int = 1_000
    keep_undo_mb: int = 2_000
    keep_runs: int = 200
    keep_audit: int = 64
    keep_trash: int = 30
    keep_trash_mb: int = 20_000
    remember: bool = True
    sqlcipher: bool = False
    yes: bool = False
    record: bool = False
    unconfined_plugins: bool = False
    unconfined_commands: bool = False

    @property
    def models_in(self) -> tuple[Path, ...]:
        """The folders in which models are looked for by name."""
        named = (Path(part).expanduser() for part in self.model_folders.split(os.pathsep) if part)
        return (self.home / "models", *named)

    @staticmethod
    def load(environment: Mapping[str, str] | None = None, **options: Any) -> Settings:
        """Settings from `options` that aren't None, else `LLMASOS_*` variables, else the home's `settings.toml`.

        Raises:
            UsageError: A value has the wrong type, or an option is unknown.
        """
        environment = os.environ if environment is None else environment
        types = get_type_hints(Settings)
        settings = Settings(home=default_home())
        kept: Mapping[str, Any] = {}
        for field in fields(Settings):  # the home is the first
            said: Any = options.pop(field.name, None)
            source = f"the option {field.name}"
            if said is None:
                source = f"LLMASOS_{field.name.upper()}"
                said = environment.get(source)
            if said is None and field.name in kept:
                source, said = f"{field.name} in {settings.home / FILE}", kept[field.name]
            if said is not None:
                settings = replace(settings, **{field.name: _convert(said, types[field.name], source)})
            if field.name == "home":
                kept = _kept(settings.home / FILE)
        for name, least in LEAST.items():
            if getattr(settings, name) < least:
                raise UsageError(f"The setting {name} is {getattr(settings, name)}.", f"It is {least} or more.")
        if options:
            raise UsageError(
                f"There is no setting {', '.join(options)}.", "The settings are listed by 'llmasos --help'."
            )
        return settings


def keep(home: Path, **chosen: str) -> None:
    """Write settings into the home's `settings.toml`, beside those that are there; all or nothing."""
    path = home / FILE
    lines = ["# Written by 'llmasos init' and 'llmasos model use'; options and LLMASOS_* variables come before it."]
    lines += [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in {**_kept(path), **chosen}.items()]
    replace_file(path, ("\n".join(lines) + "\n").encode())


def _kept(path: Path) -> Mapping[str, Any]:
    try:
        found = parse_toml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} can't be read: {error}.", "Correct it, or remove it.") from None
    unknown = set(found) - {field.name for field in fields(Settings)} | set(found) & {"home"}
    if unknown:
        raise UsageError(f"There is no setting {', '.join(sorted(unknown))} in {path}.", "Correct it, or remove it.")
    return found


def _convert(said: Any, wanted: type, source: str) -> Any:
    if isinstance(said, wanted) and not (wanted is int and isinstance(said, bool)):
        return said
    text = str(said)
    try:
        if wanted is bool:
            return {
                "1": True,
                "true": True,
                "yes": True,
                "on": True,
                "0": False,
                "false": False,
                "no": False,
                "": False,
            }[text.lower()]
        if wanted is Path:
            return expanded(text).resolve()
        return wanted(text)
    except (KeyError, ValueError, OverflowError):
        raise UsageError(
            f"{source} is {text!r}, which is no {wanted.__name__}.", "Correct it or leave it out."
        ) from None


def workspace_folder(said: str) -> tuple[Path, bool]:
    """The workspace, and whether it is the fallback instead of the folder started in.

    Started in the home folder or `/`, a shell over everything would be too much: `~/llmasos` serves instead.

    Raises:
        UsageError: The named folder doesn't exist, or the current one is gone.
    """
    if said:
        named = expanded(said).resolve()
        if not named.is_dir():
            raise UsageError(f"The workspace {named} is no folder.", "Create it, or name another with --workspace.")
        return named, False
    try:
        start = Path.cwd()
    except FileNotFoundError:
        raise UsageError(
            "The current folder has been deleted.", "Go to another, or name one with --workspace."
        ) from None
    if start not in (Path.home().resolve(), Path("/")):
        return start, False
    fallback = Path.home() / "llmasos"
    fallback.mkdir(exist_ok=True)
    return fallback, True
