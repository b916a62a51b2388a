"""Opening the shell."""

from __future__ import annotations

from llmasos.compose import compose
from llmasos.core.base.settings import Settings, workspace_folder
from llmasos.shell import keys, repl
from llmasos.shell.front import TerminalFront


async def run_shell(settings: Settings) -> int:
    """Compose the system, let the models load behind the prompt, and talk until the person leaves."""
    workspace, fallback = workspace_folder(settings.workspace)
    machine = await compose(settings, ask=keys.asker())
    try:
        machine.interpreting.start()
        if fallback:
            machine.problems.append(f"The workspace is {workspace}: a whole home folder would be too much.")
        process, session = machine.session(workspace, TerminalFront(yes=settings.yes))
        return await repl.run(machine, session, process)
    finally:
        await machine.close()
