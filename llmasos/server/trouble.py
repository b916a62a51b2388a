"""What a request is answered with where it can't be done: a status, and an error in OpenAI's form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmasos.core.base.types import Result

_INVALID, _SERVER = "invalid_request_error", "server_error"
BUSY_SECONDS = 2
"""When a busy server may be asked again."""
_STATUS = {
    "EACCES": (403, "policy_denied"),
    "EAGAIN": (403, "needs_consent"),
    "EBUSY": (429, "rate_limit_exceeded"),
    "EDQUOT": (429, "budget_used_up"),
    "EINVAL": (400, "invalid_value"),
    "EILSEQ": (400, "invalid_value"),
    "ENOTSUP": (400, "unsupported"),
    "E2BIG": (400, "context_length_exceeded"),
    "ECANCELED": (500, "ended"),
}
"""Of errno-like codes; every other failure is 500."""


@dataclass
class Trouble(Exception):
    """A request that isn't done.

    Attributes:
        status: HTTP's number.
        message: What happened and what to do.
        code: A word for programs.
        param: The field of the request that it is about.
        retry_after: Seconds after which it may be tried again; 0 says nothing.
        allow: The methods that there are, where this one isn't.
        closes: Whether the connection ends with it.
    """

    status: int
    message: str
    code: str = ""
    param: str = ""
    retry_after: int = 0
    allow: str = ""
    closes: bool = False

    def body(self) -> Mapping[str, Any]:
        """The error as OpenAI writes it."""
        kind = _SERVER if self.status >= 500 else "rate_limit_error" if self.status == 429 else _INVALID
        error = {"message": self.message, "type": kind, "param": self.param or None, "code": self.code or None}
        return {"error": error}

    @property
    def headers(self) -> list[tuple[str, str]]:
        """What stands in the head of the answer."""
        said = [("retry-after", str(self.retry_after))] if self.retry_after else []
        said += [("allow", self.allow)] if self.allow else []
        return said + ([("www-authenticate", "Bearer")] if self.status == 401 else [])


def of_result(result: Result) -> Trouble:
    """What a call that failed is answered with."""
    status, code = _STATUS.get(result.error, (500, "failed"))
    return Trouble(status, result.message, code, retry_after=BUSY_SECONDS if status == 429 else 0)


def invalid(param: str, message: str) -> Trouble:
    """A field of a request is wrong."""
    return Trouble(400, message, "invalid_value", param)
