"""How often rules were used: a sliding window for each rule and subject, on the kernel's clock."""

from __future__ import annotations

import math
from collections import deque

from llmasos.core.base.clock import Clock
from llmasos.core.kernel.policy.rule import Rule

_MANY = 1_000
"""Windows above which the ones that are over are forgotten."""


class Rates:
    """What was used of the rates of all rules, in memory: a new start begins anew, a policy read anew doesn't.

    Args:
        clock: Seconds that only go forward.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._used: dict[tuple[str, str, str], deque[float]] = {}
        self._over: dict[tuple[str, str, str], float] = {}

    def left(self, rule: Rule, subject: str) -> int:
        """How many more calls its rate has room for now."""
        assert rule.rate is not None
        return max(0, rule.rate.count - len(self._window(rule, subject)))

    def again(self, rule: Rule, subject: str) -> int:
        """In how many whole seconds there is room for one more; 0 where there is."""
        assert rule.rate is not None
        window = self._window(rule, subject)
        if len(window) < rule.rate.count:
            return 0
        return math.ceil(window[-rule.rate.count] + rule.rate.seconds - self._clock.monotonic())

    def spend(self, rule: Rule, subject: str) -> None:
        """One more call."""
        assert rule.rate is not None
        now = self._clock.monotonic()
        if len(self._used) >= _MANY:
            self._forget(now)
        window = self._window(rule, subject)
        window.append(now)
        while len(window) > rule.rate.count:
            window.popleft()
        key = (rule.tier, rule.id, subject)
        self._used[key] = window
        self._over[key] = now + rule.rate.seconds

    def _window(self, rule: Rule, subject: str) -> deque[float]:
        """When it was used, as far as that still counts."""
        assert rule.rate is not None
        window = self._used.get((rule.tier, rule.id, subject)) or deque()
        now = self._clock.monotonic()
        while window and now - window[0] >= rule.rate.seconds:
            window.popleft()
        return window

    def _forget(self, now: float) -> None:
        for key in [key for key, end in self._over.items() if end <= now]:
            del self._used[key], self._over[key]
