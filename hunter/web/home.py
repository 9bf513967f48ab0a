"""What this is and where things are: the front page, the API document, the problems explained."""

from __future__ import annotations

import msgspec
from aiohttp import web

from hunter import __version__
from hunter.core.errors import NotFound
from hunter.web.keys import OPENAPI
from hunter.web.middleware import API
from hunter.web.packing import allow_packing
from hunter.web.pages import page
from hunter.web.problems import CATALOGUE
from hunter.web.requests import LanguageQuery
from hunter.web.schema import read_query, render

WHAT = (
    "Hunter tells from DNS who runs a company's mail, how good a Microsoft 365 or Dynamics 365 lead "
    "it is, and why."
)
_LINKS = {
    "leads to call first": f"{API}/leads",
    "scan jobs": f"{API}/scan/bulk",
    "API documentation": "/docs",
    "API document (OpenAPI 3.1)": "/openapi.json",
    "readiness": "/healthz/ready",
    "metrics": "/metrics",
}


class Front(msgspec.Struct, frozen=True):
    """What answers here, for programs."""

    name: str
    version: str
    what: str
    #: what it is to the path where it is
    links: dict[str, str]


async def front(request: web.Request) -> web.Response:
    """GET /"""
    query = read_query(request, LanguageQuery)
    if "text/html" in request.headers.get("Accept", ""):
        return page(request, query.lang)
    return render(Front("hunter", __version__, WHAT, _LINKS))


async def openapi(request: web.Request) -> web.Response:
    """GET /openapi.json"""
    response = web.Response(body=request.app[OPENAPI], content_type="application/json")
    allow_packing(response)
    return response


async def problem(request: web.Request) -> web.Response:
    """GET /problems/{slug}"""
    kind = CATALOGUE.get(request.match_info["slug"])
    if kind is None:
        raise NotFound("There is no such problem type.")
    return render(kind)
