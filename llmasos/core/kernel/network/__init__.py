"""The one way out: requests of plugins and apps to hosts that the person granted, made by the kernel for them.

    hosts.py      which hosts a grant means, and what a URL asks for
    addresses.py  which addresses are out of bounds, whatever name leads there
    exchange.py   one request over one connection to a checked address
    broker.py     the whole: check, resolve once, connect, follow redirects, limit

A plugin has no socket. Nothing else of llmasos opens one outside this machine.
"""

from llmasos.core.kernel.network.broker import Broker, Fetched, Request
from llmasos.core.kernel.network.hosts import Host, Target

__all__ = ["Broker", "Fetched", "Host", "Request", "Target"]
