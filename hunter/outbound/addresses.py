"""Addresses Hunter may connect to: one open table of those that it may not, and why (RFC 6890)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

#: IANA's special-purpose registry, and what is special without being registered
_NEVER_V4: Final = (
    ("0.0.0.0/8", "this network (RFC 791)"),
    ("10.0.0.0/8", "private (RFC 1918)"),
    ("100.64.0.0/10", "shared by a carrier's customers (RFC 6598)"),
    ("127.0.0.0/8", "loopback (RFC 1122)"),
    ("168.63.129.16/32", "the host of a cloud machine"),
    ("169.254.0.0/16", "link-local (RFC 3927)"),
    ("172.16.0.0/12", "private (RFC 1918)"),
    ("192.0.0.0/24", "protocol assignments (RFC 6890)"),
    ("192.0.2.0/24", "documentation (RFC 5737)"),
    ("192.31.196.0/24", "an AS112 sink (RFC 7535)"),
    ("192.52.193.0/24", "a multicast relay (RFC 7450)"),
    ("192.88.99.0/24", "a 6to4 relay (RFC 7526)"),
    ("192.168.0.0/16", "private (RFC 1918)"),
    ("192.175.48.0/24", "an AS112 sink (RFC 7534)"),
    ("198.18.0.0/15", "benchmarking (RFC 2544)"),
    ("198.51.100.0/24", "documentation (RFC 5737)"),
    ("203.0.113.0/24", "documentation (RFC 5737)"),
    ("224.0.0.0/4", "multicast (RFC 5771)"),
    ("240.0.0.0/4", "reserved (RFC 1112)"),
)
#: within 2000::/3; everything outside it is refused as a whole
_NEVER_V6: Final = (
    ("2001::/32", "Teredo, which hides an IPv4 address (RFC 4380)"),
    ("2001::/23", "protocol assignments (RFC 2928)"),
    ("2001:db8::/32", "documentation (RFC 3849)"),
    ("2002::/16", "6to4, which hides an IPv4 address (RFC 3056)"),
    ("2620:4f:8000::/48", "an AS112 sink (RFC 7534)"),
    ("3fff::/20", "documentation (RFC 9637)"),
)
#: outside 2000::/3, to say more than "not global"
_ELSEWHERE_V6: Final = (
    ("::/128", "unspecified (RFC 4291)"),
    ("::1/128", "loopback (RFC 4291)"),
    ("::/96", "an IPv4 address in an abandoned form (RFC 4291)"),
    ("64:ff9b:1::/48", "local translation to IPv4 (RFC 8215)"),
    ("100::/64", "the discard prefix (RFC 6666)"),
    ("5f00::/16", "segment routing (RFC 9602)"),
    ("fc00::/7", "private (RFC 4193)"),
    ("fe80::/10", "link-local (RFC 4291)"),
    ("fec0::/10", "site-local (RFC 3879)"),
    ("ff00::/8", "multicast (RFC 4291)"),
)
#: inside private networks, and never an operator's own server
_METADATA: Final = frozenset(
    ip_address(each) for each in ("100.100.100.200", "fd00:ec2::254", "fd20:ce::254")
)
_V4: Final = tuple((IPv4Network(net), why) for net, why in _NEVER_V4)
_V6: Final = tuple((IPv6Network(net), why) for net, why in _NEVER_V6 + _ELSEWHERE_V6)
_GLOBAL: Final = IPv6Network("2000::/3")
#: what DNS64 gives a network without IPv4: as good as the IPv4 address inside (RFC 6052)
_NAT64: Final = IPv6Network("64:ff9b::/96")


def refusal(address: str) -> str:
    """Why Hunter does not connect to an address; "" when it may.

    Total: text that is no address, and an address with a zone, are refused too. IPv4 inside IPv6
    (mapped, RFC 4291; translated, RFC 6052) is judged as that IPv4 address.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return "not an address"
    if isinstance(found, IPv6Address):
        if found.scope_id is not None:
            return "bound to one link (RFC 4007)"
        inner = _inner(found)
        return _why_not_v6(found) if inner is None else _why_not_v4(inner)
    return _why_not_v4(found)


#: what an operator's own server may have, of what others may not: private, shared and loopback
_OWN: Final = tuple(
    ip_network(each)
    for each in (
        *("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
        *("::1/128", "fc00::/7"),
    )
)


def refusal_for_operator(address: str) -> str:
    """Why Hunter does not connect to a server that its settings name; "" when it may.

    Private addresses are where such servers are; a cloud's metadata services are among them.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return "not an address"
    if isinstance(found, IPv6Address):
        found = _inner(found) or found
    if found in _METADATA:
        return "a metadata service"
    is_own = any(found.version == each.version and found in each for each in _OWN)
    return "" if is_own else refusal(str(found))


def is_loopback(address: str) -> bool:
    """True for 127.0.0.0/8 and ::1, in these forms only."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return found in _V4[3][0] if isinstance(found, IPv4Address) else found == IPv6Address(1)


def _inner(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped


def _why_not_v4(address: IPv4Address) -> str:
    return next((why for network, why in _V4 if address in network), "")


def _why_not_v6(address: IPv6Address) -> str:
    named = next((why for network, why in _V6 if address in network), "")
    return named or ("" if address in _GLOBAL else "not global unicast (RFC 4291)")
