"""Servers over TLS: who isn't who they say gets no word and no key."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from llmasos.core.base.errors import EngineError
from llmasos.core.engine.base import Sampling
from llmasos.core.engine.openai import exchange
from llmasos.core.engine.openai.address import Address
from llmasos.core.engine.openai.key import Key
from llmasos.core.engine.openai.patience import Limits, Patience
from llmasos.core.engine.openai.server import Server
from tests.openai_server import ScriptedServer, says, served, streams

KEY = Key("sk-secret", "test")
LIMITS = Limits(connect=5, first=5, between=5)


def certified(folder: Path, address: str = "127.0.0.1", *, days: int = 1) -> tuple[ssl.SSLContext, Path]:
    """A server's side of TLS, and the file of who vouches for it: itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file, secret = folder / "certificate.pem", folder / "key.pem"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, secret)
    return context, file


@pytest.fixture(autouse=True)
def fresh_trust() -> Iterator[None]:
    exchange._trust.cache_clear()
    yield
    exchange._trust.cache_clear()


async def said(server: ScriptedServer) -> str:
    stream = Server(server.address, KEY, limits=LIMITS).stream(
        [{"role": "user", "content": "Hello!"}], Sampling(max_tokens=9), (), Patience()
    )
    return "".join([delta.text async for delta in stream])


async def test_a_certificate_that_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trust, file = certified(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    async with served(says("Fine."), streams(), trust=trust) as server:
        assert await said(server) == "Fine."
        with pytest.raises(EngineError, match="ended before its answer did"):
            await said(server)
    assert server.requests[0].headers["authorization"] == "Bearer sk-secret"


@pytest.mark.parametrize(
    ("address", "days", "trusted", "why"),
    [
        ("127.0.0.1", 1, False, "self-signed certificate"),
        ("127.0.0.2", 1, True, "IP address mismatch"),
        ("127.0.0.1", -1, True, "certificate has expired"),
    ],
)
async def test_a_certificate_that_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, days: int, trusted: bool, why: str
) -> None:
    trust, file = certified(tmp_path, address, days=days)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
    async with served(trust=trust) as server:
        with pytest.raises(
            EngineError, match=f"certificate of 127.0.0.1:[0-9]+ doesn't hold: .*{why}.*Nothing was sent"
        ):
            await said(server)
    assert server.requests == []


async def test_a_server_without_tls() -> None:
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        address = Address.parse(f"openai:https://127.0.0.1:{port}/v1/tiny")
        with pytest.raises(EngineError, match="can't be reached: it doesn't speak TLS as it should"):
            await Server(address, KEY, limits=LIMITS).models()
