"""The sample company list: real-life untidy, and the same every time."""

import csv
import io
from importlib import resources

import pytest

from hunter.local.company_list import (
    ENCODING,
    HEADERS,
    SAMPLE_ROWS,
    SEED,
    CompanyList,
    company_list,
)
from hunter.local.zones import generate
from hunter.pipeline.companies import Company, Refusal, open_companies


@pytest.fixture(scope="module")
def listed() -> CompanyList:
    return company_list(list(generate(1500)), 1200)


def _rows(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(ENCODING), newline=""), delimiter=";"))


def test_it_has_a_thousand_rows_and_turkish_headers(listed: CompanyList) -> None:
    rows = _rows(listed.data)

    assert tuple(rows[0]) == HEADERS
    assert len([row for row in rows[1:] if row]) == listed.rows
    assert listed.rows > 1000


def test_it_is_windows_1254_and_not_utf8(listed: CompanyList) -> None:
    with pytest.raises(UnicodeDecodeError):
        listed.data.decode()

    assert "Şehir" in listed.data.decode(ENCODING)


def test_every_kind_of_trouble_is_in_it(listed: CompanyList) -> None:
    text = listed.data.decode(ENCODING)

    assert set(listed.bad_lines.values()) >= {
        "free_mail_only",
        "junk",
        "address",
        "suffix",
        "formula",
        "totals",
    }
    assert "xn--" in text
    assert "https://" in text
    assert "mailto:" in text
    assert '""' in text
    assert any(0 < len(row) < len(HEADERS) for row in _rows(listed.data))
    assert [] in _rows(listed.data)
    assert any("\n" in cell for row in _rows(listed.data) for cell in row)


def test_duplicates_are_in_it(listed: CompanyList) -> None:
    assert len(listed.domains) + len(listed.bad_lines) < listed.rows


def test_bad_lines_are_counted_as_an_editor_counts_them(listed: CompanyList) -> None:
    lines = listed.data.decode(ENCODING).replace("\r\n", "\n").split("\n")

    for line, what in listed.bad_lines.items():
        if what == "formula":
            assert "=HYPERLINK" in lines[line - 1]
        if what == "address":
            assert "http://192.0.2." in lines[line - 1]
        if what == "totals":
            assert "Toplam" in lines[line - 1]


def test_the_committed_sample_is_what_the_generator_writes() -> None:
    committed = resources.files("hunter.local").joinpath("data/sample-companies.csv").read_bytes()

    assert (
        committed
        == company_list(list(generate(SAMPLE_ROWS, seed=SEED)), SAMPLE_ROWS, seed=SEED).data
    )


def test_hunter_reads_every_company_and_refuses_every_bad_line(listed: CompanyList) -> None:
    entries = list(open_companies(io.BytesIO(listed.data), allow_test_names=True).entries)

    found = [entry.domain.name for entry in entries if isinstance(entry, Company)]
    refused = {entry.line for entry in entries if isinstance(entry, Refusal)}
    assert tuple(dict.fromkeys(found)) == listed.domains
    assert refused == listed.bad_lines.keys()
