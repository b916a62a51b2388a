"""What a server's refusals mean, in sentences: what happened, why, what to do."""

from __future__ import annotations

from collections.abc import Sequence

from llmasos.core.base.errors import EngineError
from llmasos.core.engine.openai.address import Address
from llmasos.core.engine.openai.key import VARIABLE, Key
from llmasos.core.engine.openai.protocol import Complaint

_NAMED = 8
"""Models that a message names."""


def refused(
    address: Address,
    key: Key,
    status: int,
    said: Complaint,
    *,
    has: Sequence[str] = (),
    place: str = "",
    pause: float = 0.0,
) -> EngineError:
    """The error for an answer that isn't 200.

    Args:
        address: Who refused.
        key: The key that was sent.
        status: HTTP's number.
        said: What the server says of it.
        has: The models that it has, as far as that was asked.
        place: Where a redirect leads.
        pause: The seconds for which it wants to be left alone; 0 where it doesn't say.
    """
    host, name = address.authority, address.name
    words = key.hidden(said.words)
    why = f": {words.rstrip('.')}" if words else ""
    later = f"Try again in {pause:,.0f} seconds." if pause >= 1 else ""
    match status:
        case 401 | 403:
            # Not in the server's words: some repeat half of the key.
            if key.value:
                return EngineError(f"{host} doesn't take the key from {key.source} ({status}).", "Set another one.")
            return EngineError(f"{host} wants a key ({status}).", f"Set {VARIABLE}, or openai_key_file to a file.")
        case 404:
            more = f", and {len(has) - _NAMED} more" if len(has) > _NAMED else ""
            remedy = f"It has: {', '.join(has[:_NAMED])}{more}." if has else f"Check the URL: {address.base}."
            if name in has:
                remedy = "It lists that model but can't talk with it here: choose one that chats, or check the URL."
            return EngineError(f"{host} has no model {name} (404){why}.", remedy)
        case 413:
            return EngineError(f"{host} refuses a prompt of this length (413){why}.", "Say less at once.")
        case 429:
            return EngineError(
                f"{host} has had enough of requests for now (429){why}.", later or "Wait, or look at your plan."
            )
        case 503:
            return EngineError(
                f"{host} is busy or still loads its model (503){why}.", later or "Try again in a minute."
            )
        case _ if 300 <= status < 400:
            to = f" to {key.hidden(place)[:200]}" if place else ""
            what = f"{host} sends us on{to} ({status}), and words go only to the host that was named."
            return EngineError(what, "If you trust that place, name it with --model.")
        case _ if 400 <= status < 500:
            return EngineError(f"{host} refuses the request ({status}){why}.", "Its log may say more.")
        case _:
            return EngineError(f"{host} failed ({status}){why}.", "Try again; its log may say more.")


def only_thought(address: Address, tokens: int) -> EngineError:
    """The error for a model whose thoughts took all the room that its answer had."""
    what = f"{address.name} at {address.authority} only thought, and said nothing in {tokens:,} tokens."
    return EngineError(what, "Switch its thinking off on the server, or name a model that just answers.")
