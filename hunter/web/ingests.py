"""Companies in: one, or a file of them, and how a file came out."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from hunter.core.answers import Depth
from hunter.pipeline.ingest import Ingested, Settings, ingest_company, ingest_file
from hunter.store import ingests
from hunter.store.pages import Page
from hunter.web.bodies import Digest, json_body, media_type
from hunter.web.files import send_rejects
from hunter.web.keys import CALLER, CONFIG, DB, HINTS, METRICS, READERS
from hunter.web.middleware import API
from hunter.web.receipts import RejectView, batch_view, company_view, row_reject_view
from hunter.web.repeats import idempotency_of
from hunter.web.requests import CompanyRequest, IngestQuery, RejectsQuery
from hunter.web.scans import JSON
from hunter.web.schema import id_in_path, read_json, read_query, render
from hunter.web.uploads import spool_upload

FILE_TYPES: Final = (
    "text/csv",
    "text/plain",
    "text/tab-separated-values",
    "application/csv",
    "application/vnd.ms-excel",
    "application/vnd.ms-excel.sheet.binary.macroenabled.12",
    "application/vnd.ms-excel.sheet.macroenabled.12",
    "application/vnd.oasis.opendocument.spreadsheet",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/octet-stream",
)

#: of a file name that says where its leads come from
_SOURCE_CHARS: Final = 100


async def ingest_domain(request: web.Request) -> web.Response:
    """POST /ingest/domain"""
    media_type(request, JSON)
    digest = Digest(request)
    given = read_json(await json_body(request, digest), CompanyRequest)
    domain, accepted = await ingest_company(
        request.app[DB],
        request.app[HINTS],
        request.app[METRICS],
        [text for text in (given.domain, given.website, given.email) if text.strip()],
        company_name=given.company_name.strip() or None,
        settings=ingest_settings(request, given.source, given.depth),
        idempotency=idempotency_of(request, digest),
    )
    headers = {"Location": f"{API}/leads/{domain.name}"}
    return render(company_view(domain, accepted), status=202, headers=headers)


async def ingest_csv(request: web.Request) -> web.Response:
    """POST /ingest/csv"""
    done = await take_file(request, read_query(request, IngestQuery))
    headers = {"Location": f"{API}/ingest/batches/{done.batch_id}"}
    return render(batch_view(done), status=202, headers=headers)


async def take_file(request: web.Request, query: IngestQuery | None = None) -> Ingested:
    """Take in the file of a request; without a query, its name says where the leads come from."""
    digest = Digest(request)
    idempotency = idempotency_of(request, digest, is_read=True)
    file, name = await spool_upload(request, digest, *FILE_TYPES)
    query = query or IngestQuery(source=name[:_SOURCE_CHARS])
    with file:
        return await ingest_file(
            request.app[DB],
            request.app[HINTS],
            request.app[METRICS],
            file,
            readers=request.app[READERS],
            filename=name or None,
            settings=ingest_settings(request, query.source, query.depth or Depth.QUICK),
            idempotency=idempotency,
        )


def ingest_settings(request: web.Request, source: str, depth: Depth) -> Settings:
    config = request.app[CONFIG]
    return Settings(
        caller=request[CALLER],
        source=source.strip() or None,
        depth=depth,
        allow_test_names=config.allow_test_names,
        chunk_size=config.chunk_size,
    )


async def show_batch(request: web.Request) -> web.Response:
    """GET /ingest/batches/{batch_id}"""
    async with request.app[DB].acquire() as conn:
        return render(await ingests.get_batch(conn, id_in_path(request, "batch_id")))


async def batch_rejects(request: web.Request) -> web.StreamResponse:
    """GET /ingest/batches/{batch_id}/rejects: a page, or all as a file"""
    query = read_query(request, RejectsQuery)
    batch_id = id_in_path(request, "batch_id")
    async with request.app[DB].acquire() as conn:
        await ingests.get_batch(conn, batch_id)

    async def fetch(cursor: str | None, limit: int) -> Page[RejectView]:
        async with request.app[DB].acquire() as conn:
            page = await ingests.rejects_page(conn, batch_id, cursor, limit)
        return Page([row_reject_view(each) for each in page.items], page.next_cursor)

    return await send_rejects(request, fetch, query, f"rejects-{batch_id}")
