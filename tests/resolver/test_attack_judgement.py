"""Whatever a name server does: nothing false is said about a Microsoft customer, nor about anybody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from hunter.core.answers import Depth
from hunter.local.misbehaviour import BEHAVIOURS
from hunter.local.nameserver import NameServer
from hunter.resolver.engine import Engine
from hunter.resolver.tuning import Tuning

Opener = Callable[..., Awaitable[Engine]]
Lies = Callable[..., Awaitable[list[str]]]

CUSTOMER = """
contoso.com 300 SOA ns1.contoso.com host.contoso.com 1 2 3 4 60
contoso.com MX 0 contoso-com.mail.protection.outlook.com
contoso.com TXT "v=spf1 include:spf.protection.outlook.com -all"
contoso.com TXT "MS=ms12345678"
contoso.com NS ns1.contoso.com
contoso.com A 192.0.2.10
_dmarc.contoso.com TXT "v=DMARC1; p=reject"
autodiscover.contoso.com CNAME autodiscover.outlook.com
enterpriseregistration.contoso.com CNAME enterpriseregistration.windows.net
enterpriseenrollment.contoso.com CNAME enterpriseenrollment.manage.microsoft.com
_sipfederationtls._tcp.contoso.com SRV 100 1 5061 sipfed.online.lync.com
selector1._domainkey.contoso.com CNAME selector1-contoso-com._domainkey.contoso.onmicrosoft.com
selector1-contoso-com._domainkey.contoso.onmicrosoft.com TXT "v=DKIM1; k=rsa; p="
contoso-com.mail.protection.outlook.com A 192.0.2.3
spf.protection.outlook.com TXT "v=spf1 ip4:192.0.2.2 -all"
autodiscover.outlook.com A 192.0.2.5
enterpriseregistration.windows.net A 192.0.2.6
"""
#: with a tenant that shows in one record alone, which a lie must not take away
HIDDEN = """
fabrikam.com 300 SOA ns1.fabrikam.com host.fabrikam.com 1 2 3 4 60
fabrikam.com MX 10 mail.fabrikam.com
fabrikam.com TXT "v=spf1 mx -all"
mail.fabrikam.com A 192.0.2.20
enterpriseregistration.fabrikam.com CNAME enterpriseregistration.windows.net
enterpriseregistration.windows.net A 192.0.2.6
"""
EMPTY = """
parked.example 300 SOA ns1.parked.example host.parked.example 1 2 3 4 60
parked.example TXT "v=spf1 -all"
"""
#: a busy machine makes more time-outs of these, and a time-out is never false
HASTY = Tuning(timeouts_s=(0.06, 0.06, 0.06), tick_s=0.01, tcp_timeout_s=0.15, sockets_min=4)
#: a statement in due form that nobody can tell from the truth; that it is one server's word is all
#: there is to say, and a second server's word all there is to do
UNDETECTABLE = {"nxdomain", "hijack"}
NUMBERS = {
    "cut": "40",
    "delay": "60",
    "delay-first": "400",
    "drop-first": "2",
    "servfail-first": "1",
    "loss": "50",
    "storm": "100",
}


def _directive(word: str) -> str:
    value = f"={NUMBERS.get(word, '2')}" if f"{word}=" in BEHAVIOURS[word] else ""
    udp = "truncate " if word.startswith("tcp-") else ""
    return f"\n;! . {udp}{word}{value}"


@pytest.mark.parametrize("depth", Depth)
@pytest.mark.parametrize(
    ("domain", "zone"),
    [("contoso.com", CUSTOMER), ("fabrikam.com", HIDDEN), ("parked.example", EMPTY)],
)
async def test_nothing_false_is_said(
    domain: str, zone: str, depth: Depth, open_quick: Opener, lies: Lies
) -> None:
    """Every word that the name server knows, each against the honest answers of the same zone."""

    async def told(word: str) -> tuple[str, list[str]]:
        async with NameServer(zone + _directive(word)) as liar:
            engine = await open_quick(liar, tuning=HASTY)
            return word, await lies(zone, engine, domain, depth)

    found = await asyncio.gather(*(told(word) for word in BEHAVIOURS if word not in UNDETECTABLE))

    assert {word: false for word, false in found if false} == {}
