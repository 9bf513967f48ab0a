"""What the document says around the types of a route: headers, errors, other content types, examples."""

from __future__ import annotations

from typing import Any, Final

from hunter.core.scopes import PUBLIC
from hunter.web.problems import CATALOGUE
from hunter.web.routes import Route

_UUID: Final = {"type": "string", "format": "uuid"}
_WORDS: Final = {"type": "string"}
_ASKED_SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "Idempotency-Key": _WORDS
    | {"minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"}
}
#: parameter of a path → schema and example
_IN_PATH: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "domain": ({"type": "string", "format": "domain", "minLength": 1}, "contoso.com"),
    "tag": (
        {"type": "string", "minLength": 1, "maxLength": 50, "pattern": "^[^,/]+$"},
        "fair 2026",
    ),
    "slug": ({"type": "string", "enum": sorted(CATALOGUE)}, "not-found"),
}
_ID: Final = "01890a5d-ac96-774b-bcce-b302099a8057"

#: header of a request → what it is for
_ASKED: Final = {
    "Prefer": "`wait=N`: hold the answer until the scan is done, at most N (30) seconds (RFC 7240).",
    "Idempotency-Key": "A name of this request: sent again with it, nothing is done twice. Kept 24 hours.",
    "If-None-Match": "The ETag of what is at hand: unchanged, the answer is 304 without a body.",
    "If-Match": "The ETag of the lead that was read: another by now, nothing is done (412).",
    "Last-Event-ID": "The id of the last event received, as an event source sends it by itself.",
    "Accept-Language": "en or tr; `lang` goes before it.",
}
_KEYED: Final = frozenset(
    {
        "/scan/domain",
        "/scan/bulk",
        "/scan/{domain}/rescan",
        "/scan/bulk/rescan",
        "/ingest/domain",
        "/ingest/csv",
        "/ingest/webhook",
        "/scan/bulk/{job_id}/redrive",
        "/admin/jobs/{job_id}/redrive",
        "/leads/{domain}/label",
        "/alerts/rules",
    }
)
_SIGNED: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")
#: reads of one lead that have an ETag
_TAGGED: Final = frozenset(
    {
        "/leads/{domain}",
        "/leads/{domain}/score-breakdown",
        "/leads/{domain}/explain",
        "/leads/{domain}/sales-summary",
    }
)
_REJECTS: Final = {
    "application/x-ndjson": "One a line.",
    "text/csv": "One a row.",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "One a row.",
}
#: (method, path) → content types of a 200 beside JSON, or in its place
FILES: Final[dict[str, dict[str, str]]] = {
    "/scan/bulk/{job_id}/events": {
        "text/event-stream": "Events progress and end; data is the job as JSON, id names its state."
    },
    "/scan/bulk/{job_id}/results": {
        "application/x-ndjson": "One result a line.",
        "text/csv": "One result a row.",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "One result a row.",
    },
    "/scan/bulk/{job_id}/rejects": _REJECTS,
    "/ingest/batches/{batch_id}/rejects": _REJECTS,
    "/leads/export": {
        "text/csv": "One lead a row.",
        "application/x-ndjson": "One lead a line.",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "One lead a row.",
    },
    "/leads/{domain}/summary.pdf": {"application/pdf": "One page."},
    "/": {"text/html": "The page for browsers, for those whose Accept header names HTML."},
    "/admin/labels": {"application/x-ndjson": "One labelled lead a line: domain, label, survey."},
}
#: headers of every answer
_GIVEN: Final = {
    "X-Request-ID": {
        "description": "Id of the request in the log; one that was sent is kept.",
        "schema": _WORDS,
    }
}
_EARLIER: Final = {
    "Deprecation": {"description": "RFC 9745.", "schema": _WORDS},
    "Sunset": {"description": "When this path ends (RFC 8594).", "schema": _WORDS},
    "Link": {"description": "The path that takes its place.", "schema": _WORDS},
}


def path_parameter(name: str) -> dict[str, Any]:
    """A parameter of a path with an example."""
    schema, example = _IN_PATH.get(name, (_UUID, _ID))
    return {"name": name, "in": "path", "required": True, "schema": schema, "example": example}


def header_parameters(route: Route) -> list[dict[str, Any]]:
    """The headers that a route reads."""
    names: list[str] = []
    if route.path == "/scan/domain" or route.path.endswith("/rescan"):
        names.append("Prefer")
    if route.method == "POST" and route.path in _KEYED:
        names.append("Idempotency-Key")
    if route.method == "GET" and route.path in _TAGGED:
        names.append("If-None-Match")
    if _is_conditional_write(route):
        names.append("If-Match")
    if route.path.endswith("/events"):
        names.append("Last-Event-ID")
    if route.query is not None and "lang" in route.query.__struct_fields__:
        names.append("Accept-Language")
    found = [
        {
            "name": name,
            "in": "header",
            "required": False,
            "description": _ASKED[name],
            "schema": _ASKED_SCHEMAS.get(name, _WORDS),
        }
        for name in names
    ]
    if route.takes_signature:
        found += [
            {"name": name, "in": "header", "required": False, "schema": _WORDS} for name in _SIGNED
        ]
    return found


def _is_conditional_write(route: Route) -> bool:
    return route.path.startswith("/leads/{domain}") and route.method in {"PATCH", "PUT", "DELETE"}


def answer_headers(route: Route, status: int, *, is_earlier: bool) -> dict[str, Any]:
    """The headers of an answer."""
    found: dict[str, Any] = dict(_GIVEN)
    if is_earlier:
        found |= _EARLIER
    if route.path in _TAGGED and status == 200:
        found["ETag"] = {"description": "Names this state of the lead.", "schema": _WORDS}
    if status in {201, 202} and route.method == "POST":
        found["Location"] = {
            "description": "Where to look for it, if it has a place.",
            "schema": _WORDS,
        }
    return found


def bare_statuses(route: Route) -> dict[int, str]:
    """Answers without a body, beside those the route names."""
    if route.path.endswith("/events"):
        return {204: "The end was received already: there is nothing more to come"}
    if route.method == "GET" and route.path in _TAGGED:
        return {304: "Unchanged since the ETag of If-None-Match"}
    return {}


def error_statuses(route: Route) -> dict[int, list[str]]:
    """Status of each problem that a route may answer with → its types."""
    statuses = {422, 500, 503}
    if route.method == "GET":
        statuses.add(406)
    if route.scope != PUBLIC:
        statuses |= {401, 403, 429}
    if "{" in route.path:
        statuses.add(404)
    if route.body:
        statuses |= {400, 408, 413, 415}
    if route.query is not None and "cursor" in route.query.__struct_fields__:
        statuses.add(400)
    if route.path.endswith(("/cancel", "/redrive")) or route.path in _KEYED:
        statuses.add(409)
    if _is_conditional_write(route):
        statuses.add(412)
    found: dict[int, list[str]] = {}
    for kind in CATALOGUE.values():
        if kind.status in statuses:
            found.setdefault(kind.status, []).append(kind.slug)
    return found
