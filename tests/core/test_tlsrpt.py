"""TLS reporting records."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.tlsrpt import parse_tlsrpt, select_tlsrpt


def test_report_hosts_are_kept_and_mailboxes_are_not() -> None:
    record = parse_tlsrpt(
        "v=TLSRPTv1; rua=mailto:ali@Contoso.com?x=y , https://R.contoso.net:8443/v1; x=1"
    )

    assert record.valid
    assert record.targets == ("contoso.com", "r.contoso.net")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("hello", "not_a_record"),
        ("v=TLSRPTv1", "not_a_record"),
        ("v=TLSRPTv10; rua=mailto:a@b.c", "not_a_record"),
        ("v=TLSRPTv1;", "missing_rua"),
        ("v=TLSRPTv1; x=1", "missing_rua"),
        ("v=TLSRPTv1; rua=", "invalid_rua"),
        ("v=TLSRPTv1; rua=ftp://x", "invalid_rua"),
        ("v=TLSRPTv1; rua=http://x/y", "invalid_rua"),
        ("v=TLSRPTv1; rua=mailto:a@b.c,", "invalid_rua"),
        ("v=TLSRPTv1; rua=mailto:a!b@c.d", "invalid_rua"),
        ("v=TLSRPTv1; rua=mailto:a@b.c!10m", "invalid_rua"),
        ("v=TLSRPTv1; rua=mailto:ş@b.c", "invalid_rua"),
        ("v=TLSRPTv1; rua=mailto:a%zz@b.c", "invalid_rua"),
        ("v=TLSRPTv1; rua=https://", "invalid_rua"),
        ("v=TLSRPTv1; rua=https:///x", "invalid_rua"),
        ("v=TLSRPTv1; RUA=mailto:a@b.c", "missing_rua"),
        ("v=TLSRPTv1; x= ; rua=mailto:a@b.c", "invalid_field"),
        ("v=TLSRPTv1; broken; rua=mailto:a@b.c", "invalid_field"),
        ("v=TLSRPTv1; rua=mailto:a@b.c;;", "invalid_field"),
    ],
)
def test_a_broken_record_says_so(text: str, code: str) -> None:
    record = parse_tlsrpt(text)

    assert not record.valid
    assert [finding.code for finding in record.findings] == [f"tlsrpt_{code}"]


def test_no_finding_repeats_whose_mailbox_it_is() -> None:
    (finding,) = parse_tlsrpt("v=TLSRPTv1; mailto:ali@contoso.com").findings

    assert finding.get("field") == "mailto:*@contoso.com"


def test_exactly_one_record_counts() -> None:
    good = "v=TLSRPTv1; rua=mailto:a@b.c"

    assert select_tlsrpt(["v=spf1 -all"]) is None
    assert select_tlsrpt(["x", good]) == parse_tlsrpt(good)
    twice = select_tlsrpt([good, good])
    assert twice is not None
    assert not twice.valid


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://Ali@Contoso.com/x", "contoso.com"),
        ("https://ali:secret@contoso.com:8443", "contoso.com"),
        ("https://[2001:DB8::1]:443/x", "[2001:db8::1]"),
        ("https://contoso.com?x=a@b.c", "contoso.com"),
    ],
)
def test_of_a_web_address_only_the_host_is_kept(address: str, host: str) -> None:
    assert parse_tlsrpt(f"v=TLSRPTv1; rua={address}").targets == (host,)


def test_an_at_sign_in_the_query_makes_no_mailbox_and_breaks_none() -> None:
    assert not parse_tlsrpt("v=TLSRPTv1; rua=mailto:ali?cc=veli@contoso.com").valid
    whole = parse_tlsrpt("v=TLSRPTv1; rua=mailto:ali@contoso.com?cc=veli@fabrikam.com")
    assert whole.targets == ("contoso.com",)


@given(st.text())
def test_any_text_can_be_parsed(text: str) -> None:
    assert parse_tlsrpt(f"v=TLSRPTv1; {text}").valid in (True, False)
    assert parse_tlsrpt(text).targets is not None
