"""From which address a request comes: the peer's, or what our own proxies say in front of it."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from aiohttp import web

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """HUNTER_TRUSTED_PROXIES as networks."""
    return tuple(map(ipaddress.ip_network, texts))


def client_address(request: web.Request, trusted: Sequence[Network]) -> str:
    """Who to hold to account; an IPv6 address counts as its /64, which is one customer's.

    X-Forwarded-For is read from its end, and only as long as the one who wrote it is trusted: what
    a stranger puts in front is never believed.
    """
    peer = _parsed(request.remote or "")
    if peer is None:
        return "local"
    if trusted and _is_in(peer, trusted):
        hops = ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")
        for hop in reversed(hops):
            address = _parsed(hop.strip())
            if address is None:
                break
            peer = address
            if not _is_in(peer, trusted):
                break
    return _told(peer)


def _parsed(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def _is_in(address: _Address, trusted: Sequence[Network]) -> bool:
    return any(address in network for network in trusted)


def _told(address: _Address) -> str:
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
