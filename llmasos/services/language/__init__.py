"""What makes words: the model as a speaker, what it must not say, and the syscalls that ask it for a text."""

from llmasos.services.language.context import Message
from llmasos.services.language.hygiene import Manners
from llmasos.services.language.service import Language
from llmasos.services.language.speech import Speaker, Voice

__all__ = ["Language", "Manners", "Message", "Speaker", "Voice"]
