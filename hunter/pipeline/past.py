"""A lead as it was known on a day, judged by the rules of now, and what differs between two days."""

from __future__ import annotations

import datetime as dt

import msgspec

from hunter.core.answers import Survey
from hunter.core.changes import Found, find_changes
from hunter.core.errors import NotFound
from hunter.core.facts import Rules
from hunter.core.judge import judge
from hunter.core.judgement import History, Judgement, SignalDates
from hunter.store import history, judged
from hunter.store.database import Connection
from hunter.store.history import Past


class Then(msgspec.Struct, frozen=True):
    """What was known at a moment."""

    past: Past
    judgement: Judgement


class Comparison(msgspec.Struct, frozen=True):
    """What was known at one moment or two, and what became different between them."""

    then: Then
    later: Then | None = None
    changes: list[Found] = []


async def look_back(
    conn: Connection,
    domain: str,
    rules: Rules,
    moment: dt.datetime,
    until: dt.datetime | None = None,
) -> Comparison:
    """The records known at `moment`, judged as of that day by the rules of now.

    Raises NotFound without a lead, and before its first observation.
    """
    standing = await judged.read(conn, domain)
    if standing is None:
        raise NotFound(f"no lead {domain}")
    seen = standing.history.seen
    first = await history.at(conn, domain, moment)
    then = _then(first, seen, rules, moment)
    if until is None:
        return Comparison(then)
    later = _then(await history.at(conn, domain, until), seen, rules, until)

    def judge_then(survey: Survey) -> Judgement:
        return judge(survey, _history(seen, moment.date()), rules, until.date())

    changes = find_changes(first.survey, later.past.survey, (judge_then, judge_then))
    return Comparison(then, later, changes)


def _then(past: Past, seen: dict[str, SignalDates], rules: Rules, moment: dt.datetime) -> Then:
    as_of = moment.astimezone(dt.UTC).date()
    return Then(past, judge(past.survey, _history(seen, as_of), rules, as_of))


def _history(seen: dict[str, SignalDates], as_of: dt.date) -> History:
    """The dates of signals that were known on a day already."""
    return History(
        seen={
            name: dates
            for name, dates in seen.items()
            if (dates.first_present or dates.first_absent or as_of) <= as_of
        }
    )
