"""Spreadsheets for the tests, written by hand: no library of the project writes them."""

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from xml.sax.saxutils import escape

import pytest

from tests.pipeline.couriers import case, delivering, receive  # noqa: F401  # fixtures

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_DOCUMENT = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_SHEET_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"


def _cell(row: int, column: int, value: object) -> str:
    if value is None:
        return ""
    place = f"{chr(ord('A') + column)}{row}"
    if isinstance(value, int | float):
        return f'<c r="{place}"><v>{value}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t>{escape(str(value))}</t></is></c>'


def _sheet(rows: Sequence[Sequence[object]], far_cell: str) -> str:
    body = "".join(
        f'<row r="{number}">{"".join(_cell(number, i, value) for i, value in enumerate(row))}</row>'
        for number, row in enumerate(rows, start=1)
    )
    if far_cell:
        row = far_cell.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        body += f'<row r="{row}"><c r="{far_cell}"><v>1</v></c></row>'
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{body}</sheetData></worksheet>'


@pytest.fixture(scope="session")
def spreadsheet() -> Callable[..., bytes]:
    """Make an XLSX file out of {sheet name: rows}."""

    def make(sheets: Mapping[str, Sequence[Sequence[object]]], *, far_cell: str = "") -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            names = list(sheets)
            archive.writestr(
                "[Content_Types].xml",
                f'<Types xmlns="{_TYPES}"><Default Extension="rels" '
                'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
                f'<Override PartName="/xl/workbook.xml" ContentType="{_SHEET_TYPE}.sheet.main+xml"/>'
                + "".join(
                    f'<Override PartName="/xl/worksheets/sheet{i}.xml" '
                    f'ContentType="{_SHEET_TYPE}.worksheet+xml"/>'
                    for i in range(1, len(names) + 1)
                )
                + "</Types>",
            )
            archive.writestr(
                "_rels/.rels",
                f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="r1" '
                f'Type="{_DOCUMENT}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
            )
            archive.writestr(
                "xl/workbook.xml",
                f'<workbook xmlns="{_MAIN}" xmlns:r="{_DOCUMENT}"><sheets>'
                + "".join(
                    f'<sheet name="{escape(name)}" sheetId="{i}" r:id="s{i}"/>'
                    for i, name in enumerate(names, start=1)
                )
                + "</sheets></workbook>",
            )
            archive.writestr(
                "xl/_rels/workbook.xml.rels",
                f'<Relationships xmlns="{_RELATIONS}">'
                + "".join(
                    f'<Relationship Id="s{i}" Type="{_DOCUMENT}/worksheet" '
                    f'Target="worksheets/sheet{i}.xml"/>'
                    for i in range(1, len(names) + 1)
                )
                + "</Relationships>",
            )
            for i, name in enumerate(names, start=1):
                archive.writestr(f"xl/worksheets/sheet{i}.xml", _sheet(sheets[name], far_cell))
        return buffer.getvalue()

    return make
