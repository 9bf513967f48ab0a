"""A table as rows of text cells, whatever file it came out of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

#: characters of a cell that are read: what Excel holds in one
CELL_CHARS_MAX: Final = 32_767
#: what a reader is told when a file cannot be used as it is
WAY_OUT: Final = "save the list as CSV or XLSX and send that"


class Row(msgspec.Struct, frozen=True, gc=False):
    """One row: the line (or sheet row) it starts at, counted from 1, and its cells.

    `fault` says why the row could not be read; its one cell is then the raw line.
    """

    line: int
    cells: tuple[str, ...]
    fault: str = ""

    @property
    def is_blank(self) -> bool:
        return not any(self.cells)


class Table(msgspec.Struct, frozen=True):
    """What a file (or one sheet of it) is, and its rows, to be read once and in order."""

    #: csv, xlsx, xlsb, xls or ods
    format: str
    encoding: str
    delimiter: str
    rows: Iterator[Row]
    #: name of the sheet, "" for text
    sheet: str = ""


def clean_cell(cell: str) -> str:
    """The cell without the white space around it and without what PostgreSQL cannot store."""
    return cell[:CELL_CHARS_MAX].replace("\x00", "").replace("\ufeff", "").strip()
