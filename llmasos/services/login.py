"""Who a server is told that we are: asked for at a terminal or piped in, never written into a call."""

from __future__ import annotations

from dataclasses import dataclass

from llmasos.core.base.errors import NeedsAnswer, SyscallError
from llmasos.core.kernel.session import FrontEnd


@dataclass(frozen=True, slots=True)
class Login:
    """Who a server is told that we are; shown nowhere."""

    user: str
    password: str

    def __repr__(self) -> str:
        return "Login(...)"


async def asked(front: FrontEnd, host: str) -> Login:
    """Ask the person.

    Args:
        front: Who is there to ask.
        host: Which server, for the question.

    Raises:
        NeedsAnswer: Nothing was typed.
        SyscallError: EINVAL, what was typed can't be a user and a password.
    """
    user = await front.secret(f"User at {host}:", hidden=False)
    password = await front.secret(f"Password of {user} at {host}:") if user else None
    if not user or not password:
        raise NeedsAnswer(
            f"{host} wants a user and a password, and none were typed.",
            "Run it at a terminal, or pipe them in, a line each.",
        )
    if len(user) > 500 or len(password) > 2000 or ":" in user or not (user + password).isprintable():
        raise SyscallError("EINVAL", "That can't be a user and a password.", "Type them again.")
    return Login(user, password)
