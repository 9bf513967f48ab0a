"""Registration data of a domain, from the registry responsible: RDAP (RFC 9082), or WHOIS where it has none."""

from __future__ import annotations

import datetime as dt
import email.utils
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlsplit

import msgspec

from hunter.core.errors import Unavailable
from hunter.core.rdap import Bootstrap, is_not_found, parse_registration
from hunter.core.registration import Registration, RegistrationState, unknown
from hunter.core.whois import parse_trabis
from hunter.outbound.guard import OutboundError
from hunter.outbound.http import Http, Limits, Response
from hunter.outbound.rates import Rates

#: RFC 7480 section 5.2: a server may send on to another; each hop is checked by the guard
LIMITS: Final = Limits(timeout_s=10.0, body_bytes=256 * 1024, redirects=3)
_ACCEPT: Final = "application/rdap+json, application/json;q=0.9"
#: registries without RDAP whose text Hunter reads, by the domains below them
WHOIS: Final[Mapping[str, tuple[str, int]]] = {"tr": ("whois.trabis.gov.tr", 43)}
_WHOIS_BYTES: Final = 64 * 1024
_WHOIS_TIMEOUT_S: Final = 10.0
#: RFC 9224 section 3: any server of a service will do; so many are tried
_MOST_SERVERS: Final = 2
_DEFAULT_REST_S: Final = 60
_LONGEST_REST_S: Final = 86_400
_OK, _NOT_FOUND, _TOO_MANY, _AWAY = 200, 404, 429, 503


class Told(msgspec.Struct, frozen=True):
    """What came of one look-up."""

    registration: Registration
    #: seconds the registry wants to be left alone; 0 when it did not say
    retry_after_s: int = 0
    #: False when no registry is known that could be asked
    is_served: bool = True


class Registries:
    """Asks registries, within the limits that each has. Never raises."""

    def __init__(
        self,
        http: Http,
        bootstrap: Bootstrap,
        rates: Rates,
        *,
        whois: Mapping[str, tuple[str, int]] = WHOIS,
    ) -> None:
        self._http = http
        self._bootstrap = bootstrap
        self._rates = rates
        self._whois = whois

    async def look_up(self, domain: str) -> Told:
        """The registration of a name that one registrant holds (lower-case A-labels)."""
        urls = self._bootstrap.servers_for(domain)
        server = self._whois.get(domain.rpartition(".")[2])
        try:
            if urls:
                return await self._ask_rdap(domain, urls)
            if server:
                return await self._ask_whois(domain, *server)
        except Unavailable as error:
            return Told(unknown(domain, str(error)), error.retry_after_s)
        return Told(
            unknown(domain, "Its registry has no service that Hunter knows."), is_served=False
        )

    async def _ask_rdap(self, domain: str, urls: tuple[str, ...]) -> Told:
        told = Told(unknown(domain, "no server"))
        for url in urls[:_MOST_SERVERS]:
            host = urlsplit(url).hostname or ""
            await self._rates.turn(host)
            try:
                found = await self._http.get(
                    f"{url.rstrip('/')}/domain/{quote(domain)}", LIMITS, accept=_ACCEPT
                )
            except OutboundError as error:
                told = Told(unknown(domain, str(error), server=host, source="rdap"))
                continue
            return self._read(domain, host, found)
        return told

    def _read(self, domain: str, host: str, found: Response) -> Told:
        now = dt.datetime.now(dt.UTC)
        if found.status == _OK:
            return Told(parse_registration(found.body, domain, server=host, observed_at=now))
        # sent on to somebody else, a 404 speaks for that server only
        if found.status == _NOT_FOUND and not found.hops and is_not_found(found.body):
            return Told(
                Registration(
                    domain,
                    RegistrationState.UNREGISTERED,
                    source="rdap",
                    server=host,
                    observed_at=now.isoformat(),
                )
            )
        rest_s = 0
        if found.status in {_TOO_MANY, _AWAY}:
            rest_s = retry_after(found.headers.get("retry-after", ""), now)
            self._rates.rest(host, rest_s)
        reason = f"HTTP {found.status}"
        return Told(unknown(domain, reason, server=host, source="rdap"), rest_s)

    async def _ask_whois(self, domain: str, host: str, port: int) -> Told:
        await self._rates.turn(host)
        try:
            # RFC 3912: one line there, and everything back until the server hangs up
            data = await self._http.guard.exchange(
                host,
                port,
                f"{domain}\r\n".encode("ascii"),
                limit=_WHOIS_BYTES,
                timeout_s=_WHOIS_TIMEOUT_S,
            )
        except OutboundError as error:
            return Told(unknown(domain, str(error), server=host, source="whois"))
        now = dt.datetime.now(dt.UTC)
        return Told(parse_trabis(data, domain, server=host, observed_at=now))


def retry_after(value: str, now: dt.datetime) -> int:
    """Seconds of a Retry-After field, which has seconds or a date (RFC 9110 section 10.2.3).

    A minute where there is none, a day at most.
    """
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:9]), _LONGEST_REST_S)
    try:
        until = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return _DEFAULT_REST_S
    if until.tzinfo is None:
        until = until.replace(tzinfo=dt.UTC)
    return max(0, min(int((until - now).total_seconds()), _LONGEST_REST_S))
