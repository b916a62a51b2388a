"""A policy that follows its files: what is changed while the system runs is in force before the next decision."""

from __future__ import annotations

import logging
from collections.abc import Callable

from llmasos.core.base.clock import Clock
from llmasos.core.base.errors import UsageError
from llmasos.core.kernel.policy.policy import Policy
from llmasos.core.kernel.policy.sources import Sources

log = logging.getLogger(__name__)

EVERY = 1.0
"""Seconds between two looks at the files."""


class LivePolicy(Policy):
    """As `Policy`; looks at its files at most once a second, when something is asked.

    A file with a mistake changes nothing: the set that was in force stays, and the person is told once. New rules are
    compiled and checked first, and then take the place of all old ones at once.

    Args:
        sources: Its files.
        clock: Says when to look again.
        tell: Tells the person.

    Attributes:
        problem: What is wrong with its files as they are now; empty where nothing is.

    Raises:
        UsageError: There is no such policy, or one of its files is wrong.
    """

    def __init__(self, sources: Sources, clock: Clock, tell: Callable[[str], object] = lambda words: None) -> None:
        self.sources = sources
        self.problem = ""
        self._clock = clock
        self._tell = tell
        self._signature = sources.signature()
        self._looked = clock.monotonic()
        policy = sources.read()
        super().__init__(policy.name, policy.rules, policy.moderation)

    def follow(self) -> None:
        """Look whether a file has changed, unless that was done just now."""
        now = self._clock.monotonic()
        if now - self._looked < EVERY:
            return
        self._looked = now
        signature = self.sources.signature()
        if signature == self._signature:
            return
        policy, mistake = None, ""
        try:
            policy = self.sources.read()
        except UsageError as error:
            mistake = str(error)
        if self.sources.signature() != signature:
            return  # it is being written just now; the next look sees it whole
        self._signature = signature
        if policy:
            level = f" Moderation is {policy.moderation} now." if policy.moderation != self._moderation else ""
            self._take(policy.rules, policy.moderation)
            self.name, self.problem = policy.name, ""
            self._say(f"The policy {self.name!r} was changed. Rules in force now: {len(self.rules)}.{level}")
        else:
            self.problem = f"The policy {self.name!r} was changed and isn't used: {mistake} What was in force stays so."
            self._say(self.problem)

    def _say(self, words: str) -> None:
        log.warning("%s", words)
        self._tell(words)
