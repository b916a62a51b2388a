"""The words that go through the socket, as JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, get_args

from llmasos.core.base import errors
from llmasos.core.base.errors import Denied, LlmasosError, SyscallError, UsageError
from llmasos.core.base.types import Call, Result, from_records, to_records
from llmasos.core.kernel.session import LONGEST_CONSENT, Answer, Consent, Lasting
from llmasos.core.kernel.syscall import Argument, Syscall
from llmasos.services.interpreter.reading import Kept, Reading
from llmasos.services.outcome import Outcome

Json = dict[str, Any]


def result(value: Result) -> Json:
    """A result."""
    return {
        "call": value.call.to_record(), "value": value.value, "error": value.error, "message": value.message,
        "rule": value.rule, "undoable": value.undoable,
    }  # fmt: skip


def to_result(value: Json) -> Result:
    """A result again."""
    return Result(**{**value, "call": Call.from_record(value["call"])})


def to_call(value: Json) -> Call:
    """A call of another program, whose form is looked at: what is in it is the door's business.

    Raises:
        UsageError: It is no call.
    """
    name, args, references = value.get("syscall"), value.get("args"), value.get("references")
    known = isinstance(name, str) and isinstance(args, dict) and isinstance(references, list)
    origins = value.get("origins", {})
    lists = [references, *origins.values()] if isinstance(origins, dict) else [None]
    if not known or not all(isinstance(some, list) and all(isinstance(one, str) for one in some) for some in lists):
        raise UsageError("The other program's call has another form than this one's.", "Update both programs.")
    return Call.from_record(value)


def reading(value: Reading) -> Json:
    """A reading."""
    other = value.alternative
    return {
        "program": to_records(value.program), "confidence": value.confidence, "ms": value.ms,
        "alternative": None if other is None else to_records(other), "derived": value.derived,
    }  # fmt: skip


def to_reading(value: Json) -> Reading:
    """A reading again."""
    other = value["alternative"]
    return Reading(
        from_records(value["program"]), value["confidence"], None if other is None else from_records(other),
        value["ms"], tuple(value["derived"]),
    )  # fmt: skip


def outcome(value: Outcome) -> Json:
    """What came of a request."""
    return {
        "reading": reading(value.reading), "results": [result(one) for one in value.results],
        "way": value.way, "kept": value.kept,
    }  # fmt: skip


def to_outcome(value: Json) -> Outcome:
    """It again."""
    return Outcome(
        to_reading(value["reading"]), tuple(map(to_result, value["results"])), value["way"], value["kept"]
    )  # fmt: skip


def kept(value: Kept) -> Json:
    """A kept reading."""
    return {"id": value.id, "said": value.said, "program": to_records(value.program), "at": value.at}


def to_kept(value: Json) -> Kept:
    """It again."""
    return Kept(**{**value, "program": from_records(value["program"])})


def consent(value: Consent) -> Json:
    """A question before an effect."""
    others = [consent(one) for one in value.others]
    return {**asdict(value), "call": value.call.to_record(), "shown": dict(value.shown), "others": others}


def to_consent(value: Json) -> Consent:
    """It again."""
    others = tuple(to_consent(one) for one in value["others"])
    call, labels = Call.from_record(value["call"]), tuple(value["labels"])
    return Consent(**{**value, "call": call, "labels": labels, "others": others})


def answer(value: Answer | None) -> Json | str | None:
    """An answer to it."""
    return asdict(value) if isinstance(value, Lasting) else value


def to_answer(value: Any) -> Answer | None:
    """It again; None where it is none."""
    if isinstance(value, dict):
        pattern, seconds = value.get("pattern", ""), value.get("seconds")
        known = isinstance(pattern, str) and (seconds is None or _is_duration(seconds))
        return Lasting(pattern, seconds) if known else None
    return value if value in ("once", "session", "no") else None


def _is_duration(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= LONGEST_CONSENT


def row(value: Syscall) -> Json:
    """What help and completion need of a syscall."""
    return {
        "name": value.name, "effect": value.effect, "summary": value.summary, "examples": value.examples,
        "arguments": [asdict(argument) for argument in value.arguments],
    }  # fmt: skip


def to_row(value: Json) -> Syscall:
    """It again; where it runs is another program."""

    async def elsewhere(caller: Any, /, **args: Any) -> Any:
        raise SyscallError("ENOSYS", f"{value['name']} runs in the program that owns the home.")

    return Syscall(
        value["name"], value["effect"], value["summary"], tuple(Argument(**a) for a in value["arguments"]), elsewhere,
        examples=tuple(value["examples"]),
    )  # fmt: skip


def error(value: LlmasosError) -> Json:
    """An error that a person can read."""
    shown: Json = {"kind": type(value).__name__, "what": value.what, "remedy": value.remedy}
    if isinstance(value, SyscallError):
        shown |= {"code": value.code, "choices": value.choices}
    if isinstance(value, Denied):
        shown["rule"] = value.rule
    return shown


def to_error(value: Mapping[str, Any]) -> LlmasosError:
    """It again, of the same class."""
    what, remedy = str(value["what"]), str(value["remedy"])
    if value["kind"] == "SyscallError" and value.get("code") in get_args(errors.Errno):
        return SyscallError(value["code"], what, remedy, choices=tuple(value.get("choices", ())))
    if value["kind"] == "Denied":
        return Denied(what, remedy, rule=str(value.get("rule", "")))
    kind = getattr(errors, str(value["kind"]), LlmasosError)
    known = isinstance(kind, type) and issubclass(kind, LlmasosError) and kind is not SyscallError
    return kind(what, remedy) if known else LlmasosError(what, remedy)
