"""The dashboard: how many leads of which kind, what happened today, whom to call first."""

from __future__ import annotations

import datetime as dt

import msgspec
from aiohttp import web

from hunter.core.judgement import ScanStatus, Segment
from hunter.store import kpis, leads
from hunter.store.identifiers import uuid7_at
from hunter.store.kpis import Mover
from hunter.store.lead_filters import LeadFilter
from hunter.web.keys import DB
from hunter.web.schema import render

_DAYS = 30
_MOVED_WITHIN = dt.timedelta(days=7)
_SHOWN = 10


class DayView(msgspec.Struct, frozen=True):
    """What happened on one day (UTC)."""

    day: str
    #: domains scanned
    scans: int
    #: changes found, those that other rules made not counted
    changes: int


class KpiView(msgspec.Struct, frozen=True, kw_only=True):
    """Counts as they are at this moment; of leads never scanned the value is none."""

    at: dt.datetime
    leads: int
    segments: dict[str, int]
    #: 1 (call first) to 6
    priorities: dict[str, int]
    providers: dict[str, int]
    tenant_states: dict[str, int]
    #: sure, likely, unsure, unknown
    confidence: dict[str, int]
    scan_statuses: dict[str, int]
    #: called, won, lost
    marks: dict[str, int]
    favourites: int
    scans_today: int
    changes_today: int
    #: kind of change to how many today
    changes_today_by_kind: dict[str, int]
    #: the last 30 days, today last
    days: list[DayView]


class CallView(msgspec.Struct, frozen=True, kw_only=True):
    """A lead to call."""

    domain: str
    display_name: str
    company_name: str | None
    segment: str | None
    priority: int | None
    score: int | None
    provider: str | None
    reason: str | None


class DashboardView(msgspec.Struct, frozen=True):
    """What a salesperson sees in the morning."""

    kpis: KpiView
    #: largest changes of a score within seven days
    top_movers: list[Mover]
    #: whom to call first, nobody that was called already
    call_first: list[CallView]


async def show_kpis(request: web.Request) -> web.Response:
    """GET /dashboard/kpis"""
    async with request.app[DB].acquire() as conn:
        return render(_kpi_view(await kpis.read(conn)))


async def show_dashboard(request: web.Request) -> web.Response:
    """GET /dashboard"""
    since = uuid7_at(dt.datetime.now(dt.UTC) - _MOVED_WITHIN)
    async with request.app[DB].acquire() as conn:
        counts = await kpis.read(conn)
        moved = await kpis.movers(conn, since, _SHOWN)
        wanted = LeadFilter(segment=("migration", "existing", "cold"))
        page = await leads.search(conn, wanted, limit=3 * _SHOWN, is_judged=False)
    uncalled = [each for each in page.items if each.mark is None][:_SHOWN]
    names = CallView.__struct_fields__
    calls = [CallView(**{name: getattr(each, name) for name in names}) for each in uncalled]
    return render(DashboardView(_kpi_view(counts), moved, calls))


#: these are no change of anybody's records
_NO_CHANGE = frozenset(
    {"reclassified", "fact_table_effect", "observation_failed", "scan_health_degraded"}
)


def _kpi_view(counts: dict[str, dict[str, int]]) -> KpiView:
    now = dt.datetime.now(dt.UTC)
    changes: dict[str, dict[str, int]] = {}
    for value, n in counts.get("changes", {}).items():
        day, _, kind = value.partition(" ")
        if kind not in _NO_CHANGE:
            changes.setdefault(day, {})[kind] = n
    scans = counts.get("scans", {})
    days = [(now.date() - dt.timedelta(days=n)).isoformat() for n in reversed(range(_DAYS))]
    today = days[-1]
    return KpiView(
        at=now,
        leads=counts.get("leads", {}).get("", 0),
        segments=_named(counts, "segment", [each.value for each in Segment]),
        priorities=_named(counts, "priority", [str(n) for n in range(1, 7)]),
        providers=_named(counts, "provider"),
        tenant_states=_named(counts, "tenant_state"),
        confidence=_named(counts, "confidence", ["sure", "likely", "unsure", "unknown"]),
        scan_statuses=_named(counts, "scan_status", [each.value for each in ScanStatus]),
        marks=_named(counts, "mark", ["called", "won", "lost"]),
        favourites=counts.get("favourite", {}).get("true", 0),
        scans_today=scans.get(today, 0),
        changes_today=sum(changes.get(today, {}).values()),
        changes_today_by_kind=changes.get(today, {}),
        days=[DayView(day, scans.get(day, 0), sum(changes.get(day, {}).values())) for day in days],
    )


def _named(
    counts: dict[str, dict[str, int]], dimension: str, known: list[str] | None = None
) -> dict[str, int]:
    """Counts with every known value, and with none in place of ''; the largest first without."""
    found = counts.get(dimension, {})
    named = {value: found.get(value, 0) for value in known or ()}
    rest = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
    return named | {value or "none": n for value, n in rest}
