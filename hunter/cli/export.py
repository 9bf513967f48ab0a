"""Write leads to a file or to standard output: CSV, XLSX or NDJSON, from a running API or straight from the database."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import IO, Final

from hunter.cli.api import Api
from hunter.cli.main import Exit
from hunter.config import Config
from hunter.core.advice import Language
from hunter.core.errors import InvalidInput
from hunter.store import exports
from hunter.store.database import open_database
from hunter.store.lead_filters import Sort
from hunter.web.files import DELIMITERS
from hunter.web.flat import dynamics_layout, dynamics_row, lead_layout, lead_row
from hunter.web.requests import ExportQuery
from hunter.web.schema import read_values
from hunter.web.streams import csv_rows, ndjson_rows
from hunter.web.workbook import Workbook

_FORMATS: Final = ("csv", "xlsx", "ndjson")
#: leads read at once from the database
_PAGE: Final = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which leads, in which format, where to."""
    parser.add_argument(
        "filters",
        nargs="*",
        metavar="NAME=VALUE",
        help="filters of GET /leads, such as segment=migration, priority=1, min_score=60, q=celik",
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="the file to write (default: standard output)"
    )
    parser.add_argument("--format", choices=_FORMATS, help="default: by the file's name, else csv")
    parser.add_argument("--profile", choices=("hunter", "dynamics365"), default="hunter")
    parser.add_argument("--lang", type=Language, choices=list(Language), default=Language.EN)
    parser.add_argument("--delimiter", choices=tuple(DELIMITERS), default="comma", help="of CSV")
    parser.add_argument("--no-bom", action="store_true", help="CSV without the mark Excel wants")
    parser.add_argument("--sort", choices=("domain", "call"), default="domain")
    parser.add_argument(
        "--database", action="store_true", help="read HUNTER_DATABASE_URL, without an API"
    )
    parser.add_argument(
        "--url", help="the API (default: HUNTER_HOST and HUNTER_PORT on this machine)"
    )


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Exit code 0 once all leads are written; a file that broke off is removed."""
    config = Config.from_env(environ)
    values = _values(arguments)
    if arguments.output is None:
        asyncio.run(_write(config, values, arguments, sys.stdout.buffer))
        return Exit.OK
    path = Path(arguments.output)
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            asyncio.run(_write(config, values, arguments, file))
        part.replace(path)
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    return Exit.OK


def _values(arguments: argparse.Namespace) -> dict[str, str]:
    """The query of the export."""
    values: dict[str, str] = {}
    for each in arguments.filters:
        name, equals, value = each.partition("=")
        if not equals or not value:
            raise InvalidInput(f"{each}: wants NAME=VALUE, such as segment=migration")
        if name in values:
            raise InvalidInput(f"{name} is given twice")
        values[name] = value
    suffix = Path(arguments.output or "").suffix.lstrip(".").lower()
    values["format"] = arguments.format or (suffix if suffix in _FORMATS else "csv")
    values |= {
        "profile": arguments.profile,
        "lang": arguments.lang.value,
        "delimiter": arguments.delimiter,
        "sort": arguments.sort,
        "bom": "false" if arguments.no_bom else "true",
    }
    read_values(values.items(), ExportQuery)
    return values


async def _write(
    config: Config, values: dict[str, str], arguments: argparse.Namespace, file: IO[bytes]
) -> None:
    pieces = (
        _from_database(config, values)
        if arguments.database
        else _from_api(config, values, arguments)
    )
    async with aclosing(pieces):
        async for piece in pieces:
            file.write(piece)
    file.flush()


async def _from_api(
    config: Config, values: dict[str, str], arguments: argparse.Namespace
) -> AsyncGenerator[bytes, None]:
    url = arguments.url or f"http://{config.host}:{config.port}"
    async with Api(url, str(config.admin_key)) as api:
        async for piece in api.download("/leads/export", values):
            yield piece


async def _from_database(config: Config, values: dict[str, str]) -> AsyncGenerator[bytes, None]:
    """The same bytes that the API would send, page by page."""
    if not str(config.database_url):
        raise InvalidInput("--database wants HUNTER_DATABASE_URL")
    query = read_values(values.items(), ExportQuery)
    language = query.lang or Language.EN
    is_hunter = query.profile == "hunter"
    layout = lead_layout(language) if is_hunter else dynamics_layout(language)
    row = lead_row if is_hunter else dynamics_row
    book = Workbook("Leads", layout.headings, layout.widths)
    delimiter = DELIMITERS[query.delimiter]
    if query.format == "csv":
        yield (b"\xef\xbb\xbf" if query.bom else b"") + csv_rows([layout.headings], delimiter)
    cursor: str | None = None
    async with open_database(config) as db:
        while True:
            async with db.acquire() as conn:
                page = await exports.export_page(
                    conn, query.wanted(), Sort(query.sort), cursor, _PAGE
                )
            rows = [row(each) for each in page.items]
            match query.format:
                case "xlsx":
                    yield book.write(rows)
                case "ndjson":
                    yield ndjson_rows(layout.headings, rows)
                case _:
                    yield csv_rows(rows, delimiter)
            cursor = page.next_cursor
            if cursor is None:
                break
    if query.format == "xlsx":
        yield book.end()
