"""Leads: a page of them, one with its evidence, one with the lines of its score."""

from __future__ import annotations

import hashlib

from aiohttp import web
from aiohttp.helpers import ETag

from hunter.core.domain import parse_domain
from hunter.store import leads
from hunter.store.leads import Lead
from hunter.store.pages import Page
from hunter.web.keys import DB
from hunter.web.requests import LeadsQuery
from hunter.web.schema import read_query, render
from hunter.web.views import lead_item, lead_view, score_breakdown


async def index(request: web.Request) -> web.Response:
    """GET /leads"""
    query = read_query(request, LeadsQuery)
    async with request.app[DB].acquire() as conn:
        page = await leads.search(conn, query.wanted(), query.sort, query.cursor, query.limit)
    return render(Page([lead_item(each) for each in page.items], page.next_cursor))


async def show(request: web.Request) -> web.Response:
    """GET /leads/{domain}"""
    return _conditional(request, render(lead_view(await _lead(request))))


async def breakdown(request: web.Request) -> web.Response:
    """GET /leads/{domain}/score-breakdown"""
    return _conditional(request, render(score_breakdown(await _lead(request))))


async def _lead(request: web.Request) -> Lead:
    # names under .test may have been let in by the setting; reading them is harmless
    name = parse_domain(request.match_info["domain"], registrable=False, allow_test_names=True).name
    async with request.app[DB].acquire(reserved=True) as conn:
        return await leads.get(conn, name)


def _conditional(request: web.Request, response: web.Response) -> web.Response:
    """The answer, or 304 when the caller has it (RFC 9110 section 13.1.2).

    The tag is weak: the same answer may travel compressed.
    """
    body = response.body if isinstance(response.body, bytes) else b""
    tag = ETag(hashlib.blake2b(body, digest_size=12).hexdigest(), is_weak=True)
    if any(each.value in {tag.value, "*"} for each in request.if_none_match or ()):
        response = web.Response(status=304)
    response.etag = tag
    response.headers["Cache-Control"] = "no-cache"
    return response
