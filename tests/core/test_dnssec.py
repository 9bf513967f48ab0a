"""DNSSEC: what DS records, the AD bit and a second question without validation prove."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.answers import Answer, Depth, Outcome, RRType, Survey
from hunter.core.dnssec import DnssecState, Ds, parse_ds, read_dnssec

SHA256 = "AB" * 32
GOOD = f"12345 13 2 {SHA256}"
DOMAIN = "contoso.com"


def survey(
    ds: Outcome | list[str] | None,
    own: Outcome | bool = False,
    *,
    validated: bool = False,
    unchecked: Outcome | None = None,
    is_zone: bool = True,
) -> Survey:
    """A survey with this DS; `own` is the AD bit of the domain's own answers, or how they failed."""
    answers = []
    if isinstance(ds, list):
        answers.append(Answer(DOMAIN, RRType.DS, Outcome.FOUND, tuple(ds)))
    elif ds is not None:
        answers.append(Answer(DOMAIN, RRType.DS, ds))
    if isinstance(own, Outcome):
        answers += [Answer(DOMAIN, kind, own) for kind in (RRType.MX, RRType.TXT, RRType.NS)]
    else:
        records = {RRType.MX: ("10 mx.contoso.com",), RRType.NS: ("ns1.contoso.com",)}
        for kind in (RRType.MX, RRType.NS) if is_zone else (RRType.MX,):
            answers.append(Answer(DOMAIN, kind, Outcome.FOUND, records[kind], authenticated=own))
    again = None if unchecked is None else Answer(DOMAIN, RRType.SOA, unchecked)
    return Survey(
        domain=DOMAIN,
        depth=Depth.FULL,
        answers={each.question: each for each in answers},
        validated=validated,
        unchecked=again,
    )


@pytest.mark.parametrize(
    ("text", "ds"),
    [
        (GOOD, Ds(12345, 13, 2, SHA256)),
        (f" {GOOD.lower()} ", Ds(12345, 13, 2, SHA256)),
        ("1 8 1 AB", Ds(1, 8, 1, "AB")),
        ("65536 8 2 AB", None),
        ("1 256 2 AB", None),
        ("1 8 256 AB", None),
        ("1 8 2 ABC", None),
        ("1 8 2 ", None),
        ("", None),
    ],
)
def test_a_ds_record_is_read(text: str, ds: Ds | None) -> None:
    assert parse_ds(text) == ds


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        # without a DS record nothing is signed, where the name is a zone of its own
        (survey(Outcome.NODATA), DnssecState.INSECURE),
        (survey(Outcome.NODATA, is_zone=False), DnssecState.UNKNOWN),
        # nobody answered, nobody asked
        (survey(Outcome.TIMEOUT), DnssecState.UNKNOWN),
        (survey(Outcome.SERVFAIL, own=True, validated=True), DnssecState.UNKNOWN),
        (survey(None), DnssecState.UNKNOWN),
        # the AD bit counts from a resolver we trust only
        (survey([GOOD], own=True), DnssecState.SIGNED),
        (survey([GOOD], own=True, validated=True), DnssecState.SECURE),
        (survey([GOOD], own=False, validated=True), DnssecState.SIGNED),
        (survey([GOOD], Outcome.TIMEOUT, validated=True), DnssecState.SIGNED),
        # bogus: SERVFAIL that CD=1 makes go away
        (survey([GOOD], Outcome.SERVFAIL, unchecked=Outcome.FOUND), DnssecState.BOGUS),
        (survey([GOOD], Outcome.SERVFAIL, unchecked=Outcome.SERVFAIL), DnssecState.SIGNED),
        (survey([GOOD], Outcome.SERVFAIL), DnssecState.SIGNED),
        (survey([GOOD], Outcome.TIMEOUT, unchecked=Outcome.FOUND), DnssecState.SIGNED),
        # algorithms that no validator supports leave the zone unsigned
        ([f"1 3 2 {SHA256}"], DnssecState.INSECURE),
        ([f"1 12 2 {SHA256}", GOOD], DnssecState.SIGNED),
    ],
)
def test_a_survey_shows_whether_the_domain_is_signed(
    seen: Survey | list[str], state: DnssecState
) -> None:
    found = read_dnssec(seen if isinstance(seen, Survey) else survey(seen))

    assert found.state is state


@pytest.mark.parametrize(
    ("records", "codes"),
    [
        ([GOOD], []),
        ([f"1 16 4 {'AB' * 48}"], []),
        ([f"1 8 2 {SHA256}"], []),
        ([f"1 5 2 {SHA256}"], ["dnssec_weak_algorithm"]),
        ([f"1 7 2 {SHA256}", GOOD], ["dnssec_weak_algorithm"]),
        ([f"1 6 2 {SHA256}"], ["dnssec_dead_algorithm"]),
        ([f"1 13 1 {'AB' * 20}"], ["dnssec_weak_digest"]),
        ([f"1 13 1 {'AB' * 20}", GOOD], []),
        ([f"1 13 3 {SHA256}"], ["dnssec_weak_digest"]),
        (["1 13 2 ABCD"], ["dnssec_unreadable_ds"]),
        (["bogus"], ["dnssec_unreadable_ds"]),
        # a digest type of the future is nobody's fault
        (["1 13 200 ABCD"], []),
    ],
)
def test_weak_signatures_are_told(records: list[str], codes: list[str]) -> None:
    assert [each.code for each in read_dnssec(survey(records)).findings] == codes


def test_what_is_broken_or_missing_is_told_with_its_evidence() -> None:
    bogus = read_dnssec(survey([GOOD], Outcome.SERVFAIL, unchecked=Outcome.FOUND))
    unsigned = read_dnssec(survey(Outcome.NODATA))

    assert [each.code for each in bogus.findings] == ["dnssec_bogus"]
    assert bogus.evidence[-1].question == "contoso.com SOA with CD=1"
    assert [each.code for each in unsigned.findings] == ["dnssec_unsigned"]
    assert unsigned.evidence[0].outcome == "nodata"


def test_silence_gives_no_finding() -> None:
    assert read_dnssec(survey(Outcome.TIMEOUT)).findings == ()


@given(st.lists(st.text(max_size=40) | st.just(GOOD)))
def test_any_text_can_be_read(texts: list[str]) -> None:
    found = read_dnssec(survey(texts))

    assert found == read_dnssec(survey(texts[::-1]))
