"""Rows sent as a file: CSV, XLSX or NDJSON, under the headings of a layout."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from hunter.store.pages import Page
from hunter.web.flat import Layout, reject_layout, reject_row
from hunter.web.language import language_of
from hunter.web.receipts import RejectView
from hunter.web.requests import ExportQuery, RejectsQuery, ResultsQuery
from hunter.web.schema import render
from hunter.web.streams import (
    CsvForm,
    every_page,
    stream_csv,
    stream_ndjson,
    stream_xlsx,
    wanted_format,
)
from hunter.web.workbook import Workbook

#: refused rows read at once for a file
_REJECTS: Final = 1000
DELIMITERS: Final = {"comma": ",", "semicolon": ";", "tab": "\t"}


async def send_file(
    request: web.Request,
    pages: AsyncGenerator[list[Any], None],
    layout: Layout,
    query: ExportQuery | ResultsQuery | RejectsQuery,
    name: str,
    *,
    title: str = "Leads",
) -> web.StreamResponse:
    """Stream pages of rows in the format that is asked for; CSV when none is.

    `name` is that of the file, without its ending; `title` that of its sheet.
    """
    match wanted_format(request, query.format):
        case "ndjson":
            return await stream_ndjson(request, _records(pages, layout.headings))
        case "xlsx":
            book = Workbook(title, layout.headings, layout.widths)
            return await stream_xlsx(request, book, pages, f"{name}.xlsx")
        case _:
            form = CsvForm(DELIMITERS[query.delimiter], query.bom)
            return await stream_csv(request, layout.headings, pages, f"{name}.csv", form)


async def _records(
    pages: AsyncGenerator[list[Any], None], headings: tuple[str, ...]
) -> AsyncGenerator[list[dict[str, object]], None]:
    """Rows as JSON objects."""
    async for rows in pages:
        yield [dict(zip(headings, row, strict=True)) for row in rows]


async def send_rejects(
    request: web.Request,
    fetch: Callable[[str | None, int], Awaitable[Page[RejectView]]],
    query: RejectsQuery,
    name: str,
) -> web.StreamResponse:
    """What was refused: a page as JSON, or all of it as a file."""
    if wanted_format(request, query.format) == "json":
        return render(await fetch(query.cursor, query.limit))
    pages = every_page(lambda cursor: fetch(cursor, _REJECTS), reject_row)
    layout = reject_layout(language_of(request, query.lang))
    return await send_file(request, pages, layout, query, name, title="Rejects")
