"""Every error that llmasos raises, and whom it is for.

    LlmasosError               for the person: what happened, why, what to do; carries the exit code
    ├── UsageError        (2)  the command line or a setting is wrong
    ├── Denied            (3)  policy says no; names the rule
    ├── NeedsAnswer       (4)  a question that nobody is there to answer
    ├── NotUnderstood     (5)  the sentence fits nothing
    ├── SyscallError      (1)  a call failed; carries an errno-like code, also told to the model
    │   └── Undecided              it was asked for, and whether it happened isn't known
    ├── ModelError        (1)  a model is missing, broken, or too large
    ├── EngineError       (1)  the model runs, but this request failed
    │   ├── StateError         a saved context can't be used
    │   └── CutOff             the model broke off in the middle; what came before stands
    ├── StoreError        (1)  the encrypted store can't be opened or read
    └── PluginError       (1)  a plugin or app is broken; it is named and skipped
    ProcessKilled              a BaseException, so that no `except Exception` swallows a kill

Anything else that escapes is a defect of ours.
"""

from typing import Literal

Errno = Literal[
    "ENOENT",  # no such file, item, character, process
    "EEXIST",  # it is there already
    "EINVAL",  # an argument has the wrong type or value
    "E2BIG",  # larger than the limit
    "EACCES",  # denied by policy or by the person
    "EPERM",  # nobody may, whatever policy says
    "ESRCH",  # no such process
    "ENOSYS",  # no such syscall
    "EISDIR",
    "ENOTDIR",
    "EILSEQ",  # not text
    "EAMBIG",  # several things match
    "EAGAIN",  # a question must be answered first
    "EBUSY",
    "EDQUOT",  # a budget is used up
    "ETIMEDOUT",
    "ECANCELED",
    "ESTALE",  # what should be taken back has changed since
    "ENOTSUP",  # this backend or model can't
    "EIO",
]


class LlmasosError(Exception):
    """An error a person can read.

    Args:
        what: What happened, one sentence.
        remedy: What to do about it, one sentence; may be empty.
    """

    exit_code = 1

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what} {self.remedy}".strip()


class UsageError(LlmasosError):
    """The command line or a setting is wrong."""

    exit_code = 2


class Denied(LlmasosError):
    """Policy says no.

    Args:
        rule: The id of the rule that decided.
    """

    exit_code = 3

    def __init__(self, what: str, remedy: str = "", *, rule: str = "") -> None:
        super().__init__(what, remedy)
        self.rule = rule


class NeedsAnswer(LlmasosError):
    """A question must be answered, and nobody is there to do it."""

    exit_code = 4


class NotUnderstood(LlmasosError):
    """The sentence fits no syscall."""

    exit_code = 5


class SyscallError(LlmasosError):
    """A syscall failed; the message is for the person and the model alike.

    Args:
        code: The errno-like code.
        choices: What can be said instead, where several things matched.
    """

    def __init__(self, code: Errno, what: str, remedy: str = "", *, choices: tuple[str, ...] = ()) -> None:
        super().__init__(what, remedy)
        self.code: Errno = code
        self.choices = choices


class Undecided(SyscallError):
    """What was asked for outside may have happened or not: it was sent, and nothing came back."""


class ModelError(LlmasosError):
    """A model file is missing, broken, or too large for this machine."""


class EngineError(LlmasosError):
    """The engine could not serve this request; others go on."""


class StateError(EngineError):
    """A saved context is of another model, or damaged; it is computed anew from its text."""


class CutOff(EngineError):
    """The model broke off in the middle of an answer; what came before stands, and is no whole answer."""


class StoreError(LlmasosError):
    """The encrypted store can't be opened, read or written."""


class PluginError(LlmasosError):
    """A plugin or app can't be loaded or broke while running."""


class ProcessKilled(BaseException):
    """The process was killed while it waited; raised inside it, never caught as an ordinary error."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"process {pid} was killed")
        self.pid = pid


def error_name(error: BaseException) -> str:
    """An error as the log names it: its code or its kind, without its words, which may repeat what somebody said."""
    return error.code if isinstance(error, SyscallError) else type(error).__name__
