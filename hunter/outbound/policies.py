"""MTA-STS policy files, fetched as RFC 8461 section 3.3 says a sender must."""

from __future__ import annotations

import asyncio
from typing import Final

from hunter.core.answers import PolicyFile, PolicyState
from hunter.core.registration import plain_text
from hunter.outbound.guard import Failure, OutboundError
from hunter.outbound.http import Http, Limits, Response

#: section 3.3: a limit of 64 kB and of one minute are its examples; a survey waits less long
LIMITS: Final = Limits(timeout_s=10.0, body_bytes=64 * 1024)
_AT_ONCE: Final = 50
_OK: Final = 200
_GONE: Final = frozenset({404, 410})
#: what the server did, and would do to every sender. An address that the guard refuses may be our
#: own resolver's, which blocks the name or knows another one inside
_PROVED: Final = frozenset({Failure.CERTIFICATE, Failure.TOO_LARGE})


class Policies:
    """Fetches policy files, a bounded number at once. Never raises."""

    def __init__(self, http: Http, *, port: int = 443) -> None:
        self._http = http
        self._port = "" if port == 443 else f":{port}"  # https
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def fetch(self, domain: str) -> PolicyFile:
        """The policy file of a domain, or what stands in its place.

        No redirection is followed and a certificate for mta-sts.<domain> is asked for. A refusal
        that may be meant for Hunter alone (403, 429, 5xx) proves nothing.
        """
        url = f"https://mta-sts.{domain}{self._port}/.well-known/mta-sts.txt"
        try:
            async with self._room:
                found = await self._http.get(url, LIMITS, accept="text/plain")
        except OutboundError as error:
            return _failed(error)
        return _read(found)


def _failed(error: OutboundError) -> PolicyFile:
    if error.failure is Failure.NO_HOST:
        return PolicyFile(PolicyState.ABSENT, reason=str(error))
    state = PolicyState.UNUSABLE if error.failure in _PROVED else PolicyState.UNKNOWN
    return PolicyFile(state, reason=str(error))


def _read(found: Response) -> PolicyFile:
    if found.status in _GONE:
        return PolicyFile(PolicyState.ABSENT, reason=f"HTTP {found.status}")
    if found.status != _OK:
        # 2xx and 3xx are the server's plan, not its trouble
        is_plan = found.status < 400  # RFC 9110 section 15
        state = PolicyState.UNUSABLE if is_plan else PolicyState.UNKNOWN
        return PolicyFile(state, reason=f"HTTP {found.status}, where only 200 counts")
    if found.media_type != "text/plain":
        kind = plain_text(found.media_type)[:60] or "no type"
        return PolicyFile(PolicyState.UNUSABLE, reason=f"{kind} instead of text/plain")
    text = found.body.decode("utf-8", "replace").replace("\0", "\ufffd")
    return PolicyFile(PolicyState.FETCHED, text=text)
