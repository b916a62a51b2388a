"""Third-party code at arm's length: it is described and called in child processes, never in the kernel's own.

    manifest.py     plugin.toml, read strictly
    capabilities.py what it asks for beyond answering, and what of that is new
    grants.py       what the person granted, sealed
    wheels.py       plugins in installed distributions, found without importing them
    description.py  what a child says about its plugin, checked, as rows of the syscall table
    host.py         all plugins: find, load, call, remove
    door.py         the syscalls and fetches of their code
    folders.py      the folders that they were granted, without links
    worker.py       one child: start, call, time out, end
    lines.py        its channel
    launcher.py     starts the zygote, learns what this machine can enforce, asks it for children
    bare.py         a child of another system than Linux, which nothing confines: only by the person's override
    alone.py          its process, instead of the zygote and what is forked from it
    running.py      one native command: its output, how it ended, the ways to end it

    zygote.py       a process of its own that forks the children; imports nothing of llmasos but this part and the sdk
    confine.py      what is done to a child before a plugin's code runs, in order:
    limits.py         memory, processor time, files, threads
    namespaces.py     nothing else to be seen; where the system allows it
    identity.py       no privileges
    landlock.py       which files, no TCP, no signals
    seccomp.py        which system calls
    libc.py           how all of these reach the operating system
    selftest.py     what one of them tries at each start
    runner.py       the child's life: is confined, loads the plugin, answers calls
    command.py      the life of a native command, which a person typed: the same layers, wider in what it needs:
    root.py           programs, a temporary folder and the workspace
    crowd.py          the number of processes
    seccomp_commands.py  which system calls it may not make
    supervisor.py     waits for it, and leaves none of its processes behind
    probe/          a plugin that tries to get out, for 'llmasos doctor'

Nothing that a child sends is trusted: lines have a cap, answers a schema, calls a time limit. Where a child can't be
confined, no plugin is loaded and no command run.
"""

from pathlib import Path

from llmasos.core.kernel.sandbox.capabilities import Capabilities
from llmasos.core.kernel.sandbox.folders import Folders
from llmasos.core.kernel.sandbox.grants import Grants
from llmasos.core.kernel.sandbox.host import Discovered, Loaded, PluginHost, Problem
from llmasos.core.kernel.sandbox.launcher import COMMAND_REMEDY, REMEDY, CommandLayers, Launcher, Layers
from llmasos.core.kernel.sandbox.manifest import Kind, Plugin
from llmasos.core.kernel.sandbox.running import Command, Running
from llmasos.core.kernel.sandbox.wheels import Packaged

PROBE = Path(__file__).parent / "probe"
"""The folder of the plugin that tries to get out."""

__all__ = [
    "COMMAND_REMEDY", "PROBE", "REMEDY", "Capabilities", "Command", "CommandLayers", "Discovered", "Folders", "Grants",
    "Kind", "Launcher", "Layers", "Loaded", "Packaged", "Plugin", "PluginHost", "Problem", "Running",
]  # fmt: skip
