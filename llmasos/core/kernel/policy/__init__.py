"""Who may do what: rules from TOML files in three tiers, asked before every call, followed when they change."""

from llmasos.core.kernel.policy.live import LivePolicy
from llmasos.core.kernel.policy.moderation import LEVELS, Moderation
from llmasos.core.kernel.policy.policy import NO_RULE, Decision, Explanation, Policy, Tried, stronger
from llmasos.core.kernel.policy.rates import Rates
from llmasos.core.kernel.policy.rule import NO_LABELS, NOTHING_USED, Allowance, Rate, Rule, Tier, Used, Verdict
from llmasos.core.kernel.policy.sources import Sources

__all__ = [
    "LEVELS", "NOTHING_USED", "NO_LABELS", "NO_RULE", "Allowance", "Decision", "Explanation", "LivePolicy",
    "Moderation", "Policy", "Rate", "Rates", "Rule", "Sources", "Tier", "Tried", "Used", "Verdict", "stronger",
]  # fmt: skip
