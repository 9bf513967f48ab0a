"""SPF records: the grammar of RFC 7208 section 12 and what is told about each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.spf import (
    Mechanism,
    SpfState,
    has_macro,
    is_spf,
    parse_spf,
    select_spf,
)


def _codes(text: str) -> set[str]:
    return {finding.code for finding in parse_spf(text).findings}


def test_a_record_is_split_into_its_terms() -> None:
    record = parse_spf(
        "V=SPF1 +A:mail.contoso.com/24//64 mx//48 ip4:192.0.2.0/24  -ip6:2001:db8::/32 ptr"
        " ~include:_spf.contoso.com ?exists:%{i}._spf.contoso.com redirect=contoso.net"
        " exp=why.contoso.com x-note=%{d} "
    )

    assert record.state is SpfState.OK
    assert record.mechanisms == (
        Mechanism("+", "a", "mail.contoso.com", 24, 64),
        Mechanism("+", "mx", "", None, 48),
        Mechanism("+", "ip4", "192.0.2.0", 24),
        Mechanism("-", "ip6", "2001:db8::", None, 32),
        Mechanism("+", "ptr"),
        Mechanism("~", "include", "_spf.contoso.com"),
        Mechanism("?", "exists", "%{i}._spf.contoso.com"),
    )
    assert record.includes == ("_spf.contoso.com",)
    assert record.redirect == "contoso.net"
    assert record.explanation == "why.contoso.com"
    assert record.unknown_modifiers == (("x-note", "%{d}"),)
    assert record.all is None


@pytest.mark.parametrize(
    "term",
    [
        "all",
        "a",
        "a/0",
        "a//0",
        "a/32//128",
        "a:contoso.com",
        "a:contoso.com.",
        "a:foo:bar/baz.contoso.com",
        "a:contoso.xn--zckzah",
        "mx:%{d}",
        "mx:%{d2}/24",
        "exists:%{ir}.%{l1r+-}._spf.%{d}",
        "exists:%%%_%-.contoso.com",
        "ptr:contoso.com",
        "ip4:0.0.0.0/0",
        "ip6:::1/128",
        "ip6:::ffff:192.0.2.1",
        "moo.cow-far_out=man:dog/cat",
        "redirect=%{d}.contoso.com",
        "exists:%{d0000000001}",
    ],
)
def test_a_term_of_the_grammar_is_accepted(term: str) -> None:
    assert parse_spf(f"v=spf1 {term} -all").state is SpfState.OK


@pytest.mark.parametrize(
    "term",
    [
        "moo",
        "all:contoso.com",
        "all/8",
        "all.",
        "include",
        "include:",
        "include:contoso.com/24",
        "exists",
        "a:",
        "a:contoso.com:8080",
        "a:contoso",
        "a:museum.",
        "a:192.0.2.1",
        "a:contoso.-com",
        "a:contoso.com\x00",
        "a/33",
        "a/024",
        "a//129",
        "a/24/64",
        "mx:/24",
        "ptr/0",
        "ptr:",
        "ip4",
        "ip4:192.0.2",
        "ip4:192.0.2.1/33",
        "ip4:192.0.2.1/032",
        "ip4:192.0.2.1//32",
        "ip4:192.0.2.1:8080",
        "ip6:::1/129",
        "ip6:::1//33",
        "ip6::CAFE::BABE",
        "exists:%{z}.contoso.com",
        "exists:%{d0}.contoso.com",
        "exists:%{d000}.contoso.com",
        "exists:contoso.%%{d}",
        "a:contoso.com}",
        "exists:%(ir).contoso.com",
        "exists:foo%.contoso.com",
        "include:münchen.de",
        "1up=foo",
        "=all",
        "moo.cow/far_out=man",
        "x=%abc",
        "x=a\tb",
        "redirect:contoso.com",
        "redirect=",
        "exp=-all",
    ],
)
def test_one_bad_term_breaks_the_record(term: str) -> None:
    record = parse_spf(f"v=spf1 ip4:192.0.2.9 {term} -all")

    assert record.state is SpfState.PERMERROR
    assert "spf_syntax" in {finding.code for finding in record.findings}
    assert record.mechanisms[0].value == "192.0.2.9"


@pytest.mark.parametrize("name", ["redirect", "exp"])
def test_redirect_and_exp_stand_at_most_once(name: str) -> None:
    record = parse_spf(f"v=spf1 {name}=a.contoso.com {name}=b.contoso.com")

    assert record.state is SpfState.PERMERROR
    assert record.findings[0].code == "spf_modifier_twice"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("v=spf1 +all", "spf_plus_all"),
        ("v=spf1 all", "spf_plus_all"),
        ("v=spf1 ?all", "spf_neutral_all"),
        ("v=spf1 mx", "spf_no_all"),
        ("v=spf1 -all mx", "spf_terms_after_all"),
        ("v=spf1 redirect=contoso.net -all", "spf_redirect_ignored"),
        ("v=spf1 include:contoso.net include:Contoso.net -all", "spf_duplicate_include"),
        ("v=spf1 include=contoso.net -all", "spf_looks_like_typo"),
        ("v=spf1 ip4=192.0.2.1 -all", "spf_looks_like_typo"),
        ("v=spf1 ptr -all", "spf_ptr"),
        ("v=spf1 " + "ip4:192.0.2.1 " * 40 + "-all", "spf_record_long"),
    ],
)
def test_a_valid_record_gets_advice(text: str, code: str) -> None:
    assert _codes(text) == {code}


def test_a_good_record_gets_no_advice() -> None:
    assert _codes("v=spf1 include:spf.protection.outlook.com -all") == set()
    assert _codes("v=spf1 redirect=_spf.contoso.com") == set()


def test_nothing_after_all_is_reached() -> None:
    record = parse_spf("v=spf1 mx ~all a include:contoso.net")

    assert [term.name for term in record.reached] == ["mx"]
    assert record.all == "~"


def test_text_that_is_no_record_is_a_permerror() -> None:
    assert parse_spf("hello").state is SpfState.PERMERROR


def test_no_record_among_others_is_absent() -> None:
    choice = select_spf(["MS=ms1", "v=spf10 -all"])

    assert (choice.state, choice.record, choice.findings) == (SpfState.ABSENT, None, ())


@pytest.mark.parametrize(
    "text", [" v=spf1 -all", "v=spf1\tmx -all", '"v=spf1 -all"', "v = spf1 -all", "v=spf -all"]
)
def test_a_record_nobody_reads_is_pointed_out(text: str) -> None:
    choice = select_spf([text])

    assert choice.state is SpfState.ABSENT
    assert [finding.code for finding in choice.findings] == ["spf_like_record_ignored"]


def test_several_records_are_a_permerror_and_still_evidence() -> None:
    choice = select_spf(["v=spf1 include:contoso.net -all", "v=spf1 -all"])

    assert choice.state is SpfState.PERMERROR
    assert choice.record is None
    assert choice.records[0].includes == ("contoso.net",)


def test_a_macro_is_known_by_its_brace() -> None:
    assert has_macro("%{i}.contoso.com")
    assert not has_macro("100%%.contoso.com")


TERMS = st.sampled_from(
    [
        "all",
        "-all",
        "a",
        "a:x.com/24",
        "mx//9",
        "include:x.com",
        "ip4:192.0.2.1",
        "ptr",
        "%{",
        "=",
        "redirect=x.com",
        "exp=%{d}",
        "é",
        "exists:%{i}.x",
    ]
)


@given(st.text() | st.lists(TERMS | st.text(max_size=8)).map(" ".join))
def test_any_text_can_be_parsed(text: str) -> None:
    record = parse_spf(f"v=spf1 {text}")

    assert record.state in (SpfState.OK, SpfState.PERMERROR)
    assert is_spf(record.text)
    assert parse_spf(text).text == text
    assert select_spf([text, record.text]).state in SpfState


def test_letters_that_only_resemble_ascii_are_no_spf() -> None:
    assert not is_spf("v=\u017fpf1 -all")
    assert parse_spf("v=spf1 \u0131nclude:a.net -all").state is SpfState.PERMERROR
