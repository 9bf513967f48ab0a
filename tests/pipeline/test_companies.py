"""Company lists as people have them, row by row."""

import io
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.errors import InvalidInput
from hunter.pipeline.companies import Company, CompanyList, Refusal, open_companies


def _open(data: str | bytes) -> CompanyList:
    return open_companies(io.BytesIO(data.encode() if isinstance(data, str) else data))


def _domains(data: str | bytes) -> list[str]:
    return [each.domain.name for each in _open(data).entries if isinstance(each, Company)]


def _refusals(data: str | bytes) -> list[Refusal]:
    return [each for each in _open(data).entries if isinstance(each, Refusal)]


def test_a_turkish_list_with_semicolons_in_windows_1254() -> None:
    text = (
        "Firma Ünvanı;Adres;E-Posta;Web Sitesi\n"
        "Işık Çelik A.Ş.;Şişli / İstanbul;info@isikcelik.com.tr;www.isikcelik.com.tr\n"
        "Güneş Ltd. Şti.;Ankara;gunes@gunes.com.tr;\n"
    )

    entries = list(_open(text.encode("windows-1254")).entries)

    assert [(e.line, e.company_name, e.domain.name) for e in entries if isinstance(e, Company)] == [
        (2, "Işık Çelik A.Ş.", "isikcelik.com.tr"),
        (3, "Güneş Ltd. Şti.", "gunes.com.tr"),
    ]
    assert len(entries) == 2


def test_the_web_site_comes_before_the_mail_address() -> None:
    assert _domains("email,website\nx@other.com,https://www.acme.com/about?x=1\n") == ["acme.com"]


def test_without_a_usable_web_site_the_mail_address_is_asked() -> None:
    assert _domains("email,website\nx@acme.com,n/a\ny@beta.com,\n") == ["acme.com", "beta.com"]


def test_a_free_mail_address_is_no_company() -> None:
    (refusal,) = _refusals("firma,email\nAyşe,ayse@hotmail.com\n")

    assert (refusal.line, refusal.value, refusal.reason) == (2, "ayse@hotmail.com", "free_mail")
    assert refusal.detail


def test_the_company_address_beside_a_free_one_counts() -> None:
    assert _domains('email\n"ali@gmail.com; info@acme.com"\n') == ["acme.com"]


@pytest.mark.parametrize(
    "cell",
    [
        "acme.com; beta.com",
        "www.acme.com / www.beta.com",
        "acme.com,beta.com",
        "info@acme.com info@beta.com",
        "acme.com ve beta.com",
        "acme.com\nbeta.com",
        "acme.com | beta.com | www.acme.com",
    ],
)
def test_several_values_in_a_cell_are_several_domains(cell: str) -> None:
    assert _domains(f'firma,site\nAcme,"{cell}"\n') == ["acme.com", "beta.com"]


def test_an_address_with_a_display_name_is_read() -> None:
    assert _domains("firma;mail\nAcme;Ali Veli <ali@acme.com>\n") == ["acme.com"]


def test_a_cell_with_a_space_in_a_name_is_refused_whole_and_not_guessed_at() -> None:
    (refusal,) = _refusals("site\nacme.com\nexa mple.com\n")

    assert (refusal.line, refusal.value) == (3, "exa mple.com")


def test_one_broken_row_is_refused_with_its_line_and_the_rest_goes_on() -> None:
    data = 'firma,site\nA,a-firma.com\n"B,b-firma.com\nC,c-firma.com\n'

    assert _domains(data) == ["a-firma.com", "c-firma.com"]
    (refusal,) = _refusals(data)
    assert (refusal.line, refusal.reason) == (3, "broken_row")
    assert "never closed" in refusal.detail


def test_a_row_shifted_by_a_delimiter_in_a_name_still_gives_its_domain() -> None:
    data = "firma,site,il\nA,a-firma.com,Bursa\nAcme, Inc,acme.com,İzmir\n"

    assert _domains(data) == ["a-firma.com", "acme.com"]


def test_a_row_with_nothing_usable_says_so() -> None:
    (refusal,) = _refusals("firma,site,mail\nSadece Ad,,\nA,a-firma.com,\n")

    assert (refusal.line, refusal.value, refusal.reason) == (2, "Sadece Ad", "no_address")


def test_blank_rows_are_no_rows() -> None:
    assert _refusals("site\n\nacme.com\n,\n   \n") == []


def test_a_long_value_is_cut_for_showing() -> None:
    (refusal,) = _refusals("site\nacme.com\n" + "a" * 300 + ".com\n")

    assert len(refusal.value) == 200
    assert refusal.reason in {"name_too_long", "label_too_long"}


def test_names_for_tests_are_refused_unless_asked_for() -> None:
    data = b"site\nacme.test\n"

    assert [type(e) for e in open_companies(io.BytesIO(data)).entries] == [Refusal]
    allowed = open_companies(io.BytesIO(data), allow_test_names=True)
    assert [type(e) for e in allowed.entries] == [Company]


def test_a_list_without_any_address_says_which_headings_it_saw() -> None:
    with pytest.raises(InvalidInput, match="'Firma', 'Telefon'"):
        _open("Firma,Telefon\nAcme,0212\n")


def test_a_spreadsheet_is_read_from_the_first_sheet_that_has_addresses(
    spreadsheet: Callable[..., bytes],
) -> None:
    data = spreadsheet(
        {
            "Kapak": [["2026 Fuar"]],
            "Liste": [
                [None, None],
                ["Firma", "Web Sitesi"],
                ["Işık", "www.isik.com.tr"],
                ["X", "yok"],
            ],
        }
    )

    found = _open(data)

    company, refusal = found.entries
    assert isinstance(company, Company)
    assert (company.line, company.company_name, company.domain.name) == (3, "Işık", "isik.com.tr")
    assert isinstance(refusal, Refusal)
    assert (refusal.line, found.format, found.columns.header_line) == (4, "xlsx", 2)


def test_a_hundred_thousand_rows_are_read_as_they_come() -> None:
    class Endless(io.BytesIO):
        """Counts how much was taken, so that reading ahead would show."""

        taken = 0

        def readline(self, size: int | None = -1, /) -> bytes:
            line = super().readline(size)
            self.taken += len(line)
            return line

    source = Endless(
        b"firma,site\n" + b"".join(b"F%d,firma%d.com\n" % (n, n) for n in range(100_000))
    )

    entries = open_companies(source).entries

    assert isinstance(next(entries), Company)
    assert source.taken < 10_000
    assert sum(isinstance(each, Company) for each in entries) == 99_999


_PIECES = st.sampled_from(
    [
        "acme.com",
        "a@acme.com",
        "Firma",
        "web sitesi",
        "e-posta",
        ",",
        ";",
        "\t",
        "|",
        '"',
        "\n",
        "\r",
        "ş",
        "\x00",
        " ",
        "=",
        "\ufeff",
        "www.",
        "sep=,",
    ]
)


@given(st.lists(_PIECES, max_size=60).map("".join).map(str.encode) | st.binary(max_size=400))
def test_whatever_the_bytes_there_are_rows_or_one_clear_refusal(data: bytes) -> None:
    entries: list[Company | Refusal] = []
    with suppress(InvalidInput):
        entries = list(open_companies(io.BytesIO(data)).entries)

    lines = [each.line for each in entries]
    assert lines == sorted(lines)
    assert all(each.detail and each.reason for each in entries if isinstance(each, Refusal))
