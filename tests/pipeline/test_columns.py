"""Which column is what: headings as people write them, and lists without any."""

import pytest

from hunter.pipeline.columns import Columns, find_columns, heading_kind
from hunter.pipeline.rows import Row


def _rows(*rows: tuple[str, ...]) -> list[Row]:
    return [Row(line=number, cells=cells) for number, cells in enumerate(rows, start=1)]


def _found(*rows: tuple[str, ...]) -> Columns:
    columns = find_columns(_rows(*rows))
    assert columns is not None
    return columns


@pytest.mark.parametrize(
    ("heading", "kind"),
    [
        ("Web Sitesi", "web"),
        ("WEB SİTESİ", "web"),
        ("web sitesi adresi", "web"),
        ("Web Adresi", "web"),
        ("İnternet Adresi", "web"),
        ("Website", "web"),
        ("Company website", "web"),
        ("Firma Web Sitesi", "web"),
        ("URL", "web"),
        ("Domain", "web"),
        ("domain_name", "web"),
        ("Alan Adı", "web"),
        ("www", "web"),
        ("E-posta", "mail"),
        ("E-Posta Adresi", "mail"),
        ("EPOSTA", "mail"),
        ("e-mail", "mail"),
        ("Email address", "mail"),
        ("Mail", "mail"),
        ("MAİL ADRESİ", "mail"),
        ("Yetkili E-postası", "mail"),
        ("Firma Adı", "company"),
        ("FİRMA ÜNVANI", "company"),
        ("Unvan", "company"),
        ("Ünvanı", "company"),
        ("Şirket", "company"),
        ("Şirket Adı", "company"),
        ("Company Name", "company"),
        ("Account Name", "company"),
        ("Kurum Adı", "company"),
        ("Name", "name"),
        ("Adı", "name"),
        # where the company sits is not its web site
        ("Adres", ""),
        ("Firma Adresi", ""),
        ("Firma Telefonu", ""),
        ("Posta Kodu", ""),
        ("Mailing address", ""),
        ("LinkedIn URL", ""),
        ("Company size", ""),
        ("Telefon", ""),
        ("", ""),
    ],
)
def test_headings_are_known_in_turkish_and_english(heading: str, kind: str) -> None:
    assert heading_kind(heading) == kind


def test_titles_above_the_heading_are_passed_over() -> None:
    columns = _found(
        ("Fuar Katılımcı Listesi 2026", "", ""),
        ("Hazırlayan: Satış", "", ""),
        ("Firma Adı", "Adres", "Web Sitesi"),
        ("Işık A.Ş.", "İstanbul", "isik.com.tr"),
    )

    assert columns.header_line == 3
    assert (columns.web, columns.mail, columns.company) == ((2,), (), 0)


def test_a_title_with_the_word_company_is_no_heading() -> None:
    columns = _found(("Firma listesi",), ("acme.com",), ("beta.com",))

    assert columns.header_line == 0
    assert columns.web == (0,)


def test_all_columns_of_a_kind_count_in_their_order() -> None:
    columns = _found(
        ("E-posta", "Web", "Şirket", "E-posta 2", "Domain"), ("a@a.com", "", "A", "", "a.com")
    )

    assert (columns.web, columns.mail, columns.company) == ((1, 4), (0, 3), 2)


def test_an_address_column_without_web_sites_is_not_taken_for_one() -> None:
    columns = _found(
        ("Firma", "Adres", "Mail"),
        ("A", "Atatürk Cad. No.5 Kadıköy", "info@a.com"),
    )

    assert (columns.web, columns.mail) == ((), (2,))


def test_without_a_heading_the_content_decides() -> None:
    columns = _found(
        ("Işık A.Ş.", "0212 555 00 00", "info@isik.com.tr", "www.isik.com.tr"),
        ("Acme Ltd.", "0212 555 00 01", "", "https://acme.com/tr/"),
        ("Beta Inc", "", "b@beta.com", "beta.com"),
    )

    assert columns.header_line == 0
    assert (columns.web, columns.mail, columns.company) == ((3,), (2,), 0)


def test_headings_we_do_not_know_leave_it_to_the_content() -> None:
    columns = _found(("Firma", "Kontakt"), ("A", "info@a.com"), ("B", "info@b.com"))

    assert columns.header_line == 1
    assert (columns.mail, columns.company) == ((1,), 0)


def test_a_plain_list_of_domains_needs_no_heading() -> None:
    assert _found(("acme.com",), ("beta.com.tr",)).web == (0,)


def test_prices_and_abbreviations_are_no_domains() -> None:
    assert find_columns(_rows(("Işık Ltd. Şti.", "3.50"), ("A.Ş.", "12.000"))) is None
