"""Running a program: its calls in order, `$n` resolved, stopping at the first that fails."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from llmasos.core.base.errors import LlmasosError, SyscallError
from llmasos.core.base.types import REFERENCE, Call, Program, Result
from llmasos.core.base.values import plain, references
from llmasos.core.kernel.labels import of_call, of_things
from llmasos.core.kernel.policy import NO_LABELS
from llmasos.core.kernel.process import Process
from llmasos.core.kernel.session import Nobody, Session
from llmasos.core.kernel.trap import Caller, Kernel


async def run(
    kernel: Kernel,
    process: Process,
    session: Session,
    program: Program,
    *,
    request: str = "",
    labels: frozenset[str] = NO_LABELS,
) -> list[Result]:
    """Run a program.

    Args:
        kernel: Whose door its calls go through.
        process: Who makes them.
        session: For whom.
        program: The calls.
        request: What was said.
        labels: Where the request comes from, as far as that isn't the person.

    Returns:
        A result for each call that was tried; the last one failed where there are fewer than calls.
    """
    results: list[Result] = []
    try:
        await _agree(kernel, process, session, program, request, labels)
    except LlmasosError as error:
        caller = Caller(kernel, process, session, program[0], request=request)
        results.append(kernel.refused(caller, error))
        await session.front.after(results[0])
        return results
    try:
        return await _run(kernel, process, session, program, request, labels, results)
    finally:
        kernel.consents.over(session)


async def _agree(
    kernel: Kernel, process: Process, session: Session, program: Program, request: str, labels: frozenset[str]
) -> None:
    """One question for all that the program needs consent for, as far as that can be told before it runs."""
    wanted = []
    for call in program if len(program) > 1 else ():
        if call.references or call.syscall not in kernel.table:
            continue
        silent = Caller(kernel, process, replace(session, front=Nobody()), call, request=request, labels=labels)
        try:
            decision, shown = await kernel.judge(silent)
        except LlmasosError:
            continue  # it is told when its turn comes
        if decision.verdict == "ask":
            row = kernel.table[call.syscall]
            asking = replace(silent, session=session, labels=labels | of_call(row, call))
            wanted.append((asking, row, decision, shown))
    await kernel.consents.obtain_all(wanted)


async def _run(
    kernel: Kernel,
    process: Process,
    session: Session,
    program: Program,
    request: str,
    labels: frozenset[str],
    results: list[Result],
) -> list[Result]:
    for call in program:
        try:
            ready = await _resolved(kernel, session, call, results)
        except SyscallError as error:
            failed = Result(call, error=error.code, message=str(error))
            await session.front.after(failed)
            results.append(failed)
            break
        results.append(await kernel.trap(process, session, ready, request=request, labels=labels))
        if not results[-1].ok:
            break
    return results


async def _resolved(kernel: Kernel, session: Session, call: Call, earlier: list[Result]) -> Call:
    """The call with its references replaced by what they stand for."""
    if not call.references:
        return call
    kinds = {a.name: a.kind for a in kernel.table[call.syscall].arguments}
    args: dict[str, Any] = dict(call.args)
    origins = dict(call.origins)
    for name in call.references:
        number = REFERENCE.fullmatch(str(args[name]))
        if number is None or int(number[1]) > len(earlier):
            raise SyscallError(
                "EINVAL", f"{name} of {call.syscall} refers to {args[name]}, which isn't an earlier result."
            )
        result = earlier[int(number[1]) - 1]
        args[name] = await _one_of(session, result) if kinds.get(name) else plain(result.value)
        origins[name] = of_things(result, args[name]) if kinds.get(name) else result.labels
    return replace(call, args=args, references=frozenset(), origins=origins)


async def _one_of(session: Session, result: Result) -> str:
    """The one thing a result names: none stops the program, several ask which."""
    named = references(result.value)
    if not named:
        raise SyscallError(
            "ENOENT", f"{result.call.syscall} found nothing, so the rest was not done.", "Say it in other words."
        )
    if len(named) == 1:
        return named[0]
    index = await session.front.choose("Which one?", named)
    if index is None:
        raise SyscallError(
            "EAMBIG", f"{len(named)} things match: {', '.join(named[:8])}.", "Say which one.", choices=tuple(named)
        )
    return named[index]
