"""The kernel's door for the code of one plugin: its syscalls and fetches, as a process of its own.

Three say whether one is made: the grant, policy about the subject `plugin:NAME`, and the person, where that asks.
"""

from __future__ import annotations

import asyncio
import contextlib
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from llmasos.core.base.errors import Denied, ProcessKilled, SyscallError
from llmasos.core.base.types import Call, Result
from llmasos.core.kernel.network import Broker, Request, Target
from llmasos.core.kernel.network.broker import checked
from llmasos.core.kernel.policy import stronger
from llmasos.core.kernel.sandbox.manifest import Plugin
from llmasos.core.kernel.sandbox.worker import Door
from llmasos.core.kernel.session import Inside
from llmasos.core.kernel.syscall import Argument, Syscall

if TYPE_CHECKING:
    from llmasos.core.kernel.trap import Caller

FETCH = "net.fetch"
"""What policy rules call a fetch. It is no row of the table: nobody else can make one."""


@contextlib.asynccontextmanager
async def opened(caller: Caller, plugin: Plugin, broker: Broker) -> AsyncIterator[Door]:
    """The door for one call of a plugin; an app has a process already, a plugin gets one for as long as it runs.

    Raises:
        SyscallError: ECANCELED, that process was killed meanwhile.
    """
    if plugin.kind == "app":
        yield _Doorway(caller, plugin, broker)
        return
    processes, task = caller.kernel.processes, asyncio.current_task()
    assert task is not None
    process = processes.spawn(caller.process, name=plugin.name, program="plugin", subject=plugin.subject)
    process.tasks.add(task)
    try:
        yield _Doorway(replace(caller, process=process), plugin, broker)
    except (ProcessKilled, asyncio.CancelledError):
        if process.alive or not caller.process.alive:
            raise
        task.uncancel()  # the plugin was ended, and not who called it
        raise SyscallError("ECANCELED", f"{plugin.name} was ended meanwhile.") from None
    finally:
        process.tasks.discard(task)
        await processes.exit(process)
        with contextlib.suppress(SyscallError):  # its caller may have gone, and init has waited for it
            await processes.wait(caller.process, process.pid)


class _Doorway:
    """What answers the requests of one child during one call."""

    def __init__(self, caller: Caller, plugin: Plugin, broker: Broker) -> None:
        self._caller = caller
        self._plugin = plugin
        self._broker = broker
        # What it does is shown to the person as the call that they made; what it wants to ask, they are asked.
        self._session = replace(caller.session, front=Inside(caller.session.front))
        # Where what it knows may come from: what it was given in this call, and what it fetched.
        self._given: frozenset[str] = caller.labels.union(*caller.call.origins.values())
        self._fetched: frozenset[str] = frozenset()

    async def __call__(self, name: str, args: Mapping[str, Any]) -> dict[str, Any]:
        result = await (self._fetch(args) if name == FETCH else self._syscall(name, args))
        if result.ok:
            return {"value": result.value}
        return {"error": {"code": result.error, "what": result.message, "remedy": ""}}

    async def _syscall(self, name: str, args: Mapping[str, Any]) -> Result:
        granted = self._plugin.asks.syscalls
        if not any(fnmatchcase(name, pattern) for pattern in granted):
            known = ", ".join(granted) or "none"
            raise SyscallError("EACCES", f"{self._plugin.name} may not call {name[:80]}.", f"It may call: {known}.")
        # Whatever it names, the plugin chose it, by all that it knows.
        origin = self._given | self._fetched | {self._plugin.subject}
        call = Call(name, dict(args), origins=dict.fromkeys(args, origin))
        result = await self._trap(call, self._caller.labels)
        self._given |= result.labels - origin
        return result

    async def _fetch(self, args: Mapping[str, Any]) -> Result:
        """Fetch something, as a call that isn't in the table: with policy, consent, budget and instruments."""
        hosts, request = self._plugin.asks.granted_hosts, _request(args)
        target, _ = checked(request, hosts)  # before policy: nobody should be asked about what can't be
        about = _about(request, target)

        async def run(_: Any, /, **__: Any) -> dict[str, Any]:
            fetched = await self._broker.fetch(self._plugin.subject, request, hosts, self._onward(request, row))
            self._fetched |= {f"web:{Target.parse(fetched.url).host}"}
            return {
                "url": fetched.url, "status": fetched.status, "headers": dict(fetched.headers),
                "body": b64encode(fetched.body).decode(),
            }  # fmt: skip

        row = Syscall(
            name=FETCH, effect="external", summary="Fetch something from a host that was granted.",
            arguments=tuple(Argument(name, True, "", {"type": "string"}) for name in about), run=run,
            plugin=self._plugin.name, source=str(self._plugin.code), journaled=False,
        )  # fmt: skip
        # Where it goes, the person granted, and what came from such a place may go there. What it was given leaves.
        return await self._trap(Call(FETCH, dict(about)), self._given, row)

    def _onward(self, request: Request, row: Syscall) -> Callable[[Target], None]:
        """Refuses a redirect to where policy lets nobody go, or not without a question that wasn't asked."""
        begun, kernel = Target.parse(request.url), self._caller.kernel
        about = _about(request, begun)
        caller = replace(self._caller, labels=self._given)
        first = kernel.decide(caller, row, about)

        def check(target: Target) -> None:
            decision = kernel.decide(caller, row, _about(request, target))
            if stronger(first, decision) is not first:
                what = f"{begun.shown} leads on to {target.shown}, where the rule {decision.rule!r} stands."
                raise Denied(what, rule=decision.rule)

        return check

    async def _trap(self, call: Call, labels: frozenset[str], row: Syscall | None = None) -> Result:
        caller = self._caller
        return await caller.kernel.trap(
            caller.process, self._session, call, request=caller.request, labels=labels, row=row
        )


def _about(request: Request, target: Target) -> dict[str, str]:
    """A fetch as policy and people see it: without headers, body and query, which can hold keys."""
    return {"method": request.method, "host": target.host, "url": target.shown}


def _request(args: Mapping[str, Any]) -> Request:
    """What the child asks to be fetched.

    Raises:
        SyscallError: EINVAL, it isn't what the sdk sends.
    """
    headers = args.get("headers")
    texts = [args.get("url"), args.get("method"), args.get("body")]
    if not all(isinstance(text, str) for text in texts) or not isinstance(headers, dict):
        raise SyscallError("EINVAL", "A fetch needs a url, a method, headers and a body.")
    if not all(isinstance(value, str) for value in headers.values()):
        raise SyscallError("EINVAL", "A header of a fetch isn't text.")
    try:
        body = b64decode(args["body"], validate=True)
    except ValueError:
        raise SyscallError("EINVAL", "The body of a fetch isn't Base64.") from None
    return Request(args["url"], args["method"], headers, body)
