"""A model that makes calls for a person: it reads what comes of one before it makes the next.

Our own interpreter reads nothing before its program is whole. A model that does can be talked into things by what it
reads; so each value that it gives has the labels of where it stood (provenance.py), and policy decides about the call
as about any other. It is a process of its own under the person's subject: seen, limited and killed like any other.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace

from llmasos.core.base.errors import ProcessKilled, SyscallError
from llmasos.core.base.types import Call, Result
from llmasos.core.kernel.process import Process
from llmasos.core.kernel.provenance import Provenance
from llmasos.core.kernel.session import Session
from llmasos.core.kernel.trap import Caller, Kernel


class Agent:
    """One request that a model works at.

    Args:
        kernel: Whose door the calls go through.
        parent: The person's process.
        session: For whom.
        said: What the person asked for, in their own words.
    """

    def __init__(self, kernel: Kernel, parent: Process, session: Session, said: str) -> None:
        self._kernel = kernel
        self._parent = parent
        self._session = session
        self._said = said
        self._provenance = Provenance(said)
        self.process = kernel.processes.spawn(parent, name="agent", program="agent")

    async def call(self, call: Call) -> Result:
        """Make one call; the model reads what comes of it.

        What no sentence can mean, native commands and plugins' rights among it, is for persons and not for models.
        """
        try:
            return await self._made(call)
        except ProcessKilled:
            if not self._parent.alive:
                raise
            return await self._refused(call, SyscallError("ECANCELED", "This agent was ended.", "Begin another."))

    async def close(self) -> None:
        """The request is over."""
        await self._kernel.processes.exit(self.process)
        with contextlib.suppress(SyscallError):  # its parent may have gone, and init has waited for it
            await self._kernel.processes.wait(self._parent, self.process.pid)

    async def _made(self, call: Call) -> Result:
        table = self._kernel.table
        if call.syscall in table and not table[call.syscall].spoken:
            what = f"{call.syscall} is for persons, not for a model that acts for one."
            return await self._refused(call, SyscallError("EPERM", what))
        traced = replace(call, origins=self._provenance.origins(call))
        result = await self._kernel.trap(self.process, self._session, traced, request=self._said)
        self._provenance.read(result)
        return result

    async def _refused(self, call: Call, error: SyscallError) -> Result:
        result = self._kernel.refused(Caller(self._kernel, self.process, self._session, call), error)
        await self._session.front.after(result)
        return result
