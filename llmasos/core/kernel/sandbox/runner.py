"""Runs in the child process: is confined, loads one plugin, describes it, answers calls until the channel closes.

The channel carries one JSON object a line. The plugin's own input and outputs are /dev/null, so nothing that it
prints can end up in the channel.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import ModuleType
from typing import Any

LIMIT = 1 << 20
"""Bytes of a line, either way."""
LARGEST = 4 << 20
"""Bytes of the answer to what the plugin asks for: a fetched page is longer than a call."""

PACKAGE = "llmasos_plugin"
"""The plugin's folder as a package: `from .words import ...` works and no standard name is hidden."""


_LONGEST = 2000
"""Characters of an error."""
# One for all: json.dumps with arguments makes an encoder for each call.
_encode = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode


class Channel:
    """JSON objects over a descriptor, one a line."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines = os.fdopen(descriptor, "rb", closefd=False)

    def receive(self) -> dict[str, Any] | None:
        """The next request; None once the kernel has gone."""
        line = self._lines.readline(LARGEST + 1)
        return json.loads(line) if line.endswith(b"\n") else None

    def send(self, answer: dict[str, Any]) -> None:
        """Send an answer.

        Raises:
            ValueError, TypeError, RecursionError: It isn't JSON, or too long; nothing was sent.
        """
        line = _line(answer)
        if len(line) > LIMIT:
            raise ValueError(f"the answer has {len(line):,} bytes, the limit is {LIMIT:,}")
        rest = memoryview(line)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]


class Plugin:
    """One plugin in this process.

    Args:
        code: Its plugin.py.
        sdk: The sdk's module.
    """

    def __init__(self, code: str, sdk: ModuleType) -> None:
        self._sdk = sdk
        self._code = code
        self._folder = code.rpartition("/")[0]
        self._module = ModuleType("")
        self._functions: dict[str, dict[str, Any]] = {}

    def describe(self) -> dict[str, Any]:
        """Import it and say what it offers, or why it can't."""
        try:
            _package(PACKAGE, [self._folder])
            self._module = _load(f"{PACKAGE}.plugin", self._code)
            self._functions = self._sdk.describe(vars(self._module))
        except self._sdk.PluginError as error:
            return _error("plugin", error.what, error.remedy)
        except BaseException as error:  # noqa: BLE001 - whatever it raises, SystemExit too, is told to the kernel
            return _error("broken", self._said(error))
        return {"value": self._functions}

    def warm(self) -> None:
        """Go once where every call goes: in a forked process, the first to write to a page waits for a copy of it."""
        args = json.loads(_line({"text": ""}))
        self._sdk.run(lambda text: text, {"type": "object", "properties": {"text": {"type": "string"}}}, args)

    def call(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run one function."""
        try:
            name = request["name"]
            function, schema = getattr(self._module, name), self._functions[name]["schema"]
            return {"value": self._sdk.run(function, schema, request["args"])}
        except self._sdk.ToolError as error:
            return _error("tool", error.what, error.remedy)
        except BaseException as error:  # noqa: BLE001 - as above: the worker outlives a bad call
            return _error("broken", self._said(error))

    def _said(self, error: BaseException) -> str:
        """`ValueError: bad (plugin.py, line 7)`: the last place in the plugin that the error passed."""
        place = ""
        trace = error.__traceback__
        while trace:
            file = trace.tb_frame.f_code.co_filename
            if file.startswith(self._folder):
                place = f" ({file[len(self._folder) + 1 :]}, line {trace.tb_lineno})"
            trace = trace.tb_next
        if isinstance(error, SyntaxError) and not place:
            place = f" ({os.path.basename(error.filename or '')}, line {error.lineno})"  # noqa: PTH119 - pathlib costs 4 ms
            return f"SyntaxError: {error.msg}{place}"
        try:
            said = str(error)
        except Exception:  # noqa: BLE001 - the plugin's own exception class may be broken as well
            said = ""
        return f"{type(error).__name__}: {said[: _LONGEST // 2]}{place}"


def door(channel: Channel, sdk: ModuleType) -> Any:
    """What `sdk.call` and `sdk.fetch` use: ask the kernel and wait for its answer, inside a call of ours."""

    def trap(name: str, args: dict[str, Any]) -> Any:
        try:
            channel.send({"trap": {"name": name, "args": args}})
        except (ValueError, TypeError, RecursionError) as error:
            raise sdk.TrapError("EINVAL", f"The arguments of {name} can't be passed on: {str(error)[:300]}.") from None
        answer = channel.receive()
        if answer is None:
            raise SystemExit
        if "error" in answer:
            raise sdk.TrapError(**answer["error"])
        return answer["value"]

    return trap


def _line(answer: dict[str, Any]) -> bytes:
    return _encode(answer).encode() + b"\n"


def _error(kind: str, what: str, remedy: str = "") -> dict[str, Any]:
    # Cut, and without half characters: an error must always get through.
    said = {"kind": kind, "what": what[:_LONGEST], "remedy": remedy[:_LONGEST]}
    return {"error": {key: text.encode(errors="replace").decode() for key, text in said.items()}}


def _package(name: str, path: list[str]) -> None:
    package = ModuleType(name)
    package.__path__ = path
    sys.modules[name] = package


def _load(name: str, file: str) -> ModuleType:
    loader = SourceFileLoader(name, file)
    spec = ModuleSpec(name, loader, origin=file)
    spec.has_location = True
    module = ModuleType(name)
    module.__spec__, module.__file__, module.__loader__ = spec, file, loader
    module.__package__ = name.rpartition(".")[0]
    sys.modules[name] = module
    loader.exec_module(module)
    return module


def serve(channel: Channel, plugin: Plugin) -> None:
    """Greet with the description, then answer one request at a time."""
    described = plugin.describe()
    plugin.warm()
    try:
        channel.send({"id": 0, **described})
    except (ValueError, TypeError, RecursionError) as error:
        channel.send({"id": 0, **_error("broken", f"its description can't be passed on: {str(error)[:300]}")})
    while (request := channel.receive()) is not None:
        number = request["id"]
        if "name" not in request:  # nobody's call: the next one finds the way back and forth warm
            channel.send({"id": number, "value": None})
            continue
        try:
            channel.send({"id": number, **plugin.call(request)})
        except (ValueError, TypeError, RecursionError) as error:
            what = f"{request['name']} gave something that can't be passed on: {str(error)[:300]}"
            channel.send({"id": number, **_error("broken", what)})


def load_sdk(file: str) -> ModuleType:
    """The sdk, and nothing else of llmasos."""
    _package("llmasos", [])  # no path: `import llmasos.core` finds nothing
    sdk = _load("llmasos.sdk", file)
    sys.modules["llmasos"].sdk = sdk  # type: ignore[attr-defined]
    return sdk


def run(descriptor: int, code: str, sdk: ModuleType, confine: Callable[[], None]) -> None:
    """The child's life.

    Args:
        descriptor: The channel.
        code: The plugin's module.
        sdk: From `load_sdk`.
        confine: Confines this process; where that fails, the plugin isn't loaded.
    """
    channel = Channel(descriptor)
    sdk._door = door(channel, sdk)  # type: ignore[attr-defined]
    sys.argv = ["plugin"]
    for name in [name for name in sys.modules if name == "__main__" or name.startswith("confinement")]:
        del sys.modules[name]
    try:
        confine()
    except (OSError, ValueError) as error:
        channel.send({"id": 0, **_error("broken", f"it can't be confined: {error}")})
        return
    serve(channel, Plugin(code, sdk))
