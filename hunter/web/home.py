"""What this is and where things are: the front page, the API document, the problems explained."""

from __future__ import annotations

import html

from aiohttp import web

from hunter import __version__
from hunter.core.errors import NotFound
from hunter.web.keys import OPENAPI
from hunter.web.middleware import API
from hunter.web.problems import CATALOGUE
from hunter.web.schema import render

WHAT = (
    "Hunter tells from DNS who runs a company's mail, how good a Microsoft 365 or Dynamics 365 lead "
    "it is, and why."
)
_LINKS = {
    "leads to call first": f"{API}/leads",
    "scan jobs": f"{API}/scan/bulk",
    "API document (OpenAPI 3.1)": "/openapi.json",
    "readiness": "/healthz/ready",
    "metrics": "/metrics",
}
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Hunter</title>
<style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem}}
pre{{background:#f4f4f4;padding:1rem;overflow:auto}}</style>
<h1>Hunter {version}</h1><p>{what}</p>
<p>Try it:</p><pre>{example}</pre>
<ul>{links}</ul></html>
"""


async def front(request: web.Request) -> web.Response:
    """GET /"""
    if "text/html" in request.headers.get("Accept", ""):
        return web.Response(text=_page(str(request.url.origin())), content_type="text/html")
    return render({"name": "hunter", "version": __version__, "what": WHAT, "links": _LINKS})


def _page(origin: str) -> str:
    example = (
        f"curl -s {origin}{API}/scan/domain -H 'Content-Type: application/json' \\\n"
        "     -H 'Prefer: wait=10' -d '{\"domain\": \"example.com\"}'"
    )
    links = "".join(f'<li><a href="{path}">{title}</a></li>' for title, path in _LINKS.items())
    return _PAGE.format(version=__version__, what=WHAT, example=html.escape(example), links=links)


async def openapi(request: web.Request) -> web.Response:
    """GET /openapi.json"""
    response = web.Response(body=request.app[OPENAPI], content_type="application/json")
    response.enable_compression()
    return response


async def problem(request: web.Request) -> web.Response:
    """GET /problems/{slug}"""
    kind = CATALOGUE.get(request.match_info["slug"])
    if kind is None:
        raise NotFound("There is no such problem type.")
    return render(kind)
