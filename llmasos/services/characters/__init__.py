"""Characters: a card, a process, and a memory of what they themselves witnessed."""

from llmasos.services.characters.api import CharacterRef
from llmasos.services.characters.service import Characters

__all__ = ["CharacterRef", "Characters"]
