"""What a device is: its kind, where it stands, what it is called, what can be set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

SettingKind = Literal["percent", "number", "temperature", "level", "choice", "colour", "text"]
Value = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that can be set.

    Attributes:
        name: As results show it: "brightness".
        kind: How a value of it is read.
        low: The least value.
        high: The greatest value.
        unit: How a value is shown: "%", "°C", "K".
        step: What "a bit" more is.
        choices: Its words, for a choice or a level: value -> other words for it, English and Chinese.
    """

    name: str
    kind: SettingKind
    low: float = 0
    high: float = 100
    unit: str = ""
    step: float = 10
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def shown(self, value: Value) -> str:
        """A value with its unit."""
        if isinstance(value, float):
            value = int(value) if value == int(value) else round(value, 1)
        return f"{value} {self.unit}".strip()


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of device.

    Attributes:
        name: "light".
        nouns: What the kind is called, English singular.
        chinese: The same in Chinese.
        settings: What can be set; the first is what a bare number means.
        on: The state when it is turned on: "on", "open", "unlocked".
        off: The state when it is turned off.
        turned_on: The verb for it: "Turned on", "Opened".
        turned_off: The verb.
        opens: Its position follows on and off, and "everything" leaves it alone.
        essential: "everything" doesn't turn it off.
        tells: It only tells something; there is nothing to switch.
    """

    name: str
    nouns: tuple[str, ...]
    chinese: tuple[str, ...]
    settings: tuple[Setting, ...] = ()
    on: str = "on"
    off: str = "off"
    turned_on: str = "Turned on"
    turned_off: str = "Turned off"
    opens: bool = False
    essential: bool = False
    tells: bool = False

    def setting(self, name: str) -> Setting | None:
        """A setting by its name."""
        return next((setting for setting in self.settings if setting.name == name), None)


@dataclass(frozen=True, slots=True)
class Device:
    """One device.

    Attributes:
        id: Unique in its backend.
        name: What results call it.
        kind: What it is.
        room: The room's English name; empty where it belongs to none.
        nouns: What it is called beside its kind's nouns.
        chinese: The same in Chinese.
        start: Settings before anything was set.
        on: Whether it is on before anything was set.
        main: The one of its kind that is meant where no room is said.
    """

    id: str
    name: str
    kind: Kind
    room: str
    nouns: tuple[str, ...] = ()
    chinese: tuple[str, ...] = ()
    start: Mapping[str, Value] = field(default_factory=dict)
    on: bool = False
    main: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """How a device is now.

    Attributes:
        on: Turned on, open, unlocked.
        settings: Setting -> value; what it measures beside what can be set.
        available: Whether it answers.
        known: Whether it has told yet whether it is on.
        note: What the person should know of it.
    """

    on: bool
    settings: Mapping[str, Value]
    available: bool = True
    known: bool = True
    note: str = ""
