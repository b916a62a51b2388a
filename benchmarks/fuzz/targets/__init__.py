"""All that is fuzzed, by room."""

from __future__ import annotations

from benchmarks.fuzz.target import Target
from benchmarks.fuzz.targets import definitions, files, models, said, sealed, stored, wire

TARGETS: dict[str, type[Target]] = {
    target.name: target for room in (said, definitions, files, wire, models, sealed, stored) for target in room.TARGETS
}
"""Name -> target."""
