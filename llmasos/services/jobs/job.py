"""A background job as it is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from llmasos.core.base.types import Program, from_records

KIND = "job"
EVENT, TOLD = "job.event", "job.told"
"""When a repeated job comes, as an event of the schedule's form; and up to when it was run."""
RUNS = 10
"""Runs of a repeated job that are kept, with what they said."""
OUTPUT = 20_000
"""Characters of what one run said that are kept."""
Allowed = tuple[str, str, Sequence[str]]
"""Subject, syscall, and the labels that its call may have."""
State = Literal["waiting", "running", "done", "failed", "cancelled", "interrupted", "missed"]


@dataclass(frozen=True, slots=True)
class Run:
    """One run.

    Attributes:
        at: When it began, ISO 8601.
        state: How it went.
        output: What it said, call by call.
        sources: Whose words stand in that, where they aren't the system's.
    """

    at: str
    state: State
    output: str = ""
    sources: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """One job.

    Attributes:
        number: What it is called by; counts up.
        said: The words of the person.
        calls: The program, each call as syscall, args and names of references.
        person: For whom, and under whose policy.
        workspace: Where its files are.
        cwd: The folder in it.
        when: The words for when it repeats; empty where it runs once.
        allowed: Subject, syscall and labels that the person consented to when they ordered it; older jobs have
            `subject syscall`.
        state: `waiting` for its time, or as its last run.
        runs: The last runs, oldest first.
    """

    number: int
    said: str
    calls: list[dict[str, Any]]
    person: str
    workspace: str
    cwd: str
    when: str
    allowed: list[Allowed | str]
    state: State
    runs: list[Run] = field(default_factory=list)

    @property
    def program(self) -> Program:
        """Its calls."""
        return from_records(self.calls)

    @property
    def consented(self) -> list[Allowed]:
        """What the person consented to."""
        pairs = (one.rpartition(" ") for one in self.allowed if isinstance(one, str))
        named = (one for one in self.allowed if not isinstance(one, str))
        return [*((subject, syscall, ()) for subject, _, syscall in pairs), *named]

    @property
    def last(self) -> Run | None:
        """Its last run."""
        return self.runs[-1] if self.runs else None

    def ran(self, run: Run) -> Job:
        """With one more run, or the last one as it ended."""
        kept = [r for r in self.runs if r.at != run.at]
        state: State = "waiting" if self.when and run.state != "running" else run.state
        return replace(self, state=state, runs=[*kept, run][-RUNS:])

    def to_json(self) -> dict[str, Any]:
        """As the store takes it."""
        return asdict(self)

    @staticmethod
    def from_json(value: dict[str, Any]) -> Job:
        """As the store gives it."""
        return Job(**{**value, "runs": [Run(**run) for run in value["runs"]]})
