"""DANE for mail: TLSA records, and the three states of relying on them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.answers import Answer, Depth, Outcome, RRType, Survey
from hunter.core.dnssec import read_dnssec
from hunter.core.judgement import State
from hunter.core.tlsa import Dane, Tlsa, parse_tlsa, parse_tlsa_set, read_dane

DIGEST = "AB" * 32
GOOD = f"3 1 1 {DIGEST}"
DS = f"12345 13 2 {DIGEST}"
DOMAIN = "contoso.com"
FOUND, NODATA, NXDOMAIN = Outcome.FOUND, Outcome.NODATA, Outcome.NXDOMAIN


@pytest.mark.parametrize(
    ("text", "record", "fault"),
    [
        (GOOD, Tlsa(3, 1, 1, DIGEST), None),
        (f"2 0 1 {DIGEST.lower()}", Tlsa(2, 0, 1, DIGEST), None),
        (f"3 1 2 {DIGEST * 2}", Tlsa(3, 1, 2, DIGEST * 2), None),
        ("3 0 0 3082", Tlsa(3, 0, 0, "3082"), None),
        # RFC 7672 section 3.1.3: PKIX usages are unusable for SMTP
        (f"0 0 1 {DIGEST}", Tlsa(0, 0, 1, DIGEST), "usage"),
        (f"1 1 1 {DIGEST}", Tlsa(1, 1, 1, DIGEST), "usage"),
        (f"255 1 1 {DIGEST}", Tlsa(255, 1, 1, DIGEST), "parameter"),
        (f"3 2 1 {DIGEST}", Tlsa(3, 2, 1, DIGEST), "parameter"),
        (f"3 1 3 {DIGEST}", Tlsa(3, 1, 3, DIGEST), "parameter"),
        (f"3 1 2 {DIGEST}", Tlsa(3, 1, 2, DIGEST), "length"),
        ("3 1 1 AB", Tlsa(3, 1, 1, "AB"), "length"),
        ("3 0 0 ", Tlsa(3, 0, 0, ""), "length"),
    ],
)
def test_a_record_is_read_with_its_fault(text: str, record: Tlsa, fault: str | None) -> None:
    assert parse_tlsa(text) == record
    assert record.fault == fault


@pytest.mark.parametrize("text", ["", "3 1 1 ABC", "256 1 1 AB", "3 1 AB", "x 1 1 AB"])
def test_what_is_no_record_is_none(text: str) -> None:
    assert parse_tlsa(text) is None


@pytest.mark.parametrize(
    ("texts", "usable", "codes"),
    [
        ([GOOD], True, []),
        # one good record is enough, as in every rollover
        ([GOOD, f"3 1 1 {'CD' * 32}"], True, []),
        ([GOOD, f"1 1 1 {DIGEST}"], True, ["dane_pkix_usage"]),
        ([f"1 1 1 {DIGEST}"], False, ["dane_pkix_usage", "dane_no_usable_tlsa"]),
        ([GOOD, "3 1 1 AB"], True, ["dane_cut_digest"]),
        ([GOOD, f"3 1 9 {DIGEST}"], True, ["dane_unknown_parameter"]),
        (["3 0 0 3082"], True, ["dane_full_data"]),
        (["hello"], False, ["dane_unreadable_tlsa", "dane_no_usable_tlsa"]),
        ([], False, []),
    ],
)
def test_a_set_says_whether_a_sender_can_use_it(
    texts: list[str], usable: bool, codes: list[str]
) -> None:
    found = parse_tlsa_set("mx.contoso.com", texts)

    assert found.is_usable is usable
    assert [each.code for each in found.findings] == codes
    assert found == parse_tlsa_set("mx.contoso.com", texts[::-1])


def dane(
    tlsa: dict[str, list[str] | Outcome | None],
    *,
    validated: bool = True,
    ds: list[str] | Outcome = FOUND,
    plain: frozenset[str] = frozenset(),
    address: Outcome | None = FOUND,
    unchecked: bool = False,
) -> Dane | None:
    """DANE of a domain with these TLSA answers by host; `plain` are questions without the AD bit."""
    made = [Answer(DOMAIN, RRType.NS, FOUND, ("ns.contoso.com",))]
    mx = Outcome.SERVFAIL if unchecked else FOUND
    made.append(Answer(DOMAIN, RRType.MX, mx, () if unchecked else ("10 mx",)))
    if unchecked:
        made[0] = Answer(DOMAIN, RRType.NS, Outcome.SERVFAIL)
    records = (DS,) if ds is FOUND else tuple(ds) if isinstance(ds, list) else ()
    made.append(Answer(DOMAIN, RRType.DS, FOUND if records else Outcome(str(ds)), records))
    for host, held in tlsa.items():
        name = f"_25._tcp.{host}"
        if isinstance(held, list):
            made.append(Answer(name, RRType.TLSA, FOUND, tuple(held)))
        elif held is not None:
            made.append(Answer(name, RRType.TLSA, held))
        if address is not None:
            made.append(Answer(host, RRType.A, address))
    survey = Survey(
        domain=DOMAIN,
        depth=Depth.FULL,
        answers={
            each.question: Answer(
                each.name,
                each.rrtype,
                each.outcome,
                each.records,
                authenticated=each.question not in plain,
            )
            for each in made
        },
        validated=validated,
        unchecked=Answer(DOMAIN, RRType.SOA, FOUND) if unchecked else None,
    )
    return read_dane(survey, list(tlsa), read_dnssec(survey))


MX1, MX2 = "mx1.contoso.net", "mx2.contoso.net"
TLSA1 = f"_25._tcp.{MX1} TLSA"


@pytest.mark.parametrize(
    ("options", "state", "codes"),
    [
        ({"tlsa": {MX1: [GOOD], MX2: [GOOD]}}, State.PRESENT, []),
        # IPv6 only is fine
        ({"tlsa": {MX1: [GOOD]}, "address": NODATA}, State.PRESENT, []),
        # one host without it lets everything through
        ({"tlsa": {MX1: [GOOD], MX2: NODATA}}, State.ABSENT, ["dane_host_without_tlsa"]),
        ({"tlsa": {MX1: [GOOD], MX2: Outcome.TIMEOUT}}, State.UNKNOWN, []),
        ({"tlsa": {MX1: [GOOD], MX2: None}}, State.UNKNOWN, []),
        ({"tlsa": {MX1: NXDOMAIN}}, State.ABSENT, []),
        ({"tlsa": {MX1: Outcome.SERVFAIL}}, State.UNKNOWN, []),
        ({"tlsa": {MX1: [GOOD]}, "address": Outcome.TIMEOUT}, State.UNKNOWN, []),
        ({"tlsa": {MX1: [GOOD]}, "address": None}, State.UNKNOWN, []),
        (
            {"tlsa": {MX1: [f"1 1 1 {DIGEST}"]}},
            State.ABSENT,
            ["dane_pkix_usage", "dane_no_usable_tlsa"],
        ),
        # who is not trusted proves nothing by an AD bit, and nothing by its lack
        ({"tlsa": {MX1: [GOOD]}, "validated": False}, State.UNKNOWN, []),
        (
            {"tlsa": {MX1: [GOOD]}, "validated": False, "ds": NODATA},
            State.ABSENT,
            ["dane_without_dnssec"],
        ),
        ({"tlsa": {MX1: NODATA}, "ds": NODATA}, State.ABSENT, []),
        ({"tlsa": {MX1: Outcome.TIMEOUT}, "ds": NODATA}, State.ABSENT, []),
        # the zone of the host, of the MX, of the TLSA: all have to be secure
        (
            {"tlsa": {MX1: [GOOD]}, "plain": frozenset({TLSA1})},
            State.ABSENT,
            ["dane_not_validated"],
        ),
        (
            {"tlsa": {MX1: [GOOD]}, "plain": frozenset({f"{MX1} A"})},
            State.ABSENT,
            ["dane_not_validated"],
        ),
        (
            {"tlsa": {MX1: [GOOD]}, "plain": frozenset({f"{DOMAIN} MX"})},
            State.ABSENT,
            ["dane_not_validated"],
        ),
        ({"tlsa": {MX1: [GOOD]}, "unchecked": True}, State.UNKNOWN, []),
    ],
)
def test_a_domain_is_ready_for_dane_in_three_states(
    options: dict[str, object], state: State, codes: list[str]
) -> None:
    found = dane(**options)  # type: ignore[arg-type]

    assert found is not None
    assert found.state is state
    assert [each.code for each in found.findings] == codes
    assert found.evidence


def test_who_was_not_asked_says_nothing() -> None:
    assert dane({MX1: None}) is None


@given(st.lists(st.text(max_size=30) | st.sampled_from([GOOD, "1 1 1 AB"])))
def test_any_text_can_be_read(texts: list[str]) -> None:
    found = parse_tlsa_set(MX1, texts)

    assert found.is_usable == any(each.fault is None for each in found.records)
