"""Scans: one domain, a bulk of them, and how a job is doing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from typing import Final
from uuid import UUID

import msgspec
from aiohttp import web

from hunter.core.answers import Depth
from hunter.core.errors import InvalidInput, LimitExceeded, Unavailable
from hunter.pipeline.accept import Accepted, Line, accept_scan
from hunter.store import audit, jobs, redrive, results
from hunter.store.database import Connection
from hunter.store.identifiers import uuid7
from hunter.store.jobs import JobProgress
from hunter.store.pages import Page
from hunter.store.results import Result
from hunter.web.admission import ADMISSION, PLACE, Load
from hunter.web.bodies import Digest, body_lines, json_body, media_type
from hunter.web.events import followed
from hunter.web.files import send_file, send_rejects
from hunter.web.flat import dynamics_layout, dynamics_row, flat_result, result_layout
from hunter.web.keys import CALLER, CONFIG, DB, HEALTH, HINTS
from hunter.web.language import language_headers, language_of
from hunter.web.middleware import API
from hunter.web.receipts import RejectView, job_view, reject_view
from hunter.web.repeats import do_once, idempotency_of
from hunter.web.requests import (
    BulkRequest,
    DepthQuery,
    DomainLine,
    JobsQuery,
    RejectsQuery,
    ResultsQuery,
    ScanRequest,
)
from hunter.web.schema import id_in_path, read_json, read_query, render
from hunter.web.streams import every_page, stream_ndjson, wanted_format
from hunter.web.views import result_row, result_view

TEXT: Final = "text/plain"
JSON: Final = "application/json"
NDJSON: Final = ("application/x-ndjson", "application/ndjson", "application/jsonl")
#: names in one JSON body, which is held in memory as a whole
JSON_NAMES_MAX: Final = 100_000
NAMES_MAX: Final = 1_000_000
WAIT_MAX_S: Final = 30
#: PostgreSQL is asked so often; news on Redis only wake earlier
_LOOK_EVERY_S: Final = 0.25
#: what the last look at PostgreSQL may take beyond the time asked for
_LAST_LOOK_S: Final = 0.3
_STREAM_PAGE: Final = 500

_WAIT = re.compile(r"\bwait\s*=\s*(\d{1,6})\b")
_read_name = msgspec.json.Decoder(str | DomainLine).decode


async def scan_domain(request: web.Request) -> web.Response:
    """POST /scan/domain"""
    media_type(request, JSON)
    asked = read_query(request, DepthQuery).depth
    digest = Digest(request)
    wanted = read_json(await json_body(request, digest), ScanRequest)
    depth = _depth(wanted.depth, asked)
    accepted = await _accept(request, [Line(1, wanted.domain)], "interactive", depth, digest)
    return await answer_job(request, accepted)


async def scan_bulk(request: web.Request) -> web.Response:
    """POST /scan/bulk"""
    kind = media_type(request, JSON, TEXT, *NDJSON)
    depth = read_query(request, DepthQuery).depth
    digest = Digest(request)
    names: list[Line] | AsyncIterator[list[Line]]
    if kind == JSON:
        body = read_json(await json_body(request, digest), BulkRequest)
        names, depth = _listed(body), _depth(body.depth, depth)
    else:
        names = _lines(request, digest, is_ndjson=kind != TEXT)
    accepted = await _accept(request, names, "bulk", depth or Depth.QUICK, digest)
    return render(job_view(accepted), status=202, headers=located(accepted.job_id))


def _depth(in_body: Depth | None, in_query: Depth | None) -> Depth:
    """The depth of body or query; raises InvalidInput when they differ."""
    if in_body and in_query and in_body is not in_query:
        raise InvalidInput(
            "The depth is given twice.",
            errors=(("depth", f"the body says {in_body}, the query {in_query}: send one of them"),),
        )
    return in_body or in_query or Depth.QUICK


async def _accept(
    request: web.Request,
    names: list[Line] | AsyncIterator[list[Line]],
    lane: str,
    depth: Depth,
    digest: Digest,
) -> Accepted:
    config = request.app[CONFIG]
    return await accept_scan(
        request.app[DB],
        request.app[HINTS],
        names,
        lane=lane,
        depth=depth,
        caller=request[CALLER],
        idempotency=idempotency_of(request, digest),
        allow_test_names=config.allow_test_names,
        limit=NAMES_MAX,
        chunk_size=config.chunk_size,
    )


def _listed(body: BulkRequest) -> list[Line]:
    """The names of a JSON body; what is no name is kept as text, to be refused in its place."""
    if body.domains and body.domain_list:
        detail = "domain_list is another word for domains: send one of them"
        raise InvalidInput("The names are given twice.", errors=(("/domain_list", detail),))
    names = body.domains or body.domain_list
    if len(names) > JSON_NAMES_MAX:
        raise LimitExceeded(
            f"{len(names):,} names in one JSON body; it takes {JSON_NAMES_MAX:,}. Send them as NDJSON "
            "(application/x-ndjson) or as text lines (text/plain): those take 1,000,000."
        )
    return [Line(place, _from_json(bytes(name))) for place, name in enumerate(names, start=1)]


async def _lines(
    request: web.Request, digest: Digest, *, is_ndjson: bool
) -> AsyncIterator[list[Line]]:
    async for batch in body_lines(request, digest):
        if is_ndjson:
            yield [Line(number, _from_json(text.encode())) for number, text in batch]
        else:
            yield [Line(number, text) for number, text in batch]


def _from_json(text: bytes) -> str:
    """The name in an element of a list or a line of NDJSON; what is none is refused as it stands."""
    try:
        name = _read_name(text)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return text.decode(errors="replace")
    return name if isinstance(name, str) else name.domain


def located(job_id: str) -> dict[str, str]:
    """The header that says where the job is."""
    return {"Location": f"{API}/scan/bulk/{job_id}"}


async def answer_job(request: web.Request, accepted: Accepted) -> web.Response:
    """The result when it comes within `Prefer: wait=N`, else where to look for it."""
    headers = located(accepted.job_id)
    if (wait_s := preferred_wait(request)) and may_wait(request):
        headers["Preference-Applied"] = f"wait={wait_s}"
        result = await _wait_for_result(request, UUID(accepted.job_id), wait_s)
        if result is not None:
            language = language_of(request)
            headers |= language_headers(language)
            return render(result_view(result, language), headers=headers)
    return render(job_view(accepted), status=202, headers=headers)


def may_wait(request: web.Request) -> bool:
    """Give the place among the writes to others while waiting; False when too many wait already."""
    return request[PLACE].move_to(request.app[ADMISSION].gates[Load.STREAM])


def preferred_wait(request: web.Request) -> int:
    """Seconds of `Prefer: wait=N` (RFC 7240 section 4.3), at most WAIT_MAX_S; 0 without."""
    found = _WAIT.search(",".join(request.headers.getall("Prefer", [])))
    return min(int(found[1]), WAIT_MAX_S) if found else 0


async def _wait_for_result(request: web.Request, job_id: UUID, wait_s: float) -> Result | None:
    """The only result of a job, None when it is not there in time."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    # the job is accepted: whatever is slow or away now, the answer is where to look for it
    with suppress(TimeoutError, Unavailable):
        async with (
            asyncio.timeout_at(deadline + _LAST_LOOK_S),
            request.app[HINTS].listen(job_id) as news,
        ):
            while True:
                async with request.app[DB].acquire(reserved=True) as conn:
                    page = await results.results_page(conn, job_id, limit=1)
                if page.items:
                    return page.items[0]
                left_s = deadline - loop.time()
                if left_s <= 0 or request.app[HEALTH].draining:
                    return None
                await news.wait(min(_LOOK_EVERY_S, left_s))
    return None


# --- jobs ---------------------------------------------------------------------------------------


async def list_jobs(request: web.Request) -> web.Response:
    """GET /scan/bulk"""
    query = read_query(request, JobsQuery)
    async with request.app[DB].acquire() as conn:
        page = await jobs.list_jobs(
            conn,
            status=query.status,
            lane="bulk",
            created_after=query.created_after,
            created_before=query.created_before,
            redrive_of=query.redrive_of,
            after=query.cursor,
            limit=query.limit,
        )
    return render(page)


async def show_job(request: web.Request) -> web.Response:
    """GET /scan/bulk/{job_id}"""
    async with request.app[DB].acquire() as conn:
        return render(await jobs.progress(conn, id_in_path(request, "job_id")))


async def cancel_job(request: web.Request) -> web.Response:
    """POST /scan/bulk/{job_id}/cancel"""
    job_id = id_in_path(request, "job_id")

    async def work(conn: Connection) -> JobProgress:
        await audit.record(conn, "scan.cancelled", job_id)
        return await jobs.cancel(conn, job_id)

    return render(await request.app[DB].transact(work))


async def redrive_job(request: web.Request) -> web.Response:
    """POST /scan/bulk/{job_id}/redrive"""
    job_id, new_id = id_in_path(request, "job_id"), uuid7()
    chunk_size, caller = request.app[CONFIG].chunk_size, request[CALLER]

    async def work(conn: Connection) -> JobProgress:
        made = await redrive.redrive(
            conn, job_id, new_id=new_id, caller=caller, chunk_size=chunk_size
        )
        await audit.record(conn, "scan.redriven", job_id)
        return await jobs.progress(conn, made)

    return await do_once(
        request, Digest(request), work, status=202, headers=lambda job: located(job.job_id)
    )


async def job_rejects(request: web.Request) -> web.StreamResponse:
    """GET /scan/bulk/{job_id}/rejects: a page, or all as a file"""
    query = read_query(request, RejectsQuery)
    job_id = id_in_path(request, "job_id")

    async def fetch(cursor: str | None, limit: int) -> Page[RejectView]:
        async with request.app[DB].acquire() as conn:
            page = await jobs.rejects_page(conn, job_id, cursor, limit)
        return Page([reject_view(each) for each in page.items], page.next_cursor)

    return await send_rejects(request, fetch, query, f"rejects-{job_id}")


async def job_results(request: web.Request) -> web.StreamResponse:
    """GET /scan/bulk/{job_id}/results: a page, or all as a file"""
    query = read_query(request, ResultsQuery)
    job_id = id_in_path(request, "job_id")

    language = language_of(request, query.lang)
    view = partial(result_view, language=language)

    async def fetch(cursor: str | None, limit: int = _STREAM_PAGE) -> Page[Result]:
        async with request.app[DB].acquire() as conn:
            return await results.results_page(conn, job_id, cursor, limit)

    answered = wanted_format(request, query.format)
    if query.follow:
        if answered != "ndjson" or query.profile != "hunter":
            fix = "ask for format=ndjson in profile hunter with it"
            raise InvalidInput("Only NDJSON can be followed.", errors=(("follow", fix),))
        return await stream_ndjson(request, followed(request, job_id, view), at_once=True)
    if answered == "json":
        page = await fetch(query.cursor, query.limit)
        items = [view(each) for each in page.items]
        return render(Page(items, page.next_cursor), headers=language_headers(language))
    if query.profile == "hunter" and answered == "ndjson":
        return await stream_ndjson(request, every_page(fetch, view))
    name = f"results-{job_id}"
    if query.profile == "hunter":
        rows = every_page(fetch, result_row)
        return await send_file(request, rows, result_layout(language), query, name)
    rows = every_page(fetch, lambda result: dynamics_row(flat_result(result)))
    return await send_file(request, rows, dynamics_layout(language), query, name)
