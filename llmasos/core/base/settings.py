"""What a person can set. Every option of the command line has an `LLMASOS_*` variable of the same name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

from llmasos.core.base.errors import UsageError
from llmasos.core.base.paths import default_home


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings with their defaults.

    Attributes:
        home: The folder of all state.
        workspace: The folder whose files `files.*` sees; empty for the folder the program is started in.
        model: The speaker: a GGUF file or a known name.
        interpreter_model: A GGUF file that interprets instead of the shipped pair; empty for the shipped pair.
        quantization: What the shipped model is requantized to in the cache: `q8_0`, `q4_0` or `as-shipped`.
        threads: Threads a model context may use; 0 lets the engine choose.
        policy: The name of a policy file.
        seed: The seed of all sampling; -1 draws one.
        owner: Who the person is, as events and audit name them; empty for the login name.
        yes: Answer consent questions with yes.
    """

    home: Path
    workspace: str = ""
    model: str = "smollm2"
    interpreter_model: str = ""
    quantization: str = "q8_0"
    threads: int = 0
    policy: str = "default"
    seed: int = -1
    owner: str = ""
    yes: bool = False

    @staticmethod
    def load(environment: Mapping[str, str] | None = None, **options: Any) -> Settings:
        """Settings from `LLMASOS_*` variables, overridden by `options` that aren't None.

        Raises:
            UsageError: A value has the wrong type, or an option is unknown.
        """
        environment = os.environ if environment is None else environment
        types = get_type_hints(Settings)
        settings = Settings(home=default_home())
        for field in fields(Settings):
            said: Any = options.pop(field.name, None)
            source = f"the option {field.name}"
            if said is None:
                source = f"LLMASOS_{field.name.upper()}"
                said = environment.get(source)
            if said is not None:
                settings = replace(settings, **{field.name: _convert(said, types[field.name], source)})
        if options:
            raise UsageError(
                f"There is no setting {', '.join(options)}.", "The settings are listed by 'llmasos --help'."
            )
        return settings


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
            return Path(text).expanduser().resolve()
        return wanted(text)
    except (KeyError, ValueError):
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
        named = Path(said).expanduser().resolve()
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
