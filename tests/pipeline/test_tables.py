"""Files as people save them: encodings, delimiters, broken rows, and what is no table."""

import io
import zipfile
from collections.abc import Callable
from contextlib import suppress

import pytest

from hunter.core.errors import InvalidInput
from hunter.pipeline.rows import Row, Table
from hunter.pipeline.tables import open_tables

_TURKISH = "Şirket;Web Sitesi\nÇağdaş Işık A.Ş.;www.isik.com.tr\n"


def _table(data: bytes) -> Table:
    return next(open_tables(io.BytesIO(data)))


def _cells(data: bytes) -> list[tuple[str, ...]]:
    return [row.cells for row in _table(data).rows]


@pytest.mark.parametrize(
    ("encoding", "detected"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("windows-1254", "windows-1254"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
    ],
)
def test_turkish_text_is_read_in_every_encoding_excel_writes(encoding: str, detected: str) -> None:
    table = _table(_TURKISH.encode(encoding))

    assert table.encoding == detected
    assert [row.cells for row in table.rows] == [
        ("Şirket", "Web Sitesi"),
        ("Çağdaş Işık A.Ş.", "www.isik.com.tr"),
    ]


def test_latin_1_text_is_read() -> None:
    data = "Société;www.societe.fr\nMüller;www.mueller.de\n".encode("latin-1")

    assert _cells(data)[0] == ("Société", "www.societe.fr")


def test_a_first_turkish_letter_late_in_the_file_is_read_too() -> None:
    head = b"firma;site\n" + b"Acme;acme.com\n" * 6000
    data = head + "Işık;isik.com.tr\n".encode("windows-1254")

    assert _cells(data)[-1] == ("Işık", "isik.com.tr")


def test_lines_of_two_encodings_in_one_file_are_both_read() -> None:
    data = "Işık,isik.com\n".encode() + "Şule,sule.com\n".encode("windows-1254")

    assert _cells(data) == [("Işık", "isik.com"), ("Şule", "sule.com")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    text = "\n".join(
        delimiter.join(row) for row in (("Firma", "Site", "İl"), ("A", "a.com", "İst"))
    )

    table = _table(text.encode())

    assert table.delimiter == delimiter
    assert list(table.rows)[1].cells == ("A", "a.com", "İst")


def test_commas_in_names_do_not_beat_the_semicolon() -> None:
    data = b"Firma;Site\nAcme, Inc., Ltd.;acme.com\nBeta, Inc.;beta.com\nGamma;gamma.com\n"

    assert _table(data).delimiter == ";"


def test_the_delimiter_excel_names_itself_is_believed() -> None:
    table = _table(b"sep=|\nFirma|Site\nA;B|a.com\n")

    rows = list(table.rows)
    assert rows[1] == Row(line=3, cells=("A;B", "a.com"))


def test_a_list_with_one_column_has_one_column() -> None:
    assert _cells(b"acme.com\nbeta.com\n") == [("acme.com",), ("beta.com",)]


def test_lines_may_end_as_on_an_old_mac() -> None:
    assert _cells(b"Firma,Site\rA,a.com\rB,b.com\r")[:3] == [
        ("Firma", "Site"),
        ("A", "a.com"),
        ("B", "b.com"),
    ]


def test_quoted_cells_keep_delimiters_quotes_and_line_breaks() -> None:
    data = b'Firma,Site\n"Acme, ""the"" Inc.\nSecond line",acme.com\nBeta,beta.com\n'

    rows = list(_table(data).rows)

    assert rows[1] == Row(line=2, cells=('Acme, "the" Inc.\nSecond line', "acme.com"))
    assert rows[2].line == 4


def test_a_quote_inside_an_unquoted_cell_is_a_letter() -> None:
    assert _cells(b'Firma,Site\nThe "Acme" Inc,acme.com\n')[1] == ('The "Acme" Inc', "acme.com")


def test_a_quote_never_closed_costs_its_own_row_only() -> None:
    rows = b"".join(b"Firm %d,firm%d.com\n" % (n, n) for n in range(50))
    data = b'Firma,Site\n"Broken,broken.com\n' + rows

    found = list(_table(data).rows)

    assert found[1].line == 2
    assert found[1].cells == ('"Broken,broken.com',)
    assert "never closed" in found[1].fault
    assert found[2] == Row(line=3, cells=("Firm 0", "firm0.com"))
    assert len(found) == 52


def test_a_quote_never_closed_in_the_last_row_costs_that_row() -> None:
    rows = list(_table(b'Firma,Site\nA,a.com\n"B,b.com').rows)

    assert rows[1].cells == ("A", "a.com")
    assert rows[2].fault


def test_a_line_without_end_is_refused_and_the_next_is_read() -> None:
    data = b"Firma,Site\n" + b"x" * 200_000 + b"\nA,a.com\n"

    rows = list(_table(data).rows)

    assert "128 KiB" in rows[1].fault
    assert rows[-1].cells == ("A", "a.com")


def test_what_postgresql_cannot_store_is_left_out() -> None:
    data = b"A\x00cme,acme.com\n" + b"Beta,beta.com\n" * 20

    assert _cells(data)[0] == ("Acme", "acme.com")


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"%PDF-1.7\n...", "a PDF"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "a picture"),
        (b"\x1f\x8b\x08" + bytes(40), "a gzip"),
        (b"<!DOCTYPE html><html></html>", "a web page"),
        (b"\n<html><table></table></html>", "a web page"),
        (b"{\\rtf1\\ansi}", "an RTF"),
        (b"\x7fELF\x02\x01\x01" + bytes(range(32)) * 9, "binary"),
        (b"", "empty"),
        (b"  \n\n ", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"\xff\xfe", "empty"),
        (b"\xd0\xcf\x11\xe0" + bytes(600), "before 2007"),
        (b"PK\x03\x04" + bytes(100), "damaged zip"),
    ],
)
def test_a_file_that_is_no_table_is_named_with_the_way_out(data: bytes, named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        list(open_tables(io.BytesIO(data)))


def test_a_zip_of_something_else_is_no_spreadsheet() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("list.csv", "a.com")

    with pytest.raises(InvalidInput, match="zip archive, not a spreadsheet"):
        list(open_tables(buffer))


def test_a_spreadsheet_gives_a_table_for_each_sheet(
    spreadsheet: Callable[..., bytes],
) -> None:
    data = spreadsheet(
        {"Boş": [], "Firmalar": [["Firma", "Site"], ["Işık", "isik.com.tr"], [1.5, None]]}
    )

    empty, full = open_tables(io.BytesIO(data))

    assert list(empty.rows) == []
    assert [row.cells for row in full.rows] == [
        ("Firma", "Site"),
        ("Işık", "isik.com.tr"),
        ("1.5", ""),
    ]
    assert full.format == "xlsx"


def test_a_spreadsheet_that_unpacks_to_too_much_is_refused(
    spreadsheet: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hunter.pipeline.sheets.SHEET_MAX_BYTES", 100)

    with pytest.raises(InvalidInput, match="save it as CSV"):
        list(open_tables(io.BytesIO(spreadsheet({"A": [["a.com"]]}))))


def test_a_sheet_that_claims_a_cell_far_away_is_refused_before_it_is_laid_out(
    spreadsheet: Callable[..., bytes],
) -> None:
    data = spreadsheet({"A": [["acme.com"]]}, far_cell="XFD1048576")

    with pytest.raises(InvalidInput, match="cells"):
        [list(table.rows) for table in open_tables(io.BytesIO(data))]


def test_a_damaged_spreadsheet_is_refused_in_words(spreadsheet: Callable[..., bytes]) -> None:
    whole = spreadsheet({"A": [["Firma", "Site"], ["Acme", "acme.com"]]})

    for place in range(30, len(whole), 7):
        damaged = whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]
        with suppress(InvalidInput):
            for table in open_tables(io.BytesIO(damaged)):
                list(table.rows)
