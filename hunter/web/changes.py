"""What became different: the history of a lead, its changes, and the changes of all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from hunter.core.advice import Language
from hunter.core.change_text import sentence
from hunter.core.changes import is_told
from hunter.core.facts import Rules
from hunter.core.provider import operator_name
from hunter.store import history
from hunter.store.history import Event, EventFilter, Observation
from hunter.store.pages import Page
from hunter.web.doubts import PendingView, pending_views
from hunter.web.keys import DB, RULES
from hunter.web.language import language_headers, language_of
from hunter.web.leads import name_in_path
from hunter.web.requests import ChangesQuery, ChangesWanted, LeadChangesQuery, PageQuery
from hunter.web.schema import read_query, render


class ObservationView(msgspec.Struct, frozen=True):
    """What was seen of a domain, and from when to when it was all the same."""

    id: str
    observed_from: dt.datetime
    observed_to: dt.datetime
    fingerprint: str
    rules_version: str
    score: int


class ChangeView(msgspec.Struct, frozen=True):
    """One change: what was, what is, and a sentence that says so."""

    id: str
    domain: str
    #: counts the changes of a domain up by one
    sequence: int
    at: dt.datetime
    kind: str
    text: str
    #: False for what is small, routine, or Hunter's own doing
    is_told: bool
    before: dict[str, Any]
    after: dict[str, Any]
    #: observations it lies between; the same one where only the rules are others
    observation_before: str | None
    observation_after: str | None
    #: of the lead after the change
    segment: str | None
    provider: str | None
    score: int | None


class LeadChanges(msgspec.Struct, frozen=True):
    """Changes of one lead, newest first, and what waits for a second look."""

    items: list[ChangeView]
    next_cursor: str | None
    pending: list[PendingView]


async def lead_history(request: web.Request) -> web.Response:
    """GET /leads/{domain}/history"""
    query = read_query(request, PageQuery)
    async with request.app[DB].acquire() as conn:
        page = await history.observations(conn, name_in_path(request), query.cursor, query.limit)
    return render(Page([_observation(each) for each in page.items], page.next_cursor))


async def lead_changes(request: web.Request) -> web.Response:
    """GET /leads/{domain}/changes"""
    query = read_query(request, LeadChangesQuery)
    domain = name_in_path(request)
    async with request.app[DB].acquire() as conn:
        doubts = await history.pending(conn, domain)
        page = await history.events(conn, _wanted(query, domain), query.cursor, query.limit)
    language = language_of(request, query.lang)
    rules = request.app[RULES].current.rules
    view = LeadChanges(
        [change_view(each, language, rules) for each in page.items],
        page.next_cursor,
        pending_views(domain, doubts),
    )
    return render(view, headers=language_headers(language))


async def all_changes(request: web.Request) -> web.Response:
    """GET /changes"""
    query = read_query(request, ChangesQuery)
    async with request.app[DB].acquire() as conn:
        page = await history.events(conn, _wanted(query), query.cursor, query.limit)
    language = language_of(request, query.lang)
    rules = request.app[RULES].current.rules
    items = [change_view(each, language, rules) for each in page.items]
    return render(Page(items, page.next_cursor), headers=language_headers(language))


def _wanted(query: ChangesWanted, domain: str | None = None) -> EventFilter:
    asked = query if isinstance(query, ChangesQuery) else None
    return EventFilter(
        domain=domain,
        kinds=query.kind,
        segments=asked.segment if asked else None,
        provider=asked.provider if asked else None,
        since=query.since,
        until=query.until,
    )


def change_view(event: Event, language: Language, rules: Rules) -> ChangeView:
    """A change as callers read it."""
    values = {name: getattr(event, name) for name in Event.__struct_fields__}
    for name in ("id", "observation_before", "observation_after"):
        values[name] = str(values[name]) if values[name] else None
    text = told(event.kind, event.before, event.after, language, rules)
    noteworthy = is_told(event.kind, event.before, event.after)
    return ChangeView(text=text, is_told=noteworthy, **values)


def told(
    kind: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    language: Language,
    rules: Rules,
) -> str:
    """What became different, as a sentence with the names of operators."""
    return sentence(kind, before, after, language, lambda each: operator_name(each, rules) or each)


def _observation(seen: Observation) -> ObservationView:
    values = {name: getattr(seen, name) for name in Observation.__struct_fields__}
    return ObservationView(**values | {"id": str(seen.id)})
