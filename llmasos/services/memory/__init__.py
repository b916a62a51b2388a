"""What a person asked to be remembered, and how anything remembered is found again."""

from llmasos.services.memory.service import Memory

__all__ = ["Memory"]
