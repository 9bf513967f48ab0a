"""Leads: a page of them, one with its evidence, one with the lines of its score."""

from __future__ import annotations

import datetime as dt
import difflib
import hashlib

from aiohttp import web
from aiohttp.helpers import ETag

from hunter.core import provider
from hunter.core.domain import parse_domain
from hunter.core.errors import InvalidInput
from hunter.core.facts import Rules
from hunter.core.trial import confidence_basis
from hunter.pipeline.briefing import brief_lead
from hunter.pipeline.explaining import explain_lead
from hunter.store import leads, registrations, sights, tenants
from hunter.store.leads import Lead
from hunter.store.pages import Page
from hunter.web.doubts import pending_views
from hunter.web.explanation import explanation_view
from hunter.web.keys import DB, PRICES, RULES
from hunter.web.language import language_headers, language_of
from hunter.web.requests import LanguageQuery, LeadsQuery, LeadsWanted, PageQuery
from hunter.web.schema import read_query, render
from hunter.web.views import (
    COLUMN_FIELDS,
    LeadItem,
    lead_fields,
    lead_item,
    lead_view,
    sales_summary_view,
    score_breakdown,
    tenant_view,
)

#: domains of the same tenant that a lead shows; `GET /leads?tenant_name=` pages through all of them
_SHOWN_SIBLINGS = 50


async def index(request: web.Request) -> web.Response:
    """GET /leads"""
    query = read_query(request, LeadsQuery)
    require_known(query, request.app[RULES].current.rules)
    fields = _fields(query)
    is_judged = fields is None or not fields <= COLUMN_FIELDS
    async with request.app[DB].acquire() as conn:
        page = await leads.search(
            conn, query.wanted(), query.sort, query.cursor, query.limit, is_judged=is_judged
        )
    if fields is None:
        return render(Page([lead_item(each) for each in page.items], page.next_cursor))
    names = [name for name in LeadItem.__struct_fields__ if name in fields]
    return render(Page([lead_fields(each, names) for each in page.items], page.next_cursor))


def _fields(query: LeadsQuery) -> frozenset[str] | None:
    """The fields asked for, None for all. Raises InvalidInput for one that no lead has."""
    if query.fields is None:
        return None
    known = LeadItem.__struct_fields__
    for name in query.fields:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}" if near else f"known are {', '.join(known)}"
            what = f"a lead has no field {name[:60]}; {hint}"
            raise InvalidInput(f"The query cannot be used: {what}.", errors=(("fields", what),))
    return frozenset(query.fields) | {"domain"}


async def by_tenant(request: web.Request) -> web.Response:
    """GET /tenants"""
    query = read_query(request, PageQuery)
    async with request.app[DB].acquire() as conn:
        page = await tenants.list_tenants(conn, query.cursor, query.limit)
    return render(Page([tenant_view(each) for each in page.items], page.next_cursor))


def known_operators(rules: Rules) -> frozenset[str]:
    """Every word that can stand in a lead as an operator, but for unknown:<domain>."""
    words = {provider.SELF_HOSTED, provider.MIXED, provider.BROKEN}
    families = {row.family for row in rules.providers.values()}
    return frozenset(words | families | rules.providers.keys() | rules.identity.suites.keys())


def require_known(wanted: LeadsWanted, rules: Rules) -> None:
    """Raises InvalidInput when the filter names an operator nobody knows."""
    for name in ("provider", "mx_operator", "gateway"):
        for value in getattr(wanted, name) or ():
            require_operator(name, value, rules)


def require_operator(name: str, value: str, rules: Rules) -> None:
    """Raises InvalidInput with the nearest ids: an id nobody has would look like no leads."""
    if value.startswith(provider.UNKNOWN):
        return
    known = known_operators(rules)
    if value in known:
        return
    near = difflib.get_close_matches(value.lower(), sorted(known), n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}" if near else "see the provider of any lead"
    what = f"there is no {name} {value[:60]}; {hint}"
    raise InvalidInput(f"The query cannot be used: {what}.", errors=((name, what),))


async def show(request: web.Request) -> web.Response:
    """GET /leads/{domain}"""
    language = language_of(request, read_query(request, LanguageQuery).lang)
    knowledge = request.app[RULES].current
    async with request.app[DB].acquire(reserved=True) as conn:
        found = await sights.look(conn, name_in_path(request), _SHOWN_SIBLINGS)
        version = found.version
        beside = f"{version.rest}{knowledge.version}".encode()
        digest = hashlib.blake2b(beside, digest_size=6).hexdigest()
        tag = ETag(f"{version.row}-{digest}-{language.value}", is_weak=True)
        if _is_known(request, tag) and request.method in {"GET", "HEAD"}:
            return _not_modified(tag, {"Vary": "Accept-Language"})
        sight = found.decode()
        told = await registrations.get(conn, sight.lead.domain) if sight.has_registration else None
    basis = _basis(request, sight.lead)
    view = lead_view(
        sight.lead,
        sight.siblings,
        told,
        language=language,
        basis=basis,
        contacts=sight.contacts,
        pending=pending_views(sight.lead.domain, sight.pending),
    )
    response = render(view, headers=language_headers(language))
    response.etag = tag
    response.headers["Cache-Control"] = "no-cache"
    return response


async def breakdown(request: web.Request) -> web.Response:
    """GET /leads/{domain}/score-breakdown"""
    lead = await lead_in_path(request)
    return conditional(request, render(score_breakdown(lead, _basis(request, lead))))


def _basis(request: web.Request, lead: Lead) -> str | None:
    """What the lead's confidence rests on, by the calibration in force."""
    if lead.judgement is None:
        return None
    knowledge = request.app[RULES].current
    return confidence_basis(lead.judgement, knowledge.calibration, knowledge.rules)


async def sales_summary(request: web.Request) -> web.Response:
    """GET /leads/{domain}/sales-summary"""
    language = language_of(request, read_query(request, LanguageQuery).lang)
    lead = await lead_in_path(request)
    async with request.app[DB].acquire(reserved=True) as conn:
        brief = await brief_lead(
            conn,
            lead.domain,
            request.app[RULES].current,
            request.app[PRICES],
            language=language,
            as_of=dt.datetime.now(dt.UTC).date(),
        )
    view = sales_summary_view(lead, brief)
    return conditional(request, render(view, headers=language_headers(language)))


async def explained(request: web.Request) -> web.Response:
    """GET /leads/{domain}/explain"""
    language = language_of(request, read_query(request, LanguageQuery).lang)
    lead = await lead_in_path(request)
    async with request.app[DB].acquire(reserved=True) as conn:
        why = await explain_lead(
            conn,
            lead.domain,
            request.app[RULES].current,
            language=language,
            as_of=dt.datetime.now(dt.UTC).date(),
        )
    view = explanation_view(lead, why, language)
    return conditional(request, render(view, headers=language_headers(language)))


async def lead_in_path(request: web.Request) -> Lead:
    """The lead whose domain the path names. Raises NotFound."""
    async with request.app[DB].acquire(reserved=True) as conn:
        return await leads.get(conn, name_in_path(request))


def _is_known(request: web.Request, tag: ETag) -> bool:
    return any(each.value in {tag.value, "*"} for each in request.if_none_match or ())


def _not_modified(tag: ETag, headers: dict[str, str]) -> web.Response:
    response = web.Response(status=304, headers=headers)
    response.etag = tag
    response.headers["Cache-Control"] = "no-cache"
    return response


def conditional(request: web.Request, response: web.Response) -> web.Response:
    """The answer, or 304 when the caller has it (RFC 9110 section 13.1.2).

    The tag is weak: the same answer may travel compressed.
    """
    body = response.body if isinstance(response.body, bytes) else b""
    tag = ETag(hashlib.blake2b(body, digest_size=12).hexdigest(), is_weak=True)
    if _is_known(request, tag):
        kept = {name: response.headers[name] for name in ("Vary",) if name in response.headers}
        return _not_modified(tag, kept)
    response.etag = tag
    response.headers["Cache-Control"] = "no-cache"
    return response


def name_in_path(request: web.Request, given: str | None = None) -> str:
    """The domain that the path names, or the one given. Raises InvalidDomain."""
    text = request.match_info["domain"] if given is None else given
    # names under .test may have been let in by the setting; reading them is harmless
    return parse_domain(text, registrable=False, allow_test_names=True).name
