"""Long answers row by row: NDJSON and CSV, with memory for one page whatever the length."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any, Final, TypeVar

import msgspec
import structlog
from aiohttp import web

from hunter.store.pages import Page

T = TypeVar("T")
log = structlog.get_logger()

NDJSON: Final = "application/x-ndjson"
CSV: Final = "text/csv"
#: a caller that takes nothing for so long is let go
WRITE_DEADLINE_S: Final = 60.0
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
    fetch: Callable[[str | None], Awaitable[Page[T]]], view: Callable[[T], Any]
) -> AsyncGenerator[list[Any], None]:
    """The items of all pages, a page at a time; `fetch` takes a cursor and gives a page."""
    cursor: str | None = None
    while True:
        page = await fetch(cursor)
        yield [view(item) for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return


async def stream_ndjson(
    request: web.Request, pages: AsyncGenerator[list[Any], None]
) -> web.StreamResponse:
    """One JSON object a line."""
    return await _stream(
        request, pages, msgspec.json.Encoder().encode_lines, {"Content-Type": NDJSON}
    )


async def stream_csv(
    request: web.Request,
    header: Sequence[str],
    pages: AsyncGenerator[list[Any], None],
    filename: str,
) -> web.StreamResponse:
    """Rows a spreadsheet opens as they are: UTF-8 with its mark, and no cell is a formula."""
    headers = {
        "Content-Type": f"{CSV}; charset=utf-8",
        "Content-Disposition": f'attachment; filename="{filename}"',
    }
    head = b"\xef\xbb\xbf" + _csv_rows([header])
    return await _stream(request, pages, _csv_rows, headers, head)


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


class _StalledError(Exception):
    """The caller takes nothing any more."""


async def _write(response: web.StreamResponse, data: bytes) -> None:
    """Send; raises _StalledError when the caller does not read for `WRITE_DEADLINE_S`."""
    try:
        async with asyncio.timeout(WRITE_DEADLINE_S):
            await response.write(data)
    except TimeoutError:
        raise _StalledError from None


async def _stream(
    request: web.Request,
    pages: AsyncGenerator[list[Any], None],
    encode: Callable[[list[Any]], bytes],
    headers: dict[str, str],
    head: bytes = b"",
) -> web.StreamResponse:
    """Send the pages. The first is fetched before the status, so that its errors are problems.

    An error after that cuts the connection: the caller must not take half a list for a whole one.
    """
    async with aclosing(pages):
        first: list[Any] = await anext(pages, [])
        response = web.StreamResponse(headers=headers)
        response.enable_compression()
        await response.prepare(request)
        try:
            await _write(response, head + encode(first))
            async for rows in pages:
                await _write(response, encode(rows))
            await response.write_eof()
        except ConnectionError:
            log.info("caller went away")
        except _StalledError:
            log.info("caller stopped reading")
            if request.transport is not None:
                request.transport.abort()
        except Exception:
            log.exception("stream broken off")
            if request.transport is not None:
                request.transport.abort()
    return response
