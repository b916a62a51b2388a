"""What the tests of devices at a broker share: a real broker in another process, and gadgets that talk through it."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import aiomqtt
import yaml
from argon2 import PasswordHasher
from calendar_desk import ASKING, Typist
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from plan_desk import Desk, open_desk

from llmasos.core.base.types import Result
from llmasos.core.kernel.policy import Policy
from llmasos.core.kernel.syscall import SyscallTable
from llmasos.services.devices import Brokers, Devices
from llmasos.services.system import System

HANGS = 60
"""Seconds after which something counts as hanging; nothing is measured by it."""
USER, PASSWORD = "ada", "s3cret-pass"


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(HANGS):
        while not await holds():  # noqa: ASYNC110  a broker and a gadget are between, which set no event of ours
            await asyncio.sleep(0.02)


# The broker


@dataclass
class Broker:
    """A broker of this test's own.

    Attributes:
        port: Where it listens.
        folder: Where its configuration is.
        certificate: Its own, where it is encrypted.
    """

    port: int
    folder: Path
    config: Mapping[str, Any]
    certificate: Path | None = None
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"{'mqtts' if self.certificate else 'mqtt'}://127.0.0.1:{self.port}"

    @property
    def context(self) -> ssl.SSLContext | None:
        """What trusts it."""
        return ssl.create_default_context(cafile=str(self.certificate)) if self.certificate else None

    def start(self) -> None:
        file = self.folder / "broker.yaml"
        file.write_text(yaml.safe_dump(dict(self.config)))
        command = [sys.executable, "-m", "amqtt.scripts.broker_script", "-c", str(file)]
        with (self.folder / "broker.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        for _ in range(HANGS * 20):
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            assert self.process.poll() is None, (self.folder / "broker.log").read_text()
            time.sleep(0.05)
        raise AssertionError("the broker doesn't listen")

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(HANGS)
            self.process = None


@contextmanager
def broker(folder: Path, *, login: bool = False, encrypted: bool = False) -> Iterator[Broker]:
    """A real MQTT broker as a program of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    listener: dict[str, Any] = {"type": "tcp", "bind": f"127.0.0.1:{port}"}
    certificate = None
    if encrypted:
        certificate = folder / "certificate.pem"
        _certify(certificate, folder / "key.pem")
        listener |= {"ssl": True, "certfile": str(certificate), "keyfile": str(folder / "key.pem")}
    plugins: dict[str, Any] = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    if login:
        (folder / "users").write_text(f"{USER}:{PasswordHasher(time_cost=1, memory_cost=64).hash(PASSWORD)}\n")
        plugins = {"amqtt.plugins.authentication.FileAuthPlugin": {"password_file": str(folder / "users")}}
    made = Broker(port, folder, {"listeners": {"default": listener}, "plugins": plugins}, certificate)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def _certify(certificate: Path, key_file: Path) -> None:
    """A certificate for this machine, signed by itself."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key_file.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))


# Gadgets


@dataclass
class Gadget:
    """A device that announces itself, takes commands and tells how it is, as one at home.

    Attributes:
        client: Its connection.
        does: Whether it does what it is told; one that doesn't is silent.
        told: The commands that came.
    """

    client: aiomqtt.Client
    base: str
    state: dict[str, Any]
    does: bool = True
    lies: bool = False
    told: list[Any] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def tell(self, **changes: Any) -> None:
        """Say how it is."""
        self.state |= changes
        await self.client.publish(self.base, json.dumps(self.state), qos=1, retain=True)

    async def serve(self) -> None:
        async for message in self.client.messages:
            command = json.loads(bytes(message.payload))  # type: ignore[arg-type]
            self.told.append(command)
            if self.lies:
                await self.tell(state="OFF")
            elif self.does:
                await self.tell(**command)
            self.came.set()


def lamp(name: str, base: str, **config: Any) -> dict[str, Any]:
    """The announcement of a lamp."""
    return {
        "schema": "json", "command_topic": f"{base}/set", "state_topic": base, "brightness": True,
        "supported_color_modes": ["xy", "color_temp"], "availability_topic": f"{base}/there",
        "device": {"identifiers": [base], "name": name}, **config,
    }  # fmt: skip


@asynccontextmanager
async def gadget(
    server: Broker, name: str = "Desk lamp", base: str = "lamp", component: str = "light", **config: Any
) -> AsyncIterator[Gadget]:
    """A device at a broker, with what happens when it loses its power."""
    will = aiomqtt.Will(f"{base}/there", "offline", qos=1, retain=True)
    login = {"username": USER, "password": PASSWORD} if "password_file" in str(server.config) else {}
    async with aiomqtt.Client(
        "127.0.0.1", server.port, identifier=f"gadget-{base}", will=will, tls_context=server.context, **login
    ) as client:
        made = Gadget(client, base, {"state": "OFF", "brightness": 153})
        await client.subscribe(f"{base}/set", qos=1)
        announcement = {**lamp(name, base), **config}
        await client.publish(f"homeassistant/{component}/{base}/config", json.dumps(announcement), qos=1, retain=True)
        await client.publish(f"{base}/there", "online", qos=1, retain=True)
        await made.tell()
        serving = asyncio.create_task(made.serve())
        try:
            yield made
        finally:
            serving.cancel()
            await asyncio.wait([serving])


async def publish(server: Broker, topic: str, payload: bytes | str, *, retain: bool = True) -> None:
    """A message of anybody."""
    async with aiomqtt.Client("127.0.0.1", server.port) as client:
        await client.publish(topic, payload, qos=1, retain=retain)


# The person


@dataclass
class DeviceDesk:
    """A person with devices at brokers."""

    desk: Desk
    person: Typist
    brokers: Brokers
    told: list[str]

    async def do(self, syscall: str, **args: Any) -> Result:
        return await self.desk.do(syscall, **args)

    async def ok(self, syscall: str, **args: Any) -> Any:
        return await self.desk.ok(syscall, **args)

    async def refused(self, syscall: str, **args: Any) -> Result:
        result = await self.desk.do(syscall, **args)
        assert not result.ok, result
        return result

    async def rows(self, syscall: str = "device.list") -> list[dict[str, Any]]:
        return await self.desk.rows(syscall)

    async def state(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.ok("device.get", name=name))["fields"]
        return found

    async def until(self, name: str, state: str) -> None:
        """Wait until a device is known to be so."""

        async def so() -> bool:
            return bool((await self.state(name))["state"] == state)

        await eventually(so)

    async def connect(self, server: Broker, name: str = "home", **args: Any) -> str:
        return str((await self.ok("device.connect", name=name, address=server.address, **args))["message"])

    def anew(self, patience: float = 0.3) -> None:
        """As the next program of this home has it."""
        self.brokers = _serve(self.desk, self.told, patience, None)


def _serve(desk: Desk, told: list[str], patience: float, context: ssl.SSLContext | None) -> Brokers:
    def tell(words: str) -> bool:
        told.append(words)
        return True

    brokers = Brokers(desk.store, desk.clock, tell, patience=patience, context=context)
    table = SyscallTable()
    for service in (brokers, Devices(desk.store, desk.clock, brokers=brokers), System(dict, None, ())):  # type: ignore[arg-type]
        table.add_service(service)
    desk.kernel.table = table
    return brokers


@asynccontextmanager
async def open_devices(
    tmp_path: Path, *, policy: Policy = ASKING, patience: float = HANGS, context: ssl.SSLContext | None = None
) -> AsyncIterator[DeviceDesk]:
    """A desk in a fresh home; a device has all the time that a slow machine needs, unless a test is about that."""
    with open_desk(tmp_path) as desk:
        person, told = Typist(), list[str]()
        desk.session.front = desk.person = person
        desk.kernel.policy = policy
        made = DeviceDesk(desk, person, _serve(desk, told, patience, context), told)
        try:
            yield made
        finally:
            await made.brokers.close()


@contextmanager
def powered(server: Broker, name: str = "Desk lamp", base: str = "lamp", **config: Any) -> Iterator[Gadget]:
    """A device in a thread of its own, for tests that aren't asyncio themselves."""
    ready, off = threading.Event(), threading.Event()
    made: list[Gadget] = []

    async def live() -> None:
        async with gadget(server, name, base, **config) as there:
            made.append(there)
            ready.set()
            await asyncio.to_thread(off.wait)

    thread = threading.Thread(target=asyncio.run, args=(live(),), daemon=True)
    thread.start()
    assert ready.wait(HANGS)
    try:
        yield made[0]
    finally:
        off.set()
        thread.join(HANGS)
