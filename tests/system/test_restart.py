"""What was acknowledged is there in the next program, also after `kill -9`; two programs share a home."""

from __future__ import annotations

import os
import signal

from tests.system.program import Program


def calls(program: Program) -> list[str]:
    """What the history lists, newest first."""
    rows = program.json("history", "--json")["results"][0]["value"]["items"]
    return [row["call"].partition(" ")[0] for row in rows]


def test_everything_survives_a_restart(program: Program) -> None:
    first = [
        "memory.remember 'the spare key is under the blue pot'",
        "tasks.add 'water the plants'",
        "schedule.add dentist 'tomorrow at 4pm'",
        "character.create Orrin patient 'lighthouse keeper'",
        "files.write a.md 'first words'",
        "files.write a.md 'second words'",
    ]
    program.ok(stdin="\n".join(first))
    assert "blue pot" in program.ok("-c", "memory.recall 'spare key'")
    second = program.ok(stdin="tasks.list\nschedule.list\ncharacter.list\ncharacter.show Orrin\n")
    for said in ("water the plants", "dentist", "16:00", "Orrin", "patient", "lighthouse keeper"):
        assert said in second
    assert calls(program).count("files.write") == 2

    program.ok("undo")
    assert (program.workspace / "a.md").read_text().strip() == "first words"
    program.ok("undo")
    assert not (program.workspace / "a.md").exists()
    program.ok("undo")
    assert "Orrin" not in program.ok("-c", "character.list")


def test_kill_9_in_a_stream_of_writes_loses_nothing_acknowledged(program: Program) -> None:
    with program.start() as process:
        assert process.stdin and process.stdout
        process.stdin.write("".join(f"tasks.add 'job {n}'\nfiles.write {n}.txt 'words {n}'\n" for n in range(300)))
        process.stdin.flush()
        told = [process.stdout.readline() for _ in range(41)]
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL

    titles = program.ok("-c", "tasks.list all")
    for n in range(300):
        if any(f"'job {n}'" in line for line in told):
            assert f"job {n}\n" in titles or f"job {n} " in titles
        if any(f"{n}.txt" in line for line in told):
            assert (program.workspace / f"{n}.txt").read_text().strip() == f"words {n}"
    assert "job 0" in titles and "job 299" not in titles, "the kill came in the middle"
    assert "files.write" in program.ok("history")
    assert program.run("doctor", "--json").returncode == 0


DIES_BEFORE_THE_OUTCOME = """
import os, sys
from llmasos.cli import main
from llmasos.core.kernel.journal import Journal
Journal.done = lambda *_: os.kill(os.getpid(), 9)
main(["-c", sys.argv[1]])
"""

LOOKS_AFTER_THE_CLOCK = """
import asyncio
from pathlib import Path
from llmasos.client import attach
from llmasos.core.base.settings import Settings
from llmasos.core.kernel.session import Nobody

async def main():
    client = await attach(Settings.load(), Path.cwd(), Nobody())
    await client.listen(print)
    await client.close()

asyncio.run(main())
"""


def test_an_effect_without_outcome_is_reported_and_can_be_put_right(program: Program) -> None:
    (program.workspace / "a.md").write_text("before")
    killed = program.run("files.write a.md after", code=DIES_BEFORE_THE_OUTCOME)
    assert killed.returncode == -signal.SIGKILL and not killed.stdout

    assert "undecided" in program.ok("history")
    assert "files.write" in program.ok(code=LOOKS_AFTER_THE_CLOCK)
    assert program.ok(code=LOOKS_AFTER_THE_CLOCK) == "", "the person is told, once"
    program.ok("undo")
    assert (program.workspace / "a.md").read_text() == "before"


def test_an_effect_is_never_done_twice(program: Program) -> None:
    program.ok("-c", "files.write a.md one")
    program.run("files.append a.md two", code=DIES_BEFORE_THE_OUTCOME)
    for _ in range(2):
        program.ok("-c", "system.history")
    assert (program.workspace / "a.md").read_text().split() in (["one"], ["one", "two"])


def test_two_programs_on_one_home(program: Program) -> None:
    with program.start() as one, program.start() as two:
        both = (one, two)
        for process in both:
            assert process.stdin and process.stdout
            process.stdin.write("system.time\n")
            process.stdin.flush()
            assert process.stdout.readline(), "both run at the same time"
        for n in range(20):
            for name, process in zip("ab", both, strict=True):
                assert process.stdin
                process.stdin.write(f"tasks.add 'job {name}{n}'\n")
                process.stdin.flush()
        assert one.stdin
        one.stdin.write("memory.remember 'the spare key is under the blue pot'\n")
        endings = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], endings
    listed = program.ok("-c", "tasks.list").splitlines()
    assert len(listed) == 40
    assert sorted(calls(program)) == ["memory.remember", *["tasks.add"] * 40], "one journal, each effect once"


DIES_WHEN_ASKED = """
import asyncio, os, sys
from pathlib import Path
from llmasos.client import attach
from llmasos.core.base.settings import Settings
from llmasos.core.kernel.session import Nobody

class Dies(Nobody):
    async def consent(self, question):
        os.kill(os.getpid(), 9)

async def main():
    client = await attach(Settings.load(), Path.cwd(), Dies())
    await client.handle(sys.argv[1])

asyncio.run(main())
"""


def test_a_question_that_stood_open_is_no_consent_and_is_told(program: Program) -> None:
    program.ok("-c", "memory.remember 'the spare key is under the blue pot'")
    killed = program.run("memory.forget 'spare key'", code=DIES_WHEN_ASKED)
    assert killed.returncode == -signal.SIGKILL
    told = program.ok(code=LOOKS_AFTER_THE_CLOCK)
    assert "waited for your yes to memory.forget" in told
    assert "not done" in told
    assert program.ok(code=LOOKS_AFTER_THE_CLOCK) == "", "once"
    assert "blue pot" in program.ok("-c", "memory.recall 'spare key'")


GUEST_THAT_IS_ASKED_TWICE = """
import asyncio, os, sys
from pathlib import Path
from llmasos.client import attach
from llmasos.core.base.settings import Settings
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.core.kernel.session import Nobody

class Kills(Nobody):
    async def consent(self, question):
        print("asked", flush=True)
        if client.owner:
            os.kill(client.owner, 9)
            await asyncio.Event().wait()
        return "once"

async def main():
    global client
    client = await attach(Settings.load(), Path.cwd(), Kills(), engines=ScriptedEngines())
    assert client.owner
    await client.listen(lambda told: print("told", told, flush=True))
    outcome = await client.handle(sys.argv[1])
    print(outcome.results[0].value or outcome.results[0].message)
    await client.close()

asyncio.run(main())
"""


def test_who_still_holds_the_request_is_asked_again_and_told_of_nothing(program: Program) -> None:
    program.ok("-c", "memory.remember 'the spare key is under the blue pot'")
    with program.start() as owner:
        assert owner.stdin and owner.stdout
        owner.stdin.write("system.time\n")
        owner.stdin.flush()
        assert owner.stdout.readline()
        said = program.ok("memory.forget 'spare key'", code=GUEST_THAT_IS_ASKED_TWICE)
        owner.communicate()
    assert owner.returncode == -signal.SIGKILL
    assert said.count("asked") == 2
    assert "waited for your yes" not in said
    assert "Forgotten for good: 1 memory" in said
    assert "blue pot" not in program.ok("-c", "memory.recall 'spare key'")


def processes(program: Program) -> dict[str, tuple[int, str]]:
    rows = program.json("-c", "process.list", "--json")["results"][0]["value"]["items"]
    return {row["name"]: (row["pid"], row["state"]) for row in rows if row["program"] in ("character", "app")}


LEAVES_PROCESSES = """
import asyncio, os
from pathlib import Path
from llmasos.client import attach
from llmasos.core.base.settings import Settings
from llmasos.core.engine.sources import ScriptedEngines
from llmasos.core.kernel.session import Nobody

async def main():
    client = await attach(Settings.load(), Path.cwd(), Nobody(), engines=ScriptedEngines(says=["Well."]))
    for line in ("character.create Orrin", "character.create Vesper", "character.chat Orrin 'the tide is low'",
                 "character.chat Vesper hello", "app.open guide"):
        assert (await client.handle(line)).ok, line
    pids = {p.name: p.pid for p in client.machine.kernel.processes}
    assert (await client.handle(f"process.stop {pids['Orrin']}")).ok
    print(pids["Orrin"], pids["Vesper"], flush=True)
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""


def test_the_process_table_comes_back(program: Program) -> None:
    killed = program.run(code=LEAVES_PROCESSES)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    orrin, vesper = map(int, killed.stdout.split())
    there = processes(program)
    assert there["Orrin"] == (orrin, "stopped")
    assert there["Vesper"] == (vesper, "waiting")
    assert "guide" in there
    refused = program.run("-c", "character.chat Orrin 'are you there?'")
    assert "stopped" in refused.stderr
    assert "the tide is low" in program.ok("-c", "character.show Orrin")
    assert "goes on again" in program.ok("undo"), "what was stopped by an earlier kernel can be let go on"
    assert processes(program)["Orrin"] == (orrin, "waiting")
    program.ok("--yes", "-c", f"process.kill {orrin}")
    program.ok("-c", "app.close guide")
    assert processes(program).keys() == {"Vesper"}
