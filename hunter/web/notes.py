"""What people write about a lead: tags, notes, favourites, marks, labels; and its deletion for good."""

from __future__ import annotations

import re
from typing import Annotated, Final

import msgspec
from aiohttp import web

from hunter.core.errors import InvalidInput
from hunter.core.judgement import Segment
from hunter.store import lead_notes, suppressions
from hunter.store.database import Connection
from hunter.store.lead_notes import Edit, Label, LabelledRow
from hunter.store.pages import Page
from hunter.web.bodies import Digest, json_body, media_type
from hunter.web.keys import CALLER, DB, RULES
from hunter.web.leads import name_in_path, require_operator, show
from hunter.web.repeats import do_once
from hunter.web.requests import LanguageQuery, Mark, PageQuery, Tag, TenantState
from hunter.web.scans import JSON
from hunter.web.schema import id_in_path, read_json, read_query, render
from hunter.web.streams import every_page, stream_ndjson

#: our tags begin with the version of the lead's row
_TAG: Final = re.compile(r'^(?:W/)?"(\d{1,20})-[\w.-]+"$')
_STREAM_PAGE: Final = 200

_Tags = Annotated[tuple[Tag, ...], msgspec.Meta(max_length=lead_notes.TAGS_MAX)]


class LeadEdit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A merge patch (RFC 7396) of what people write: what is left out stays, null takes away."""

    notes: Annotated[str, msgspec.Meta(max_length=10000)] | msgspec.UnsetType | None = msgspec.UNSET
    #: how far a salesperson came
    mark: Mark | msgspec.UnsetType | None = msgspec.UNSET
    favourite: bool | msgspec.UnsetType = msgspec.UNSET
    #: all tags anew; to add and remove some, use the two below
    tags: _Tags | msgspec.UnsetType = msgspec.UNSET
    add_tags: _Tags = ()
    remove_tags: _Tags = ()


class LabelRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is right, where Hunter is wrong; at least one of these."""

    #: where the mailboxes are: an id of the provider table
    provider: str | None = None
    tenant_state: TenantState | None = None
    segment: Segment | None = None
    comment: Annotated[str, msgspec.Meta(max_length=2000)] = ""


class SuppressRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A name that is never to be stored, lead or not."""

    domain: str
    reason: Annotated[str, msgspec.Meta(max_length=300)] = ""


class SuppressionsQuery(PageQuery, frozen=True, forbid_unknown_fields=True):
    """All suppressions, or that of one name."""

    domain: str | None = None


async def edit_lead(request: web.Request) -> web.Response:
    """PATCH /leads/{domain}"""
    read_query(request, LanguageQuery)
    media_type(request, JSON, "application/merge-patch+json")
    given = read_json(await json_body(request, Digest(request)), LeadEdit)
    clash = set(given.add_tags) & set(given.remove_tags)
    if clash or (given.tags is not msgspec.UNSET and (given.add_tags or given.remove_tags)):
        places = (("/tags", "send tags alone, or add_tags and remove_tags without a common one"),)
        raise InvalidInput("The tags contradict each other.", errors=places)
    wanted = Edit(
        notes=given.notes.replace("\0", "") if isinstance(given.notes, str) else given.notes,
        mark=given.mark,
        favourite=None if given.favourite is msgspec.UNSET else given.favourite,
        tags=None if given.tags is msgspec.UNSET else given.tags,
        add_tags=given.add_tags,
        remove_tags=given.remove_tags,
    )
    return await _edit(request, wanted)


async def add_tag(request: web.Request) -> web.Response:
    """PUT /leads/{domain}/tags/{tag}"""
    return await _edit(request, Edit(add_tags=(_tag(request),)))


async def remove_tag(request: web.Request) -> web.Response:
    """DELETE /leads/{domain}/tags/{tag}"""
    return await _edit(request, Edit(remove_tags=(_tag(request),)))


async def favour(request: web.Request) -> web.Response:
    """PUT /leads/{domain}/favourite"""
    return await _edit(request, Edit(favourite=True))


async def unfavour(request: web.Request) -> web.Response:
    """DELETE /leads/{domain}/favourite"""
    return await _edit(request, Edit(favourite=False))


async def _edit(request: web.Request, wanted: Edit) -> web.Response:
    domain, version = name_in_path(request), wanted_version(request)

    async def work(conn: Connection) -> None:
        await lead_notes.edit(conn, domain, wanted, version=version)

    await request.app[DB].transact(work, reserved=True)
    return await show(request)


def _tag(request: web.Request) -> str:
    try:
        return msgspec.convert(request.match_info["tag"], Tag)
    except msgspec.ValidationError:
        detail = "a tag has 1 to 50 characters without commas, slashes and blanks at its ends"
        raise InvalidInput("The tag cannot be used.", errors=(("tag", detail),)) from None


def wanted_version(request: web.Request) -> str | None:
    """The version of the lead that If-Match asks for; None for any.

    A tag that is none of ours matches nothing. Of several the first of ours counts.
    """
    header = request.headers.get("If-Match", "*").strip()
    if header == "*":
        return None
    for tag in header[:1000].split(","):
        if found := _TAG.fullmatch(tag.strip()):
            return found[1]
    return "none of ours"


async def delete_lead(request: web.Request) -> web.Response:
    """DELETE /leads/{domain}"""
    domain, version = name_in_path(request), wanted_version(request)

    async def work(conn: Connection) -> None:
        if version is not None:
            await lead_notes.require_version(conn, domain, version)
        await suppressions.suppress(conn, domain, reason="deleted", caller=request[CALLER])

    await request.app[DB].transact(work, deadline_s=_DELETE_DEADLINE_S, reserved=True)
    return web.Response(status=204)


#: every chunk and result is looked through
_DELETE_DEADLINE_S: Final = 30.0


# --- labels ------------------------------------------------------------------------------------


async def add_label(request: web.Request) -> web.Response:
    """POST /leads/{domain}/label"""
    media_type(request, JSON)
    digest = Digest(request)
    given = read_json(await json_body(request, digest), LabelRequest)
    if given.provider is not None:
        require_operator("/provider", given.provider, request.app[RULES].current.rules)
    comment = given.comment.replace("\0", "").strip()
    if not (given.provider or given.tenant_state or given.segment or comment):
        places = (("/", "give provider, tenant_state, segment or comment"),)
        raise InvalidInput("The label says nothing.", errors=places)
    domain = name_in_path(request)

    async def work(conn: Connection) -> Label:
        return await lead_notes.add_label(
            conn,
            domain,
            caller=request[CALLER],
            provider=given.provider,
            tenant_state=given.tenant_state,
            segment=given.segment,
            comment=comment,
        )

    return await do_once(request, digest, work, status=201, reserved=True)


async def list_labels(request: web.Request) -> web.Response:
    """GET /leads/{domain}/labels"""
    query = read_query(request, PageQuery)
    async with request.app[DB].acquire() as conn:
        page = await lead_notes.labels(conn, name_in_path(request), query.cursor, query.limit)
    return render(page)


async def labelled_leads(request: web.Request) -> web.StreamResponse:
    """GET /admin/labels: the rows that hunter rules fit reads, as NDJSON"""

    async def fetch(cursor: str | None) -> Page[LabelledRow]:
        async with request.app[DB].acquire() as conn:
            return await lead_notes.labelled(conn, cursor, _STREAM_PAGE)

    return await stream_ndjson(request, every_page(fetch, lambda row: row))


# --- suppressions ------------------------------------------------------------------------------


async def list_suppressions(request: web.Request) -> web.Response:
    """GET /admin/suppressions"""
    query = read_query(request, SuppressionsQuery)
    async with request.app[DB].acquire() as conn:
        if query.domain is not None:
            found = await suppressions.find(conn, name_in_path(request, query.domain))
            return render(Page([found]))
        return render(await suppressions.page(conn, query.cursor, query.limit))


async def suppress(request: web.Request) -> web.Response:
    """POST /admin/suppressions"""
    media_type(request, JSON)
    given = read_json(await json_body(request, Digest(request)), SuppressRequest)
    domain = name_in_path(request, given.domain)
    if domain in given.reason.lower():
        places = (("/reason", "leave the name out: the list must not hold it"),)
        raise InvalidInput("The reason names the domain.", errors=places)

    async def work(conn: Connection) -> suppressions.Suppression:
        reason = given.reason.replace("\0", "").strip() or "suppressed"
        await suppressions.suppress(conn, domain, reason=reason, caller=request[CALLER])
        return await suppressions.find(conn, domain)

    db = request.app[DB]
    found = await db.transact(work, deadline_s=_DELETE_DEADLINE_S, reserved=True)
    return render(found, status=201)


async def lift_suppression(request: web.Request) -> web.Response:
    """DELETE /admin/suppressions/{suppression_id}"""
    suppression_id = id_in_path(request, "suppression_id")

    async def work(conn: Connection) -> None:
        await suppressions.lift(conn, suppression_id)

    await request.app[DB].transact(work, reserved=True)
    return web.Response(status=204)
