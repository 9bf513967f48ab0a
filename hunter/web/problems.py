"""Errors to application/problem+json (RFC 9457): one table from class to status."""

from __future__ import annotations

import errno
import math
from datetime import datetime
from typing import Any, Final

import msgspec
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from hunter.core.errors import (
    Conflict,
    HunterError,
    InvalidCursor,
    InvalidDomain,
    InvalidInput,
    LimitExceeded,
    NotFound,
    PreconditionFailed,
    QuotaExceeded,
    Unavailable,
)
from hunter.store.database import BadData
from hunter.web.admission import Overloaded
from hunter.web.keys import REQUEST_ID

log = structlog.get_logger()

CONTENT_TYPE: Final = "application/problem+json"


class Place(msgspec.Struct, frozen=True):
    """One thing wrong with a request."""

    #: JSON pointer into the body (RFC 6901), a query parameter, or "line 7"
    pointer: str
    #: what is wrong there and how to put it right
    detail: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """RFC 9457 problem details."""

    #: /problems/<slug>, explained in docs/api/problems.md
    type: str
    title: str
    status: int
    detail: str
    #: urn:uuid: and the request id, which is also in X-Request-ID and in the log
    instance: str = ""
    errors: list[Place] = []
    #: code of hunter.core.domain.REASONS when a name was refused
    reason: str = ""
    #: of a used-up quota: domains a day, those used, and when the next day begins
    quota: int | None = None
    used: int | None = None
    reset: datetime | None = None


class Kind(msgspec.Struct, frozen=True):
    """An entry of the catalogue of problems."""

    slug: str
    status: int
    title: str
    #: what happened, and what the caller can do
    meaning: str


CATALOGUE: Final[dict[str, Kind]] = {
    kind.slug: kind
    for kind in (
        Kind("malformed-request", 400, "Malformed request", "The body is not what its content type says: not JSON, no multipart form, an empty body. The detail names the place. Correct it and send again."),
        Kind("invalid-cursor", 400, "Invalid cursor", "The cursor is not one of this list with this query: it was altered, or sorting or filters are others than on the page before. Pass `next_cursor` unchanged with the same query, or start without one."),
        Kind("authentication-required", 401, "Authentication required", "The key is missing or wrong. Send `Authorization: Bearer <key>` or `X-API-Key: <key>`; whoever runs the server has HUNTER_ADMIN_KEY and makes keys with it. A revoked or expired key says so to who holds it."),
        Kind("forbidden", 403, "Forbidden", "The key is good but has not the scope this path needs; the detail names it. Ask whoever runs the server for a key with that scope."),
        Kind("not-found", 404, "Not found", "There is no such path, lead, job or batch. `GET /` lists where things are."),
        Kind("method-not-allowed", 405, "Method not allowed", "The path exists but not with this method. The `Allow` header lists those it has."),
        Kind("not-acceptable", 406, "Not acceptable", "The path answers with another content type than those of the `Accept` header. The detail names it. Leave the header out, or add `*/*`."),
        Kind("request-timeout", 408, "Request timeout", "The body came too slowly and the server gave up. Send it again over a better line, or in smaller parts."),
        Kind("conflict", 409, "Conflict", "The thing is not in the state this needs: a twin with the same Idempotency-Key still runs (wait for `Retry-After` seconds and send the same again), a job to be cancelled has ended, or a job to be redriven has not, or has nothing that failed."),
        Kind("precondition-failed", 412, "Precondition failed", "The lead is another than the one whose ETag `If-Match` names: somebody changed it, or a scan did. Read it again, decide again, and send the new ETag."),
        Kind("too-large", 413, "Too large", "The body or the number of names is over the limit. Send names as NDJSON or as text lines, which are read as they come, or split the list."),
        Kind("unsupported-media-type", 415, "Unsupported media type", "The content type is none that this path reads. The detail lists those it does."),
        Kind("expectation-failed", 417, "Expectation failed", "The `Expect` header asks for something this server does not know. Send `Expect: 100-continue` or leave the header out."),
        Kind("invalid-input", 422, "Invalid request", "The body can be read but not used: an unknown field, a wrong type, a file that is no table. Each entry of `errors` names a place and the fix."),
        Kind("invalid-domain", 422, "Not a company domain", "The name is not a domain that can be scanned. `reason` is a code, the detail says how to put it right."),
        Kind("too-many-requests", 429, "Too many requests", "More requests, or more wrong keys, than this key or address may send. Wait `Retry-After` seconds; `RateLimit` tells with each answer how many are left."),
        Kind("quota-exceeded", 429, "Quota exceeded", "The key has had as many domains accepted today as it may. `quota` and `used` count domains, `reset` says when the next day begins (UTC). Nothing of this request was taken in."),
        Kind("headers-too-large", 431, "Headers too large", "The request line or a header is over 8 KiB, or all of them are over 32 KiB. Send less."),
        Kind("internal-error", 500, "Internal error", "Hunter made a mistake. The log has it under the request id; please report that id."),
        Kind("overloaded", 503, "Overloaded", "The server has as much to do as it can, and its queue is full; nothing was done. Send the same request again after `Retry-After` seconds, with less at once."),
        Kind("took-too-long", 503, "Took too long", "The answer was not there in time and the server gave up; what was not accepted yet is undone. Send the same request again after `Retry-After` seconds."),
        Kind("unavailable", 503, "Temporarily unavailable", "A dependency is away. Send the same request again after `Retry-After` seconds; with an Idempotency-Key it is never taken in twice."),
    )
}  # fmt: skip

_BY_STATUS: Final = {kind.status: kind for kind in reversed(CATALOGUE.values())} | {
    503: CATALOGUE["unavailable"]
}
_DETAILS: Final = {
    404: "There is no such path. GET / lists where things are.",
    405: "This path does not know the method.",
    417: "The Expect header is none that this server knows. Send 100-continue, or leave it out.",
    413: "The body is larger than this server reads.",
}


class Malformed(InvalidInput):
    """Malformed request"""


class SlowBody(HunterError):
    """Request timeout"""


class WrongMediaType(HunterError):
    """Unsupported media type"""


class NotAcceptable(HunterError):
    """Not acceptable"""


class NotAuthenticated(HunterError):
    """Authentication required"""

    challenge = 'Bearer realm="hunter"'


class WrongKey(NotAuthenticated):
    """Authentication required: a key was shown that is none"""

    challenge = 'Bearer realm="hunter", error="invalid_token"'


class Forbidden(HunterError):
    """Forbidden"""

    def __init__(self, scope: str) -> None:
        super().__init__(f"This path needs a key with the scope {scope}.")
        self.challenge = f'Bearer realm="hunter", error="insufficient_scope", scope="{scope}"'


class TooManyRequests(HunterError):
    """Too many requests"""

    def __init__(self, detail: str, *, retry_after_s: float) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class TookTooLong(HunterError):
    """Took too long"""

    retry_after_s = 5


#: the first that fits counts, so subclasses stand before their bases
_SLUGS: Final[tuple[tuple[type[HunterError], str], ...]] = (
    (Malformed, "malformed-request"),
    (InvalidDomain, "invalid-domain"),
    (InvalidCursor, "invalid-cursor"),
    (InvalidInput, "invalid-input"),
    (NotAuthenticated, "authentication-required"),
    (Forbidden, "forbidden"),
    (TooManyRequests, "too-many-requests"),
    (QuotaExceeded, "quota-exceeded"),
    (TookTooLong, "took-too-long"),
    (Overloaded, "overloaded"),
    (NotFound, "not-found"),
    (SlowBody, "request-timeout"),
    (Conflict, "conflict"),
    (PreconditionFailed, "precondition-failed"),
    (LimitExceeded, "too-large"),
    (WrongMediaType, "unsupported-media-type"),
    (NotAcceptable, "not-acceptable"),
    (Unavailable, "unavailable"),
)
#: what an error of the operating system says when descriptors, disk or memory have run out
_USED_UP: Final = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.ENOBUFS}
)
_NO_ROOM: Final = "This server has run out of file descriptors, disk or memory."
_UNUSABLE: Final = (
    "A value of the request cannot be used: it is out of range, or holds a character that cannot be "
    "stored."
)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error that leaves is a problem; a 500 says nothing but its request id."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return from_aiohttp(request, error)
    except BadData:
        log.warning("value refused by the database")
        return _from_hunter(request, InvalidInput(_UNUSABLE), "invalid-input")
    except Exception as error:
        if isinstance(error, HunterError) and (slug := _slug_of(error)):
            return _from_hunter(request, error, slug)
        if isinstance(error, OSError) and error.errno in _USED_UP:
            log.error("request refused", reason=error.strerror)  # noqa: TRY400  # known, no trace
            return _from_hunter(request, Unavailable(_NO_ROOM, retry_after_s=5), "unavailable")
        log.exception("request failed")
        detail = "Something went wrong in Hunter. The log has it under this request id."
        return _respond(request, CATALOGUE["internal-error"], detail)


def _from_hunter(request: web.Request, error: HunterError, slug: str) -> web.Response:
    kind = CATALOGUE[slug]
    more: dict[str, Any] = {}
    if isinstance(error, InvalidInput):
        more["errors"] = [Place(*each) for each in error.errors]
    if isinstance(error, InvalidDomain):
        more["reason"] = error.reason
    if isinstance(error, QuotaExceeded):
        more |= {"quota": error.quota, "used": error.used, "reset": error.reset}
    response = _respond(request, kind, str(error), **more)
    retry_after_s = getattr(error, "retry_after_s", None)
    if retry_after_s is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(retry_after_s)))
    if isinstance(error, NotAuthenticated | Forbidden):
        response.headers["WWW-Authenticate"] = error.challenge
    return response


def _slug_of(error: HunterError) -> str | None:
    """The problem an error is to callers; None when it is a mistake of ours."""
    return next((slug for kind, slug in _SLUGS if isinstance(error, kind)), None)


def from_aiohttp(request: web.Request, error: web.HTTPException) -> web.Response:
    """The problem for an error of the framework."""
    kind = _BY_STATUS.get(error.status)
    if kind is None:
        kind = Kind("malformed-request", error.status, error.reason, "")
    response = _respond(request, kind, _DETAILS.get(error.status, f"{error.reason}."))
    if allow := error.headers.get("Allow"):
        response.headers["Allow"] = allow
    return response


def _respond(request: web.Request, kind: Kind, detail: str, **more: Any) -> web.Response:
    return web.Response(
        body=encode_problem(kind, detail, request[REQUEST_ID], **more),
        status=kind.status,
        content_type=CONTENT_TYPE,
    )


def encode_problem(kind: Kind, detail: str, request_id: str, **more: Any) -> bytes:
    """The body of a problem; `more` are further fields of `Problem`."""
    problem = Problem(
        type=f"/problems/{kind.slug}",
        title=kind.title,
        status=kind.status,
        detail=detail,
        instance=f"urn:uuid:{request_id}",
        **more,
    )
    return msgspec.json.encode(problem)
