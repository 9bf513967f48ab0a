"""What people paste, and the name or the reason that comes out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.domain import REASONS, WARNINGS, Domain, parse_domain
from hunter.core.errors import InvalidDomain
from hunter.core.idn import to_ascii, to_unicode

GIVEN = [
    ("contoso.com", "contoso.com"),
    (" Contoso.COM ", "contoso.com"),
    ("contoso.com.", "contoso.com"),
    ("contoso.com,", "contoso.com"),
    ('"contoso.com"', "contoso.com"),
    ("\ufeffcontoso.com\r", "contoso.com"),
    ("contoso.com\u200b", "contoso.com"),
    ("con\u00adtoso.com", "contoso.com"),
    ("ｃｏｎｔｏｓｏ．ｃｏｍ", "contoso.com"),
    ("contoso。com", "contoso.com"),
    ("www.contoso.com", "contoso.com"),
    ("www.www.contoso.com", "contoso.com"),
    ("www.com", "www.com"),
    ("www.com.tr", "www.com.tr"),
    ("mail.contoso.com", "mail.contoso.com"),
    ("contoso.com:8080", "contoso.com"),
    ("contoso.com:8080/path", "contoso.com"),
    ("contoso.com/@user", "contoso.com"),
    ("http:contoso.com", "contoso.com"),
    ("http:///contoso.com", "contoso.com"),
    ("//contoso.com/x", "contoso.com"),
    ("https://user:secret@www.contoso.com.tr:8443/a?x=y@z#f", "contoso.com.tr"),
    ("ali@contoso.com", "contoso.com"),
    ("ali＠contoso.com", "contoso.com"),
    ("a/b@contoso.com", "contoso.com"),
    ("@contoso.com", "contoso.com"),
    ("mailto:ali@contoso.com?subject=x", "contoso.com"),
    ("Ali Veli <ali@contoso.com>", "contoso.com"),
    ("<contoso.com>", "contoso.com"),
    ("ISTANBUL.COM", "istanbul.com"),
    ("ıstanbul.com", "xn--stanbul-qfb.com"),
    ("şirket.com.tr", "xn--irket-idb.com.tr"),
    ("ŞİRKET.com.tr", "xn--irket-idb380a.com.tr"),
    ("faß.de", "xn--fa-hia.de"),
    ("r3---sn.contoso.com", "r3---sn.contoso.com"),
]


@pytest.mark.parametrize(("text", "name"), GIVEN, ids=[repr(text) for text, _ in GIVEN])
def test_a_scan_keeps_the_name_that_was_given(text: str, name: str) -> None:
    assert parse_domain(text, registrable=False).name == name


HELD = [
    ("mail.contoso.com", "contoso.com"),
    ("a.b.firma.com.tr", "firma.com.tr"),
    ("www.city.kawasaki.jp", "city.kawasaki.jp"),
    ("a.b.ide.kyoto.jp", "b.ide.kyoto.jp"),
]


@pytest.mark.parametrize(("text", "name"), HELD)
def test_a_company_is_reduced_to_the_name_it_holds(text: str, name: str) -> None:
    assert parse_domain(text, registrable=True).name == name


REFUSED = {
    "empty": ["", "  \t\r\n", "\ufeff", '""'],
    "no_domain": ["nan", "N/A", "yok", "Mevcut Değil", "-", "…", "..", "http://", "#YOK"],
    "single_label": ["localhost", "contoso", "İş"],
    "public_suffix": ["com", "com.tr", "foo.ck", "CO.UK", "http://com.tr/"],
    "special_use": ["printer.local", "contoso.test", "a.example", "x.home.arpa", "y.onion"],
    "ip_literal": ["192.0.2.1", "192.0.2.1:80", "2001:db8::1", "http://[::1]:8/", "192.0.2.1."],
    "numeric_tld": ["contoso.123", "12.5", "1.2.3.4.5"],
    "bad_character": ["con toso.com", "_dmarc.contoso.com", "a*b.com", "\ud800.com", "a,b"],
    "bad_idn": ["xn--a.com", "xn--zzzzzzzz.com", "a\u200db.com", "אa.com", "1ש.com"],
    "empty_label": [".contoso.com", "contoso..com", "contoso.com..", "\u00ad.com"],
    "hyphen_edge": ["-contoso.com", "contoso-.com"],
    "label_too_long": ["a" * 64 + ".com", "ü" * 63 + ".com"],
    "name_too_long": ["a." * 126 + "com", "x" * 5000, "ü." * 600 + "com"],
    "several_names": ["a.com b.com", "ali@a.com; veli@b.com", "a.com / b.com"],
    "bad_scheme": ["file:///etc/passwd", "htp://contoso.com", "javascript:alert(1)"],
    "formula": ["=cmd|calc", '=HYPERLINK("contoso.com")', "+cmd|' /C'!A0", "@SUM(1)"],
    "free_mail": ["ali@gmail.com", "gmail.com", "user@outlook.com.tr", "mail.gmail.com"],
    "relay_domain": ["x@privaterelay.appleid.com"],
    "provider_domain": ["firma.onmicrosoft.com", "x@firma.onmicrosoft.com"],
}


def test_every_reason_has_an_example() -> None:
    # what was deleted is known to the database alone
    assert set(REFUSED) == set(REASONS) - {"suppressed"}


@pytest.mark.parametrize("registrable", [False, True])
@pytest.mark.parametrize(
    ("text", "reason"),
    [(text, reason) for reason, texts in REFUSED.items() for text in texts],
)
def test_a_refusal_says_why_and_what_to_do(text: str, reason: str, registrable: bool) -> None:
    with pytest.raises(InvalidDomain) as refused:
        parse_domain(text, registrable=registrable)

    assert refused.value.reason == reason
    assert str(refused.value) == REASONS[reason]


WARNED = [
    ("www.contoso.com", False, "www_removed"),
    ("contoso.nosuchtld", False, "unknown_tld"),
    ("okul.meb.k12.tr", True, "shared_domain"),
    ("someone.github.io", True, "shared_domain"),
    ("раураl.com", True, "confusable"),
    ("аррӏе.com", True, "confusable"),
    ("İSTANBUL.com", True, "turkish_i"),
    ("r3---sn.contoso.com", False, "reserved_label"),
]


@pytest.mark.parametrize(("text", "registrable", "code"), WARNED)
def test_an_odd_name_is_accepted_with_a_warning(text: str, registrable: bool, code: str) -> None:
    assert parse_domain(text, registrable=registrable).warnings == (code,)


def test_every_warning_has_an_example() -> None:
    assert {code for _, _, code in WARNED} == set(WARNINGS)


def test_an_ordinary_international_name_has_no_warning() -> None:
    assert parse_domain("şirket.com.tr", registrable=True) == Domain(
        "xn--irket-idb.com.tr", "şirket.com.tr"
    )


@pytest.mark.parametrize("text", ["contoso.test", "contoso.example", "contoso.invalid"])
def test_names_for_tests_are_accepted_when_allowed(text: str) -> None:
    assert parse_domain(text, registrable=True, allow_test_names=True).name == text


def test_a_local_name_is_refused_even_when_test_names_are_allowed() -> None:
    with pytest.raises(InvalidDomain):
        parse_domain("printer.local", registrable=False, allow_test_names=True)


def test_the_private_section_is_a_switch() -> None:
    name = "someone.github.io"

    assert parse_domain(name, registrable=True, private_suffixes=True).name == name
    assert parse_domain(name, registrable=True).name == "github.io"


LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
NAMES = st.builds("{}.{}.com".format, LABELS, LABELS)
ENCODED = st.builds("xn--{}.com".format, st.text("abz019-", max_size=30))
NOISE = st.text() | ENCODED | st.text("aA.@:/-xnüİ1 \u00ad<>[]=%", max_size=40) | NAMES


@given(NOISE, st.booleans(), st.booleans())
def test_any_text_gives_a_name_or_a_known_reason(text: str, registrable: bool, allow: bool) -> None:
    try:
        first = parse_domain(text, registrable=registrable, allow_test_names=allow)
    except InvalidDomain as error:
        refused = error
    else:
        assert _comes_out_again(first, registrable=registrable, allow=allow)
        return

    assert refused.reason in REASONS


def _comes_out_again(first: Domain, *, registrable: bool, allow: bool) -> bool:
    again = parse_domain(first.name, registrable=registrable, allow_test_names=allow)
    shown = parse_domain(first.display, registrable=registrable, allow_test_names=allow)
    same = (again.name, again.display) == (first.name, first.display)
    return same and shown.name == first.name and len(first.name) <= 253


@given(NAMES)
def test_the_fast_road_and_the_slow_road_agree(name: str) -> None:
    def read(text: str) -> str:
        try:
            return parse_domain(text, registrable=False).name
        except InvalidDomain as refused:
            return refused.reason

    assert read(name) == read(f"https://{name.upper()}./")


@given(st.text(st.characters(min_codepoint=0xC0, max_codepoint=0x24F), min_size=1, max_size=12))
def test_an_international_label_survives_the_way_there_and_back(label: str) -> None:
    try:
        name = to_ascii(label + ".com")
    except InvalidDomain:
        return

    assert to_ascii(to_unicode(name)) == name
