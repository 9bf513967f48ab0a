"""What goes with methods and headers: OPTIONS and CORS, and answers that the caller would not take."""

from __future__ import annotations

from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from hunter.web.keys import CONFIG
from hunter.web.problems import NotAcceptable

#: what a page of another origin may send and read
_SENT: Final = (
    "Accept, Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, "
    "Last-Event-ID, Prefer, X-API-Key, X-Request-ID"
)
_READ: Final = (
    "Deprecation, ETag, Link, Location, Preference-Applied, RateLimit, RateLimit-Policy, "
    "Retry-After, Sunset, X-Request-ID"
)
_MAX_AGE_S: Final = "600"


@web.middleware
async def answer_options(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Say which methods a path has, to anybody: a browser asks before it shows a key."""
    if request.method != hdrs.METH_OPTIONS:
        return await handler(request)
    refused = request.match_info.http_exception
    if not isinstance(refused, web.HTTPMethodNotAllowed):
        return await handler(request)
    methods = ", ".join(sorted({*refused.allowed_methods, hdrs.METH_OPTIONS}))
    response = web.Response(status=204, headers={"Allow": methods})
    if _is_allowed_origin(request) and "Access-Control-Request-Method" in request.headers:
        response.headers["Access-Control-Allow-Methods"] = methods
        response.headers["Access-Control-Allow-Headers"] = _SENT
        response.headers["Access-Control-Max-Age"] = _MAX_AGE_S
    return response


def _is_allowed_origin(request: web.Request) -> bool:
    return request.headers.get("Origin", "") in request.app[CONFIG].cors_origins


async def share(request: web.Request, response: web.StreamResponse) -> None:
    """Let pages of HUNTER_CORS_ORIGINS read the answer (signal on_response_prepare).

    Keys travel in headers that a page must set itself, never in cookies: credentials stay off.
    """
    if not request.app[CONFIG].cors_origins:
        return
    response.headers.add("Vary", "Origin")
    if _is_allowed_origin(request):
        response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
        response.headers["Access-Control-Expose-Headers"] = _READ


@web.middleware
async def refuse_unread(request: web.Request, handler: Handler) -> web.StreamResponse:
    """406 where the Accept header takes nothing that the path answers with.

    Reads only: what a write has done is done, and its answer goes out whatever is accepted.
    """
    response = await handler(request)
    if request.method not in {"GET", "HEAD"} or response.prepared or response.status != 200:
        return response
    accept = request.headers.get("Accept")
    if accept is None or ("*/*" in accept and "q=0" not in accept):
        return response
    if accepts(accept, response.content_type):
        return response
    raise NotAcceptable(
        f"This path answers with {response.content_type}, and the Accept header leaves that out."
    )


def accepts(header: str, kind: str) -> bool:
    """True when an Accept header takes a media type (RFC 9110 section 12.5.1): the closest range says."""
    best, quality = -1, 0.0
    for part in header[:2000].split(","):
        media, *parameters = (each.strip().lower() for each in part.split(";"))
        closeness = _closeness(media, kind)
        if closeness > best:
            best, quality = closeness, _quality(parameters)
    return best >= 0 and quality > 0


def _closeness(media: str, kind: str) -> int:
    if media == kind:
        return 2
    if media == f"{kind.partition('/')[0]}/*":
        return 1
    return 0 if media in {"*/*", "*"} else -1


def _quality(parameters: list[str]) -> float:
    for each in parameters:
        if each.startswith("q="):
            try:
                return float(each[2:])
            except ValueError:
                return 1.0
    return 1.0
