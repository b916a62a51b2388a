"""Where engines come from: the model files that the settings name, loaded once and shared between contexts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from llmasos.core.base.errors import ModelError
from llmasos.core.base.settings import Settings
from llmasos.core.engine import adapters, models, quantize
from llmasos.core.engine.base import Engine
from llmasos.core.engine.embed import Embedder, LexicalEmbedder, make_embedder
from llmasos.core.engine.idle import cores
from llmasos.core.engine.llama import LlamaEngine
from llmasos.core.engine.llama_model import LlamaModel
from llmasos.core.engine.merge import merged
from llmasos.core.engine.openai.address import Address, is_remote
from llmasos.core.engine.openai.key import Key
from llmasos.core.engine.scripted import Chooser, Replies, ScriptedEngine

DEFAULT = "smollm2"
SPEECH_CELLS, SPEECH_SEQUENCES = 4608, 40
"""22.5 KiB a cell: 104 MB, so that both contexts, both models and the embedder stay under 600 MB."""
LANES = 2
"""Lanes of the model that talks, unless the person says how many: each further one takes memory."""
LANE_CELLS = 1792
"""Of a lane beside others: the longest prompt and its reply fit in (1,536 and 200 tokens). Two take no more memory than
SPEECH_CELLS in one: a second context costs 18 MB beside its cells."""
ROOMY_CELLS = 2304
"""Of a sequence with cells of its own, of models that write longer replies than the default one."""
FURTHER_CELLS = 1536
INTERPRETING_CELLS, INTERPRETING_SEQUENCES = 2048, 4


class Engines(Protocol):
    """What the composition root needs of the engine layer."""

    async def speech(self) -> Engine:
        """The model that talks."""

    async def interpreting(self) -> Engine:
        """The model that interprets, its adapter in it."""

    async def named(self, said: str) -> Engine:
        """Another model, or one with an adapter: `smollm2+visitors`."""

    def embedder(self) -> Embedder:
        """What turns texts into vectors; starts nothing yet."""


def parts(said: str, settings: Settings) -> tuple[str, Path | None]:
    """A model that was named, and the adapter behind its `+`: a trained one's name, or a GGUF file.

    Raises:
        ModelError: There is no such adapter.
    """
    base, plus, name = said.rpartition("+")
    if not plus or is_remote(said) or Path(said).expanduser().exists():
        return said, None
    file = adapters.file_of(settings.home, name)
    if not file.is_file():
        raise ModelError(f"There is no adapter {name}.", "'llmasos model list' shows those there are.")
    return base, file


def file_of(said: str, settings: Settings) -> Path:
    """The file of a model that was named, its adapter left aside; it may still be no model.

    Raises:
        ModelError: Its package isn't installed, or there is no such adapter.
    """
    return models.locate(parts(said, settings)[0], settings.models_in)


def running_file(said: str, settings: Settings) -> quantize.Prepared:
    """The file that is loaded for a model that was named; blocks for about a second the first time.

    Raises:
        ModelError: Missing, broken, or too large.
    """
    # Only the default is requantized: a person's own file is taken as they chose it.
    wanted = settings.quantization if said == DEFAULT else quantize.AS_SHIPPED
    return quantize.prepare(file_of(said, settings), wanted)


def speech_lanes(settings: Settings) -> int:
    """How many contexts of the model that talks compute side by side.

    Who says how many threads a context has wants no others beside it.
    """
    if settings.lanes or settings.threads:
        return max(1, settings.lanes)
    return min(cores(), LANES)


class LlamaEngines:
    """llama.cpp for both roles, one loaded file where they share the default model; or a server for the one that talks.

    The files' headers are checked at once, so that a wrong `--model` is told before anything is typed; the weights are
    loaded by whoever needs them first.

    Args:
        settings: What the person set.
        adapter: The interpreter's LoRA adapter; None or missing leaves the model as it is.

    Raises:
        ModelError: A named model is missing, broken, or too large; an address or a key is none.
    """

    def __init__(self, settings: Settings, adapter: Path | None) -> None:
        self._settings = settings
        for named in (settings.model, settings.interpreter_model, settings.translator):
            if named and not is_remote(named):
                models.check(file_of(named, settings))
        if is_remote(settings.interpreter_model):
            raise ModelError(
                f"{settings.interpreter_model} can't interpret: programs are decoded under a grammar, token by token.",
                "Only the model that talks, --model, can be on a server.",
            )
        for named in filter(is_remote, (settings.model, settings.translator)):
            Address.named(named)
            Key.read(settings.openai_key_file)
        self._adapter = adapter if adapter and adapter.is_file() else None
        self._loading: dict[str, asyncio.Task[LlamaModel]] = {}
        self.notes: list[str] = []

    async def speech(self) -> Engine:
        """The model that talks.

        Raises:
            ModelError: Missing, broken, or too large; of a server, its address or our key is none.
        """
        lanes, streams = speech_lanes(self._settings), self._settings.conversations
        said = self._settings.model
        if streams:
            cells = LANE_CELLS if said == DEFAULT else ROOMY_CELLS
            return await self._speaking(said, streams * cells, lanes, streams)
        cells = lanes * LANE_CELLS
        if lanes == 1 or said != DEFAULT:  # larger models write longer replies, and have a larger budget of memory
            cells = max(cells, SPEECH_CELLS)
        return await self._speaking(said, cells, lanes)

    async def named(self, said: str) -> Engine:
        """Another model, or one with an adapter: `smollm2+visitors`; the weights of one file are loaded once.

        Raises:
            ModelError: As for `speech`; or there is no such adapter, or it is of another model.
        """
        return await self._speaking(said, FURTHER_CELLS)

    async def _speaking(self, said: str, cells: int, lanes: int = 1, streams: int = 0) -> Engine:
        if is_remote(said):
            # Imported here: only who talks with a server pays for HTTP and TLS. It isn't asked yet: whether it is there
            # is seen, and told, with each request.
            from llmasos.core.engine.openai.engine import OpenAIEngine
            from llmasos.core.engine.openai.server import Server

            return OpenAIEngine(Server.of(replace(self._settings, model=said)))
        base, adapter = parts(said, self._settings)
        model = await self._model(base)
        return await asyncio.to_thread(
            LlamaEngine,
            model,
            n_ctx=cells,
            n_seq=SPEECH_SEQUENCES + 2 * streams,  # each conversation has a fork while it is answered
            streams=streams,
            threads=self._settings.threads,
            lanes=lanes,
            brisk=self._settings.threads == 0,
            adapter=adapter,
            name=said,
        )

    async def interpreting(self) -> Engine:
        """The model that interprets.

        Raises:
            ModelError: Missing, broken, or too large.
        """
        own = self._settings.interpreter_model
        adapter = None if own else self._adapter
        model = None if adapter is None else await asyncio.to_thread(self._merged, adapter)
        if model is not None:
            adapter = None
        return await asyncio.to_thread(
            LlamaEngine,
            model or await self._model(own or DEFAULT),
            n_ctx=INTERPRETING_CELLS,
            n_seq=INTERPRETING_SEQUENCES,
            threads=self._settings.threads,
            brisk=self._settings.threads == 0,
            adapter=adapter,
            name="interpreter",
        )

    def _merged(self, adapter: Path) -> LlamaModel | None:
        """The default model with the adapter in it; None where that can't be made, so that it is attached."""
        try:
            return LlamaModel.load(merged(models.locate(DEFAULT), adapter))
        except ModelError as error:
            self.notes.append(f"{error} Interpreting is slower.")
            return None

    def embedder(self) -> Embedder:
        """The multilingual embedder in its worker, or the lexical one where it isn't installed."""
        return make_embedder()

    async def _model(self, said: str) -> LlamaModel:
        """The loaded model of a name or path; who asks second waits for the first."""
        if said not in self._loading:
            self._loading[said] = asyncio.ensure_future(asyncio.to_thread(self._load, said))
        return await asyncio.shield(self._loading[said])

    def _load(self, said: str) -> LlamaModel:
        prepared = running_file(said, self._settings)
        if prepared.note:
            self.notes.append(prepared.note)
        return LlamaModel.load(prepared.path)


class ScriptedEngines:
    """Scripts for both roles and an embedder of words: a whole system without a model, for tests of apps and of ours.

        machine = await compose(settings, engines=ScriptedEngines(says=["Hello, Ada."]))

    Args:
        says: What the speaker says.
        reads: What the interpreter writes; its prompt holds the sentence.
        chooses: Which option a further model takes.
    """

    def __init__(
        self, says: Replies = ("All right.",), reads: Replies = ("none\n",), chooses: Chooser | None = None
    ) -> None:
        self._says, self._chooses = says, chooses
        self.speaker = ScriptedEngine(says, name="scripted")
        self.reader = ScriptedEngine(reads, name="scripted-interpreter")

    async def speech(self) -> Engine:
        """The script that talks."""
        return self.speaker

    async def interpreting(self) -> Engine:
        """The script that interprets."""
        return self.reader

    async def named(self, said: str) -> Engine:
        """A script of its own for each further model."""
        return ScriptedEngine(self._says, choose=self._chooses, name=said)

    def embedder(self) -> Embedder:
        """Vectors from words alone."""
        return LexicalEmbedder()
