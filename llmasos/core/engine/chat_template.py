"""Conversations in the form that a model was trained on.

The template is the model's own (Jinja, in the GGUF file). It is rendered around placeholders, and only what
the template itself writes is read for markers: a message that contains `<|im_start|>` stays a message.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llmasos.core.base.errors import EngineError

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""The form of models that bring no template."""

ROLES = frozenset({"system", "user", "assistant", "tool"})
_OPEN, _CLOSE = "\ue0f0", "\ue0f1"
"""Private-use characters around a placeholder's number; contents never meet the template to forge one."""
_PLACEHOLDER = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")


class ChatTemplate:
    """Renders messages to tokens.

    Args:
        source: The Jinja template; ChatML where it is empty.
        tokenize: The model's tokenizer, `(text, special=bool)`.
        tokens: Markers that templates name, such as `bos_token`.

    Raises:
        EngineError: The template is broken.
    """

    def __init__(
        self, source: str, tokenize: Callable[..., list[int]], tokens: Mapping[str, str] | None = None
    ) -> None:
        # Imported here: 30 ms that only those pay who render.
        from jinja2 import TemplateError
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        environment.globals["raise_exception"] = _refuse
        self._errors: tuple[type[Exception], ...] = (TemplateError, TypeError, ValueError, KeyError)
        self._tokenize = tokenize
        self._tokens = dict(tokens or {})
        try:
            self._template = environment.from_string(source or CHATML)
        except TemplateError as error:
            raise EngineError(f"The model's chat template is broken: {error}.") from None

    def render(self, messages: Sequence[Mapping[str, str]], *, reply: bool = True) -> list[int]:
        """Token ids of a conversation.

        Args:
            messages: `role` and `content` of each.
            reply: End where the model's reply begins.

        Raises:
            EngineError: A role is unknown, or the template refuses the conversation.
        """
        contents: list[str] = []
        hidden: list[dict[str, Any]] = []
        for message in messages:
            role = message["role"]
            if role not in ROLES:
                raise EngineError(f"There is no role {role!r}.", f"Roles are: {', '.join(sorted(ROLES))}.")
            hidden.append({"role": role, "content": f"{_OPEN}{len(contents)}{_CLOSE}"})
            contents.append(message["content"])
        try:
            text = self._template.render(messages=hidden, add_generation_prompt=reply, **self._tokens)
        except self._errors as error:
            raise EngineError(f"The model's chat template refuses this conversation: {error}.") from None
        parts = _PLACEHOLDER.split(text)
        rendered = (
            self._tokenize(contents[int(part)]) if inside else self._tokenize(part, special=True)
            for part, inside in zip(parts, itertools.cycle((False, True)), strict=False)
            if part
        )
        return list(itertools.chain.from_iterable(rendered))


def _refuse(reason: str) -> None:
    raise ValueError(reason)
