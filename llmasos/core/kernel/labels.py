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

What is put away keeps whose words it is (`kept`), in its record, and shows it as the `sources` of its row when it is
read again: another day, and after a restart.
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
_PLUGIN = "plugin:"
_NAMED = (_PLUGIN, "web:", "calendar:", "mqtt:")
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


def kept(call: Call, *arguments: str) -> list[str]:
    """Whose words a call puts away in these arguments, where they aren't the person's; in all where none is named."""
    found = (call.origins.get(name, frozenset()) for name in arguments or call.origins)
    return sorted(filter(is_source, frozenset[str]().union(*found)))


def of_names(labels: Iterable[str]) -> frozenset[str]:
    """The labels of the things that a result names: its words may be anybody's, but whose words they are is known."""
    return frozenset(label for label in labels if label.startswith(_NAMED))


def of_things(result: Result, ref: str = "") -> frozenset[str]:
    """The labels of what a result calls its things; with a `ref`, of those alone that it calls so."""
    each = of_each(result)
    named = [labels for row, labels in each if str(row.get("ref") or "") == ref] or [labels for _, labels in each]
    return frozenset[str]().union(*named) if named else of_names(result.labels)


def of_each(result: Result) -> list[tuple[Mapping[str, Any], frozenset[str]]]:
    """The things of a result, its rows or itself, each with the labels of what it is called by.

    A memory is called by its own words, whoever wrote them; to-dos, events and the like say whose their names are.
    """
    value = result.value
    if not isinstance(value, Mapping):
        return []
    if value.get("type") != "items":
        # Of a text or a record, the sources are of what it says; what it is called by is another matter.
        return [(value, of_names(result.labels) | (_sources(value) if value.get("type") == "done" else NO_LABELS))]
    rows = [row for row in value["items"] if isinstance(row, Mapping)]
    # What rows say of themselves isn't said of the others; but a plugin can't say itself out of its own answer.
    theirs = NO_LABELS.union(*map(_sources, rows)) if value.get("kind") != "memory" else NO_LABELS
    others = (label for label in result.labels if label.startswith(_PLUGIN) or label not in theirs)
    of_all = of_names(frozenset(others).union(*result.call.origins.values()))
    found = []
    for row in rows:
        if "memory" in (value.get("kind"), row.get("where")):
            labels = result.labels
        elif row.get("where") == "conversation":  # called by its character, which the person named
            labels = of_all
        else:
            labels = of_all | _sources(row)
        found.append((row, labels))
    return found


def _sources(row: Mapping[str, Any]) -> frozenset[str]:
    """Whose words a row says it is, as far as anybody can say that."""
    said = row.get("sources")
    if not isinstance(said, list | tuple):
        return NO_LABELS
    return frozenset(source for source in said if isinstance(source, str) and is_source(source))
