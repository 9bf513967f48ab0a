"""Known leads scanned again on demand, with the changes found; and the schedule that does it by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from typing import Final
from uuid import UUID

import msgspec
from aiohttp import web

from hunter.core.answers import Depth
from hunter.core.errors import InvalidInput
from hunter.pipeline.accept import SLICE, Accepted, Line, accept_scan
from hunter.store import history, jobs, leads, rescans, schedule
from hunter.store.database import Database
from hunter.store.schedule import State
from hunter.web.bodies import Digest, json_body, media_type
from hunter.web.changes import ChangeView, change_view
from hunter.web.doubts import PendingView, pending_views
from hunter.web.keys import CALLER, CONFIG, DB, HEALTH, HINTS, RULES
from hunter.web.language import language_headers, language_of
from hunter.web.leads import name_in_path
from hunter.web.receipts import JobView, job_view
from hunter.web.repeats import idempotency_of
from hunter.web.requests import DepthQuery, RescanFilter, RescanRequest
from hunter.web.scans import (
    JSON,
    JSON_NAMES_MAX,
    NAMES_MAX,
    located,
    may_wait,
    preferred_wait,
)
from hunter.web.schema import read_json, read_query, render

#: changes and open doubts that one answer lists; the others are in GET /changes
_SHOWN: Final = 1000
_LOOK_EVERY_S: Final = 0.25
#: an operator's word on many changes at once holds so long
_RELEASED_S: Final = 3600.0


class RescanView(msgspec.Struct, frozen=True):
    """A scan of known leads that is through, with what it found."""

    job: JobView
    #: confirmed by this scan
    changes: list[ChangeView]
    #: seen and not believed yet
    pending: list[PendingView]


async def rescan_domain(request: web.Request) -> web.Response:
    """POST /scan/{domain}/rescan"""
    asked = read_query(request, DepthQuery).depth
    async with request.app[DB].acquire(reserved=True) as conn:
        lead = await leads.get(conn, name_in_path(request))
        depth = asked or await rescans.depth_of(conn, lead.domain)
    accepted = await _accept(request, [Line(1, lead.domain)], "interactive", depth, None)
    return await _answer(request, accepted)


async def rescan_bulk(request: web.Request) -> web.Response:
    """POST /scan/bulk/rescan"""
    media_type(request, JSON)
    digest = Digest(request)
    wanted = read_json(await json_body(request, digest), RescanRequest)
    if bool(wanted.domains) == (wanted.filter is not None):
        raise InvalidInput(
            "Which leads is not clear.",
            errors=(("/domains", "send either domains or a filter; an empty filter is all leads"),),
        )
    if len(wanted.domains) > JSON_NAMES_MAX:
        raise InvalidInput(
            "Too many domains.",
            errors=(("/domains", f"send at most {JSON_NAMES_MAX:,}, or a filter"),),
        )
    names: Sequence[Line] | AsyncIterable[list[Line]]
    names = [Line(place, name) for place, name in enumerate(wanted.domains, start=1)]
    if wanted.filter is not None:
        names = _matching(request.app[DB], wanted.filter)
    accepted = await _accept(request, names, "bulk", wanted.depth or Depth.QUICK, digest)
    return await _answer(request, accepted)


async def _matching(db: Database, asked: RescanFilter) -> AsyncGenerator[list[Line], None]:
    """The leads that a filter finds, a part at a time. Raises InvalidInput when there is none."""
    wanted = rescans.Wanted(**msgspec.structs.asdict(asked))
    count = 0
    async for names in rescans.matching(db, wanted, size=SLICE):
        yield [Line(place, name) for place, name in enumerate(names, start=count + 1)]
        count += len(names)
    if not count:
        raise InvalidInput("No lead matches.", errors=(("/filter", "ask for less"),))


async def _accept(
    request: web.Request,
    names: Sequence[Line] | AsyncIterable[list[Line]],
    lane: str,
    depth: Depth,
    digest: Digest | None,
) -> Accepted:
    config = request.app[CONFIG]
    return await accept_scan(
        request.app[DB],
        request.app[HINTS],
        names,
        lane=lane,
        depth=depth,
        caller=request[CALLER],
        idempotency=idempotency_of(request, digest or Digest(request), is_read=True),
        allow_test_names=config.allow_test_names,
        limit=NAMES_MAX,
        chunk_size=config.chunk_size,
    )


async def _answer(request: web.Request, accepted: Accepted) -> web.Response:
    """What was found when it is within `Prefer: wait=N`, else where to look for it."""
    headers = located(accepted.job_id)
    wait_s = preferred_wait(request)
    if wait_s and not may_wait(request):
        wait_s = 0
    if wait_s:
        headers["Preference-Applied"] = f"wait={wait_s}"
    job_id = UUID(accepted.job_id)
    if not wait_s or not await _is_through(request, job_id, wait_s):
        return render(job_view(accepted), status=202, headers=headers)
    async with request.app[DB].acquire(reserved=True) as conn:
        events = await history.events_of_job(conn, job_id, _SHOWN)
        waiting = await history.waiting_of_job(conn, job_id, _SHOWN)
    language = language_of(request)
    rules = request.app[RULES].current.rules
    view = RescanView(
        job=job_view(msgspec.structs.replace(accepted, status="completed")),
        changes=[change_view(each, language, rules) for each in events],
        pending=[view for domain, doubts in waiting for view in pending_views(domain, doubts)],
    )
    return render(view, headers=headers | language_headers(language))


async def _is_through(request: web.Request, job_id: UUID, wait_s: float) -> bool:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    async with request.app[HINTS].listen(job_id) as news:
        while True:
            async with request.app[DB].acquire(reserved=True) as conn:
                if (await jobs.progress(conn, job_id)).is_finished:
                    return True
            left_s = deadline - loop.time()
            if left_s <= 0 or request.app[HEALTH].draining:
                return False
            await news.wait(min(_LOOK_EVERY_S, left_s))


async def show_schedule(request: web.Request) -> web.Response:
    """GET /admin/schedule"""
    return render(await _state(request))


async def pause_schedule(request: web.Request) -> web.Response:
    """POST /admin/schedule/pause"""
    await request.app[DB].transact(schedule.pause)
    return render(await _state(request))


async def resume_schedule(request: web.Request) -> web.Response:
    """POST /admin/schedule/resume"""
    await request.app[DB].transact(schedule.resume)
    return render(await _state(request))


async def release_schedule(request: web.Request) -> web.Response:
    """POST /admin/schedule/release"""
    await request.app[DB].transact(lambda conn: schedule.release(conn, for_s=_RELEASED_S))
    return render(await _state(request))


async def _state(request: web.Request) -> State:
    async with request.app[DB].acquire() as conn:
        return await schedule.state(conn)
