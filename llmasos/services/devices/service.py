"""device.*: what is switched and set, on whatever backends there are."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from llmasos.core.base.clock import Clock
from llmasos.core.base.errors import LlmasosError, SyscallError, Undecided
from llmasos.core.base.types import Call
from llmasos.core.base.values import Named, done, items, record
from llmasos.core.kernel.session import Inside, Session
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.syscall import Kind as Completes
from llmasos.core.kernel.syscall import Offers, inverse, syscall
from llmasos.core.kernel.trap import Caller
from llmasos.services.asking import Once
from llmasos.services.devices import naming, said
from llmasos.services.devices.backend import DeviceBackend
from llmasos.services.devices.home import SimulatedHome
from llmasos.services.devices.model import Device, Setting, State, Value
from llmasos.services.devices.mqtt import Brokers
from llmasos.services.devices.mqtt.broker import LABEL
from llmasos.services.devices.twin import History, after, agrees


@dataclass(frozen=True, slots=True)
class _Placed:
    """A device with the backend it belongs to."""

    device: Device
    backend: DeviceBackend


@dataclass(frozen=True, slots=True)
class _Change:
    """What is to be done to one device.

    Attributes:
        placed: Which.
        on: Whether it is switched, and how.
        settings: What is set.
        before: How it is now.
        what: The same in words, for its history.
    """

    placed: _Placed
    on: bool | None
    settings: Mapping[str, Value]
    before: State
    what: str


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of changes.

    Attributes:
        done: The devices that were changed.
        notes: What is to be said besides.
    """

    done: list[_Placed] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """What they are called."""
        return [placed.device.name for placed in self.done]


LONGEST_NAME = 2_000
"""Characters of what a device is called; a longer text would be compared with every name for seconds."""
SETTINGS = ("brightness", "temperature", "colour", "volume", "position", "speed", "mode")
"""What is set where the value alone says it: "20 %" of a lamp is its brightness."""


class Devices:
    """Devices of all backends.

    Args:
        store: Where their history is kept.
        clock: What dates it.
        backends: Where devices come from; the simulated home where None.
        brokers: Further ones; where there are any, nothing is simulated.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        backends: Sequence[DeviceBackend] | None = None,
        *,
        brokers: Brokers | None = None,
    ) -> None:
        self._history = History(store, clock)
        self._simulated: Sequence[DeviceBackend] = [SimulatedHome(store)] if backends is None else ()
        self._backends = list(backends or ())
        self._brokers = brokers

    @property
    def backends(self) -> Sequence[DeviceBackend]:
        """Where devices come from."""
        real = [*self._backends, *(self._brokers.homes() if self._brokers else ())]
        return real or self._simulated

    @syscall("device.list", effect="read")
    async def overview(self, caller: Caller) -> dict[str, Any]:
        """Show the known devices and how they are.

        Examples:
            which gadgets can you control
            show my smart home
            are there any lights I can switch?
            家里有哪些智能设备
        """
        return self._table([(p, await p.backend.state(p.device)) for p in await self._there(caller)])

    @syscall("device.get", effect="read")
    async def get(self, caller: Caller, name: Annotated[str, Completes("device")]) -> dict[str, Any]:
        """Show how a device is.

        Args:
            name: Which device, with its place.

        Examples:
            did I leave the oven on?
            how warm is the heater in the bathroom set
            is the front door locked
            卧室空调现在多少度
        """
        meant = await self._meant(caller, name)
        if len(meant) > 1:
            return self._table([(p, await p.backend.state(p.device)) for p in meant])
        placed = meant[0]
        device, state = placed.device, await placed.backend.state(placed.device)
        fields: dict[str, Any] = {"state": _state(device, state)}
        if not state.available and state.known and not device.kind.tells:
            fields["last known"] = device.kind.on if state.on else device.kind.off
        fields |= {name: _shown(device, name, value) for name, value in state.settings.items()}
        fields["room"] = device.room or None
        history = self._history.of(placed.backend.label, device)
        if history:
            fields["last change"] = _change(history[-1])
            fields["earlier"] = "; ".join(_change(entry) for entry in reversed(history[-5:-1])) or None
        fields["source"] = placed.backend.label
        return _labelled(record(device.name, fields, ref=device.name), [placed])

    @syscall("device.turn_on", effect="external", preview="preview_on")
    async def turn_on(self, caller: Caller, name: Annotated[str, Completes("device")]) -> dict[str, Any]:
        """Switch a device on, open it, start it, unlock it.

        Args:
            name: Which device or devices, with the place.

        Examples:
            lights on in the hallway
            get the coffee going
            raise the kitchen blinds
            把车库门打开
        """
        return await self._switch(caller, name, True)

    @syscall("device.turn_off", effect="external", preview="preview_off")
    async def turn_off(self, caller: Caller, name: Annotated[str, Completes("device")]) -> dict[str, Any]:
        """Switch a device off, close it, stop it, lock it.

        Args:
            name: Which device or devices, with the place.

        Examples:
            kill the telly
            no more light in the study please
            lock up the front door
            把所有的灯都关掉
        """
        return await self._switch(caller, name, False)

    @syscall("device.set", effect="external", preview="preview_set")
    async def set(
        self,
        caller: Caller,
        name: Annotated[str, Completes("device")],
        value: str,
        setting: Annotated[str, Offers(SETTINGS)] | None = None,
    ) -> dict[str, Any]:
        """Set something on a device.

        Args:
            name: Which device or devices, with the place.
            value: What to set it to, with its unit: "40%", "21 °C", "warm white", "a bit brighter".
            setting: brightness, temperature, colour, volume, position, speed, mode, or as said.

        Examples:
            dim the bedside lamp to a third
            I'd like it at 22 degrees in the study, the heater can do that
            make the strip lights turquoise
            音响音量调到百分之四十
        """
        meant, notes = await self._answering(await self._meant(caller, name))
        changes, chosen, new = await self._planned(meant, value, setting, notes)
        outcome = await self._do(caller, changes)
        message = f"Set the {chosen.name} of the {_listed(outcome.names)} to {chosen.shown(new)}{self._label(meant)}."
        return self._told(message, outcome, notes)

    @syscall("device.what_if", effect="read", spoken=False)
    async def what_if(
        self, caller: Caller, name: Annotated[str, Completes("device")], change: str, setting: str | None = None
    ) -> dict[str, Any]:
        """Show how devices would be after a change, worked out on a copy; nothing is told to any of them.

        Args:
            name: Which device or devices, with the place.
            change: "on", "off", or what to set, as for device.set.
            setting: Which setting, where the value doesn't say it.
        """
        meant = await self._meant(caller, name)
        word = change.strip().casefold()
        turn = True if word in _ON_WORDS else False if word in _OFF_WORDS else None
        changes = (
            [await self._switching(placed, turn) for placed in meant]
            if turn is not None and not setting
            else (await self._planned(meant, change, setting, []))[0]
        )
        rows = []
        for one in changes:
            device, then = one.placed.device, after(one.before, on=one.on, settings=one.settings)
            rows.append({
                "ref": device.name, "name": device.name, "room": device.room,
                "now": _summary(device, one.before, one.settings), "then": _summary(device, then, one.settings),
                "note": "" if one.before.available else "doesn't answer", "source": one.placed.backend.label,
            })  # fmt: skip
        columns = ["name", "room", "now", "then", *(["note"] if any(row["note"] for row in rows) else []), "source"]
        return _labelled(items("device", rows, columns), meant)

    async def preview_on(self, caller: Caller, name: str) -> dict[str, str]:
        """The devices that are meant."""
        return {"name": self._named((await self._switched(caller, name, True))[0])}

    async def preview_off(self, caller: Caller, name: str) -> dict[str, str]:
        """The devices that are meant."""
        return {"name": self._named((await self._switched(caller, name, False))[0])}

    async def preview_set(self, caller: Caller, name: str, value: str, setting: str | None = None) -> dict[str, str]:
        """The devices that are meant, and the setting with its value."""
        meant, _ = await self._answering(await self._meant(caller, name))
        _, chosen, new = await self._planned(meant, value, setting, [])  # each must be able to
        return {"name": self._named(meant), "setting": chosen.name, "value": chosen.shown(new)}

    @inverse("device.set_back")
    async def set_back(self, caller: Caller, payload: dict[str, Any]) -> str:
        """Set devices back to how they were, through the door like any other effect: it acts outside again."""
        there = {(placed.backend.label, placed.device.id): placed for placed in await self._there(caller)}
        ways: dict[str, list[_Change]] = {}
        for step in payload["steps"]:
            placed = there.get((step["source"], step["id"]))
            if placed is None:
                raise SyscallError("ESTALE", f"The {step['name']} isn't there any more.")
            state = await placed.backend.state(placed.device)
            if not _is_as(placed.device, state, step["after"]) and not _is_as(placed.device, state, step["before"]):
                raise SyscallError("ESTALE", f"The {step['name']} has changed since.", "Set it yourself.")
            on, settings = step["before"].get("on"), step["before"]["settings"]
            way = "device.set" if on is None else "device.turn_on" if on else "device.turn_off"
            ways.setdefault(way, []).append(_Change(placed, on, settings, state, "as before"))
        outcome = _Outcome()
        for way, changes in ways.items():
            one = await self._through_the_door(caller, way, changes)
            outcome.done.extend(one.done)
            outcome.notes.extend(one.notes)
        return " ".join(dict.fromkeys([self._set_back(outcome), *outcome.notes]))

    def _set_back(self, outcome: _Outcome) -> str:
        return f"Set the {_listed(outcome.names)} back{self._label(outcome.done)}."

    async def _through_the_door(self, caller: Caller, way: str, changes: list[_Change]) -> _Outcome:
        """Make changes as a call of that name: policy, consent and the audit log know it by what it does."""
        meant = [change.placed for change in changes]
        args = {"name": ", ".join(placed.device.name for placed in meant)}
        shown: dict[str, str] = {"name": self._named(meant)}
        if way == "device.set":
            values = [_shown(c.placed.device, name, value) for c in changes for name, value in c.settings.items()]
            args["value"] = shown["value"] = ", ".join(dict.fromkeys(values))

        made = _Outcome()

        async def run(caller: Caller, /, **_: Any) -> dict[str, Any]:
            nonlocal made
            made = await self._do(caller, changes, undoable=False)
            return self._told(self._set_back(made), made, [])

        async def preview(caller: Caller, /, **_: Any) -> dict[str, str]:
            return shown

        row = replace(caller.kernel.table[way], run=run, preview=preview)
        # The person is asked, but what came of it is told by the undo that it is part of.
        session = replace(caller.session, front=Inside(caller.session.front))
        result = await caller.kernel.trap(
            caller.process, session, Call(way, args), request="undo", labels=caller.labels, row=row
        )
        if not result.ok:
            raise SyscallError(result.error, result.message)  # type: ignore[arg-type]  # codes come from SyscallError itself
        return made

    async def _switch(self, caller: Caller, name: str, on: bool) -> dict[str, Any]:
        meant, notes = await self._switched(caller, name, on)
        changes = [await self._switching(placed, on) for placed in meant]
        already = [c.placed.device.name for c in changes if c.before.known and c.before.on is on]
        outcome = await self._do(caller, changes)
        verbs = {p.device.kind.turned_on if on else p.device.kind.turned_off for p in outcome.done}
        verb = verbs.pop() if len(verbs) == 1 else "Turned on" if on else "Turned off"
        if already:
            kind = meant[0].device.kind
            state = kind.on if on else kind.off
            notes.append(f"It was {state} already." if len(meant) == 1 else f"Already {state}: {_listed(already)}.")
        return self._told(f"{verb} the {_listed(outcome.names)}{self._label(outcome.done)}.", outcome, notes)

    async def _switching(self, placed: _Placed, on: bool) -> _Change:
        device, before = placed.device, await placed.backend.state(placed.device)
        settings: Mapping[str, Value] = {}
        if device.kind.setting("position") and not (before.known and before.on is on):
            settings = {"position": 100 if on else 0}
        return _Change(placed, on, settings, before, device.kind.on if on else device.kind.off)

    async def _switched(self, caller: Caller, name: str, on: bool) -> tuple[list[_Placed], list[str]]:
        """The devices that a switch is meant for: "everything off" leaves the fridge running; and what else to say."""
        meant = await self._meant(caller, name)
        if len(meant) > 1 and len({placed.device.kind.name for placed in meant}) > 1:
            meant = [placed for placed in meant if not placed.device.kind.essential]
        if meant and all(placed.device.kind.tells for placed in meant):
            raise SyscallError(
                "EINVAL", f"The {meant[0].device.name} only tells how it is; it can't be switched.",
                "'device.get' shows what it tells.",
            )  # fmt: skip
        return await self._answering([placed for placed in meant if not placed.device.kind.tells])

    async def _planned(
        self, meant: Sequence[_Placed], value: str, setting: str | None, notes: list[str]
    ) -> tuple[list[_Change], Setting, Value]:
        """What is to be done to each, and how the value was read; what is to be said of that comes to the notes."""
        found = []
        for placed in meant:
            device, state = placed.device, await placed.backend.state(placed.device)
            chosen = said.setting_of(device, setting, value)
            new, note = said.parse(chosen, value, state.settings.get(chosen.name), device.name)
            if note and note not in notes:
                notes.append(note)
            change = _Change(
                placed, _on_after(device, chosen, new), {chosen.name: new}, state, f"{chosen.name} {chosen.shown(new)}"
            )
            found.append((change, chosen, new))
        return [change for change, _, _ in found], found[0][1], found[0][2]

    async def _do(self, caller: Caller, changes: Sequence[_Change], *, undoable: bool = True) -> _Outcome:
        """Make changes, all at once; what takes them back is journaled first.

        Raises:
            LlmasosError: None of the devices did it.
        """
        steps = [_step(change) for change in changes if change.before.known]
        if undoable and steps:
            caller.prepare("device.set_back", {"steps": steps})
        states = await asyncio.gather(
            *(c.placed.backend.apply(c.placed.device, on=c.on, settings=c.settings) for c in changes),
            return_exceptions=True,
        )
        outcome, failed = _Outcome(), []
        for change, state in zip(changes, states, strict=True):
            if isinstance(state, LlmasosError):
                failed.append(state)
            elif isinstance(state, BaseException):
                raise state
            else:
                outcome.done.append(change.placed)
                outcome.notes.extend([state.note] if state.note else [])
                self._history.add(
                    change.placed.backend.label, change.placed.device, change.what, caller.process.subject
                )
        if failed and not outcome.done:
            if len(failed) == 1:
                raise failed[0]
            undecided = any(isinstance(error, Undecided) for error in failed)
            raise (Undecided if undecided else SyscallError)(
                "EIO", " ".join(error.what for error in failed), "Look at them."
            )
        outcome.notes.extend(error.what for error in failed)
        return outcome

    def _told(self, message: str, outcome: _Outcome, notes: Sequence[str]) -> dict[str, Any]:
        names = outcome.names
        note = " ".join(dict.fromkeys([*notes, *outcome.notes]))
        return _labelled(done(message, ref=names[0] if len(names) == 1 else "", note=note), outcome.done)

    async def names(self, _: Session) -> list[str]:
        """What the devices are called; where they stand in rooms that no other home has, by these too."""
        return [name for placed in await self._all() for name in naming.offered(placed.device)]

    async def _there(self, caller: Caller) -> list[_Placed]:
        """All devices, those of brokers once they are connected."""
        if self._brokers is not None:
            await self._brokers.ready(caller.kernel)
        return await self._all()

    async def _all(self) -> list[_Placed]:
        """All devices, as they are known."""
        backends = self.backends
        found = await asyncio.gather(*(backend.devices() for backend in backends))
        return [
            _Placed(device, backend) for backend, devices in zip(backends, found, strict=True) for device in devices
        ]

    async def _meant(self, caller: Caller, name: str) -> list[_Placed]:
        if not name.strip():
            raise SyscallError("EINVAL", "No device was named.", "'device.list' shows those there are.")
        if len(name) > LONGEST_NAME:
            raise SyscallError("E2BIG", f"No device has a name of {len(name):,} characters.", "Say a shorter one.")
        everything = await self._there(caller)
        # By place in the list: two backends may have devices that are equal.
        by_device = {id(placed.device): placed for placed in everything}
        devices = await naming.meant(Once(caller), name, [placed.device for placed in everything])
        return [by_device[id(device)] for device in devices]

    async def _answering(self, meant: list[_Placed]) -> tuple[list[_Placed], list[str]]:
        """Those that answer; of a group the others are left out, and said.

        Raises:
            SyscallError: EIO, none does.
        """
        states = [await placed.backend.state(placed.device) for placed in meant]
        found = [placed for placed, state in zip(meant, states, strict=True) if state.available]
        if not found:
            raise SyscallError("EIO", f"The {meant[0].device.name} doesn't answer.", "Check its power and its network.")
        silent = [placed.device.name for placed in meant if placed not in found]
        return found, [f"Left out, as they don't answer: {_listed(silent)}."] if silent else []

    def _table(self, rows: Sequence[tuple[_Placed, State]]) -> dict[str, Any]:
        table = items(
            "device",
            [
                {
                    "ref": placed.device.name,
                    "name": placed.device.name,
                    "room": placed.device.room,
                    "state": _state(placed.device, state),
                    "settings": ", ".join(_shown(placed.device, k, v) for k, v in list(state.settings.items())[:2]),
                    "source": placed.backend.label,
                }
                for placed, state in rows
            ],
            ["name", "room", "state", "settings", "source"],
            empty="No devices are known.",
        )
        return _labelled(table, [placed for placed, _ in rows])

    def _named(self, meant: Sequence[_Placed]) -> Named:
        """All of them, for who is asked; policy and consent look at each."""
        names = [placed.device.name for placed in meant]
        return Named(f"{_listed(names, most=len(names))}{self._label(meant)}", names)

    def _label(self, meant: Sequence[_Placed]) -> str:
        labels = dict.fromkeys(placed.backend.label for placed in meant if placed.backend.label)
        return f" ({', '.join(labels)})" if labels else ""


_ON_WORDS = frozenset({"on", "open", "opened", "start", "started", "unlock", "unlocked", "开", "打开"})
_OFF_WORDS = frozenset({"off", "close", "closed", "stop", "stopped", "lock", "locked", "关", "关上"})


def _labelled(value: dict[str, Any], of: Sequence[_Placed]) -> dict[str, Any]:
    """A result, with the labels of those whose words stand in it: a broker's devices call themselves as they like."""
    labels = sorted({placed.backend.label for placed in of if placed.backend.label.startswith(LABEL)})
    return {**value, "labels": labels} if labels else value


def _step(change: _Change) -> dict[str, Any]:
    """What takes one change back: how the device was, and how it should be now."""
    before = {name: change.before.settings[name] for name in change.settings if name in change.before.settings}
    switched = change.on is not None and change.on is not change.before.on
    return {
        "source": change.placed.backend.label,
        "id": change.placed.device.id,
        "name": change.placed.device.name,
        "before": {"settings": before, **({"on": change.before.on} if switched or not before else {})},
        "after": {"settings": dict(change.settings), **({} if change.on is None else {"on": change.on})},
    }


def _is_as(device: Device, state: State, kept: Mapping[str, Any]) -> bool:
    """Whether a device is as it was kept."""
    if kept.get("on") not in (None, state.on):
        return False
    settings = kept["settings"].items()
    return all(agrees(device.kind.setting(name), value, state.settings.get(name)) for name, value in settings)


def _summary(device: Device, state: State, settings: Mapping[str, Value]) -> str:
    """A state in a line: whether it is on, and of its settings those that would change."""
    words = [device.kind.on if state.on else device.kind.off] if state.known else ["not known yet"]
    words += [f"{name} {_shown(device, name, state.settings[name])}" for name in settings if name in state.settings]
    return ", ".join(words)


def _state(device: Device, state: State) -> str:
    if not state.available:
        return "doesn't answer"
    if device.kind.tells:
        return str(next(iter(state.settings.values()), "nothing told yet"))
    if not state.known:
        return "not known yet"
    return device.kind.on if state.on else device.kind.off


def _shown(device: Device, name: str, value: Value) -> str:
    setting = device.kind.setting(name)
    return setting.shown(value) if setting else str(value)


def _change(entry: Mapping[str, str]) -> str:
    return f"{entry['what']} ({entry['shown']}, {entry['by']})"


def _listed(names: Sequence[str], *, most: int = 6) -> str:
    if len(names) > most:
        return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _on_after(device: Device, setting: Setting, value: Value) -> bool | None:
    """Whether setting something also switches: a brightness lights a lamp, a closed blind is off."""
    if setting.name == "position":
        return bool(value)
    if setting.name in ("brightness", "speed") and value == 0:
        return False
    return None if device.kind.essential else True
