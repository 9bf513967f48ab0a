"""MTA-STS: records, policies and the hosts they cover."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.mta_sts import (
    MAX_AGE_S,
    MAX_POLICY_CHARS,
    StsRecord,
    matches_mx,
    parse_sts_policy,
    parse_sts_record,
    select_sts_record,
    uncovered_hosts,
)

POLICY = "version: STSv1\nmode: enforce\nmx: mx.contoso.com\nmx: *.Fabrikam.net\nmax_age: 86400\n"


@pytest.mark.parametrize(
    "text", ["v=STSv1; id=20260101T1", "v=STSv1;id=a;", "v=STSv1 ; x.y=1; id=a "]
)
def test_a_record_is_valid_with_an_id(text: str) -> None:
    assert parse_sts_record(text).valid


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("v=STSv1", "invalid_id"),
        ("v=STSv1;", "invalid_id"),
        ("v=STSv1; ID=a", "invalid_id"),
        ("v=STSv1; id=a-b", "invalid_id"),
        ("v=STSv1; id=123456789012345678901234567890123", "invalid_id"),
        ("v=STSv1; id=", "invalid_field"),
        ("v=STSv1; id=a;;", "invalid_field"),
        ("v=STSv1; id=a; =b", "invalid_field"),
        ("v=STSv2; id=a", "not_a_record"),
        ("v=stsv1; id=a", "not_a_record"),
        ("x", "not_a_record"),
    ],
)
def test_a_broken_record_says_so(text: str, code: str) -> None:
    record = parse_sts_record(text)

    assert not record.valid
    assert [finding.code for finding in record.findings] == [f"mta_sts_{code}"]


def test_exactly_one_record_counts() -> None:
    assert select_sts_record(["v=spf1 -all", "v=STSv10; id=a"]) is None
    assert select_sts_record(["x", "v=STSv1; id=a"]) == StsRecord(valid=True, id="a")
    twice = select_sts_record(["v=STSv1; id=a", "v=STSv1; id=b"])
    assert twice is not None
    assert not twice.valid


def test_a_policy_is_read_with_its_hosts() -> None:
    policy = parse_sts_policy(POLICY.replace("\n", "\r\n") + "extra: x\nmode: none\n\n")

    assert policy.valid
    assert (policy.mode, policy.max_age) == ("enforce", 86400)
    assert policy.mx == ("mx.contoso.com", "*.fabrikam.net")


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("STSv1", "STSv2", "bad_version"),
        ("enforce", "strict", "bad_mode"),
        ("enforce", "Enforce", "bad_mode"),
        ("mx: mx.contoso.com\nmx: *.Fabrikam.net\n", "", "no_mx"),
        ("86400", "x", "bad_max_age"),
        ("86400", "", "bad_max_age"),
        ("86400", str(MAX_AGE_S + 1), "bad_max_age"),
        ("mx.contoso.com", "*.*.contoso.com", "bad_mx"),
        ("mx.contoso.com", "", "bad_mx"),
        ("mx.contoso.com", "mx.contoso.com, mx2.contoso.com", "bad_mx"),
        ("max_age", "max age", "bad_line"),
        ("max_age:", "max_age :", "bad_line"),
        ("mode:", "ext:\nmode:", "bad_line"),
        ("mode:", "ext: a\x07\nmode:", "bad_line"),
        ("mode:", ": x\nmode:", "bad_line"),
        ("enforce", "enforce\rmode: none", "bad_mode"),
        ("mx.contoso.com", "mx.contoso.com.", "bad_mx"),
        ("mx.contoso.com", "mx_1.contoso.com", "bad_mx"),
        ("mx.contoso.com", "*", "bad_mx"),
        ("mx.contoso.com", "mx.şirket.com", "bad_mx"),
        ("max_age", "# " + "x" * MAX_POLICY_CHARS, "too_large"),
    ],
)
def test_a_broken_policy_says_so(old: str, new: str, code: str) -> None:
    policy = parse_sts_policy(POLICY.replace(old, new, 1))

    assert not policy.valid
    assert policy.findings[0].code == f"mta_sts_policy_{code}"


@pytest.mark.parametrize(
    "lines",
    [
        "ext: a value: of any kind, ş\n",
        "\n",
        "mode: none\n",  # the first of each counts
        "mx: localhost\n",
        "mx: *.test\n",
    ],
)
def test_what_a_policy_may_hold_besides(lines: str) -> None:
    policy = parse_sts_policy(POLICY + lines)

    assert policy.valid, policy.findings
    assert policy.mode == "enforce"


@pytest.mark.parametrize(
    ("pattern", "host", "covers"),
    [
        ("mx.contoso.com", "MX.contoso.com.", True),
        ("*.contoso.com", "mx.contoso.com", True),
        ("*.contoso.com", "contoso.com", False),
        ("*.contoso.com", "a.mx.contoso.com", False),
        ("*.contoso.com", ".contoso.com", False),
        ("*.mx.microsoft", "contoso-com.o-v1.mx.microsoft", False),
    ],
)
def test_a_star_stands_for_one_label(pattern: str, host: str, covers: bool) -> None:
    assert matches_mx(pattern, host) is covers


def test_hosts_outside_the_policy_are_listed() -> None:
    hosts = ["mx.contoso.com", "a.fabrikam.net", "backup.contoso.com"]

    assert uncovered_hosts(parse_sts_policy(POLICY), hosts) == ("backup.contoso.com",)


@given(st.text())
def test_any_text_can_be_parsed(text: str) -> None:
    select_sts_record([text, f"v=STSv1;{text}"])
    policy = parse_sts_policy(text)

    assert policy.valid is (policy.findings == ())
    assert matches_mx(f"*.{text}", f"{text}.x") in (True, False)
