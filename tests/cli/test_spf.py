"""`hunter spf`: a policy evaluated against a real name server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from hunter.cli.main import Exit
from hunter.local.nameserver import NameServer

if TYPE_CHECKING:
    from tests.cli.conftest import Hunter

ZONE = r"""
contoso.test 300 TXT "v=spf1 include:spf.mail.test exists:%{i}.%{l}.allow.test -all exp=why.contoso.test"
why.contoso.test 300 TXT "%{i} is \027[31mnot ours"
spf.mail.test 300 TXT "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 ptr:mail.test ~all"
7.113.0.203.in-addr.arpa 300 PTR out.mail.test
out.mail.test 300 A 203.0.113.7
198.51.100.9.ann.allow.test 300 A 127.0.0.2
;! silent.test servfail
"""


@pytest.fixture
async def server() -> AsyncIterator[str]:
    async with NameServer(ZONE) as running:
        host, port = running.address
        yield f"{host}:{port}"


@pytest.mark.parametrize(
    ("sender", "address", "path"),
    [
        ("contoso.test", "192.0.2.9", ["include:spf.mail.test", "ip4:192.0.2.0/24"]),
        ("contoso.test", "2001:db8::9", ["include:spf.mail.test", "ip6:2001:db8::/32"]),
        ("contoso.test", "203.0.113.7", ["include:spf.mail.test", "ptr:mail.test"]),
        ("ann@Contoso.test", "198.51.100.9", ["exists:%{i}.%{l}.allow.test"]),
    ],
)
async def test_a_permitted_address_is_shown_with_the_way_to_its_term(
    hunter: Hunter, server: str, sender: str, address: str, path: list[str]
) -> None:
    ended = await hunter("spf", sender, address, "--json", HUNTER_DNS_SERVERS=server)

    found = json.loads(ended.out)
    assert (ended.code, found["result"]) == (Exit.OK, "pass")
    assert [term for _, term in found["path"]] == path


async def test_a_refused_address_is_told_why_without_commands_to_the_terminal(
    hunter: Hunter, server: str
) -> None:
    ended = await hunter("spf", "contoso.test", "203.0.113.8", HUNTER_DNS_SERVERS=server)

    assert ended.code == Exit.OK
    assert ended.out.splitlines() == [
        "fail: 203.0.113.8 for contoso.test",
        "  contoso.test: -all",
        r"  203.0.113.8 is \x1b[31mnot ours",
        "  3 of 10 look-ups, 2 of 2 void",
    ]


async def test_a_domain_whose_name_server_fails_is_a_temporary_error(
    hunter: Hunter, server: str
) -> None:
    ended = await hunter("spf", "silent.test", "192.0.2.1", HUNTER_DNS_SERVERS=server)

    assert ended.code == Exit.UNKNOWN
    assert ended.out.startswith("temperror: 192.0.2.1 for silent.test\n")
    assert "silent.test TXT was not answered (servfail)" in ended.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("contoso.test", "1.2.3"), "hunter: ADDRESS: '1.2.3' is no IPv4 or IPv6 address"),
        (("ann@", "192.0.2.1"), "hunter: SENDER: "),
    ],
)
async def test_wrong_arguments_are_told_in_one_line(
    hunter: Hunter, arguments: tuple[str, str], told: str
) -> None:
    ended = await hunter("spf", *arguments)

    assert ended.code == Exit.USAGE
    assert ended.err.startswith(told)
    assert len(ended.err.splitlines()) == 1
