"""How a front end reaches the kernel of its home: in its own program, or in the program that owns the home."""

from llmasos.client.base import Client, Glance
from llmasos.client.opening import attach

__all__ = ["Client", "Glance", "attach"]
