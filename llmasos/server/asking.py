"""What a request asks for: OpenAI's fields, checked, in the system's own terms; what can't be done is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llmasos.core.base.foreign import parse_json
from llmasos.core.engine.embed_nano import LONGEST
from llmasos.server.trouble import Trouble, invalid
from llmasos.services.language.context import Message
from llmasos.services.language.served import Asked
from llmasos.services.language.speech import SAMPLING

TOKENS = 512
"""Of a reply whose length isn't said."""
SCHEMA = 16 << 10
"""Characters of a JSON schema at most."""
MESSAGES = 1_000
INPUTS = 256
"""Texts that are embedded at once."""
_HALF = re.compile("[\ud800-\udfff]")
"""Half a character: JSON can hold one, UTF-8 can't."""
_ROLES: Mapping[str, Literal["system", "user", "assistant"]] = {
    "system": "system", "developer": "system", "user": "user", "assistant": "assistant",
}  # fmt: skip


class _Said(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class _Part(_Said):
    type: str
    text: str | None = None


class _Message(_Said):
    role: str
    content: str | list[_Part] | None = None


class _StreamOptions(_Said):
    include_usage: bool = False


class _Schema(_Said):
    schema_: dict[str, Any] | None = Field(None, alias="schema")


class _Format(_Said):
    type: str
    json_schema: _Schema | None = None


_Stop = Annotated[str, Field(min_length=1, max_length=200)]


class _Chat(_Said):
    model: str
    messages: Annotated[list[_Message], Field(min_length=1, max_length=MESSAGES)]
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    stop: _Stop | Annotated[list[_Stop], Field(max_length=16)] | None = None
    seed: int | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    response_format: _Format | None = None
    # What would change the answer and isn't there.
    n: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    logit_bias: dict[str, Any] | None = None
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    modalities: list[str] | None = None
    audio: dict[str, Any] | None = None


class _Embeddings(_Said):
    model: str
    input: str | Annotated[list[str], Field(min_length=1, max_length=INPUTS)]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = None


@dataclass(frozen=True, slots=True)
class Chat:
    """A request for a reply.

    Attributes:
        asked: What is asked; its model is still as the request names it.
        streams: Whether it comes piece by piece.
        tells_usage: Whether the last piece says what it cost.
    """

    asked: Asked
    streams: bool
    tells_usage: bool


@dataclass(frozen=True, slots=True)
class Embeddings:
    """A request for vectors."""

    model: str
    texts: tuple[str, ...]
    packed: bool
    dimensions: int | None


def chat(body: bytes) -> Chat:
    """A request for a reply.

    Raises:
        Trouble: 400, a field is wrong, or asks for what isn't there.
    """
    said = _read(_Chat, body)
    _refuse_missing(said)
    tokens = said.max_completion_tokens or said.max_tokens or TOKENS
    sampling = replace(SAMPLING, max_tokens=tokens, seed=None if said.seed is None else said.seed % 2**31)
    if said.temperature is not None:
        sampling = replace(sampling, temperature=said.temperature)
    if said.top_p is not None:
        sampling = replace(sampling, top_p=said.top_p)
    form = _form(said.response_format)
    if form or sampling.temperature == 0:  # JSON says its marks again and again; the likeliest token is the likeliest
        sampling = replace(sampling, repeat_penalty=1.0)
    stop = [said.stop] if isinstance(said.stop, str) else said.stop or []
    messages = tuple(_message(at, message) for at, message in enumerate(said.messages))
    streams = bool(said.stream)
    tells = streams and bool(said.stream_options and said.stream_options.include_usage)
    return Chat(Asked(messages, sampling, tuple(stop), form, said.model), streams, tells)


def embeddings(body: bytes) -> Embeddings:
    """A request for vectors.

    Raises:
        Trouble: 400, as for `chat`.
    """
    said = _read(_Embeddings, body)
    texts = (said.input,) if isinstance(said.input, str) else tuple(said.input)
    for text in texts:
        if not text.strip() or "\0" in text:
            raise invalid("input", "A text of the input is empty, or holds a NUL character.")
        if len(text) > LONGEST:
            raise invalid("input", f"A text of the input has {len(text):,} characters; {LONGEST:,} fit.")
    return Embeddings(said.model, texts, said.encoding_format == "base64", said.dimensions)


_Model = TypeVar("_Model", bound=BaseModel)


def _read(kind: type[_Model], body: bytes) -> _Model:
    try:
        text = body.decode()
        found = parse_json(text)
    except ValueError:
        raise Trouble(400, "The body isn't JSON in UTF-8.", "invalid_json") from None
    if not isinstance(found, dict):
        raise Trouble(400, "The body isn't a JSON object.", "invalid_json")
    if _HALF.search(json.dumps(found, ensure_ascii=False)):
        raise Trouble(400, "The body isn't valid Unicode text.", "invalid_json")
    try:
        return kind.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        # What is behind the name says which of several forms was tried.
        where = [str(part) for part in first["loc"][:3] if isinstance(part, int) or str(part).isidentifier()]
        param = ".".join(where)
        raise invalid(param, f"{param or 'The body'}: {first['msg'][:200]}.") from None


def _refuse_missing(said: _Chat) -> None:
    """Refuse what would change the answer and isn't there."""
    if said.n not in (None, 1):
        raise invalid("n", "One reply is given to a request; n must be 1.")
    for name in ("frequency_penalty", "presence_penalty"):
        if getattr(said, name):
            raise invalid(name, f"There is no {name} here; leave it out, or say 0.")
    for name in ("logprobs", "top_logprobs", "logit_bias", "tools", "functions", "audio"):
        if getattr(said, name):
            raise invalid(name, f"{name} isn't supported here; leave it out.")
    if said.modalities not in (None, ["text"]):
        raise invalid("modalities", "There is text only.")


def _message(at: int, message: _Message) -> Message:
    role = _ROLES.get(message.role)
    if role is None:
        raise invalid(f"messages.{at}.role", f"The role is {message.role[:40]!r}; it is one of: {', '.join(_ROLES)}.")
    if message.content is None and role != "assistant":
        raise invalid(f"messages.{at}.content", "The message has no content.")
    if not isinstance(message.content, list):
        return Message(role, message.content or "")
    for part in message.content:
        if part.type != "text" or part.text is None:
            raise invalid(f"messages.{at}.content", f"A part is of the type {part.type[:40]!r}; there is text only.")
    return Message(role, "\n".join(part.text or "" for part in message.content))


def _form(wanted: _Format | None) -> str:
    """The grammar of a reply; empty for none."""
    if wanted is None or wanted.type == "text":
        return ""
    if wanted.type == "json_object":
        schema: dict[str, Any] = {"type": "object"}
    elif wanted.type == "json_schema":
        if wanted.json_schema is None or wanted.json_schema.schema_ is None:
            raise invalid("response_format", "json_schema needs a schema: {'json_schema': {'schema': {...}}}.")
        schema = wanted.json_schema.schema_
    else:
        raise invalid("response_format", f"There is no form {wanted.type[:40]!r}: text, json_object or json_schema.")
    written = json.dumps({**schema, "x-guidance": {"whitespace_flexible": False}}, ensure_ascii=False)
    if len(written) > SCHEMA:
        raise invalid("response_format", f"The schema has {len(written):,} characters; {SCHEMA:,} fit.")
    return f"start: %json {written}"
