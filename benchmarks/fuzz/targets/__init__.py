"""All that is fuzzed, by room."""

from __future__ import annotations

from benchmarks.fuzz.target import Target
from benchmarks.fuzz.targets import definitions, devices, documents, files, lore, models, said, sealed, stored, wire

_ROOMS = (said, definitions, files, lore, documents, devices, wire, models, sealed, stored)

TARGETS: dict[str, type[Target]] = {target.name: target for room in _ROOMS for target in room.TARGETS}
"""Name -> target."""
