"""What a registry says of a domain: who registered it, since when and until when."""

from __future__ import annotations

import datetime as dt

import msgspec


class Registration(msgspec.Struct, frozen=True, omit_defaults=True):
    """Registration data of a domain; what the registry does not say is empty."""

    #: ISO 8601 instant of the registry's answer
    observed_at: str
    #: RDAP URL or WHOIS server that said it, shown as evidence
    source: str = ""
    registrar: str = ""
    created: dt.date | None = None
    expires: dt.date | None = None
    #: as RDAP writes them, RFC 8056: "client transfer prohibited"
    statuses: tuple[str, ...] = ()
