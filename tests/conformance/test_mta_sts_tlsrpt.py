"""MTA-STS and TLS reporting records against the shared cases."""

from __future__ import annotations

from typing import Any

import pytest

from hunter.core.mta_sts import (
    MAX_AGE_S,
    MAX_POLICY_CHARS,
    matches_mx,
    parse_sts_policy,
    parse_sts_record,
)
from hunter.core.tlsrpt import parse_tlsrpt

_FILE = "mta_sts_tlsrpt/cases.yml"
CASES = {
    "test_sts_record": (_FILE, "mta_sts_records"),
    "test_sts_policy": (_FILE, "mta_sts_policies"),
    "test_sts_mx_pattern": (_FILE, "mx_match"),
    "test_sts_over_http": (_FILE, "http_behaviour"),
    "test_tlsrpt_record": (_FILE, "tlsrpt_records"),
}
_POLICY = "version: STSv1\nmode: none\nmax_age: {}\n"
#: cases about fetching that a text alone decides
_TEXT_CASES = {
    "policy_over_64k": _POLICY.format(1) + "#" * MAX_POLICY_CHARS,
    "max_age_over_31557600": _POLICY.format(MAX_AGE_S + 1),
}


def test_sts_record(case: dict[str, Any]) -> None:
    assert parse_sts_record(case["record"]).valid is case["valid"]


def test_sts_policy(case: dict[str, Any]) -> None:
    policy = parse_sts_policy(case["policy"])

    got = {"mode": policy.mode, "mx": list(policy.mx), "max_age": policy.max_age}
    assert policy.valid is case.get("valid", True)
    assert "expect" not in case or got == case["expect"]


def test_sts_mx_pattern(case: dict[str, Any]) -> None:
    assert matches_mx(case["pattern"], case["mx"]) is case["match"]


def test_sts_over_http(case: dict[str, Any]) -> None:
    if case["id"] not in _TEXT_CASES:
        pytest.skip("Hunter does not fetch policies yet")
    assert case["policy_state"] == "invalid"
    assert not parse_sts_policy(_TEXT_CASES[case["id"]]).valid


def test_tlsrpt_record(case: dict[str, Any]) -> None:
    assert parse_tlsrpt(case["record"]).valid is case["valid"]
