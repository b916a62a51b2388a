"""A person at a whole system, for tests that aren't asyncio themselves; and sentences read by script."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from llmasos.compose import Machine
from llmasos.core.base.types import Call, Result
from llmasos.core.kernel.process import Process
from llmasos.core.kernel.session import Answer, Consent, Nobody, Session
from llmasos.services.interpreter import notation
from llmasos.services.outcome import Outcome

T = TypeVar("T")
Programs = Mapping[str, Sequence[tuple[str, Mapping[str, Any]]]]

_SENTENCE = re.compile(r"<\|im_start\|>user\n(.*?)<\|im_end\|>", re.DOTALL)
HANGS = 60
"""Seconds after which a call counts as hanging; nothing is measured by it."""


class Person(Nobody):
    """Consents as told, answers questions from a list, and keeps what was asked."""

    def __init__(self, answer: Answer | None = "once") -> None:
        super().__init__()
        self.answer: Answer | None = answer
        self.choices: list[str] = []
        self.consents: list[Consent] = []
        self.streamed = ""

    async def consent(self, question: Consent) -> Answer | None:
        self.consents.append(question)
        return self.answer

    async def choose(self, question: str, options: Sequence[str]) -> int | None:
        return list(options).index(self.choices.pop(0)) if self.choices else None

    async def words(self, piece: str) -> None:
        self.streamed += piece


@dataclass
class Seat:
    """A person at a machine; its functions wait."""

    machine: Machine
    runner: asyncio.Runner
    workspace: Path
    person: Person = field(default_factory=Person)

    def __post_init__(self) -> None:
        self.process: Process
        self.session: Session
        self.process, self.session = self.machine.session(self.workspace, self.person)

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run on the machine's loop."""

        async def soon() -> T:
            async with asyncio.timeout(HANGS):
                return await work

        return self.runner.run(soon())

    def do(self, syscall: str, /, **args: Any) -> Result:
        """One call through the door."""
        return self.trap(Call(syscall, args))

    def trap(self, call: Call) -> Result:
        return self.wait(self.machine.kernel.trap(self.process, self.session, call, request=f"explicit {call.syscall}"))

    def ok(self, syscall: str, /, **args: Any) -> Any:
        """The value of a call that works."""
        result = self.do(syscall, **args)
        assert result.ok, result
        return result.value

    def refs(self, syscall: str, /, **args: Any) -> list[str]:
        """What a list names."""
        return [row["ref"] for row in self.ok(syscall, **args)["items"]]

    def error(self, syscall: str, /, **args: Any) -> str:
        """The code of a call that doesn't work."""
        result = self.do(syscall, **args)
        assert not result.ok, result
        return result.error

    def say(self, sentence: str) -> Outcome:
        """A sentence, understood and done."""
        return self.wait(self.machine.requests.handle(self.process, self.session, sentence))

    def put(self, path: str, content: str) -> Path:
        """A file of the person's own."""
        file = self.workspace / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
        return file


def reader(programs: Programs) -> Callable[[str], str]:
    """What a scripted interpreter writes: the program of the sentence in its prompt, nothing for all others."""

    def write(prompt: str) -> str:
        said = _SENTENCE.findall(prompt)
        return notation.write(programs.get(said[-1] if said else "", ()))

    return write


def tree(folder: Path) -> dict[str, bytes | None]:
    """All there is below a folder: content of files, targets of links, None for folders."""
    found: dict[str, bytes | None] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = str(path.readlink()).encode()
        else:
            found[name] = path.read_bytes() if path.is_file() else None
    return found
