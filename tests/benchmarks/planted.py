"""A worker of the fuzzing bench with a target that does all that the bench is there to see."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from random import Random

from benchmarks.fuzz import worker
from benchmarks.fuzz.mutate import Bytes
from benchmarks.fuzz.target import Target
from benchmarks.fuzz.targets import TARGETS
from llmasos.core.base.errors import LlmasosError

DOES = ("taken",) * 20 + ("refused",) * 10 + ("raises", "asserts", "exits", "hangs", "eats", "dies")


class Planted(Target):
    name = "planted"
    share = 1

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, Bytes([b"x"]))

    def make(self, rng: Random) -> bytes:
        return rng.choice(DOES).encode()

    def run(self, data: bytes) -> None:
        match data.decode():
            case "refused":
                raise LlmasosError("No.", "Something else.")
            case "raises":
                raise KeyError("defect")
            case "asserts":
                raise AssertionError("not what it was")
            case "exits":
                raise SystemExit(3)
            case "hangs":
                while True:
                    pass
            case "eats":
                bytearray(8 << 30)
            case "dies":
                os.kill(os.getpid(), signal.SIGSEGV)


if __name__ == "__main__":
    TARGETS["planted"] = Planted
    worker.main()
