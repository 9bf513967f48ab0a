"""What the process that reads a company list tells the one that stores it, message by message."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Final, TypeAlias

import msgspec

from hunter.core.errors import InvalidInput
from hunter.pipeline.columns import Columns
from hunter.pipeline.companies import Company, Refusal, open_companies

#: companies and refused rows in one message; a row may hold thousands of companies
BATCH_ENTRIES: Final = 1000


class Opened(msgspec.Struct, frozen=True, tag=True):
    """The list was told apart: its rows follow."""

    format: str
    encoding: str
    delimiter: str
    sheet: str
    columns: Columns


class Batch(msgspec.Struct, frozen=True, tag=True):
    """A part of the list."""

    #: rows that begin in it; of one row may come several companies
    row_count: int
    companies: list[Company]
    refusals: list[Refusal]


class Refused(msgspec.Struct, frozen=True, tag=True):
    """The file is no company list."""

    detail: str


class Ended(msgspec.Struct, frozen=True, tag=True):
    """There are no more rows."""


Message: TypeAlias = Opened | Batch | Refused | Ended


def messages(file: IO[bytes], *, allow_test_names: bool) -> Iterator[Message]:
    """Everything there is to tell about a file."""
    try:
        found = open_companies(file, allow_test_names=allow_test_names)
        yield Opened(found.format, found.encoding, found.delimiter, found.sheet, found.columns)
        yield from _batches(found.entries)
    except InvalidInput as error:
        yield Refused(str(error))
    else:
        yield Ended()


def _batches(entries: Iterator[Company | Refusal]) -> Iterator[Batch]:
    companies: list[Company] = []
    refusals: list[Refusal] = []
    rows, last_line = 0, 0
    for each in entries:
        rows, last_line = rows + (each.line != last_line), each.line
        if isinstance(each, Company):
            companies.append(each)
        else:
            refusals.append(each)
        if len(companies) + len(refusals) >= BATCH_ENTRIES:
            yield Batch(rows, companies, refusals)
            companies, refusals, rows = [], [], 0
    if companies or refusals:
        yield Batch(rows, companies, refusals)
