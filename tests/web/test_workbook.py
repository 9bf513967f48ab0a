"""XLSX files written as they are sent: what other programs read out of them."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from collections.abc import Sequence
from xml.etree import ElementTree as ET

import pytest
import python_calamine

from hunter.web import workbook
from hunter.web.workbook import Workbook, starts_formula


def _book(rows: Sequence[Sequence[object]], headings: Sequence[str] = ("a", "b")) -> bytes:
    book = Workbook("Leads", headings, [10] * len(headings))
    return book.write(rows[:1]) + book.write(rows[1:]) + book.end()


def _read(data: bytes, sheet: int = 0) -> list[list[object]]:
    book = python_calamine.load_workbook(io.BytesIO(data))
    return [list(row) for row in book.get_sheet_by_index(sheet).to_python()]


def test_numbers_dates_and_truth_stay_what_they_are() -> None:
    moment = dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.UTC)

    rows = _read(_book([[70, 0.93], [moment, True], [None, "İŞ Bankası"]]))

    assert rows == [
        ["a", "b"],
        [70, 0.93],
        [dt.datetime(2026, 11, 20, 9, 30), True],  # noqa: DTZ001  # what the format can hold
        ["", "İŞ Bankası"],
    ]


@pytest.mark.parametrize("text", ["=1+1", "+49", "-5", "@x", "\tx", "\rx", "\nx", "＝1"])
def test_text_is_text_whatever_it_looks_like(text: str) -> None:
    data = _book([[text, "plain"]])
    sheet = zipfile.ZipFile(io.BytesIO(data)).read("xl/worksheets/sheet1.xml").decode()

    assert "<f>" not in sheet
    assert 's="3"' in sheet
    assert starts_formula(text)
    assert _read(data)[1] == [text, "plain"]


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("a\x00b\x1bc", "a\ufffdb\ufffdc"),
        ("\ud800", "\ufffd"),
        ("</t><script>&\"'", "</t><script>&\"'"),
        ("_x0041_", "_x0041_"),
        ("x" * 40_000, "x" * 32_767),
        ("  spaces  ", "  spaces  "),
    ],
)
def test_hostile_text_neither_breaks_the_file_nor_changes_its_meaning(
    given: str, read: str
) -> None:
    data = _book([[given, 1]])

    for name in (archive := zipfile.ZipFile(io.BytesIO(data))).namelist():
        ET.fromstring(archive.read(name))  # our own file
    assert _read(data)[1] == [read, 1]


def test_a_table_longer_than_a_sheet_goes_on_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "ROWS_MAX", 3)

    data = _book([[number, ""] for number in range(5)])

    assert [row[0] for row in _read(data, 0)] == ["a", 0, 1]
    assert [row[0] for row in _read(data, 1)] == ["a", 2, 3]
    assert [row[0] for row in _read(data, 2)] == ["a", 4]


def test_an_empty_table_is_a_file_with_its_headings() -> None:
    assert _read(_book([])) == [["a", "b"]]


def test_a_row_leaves_before_the_file_ends() -> None:
    book = Workbook("Leads", ["a"], [10])
    letters = [[f"{number:x}" * 50] for number in range(20_000)]

    assert len(book.write(letters)) > 10_000
