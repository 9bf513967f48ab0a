"""Rows sent as a file: CSV, XLSX or NDJSON, under the headings of a layout."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Final

from aiohttp import web

from hunter.web.flat import Layout
from hunter.web.requests import ExportQuery, ResultsQuery
from hunter.web.streams import CsvForm, stream_csv, stream_ndjson, stream_xlsx, wanted_format
from hunter.web.workbook import Workbook

_DELIMITERS: Final = {"comma": ",", "semicolon": ";", "tab": "\t"}


async def send_file(
    request: web.Request,
    pages: AsyncGenerator[list[Any], None],
    layout: Layout,
    query: ExportQuery | ResultsQuery,
    name: str,
) -> web.StreamResponse:
    """Stream pages of rows in the format that is asked for; CSV when none is.

    `name` is that of the file, without its ending.
    """
    match wanted_format(request, query.format):
        case "ndjson":
            return await stream_ndjson(request, _records(pages, layout.headings))
        case "xlsx":
            book = Workbook("Leads", layout.headings, layout.widths)
            return await stream_xlsx(request, book, pages, f"{name}.xlsx")
        case _:
            form = CsvForm(_DELIMITERS[query.delimiter], query.bom)
            return await stream_csv(request, layout.headings, pages, f"{name}.csv", form)


async def _records(
    pages: AsyncGenerator[list[Any], None], headings: tuple[str, ...]
) -> AsyncGenerator[list[dict[str, object]], None]:
    """Rows as JSON objects."""
    async for rows in pages:
        yield [dict(zip(headings, row, strict=True)) for row in rows]
