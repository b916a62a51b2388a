"""Who may do what: compiled rules, asked before every call.

Semantics as in Cedar (Cutler et al., "Cedar: A New Language for Expressive, Fast, Safe, and Analyzable Authorization",
OOPSLA 2024), with a third answer and tiers above each other. The highest tier with a rule that matches decides; inside
it deny beats ask, and ask beats allow. Where no rule of any tier matches the answer is deny. Every decision carries the
id of the rule that made it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from llmasos.core.base.types import Effect
from llmasos.core.kernel.policy.file import read
from llmasos.core.kernel.policy.moderation import UNSAID, Moderation, strictest
from llmasos.core.kernel.policy.rates import Rates
from llmasos.core.kernel.policy.rule import NO_LABELS, NOTHING_USED, STRENGTH, TIERS, Rule, Tier, Used, Verdict, apart


@dataclass(frozen=True, slots=True)
class Decision:
    """What policy says, and which rule said it.

    Attributes:
        verdict: What may happen.
        rule: The id of the rule.
        tier: Whose rule it is; empty where none matched.
        where: Its file and line, as far as they are known.
        note: What the person should know beside it: that a rate or a budget is used up.
        labels: For which labels of the call its rule is about it; none where it would be whatever they are.
    """

    verdict: Verdict
    rule: str
    tier: Tier | Literal[""] = ""
    where: str = ""
    note: str = ""
    labels: tuple[str, ...] = ()


NO_RULE = Decision("deny", "no-rule")


@dataclass(frozen=True, slots=True)
class Tried:
    """One rule as a decision was made: whether it matched, and why it did not decide; `why` is empty for who did."""

    rule: Rule
    matched: bool
    why: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision, the arguments it is about, and all rules in the order in which they count."""

    decision: Decision
    args: Mapping[str, Any]
    rules: tuple[Tried, ...]


_REMEMBERED = 4096
"""Kinds of calls whose rules are remembered."""


def stronger(one: Decision, other: Decision) -> Decision:
    """The stricter of two decisions, the first where they are equally strict."""
    return other if STRENGTH[other.verdict] > STRENGTH[one.verdict] else one


class Policy:
    """A compiled set of rules.

    Args:
        name: What it is called.
        rules: In any order; tier and strength decide, not position.
        moderation: How much of what a model says is held back.
    """

    problem = ""
    """What is wrong with its files as they are now; only a policy that follows them has one."""

    def __init__(self, name: str, rules: tuple[Rule, ...], moderation: Moderation = UNSAID) -> None:
        self.name = name
        self._take(rules, moderation)

    def _take(self, rules: tuple[Rule, ...], moderation: Moderation) -> None:
        self.rules = rules
        self._moderation = moderation
        self._tiers = [some for tier in TIERS if (some := [rule for rule in rules if rule.tier == tier])]
        self._about: dict[tuple[str, str, str], list[list[Rule]]] = {}
        self.rated = [rule for rule in rules if rule.rate]
        self._budgeted = any(rule.budget for rule in rules)

    @property
    def moderation(self) -> Moderation:
        """How much of what a model says is held back."""
        self.follow()
        return self._moderation

    @property
    def budgeted(self) -> bool:
        """Whether a rule asks what the process that makes a call used so far."""
        self.follow()
        return self._budgeted

    def follow(self) -> None:
        """Called before each decision: a policy that follows its files looks at them."""

    def decide(
        self,
        subject: str,
        syscall: str,
        effect: Effect,
        args: Mapping[str, Any],
        *,
        labels: frozenset[str] = NO_LABELS,
        rates: Rates | None = None,
        used: Used = NOTHING_USED,
    ) -> Decision:
        """What the rules say of a call; nothing of a rate is used up by asking.

        Args:
            subject: Who makes it.
            syscall: Its name.
            effect: Its effect.
            args: Its arguments; of one that names several things the strictest decision counts.
            labels: What is known of where the request and its arguments come from.
            rates: What was used of the rates so far; nothing where None.
            used: What the process that makes it used so far.
        """
        self.follow()
        decision: Decision | None = None
        for each in apart(args):
            one = self._decide(subject, syscall, effect, each, labels, rates, used)
            decision = stronger(decision, one) if decision else one
        return decision or NO_RULE  # what names nothing isn't there to be allowed

    def _decide(
        self,
        subject: str,
        syscall: str,
        effect: Effect,
        args: Mapping[str, Any],
        labels: frozenset[str],
        rates: Rates | None,
        used: Used,
    ) -> Decision:
        best: Rule | None = None
        used_up: list[Rule] = []
        for rules in self._rules_about(subject, syscall, effect):
            for rule in rules:
                stricter = best is None or STRENGTH[rule.decision] > STRENGTH[best.decision]
                if stricter and rule.fits(args, labels):
                    if _has_room(rule, subject, rates, used):
                        best = rule
                    elif rule.decision == "allow":
                        used_up.append(rule)
            if best:
                break
        decision = NO_RULE
        if best:
            by = best.decided_by(labels) if labels else ()
            decision = Decision(best.decision, best.id, best.tier, best.where, labels=by)
        if decision.verdict != "allow" and (rates or used):
            beyond = [*used_up, *([best] if best and (best.rate or best.budget) else [])]
            decision = replace(decision, note=" ".join(_beyond(rule, subject, rates, used) for rule in beyond))
        return decision

    def _rules_about(self, subject: str, syscall: str, effect: Effect) -> list[list[Rule]]:
        """The rules of each tier whose patterns fit these three; found once, since they are asked for at each call."""
        key = (subject, syscall, effect)
        found = self._about.get(key)
        if found is None:
            if len(self._about) >= _REMEMBERED:
                self._about.clear()
            found = [[rule for rule in rules if rule.is_about(*key)] for rules in self._tiers]
            self._about[key] = found
        return found

    def charges(
        self,
        subject: str,
        syscall: str,
        effect: Effect,
        args: Mapping[str, Any],
        *,
        labels: frozenset[str] = NO_LABELS,
        rates: Rates | None = None,
        used: Used = NOTHING_USED,
    ) -> Iterator[Rule]:
        """The rules whose rate a call uses up when it runs: one that allows it, others where they match."""
        for each in apart(args) if self.rated else ():
            decision = self._decide(subject, syscall, effect, each, labels, rates, used)
            for rule in self.rated:
                if rule.decision == "allow":
                    if (rule.tier, rule.id) == (decision.tier, decision.rule):
                        yield rule
                elif rule.matches(subject, syscall, effect, each, labels):
                    yield rule

    def explain(
        self,
        subject: str,
        syscall: str,
        effect: Effect,
        args: Mapping[str, Any],
        *,
        labels: frozenset[str] = NO_LABELS,
        rates: Rates | None = None,
        used: Used = NOTHING_USED,
    ) -> Explanation:
        """As `decide`, with each rule's part in it."""
        self.follow()
        decision, about = NO_RULE, args
        for number, each in enumerate(apart(args)):
            one = self._decide(subject, syscall, effect, each, labels, rates, used)
            if number == 0 or stronger(decision, one) is not decision:
                decision, about = one, each
        tried = []
        for rule in (rule for rules in self._tiers for rule in rules):
            why = rule.why_not(subject, syscall, effect, about, labels)
            matched = not why
            if matched and not _has_room(rule, subject, rates, used):
                matched = False
                why = _beyond(rule, subject, rates, used) if rule.decision == "allow" else _within(rule)
            elif matched and (rule.tier, rule.id) != (decision.tier, decision.rule):
                why = _loses(rule, decision)
            tried.append(Tried(rule, matched, why))
        return Explanation(decision, about, tuple(tried))

    @staticmethod
    def load(path: Path) -> Policy:
        """The policy of one file.

        Raises:
            UsageError: The file is missing or wrong; the message names the rule and the mistake.
        """
        found = read(path)
        return Policy(found.name, found.rules, strictest([found.moderation]))


def _has_room(rule: Rule, subject: str, rates: Rates | None, used: Used) -> bool:
    """Whether a rule that is about a call matches as to its rate and its budget."""
    if rule.rate is None and rule.budget is None:
        return True
    over = _is_over(rule, subject, rates) or (rule.budget is not None and rule.budget.is_used_up(used))
    return over != (rule.decision == "allow")


def _is_over(rule: Rule, subject: str, rates: Rates | None) -> bool:
    return rule.rate is not None and rates is not None and rates.left(rule, subject) == 0


def _beyond(rule: Rule, subject: str, rates: Rates | None, used: Used) -> str:
    """What of a rule is used up, in words."""
    said = []
    if rates and _is_over(rule, subject, rates):
        again = rates.again(rule, subject)
        said.append(f"The rate {rule.rate} of the rule {rule.id!r} is used up; again in {again} s.")
    if rule.budget and rule.budget.is_used_up(used):
        said.append(f"The budget of the rule {rule.id!r} is used up ({rule.budget} for each process).")
    return " ".join(said)


def _within(rule: Rule) -> str:
    """Why a rule that begins where something is used up doesn't match, in words."""
    said = [f"not more than {rule.rate} were made"] if rule.rate else []
    return " and ".join([*said, f"not all of {rule.budget} is used up"] if rule.budget else said)


def _loses(rule: Rule, decision: Decision) -> str:
    if rule.tier != decision.tier:
        return f"the {decision.tier} tier is above"
    if rule.decision == decision.verdict:
        return f"{decision.rule!r} says the same before it"
    return f"{decision.verdict} beats {rule.decision}"
