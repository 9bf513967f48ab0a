"""The page for salespeople: a list sent, leads filtered, one with its evidence; fragments for htmx."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final
from uuid import UUID

import jinja2
from aiohttp import web

from hunter import __version__
from hunter.core.advice import Language
from hunter.core.domain import parse_domain
from hunter.core.errors import NotFound
from hunter.core.judgement import Segment
from hunter.core.wording import Wording
from hunter.pipeline.briefing import brief_lead
from hunter.store import ingests, jobs, leads, sights
from hunter.store.leads import Lead
from hunter.web.doubts import pending_views
from hunter.web.ingests import take_file
from hunter.web.keys import DB, PRICES, RULES
from hunter.web.language import language_headers, language_of
from hunter.web.leads import require_known
from hunter.web.receipts import batch_view, row_reject_view
from hunter.web.requests import LanguageQuery, LeadsQuery
from hunter.web.schema import id_in_path, read_query
from hunter.web.views import LeadItem, lead_item, lead_view, sales_summary_view
from hunter.web.words import WORDS

#: nothing but what this server itself sends runs, is shown, or is asked
SECURITY: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_REJECTS_SHOWN: Final = 20
_SIBLINGS_SHOWN: Final = 20
_CALL_FIRST: Final = 1
_TEMPLATES: Final = jinja2.Environment(
    loader=jinja2.PackageLoader("hunter.web"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class PageLeadsQuery(LeadsQuery, frozen=True, forbid_unknown_fields=True):
    """Which leads the page lists, and in which language."""

    lang: Language | None = None


def page(request: web.Request, wanted: Language | None = None) -> web.Response:
    """The page itself; it holds no data and asks for all of it."""
    language = language_of(request, wanted)
    return _html(
        language,
        "page.html",
        version=__version__,
        segments=[each.value for each in Segment],
        other=Language.EN if language is Language.TR else Language.TR,
    )


async def docs(_request: web.Request) -> web.Response:
    """GET /docs"""
    return _html(Language.EN, "docs.html", version=__version__)


async def list_leads(request: web.Request) -> web.Response:
    """GET /ui/leads"""
    query = read_query(request, PageLeadsQuery)
    language = language_of(request, query.lang)
    knowledge = request.app[RULES].current
    require_known(query, knowledge.rules)
    async with request.app[DB].acquire() as conn:
        found = await leads.search(conn, query.wanted(), query.sort, query.cursor, query.limit)
    params = {name: value for name, value in request.query.items() if value and name != "cursor"}
    rows = [_row(each, language, knowledge.wording) for each in found.items]
    more = params | {"cursor": found.next_cursor} if found.next_cursor else None
    return _html(language, "leads.html", rows=rows, more=more, first=query.cursor is None)


def _row(lead: Lead, language: Language, wording: Wording) -> dict[str, Any]:
    item = lead_item(lead)
    return {
        "lead": item,
        "provider": _phrase(item.provider_name, language, wording),
        "reason": _reason(item, language, wording),
    }


def _phrase(name: str | None, language: Language, wording: Wording) -> str | None:
    """The name of an operator; some are no names but words, which are told in the language."""
    if name is None or language is Language.EN:
        return name
    return wording.turkish.phrases.get(name, name)


def _reason(item: LeadItem, language: Language, wording: Wording) -> str:
    """The verdict's sentence in the language; in English where it speaks of more than names."""
    template = wording.turkish.verdicts.get(item.reason_code)
    if language is Language.EN or template is None:
        return item.reason
    names = {
        "provider": _phrase(item.provider_name, language, wording),
        "operator": _phrase(item.mx_operator_name, language, wording),
    }
    try:
        text = template.format_map({name: text for name, text in names.items() if text})
    except KeyError:
        return item.reason
    if item.priority == _CALL_FIRST:
        text = wording.turkish.frame["call_first"].format(reason=text)
    return text


async def show_lead(request: web.Request) -> web.Response:
    """GET /ui/leads/{domain}"""
    language = language_of(request, read_query(request, LanguageQuery).lang)
    name = parse_domain(request.match_info["domain"], registrable=False, allow_test_names=True).name
    wording = request.app[RULES].current.wording
    brief = None
    async with request.app[DB].acquire(reserved=True) as conn:
        sight = (await sights.look(conn, name, _SIBLINGS_SHOWN)).decode()
        lead = sight.lead
        if lead.judgement is not None:
            told = await brief_lead(
                conn,
                name,
                request.app[RULES].current,
                request.app[PRICES],
                language=language,
                as_of=dt.datetime.now(dt.UTC).date(),
            )
            brief = sales_summary_view(lead, told)
    view = lead_view(
        lead, sight.siblings, language=language, pending=pending_views(lead.domain, sight.pending)
    )
    provider = _phrase(view.provider_name, language, wording)
    return _html(language, "lead.html", lead=view, provider=provider, brief=brief)


async def upload(request: web.Request) -> web.Response:
    """POST /ui/ingest"""
    language = language_of(request, read_query(request, LanguageQuery).lang)
    done = batch_view(await take_file(request))
    return _html(
        language,
        "batch.html",
        status=202,
        batch=done,
        rejects=done.rejected[:_REJECTS_SHOWN],
        progress=None,
    )


async def show_batch(request: web.Request) -> web.Response:
    """GET /ui/batches/{batch_id}"""
    language = language_of(request, read_query(request, LanguageQuery).lang)
    batch_id = id_in_path(request, "batch_id")
    async with request.app[DB].acquire() as conn:
        batch = await ingests.get_batch(conn, batch_id)
        rejects = await ingests.rejects_page(conn, batch_id, None, _REJECTS_SHOWN)
        if batch.job_id is None:
            raise NotFound("No scan belongs to this list.")
        progress = await jobs.progress(conn, UUID(batch.job_id))
    shown = [row_reject_view(each) for each in rejects.items]
    return _html(language, "batch.html", batch=batch, rejects=shown, progress=progress)


def _html(language: Language, template: str, *, status: int = 200, **values: Any) -> web.Response:
    text = _TEMPLATES.get_template(template).render(
        w=WORDS[language], lang=language.value, **values
    )
    headers = SECURITY | language_headers(language)
    return web.Response(text=text, status=status, content_type="text/html", headers=headers)
