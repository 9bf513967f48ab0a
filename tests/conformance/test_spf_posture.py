"""The static walk of an SPF policy against the shared posture cases."""

from __future__ import annotations

from typing import Any

from hunter.core.answers import Answer, Outcome, RRType
from hunter.core.spf_walk import walk_spf

CASES = {"test_spf_posture": ("spf/posture_cases.yml", "cases")}
_LONG = " ".join(f"ip4:192.0.2.{n}" for n in range(36))
#: our codes are prefixed with the record's kind; these two also read differently
_CODES = {
    "multiple_spf": "spf_multiple_records",
    "spf_like_record_ignored": "spf_like_record_ignored",
}


def _answer(zone: dict[str, Any], name: str, rrtype: RRType) -> Answer:
    held = zone.get(f"{rrtype} {name}", zone.get(name, "NXDOMAIN"))
    if isinstance(held, str):
        return Answer(name, rrtype, Outcome(held.lower()))
    if isinstance(held, list):
        texts = ["".join(text) if isinstance(text, list) else text for text in held]
        records = tuple(text.replace("LONG512", _LONG) for text in texts)
        held = {RRType.TXT: len(records)}
    else:
        made = {RRType.MX: "10 mx{}.example.com", RRType.A: "192.0.2.{}"}.get(rrtype, "")
        records = tuple(made.format(n) for n in range(held.get(rrtype, 0)))
    if rrtype in held:
        return Answer(name, rrtype, Outcome.FOUND, records)
    return Answer(name, rrtype, Outcome.NODATA)


def test_spf_posture(case: dict[str, Any]) -> None:
    posture = walk_spf("example.com", lambda name, rrtype: _answer(case["zone"], name, rrtype))

    codes = {finding.code for finding in posture.findings}
    got = {
        "state": posture.state,
        "lookups": posture.lookups,
        "voids": posture.voids,
        "all": posture.all,
        "includes": [include.domain for include in posture.includes],
        "depth1": [include.domain for include in posture.includes if include.depth == 1],
        "depth2": [include.domain for include in posture.includes if include.depth == 2],
        "warn": case["expect"].get("warn", []),
    }
    assert {key: got[key] for key in case["expect"]} == case["expect"]
    assert {_CODES.get(warn, f"spf_{warn}") for warn in got["warn"]} <= codes
