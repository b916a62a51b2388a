"""Opening the shell."""

from __future__ import annotations

from llmasos.client import attach
from llmasos.core.base.settings import Settings, workspace_folder
from llmasos.shell import keys, repl
from llmasos.shell.front import TerminalFront


async def run_shell(settings: Settings) -> int:
    """Reach the kernel, let the models load behind the prompt, and talk until the person leaves."""
    workspace, fallback = workspace_folder(settings.workspace)
    client = await attach(settings, workspace, TerminalFront(yes=settings.yes), ask=keys.asker(), resumes=True)
    try:
        await client.load_table()
        if fallback:
            client.problems.append(f"The workspace is {workspace}: a whole home folder would be too much.")
        return await repl.run(client)
    finally:
        await client.close()
