"""What is said to an OpenAI-compatible server and what it says back: `/chat/completions` and `/models`, as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmasos.core.base.foreign import parse_json
from llmasos.core.engine.base import Sampling

Message = Mapping[str, str]

STOPS = 4
"""Strings that end an answer: more some servers refuse. The engine looks for all of them itself."""
UNUSUAL = "chat_template_kwargs"
OPTIONAL = (UNUSUAL, "max_tokens", "stream_options", "temperature", "top_p", "seed", "stop", "response_format")
"""What a server may not know: one that refuses it is asked without. `max_tokens` has a new name at some."""
_MOST = 10**8
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Spent:
    """What a request has cost, by the server's count.

    Attributes:
        prompt: Tokens of the prompt.
        cached: Those of them that it had computed before.
        written: Tokens of the answer, thoughts included.
    """

    prompt: int
    cached: int
    written: int


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of an answer.

    Attributes:
        text: What is to be shown.
        thought: What a reasoning model says to itself.
        done: Why the answer ended: `stop`, `length`, `content_filter`, ...; empty while it goes on.
        spent: What it has cost, once.
    """

    text: str = ""
    thought: str = ""
    done: str = ""
    spent: Spent | None = None


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a server says of an error: its words, in one line, and its code for it."""

    words: str
    code: str = ""
    parameter: str = ""


class Complained(Exception):
    """An error came where a piece of an answer should be."""

    def __init__(self, complaint: Complaint) -> None:
        super().__init__(complaint.words)
        self.complaint = complaint


def question(
    name: str,
    messages: Sequence[Message],
    sampling: Sampling,
    stop: Sequence[str],
    *,
    schema: Mapping[str, Any] | None = None,
    without: Collection[str] = (),
) -> bytes:
    """The body of a request.

    Args:
        name: The model.
        messages: The conversation.
        sampling: As far as all servers know it: `top_k`, `min_p` and penalties stay the server's.
        stop: Strings that end the answer.
        schema: A JSON schema that the answer should keep to.
        without: What the server doesn't know.
    """
    fields: dict[str, Any] = {
        "model": name,
        "messages": list(messages),
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
    }
    if sampling.temperature > 0:
        fields["top_p"] = sampling.top_p
    if sampling.seed is not None:
        fields["seed"] = sampling.seed
    if stop:
        fields["stop"] = list(stop[:STOPS])
    if schema is not None:
        form = {"name": "answer", "strict": True, "schema": dict(schema)}
        fields["response_format"] = {"type": "json_schema", "json_schema": form}
    # What is asked for is short: thoughts would take all of it. Known to llama.cpp and vLLM.
    fields[UNUSUAL] = {"enable_thinking": False}
    if "max_tokens" in without:
        fields["max_completion_tokens"] = fields["max_tokens"]
    return json.dumps({name: value for name, value in fields.items() if name not in without}).encode()


def unknown(status: int, complaint: Complaint, without: Collection[str]) -> str:
    """What the server doesn't want in a request, by its complaint; empty where it is about something else.

    llama-cpp-python's server fails (500) over what it doesn't know.
    """
    if status not in (400, 422, 500):
        return ""
    for name in OPTIONAL:
        if name not in without and (
            complaint.parameter == name or re.search(rf"(?<![\w.]){name}(?!\w)", complaint.words)
        ):
            return name
    # What is unusual is refused in unusual words too.
    return UNUSUAL if status < 500 and UNUSUAL not in without else ""


def piece(data: str) -> Delta:
    """A piece of an answer, or a whole answer that wasn't streamed.

    Raises:
        ValueError: It is neither.
        Complained: It is an error.
    """
    said = parse_json(data)
    if not isinstance(said, dict):
        raise ValueError("no object")
    if said.get("error") or said.get("object") == "error":
        raise Complained(_complaint(said))
    choices, spent = said.get("choices"), _spent(said.get("usage"))
    if not isinstance(choices, list) and spent is None:
        raise ValueError("no choices")
    choice = choices[0] if isinstance(choices, list) and choices else {}
    held = (choice.get("delta") or choice.get("message") or {}) if isinstance(choice, dict) else None
    if not isinstance(held, dict):
        raise ValueError("a choice of another form")
    text = held.get("content") or ""
    thought = held.get("reasoning_content") or held.get("reasoning") or ""
    done = choice.get("finish_reason") or ""
    if not all(isinstance(one, str) for one in (text, thought, done)):
        raise ValueError("content of another form")
    return Delta(text, thought, done, spent)


def complaint(body: bytes) -> Complaint:
    """What the body of an error says, in whichever form."""
    text = body.decode("utf-8", "replace")
    try:
        said = parse_json(text)
    except ValueError:
        # A proxy's page says nothing to a person.
        return Complaint("" if "<html" in text[:1000].lower() or "<!doctype" in text[:100].lower() else _line(text))
    return _complaint(said) if isinstance(said, dict) else Complaint(_line(text))


def names(body: bytes) -> list[str]:
    """The models that a server has.

    Raises:
        ValueError: It says something else.
    """
    said = parse_json(body)
    rows = said.get("data") if isinstance(said, dict) else None
    if not isinstance(rows, list):
        raise ValueError("no list of models")
    return [_line(row["id"]) for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)]


def _complaint(said: Mapping[str, Any]) -> Complaint:
    inner = said.get("error")
    if isinstance(inner, dict):
        said = inner
    words = inner if isinstance(inner, str) else said.get("message") or said.get("detail") or ""
    if not isinstance(words, str):
        words = json.dumps(words, ensure_ascii=False)
    code, parameter = (_line(str(said.get(name) or "")) for name in ("code", "param"))
    return Complaint(_line(words), code, parameter)


def _spent(usage: Any) -> Spent | None:
    if not isinstance(usage, dict):
        return None
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    said = (usage.get("prompt_tokens"), cached or 0, usage.get("completion_tokens"))
    counts = [count for count in said if isinstance(count, int) and 0 <= count <= _MOST]
    if len(counts) < len(said):
        return None
    return Spent(counts[0], min(counts[1], counts[0]), counts[2])


def _line(text: str) -> str:
    """One line of bounded length that can be shown."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * _LONGEST]).split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
