"""Around every request: its id, one log line, metrics, a place, the caller, and a deadline."""

from __future__ import annotations

import asyncio
import math
import re
import time
import uuid
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import structlog
from aiohttp import HttpVersion11, web
from aiohttp.typedefs import Handler

from hunter.core.credentials import is_key_id
from hunter.core.errors import HunterError, QuotaExceeded
from hunter.core.gcra import Limit, Verdict
from hunter.core.scopes import PUBLIC, Scope, allows
from hunter.queue.limits import Limits
from hunter.store import audit
from hunter.store.audit import ACTOR, Actor
from hunter.store.database import Connection
from hunter.web.addresses import Network, client_address
from hunter.web.admission import ADMISSION, PLACE, Load, Place
from hunter.web.callers import CALLERS, SIGNED_CALLER, Caller
from hunter.web.keys import CALLER, CONFIG, DB, HEALTH, METRICS, REQUEST_ID, SCOPES
from hunter.web.policies import DEADLINES_S, POLICIES, Policy
from hunter.web.problems import Forbidden, TookTooLong, TooManyRequests, from_aiohttp

log = structlog.get_logger()

API: Final = "/api/v1"
#: when the unversioned paths were deprecated (RFC 9745) and when they end (RFC 8594)
DEPRECATED_AT: Final = "@1767225600"
SUNSET_AT: Final = "Fri, 31 Dec 2027 23:59:59 GMT"

LIMITS: Final = web.AppKey("limits", Limits)
#: networks of proxies whose X-Forwarded-For is believed
TRUSTED: Final = web.AppKey("trusted", Sequence[Network])
_TOLD: Final = web.RequestKey("rate_limit", tuple[Limit, Verdict])
_DEADLINE: Final = web.RequestKey("deadline", asyncio.Timeout)

#: what an incoming X-Request-ID must match to be kept: it is written to logs and headers
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NO_ENDPOINT: Final = "unmatched"


@web.middleware
async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its id; afterwards write its one log line and count it."""
    request_id = _name(request)
    start, status = time.perf_counter(), 499
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        try:
            response = await handler(request)
            status = response.status
        finally:
            _record(request, status, time.perf_counter() - start)
    return response


def _name(request: web.Request) -> str:
    given = request.headers.get("X-Request-ID", "")
    request_id = given if _REQUEST_ID.fullmatch(given) else str(uuid.uuid4())
    request[REQUEST_ID] = request_id
    return request_id


async def answer_expectation(request: web.Request) -> web.Response | None:
    """Ask for the body, or refuse an expectation nobody knows (RFC 9110 section 10.1.1).

    The framework asks this before any middleware.
    """
    if request.version < HttpVersion11:
        return None
    if request.headers.get("Expect", "").lower() != "100-continue":
        _name(request)
        return from_aiohttp(request, web.HTTPExpectationFailed())
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # the answer has not begun
    return None


def _record(request: web.Request, status: int, seconds: float) -> None:
    policy = policy_of(request)
    endpoint = policy.endpoint if policy is not None else _NO_ENDPOINT
    request.app[METRICS].count_request(request.method, endpoint, status, seconds)
    is_probe = policy is not None and policy.load is Load.PROBE
    write = log.debug if is_probe else log.info
    write(
        "request finished",
        method=request.method if len(request.method) < 20 else "other",
        endpoint=endpoint,
        status=status,
        duration_ms=round(seconds * 1000, 1),
        caller=request.get(CALLER),
    )


def endpoint_of(request: web.Request) -> str:
    """The route's template: a closed set, whatever paths are asked for."""
    policy = policy_of(request)
    return policy.endpoint if policy is not None else _NO_ENDPOINT


def policy_of(request: web.Request) -> Policy | None:
    """What holds for the route; None when no route was found, which wants a key too."""
    return request.app[POLICIES].get(request.match_info.route)


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A place for the request, or 503 before anything else is done; then its caller, then its work."""
    policy = policy_of(request)
    load = policy.load if policy is not None else Load.READ
    if load is Load.PROBE:
        request[CALLER], request[SCOPES] = "anonymous", frozenset()
        return await handler(request)
    gate = request.app[ADMISSION].gates[load]
    await gate.enter()
    place = request[PLACE] = Place(gate)
    try:
        return await _as_somebody(request, handler, policy)
    finally:
        place.leave()


async def _as_somebody(
    request: web.Request, handler: Handler, policy: Policy | None
) -> web.StreamResponse:
    """Find out who asks and whether they may, then do it within the deadline."""
    if policy is not None and policy.scope == PUBLIC:
        request[CALLER], request[SCOPES] = "anonymous", frozenset()
        return await _in_time(request, handler, policy)
    if policy is not None and policy.takes_signature and _says_signed(request):
        request[CALLER], request[SCOPES] = SIGNED_CALLER, frozenset({Scope.SCAN_WRITE})
        await _require_pace(request, request.app[CALLERS].signed)
        return await _audited(request, handler, policy, Actor(SIGNED_CALLER, request[REQUEST_ID]))
    shown = _shown_key(request)
    callers = request.app[CALLERS]
    if shown:
        address = _address(request)
        caller = await callers.identify(shown, address, request.app[DB])
    else:
        caller = callers.stranger()
    request[CALLER], request[SCOPES] = caller.id, caller.scopes
    await _require_pace(request, caller)
    if policy is None:
        return await handler(request)  # there is no such route, and it says so
    if not allows(caller.scopes, policy.scope):
        request.app[METRICS].hunter_key_failures_total.inc({"reason": "scope"})
        raise Forbidden(policy.scope)
    if policy.action:
        return await _audited(request, handler, policy, Actor(caller.id, request[REQUEST_ID]))
    return await _in_time(request, handler, policy)


def _address(request: web.Request) -> str:
    return client_address(request, request.app[TRUSTED])


def require_scope(request: web.Request, scope: Scope) -> None:
    """Raises Forbidden where the caller has not the right that a part of an answer needs besides."""
    if not allows(request[SCOPES], scope):
        raise Forbidden(scope)


def _says_signed(request: web.Request) -> bool:
    """True when the caller shows no key but a signature, and a secret is there to check it by."""
    has_secret = bool(request.app[CONFIG].ingest_webhook_secret)
    return has_secret and not _shown_key(request) and "webhook-signature" in request.headers


def _shown_key(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return request.headers.get("X-API-Key", "")


async def _require_pace(request: web.Request, caller: Caller) -> None:
    """Count the request against the caller's limit. Raises TooManyRequests."""
    limit = caller.limit
    if limit is None:
        return
    who = caller.id if is_key_id(caller.id) or caller.id == "admin" else _address(request)
    told = await request.app[LIMITS].take(who, limit)
    request[_TOLD] = limit, told
    if not told.is_allowed:
        request.app[METRICS].hunter_requests_limited_total.inc({"by": "rate"})
        raise TooManyRequests(
            f"More than {limit.per_minute:,} requests a minute, of which {limit.burst:,} may come "
            "at once.",
            retry_after_s=told.retry_s,
        )


async def _in_time(request: web.Request, handler: Handler, policy: Policy) -> web.StreamResponse:
    """The answer, which must begin within the deadline of its class. Raises TookTooLong."""
    deadline = asyncio.timeout(DEADLINES_S[policy.load])
    request[_DEADLINE] = deadline
    try:
        async with deadline:
            return await handler(request)
    except TimeoutError:
        if not deadline.expired():
            raise
        raise TookTooLong("The answer was not there in time.") from None
    except QuotaExceeded:
        request.app[METRICS].hunter_requests_limited_total.inc({"by": "quota"})
        raise
    finally:
        del request[_DEADLINE]


async def _audited(
    request: web.Request, handler: Handler, policy: Policy, actor: Actor
) -> web.StreamResponse:
    """A write; what it does not say itself, in its own transaction, is said afterwards."""
    token = ACTOR.set(actor)
    try:
        response = await _in_time(request, handler, policy)
        if response.status < 400 and not actor.is_settled:
            await _say(request, policy.action, "/".join(request.match_info.values()))
    finally:
        ACTOR.reset(token)
    return response


async def _say(request: web.Request, action: str, target: str) -> None:
    async def work(conn: Connection) -> None:
        await audit.record(conn, action, target)

    try:
        await request.app[DB].transact(work, deadline_s=2, reserved=True)
    except HunterError as error:
        # the write is done and will not be undone for this; the log keeps what the table could not
        log.error("audit entry lost", action=action, error=type(error).__name__)  # noqa: TRY400


async def finish_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Headers every answer carries, streams and errors too (signal on_response_prepare)."""
    headers = response.headers
    headers["X-Request-ID"] = request.get(REQUEST_ID, "")
    headers["X-Content-Type-Options"] = "nosniff"
    if (told := request.get(_TOLD)) is not None:
        _tell_limit(response, *told)
    policy = policy_of(request)
    if policy is not None and policy.is_earlier:
        headers["Deprecation"] = DEPRECATED_AT
        headers["Sunset"] = SUNSET_AT
        headers["Link"] = f'<{API}{request.rel_url.raw_path}>; rel="successor-version"'
    if request.app[HEALTH].draining:
        # the header is set by hand: by now the framework has made up its mind about keep-alive
        headers["Connection"] = "close"
        response.force_close()
    if not isinstance(response, web.Response) and (deadline := request.get(_DEADLINE)):
        deadline.reschedule(None)  # what streams has deadlines of its own, for each write


def _tell_limit(response: web.StreamResponse, limit: Limit, told: Verdict) -> None:
    """The RateLimit fields of draft-ietf-httpapi-ratelimit-headers-09."""
    response.headers["RateLimit-Policy"] = _policy_field(limit)
    response.headers["RateLimit"] = f'"requests";r={told.remaining};t={math.ceil(told.reset_s)}'


@lru_cache(maxsize=256)
def _policy_field(limit: Limit) -> str:
    """The burst is what comes back in one window."""
    return f'"requests";q={limit.burst};w={max(1, math.ceil(limit.span_us / 1e6))}'
