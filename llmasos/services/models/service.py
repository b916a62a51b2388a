"""model.*: tasks that were trained, for people, apps and plugins; and which model a character or an app speaks with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from llmasos.core.base.errors import EngineError, ModelError, SyscallError
from llmasos.core.base.settings import Settings
from llmasos.core.base.values import done, items, record
from llmasos.core.base.values import text as words_of
from llmasos.core.engine import models
from llmasos.core.engine.base import Engine, LiveSequence
from llmasos.core.engine.openai.address import Address, is_remote
from llmasos.core.engine.pool import EnginePool
from llmasos.core.engine.sources import file_of, parts
from llmasos.core.kernel.process import Process
from llmasos.core.kernel.sandbox import Plugin
from llmasos.core.kernel.syscall import Kind, inverse, syscall
from llmasos.core.kernel.trap import Caller
from llmasos.services.changes import change, take_back
from llmasos.services.characters.cast import Cast
from llmasos.services.characters.naming import named
from llmasos.services.language import Message, Speaker, Voice
from llmasos.services.language.aside import aside
from llmasos.services.language.speech import SAMPLING
from llmasos.services.models import trained
from llmasos.services.models.classify import classify
from llmasos.services.models.trained import Trained
from llmasos.services.models.voices import APP, KIND

LONGEST = 2_000
"""Characters of a text to be classified or answered."""
DEFAULT = "default"
"""What takes a character's own model back."""
NAME = 400
"""Characters of a model's name at most."""
WRITTEN = 400
"""Tokens of an answer at most."""


class Models:
    """Trained tasks, and who speaks with which model.

    Args:
        settings: Whose home has the adapters.
        pool: Opens a model with an adapter.
        speaker: Makes the words of tasks that write.
        cast: The characters.
        installed: The app or plugin of a subject, as it is loaded; None where there is none.
    """

    def __init__(
        self,
        settings: Settings,
        pool: EnginePool,
        speaker: Speaker,
        cast: Cast,
        installed: Callable[[str], Plugin | None] = lambda _subject: None,
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._speaker = speaker
        self._cast = cast
        self._installed = installed

    @syscall("model.list", effect="read", spoken=False)
    async def overview(self, caller: Caller) -> dict[str, Any]:
        """The tasks that a model was trained for: what each does, and how well on examples that it hadn't seen."""
        rows = [
            {
                "ref": one.name,
                "name": one.name,
                "task": one.task,
                "labels": ", ".join(one.labels),
                "model": one.model,
                "accuracy": f"{one.accuracy:.0%} of {one.held_out}",
            }
            for one in await asyncio.to_thread(trained.all_of, self._settings.home)
        ]
        empty = (
            f"{self._settings.model} is the model that talks; 'llmasos model list' shows which others there are. "
            "No task was trained yet; 'llmasos model train' does it."
        )
        return items("task", rows, ["name", "task", "labels", "model", "accuracy"], empty=empty)

    @syscall("model.classify", effect="read", spoken=False)
    async def classify(self, caller: Caller, *, task: str | None = None, text: str) -> dict[str, Any]:
        """Which of a trained task's labels fits a text, and how sure the model is.

        Args:
            task: The task's name; an app may leave it out, where its manifest names one.
            text: The text.
        """
        about, said = await self._task(caller, task, "classify"), _bounded(text)
        task = about.name
        async with self._pool.use(about.spoken) as engine, aside(self._speaker.processes, caller, task) as process:
            try:
                shares = await self._shares(engine, process, said, about.labels)
            except EngineError:
                if process.alive:
                    raise
                raise SyscallError("ECANCELED", f"{task} was killed while it read.") from None
        ranked = sorted(zip(about.labels, shares, strict=True), key=lambda pair: -pair[1])
        label, share = ranked[0]
        others = {name: round(value, 3) for name, value in ranked[1:4]}
        fields = {"label": label, "probability": round(share, 3), "others": others or None}
        return record(label, fields, ref=label, sources=["model"])

    @syscall("model.generate", effect="read", spoken=False)
    async def generate(self, caller: Caller, *, task: str | None = None, text: str) -> dict[str, Any]:
        """What a trained task writes to a text.

        Args:
            task: The task's name; an app may leave it out, where its manifest names one.
            text: The text.
        """
        about, said = await self._task(caller, task, "generate"), _bounded(text)
        voice = Voice(sampling=replace(SAMPLING, temperature=0.0, repeat_penalty=1.0, max_tokens=WRITTEN))
        voice = replace(voice, model=about.spoken)
        async with aside(self._speaker.processes, caller, about.name) as process:
            words = await self._speaker.say(
                process, [Message("user", said)], voice, on_piece=caller.session.front.words
            )
        if not words:
            raise SyscallError("EIO", "The model found no words for that.", "Say it in other words, or try again.")
        return words_of(words, source="model")

    @syscall("model.assign", effect="write", preview="preview_assign", spoken=False)
    async def assign(self, caller: Caller, character: Annotated[str, Kind("character")], model: str) -> dict[str, Any]:
        """Let a character or an app speak with a model of its own, or with an adapter: `smollm2+pirate`.

        Args:
            character: Who: a character's name, or an app as `app:NAME`.
            model: A known name, a GGUF file, `openai:URL/NAME`, any with `+ADAPTER`; `default` takes it back.
        """
        name, id = await self._who(caller, character)
        chosen = "" if model == DEFAULT else await asyncio.to_thread(self._checked, model.strip())
        value = {"model": chosen} if chosen else None
        if caller.kernel.store.get(KIND, id) == value:
            return done(f"{name} speaks with {chosen or 'the same model as all'} already.", ref=name)
        await change(caller, "model.unassign", f"the model of {name}", (KIND, id, value))
        note = Address.named(chosen).told if is_remote(chosen) else ""
        return done(f"{name} speaks with {chosen or 'the same model as all'} from now on.", ref=name, note=note)

    async def preview_assign(self, caller: Caller, character: str, model: str) -> dict[str, str]:
        """Whose model it will be."""
        return {"character": (await self._who(caller, character))[0]}

    async def _who(self, caller: Caller, said: str) -> tuple[str, str]:
        """What a character or an app is called, and under which id its choice is kept."""
        if not said.startswith(APP):
            who = await named(caller, self._cast, said)
            return who.name, who.id
        if self._installed(said) is None:
            raise SyscallError("ENOENT", f"There is no app {said.removeprefix(APP)[:60]!r}.", "See 'app.list'.")
        return said, said

    @inverse("model.unassign")
    async def unassign(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Give a character the model that it had."""
        return f"{take_back(caller.kernel.store, payload)} is what it was."

    async def _task(self, caller: Caller, said: str | None, kind: str) -> Trained:
        """A task, checked that it is of a kind and that its model is still the same.

        Where none is said it is the one that the manifest of the app or plugin names whose process asks.
        """
        who = self._installed(caller.process.subject) if said is None else None
        name = who.adapter(kind) if who else said
        if not name:
            raise SyscallError(
                "EINVAL", "No task was named.", f"Say which; an app's manifest can have one: [adapters], {kind} = ..."
            )

        def checked() -> Trained:
            about = trained.of(self._settings.home, name)
            if about.task != kind:
                remedy = f"Name one that does in {who.source}." if who else f"Call model.{about.task} instead."
                raise SyscallError("EINVAL", f"{name} doesn't {kind}.", remedy)
            trained.check(self._settings.home, about, self._settings.models_in)
            return about

        try:
            return await asyncio.to_thread(checked)
        except (ModelError, SyscallError) as error:
            code = error.code if isinstance(error, SyscallError) else "ENOENT"
            whose = f"The manifest of the {who.kind} {who.name} names the adapter {name}. " if who else ""
            raise SyscallError(code, f"{whose}{error.what}", error.remedy) from None

    async def _shares(self, engine: Engine, process: Process, said: str, labels: Any) -> list[float]:
        live: LiveSequence = await engine.open(process.pid)
        self._speaker.processes.attach(process, engine, live)
        try:
            return await classify(engine, live, said, labels)
        finally:
            if process.alive:  # else the kernel has closed it
                self._speaker.processes.detach(process)
            await engine.close(live)

    def _checked(self, model: str) -> str:
        """A model that was named, as it can be named from anywhere."""
        if len(model) > NAME:
            raise SyscallError("EINVAL", f"A model's name has at most {NAME} characters.")
        try:
            if is_remote(model):
                Address.named(model)
                return model
            base, _ = parts(model, self._settings)
            path = file_of(model, self._settings)
            models.check(path)
        except ModelError as error:
            raise SyscallError("ENOENT", error.what, error.remedy) from None
        return model if base in models.KNOWN else str(Path(path).resolve()) + model.removeprefix(base)


def _bounded(said: str) -> str:
    words = said.strip()
    if not words:
        raise SyscallError("EINVAL", "There is no text.")
    if len(words) > LONGEST:
        raise SyscallError("E2BIG", f"The text has {len(words):,} characters; {LONGEST:,} is the limit.")
    return words
