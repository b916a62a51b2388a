"""The program's own log goes to a sealed log from INFO on, whatever the program around it shows.

A logger passes on only what is as severe as its level says, WARNING where nobody has set one, and so our INFO lines
came to no handler. With a lower level they would come to the handlers of a program that embeds us too, which has said
nothing of the kind: to these goes what would have gone there before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from llmasos.core.kernel.sealed_log import SealedHandler, SealedLog

LEVEL = logging.INFO


class _Onward(logging.Handler):
    """Hands on to the handlers above what they would have got without a sealed log.

    Args:
        logger: Whose records.
    """

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__()
        self._logger = logger
        self.before = logger.level, logger.propagate
        self.set = min(LEVEL, logger.getEffectiveLevel())

    def emit(self, record: logging.LogRecord) -> None:
        """Hand one on, or not."""
        above, (_, propagates) = self._logger.parent, self.before
        # Where nobody listens the record isn't for a terminal either: it is sealed, and nowhere else.
        if propagates and above and above.hasHandlers() and record.levelno >= self._wanted(record.name):
            above.handle(record)

    def _wanted(self, name: str) -> int:
        """From which level on somebody has asked for the records of a logger."""
        logger: logging.Logger | None = logging.getLogger(name)
        while logger and logger is not self._logger:
            if logger.level:
                return logger.level
            logger = logger.parent
        if self._logger.level != self.set:  # somebody has set it since
            return self._logger.level
        return self.before[0] or (self._logger.parent.getEffectiveLevel() if self._logger.parent else logging.WARNING)


def seal_log(logger: logging.Logger, sealed: SealedLog) -> Callable[[], None]:
    """Send a logger's records to a sealed log; returns what stops that.

    Several may do so at a time, and stop in any order.
    """
    if not any(isinstance(one, _Onward) for one in logger.handlers):
        onward = _Onward(logger)
        logger.addHandler(onward)
        logger.setLevel(onward.set)
        logger.propagate = False
    handler = SealedHandler(sealed, level=LEVEL)
    logger.addHandler(handler)

    def stop() -> None:
        logger.removeHandler(handler)
        if any(isinstance(one, SealedHandler) for one in logger.handlers):
            return
        for one in [one for one in logger.handlers if isinstance(one, _Onward)]:
            logger.removeHandler(one)
            if logger.level == one.set:
                logger.setLevel(one.before[0])
            logger.propagate = one.before[1]

    return stop
