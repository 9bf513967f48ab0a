"""Long answers row by row: NDJSON, CSV and XLSX, with memory for one page whatever the length."""

from __future__ import annotations

import asyncio
import csv
import datetime as dt
import io
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any, Final, TypeVar

import msgspec
import structlog
from aiohttp import web

from hunter.store.pages import Page
from hunter.web.admission import among_bulks
from hunter.web.packing import Packer, packed_stream, unpacked_stream
from hunter.web.workbook import Workbook, starts_formula

T = TypeVar("T")
log = structlog.get_logger()

NDJSON: Final = "application/x-ndjson"
CSV: Final = "text/csv"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
#: a caller that takes nothing for so long is let go
WRITE_DEADLINE_S: Final = 60.0


class CsvForm(msgspec.Struct, frozen=True):
    """How a CSV is written."""

    delimiter: str = ","
    #: the mark by which Excel knows UTF-8
    bom: bool = True


def wanted_format(request: web.Request, asked: str | None) -> str:
    """json, ndjson, csv or xlsx: what the query asks for, else what the Accept header names first."""
    if asked:
        return asked
    for part in request.headers.get("Accept", "").split(","):
        match part.partition(";")[0].strip().lower():
            case "application/x-ndjson" | "application/ndjson" | "application/jsonl":
                return "ndjson"
            case "text/csv":
                return "csv"
            case media if media == XLSX:
                return "xlsx"
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
    request: web.Request, pages: AsyncGenerator[list[Any], None], *, at_once: bool = False
) -> web.StreamResponse:
    """One JSON object a line; with `at_once` each page is sent when it comes, an empty one as a line."""
    encode = msgspec.json.Encoder().encode_lines
    headers = {"Content-Type": NDJSON}
    if not at_once:
        return await _stream(request, pages, encode, headers)
    headers |= {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return await _stream(request, pages, lambda rows: encode(rows) or b"\n", headers, at_once=True)


async def stream_csv(
    request: web.Request,
    header: Sequence[str],
    pages: AsyncGenerator[list[Any], None],
    filename: str,
    form: CsvForm | None = None,
) -> web.StreamResponse:
    """Rows a spreadsheet opens as they are: UTF-8 with its mark, and no cell is a formula."""
    form = form or CsvForm()

    def encode(rows: Sequence[Sequence[object]]) -> bytes:
        return csv_rows(rows, form.delimiter)

    head = (b"\xef\xbb\xbf" if form.bom else b"") + encode([header])
    headers = {"Content-Type": f"{CSV}; charset=utf-8"} | _attached(filename)
    return await _stream(request, pages, encode, headers, head)


async def stream_xlsx(
    request: web.Request,
    book: Workbook,
    pages: AsyncGenerator[list[Any], None],
    filename: str,
) -> web.StreamResponse:
    """A workbook, written while it is sent; it is compressed already."""
    headers = {"Content-Type": XLSX} | _attached(filename)
    return await _stream(request, pages, book.write, headers, tail=book.end)


def _attached(filename: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{filename}"'}


def ndjson_rows(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> bytes:
    """Rows as lines of JSON objects."""
    objects = [dict(zip(headings, row, strict=True)) for row in rows]
    return msgspec.json.Encoder().encode_lines(objects)


def csv_rows(rows: Sequence[Sequence[object]], delimiter: str) -> bytes:
    """Rows as lines of CSV in UTF-8, no cell of which is a formula."""
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter).writerows([_safe(cell) for cell in row] for row in rows)
    return buffer.getvalue().encode("utf-8", "replace")


def _safe(cell: object) -> object:
    """The cell as a CSV has it: text that a spreadsheet would run gets an apostrophe before it."""
    match cell:
        case None:
            return ""
        case str():
            text = cell.replace("\0", "")
            return "'" + text if starts_formula(text) else text
        case bool():
            return "true" if cell else "false"
        case dt.datetime():
            return cell.isoformat(timespec="seconds").replace("+00:00", "Z")
        case _:
            return cell


class StalledError(Exception):
    """The caller takes nothing any more."""


async def write(response: web.StreamResponse, data: bytes) -> None:
    """Send; raises StalledError when the caller does not read for `WRITE_DEADLINE_S`."""
    try:
        async with asyncio.timeout(WRITE_DEADLINE_S):
            await response.write(data)
    except TimeoutError:
        raise StalledError from None


async def _stream(
    request: web.Request,
    pages: AsyncGenerator[list[Any], None],
    encode: Callable[[list[Any]], bytes],
    headers: dict[str, str],
    head: bytes = b"",
    *,
    tail: Callable[[], bytes] = bytes,
    at_once: bool = False,
) -> web.StreamResponse:
    """Send the pages. The first is fetched before the status, so that its errors are problems.

    An error after that cuts the connection: the caller must not take half a list for a whole one.
    Pages become bytes in a thread: a page of them takes as long as many small answers.
    """
    async with aclosing(pages):
        first: list[Any] = await anext(pages, [])
        response = web.StreamResponse(headers=headers)
        if request.method == "HEAD":
            return response  # sent by the framework, which writes no body; a compressor would
        among_bulks(request)
        is_plain = headers["Content-Type"] == XLSX or at_once  # a packer keeps rows back
        packer = unpacked_stream() if is_plain else packed_stream(request, response)
        await response.prepare(request)
        try:
            await write(response, packer.pack(head))
            await write(response, await asyncio.to_thread(_packed, packer, encode, first))
            async for rows in pages:
                await write(response, await asyncio.to_thread(_packed, packer, encode, rows))
            last = await asyncio.to_thread(tail)
            await write(response, packer.pack(last) + packer.end())
            await response.write_eof()
        except ConnectionError:
            log.info("caller went away")
        except StalledError:
            log.info("caller stopped reading")
            if request.transport is not None:
                request.transport.abort()
        except Exception:
            log.exception("stream broken off")
            if request.transport is not None:
                request.transport.abort()
    return response


def _packed(packer: Packer, encode: Callable[[list[Any]], bytes], rows: list[Any]) -> bytes:
    return packer.pack(encode(rows))
