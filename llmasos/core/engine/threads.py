"""How many threads a step gets."""

from __future__ import annotations

import os

from llmasos.core.engine.native import native


def choose(said: int) -> tuple[int, int]:
    """Threads of a step with one token, and of a step with many.

    Args:
        said: The person's setting; 0 lets us choose.
    """
    if said > 0:
        return said, said
    # More than one pays for prompts alone, and only where waiting threads sleep: spinning ones collapse as
    # soon as another program wants a core.
    many = min(4, os.cpu_count() or 1) if native().patient else 1
    return 1, many
