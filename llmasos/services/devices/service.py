"""device.*: what is switched and set, on whatever backends there are."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Annotated, Any

from llmasos.core.base.clock import Clock
from llmasos.core.base.errors import SyscallError
from llmasos.core.base.values import Named, done, items, record
from llmasos.core.kernel.session import Session
from llmasos.core.kernel.store import Store
from llmasos.core.kernel.syscall import Kind as Completes
from llmasos.core.kernel.syscall import Offers, syscall
from llmasos.core.kernel.trap import Caller
from llmasos.services.asking import Once
from llmasos.services.devices import naming, said
from llmasos.services.devices.backend import DeviceBackend
from llmasos.services.devices.home import SimulatedHome
from llmasos.services.devices.model import Device, Setting, State, Value

HISTORY = "device.history"
HISTORY_LENGTH = 20


@dataclass(frozen=True, slots=True)
class _Placed:
    """A device with the backend it belongs to."""

    device: Device
    backend: DeviceBackend


SETTINGS = ("brightness", "temperature", "colour", "volume", "position", "speed", "mode")
"""What is set where the value alone says it: "20 %" of a lamp is its brightness."""


class Devices:
    """Devices of all backends.

    Args:
        store: Where their history is kept.
        clock: What dates it.
        backends: Where devices come from; the simulated home where None.
    """

    def __init__(self, store: Store, clock: Clock, backends: Sequence[DeviceBackend] | None = None) -> None:
        self._store = store
        self._clock = clock
        self.backends: list[DeviceBackend] = list(backends) if backends is not None else [SimulatedHome(store)]

    @syscall("device.list", effect="read")
    async def overview(self, caller: Caller) -> dict[str, Any]:
        """Show the known devices and how they are.

        Examples:
            which gadgets can you control
            show my smart home
            are there any lights I can switch?
            家里有哪些智能设备
        """
        return self._table([(p, await p.backend.state(p.device)) for p in await self._all()])

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
        fields |= {name: _shown(device, name, value) for name, value in state.settings.items()}
        fields["room"] = device.room or None
        history = self._history(placed)
        if history:
            fields["last change"] = _change(history[-1])
            fields["earlier"] = "; ".join(_change(entry) for entry in reversed(history[-5:-1])) or None
        fields["source"] = placed.backend.label
        return record(device.name, fields, ref=device.name)

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
        meant = await self._answering(await self._meant(caller, name))
        plans = [await self._plan(placed, value, setting) for placed in meant]
        notes = dict.fromkeys(note for _, _, _, note in plans if note)
        done_for = []
        for placed, chosen, new, _ in plans:
            await placed.backend.apply(
                placed.device, on=_on_after(placed.device, chosen, new), settings={chosen.name: new}
            )
            self._remember(caller, placed, f"{chosen.name} {chosen.shown(new)}")
            done_for.append(placed.device.name)
        _, chosen, new, _ = plans[0]
        message = f"Set the {chosen.name} of the {_listed(done_for)} to {chosen.shown(new)}{self._label(meant)}."
        return done(message, ref=done_for[0] if len(done_for) == 1 else "", note=" ".join(notes))

    async def preview_on(self, caller: Caller, name: str) -> dict[str, str]:
        """The devices that are meant."""
        return {"name": self._named(await self._switched(caller, name, True))}

    async def preview_off(self, caller: Caller, name: str) -> dict[str, str]:
        """The devices that are meant."""
        return {"name": self._named(await self._switched(caller, name, False))}

    async def preview_set(self, caller: Caller, name: str, value: str, setting: str | None = None) -> dict[str, str]:
        """The devices that are meant, and the setting with its value."""
        meant = await self._answering(await self._meant(caller, name))
        plans = [await self._plan(placed, value, setting) for placed in meant]  # each must be able to
        _, chosen, new, _ = plans[0]
        return {"name": self._named(meant), "setting": chosen.name, "value": chosen.shown(new)}

    async def _switch(self, caller: Caller, name: str, on: bool) -> dict[str, Any]:
        meant = await self._switched(caller, name, on)
        already = []
        for placed in meant:
            device = placed.device
            before = await placed.backend.state(device)
            if before.on is on:
                already.append(device.name)
            settings: Mapping[str, Value] = {}
            if device.kind.setting("position") and before.on is not on:
                settings = {"position": 100 if on else 0}
            await placed.backend.apply(device, on=on, settings=settings)
            self._remember(caller, placed, device.kind.on if on else device.kind.off)
        names = [placed.device.name for placed in meant]
        verbs = {p.device.kind.turned_on if on else p.device.kind.turned_off for p in meant}
        verb = verbs.pop() if len(verbs) == 1 else "Turned on" if on else "Turned off"
        note = ""
        if already:
            kind = meant[0].device.kind
            state = kind.on if on else kind.off
            note = f"It was {state} already." if len(meant) == 1 else f"Already {state}: {_listed(already)}."
        message = f"{verb} the {_listed(names)}{self._label(meant)}."
        return done(message, ref=names[0] if len(names) == 1 else "", note=note)

    async def _switched(self, caller: Caller, name: str, on: bool) -> list[_Placed]:
        """The devices that a switch is meant for: "everything off" leaves the fridge running."""
        meant = await self._meant(caller, name)
        if len(meant) > 1 and len({placed.device.kind.name for placed in meant}) > 1:
            meant = [placed for placed in meant if not placed.device.kind.essential]
        return await self._answering(meant)

    async def _plan(self, placed: _Placed, value: str, setting: str | None) -> tuple[_Placed, Setting, Value, str]:
        device = placed.device
        chosen = said.setting_of(device, setting, value)
        state = await placed.backend.state(device)
        new, note = said.parse(chosen, value, state.settings.get(chosen.name), device.name)
        return placed, chosen, new, note

    async def names(self, _: Session) -> list[str]:
        """What the devices are called."""
        return [placed.device.name for placed in await self._all()]

    async def _all(self) -> list[_Placed]:
        found = await asyncio.gather(*(backend.devices() for backend in self.backends))
        return [
            _Placed(device, backend)
            for backend, devices in zip(self.backends, found, strict=True)
            for device in devices
        ]

    async def _meant(self, caller: Caller, name: str) -> list[_Placed]:
        if not name.strip():
            raise SyscallError("EINVAL", "No device was named.", "'device.list' shows those there are.")
        everything = await self._all()
        # By place in the list: two backends may have devices that are equal.
        by_device = {id(placed.device): placed for placed in everything}
        devices = await naming.meant(Once(caller), name, [placed.device for placed in everything])
        return [by_device[id(device)] for device in devices]

    async def _answering(self, meant: list[_Placed]) -> list[_Placed]:
        """Those that answer; of a group the others are left out.

        Raises:
            SyscallError: EIO, none does.
        """
        found = [placed for placed in meant if (await placed.backend.state(placed.device)).available]
        if not found:
            raise SyscallError("EIO", f"The {meant[0].device.name} doesn't answer.", "Check its power and its network.")
        return found

    def _table(self, rows: Sequence[tuple[_Placed, State]]) -> dict[str, Any]:
        return items(
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

    def _named(self, meant: Sequence[_Placed]) -> Named:
        """All of them, for who is asked; policy and consent look at each."""
        names = [placed.device.name for placed in meant]
        return Named(f"{_listed(names, most=len(names))}{self._label(meant)}", names)

    def _label(self, meant: Sequence[_Placed]) -> str:
        labels = dict.fromkeys(placed.backend.label for placed in meant if placed.backend.label)
        return f" ({', '.join(labels)})" if labels else ""

    def _remember(self, caller: Caller, placed: _Placed, what: str) -> None:
        entry = {
            "at": self._clock.now().astimezone(UTC).isoformat(timespec="seconds"),
            "shown": f"{self._clock.now():%Y-%m-%d %H:%M}",
            "what": what,
            "by": caller.process.subject,
        }
        kept = [*self._history(placed), entry][-HISTORY_LENGTH:]
        self._store.put(HISTORY, f"{placed.backend.label}/{placed.device.id}", {"entries": kept})

    def _history(self, placed: _Placed) -> list[dict[str, str]]:
        kept: dict[str, list[dict[str, str]]] | None = self._store.get(
            HISTORY, f"{placed.backend.label}/{placed.device.id}"
        )
        return kept["entries"] if kept else []


def _state(device: Device, state: State) -> str:
    if not state.available:
        return "doesn't answer"
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
