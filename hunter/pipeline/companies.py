"""A company list as people have it to one domain per company, or the reason why not, row by row."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import IO, Final

import msgspec

from hunter.core.domain import Domain, parse_domain
from hunter.core.errors import InvalidDomain, InvalidInput
from hunter.pipeline.columns import (
    SAMPLE_ROWS,
    Columns,
    find_columns,
    looks_like_mail,
    looks_like_web,
)
from hunter.pipeline.rows import Row, Table
from hunter.pipeline.tables import open_tables

#: characters of a refused value that are kept
VALUE_SHOWN: Final = 200
#: longest company name kept
NAME_MAX: Final = 300

#: reasons of a row beside those of a name: code → what is wrong and how to put it right
ROW_REASONS: Final[dict[str, str]] = {
    "broken_row": "The row cannot be read: a quote is opened and never closed, or a line has no end. Correct that row.",
    "no_address": "The row has no web site, domain or e-mail address. Add one, or leave the row out.",
}

_BETWEEN_VALUES = re.compile(r"\s*[;,|\n\r\t]\s*|\s+(?:/|-|&|ve|veya|and|or)\s+|\s+")
_DISPLAY_NAME = re.compile(r"<\s*([^<>\s]+)\s*>")
#: refusals that say only that there was nothing to read
_NOTHING: Final = frozenset({"empty", "no_domain"})


class Company(msgspec.Struct, frozen=True):
    """One company of a list."""

    line: int
    domain: Domain
    company_name: str
    #: the text the domain was read from
    value: str


class Refusal(msgspec.Struct, frozen=True):
    """One row that gives no company; `reason` is a code, `detail` a sentence with the way out."""

    line: int
    value: str
    reason: str
    detail: str


class CompanyList(msgspec.Struct, frozen=True):
    """A list told apart. Iterate `entries` once; rows are read as you go."""

    #: csv, xlsx, xlsb, xls or ods
    format: str
    encoding: str
    delimiter: str
    columns: Columns
    #: name of the sheet the list is on, "" for text
    sheet: str
    entries: Iterator[Company | Refusal]


def open_companies(file: IO[bytes], *, allow_test_names: bool = False) -> CompanyList:
    """Read a company list from a seekable binary file: CSV of any kind, or a spreadsheet.

    Raises InvalidInput when the file is no table, or when no column holds web sites, domains or
    e-mail addresses. A bad row never stops the list.
    """
    headings: list[str] = []
    for table in open_tables(file):
        sample = list(itertools.islice(table.rows, SAMPLE_ROWS))
        columns = find_columns([row for row in sample if not row.is_blank and not row.fault])
        if columns is not None:
            rows = itertools.chain(sample, table.rows)
            return _company_list(table, columns, rows, allow_test_names=allow_test_names)
        headings += _first_cells(sample)
    seen = ", ".join(repr(cell[:40]) for cell in headings[:12]) or "nothing"
    raise InvalidInput(
        "No column holds web sites, domains or e-mail addresses. Give one of them the heading "
        f"'website' or 'email'. The first row holds: {seen}."
    )


def _company_list(
    table: Table, columns: Columns, rows: Iterator[Row], *, allow_test_names: bool
) -> CompanyList:
    data = (row for row in rows if row.line > columns.header_line and not row.is_blank)
    return CompanyList(
        format=table.format,
        encoding=table.encoding,
        delimiter=table.delimiter,
        columns=columns,
        sheet=table.sheet,
        entries=itertools.chain.from_iterable(
            read_row(row, columns, allow_test_names=allow_test_names) for row in data
        ),
    )


def _first_cells(sample: list[Row]) -> list[str]:
    return next(([cell for cell in row.cells if cell] for row in sample if not row.is_blank), [])


def read_row(
    row: Row, columns: Columns, *, allow_test_names: bool = False
) -> list[Company | Refusal]:
    """The companies of a row (several when a cell holds several domains), or its refusal.

    The web site decides; the e-mail address is asked only when there is no usable web site. In a
    row with too many or too few cells, any cell with the form of an address is the last resort.
    """
    if row.fault:
        detail = f"The row cannot be read: {row.fault}. Correct that row."
        return [Refusal(row.line, row.cells[0][:VALUE_SHOWN], "broken_row", detail)]
    name = _cell(row, columns.company)[:NAME_MAX]
    refused: list[Refusal] = []
    for candidates in _candidates(row, columns):
        found: dict[str, Company | Refusal] = {}
        for value in candidates:
            try:
                domain = parse_domain(value, registrable=True, allow_test_names=allow_test_names)
            except InvalidDomain as error:
                refused.append(Refusal(row.line, value[:VALUE_SHOWN], error.reason, str(error)))
            else:
                found.setdefault(domain.name, Company(row.line, domain, name, value[:VALUE_SHOWN]))
        if found:
            return list(found.values())
    return [_worst(refused) or _nothing_in(row)]


def _candidates(row: Row, columns: Columns) -> Iterator[list[str]]:
    """Lists of values to try, the best first."""
    for indexes in (columns.web, columns.mail):
        yield [value for index in indexes for value in _values(_cell(row, index))]
    if len(row.cells) != columns.width:
        yield [cell for cell in row.cells if looks_like_web(cell) or looks_like_mail(cell)]


def _cell(row: Row, index: int | None) -> str:
    return row.cells[index] if index is not None and index < len(row.cells) else ""


def _values(cell: str) -> list[str]:
    """The addresses in a cell; a cell that is not made of addresses alone stays whole."""
    if not cell:
        return []
    if named := _DISPLAY_NAME.findall(cell):
        return [str(value) for value in named]
    parts = [part for part in _BETWEEN_VALUES.split(cell) if part]
    if len(parts) > 1 and all(looks_like_web(part) or looks_like_mail(part) for part in parts):
        return parts
    return [cell]


def _worst(refused: list[Refusal]) -> Refusal | None:
    """The refusal that tells most: of a bad name rather than of an empty cell."""
    telling = [each for each in refused if each.reason not in _NOTHING]
    return next(iter(telling or refused), None)


def _nothing_in(row: Row) -> Refusal:
    shown = next((cell for cell in row.cells if cell), "")[:VALUE_SHOWN]
    return Refusal(row.line, shown, "no_address", ROW_REASONS["no_address"])
