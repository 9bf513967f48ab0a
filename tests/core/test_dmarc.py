"""DMARC records: RFC 9989's verdict, RFC 7489's beside it, and every finding."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.dmarc import (
    Dmarc,
    Policy,
    ReportUri,
    Verdict,
    is_dmarc,
    parse_dmarc,
    without_mailboxes,
)


def _codes(text: str) -> set[str]:
    return {finding.code for finding in parse_dmarc(text).findings}


def test_a_full_record_is_read_tag_by_tag() -> None:
    record = parse_dmarc(
        "v=DMARC1; p=Reject; sp=quarantine; np=none; t=y; psd=n; adkim=S; aspf=s; fo=1:d;"
        " rua=mailto:ali@Reports.contoso.com,https://r.example.net:8443/x;"
        " ruf=mailto:veli@contoso.com?subject=x"
    )

    assert record.verdict is Verdict.POLICY
    assert (record.p, record.sp, record.np) == (Policy.REJECT, Policy.QUARANTINE, Policy.NONE)
    assert (record.testing, record.psd, record.adkim, record.aspf) == (True, "n", "s", "s")
    assert record.rua == (
        ReportUri("mailto", "reports.contoso.com", valid=True),
        ReportUri("https", "r.example.net", valid=True),
    )
    assert record.ruf == (ReportUri("mailto", "contoso.com", valid=True),)
    assert record.findings == ()


def test_a_policy_for_names_below_falls_back_to_the_name_s_own() -> None:
    record = parse_dmarc("v=DMARC1; p=reject; sp=quarantine; np=none")

    assert record.policy_for(inherited=False) is Policy.REJECT
    assert record.policy_for(inherited=True) is Policy.QUARANTINE
    assert record.policy_for(inherited=True, exists=False) is Policy.NONE
    assert (
        parse_dmarc("v=DMARC1; p=reject").policy_for(inherited=True, exists=False) is Policy.REJECT
    )
    assert parse_dmarc("v=DMARC1").policy_for(inherited=False) is None


def test_a_policy_in_another_tag_is_never_taken_for_p() -> None:
    assert parse_dmarc("v=DMARC1; p=reject; sp=none").p is Policy.REJECT


@pytest.mark.parametrize(
    ("policy", "softened"),
    [("reject", "quarantine"), ("quarantine", "none"), ("none", "none")],
)
def test_test_mode_takes_one_step_down(policy: str, softened: str) -> None:
    assert Policy(policy).softened == softened


def test_a_broken_policy_is_healed_when_reports_are_wanted() -> None:
    record = parse_dmarc("v=DMARC1; p=reject; sp=bogus; rua=mailto:a@contoso.com")

    assert (record.p, record.sp) == (Policy.NONE, None)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('"v=DMARC1; p=none"', "dmarc_quoted_record"),
        (r"v=DMARC1\; p=none", "dmarc_escaped_semicolon"),
        ("p=none; v=DMARC1", "dmarc_like_record_ignored"),
        (" v=DMARC1; p=none", "dmarc_like_record_ignored"),
        ("v=dmarc1; p=none", "dmarc_like_record_ignored"),
        ("v=DMARC1 p=none", "dmarc_like_record_ignored"),
        ("v=DMARC1; p=none; rua=mailto:a@b.com v=DMARC1; p=reject", "dmarc_glued_records"),
        ("v=DMARC1; p=none; p=reject", "dmarc_duplicate_tag"),
        ("v=DMARC1; p=none; reject", "dmarc_not_a_tag"),
        ("v=DMARC1; p=none; pct=50", "dmarc_removed_tag_pct"),
        ("v=DMARC1; p=none; fo=x", "dmarc_invalid_value"),
        ("v=DMARC1; p=none; fo=", "dmarc_invalid_value"),
        ("v=DMARC1; p=none; t=maybe", "dmarc_invalid_value"),
        ("v=DMARC1; p=none; psd=x", "dmarc_invalid_value"),
        ("v=DMARC1; p=none; rf=afrf", "dmarc_removed_tag"),
        ("v=DMARC1; p=none; ri=3600", "dmarc_removed_tag"),
        ("v=DMARC1; p=none; zz=1", "dmarc_unknown_tag"),
        ("v=DMARC1; P=none", "dmarc_upper_case_tag"),
        ("v=DMARC1", "dmarc_missing_p"),
        ("v=DMARC1; p=rejct", "dmarc_invalid_p"),
        ("v=DMARC1; p=none; sp=x", "dmarc_invalid_sp"),
        ("v=DMARC1; p=none; np=x", "dmarc_invalid_np"),
        ("v=DMARC1; p=none; adkim=x", "dmarc_invalid_value"),
        ("v=DMARC1; p=none; rua=bogus", "dmarc_invalid_rua"),
        ("v=DMARC1; p=none; rua=mailto:nobody", "dmarc_invalid_rua"),
        ("v=DMARC1; p=none; ruf=a b", "dmarc_invalid_ruf"),
        ("v=DMARC1; p=none; rua=mailto:a@b.com!10m", "dmarc_rua_size_obsolete"),
        ("v=DMARC1; p=none; ruf=mailto:a@b.com!10m", "dmarc_ruf_size_obsolete"),
    ],
)
def test_a_fault_is_named(text: str, code: str) -> None:
    assert code in _codes(text)


@pytest.mark.parametrize("text", ["", "hello", "v=spf1 -all", "v=DMARC10; p=none"])
def test_other_text_is_not_dmarc_and_not_pointed_out(text: str) -> None:
    assert parse_dmarc(text) == Dmarc(text=text, verdict=Verdict.NOT_DMARC)


@pytest.mark.parametrize(
    ("tags", "valid"),
    [
        ("p=none", True),
        ("p=none; pct=50; fo=0:1; rf=afrf; ri=86400", True),
        ("p=none; rua=mailto:a@b.com!10m", True),
        ("sp=none; p=none", False),
        ("p=none; sp=x", False),
        ("p=none; pct=101", False),
        ("p=none; ri=99999999999", False),
        ("p=none; rua=mailto:a@b.com!x", False),
        ("p=none; p=none", False),
        ("p=none; broken", False),
        ("p=none;;", False),
    ],
)
def test_the_older_reading_stands_beside(tags: str, valid: bool) -> None:
    assert parse_dmarc(f"v=DMARC1; {tags}").rfc7489_valid is valid


@pytest.mark.parametrize(
    ("pct", "value"), [("50", 50), ("0", 0), ("1000", 100), ("bogus", 100), ("", 100)]
)
def test_pct_is_kept_for_the_older_reading(pct: str, value: int) -> None:
    assert parse_dmarc(f"v=DMARC1; p=none; pct={pct}").pct == value


def test_mailboxes_are_cut_before_a_record_is_stored() -> None:
    text = "v=DMARC1; p=none; rua=mailto:ali.veli@contoso.com,MAILTO:x@b.com!1m"

    assert without_mailboxes(text) == "v=DMARC1; p=none; rua=mailto:*@contoso.com,MAILTO:*@b.com!1m"
    assert without_mailboxes("rua=mailto:ali@veli@contoso.com") == "rua=mailto:*@*@contoso.com"
    assert without_mailboxes("mailto:a@b.c?cc=d@e.f; x") == "mailto:*@b.c?*@*; x"
    assert without_mailboxes("ali@contoso.com") == "ali@contoso.com"


@pytest.mark.parametrize(
    "text",
    [
        "v=DMARC1; p=bad; rua=mailto:ali@contoso.com?x=y@z!1m,mailto:@b.c; ruf=mailto:x",
        "v=DMARC1; p=bad; rua=mailto:velı@contoso.com",
        "v=DMARC1; p=bad; rua=maimailto:ali@contoso.com?x=y@z",
        "v=DMARC1; p=bad; rua=mailto:ali@contoso.com?\x18",
    ],
)
def test_what_is_stored_of_a_record_says_the_same(text: str) -> None:
    whole, stored = parse_dmarc(text), parse_dmarc(without_mailboxes(text))

    assert stored.text != whole.text
    assert msgspec.structs.replace(stored, text=text) == whole


@pytest.mark.parametrize(
    "tag",
    [
        "rua mailto:ali@contoso.com",
        "sp=mailto:ali@contoso.com",
        "mailto:ali@contoso.com=1",
        "=mailto:x\nali@contoso.com",
        f"={'x' * 230}mailto:ali{'i' * 40}@contoso.com",
    ],
)
def test_no_finding_repeats_whose_mailbox_it_is(tag: str) -> None:
    findings = parse_dmarc(f"v=DMARC1; p=none; {tag}").findings

    told = [value for finding in findings for _, value in finding.params]
    assert any("mailto:" in value for value in told)
    assert not any("ali" in value for value in told)


PARTS = st.sampled_from(
    [
        "p=none",
        "p=reject",
        "sp=x",
        "np=reject",
        "t=y",
        "psd=y",
        "rua=mailto:a@b.c",
        "rua=x",
        "pct=5",
        ";",
        "v=DMARC1",
        "=",
        "ri=9",
    ]
)


@given(st.text() | st.lists(PARTS | st.text(max_size=8)).map("; ".join))
def test_any_text_can_be_parsed(text: str) -> None:
    record = parse_dmarc(f"v=DMARC1; {text}")

    assert is_dmarc(record.text)
    assert record.is_policy is (record.p is not None)
    assert parse_dmarc(text).text == text
    assert without_mailboxes(without_mailboxes(text)) == without_mailboxes(text)
