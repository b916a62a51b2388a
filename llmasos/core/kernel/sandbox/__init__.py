"""Third-party code at arm's length: it is described and called in child processes, never in the kernel's own.

    manifest.py     plugin.toml, read strictly
    description.py  what a child says about its plugin, checked, as rows of the syscall table
    runner.py       runs in the child: loads the plugin, answers calls; imports nothing of llmasos but the sdk
    worker.py       one child with its channel: start, call, time out, end
    host.py         all plugins: find, load, call, remove

Nothing that a child sends is trusted: lines have a cap, answers a schema, calls a time limit.
The child isn't confined yet. Where that will happen is marked in runner.py: everything of ours is loaded by
then and nothing of the plugin's is. worker.py starts children in one function, `launch`, which a zygote can
replace.
"""

from llmasos.core.kernel.sandbox.host import Discovered, Loaded, PluginHost, Problem
from llmasos.core.kernel.sandbox.manifest import Plugin

__all__ = ["Discovered", "Loaded", "Plugin", "PluginHost", "Problem"]
