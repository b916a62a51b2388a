"""Where values come from, so that what others wrote chooses neither what is destroyed nor where something goes.

    person         no label: what was typed, and names of the person's own things
    file           what a file says
    model          what a model wrote
    character      what a character said
    plugin:NAME    whatever a plugin or an app answered, names of things too
    calendar:NAME  what an event says that is in a calendar of others; `calendar:imported` of one that was imported
    mqtt:NAME      what the devices of a broker say, their names too
    piped          a text that was piped in behind a sentence

A result has the labels of what made it and of all values that went into it. Of a call count the labels of its targets,
the arguments that name something; of a call that acts outside, those of all its arguments, since they leave. What the
policy makes of labels is its own affair.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from llmasos.core.base.types import Call
from llmasos.core.kernel.syscall import Syscall

PIPED = "piped"
WRITTEN = frozenset({"file", "model", "character"})
"""Sources whose words are somebody else's."""


def of_call(row: Syscall, call: Call) -> frozenset[str]:
    """The labels of a call that policy should know."""
    counted = (a.name for a in row.arguments if a.kind or row.effect == "external")
    return frozenset[str]().union(*(call.origins.get(name, ()) for name in counted))


def of_result(row: Syscall, call: Call, value: Any) -> frozenset[str]:
    """The labels of what a call returned."""
    own = {f"plugin:{row.plugin}"} if row.plugin else set()
    if isinstance(value, Mapping):
        own |= set(value.get("sources", ())) & WRITTEN
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
    return frozenset(label for label in labels if label.startswith(("plugin:", "web:", "calendar:", "mqtt:")))
