"""What an announced part of a device is to us: a kind, what its topics tell, and what is published to change it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from llmasos.core.base.foreign import parse_json
from llmasos.services.devices.model import Kind, Value
from llmasos.services.devices.mqtt.announced import Config, Unusable
from llmasos.services.devices.mqtt.template import Template

ON, MOVING = "on", "moving"
"""Parts of a state beside its settings: whether it is on, and where something is on its way to."""

Told = Mapping[str, Value | None]
"""What a message tells: part of the state -> value; None takes it away."""
Reader = Callable[[str], Told]


@dataclass(frozen=True, slots=True)
class Order:
    """A message that changes something."""

    topic: str
    payload: str
    retain: bool = False


Orders = Callable[[bool | None, Mapping[str, Value], Told], list[Order]]
"""(on, settings, state now) -> what is published."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One announced part of a device.

    Attributes:
        kind: What it is, with what can be set on it.
        reads: Topic with what its messages tell.
        orders: What changes it; None where it only tells.
        reports: The parts of its state that its messages tell; others are only assumed.
        lacks: What of it isn't taken, and why.
    """

    kind: Kind
    reads: tuple[tuple[str, Reader], ...]
    orders: Orders | None = None
    reports: frozenset[str] = frozenset()
    lacks: tuple[str, ...] = ()


class Building:
    """Collects the shape of a part from its announcement.

    Args:
        config: The announcement.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.reads: list[tuple[str, Reader]] = []
        self.reports: set[str] = set()
        self.lacks: list[str] = []
        self.retain = config.flag("retain")

    def hears(self, topic_key: str, template_key: str, part: str, means: Callable[[str], Value | None]) -> bool:
        """A topic tells one part of the state; whether it does.

        Args:
            topic_key: Which key has the topic.
            template_key: Which key has the template of its messages.
            part: The part.
            means: What a text of it means; None means nothing.
        """
        try:
            topic, template = self.config.topic(topic_key), self.config.template(template_key)
        except Unusable as error:
            self.lacks.append(str(error))
            return False
        if not topic:
            return False

        def reader(payload: str) -> Told:
            text = template.of_message(payload) if template else payload.strip()
            value = means(text) if text is not None else None
            return {part: value} if value is not None else {}

        self.reads.append((topic, reader))
        self.reports.add(part)
        return True

    def commands(self, key: str) -> str:
        """The topic of a command that isn't needed; empty where there is none, or none that is usable."""
        try:
            return self.config.topic(key)
        except Unusable as error:
            self.lacks.append(str(error))
            return ""

    def needs(self, key: str) -> str:
        """The topic of a command without which the part is of no use.

        Raises:
            Unusable: There is none.
        """
        topic = self.config.topic(key)
        if not topic:
            raise Unusable(f"it has no {key}")
        return topic

    def template(self, key: str) -> Template | None:
        """The template of a command.

        Raises:
            Unusable: It isn't read here, so that the command can't be made.
        """
        return self.config.template(key)

    def order(self, topic: str, payload: str) -> Order:
        """A message of this part."""
        return Order(topic, payload, self.retain)

    def shape(self, kind: Kind, orders: Orders | None) -> Shape:
        """What was collected."""
        reports = set() if self.config.flag("optimistic") else self.reports
        return Shape(kind, tuple(self.reads), orders, frozenset(reports), tuple(dict.fromkeys(self.lacks)))


def one_of(words: Mapping[str, Value]) -> Callable[[str], Value | None]:
    """What words mean; None for others."""
    return lambda text: words.get(text)


def number_of(text: str) -> float | None:
    """The number that a text is."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and abs(number) < 1e12 else None


def scaled(low: float, high: float) -> Callable[[str], Value | None]:
    """A number of a scale in percent."""

    def percent(text: str) -> Value | None:
        number = number_of(text)
        if number is None or low == high:
            return None
        return round(min(max((number - low) / (high - low), 0), 1) * 100)

    return percent


def on_scale(percent: float, low: float, high: float) -> int:
    """Percent on a scale of whole numbers."""
    return round(low + (high - low) * percent / 100)


def filled(template: Template | None, payload: str, **names: Any) -> str:
    """What a command publishes: through its template where it has one.

    Raises:
        Unusable: The template can't take it.
    """
    if template is None:
        return payload
    text = template.render({"value": payload, **names})
    if text is None:
        raise Unusable("its template can't take that value")
    return text


def object_of(payload: str) -> dict[str, Any]:
    """A message that is a JSON object; empty where it is none."""
    try:
        value = parse_json(payload)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
