"""Long answers row by row: NDJSON and CSV, with memory for one page whatever the length."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec
import structlog
from aiohttp import web

from hunter.store.pages import Page

T = TypeVar("T")
log = structlog.get_logger()

NDJSON: Final = "application/x-ndjson"
CSV: Final = "text/csv"
#: a spreadsheet takes a cell that starts so for a formula and may run it
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


def wanted_format(request: web.Request, asked: str | None) -> str:
    """json, ndjson or csv: what the query asks for, else what the Accept header names first."""
    if asked:
        return asked
    for part in request.headers.get("Accept", "").split(","):
        match part.partition(";")[0].strip().lower():
            case "application/x-ndjson" | "application/ndjson" | "application/jsonl":
                return "ndjson"
            case "text/csv":
                return "csv"
            case "application/json" | "*/*":
                return "json"
            case _:
                pass
    return "json"


async def every_page(
    fetch: Callable[[str | None], Any], view: Callable[[T], Any]
) -> AsyncIterator[list[Any]]:
    """The items of all pages, a page at a time; `fetch` takes a cursor and gives a page."""
    cursor: str | None = None
    while True:
        page: Page[T] = await fetch(cursor)
        yield [view(item) for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return


async def stream_ndjson(
    request: web.Request, pages: AsyncIterator[list[Any]]
) -> web.StreamResponse:
    """One JSON object a line."""
    encode = msgspec.json.Encoder().encode_lines
    return await _stream(request, NDJSON, (encode(rows) async for rows in pages if rows))


async def stream_csv(
    request: web.Request,
    header: Sequence[str],
    pages: AsyncIterator[list[Sequence[object]]],
    filename: str,
) -> web.StreamResponse:
    """Rows a spreadsheet opens as they are: UTF-8 with its mark, and no cell is a formula."""

    async def pieces() -> AsyncIterator[bytes]:
        head = b"\xef\xbb\xbf" + _csv_rows([header])
        async for rows in pages:
            yield head + _csv_rows(rows)
            head = b""

    disposition = f'attachment; filename="{filename}"'
    return await _stream(
        request, f"{CSV}; charset=utf-8", pieces(), {"Content-Disposition": disposition}
    )


def _csv_rows(rows: Sequence[Sequence[object]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerows([_safe(cell) for cell in row] for row in rows)
    return buffer.getvalue().encode()


def _safe(cell: object) -> object:
    if cell is None:
        return ""
    if isinstance(cell, str) and cell.startswith(_FORMULA_STARTS):
        return "'" + cell
    return cell


async def _stream(
    request: web.Request,
    content_type: str,
    pieces: AsyncIterator[bytes],
    headers: dict[str, str] | None = None,
) -> web.StreamResponse:
    """Send the pieces. The first is made before the status, so that its errors are problems.

    An error after that cuts the connection: the caller must not take half a list for a whole one.
    """
    first = await anext(pieces, b"")
    response = web.StreamResponse(headers={"Content-Type": content_type, **(headers or {})})
    response.enable_compression()
    await response.prepare(request)
    try:
        await response.write(first)
        async for piece in pieces:
            await response.write(piece)
        await response.write_eof()
    except ConnectionError:
        log.info("caller went away", endpoint=request.path)
    except Exception:
        log.exception("stream broken off")
        if request.transport is not None:
            request.transport.abort()
    return response
