"""An XLSX file written as its rows come: the bytes leave at once, nothing is kept."""

from __future__ import annotations

import datetime as dt
import re
import zipfile
from collections.abc import Sequence
from typing import IO, Final, cast
from xml.sax.saxutils import escape

#: what Excel's file format holds in one sheet, and in one cell
ROWS_MAX: Final = 1_048_576
CELL_CHARS_MAX: Final = 32_767
#: unpacked size from which a new sheet is begun: no part ever needs ZIP64, which Excel may refuse
PART_BYTES_MAX: Final = 1_500_000_000

_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_DOCUMENT: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_KIND: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_HEAD: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
#: cell styles of styles.xml: 0 plain, 1 heading, 2 date and time, 3 text that is no formula
_STYLES: Final = (
    f'{_HEAD}<styleSheet xmlns="{_MAIN}">'
    '<numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="4">'
    '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" '
    'quotePrefix="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
    "</styleSheet>"
)
#: what XML 1.0 cannot hold
_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
#: text that a reader of the format would take for an escaped character (ECMA-376 22.9.2.19)
_ESCAPED: Final = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
_EPOCH: Final = dt.datetime(1899, 12, 30, tzinfo=dt.UTC)
_DAY: Final = dt.timedelta(days=1)


class _Sink:
    """Takes the archive's bytes and hands them on. It cannot seek, so neither does the archive."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        """What was written since the last time."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data


class Workbook:
    """One table, on as many sheets as it needs. Give the bytes of every call to the reader.

    Cells are None, bool, numbers, aware datetimes (shown in UTC) or text. Text never becomes a
    formula: it is written as text, and as quoted where it could be read as one when typed in.
    """

    def __init__(self, title: str, headings: Sequence[str], widths: Sequence[int]) -> None:
        self._title = title
        self._headings = headings
        self._widths = widths
        self._sink = _Sink()
        self._archive = zipfile.ZipFile(
            cast("IO[bytes]", self._sink), "w", zipfile.ZIP_DEFLATED, compresslevel=1
        )
        self._sheets = 0
        self._rows = 0
        self._size = 0
        self._part: IO[bytes] | None = None

    def write(self, rows: Sequence[Sequence[object]]) -> bytes:
        """More rows."""
        lines: list[str] = []
        for row in rows:
            if self._part is None or self._rows >= ROWS_MAX or self._size >= PART_BYTES_MAX:
                self._write("".join(lines))
                lines.clear()
                self._begin_sheet()
            self._rows += 1
            lines.append(_row(row))
        self._write("".join(lines))
        return self._sink.take()

    def end(self) -> bytes:
        """The rest of the file."""
        if self._part is None:
            self._begin_sheet()
        self._end_sheet()
        for name, text in self._parts().items():
            self._archive.writestr(name, text)
        self._archive.close()
        return self._sink.take()

    def _begin_sheet(self) -> None:
        self._end_sheet()
        self._sheets += 1
        self._part = self._archive.open(f"xl/worksheets/sheet{self._sheets}.xml", "w")
        columns = "".join(
            f'<col min="{i}" max="{i}" width="{width}" customWidth="1"/>'
            for i, width in enumerate(self._widths, start=1)
        )
        self._rows, self._size = 1, 0
        self._write(
            f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
            '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
            f"</sheetView></sheetViews><cols>{columns}</cols><sheetData><row>"
            + "".join(_text(heading, style=1) for heading in self._headings)
            + "</row>"
        )

    def _end_sheet(self) -> None:
        if self._part is not None:
            self._write("</sheetData></worksheet>")
            self._part.close()

    def _write(self, text: str) -> None:
        if text and self._part is not None:
            data = text.encode()
            self._size += len(data)
            self._part.write(data)

    def _parts(self) -> dict[str, str]:
        """The parts that name the sheets; readers find them by the directory at the end."""
        numbers = range(1, self._sheets + 1)
        sheet_types = "".join(
            f'<Override PartName="/xl/worksheets/sheet{i}.xml" ContentType="{_KIND}.worksheet+xml"/>'
            for i in numbers
        )
        sheets = "".join(
            f'<sheet name="{escape(self._title)}{"" if i == 1 else f" {i}"}" sheetId="{i}" r:id="s{i}"/>'
            for i in numbers
        )
        links = "".join(
            f'<Relationship Id="s{i}" Type="{_DOCUMENT}/worksheet" Target="worksheets/sheet{i}.xml"/>'
            for i in numbers
        )
        return {
            "xl/styles.xml": _STYLES,
            "xl/workbook.xml": f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_DOCUMENT}">'
            f"<sheets>{sheets}</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">'
            f'{links}<Relationship Id="styles" Type="{_DOCUMENT}/styles" Target="styles.xml"/>'
            "</Relationships>",
            "_rels/.rels": f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">'
            f'<Relationship Id="book" Type="{_DOCUMENT}/officeDocument" Target="xl/workbook.xml"/>'
            "</Relationships>",
            "[Content_Types].xml": f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">'
            '<Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{_KIND}.sheet.main+xml"/>'
            f'<Override PartName="/xl/styles.xml" ContentType="{_KIND}.styles+xml"/>'
            f"{sheet_types}</Types>",
        }


def _row(cells: Sequence[object]) -> str:
    return f"<row>{''.join(map(_cell, cells))}</row>"


def _cell(value: object) -> str:
    """A cell; those without a place follow each other."""
    match value:
        case None | "":
            return "<c/>"
        case str():
            return _text(value, style=3 if starts_formula(value) else 0)
        case bool():
            return f'<c t="b"><v>{value:d}</v></c>'
        case int() | float():
            return f"<c><v>{value}</v></c>"
        case dt.datetime():
            return f'<c s="2"><v>{(value - _EPOCH) / _DAY:.8f}</v></c>'
        case _:
            return _text(str(value), style=0)


def _text(text: str, *, style: int) -> str:
    clean = _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text[:CELL_CHARS_MAX])
    shown = escape(_ESCAPED.sub("_x005F_", clean)).replace("\r", "_x000D_")
    return f'<c t="inlineStr" s="{style}"><is><t xml:space="preserve">{shown}</t></is></c>'


#: what a spreadsheet takes for the beginning of a formula, in its half and full width forms
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def starts_formula(text: str) -> bool:
    """True when a spreadsheet that reads or is typed this text could run it."""
    return text.startswith(_FORMULA_STARTS)
