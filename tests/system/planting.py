"""A person's day with a canary in everything that is kept: `python -m tests.system.planting FOLDER`, until it is told to end.

Its home is FOLDER/home, beside its workspace. Afterwards no byte of the home, nor of the person's other files and the folder for
temporary files, may show one of the words; only the workspace is the person's own.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmasos.compose import compose
from llmasos.core.base.settings import Settings
from llmasos.core.base.types import Call
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.core.kernel.session import Answer, Consent, Nobody
from llmasos.services.memory import service as memory
from tests.seat import Seat, reader
from tests.system.program import HANGS, Program

WORDS = {
    name: f"Canary{number}{name.title()}"
    for number, name in enumerate(
        (
            "fact", "task", "event", "overwritten", "deleted", "filename", "said", "answered", "persona", "sentence", "typed",
            "crash", "workspace", "command", "job", "question", "consent", "kept",
        ),
        7301,
    )
}  # fmt: skip
"""What is planted, and where."""
WORKSPACE = WORDS["workspace"]


def forms(word: str) -> set[bytes]:
    """A word as text, and in forms it could hide in."""
    plain = word.encode()
    found = {plain, plain.lower(), plain.hex().encode(), word.encode("utf-16-le")}
    # Base64 has three forms, by where the word starts; the outer letters depend on the neighbours.
    return found | {
        base64.b64encode(b"\0" * skip + plain + b"\0" * (-(skip + len(plain)) % 3))[4:-4] for skip in range(3)
    }


def leaks(folder: Path, words: Sequence[str]) -> list[str]:
    """Which words can be read in which files: of a folder, or in a file."""
    found = []
    for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
        content = path.read_bytes() if path.is_file() else b""
        found += [
            f"{word} in {path.name}"
            for word in words
            if any(f in content or f in path.name.encode() for f in forms(word))
        ]
    return found


class Ponders(Nobody):
    """Is asked, and doesn't answer."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()

    async def consent(self, question: Consent) -> Answer | None:
        self.asked.set()
        await asyncio.Event().wait()
        return None


def use(seat: Seat) -> None:
    """A person's day, with a canary in everything that is kept."""
    seat.ok("memory.remember", text=f"the key is at {WORDS['fact']}")
    seat.ok("tasks.add", title=f"see {WORDS['task']}")
    seat.ok("schedule.add", title=f"meet {WORDS['event']}", when="tomorrow at 9am")
    seat.put("a.md", f"was {WORDS['overwritten']}\n" * 50)
    seat.ok("files.write", path="a.md", content="other words")
    seat.put(f"{WORDS['filename']}.md", f"was {WORDS['deleted']}\n" * 50)
    seat.ok("files.delete", path=f"{WORDS['filename']}.md")
    seat.ok("character.create", name="Orrin", personality=f"keeps {WORDS['persona']}")
    assert WORDS["answered"] in seat.ok("character.chat", name="Orrin", message=f"remember {WORDS['said']}")["text"]
    assert seat.say(f"remember that {WORDS['sentence']} is near").ok
    machine = seat.machine
    machine.history.append(f"tell me about {WORDS['typed']}")
    try:
        raise RuntimeError(WORDS["crash"])
    except RuntimeError:
        logging.getLogger("llmasos.tests").exception("a call failed")


def use_more(seat: Seat) -> asyncio.Task[Any]:
    """What is kept beside that: swap, recorded runs, the index, a job, a consent, a command's pre-images, an open question."""
    machine = seat.machine
    seat.wait(machine.keep_jobs())
    seat.put("b.md", f"was {WORDS['command']}\n" * 50)
    seat.say(f"!echo {WORDS['command']} > b.md")  # where commands can't be confined, it is an entry of the logs only
    assert seat.say(f"memory.recall {WORDS['job']} &").ok
    seat.person.answer = "always"
    seat.trap(Call("device.turn_on", {"name": WORDS["consent"]}))
    machine.kept.keep("ada", f"show {WORDS['kept']}", (Call("memory.recall", {"query": WORDS["kept"]}),))
    character = machine.characters.cast.find("ada", "Orrin")
    assert character is not None
    assert seat.wait(machine.characters._speaker._pager.put_out(machine.characters.conversations.process(character)))
    return seat.wait(_leave_a_question_open(seat))


async def _leave_a_question_open(seat: Seat) -> asyncio.Task[Any]:
    ponders = Ponders()
    process, session = seat.machine.session(seat.workspace, ponders)
    call = Call("memory.forget", {"query": WORDS["fact"]})
    asking = asyncio.create_task(
        seat.machine.kernel.trap(process, session, call, request=f"forget {WORDS['question']}")
    )
    await ponders.asked.wait()
    return asking


def main(folder: Path) -> None:
    """Live the day, say so, and end when a line comes."""
    memory.WORTH_KEEPING = 1  # the snapshot of the index, without a thousand memories
    workspace = folder / WORKSPACE
    workspace.mkdir(exist_ok=True)
    sentence = f"remember that {WORDS['sentence']} is near"
    program = reader({sentence: [("memory.remember", {"text": f"{WORDS['sentence']} is near"})]})
    engines = ScriptedEngines(says=[f"It was {WORDS['answered']} then."], reads=program)
    settings = Settings(home=folder / "home", owner="ada", seed=1, record=True, swap_memory=0)
    with asyncio.Runner() as runner:
        machine = runner.run(compose(settings, engines=engines))
        seat = Seat(machine, runner, workspace)
        seat.session.resumes = True
        use(seat)
        asking = use_more(seat)
        print("planted", flush=True)
        sys.stdin.readline()
        asking.cancel()
        runner.run(machine.close())


@dataclass
class Searched:
    """What came of a search.

    Attributes:
        words: Planted ones, once for each state of the home in which they were looked for.
        bytes: Looked at.
        found: Which can be read where.
    """

    words: int = 0
    bytes: int = 0
    found: list[str] = field(default_factory=list)


def search(folder: Path) -> Searched:
    """Plant, and search all that is there while it runs, after a kill, and after an orderly end with a backup beside."""
    seen = Searched()
    for state, place in _states(folder):
        left = [path for path in place.iterdir() if path.name != WORKSPACE]
        for path in left:
            seen.found += [f"{state}: {what}" for what in leaks(path, list(WORDS.values()))]
            seen.bytes += sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
        seen.words += len(WORDS)
    return seen


def _states(folder: Path) -> Iterator[tuple[str, Path]]:
    code = "import pathlib, sys; from tests.system.planting import main; main(pathlib.Path(sys.argv[1]))"
    for ends in ("killed", "closed"):
        place = folder / ends
        around = {"TMPDIR": str(place / "temporary"), "HOME": str(place / "person")}
        for inside in around.values():
            Path(inside).mkdir(parents=True)
        program = Program(place / "home", folder, around)
        with program.start(str(place), code=code) as process:
            assert process.stdout is not None
            if process.stdout.readline().strip() != "planted":
                raise AssertionError(process.communicate(timeout=HANGS)[1])
            yield "running", place
            if ends == "killed":
                process.kill()
            process.communicate("end\n" if ends == "closed" else None, timeout=HANGS)
        if ends == "closed":
            program.ok("backup", str(place / "one.backup"))
        yield ends, place
