"""A lead as it is, or as it was known on a day, with what differs between two days."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
from aiohttp import web

from hunter.core.advice import Language
from hunter.core.errors import InvalidInput
from hunter.core.facts import Rules
from hunter.core.judgement import Judgement
from hunter.pipeline.past import Then, look_back
from hunter.web import leads
from hunter.web.changes import told
from hunter.web.keys import DB, RULES
from hunter.web.language import language_headers, language_of
from hunter.web.leads import conditional, name_in_path
from hunter.web.requests import LeadQuery
from hunter.web.schema import read_query, render


class RecordView(msgspec.Struct, frozen=True):
    """How one question was answered."""

    outcome: str
    records: tuple[str, ...]
    #: CNAMEs on the way
    chain: tuple[str, ...]
    #: moment of the answer where it is older than the observation, else ""
    stale_since: str


class PastView(msgspec.Struct, frozen=True):
    """What was known of a domain at a moment, judged as of that day by the rules of now."""

    as_of: dt.datetime
    observed_from: dt.datetime
    observed_to: dt.datetime
    #: what it was judged by then, and the score it had
    rules_version: str
    score: int
    records: dict[str, RecordView]
    judgement: Judgement


class DifferenceView(msgspec.Struct, frozen=True):
    """One difference between two moments."""

    kind: str
    text: str
    before: dict[str, Any]
    after: dict[str, Any]


class ComparisonView(msgspec.Struct, frozen=True):
    """A lead in the past; `later` and `changes` where two moments are compared."""

    domain: str
    then: PastView
    later: PastView | None = None
    changes: list[DifferenceView] = []


async def show(request: web.Request) -> web.Response:
    """GET /leads/{domain}"""
    query = read_query(request, LeadQuery)
    if query.as_of is None:
        if query.compare_to is not None:
            raise InvalidInput(
                "compare_to says the second moment only.",
                errors=(("as_of", "give the first moment, as in as_of=2026-01-31"),),
            )
        return await leads.show(request)
    moment = _moment("as_of", query.as_of)
    until = None if query.compare_to is None else _moment("compare_to", query.compare_to)
    if until is not None and until < moment:
        raise InvalidInput(
            "The two moments are in the wrong order.",
            errors=(("compare_to", "give the later one here"),),
        )
    language = language_of(request, query.lang)
    rules = request.app[RULES].current.rules
    domain = name_in_path(request)
    async with request.app[DB].acquire() as conn:
        found = await look_back(conn, domain, rules, moment, until)
    view = ComparisonView(
        domain,
        _past(found.then, moment),
        _past(found.later, until) if found.later is not None and until is not None else None,
        [
            _difference(each.kind, each.before, each.after, language, rules)
            for each in found.changes
        ],
    )
    return conditional(request, render(view, headers=language_headers(language)))


def _difference(
    kind: str, before: dict[str, object], after: dict[str, object], language: Language, rules: Rules
) -> DifferenceView:
    return DifferenceView(kind, told(kind, before, after, language, rules), before, after)


def _past(then: Then, moment: dt.datetime) -> PastView:
    seen = then.past.observation
    return PastView(
        as_of=moment,
        observed_from=seen.observed_from,
        observed_to=seen.observed_to,
        rules_version=seen.rules_version,
        score=seen.score,
        records={
            question: RecordView(
                answer.outcome.value, answer.records, answer.chain, answer.stale_since
            )
            for question, answer in sorted(then.past.survey.answers.items())
        },
        judgement=then.judgement,
    )


def _moment(name: str, text: str) -> dt.datetime:
    """A day, meant to its end, or a moment. Raises InvalidInput."""
    fix = "send a day as in 2026-01-31, or a moment as in 2026-01-31T08:00:00Z"
    try:
        found = dt.datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise InvalidInput(f"{name} is no moment.", errors=((name, fix),)) from None
    if "T" not in text:
        return dt.datetime.combine(found.date(), dt.time.max, dt.UTC)
    if found.tzinfo is None:
        raise InvalidInput(f"{name} has no time zone.", errors=((name, fix),))
    return found
