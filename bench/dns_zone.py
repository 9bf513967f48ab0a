"""The companies that the DNS benchmarks ask about, their zones, and what a right answer tells."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hunter.core.answers import RRType

DOMAINS = 20_000
#: the questions of the "questions" columns, eight a domain; the last name does not exist
SETS = (
    (RRType.MX, ""),
    (RRType.TXT, ""),
    (RRType.NS, ""),
    (RRType.TXT, "_dmarc"),
    (RRType.CNAME, "autodiscover"),
    (RRType.CNAME, "enterpriseregistration"),
    (RRType.CNAME, "selector1._domainkey"),
    (RRType.CNAME, "selector2._domainkey"),
)
Question = tuple[str, RRType]
#: "" when there are no such records, LOST when there was no answer, else the sorted records
Told = str
LOST = "lost"

_KEY = "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQ"
_SOA = "ns1.hoster.example. host.hoster.example. 1 7200 900 86400 300"
_NUMBER = re.compile(r"firma(\d+)")


class Zone(NamedTuple):
    """One zone: its name without the final dot ("" is the root), and its lines without the SOA."""

    name: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The zone as a file of RFC 1035 section 5."""
        origin = f"{self.name}."
        return "\n".join([f"{origin} 300 SOA {_SOA}", *self.lines, ""])


def domain_of(number: int) -> str:
    """Name of a company of the zone."""
    return f"firma{number % DOMAINS}.example"


def records_of(number: int) -> dict[tuple[RRType, str], list[str]]:
    """What the zone says about a company."""
    tenant = f"firma{number % DOMAINS}"
    return {
        (RRType.MX, ""): [f"10 {tenant}-example.mail.protection.outlook.com"],
        (RRType.TXT, ""): [
            "v=spf1 include:spf.protection.outlook.com -all",
            f"MS=ms{number % DOMAINS:08}",
        ],
        (RRType.NS, ""): ["ns1.hoster.example", "ns2.hoster.example"],
        (RRType.TXT, "_dmarc"): [f"v=DMARC1; p=none; rua=mailto:dmarc@{tenant}.example"],
        (RRType.CNAME, "autodiscover"): ["autodiscover.outlook.com"],
        (RRType.CNAME, "enterpriseregistration"): ["enterpriseregistration.windows.net"],
        (RRType.CNAME, "selector1._domainkey"): [
            f"selector1-{tenant}-example._domainkey.{tenant}.onmicrosoft.com"
        ],
    }


def questions_of(number: int) -> list[Question]:
    """The eight questions about a company."""
    domain = domain_of(number)
    return [(f"{label}.{domain}" if label else domain, rrtype) for rrtype, label in SETS]


def expected_of(number: int) -> list[Told]:
    """What a right answer to each of the eight tells."""
    known = records_of(number)
    return [" | ".join(sorted(known.get(key, []))) for key in SETS]


def expected_at(name: str, rrtype: RRType) -> Told | None:
    """What a right answer to any question about a company tells; None for other names."""
    label, _, rest = name.rpartition("firma")
    found = _NUMBER.match(f"firma{rest}")
    if not found or f"firma{rest}" != f"{found.group()}.example":
        return None
    known = records_of(int(found.group(1)))
    label = label.removesuffix(".")
    if rrtype is RRType.SOA or (rrtype is not RRType.CNAME and (RRType.CNAME, label) in known):
        return None  # what stands behind an alias depends on who follows it
    return " | ".join(sorted(known.get((rrtype, label), [])))


# ── zones ──


def companies(domains: int) -> Iterator[Zone]:
    """A zone for each of so many companies."""
    for number in range(domains):
        domain = domain_of(number)
        lines = []
        for (rrtype, label), records in records_of(number).items():
            owner = f"{label}.{domain}." if label else f"{domain}."
            dot = "" if rrtype is RRType.TXT else "."
            quote = '"' if rrtype is RRType.TXT else ""
            lines += [f"{owner} 300 {rrtype} {quote}{record}{quote}{dot}" for record in records]
        yield Zone(domain, tuple(lines))


#: zones that the companies' records lead to
OPERATORS = (
    Zone(
        "outlook.com",
        (
            "outlook.com. 300 NS ns1.hoster.example.",
            '*.protection.outlook.com. 300 TXT "v=spf1 ip4:192.0.2.0/24 -all"',
            "*.mail.protection.outlook.com. 300 A 203.0.113.5",
            "autodiscover.outlook.com. 300 A 203.0.113.6",
        ),
    ),
    Zone(
        "windows.net",
        (
            "windows.net. 300 NS ns1.hoster.example.",
            "enterpriseregistration.windows.net. 300 A 203.0.113.7",
        ),
    ),
    Zone(
        "onmicrosoft.com",
        (
            "onmicrosoft.com. 300 NS ns1.hoster.example.",
            f'*.onmicrosoft.com. 300 TXT "{_KEY}"',
        ),
    ),
)


def leaves(addresses: Sequence[str], domains: int) -> Iterator[Zone]:
    """The zones at the ends of the tree; ns1 and ns2 of the hoster have these addresses."""
    yield Zone(
        "hoster.example",
        (
            "hoster.example. 300 NS ns1.hoster.example.",
            "hoster.example. 300 NS ns2.hoster.example.",
            *_hoster(addresses),
        ),
    )
    yield from OPERATORS
    yield from companies(domains)


def flat(domains: int = DOMAINS) -> Iterator[Zone]:
    """Everything for one server, with a root of its own, so that any other name does not exist."""
    yield Zone("", (". 300 NS ns1.hoster.example.",))
    yield from leaves(["127.0.0.1", "127.0.0.1"], domains)


def _hoster(addresses: Sequence[str]) -> list[str]:
    return [
        f"ns{place}.hoster.example. 300 A {address}" for place, address in enumerate(addresses, 1)
    ]


def root(address: str, below: str) -> Zone:
    """The root on `address`; `example`, `com` and `net` are on `below`."""
    lines = [". 300 NS a.root-servers.net.", f"a.root-servers.net. 300 A {address}"]
    lines += [f"{name}. 300 NS ns.registry.net." for name in ("example", "com", "net")]
    return Zone("", (*lines, f"ns.registry.net. 300 A {below}"))


def registries(address: str, addresses: Sequence[str], domains: int) -> Iterator[Zone]:
    """`example`, `com` and `net` on `address`, which delegate all else to the hoster's servers."""
    for name, below in (
        ("com", ["outlook.com", "onmicrosoft.com"]),
        ("net", ["windows.net"]),
        ("example", ["hoster.example", *map(domain_of, range(domains))]),
    ):
        lines = [f"{name}. 300 NS ns.registry.net."]
        if name == "net":
            lines.append(f"ns.registry.net. 300 A {address}")
        if name == "example":
            lines += _hoster(addresses)
        lines += [
            f"{child}. 300 NS ns{place}.hoster.example." for child in below for place in (1, 2)
        ]
        yield Zone(name, tuple(lines))
