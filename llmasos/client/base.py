"""What a front end may do with the kernel of its home, wherever that runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from llmasos.core.base.errors import Denied, NeedsAnswer, SyscallError
from llmasos.core.base.types import Call, Result
from llmasos.core.kernel.grant import Grant
from llmasos.core.kernel.session import FrontEnd, Session
from llmasos.core.kernel.syscall import SyscallTable
from llmasos.services.interpreter.reading import Kept, Reading
from llmasos.services.outcome import OnReading, Outcome

Hear = Callable[[Mapping[str, Any]], None]
"""Told of a reminder: `{"title", "when", ...}`, or of something else to know: `{"note"}`."""


@dataclass(frozen=True, slots=True)
class Glance:
    """What a toolbar shows.

    Attributes:
        model: The speaker's name.
        policy: The policy's name.
        processes: How many live.
        speed: Tokens a second of the last work; 0 before any.
        loaded: Whether sentences can be read already.
    """

    model: str
    policy: str
    processes: int
    speed: float = 0.0
    loaded: bool = False


class Client(Protocol):
    """One session with the kernel of a home.

    Attributes:
        session: The person, the workspace, the folder they are in. Only its folder changes.
        home: The folder of all state.
        table: The live syscalls, for help and completion.
        problems: What a person should know after start.
        recovery_code: Of a home that was made just now; None otherwise.
        boot: Which kernel it is: another one each time one is started.
        owner: The process id of the program that owns the home, where it is another one; 0 where it is this one.
    """

    @property
    def session(self) -> Session: ...  # noqa: D102 - told above
    @property
    def home(self) -> Path: ...  # noqa: D102
    @property
    def table(self) -> SyscallTable: ...  # noqa: D102
    @property
    def problems(self) -> list[str]: ...  # noqa: D102
    @property
    def recovery_code(self) -> str | None: ...  # noqa: D102
    @property
    def boot(self) -> str: ...  # noqa: D102
    @property
    def owner(self) -> int: ...  # noqa: D102

    async def handle(self, line: str, *, appended: str = "", on_reading: OnReading | None = None) -> Outcome:
        """Understand a line and do it; as `Requests.handle`."""

    async def understand(self, line: str, *, appended: str = "") -> Reading:
        """The program that a line means; nothing is run."""

    async def interpret(
        self, said: str, *, tools: Sequence[Mapping[str, Any]] = (), only_tools: bool = False
    ) -> Reading:
        """As `Interpreter.interpret`: without what a person taught, with functions known only for this sentence."""

    async def trap(self, call: Call, *, quiet: bool = False) -> Result:
        """Make one call; a quiet one shows and asks nothing."""

    async def go(self, folder: str) -> None:
        """Change the current folder."""

    async def ready(self) -> None:
        """Wait until sentences can be read.

        Raises:
            ModelError: They never will.
        """

    def glance(self) -> Glance:
        """What a toolbar shows; cheap, at most a second old."""

    async def history(self) -> list[str]:
        """The lines that the person typed, oldest first."""

    async def keep_line(self, line: str) -> None:
        """Keep a line in the history."""

    async def readings(self) -> list[Kept]:
        """What the person's own sentences mean, oldest first."""

    async def forget_reading(self, id: str) -> None:
        """Remove one of them."""

    async def consents(self) -> Sequence[Grant]:
        """What the person has consented to for longer than once, and still holds."""

    async def revoke_consent(self, number: int) -> Grant:
        """End one of them, at once and everywhere.

        Raises:
            UsageError: There is none of this number.
        """

    async def explain_policy(self, line: str, *, subject: str = "") -> Mapping[str, Any]:
        """What policy would decide about each call that a line means, and why; nothing is done.

        Args:
            line: A sentence or a written call.
            subject: Who would make the calls; the person where empty.

        Returns:
            JSON; see `llmasos.client.explaining`.

        Raises:
            NotUnderstood: Nothing fits.
        """

    async def policy_files(self) -> Mapping[str, Any]:
        """The policy in force: `policy` as it was set, its `name`, its `files`, and its `problem` if there is one."""

    async def listen(self, hear: Hear) -> None:
        """Hear of reminders from now on, and of what was missed."""

    async def set_aside(self, name: str) -> None:
        """Make room for a new character of a name that is taken."""

    async def sibling(self, front: FrontEnd, *, said: str = "") -> Client:
        """Another session of the same person in the same workspace, with a front end of its own.

        Args:
            front: Who is shown and asked things.
            said: What the person asked a model for that makes this session's calls, in their words; empty where they
                make them. Such a model is an `Agent`.
        """

    async def load_table(self) -> None:
        """Fill `table`, where it isn't yet."""

    async def close(self) -> None:
        """End the session; in the program that owns the home, everything."""

    async def lost(self) -> None:
        """Wait until the kernel has gone; for ever where it runs in this program."""


def value_of(result: Result) -> Any:
    """What a call gave back, for a program.

    Raises:
        SyscallError: It failed; `code` is errno-like.
        Denied: Policy says no; `rule` names the rule.
        NeedsAnswer: It asks for consent, and nobody was there to give it.
    """
    if result.ok:
        return result.value
    if result.error == "EACCES":
        raise Denied(result.message, rule=result.rule)
    if result.error == "EAGAIN":
        raise NeedsAnswer(result.message)
    raise SyscallError(result.error, result.message)  # type: ignore[arg-type]  # codes come from SyscallError itself
