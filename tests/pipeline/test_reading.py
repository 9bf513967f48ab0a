"""Files that attack their reader, and spreadsheets of every format: what is told, and who survives."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pytest

from hunter.core.errors import InvalidInput, Unavailable
from hunter.pipeline import reading, sheets
from hunter.pipeline.companies import Company, Refusal
from hunter.pipeline.listed import Batch, Opened, messages
from hunter.pipeline.reading import Readers

DATA = Path(__file__).parent / "data"
MEMORY_BYTES = 512 * 1024 * 1024


class _Read:
    """All that a reader told about a file."""

    def __init__(self, opened: Opened, batches: list[Batch]) -> None:
        self.opened = opened
        self.rows = sum(each.row_count for each in batches)
        self.companies: list[Company] = [one for each in batches for one in each.companies]
        self.refusals: list[Refusal] = [one for each in batches for one in each.refusals]


async def _read(data: bytes, readers: Readers | None = None) -> _Read:
    readers = readers or Readers(memory_bytes=MEMORY_BYTES, slots=1)
    with TemporaryFile() as file:
        file.write(data)
        async with readers.open(file, allow_test_names=False) as found:
            return _Read(found.opened, [each async for each in found.batches()])


def _here(data: bytes) -> list[Any]:
    """What is told, read in this process: for what a reader's death would hide."""
    return list(messages(io.BytesIO(data), allow_test_names=False))


async def test_a_spreadsheet_is_read_in_a_process_of_its_own(
    spreadsheet: Callable[..., bytes],
) -> None:
    rows = [["Firma", "Web"], *([f"F{n}", f"firma{n}.com"] for n in range(2500)), ["X", "com.tr"]]

    found = await _read(spreadsheet({"Notlar": [["hello"]], "Firmalar": rows}))

    assert (found.opened.format, found.opened.sheet) == ("xlsx", "Firmalar")
    assert (found.rows, len(found.companies)) == (2501, 2500)
    assert [(each.line, each.reason) for each in found.refusals] == [(2502, "public_suffix")]


async def test_an_old_workbook_is_read() -> None:
    found = await _read((DATA / "list.xls").read_bytes())

    assert found.opened.format == "xls"
    assert [(c.company_name, c.domain.name) for c in found.companies] == [
        ("Işık Çelik", "isik.com.tr")
    ]
    assert [each.reason for each in found.refusals] == ["free_mail"]


def _ods(body: str) -> bytes:
    office = "urn:oasis:names:tc:opendocument:xmlns"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr(
            "META-INF/manifest.xml",
            f'<m:manifest xmlns:m="{office}:manifest:1.0"/>',
        )
        archive.writestr(
            "content.xml",
            f'<office:document-content xmlns:office="{office}:office:1.0" '
            f'xmlns:table="{office}:table:1.0" xmlns:text="{office}:text:1.0"><office:body>'
            f'<office:spreadsheet><table:table table:name="L">{body}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )
    return buffer.getvalue()


def _ods_cell(text: str, more: str = "") -> str:
    return f'<table:table-cell office:value-type="string" {more}><text:p>{text}</text:p></table:table-cell>'


async def test_a_libreoffice_sheet_is_read() -> None:
    rows = [("Firma", "Web"), ("A", "a-a.com")]
    body = "".join(
        f"<table:table-row>{''.join(map(_ods_cell, row))}</table:table-row>" for row in rows
    )

    found = await _read(_ods(body))

    assert (found.opened.format, found.companies[0].domain.name) == ("ods", "a-a.com")


async def test_a_sheet_that_repeats_itself_without_end_kills_its_reader_only() -> None:
    cell = _ods_cell("x" * 1000, 'table:number-columns-repeated="16384"')
    bomb = _ods(f'<table:table-row table:number-rows-repeated="1048576">{cell}</table:table-row>')
    readers = Readers(memory_bytes=MEMORY_BYTES, slots=1)

    with pytest.raises(InvalidInput, match=r"memory|read"):
        await _read(bomb, readers)

    # the slot is free again
    assert (await _read((DATA / "list.xls").read_bytes(), readers)).companies


def _zip(parts: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        # 20 MiB of spaces in 20 KiB
        (lambda: _zip({"xl/workbook.xml": b"", "xl/x.xml": b" " * 20 * 2**20}), "times its size"),
        (
            lambda: _zip({"xl/workbook.xml": b""} | {f"p{n}": b"" for n in range(5001)}),
            "5,000 parts",
        ),
        ((DATA / "locked.xlsx").read_bytes, "password"),
        (lambda: b"\xd0\xcf\x11\xe0" + "WordDocument".encode("utf-16-le") * 9, "a document"),
        (lambda: _zip({"xl/workbook.xml": b"<workbook/>"})[:-30], "damaged zip"),
        (lambda: _zip({"word/document.xml": b"<w/>"}), "zip archive, not a spreadsheet"),
        (lambda: _zip({"content.xml": b"<broken"}), "cannot be read|damaged"),
    ],
)
def test_what_is_no_list_or_too_much_is_told_in_words(make: Callable[[], bytes], told: str) -> None:
    (refused,) = _here(make())

    assert re.search(told, refused.detail)


def test_a_password_on_the_archive_itself_is_told(spreadsheet: Callable[..., bytes]) -> None:
    data = bytearray(spreadsheet({"A": [["a.com"]]}))
    at = -1
    while (at := data.find(b"PK\x01\x02", at + 1)) >= 0:
        data[at + 8] |= 1

    assert "password" in _here(bytes(data))[-1].detail


async def test_macros_are_left_alone_and_the_values_are_read(
    spreadsheet: Callable[..., bytes],
) -> None:
    buffer = io.BytesIO(spreadsheet({"A": [["web"], ["acme.com"]]}))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("xl/vbaProject.bin", b"\xd0\xcf\x11\xe0Auto_Open")

    assert [c.domain.name for c in (await _read(buffer.getvalue())).companies] == ["acme.com"]


@pytest.mark.parametrize(
    "name", ["=cmd|' /C calc'!A0", "<script>", "'; DROP TABLE lead; --", "x" * 200]
)
async def test_a_hostile_sheet_name_is_a_name(spreadsheet: Callable[..., bytes], name: str) -> None:
    found = await _read(spreadsheet({name: [["web"], ["acme.com"]]}))

    assert found.opened.sheet == name
    assert len(found.companies) == 1


async def test_a_formula_is_read_by_its_value_or_refused_as_text(
    spreadsheet: Callable[..., bytes],
) -> None:
    rows = [["web"], ["=HYPERLINK(acme.com)"], ['=cmd|" /C calc"!A0'], ["acme.com"]]

    found = await _read(spreadsheet({"A": rows}))

    assert [each.reason for each in found.refusals] == ["formula", "formula"]
    assert [each.domain.name for each in found.companies] == ["acme.com"]


async def test_a_sheet_of_sixteen_thousand_columns_is_read(
    spreadsheet: Callable[..., bytes],
) -> None:
    wide = ",".join(f"h{n}" for n in range(16_383)) + ",website\n"
    rows = "".join("x," * 16_383 + f"firma{n}.com\n" for n in range(3))

    found = await _read((wide + rows).encode())

    assert len(found.companies) == 3


async def test_a_cell_of_a_megabyte_costs_its_own_row_and_no_line_number() -> None:
    data = f"firma,site\nA,a-a.com\n{'x' * 2**20},b-b.com\nC,c-c.com\nD,com.tr\n".encode()

    found = await _read(data)

    assert [each.domain.name for each in found.companies] == ["a-a.com", "c-c.com"]
    assert [(each.line, each.reason) for each in found.refusals] == [
        (3, "broken_row"),
        (5, "public_suffix"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
async def test_a_long_list_with_the_line_ends_of_an_old_mac_loses_no_row(encoding: str) -> None:
    rows = "".join(f"Firma {n} A.Ş.,firma{n}.com\r" for n in range(9000))

    found = await _read(f"firma,site\r{rows}X,com.tr\r".encode(encoding))

    assert (found.rows, len(found.companies)) == (9001, 9000)
    assert [each.line for each in found.refusals] == [9002]


async def test_nul_bytes_are_left_out_wherever_they_are() -> None:
    rows = "".join(f"F\0irma {n},fir\0ma{n}.com\n" for n in range(50))

    found = await _read(f"firma,site\n{rows}".encode())

    assert found.companies[0].company_name == "Firma 0"
    assert found.companies[49].domain.name == "firma49.com"


async def test_quotes_left_open_on_every_line_cost_their_rows_and_little_else() -> None:
    data = b"firma,site\n" + b'"' + b"x" * 120_000 + b"\n"

    found = await _read(data + (b'"' + b"x" * 120_000 + b"\n") * 40 + b"A,a-a.com\n")

    assert (len(found.refusals), len(found.companies)) == (41, 1)


async def test_a_row_of_thousands_of_companies_comes_in_parts() -> None:
    row = "; ".join(f"firma{n}.com" for n in range(1500))

    told = _here(f'firma,site\nA,"{row}"\n'.encode())

    batches = [each for each in told if isinstance(each, Batch)]
    assert sum(each.row_count for each in batches) == 1
    assert [len(each.companies) for each in batches] == [1000, 500]


async def test_two_columns_of_one_name_are_both_read() -> None:
    found = await _read(b"web,firma,web\n,A,a-a.com\nb-b.com,B,\n")

    assert [each.domain.name for each in found.companies] == ["a-a.com", "b-b.com"]


async def test_files_wait_for_their_turn_and_are_told_when_it_does_not_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "TURN_WITHIN_S", 0.01)
    readers = Readers(memory_bytes=MEMORY_BYTES, slots=1)
    with TemporaryFile() as file:
        file.write((DATA / "list.xls").read_bytes())
        async with readers.open(file, allow_test_names=False):
            with pytest.raises(Unavailable, match="other files"):
                await _read((DATA / "list.xls").read_bytes(), readers)


async def test_a_reader_that_says_nothing_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MESSAGE_WITHIN_S", 0.0)

    with pytest.raises(InvalidInput, match="memory and time"):
        await _read((DATA / "list.xls").read_bytes())


def test_the_extent_of_every_sheet_is_looked_at(
    spreadsheet: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheets, "SHEET_MAX_CELLS", 10)

    assert (
        "mostly empty"
        in _here(spreadsheet({"A": [["web"]], "B": [["x"]]}, far_cell="C9"))[0].detail
    )


def test_what_excel_writes_as_csv_is_read_as_it_was_meant() -> None:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=";").writerows(
        [["Firma", "Web"], ['Acme "the" Inc.\nsecond; line', "acme.com"]]
    )

    batch = _here(buffer.getvalue().encode("utf-16"))[1]

    assert batch.companies[0].company_name == 'Acme "the" Inc.\nsecond; line'
