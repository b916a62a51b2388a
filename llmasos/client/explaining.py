"""What policy would decide about a line, as JSON: the calls that it means, and each rule's part in the decision."""

from __future__ import annotations

from typing import Any

from llmasos.core.base.types import Call
from llmasos.core.kernel.policy import Tried
from llmasos.core.kernel.trap import Caller
from llmasos.services.interpreter.reading import Reading


async def explained(caller: Caller, reading: Reading, subject: str) -> dict[str, Any]:
    """The answer to `llmasos policy explain`.

    Args:
        caller: Whose line it is.
        reading: What it means.
        subject: Who would make the calls; the caller's process where empty.

    Returns:
        `{"policy", "calls", "confidence", "ask"?}`; each call with `verdict`, `rule`, `tier`, `where`, `rules` in the
        order in which they count, and `consent`, the number of one that holds for it.

    Raises:
        SyscallError: A call's arguments are wrong.
    """
    calls = [await _call(caller, call, subject) for call in reading.program]
    also = {"ask": reading.ask} if reading.ask else {}
    return {"policy": caller.kernel.policy.name, "calls": calls, "confidence": reading.confidence, **also}


async def _call(caller: Caller, call: Call, subject: str) -> dict[str, Any]:
    kernel, subject = caller.kernel, subject or caller.process.subject
    row = kernel.table[call.syscall]
    caller = Caller(kernel, caller.process, caller.session, call)
    explanation, shown, unresolved = await kernel.explain(caller, subject)
    decision = explanation.decision
    consent = None
    if decision.verdict == "ask":
        consent = kernel.consents.covering(caller.session, subject, row, shown, caller.labels)
    return {
        "syscall": call.syscall,
        "args": call.args,
        "effect": row.effect,
        "subject": subject,
        "about": {name: str(value) for name, value in explanation.args.items()},
        "unresolved": unresolved,
        "verdict": decision.verdict,
        "rule": decision.rule,
        "tier": decision.tier,
        "where": decision.where,
        "note": decision.note,
        "consent": consent.number if consent else None,
        "rules": [_rule(tried) for tried in explanation.rules],
    }


def _rule(tried: Tried) -> dict[str, Any]:
    rule = tried.rule
    return {
        "rule": rule.id, "tier": rule.tier, "where": rule.where, "decision": rule.decision,
        "description": rule.description, "matched": tried.matched, "decides": not tried.why, "why": tried.why,
    }  # fmt: skip
