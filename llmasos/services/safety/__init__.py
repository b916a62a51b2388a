"""What a model says on its way to a person: what is held back, by policy, and what a person in a crisis is told."""

from llmasos.services.safety.held import HeldBack
from llmasos.services.safety.judge import SecondOpinion
from llmasos.services.safety.moderation import Moderation
from llmasos.services.safety.notice import Notice
from llmasos.services.safety.service import Safety

__all__ = ["HeldBack", "Moderation", "Notice", "Safety", "SecondOpinion"]
