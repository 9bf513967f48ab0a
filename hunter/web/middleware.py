"""Around every request: its id, one log line, metrics, the key, and the marks of old paths."""

from __future__ import annotations

import hmac
import re
import time
import uuid
from typing import Final

import structlog
from aiohttp import HttpVersion11, web
from aiohttp.typedefs import Handler

from hunter.core.scopes import PUBLIC, Scope, allows
from hunter.web.keys import CALLER, CONFIG, HEALTH, METRICS, REQUEST_ID, SCOPES
from hunter.web.policies import POLICIES, Policy
from hunter.web.problems import NotAuthenticated, from_aiohttp

log = structlog.get_logger()

API: Final = "/api/v1"
#: when the unversioned paths were deprecated (RFC 9745) and when they end (RFC 8594)
DEPRECATED_AT: Final = "@1767225600"
SUNSET_AT: Final = "Fri, 31 Dec 2027 23:59:59 GMT"

#: what an incoming X-Request-ID must match to be kept: it is written to logs and headers
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
#: the caller of a request that a signature lets in
SIGNED_CALLER: Final = "webhook"
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
    endpoint = endpoint_of(request)
    request.app[METRICS].count_request(request.method, endpoint, status, seconds)
    write = log.debug if endpoint.startswith(("/healthz", "/metrics")) else log.info
    write(
        "request finished",
        method=request.method,
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
async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let in whoever shows the admin key; without one set, everybody (development, loopback)."""
    key = request.app[CONFIG].admin_key
    request[CALLER] = "anonymous"
    request[SCOPES] = frozenset({Scope.ADMIN})
    policy = policy_of(request)
    if policy is not None and policy.takes_signature and _says_signed(request):
        request[CALLER] = SIGNED_CALLER
        request[SCOPES] = frozenset({Scope.SCAN_WRITE})
        return await handler(request)
    if key and (policy is None or policy.scope != PUBLIC):
        shown = _shown_key(request).encode(errors="surrogateescape")
        if not hmac.compare_digest(shown, key.encode()):
            raise NotAuthenticated(
                "The key is missing or wrong. Send it as `Authorization: Bearer <key>` "
                "or `X-API-Key: <key>`."
            )
        request[CALLER] = "admin"
    return await handler(request)


def require_scope(request: web.Request, scope: Scope) -> None:
    """Raises Forbidden where the caller has not the right that a part of an answer needs besides."""
    if not allows(request[SCOPES], scope):
        raise web.HTTPForbidden(reason=f"This needs a key with the scope {scope} besides")


def _says_signed(request: web.Request) -> bool:
    """True when the caller shows no key but a signature, and a secret is there to check it by."""
    has_secret = bool(request.app[CONFIG].ingest_webhook_secret)
    return has_secret and not _shown_key(request) and "webhook-signature" in request.headers


def _shown_key(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return request.headers.get("X-API-Key", "")


async def finish_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Headers every answer carries, streams and errors too (signal on_response_prepare)."""
    response.headers["X-Request-ID"] = request.get(REQUEST_ID, "")
    response.headers["X-Content-Type-Options"] = "nosniff"
    policy = policy_of(request)
    if policy is not None and policy.is_earlier:
        response.headers["Deprecation"] = DEPRECATED_AT
        response.headers["Sunset"] = SUNSET_AT
        response.headers["Link"] = f'<{API}{request.rel_url.raw_path}>; rel="successor-version"'
    if request.app[HEALTH].draining:
        # the header is set by hand: by now the framework has made up its mind about keep-alive
        response.headers["Connection"] = "close"
        response.force_close()
