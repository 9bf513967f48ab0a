"""DMARC records and policy discovery against the shared cases."""

from __future__ import annotations

from typing import Any

from hunter.core.answers import Answer, Outcome, RRType
from hunter.core.dmarc import parse_dmarc
from hunter.core.dmarc_walk import discover

CASES = {
    "test_dmarc_record": ("dmarc/record_syntax_cases.yml", "cases"),
    "test_dmarc_discovery": ("dmarc/rfc9989_cases.yml", "cases"),
}
_CODES = {
    "multiple_dmarc_records": "dmarc_multiple_records",
    "foreign_txt_at_dmarc": "dmarc_foreign_txt",
    "dmarc_like_record_ignored": "dmarc_like_record_ignored",
    "dmarc_at_apex": "dmarc_at_apex",
}


def test_dmarc_record(case: dict[str, Any]) -> None:
    record = parse_dmarc(case["record"])

    verdict = str(record.p) if record.is_policy else str(record.verdict)
    if case["rfc7489_valid"] is not None:
        assert record.rfc7489_valid is case["rfc7489_valid"]
    if case["rfc9989"] == "implementation":
        assert parse_dmarc(case["record"]) == record
    else:
        assert verdict == case["rfc9989"]


def _answer(case: dict[str, Any], name: str, rrtype: RRType) -> Answer:
    held = case["zone"].get(name, "NXDOMAIN")
    if name in case.get("exists", ()):
        held = "NODATA"
    if isinstance(held, dict):
        return Answer(name, rrtype, Outcome.NXDOMAIN, chain=(held["CNAME"],))
    if isinstance(held, str):
        return Answer(name, rrtype, Outcome(held.lower()))
    if rrtype is not RRType.TXT:
        return Answer(name, rrtype, Outcome.NODATA)
    records = tuple("".join(text) if isinstance(text, list) else text for text in held)
    return Answer(name, rrtype, Outcome.FOUND, records)


def test_dmarc_discovery(case: dict[str, Any]) -> None:
    expect = case["expect"]

    posture = discover(case["author"], lambda name, rrtype: _answer(case, name, rrtype))

    walked = [query for query in posture.queries if "._report._dmarc." not in query]
    got = {
        "state": posture.state,
        "policy_domain": posture.policy_domain,
        "org_domain": posture.org_domain,
        "policy": posture.policy,
        "effective": posture.effective,
        "queries": walked,
        "extra_queries": [query for query in posture.queries if query not in walked],
    }
    warned = expect.get("warn")
    assert {key: got[key] for key in expect if key != "warn"} == {
        key: value for key, value in expect.items() if key != "warn"
    }
    codes = {finding.code for finding in posture.findings}
    assert {_CODES.get(warn, f"dmarc_{warn}") for warn in warned or ()} <= codes
    assert warned != [] or not codes
