"""Signals and findings of what protects mail on its way, out of one survey."""

from __future__ import annotations

import pytest

from hunter.core.advice import Severity
from hunter.core.answers import (
    Answer,
    Depth,
    Outcome,
    PolicyFile,
    PolicyState,
    RRType,
    Survey,
)
from hunter.core.judgement import State
from hunter.core.transport import _BROKEN, Transport, read_transport
from hunter.knowledge.findings import load_findings

DOMAIN = "contoso.com"
MX = "mx.contoso.net"
STS, RPT, LOGO = (
    "_mta-sts.contoso.com TXT",
    "_smtp._tls.contoso.com TXT",
    "default._bimi.contoso.com TXT",
)
DMARC = "_dmarc.contoso.com TXT"
CAA = "contoso.com CAA"
POLICY = "version: STSv1\nmode: {}\nmx: {}\nmax_age: {}\n"
ENFORCED = "v=DMARC1; p=reject; rua=mailto:a@contoso.com"

Held = list[str] | Outcome


def read(
    zone: dict[str, Held], policy: PolicyFile | None = None, hosts: tuple[str, ...] = (MX,)
) -> Transport:
    answers = {}
    for question, held in zone.items():
        name, _, rrtype = question.partition(" ")
        outcome, records = (held, ()) if isinstance(held, Outcome) else (Outcome.FOUND, tuple(held))
        answers[question] = Answer(name, RRType(rrtype), outcome, records)
    survey = Survey(domain=DOMAIN, depth=Depth.FULL, answers=answers, policy=policy)
    return read_transport(survey, hosts)


def codes(seen: Transport) -> list[str]:
    return [each.code for each in seen.findings]


def policy(mode: str = "enforce", mx: str = MX, max_age: int = 604_800) -> PolicyFile:
    return PolicyFile(PolicyState.FETCHED, POLICY.format(mode, mx, max_age))


def test_where_nothing_was_asked_nothing_is_said() -> None:
    seen = read({})

    assert (seen.signals, seen.findings) == ({}, [])


@pytest.mark.parametrize(
    ("question", "signal"),
    [
        (STS, "mta_sts"),
        (RPT, "tls_rpt"),
        (LOGO, "bimi"),
        (CAA, "caa"),
        ("contoso.com DS", "dnssec"),
        (f"_25._tcp.{MX} TLSA", "dane_ready"),
    ],
)
@pytest.mark.parametrize("outcome", [Outcome.TIMEOUT, Outcome.SERVFAIL, Outcome.BUDGET])
def test_silence_leaves_a_signal_unknown_and_is_no_finding(
    question: str, signal: str, outcome: Outcome
) -> None:
    seen = read({"contoso.com DS": outcome, question: outcome})

    assert seen.signals[signal].state is State.UNKNOWN
    assert seen.signals[signal].value == ""
    assert seen.findings == []


@pytest.mark.parametrize("outcome", [Outcome.NODATA, Outcome.NXDOMAIN])
def test_a_proved_absence_is_absent(outcome: Outcome) -> None:
    seen = read(
        {
            STS: outcome,
            RPT: outcome,
            LOGO: outcome,
            CAA: outcome,
            "com CAA": outcome,
            "contoso.com DS": Outcome.NODATA,
            "contoso.com NS": ["ns1.contoso.com"],
            f"_25._tcp.{MX} TLSA": outcome,
        }
    )

    assert {signal.state for signal in seen.signals.values()} == {State.ABSENT}
    assert codes(seen) == ["dnssec_unsigned", "mta_sts_missing", "caa_missing"]
    assert all(signal.evidence for signal in seen.signals.values())


def test_a_domain_without_mail_hosts_needs_no_mta_sts() -> None:
    assert codes(read({STS: Outcome.NXDOMAIN}, hosts=())) == []


@pytest.mark.parametrize(
    ("records", "fetched", "mode", "found"),
    [
        (["v=STSv1; id=1"], policy(), "enforce", []),
        (["v=STSv1; id=1"], policy("testing"), "testing", ["mta_sts_mode_testing"]),
        (["v=STSv1; id=1"], policy("none"), "none", ["mta_sts_mode_none"]),
        (["v=STSv1; id=1"], policy(max_age=3600), "enforce", ["mta_sts_short_max_age"]),
        (["v=STSv1; id=1"], policy(mx="*.contoso.net"), "enforce", []),
        (["v=STSv1; id=1"], policy(mx="mx.other.net"), "enforce", ["mta_sts_uncovered_mx"]),
        (
            ["v=STSv1; id=1"],
            policy("testing", mx="mx.other.net"),
            "testing",
            ["mta_sts_mode_testing", "mta_sts_uncovered_mx_testing"],
        ),
        (["v=STSv1; id=1"], policy("strict"), None, ["mta_sts_policy_bad_mode"]),
        (
            ["v=STSv1; id=1"],
            PolicyFile(PolicyState.ABSENT, reason="404"),
            None,
            ["mta_sts_record_without_policy"],
        ),
        (
            ["v=STSv1; id=1"],
            PolicyFile(PolicyState.UNUSABLE, reason="a redirect to www.contoso.com"),
            None,
            ["mta_sts_policy_unusable"],
        ),
        (
            ["v=STSv1; id=a-b"],
            policy(),
            "enforce",
            ["mta_sts_invalid_id", "mta_sts_policy_without_record"],
        ),
        (Outcome.NXDOMAIN, policy(), "enforce", ["mta_sts_policy_without_record"]),
        (Outcome.NXDOMAIN, PolicyFile(PolicyState.ABSENT), None, []),
    ],
)
def test_record_and_policy_are_held_against_each_other(
    records: Held, fetched: PolicyFile, mode: str | None, found: list[str]
) -> None:
    seen = read({STS: records}, fetched)

    signal = seen.signals["mta_sts_policy"]
    assert (signal.state, signal.value) == (
        (State.ABSENT, "") if mode is None else (State.PRESENT, mode)
    )
    assert codes(seen) == found
    assert signal.evidence[0].question == "https://mta-sts.contoso.com/.well-known/mta-sts.txt"


def test_only_what_was_set_up_and_fails_is_broken() -> None:
    enforced: dict[str, Held] = {STS: ["v=STSv1; id=1"]}

    assert read(enforced, policy(mx="mx.other.net")).is_broken
    assert not read(enforced, policy()).is_broken
    assert not read(enforced, PolicyFile(PolicyState.UNKNOWN)).is_broken
    assert not read({STS: Outcome.NXDOMAIN, "contoso.com DS": Outcome.NODATA}).is_broken


def test_every_code_of_a_broken_protection_is_an_error() -> None:
    assert {load_findings()[code].severity for code in _BROKEN} == {Severity.ERROR}


def test_a_policy_nobody_could_fetch_is_unknown() -> None:
    seen = read({STS: ["v=STSv1; id=1"]}, PolicyFile(PolicyState.UNKNOWN, reason="a timeout"))

    assert seen.signals["mta_sts"].state is State.PRESENT
    assert seen.signals["mta_sts_policy"].state is State.UNKNOWN
    assert seen.findings == []


def test_a_policy_is_not_blamed_while_the_record_is_unknown() -> None:
    seen = read({STS: Outcome.TIMEOUT}, policy(mx="mx.other.net"))

    assert seen.signals["mta_sts_policy"].state is State.PRESENT
    assert seen.findings == []


def test_without_a_fetch_the_record_alone_is_told() -> None:
    seen = read({STS: ["v=STSv1; id=20260101"]})

    assert (seen.signals["mta_sts"].state, seen.signals["mta_sts"].value) == (
        State.PRESENT,
        "20260101",
    )
    assert "mta_sts_policy" not in seen.signals


def test_a_record_that_does_not_count_is_absent_and_told() -> None:
    seen = read(
        {STS: ["v=STSv1; id=1", "v=STSv1; id=2"], RPT: ["v=TLSRPTv1; rua="], LOGO: ["v=BIMI1"]}
    )

    assert {signal.state for signal in seen.signals.values()} == {State.ABSENT}
    assert codes(seen) == ["mta_sts_multiple_records", "tlsrpt_invalid_rua", "bimi_missing_logo"]
    assert len(seen.signals["mta_sts"].evidence) == 2


def test_who_insists_on_encryption_should_ask_for_reports() -> None:
    missing = read({STS: ["v=STSv1; id=1"], RPT: Outcome.NXDOMAIN})
    asked = read({STS: ["v=STSv1; id=1"], RPT: ["v=TLSRPTv1; rua=mailto:a@contoso.com", "x"]})
    nothing = read({RPT: Outcome.NXDOMAIN})

    assert codes(missing) == ["tlsrpt_missing"]
    assert codes(asked) == codes(nothing) == []
    assert asked.signals["tls_rpt"].value == "contoso.com"
    assert [each.record for each in asked.signals["tls_rpt"].evidence] == [
        "v=TLSRPTv1; rua=mailto:a@contoso.com"
    ]


@pytest.mark.parametrize(
    ("record", "dmarc", "state", "found"),
    [
        ("l=https://a.b/c.svg; a=https://a.b/c.pem", [ENFORCED], State.PRESENT, []),
        ("l=https://a.b/c.svg", [ENFORCED], State.PRESENT, ["bimi_no_certificate"]),
        (
            "l=https://a.b/c.svg; a=https://a.b/c.pem",
            ["v=DMARC1; p=none"],
            State.PRESENT,
            ["bimi_dmarc_not_enforced"],
        ),
        ("l=https://a.b/c.svg; a=https://a.b/c.pem", Outcome.TIMEOUT, State.PRESENT, []),
        ("l=; a=;", ["v=DMARC1; p=none"], State.ABSENT, []),
    ],
)
def test_a_logo_counts_when_it_is_wanted_and_allowed(
    record: str, dmarc: Held, state: State, found: list[str]
) -> None:
    seen = read({LOGO: [f"v=BIMI1; {record}"], DMARC: dmarc, "_dmarc.com TXT": Outcome.NXDOMAIN})

    assert seen.signals["bimi"].state is state
    assert codes(seen) == found


@pytest.mark.parametrize(
    ("zone", "state", "value", "found"),
    [
        ({CAA: ["0 issue pki.goog", "0 issue a.b"]}, State.PRESENT, "a.b pki.goog", []),
        ({CAA: ["0 issue ;"]}, State.PRESENT, "nobody", []),
        ({CAA: ["0 iodef mailto:a@b.c"]}, State.PRESENT, "everybody", []),
        ({CAA: Outcome.NODATA, "com CAA": ["0 issue a.b"]}, State.PRESENT, "a.b", []),
        ({CAA: Outcome.NODATA, "com CAA": Outcome.TIMEOUT}, State.UNKNOWN, "", []),
        ({CAA: Outcome.NODATA}, State.UNKNOWN, "", []),
        ({CAA: ["128 tbs x"]}, State.PRESENT, "nobody", ["caa_unknown_critical"]),
    ],
)
def test_caa_says_who_may_issue(
    zone: dict[str, Held], state: State, value: str, found: list[str]
) -> None:
    seen = read(zone)

    assert (seen.signals["caa"].state, seen.signals["caa"].value) == (state, value)
    assert codes(seen) == found


def test_a_signed_domain_shows_its_ds_records() -> None:
    seen = read({"contoso.com DS": [f"1 13 2 {'AB' * 32}"]})

    signal = seen.signals["dnssec"]
    assert (signal.state, signal.value) == (State.PRESENT, "signed")
    assert signal.evidence[0].record.startswith("1 13 2 ")
    assert "dane_ready" not in seen.signals
