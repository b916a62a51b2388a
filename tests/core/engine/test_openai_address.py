"""Addresses of models on servers, what they mean for the words that go there, and keys."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from llmasos.core.base.errors import ModelError
from llmasos.core.engine.openai.address import Address, called, is_private, is_remote
from llmasos.core.engine.openai.key import Key


@pytest.mark.parametrize(
    ("said", "base", "name"),
    [
        ("openai:http://localhost:8080/v1/qwen3", "http://localhost:8080/v1", "qwen3"),
        ("openai:http://localhost:11434/llama3.2:3b", "http://localhost:11434/v1", "llama3.2:3b"),
        ("openai:https://API.Example.com/v1/org/model-7b", "https://api.example.com/v1", "org/model-7b"),
        ("openai:https://example.com:443/api/v3/m", "https://example.com/api/v3", "m"),
        ("openai:https://example.com/v1beta/openai/gemini", "https://example.com/v1beta/openai", "gemini"),
        ("openai:https://example.com/api/v1/openai/gpt-oss-20b", "https://example.com/api/v1", "openai/gpt-oss-20b"),
        ("openai:https://example.com/inference#openai/gpt", "https://example.com/inference", "openai/gpt"),
        ("openai:http://[::1]:8000/v1/m", "http://[::1]:8000/v1", "m"),
        ("openai:http://localhost:8080/v1", "http://localhost:8080/v1", ""),
        ("openai:http://localhost:8080", "http://localhost:8080/v1", ""),
        ("openai:http://localhost:8080/mistral-v0.1", "http://localhost:8080/v1", "mistral-v0.1"),
    ],
)
def test_where_the_server_ends_and_the_name_begins(said: str, base: str, name: str) -> None:
    address = Address.parse(said)
    assert (address.base, address.name) == (base, name)
    assert is_remote(said)


@pytest.mark.parametrize(
    "said",
    [
        "openai:", "openai:localhost:8080/m", "openai:ftp://localhost/m", "openai:http:///v1/m", "openai:http://a b/v1/m",
        "openai:http://localhost:99999/v1/m", "openai:http://localhost/v1/m?key=x", "openai:http://[::1/v1/m",
        "openai:http://host\n/v1/m", "openai:http://häuser.example/v1/m", "openai:http://[fe80::1%25eth0]/v1/m",
        "openai:https://ada:secret@example.com/v1/m", "openai:http://-\\x/v1/m", "openai:http://a..b/v1/m",
    ],
)  # fmt: skip
def test_no_address(said: str) -> None:
    with pytest.raises(ModelError) as caught:
        Address.parse(said)
    assert caught.value.remedy
    assert "secret" not in str(caught.value)


def test_a_model_must_be_named() -> None:
    with pytest.raises(ModelError, match=r"names no model on localhost:8080\. .*model info openai:http"):
        Address.named("openai:http://localhost:8080/v1")


@pytest.mark.parametrize(
    ("url", "whither"),
    [
        ("http://localhost:8080", "words are made by another program on this machine (localhost:8080)"),
        ("http://127.3.2.1", "words are made by another program on this machine (127.3.2.1)"),
        ("http://[::1]:80", "words are made by another program on this machine ([::1])"),
        ("http://192.168.1.5:8000", "words leave this machine: they go to 192.168.1.5:8000, unencrypted"),
        ("https://api.example.com", "words leave this machine: they go to api.example.com"),
        ("https://localhost.example.com", "words leave this machine: they go to localhost.example.com"),
    ],
)
def test_where_words_go(url: str, whither: str) -> None:
    address = Address.parse(f"openai:{url}/v1/m")
    assert address.whither == whither
    assert whither[1:] in address.told
    assert ("all that characters are, hear and remember, private things too" in address.told) is not address.stays


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "10.1.2.3", "172.31.0.1", "192.168.0.9", "169.254.1.1", "fd00::1", "fe80::1%eth0", "::ffff:10.0.0.1"]
)  # fmt: skip
def test_private(address: str) -> None:
    assert is_private(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "172.32.0.1", "100.64.0.1", "192.0.2.1", "2001:db8::1", "::ffff:8.8.8.8", "0.0.0.0", "::"]
)  # fmt: skip
def test_not_private(address: str) -> None:
    assert not is_private(address)


def test_what_it_is_called() -> None:
    assert called("smollm2") == "smollm2"
    assert called("/models/big.gguf") == "big.gguf"
    assert called("openai:https://example.com/v1/org/big") == "org/big at example.com"


def key_file(folder: Path, text: str, mode: int = 0o600) -> str:
    path = folder / "key"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_a_key_from_a_variable_or_a_file(tmp_path: Path) -> None:
    file = key_file(tmp_path, "  sk-file\n")
    assert (Key.read(file, {}).value, Key.read(file, {}).source) == ("sk-file", file)
    assert Key.read(file, {"LLMASOS_OPENAI_KEY": "sk-variable"}).value == "sk-variable"
    assert Key.read("", {}) == Key.read("", {"LLMASOS_OPENAI_KEY": " "}) == Key()


def test_a_key_is_not_in_what_is_printed_of_it() -> None:
    key = Key("sk-secret", "somewhere")
    assert "sk-secret" not in f"{key} {key!r}"
    assert key.hidden("a sk-secret b") == "a … b"
    assert Key().hidden("a") == "a"


def test_files_that_hold_no_key(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"can be read by others \(mode 644\).*chmod 600"):
        Key.read(key_file(tmp_path, "sk-x", 0o644), {})
    with pytest.raises(ModelError, match="spaces or line ends"):
        Key.read(key_file(tmp_path, "sk-x\r\nHost: evil"), {})
    with pytest.raises(ModelError, match="too long"):
        Key.read(key_file(tmp_path, "x" * 5000), {})
    with pytest.raises(ModelError, match="can't be read"):
        Key.read(str(tmp_path / "none"), {})
    with pytest.raises(ModelError, match="is no file"):
        Key.read(str(tmp_path), {})
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(ModelError, match="is no file"):
        Key.read(str(tmp_path / "pipe"), {})
    with pytest.raises(ModelError) as caught:
        Key.read("", {"LLMASOS_OPENAI_KEY": "sk-secret with blanks"})
    assert "sk-secret" not in str(caught.value)
