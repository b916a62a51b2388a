"""Results for a pipe."""

from llmasos.core.base.types import Call, Result
from llmasos.core.base.values import done, items, record, text
from llmasos.shell import plain


def of(value: object) -> Result:
    return Result(Call("a.b"), value=value)


def test_result_has_only_what_was_asked_for() -> None:
    rows: list[dict[str, object]] = [{"ref": "a", "name": "a", "size": 1}, {"ref": "b", "name": "b"}]
    assert plain.result(of(items("file", rows, ["name", "size"]))) == "a  1\nb"
    assert plain.result(of(text("Words.\n", source="model"))) == "Words."
    assert plain.result(of(done("Moved a to b.", note="a was old."))) == "Moved a to b."
    assert plain.result(of(record("System", {"up": "1:02", "speech": {"cells": 8, "queue": 0}}))) == (
        "System\nup: 1:02\nspeech: cells 8, queue 0"
    )
    assert plain.result(Result(Call("a.b"), error="ENOENT", message="No.")) == ""


def test_remark_has_the_rest() -> None:
    assert plain.remark(of(text("Words.", source="model"))) == "model's words, may be wrong"
    assert plain.remark(of(text("Words.", source="file", ref="a.txt"))) == ""
    assert plain.remark(of(done("Moved a to b.", note="a was old."))) == "a was old."
    assert plain.remark(Result(Call("a.b"), error="ENOENT", message="No.")) == "No."
    assert plain.remark(of("bare")) == ""


def test_call() -> None:
    assert plain.call("files.move", {"source": "a", "destination": "b"}, "write") == "files.move  a → b"
