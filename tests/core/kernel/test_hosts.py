"""Hosts as they are granted, what a URL asks for, and addresses that nothing may lead to."""

from __future__ import annotations

import pytest

from llmasos.core.kernel.network import Host, Target
from llmasos.core.kernel.network.addresses import refusal

COVERED = """
example.org                 https://example.org
example.org                 https://EXAMPLE.org/a?b=c#d
example.org                 https://example.org:443/
example.org:443             https://example.org/
*.example.org               https://api.example.org/
*.example.org               https://a.b.example.org/
example.org:8443            https://example.org:8443/x
http://example.org          http://example.org/
http://example.org:8080     http://example.org:8080/
https://example.org         https://example.org/
93.184.215.14               https://93.184.215.14/
local:nas.lan               https://nas.lan/
local:http://10.0.0.7       http://10.0.0.7/
local:http://[fe80::1]:80   http://[fe80::1]/
xn--bcher-kva.example       https://xn--bcher-kva.example/
"""

NOT_COVERED = """
example.org                 http://example.org/
example.org                 https://example.org:444/
example.org                 https://www.example.org/
example.org                 https://example.org.evil.net/
example.org                 https://evilexample.org/
*.example.org               https://example.org/
*.example.org               https://evilexample.org/
*.example.org               https://api.example.org.evil.net/
http://example.org          https://example.org/
local:nas.lan               http://nas.lan/
"""


def pairs(table: str) -> list[tuple[str, str]]:
    return [(line.split()[0], line.split()[1]) for line in table.strip().splitlines()]


@pytest.mark.parametrize(("said", "url"), pairs(COVERED))
def test_a_grant_covers(said: str, url: str) -> None:
    assert Host.parse(said).covers(Target.parse(url))


@pytest.mark.parametrize(("said", "url"), pairs(NOT_COVERED))
def test_a_grant_covers_nothing_else(said: str, url: str) -> None:
    assert not Host.parse(said).covers(Target.parse(url))


@pytest.mark.parametrize(
    "said",
    [
        "", "*", "*.*", "*.org", "*.com", "**.example.org", "a.*.example.org", "Example.org", "example.org/", "example.org/a",
        "example.org?x", "user@example.org", "user:pass@example.org", "example.org:", "example.org:x", "example.org:99999",
        "ftp://example.org", "local:*.lan", "local:", "http://", "exa mple.org", "example.org\n", "bücher.example", "example.org.",
        ".example.org", "-example.org", "*.127.0.0.1", "fe80::1", "example.org#a", "https://https://example.org", "a\\b.org",
    ],
)  # fmt: skip
def test_what_is_no_host_to_grant(said: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Host.parse(said)


@pytest.mark.parametrize(
    "url",
    [
        "", "example.org", "//example.org/", "ftp://example.org/", "file:///etc/passwd", "https://", "https:///x",
        "https://user@example.org/", "https://example.org@evil.net/", "https://example.org\\@evil.net/", "https://exa mple.org/",
        "https://example.org/ü", "https://example.org/\n", "https://example.org/\r\nHost: evil.net", "https://example.org:x/",
        "https://example.org:70000/", "https://[::1", "https://[fe80::1%25eth0]/", "https://example.org%2eevil.net/",
        "https://" + "a" * 9000, "https://bücher.example/", "javascript:alert(1)", "https://example..org/", "https://\0example.org/",
    ],
)  # fmt: skip
def test_what_is_no_url_to_fetch(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Target.parse(url)


def test_what_a_url_asks_for() -> None:
    target = Target.parse("HTTPS://API.example.org:8443/a/b?key=secret#part")
    assert (target.scheme, target.host, target.port) == ("https", "api.example.org", 8443)
    assert target.path == "/a/b?key=secret"
    assert target.authority == "api.example.org:8443"
    assert target.shown == "https://api.example.org:8443/a/b", "no key in the log"
    assert str(Target.parse("http://[2606:4700::1111]")) == "http://[2606:4700::1111]/"


INTERNET = [
    "93.184.215.14",
    "1.1.1.1",
    "8.8.8.8",
    "2606:4700:4700::1111",
    "2a00:1450:4001:80b::200e",
    "64:ff9b::1.1.1.1",
]
HOME = [
    "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "172.31.255.254", "192.168.1.1", "169.254.1.1", "100.64.0.1",
    "198.18.0.5", "::1", "fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%eth0", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::ffff:c0a8:0101", "64:ff9b::10.0.0.1", "64:ff9b::127.0.0.1",
]  # fmt: skip
NOWHERE = [
    "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.250", "255.255.255.255", "240.0.0.1", "192.0.0.8", "192.0.2.1",
    "198.51.100.7", "203.0.113.7", "::", "ff02::1", "ff0e::1", "2001:db8::1", "2002:7f00:1::", "2001::1", "100::1",
    "64:ff9b:1::1", "::127.0.0.1", "fec0::1", "::ffff:0.0.0.0", "5f00::1", "localhost", "", "1.2.3", "0x7f.1", "2130706433",
]  # fmt: skip
KEYS = [
    "169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::169.254.169.254", "169.254.170.2", "100.100.100.200",
    "168.63.129.16", "fd00:ec2::254", "192.0.0.192",
]  # fmt: skip


@pytest.mark.parametrize("address", INTERNET)
def test_the_internet_may_be_reached(address: str) -> None:
    assert refusal(address, local=False) == refusal(address, local=True) == ""


@pytest.mark.parametrize("address", HOME)
def test_the_home_only_where_it_is_meant(address: str) -> None:
    assert refusal(address, local=False)
    assert refusal(address, local=True) == ""


@pytest.mark.parametrize("address", NOWHERE + KEYS)
def test_never(address: str) -> None:
    assert refusal(address, local=False)
    assert refusal(address, local=True)
