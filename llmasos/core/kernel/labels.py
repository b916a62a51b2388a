"""Where values come from, so that what others wrote chooses neither what is destroyed nor where something goes.

    person         no label: what was typed, and names of the person's own things
    file           what a file says
    model          what a model wrote
    character      what a character said
    plugin:NAME    whatever a plugin or an app answered, names of things too
    calendar:NAME  what an event says that is in a calendar of others; `calendar:imported` of one that was imported
    mqtt:NAME      what the devices of a broker say, their names too
    piped          a text that was piped in behind a sentence
    chosen         one of the person's own things, chosen by a model that had read what others wrote (provenance.py)
    sends:LABEL    of a call that acts outside: what it only takes along has this label

A result has the labels of what made it and of all values that went into it. Of a call count the labels of its targets,
the arguments that name something. A call that acts outside takes the others along, so they count too, as what it sends;
where none names anything, all are targets. What the policy makes of labels is its own affair.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from llmasos.core.base.types import Call, Result
from llmasos.core.kernel.policy import NO_LABELS
from llmasos.core.kernel.syscall import Syscall

PIPED = "piped"
MODEL = "model"
CHOSEN = "chosen"
SENDS = "sends:"
WRITTEN = frozenset({"file", MODEL, "character"})
"""Sources whose words are somebody else's."""
_NAMED = ("plugin:", "web:", "calendar:", "mqtt:")
"""Further ones, of which each has a name; what they call things are words of theirs too."""


def is_source(label: str) -> bool:
    """Whether words with this label keep it wherever they are kept."""
    return label in WRITTEN or label.startswith(_NAMED)


def of_call(row: Syscall, call: Call) -> frozenset[str]:
    """The labels of a call that policy should know."""
    if not call.origins:
        return NO_LABELS
    targets = {a.name for a in row.arguments if a.kind}
    if row.effect == "external":
        targets = targets or {a.name for a in row.arguments}
    decides = frozenset[str]().union(*(call.origins.get(name, ()) for name in targets))
    if row.effect != "external":
        return decides
    taken = frozenset[str]().union(*(labels for name, labels in call.origins.items() if name not in targets))
    return decides | {f"{SENDS}{label}" for label in taken}


def of_result(row: Syscall, call: Call, value: Any) -> frozenset[str]:
    """The labels of what a call returned."""
    own = {f"plugin:{row.plugin}"} if row.plugin else set()
    if isinstance(value, Mapping):
        own |= {source for source in value.get("sources", ()) if isinstance(source, str) and is_source(source)}
    if isinstance(value, Mapping) and value.get("type") == "text":
        source = str(value.get("source"))
        own |= {source} & WRITTEN
        if source == "plugin":
            own.add(f"plugin:{value.get('ref')}")
    if isinstance(value, Mapping):  # a list can hold the person's own things and others' beside each other
        own |= {label for label in value.get("labels", ()) if isinstance(label, str)}
    return frozenset(own).union(*call.origins.values())


def of_names(labels: Iterable[str]) -> frozenset[str]:
    """The labels of the things that a result names: its words may be anybody's, but whose words they are is known."""
    return frozenset(label for label in labels if label.startswith(_NAMED))


def of_things(result: Result) -> frozenset[str]:
    """The labels of what a result names its things by. A memory is named by its own words, whoever wrote them."""
    value = result.value
    if isinstance(value, Mapping) and value.get("type") == "items":
        rows = [row for row in value["items"] if isinstance(row, Mapping)]
        if value.get("kind") == "memory" or any(row.get("where") == "memory" for row in rows):
            return result.labels
    return of_names(result.labels)
