"""DKIM key records and selectors against the shared cases."""

from __future__ import annotations

from typing import Any

from hunter.core.answers import Answer, Outcome, RRType
from hunter.core.dkim import parse_dkim_key, read_selector, select_dkim_key

CASES = {
    "test_dkim_key_record": ("dkim/key_record_cases.yml", "record_cases"),
    "test_dkim_selector": ("dkim/key_record_cases.yml", "zone_cases"),
}
_DOMAIN = "example.com"


def test_dkim_key_record(case: dict[str, Any]) -> None:
    texts = ["".join(strings) for strings in case["txt_records"]]

    key = select_dkim_key(texts)

    got = {
        "key": key.key,
        "bits": key.bits,
        "testing": key.testing,
        "strict_domain": key.strict_domain,
        "service": key.service,
    }
    expect = {name: value for name, value in case.get("expect", {}).items() if name in got}
    assert key.state == case["state"]
    assert {name: got[name] for name in expect} == expect
    assert key == parse_dkim_key(texts[0])


def _answer(zone: dict[str, str], name: str) -> Answer:
    held = zone.get(name) or zone.get("*." + _DOMAIN) or "NXDOMAIN"
    kind, _, data = held.partition(" ")
    if kind == "CNAME":
        return Answer(name, RRType.TXT, Outcome.NXDOMAIN, chain=(data,))
    if kind == "TXT":
        return Answer(name, RRType.TXT, Outcome.FOUND, (data,))
    return Answer(name, RRType.TXT, Outcome(kind.lower()))


def test_dkim_selector(case: dict[str, Any]) -> None:
    parent = "_domainkey." + _DOMAIN

    selector = read_selector(
        _answer(case["zone"], f"{case['selector']}.{parent}"),
        _DOMAIN,
        wildcard=_answer(case["zone"], f"hjx3k.{parent}"),
        parent=_answer(case["zone"], parent),
    )

    assert selector.state == case["state"]
    codes = {finding.code for finding in selector.findings}
    assert {f"dkim_{warn}" for warn in case.get("warn", ())} <= codes
    if "tenant" in case:
        assert selector.target.endswith(f"._domainkey.{case['tenant']}.onmicrosoft.com")
    if case.get("operator", "") is None:
        assert not selector.target
