"""Synthetic zones of the conformance suite, judged."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hunter.core.answers import Answer, Depth, Outcome, RRType, Survey, survey_of
from hunter.core.judge import judge
from hunter.core.judgement import NO_HISTORY, Judgement
from hunter.knowledge.load import load_knowledge

CASES = {
    "test_synthetic_zone_is_judged_as_the_suite_says": ("provider_inference_cases.yml", "cases")
}

AS_OF = dt.date(2026, 11, 23)
#: names of the suite → ours
OPERATORS = {"self": "self_hosted"}
MAIL_STATES = {"forwarding", "parked", "consumer", "no_mail", "no_mail_likely", "domain_missing"}
#: warning of the suite → code of the finding
WARNINGS = {
    "null_mx_with_others": "mx_null_mx_with_others",
    "mx_is_ip": "mx_ip_literal",
    "mx_is_cname": "mx_cname",
    "eop_label_mismatch": "eop_label_mismatch",
    "spf_permerror_multiple": "spf_multiple_records",
}
#: cases that Hunter answers otherwise, with the reason
DEVIATIONS: dict[str, str] = {}

_LABELS = (
    (RRType.TXT, "_dmarc"),
    (RRType.CNAME, "autodiscover"),
    (RRType.CNAME, "enterpriseregistration"),
    (RRType.TXT, "selector1._domainkey"),
    (RRType.TXT, "selector2._domainkey"),
)


def survey_from(domain: str, zone: dict[str, Any]) -> Survey:
    """The survey that this zone would give at full depth; names not in the zone do not exist."""

    def answer(
        name: str, rrtype: RRType, records: list[str], chain: tuple[str, ...] = ()
    ) -> Answer:
        outcome = Outcome.FOUND if records else Outcome.NXDOMAIN
        if not records and name == domain:
            outcome = Outcome.NODATA
        return Answer(name, rrtype, outcome, tuple(records), chain)

    answers = {
        f"{label}.{domain} {rrtype}": answer(f"{label}.{domain}", rrtype, [])
        for rrtype, label in _LABELS
    }

    def add(one: Answer) -> None:
        answers[one.question] = one

    add(answer(domain, RRType.MX, zone.get("MX", [])))
    add(answer(domain, RRType.TXT, zone.get("TXT", [])))
    for label, target in zone.get("CNAME", {}).items():
        labels = [name for _, name in _LABELS[1:]] if label == "*" else [label]
        for each in labels:
            add(answer(f"{each}.{domain}", RRType.CNAME, [target]))
            # what a server says to the address question about an alias
            add(answer(f"{each}.{domain}", RRType.A, ["192.0.2.77"], (target,)))
    for label, address in zone.get("A", {}).items():
        add(answer(f"{label}.{domain}", RRType.A, [address]))
    for selector, record in zone.get("DKIM", {}).items():
        text = record.removeprefix("TXT ")
        add(answer(f"{selector}._domainkey.{domain}", RRType.TXT, [text]))
    return survey_of(domain, Depth.FULL, list(answers.values()))


def band(confidence: float | None) -> str:
    if confidence is None:
        return "none"
    return "high" if confidence >= 0.85 else "medium" if confidence >= 0.55 else "low"


def suite_of(judgement: Judgement) -> str | None:
    """The suite in the words of the case file: hosting companies and own servers are none."""
    row = load_knowledge().rules.providers.get(judgement.provider or "")
    if judgement.provider == "mixed":
        return "mixed"
    if row is None or (row.kind != "suite" and row.id != "onprem_exchange"):
        return None
    return row.family


def hints_of(judgement: Judgement) -> str:
    """Everything a hint of the suite may be found in."""
    rows = [line.code for line in judgement.lines]
    rows += [line.reason for line in judgement.lines]
    return " ".join(
        [
            judgement.reason,
            *rows,
            *(value for each in judgement.findings for _, value in each.params),
        ]
    )


#: hint of the suite → what shows it
HINTS = {
    "own_edge_or_hybrid": "hybrid",
    "spf_names_microsoft": "spf_names_microsoft",
    "eol_2027_03_31": "2027-03-31",
    "sibling_domain:other.com": "other.com",
    "is_msp": "is_msp",
}


def test_synthetic_zone_is_judged_as_the_suite_says(case: dict[str, Any]) -> None:
    survey = survey_from(case["domain"], case["zone"])
    judged = judge(survey, NO_HISTORY, load_knowledge().rules, AS_OF)
    wanted = case["expect"]
    state = wanted["state"]
    got = {
        "mx_operator": judged.mx_operator,
        "suite": suite_of(judged),
        "state": judged.mail_state if state in MAIL_STATES else judged.tenant_state,
        "confidence": band(judged.confidence),
    }
    assert got == {
        "mx_operator": OPERATORS.get(wanted["mx_operator"], wanted["mx_operator"]),
        "suite": wanted["suite"],
        "state": state,
        "confidence": wanted["confidence"],
    }
    if "gateway" in wanted:
        assert judged.gateway == wanted["gateway"]
    codes = {finding.code for finding in judged.findings}
    assert {WARNINGS[each] for each in wanted.get("warn", [])} <= codes
    assert set(wanted.get("saas", [])) <= {product.id for product in judged.products}
    for hint in wanted.get("hints", []):
        assert HINTS[hint] in hints_of(judged)
    for value in wanted.get("facts", {}).values():
        assert any(value in each.record for product in judged.products for each in product.evidence)
