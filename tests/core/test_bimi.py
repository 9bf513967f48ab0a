"""BIMI records, and the DMARC policy a logo needs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.answers import Answer, Outcome, RRType
from hunter.core.bimi import Bimi, dmarc_permits_bimi, parse_bimi, select_bimi
from hunter.core.dmarc_walk import discover

LOGO = "https://contoso.com/logo.svg"


def test_a_record_names_logo_and_certificate() -> None:
    record = parse_bimi(f"v=BIMI1; l={LOGO}; a=https://contoso.com/vmc.pem; avp=Personal")

    assert record == Bimi(
        valid=True, logo=LOGO, certificate="https://contoso.com/vmc.pem", preference="personal"
    )


def test_empty_addresses_decline_a_logo() -> None:
    assert parse_bimi("v=BIMI1; l=; a=;").declined


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("v=BIMI2; l=", "not_a_record"),
        ("v=BIMI1; l=http://contoso.com/logo.svg", "invalid_uri"),
        (f"v=BIMI1; l={LOGO}; a=vmc.pem", "invalid_uri"),
        (f"v=BIMI1; l={LOGO}; l={LOGO}", "duplicate_tag"),
        ("v=BIMI1; l=; a=https://contoso.com/vmc.pem", "certificate_without_logo"),
        ("v=BIMI1", "missing_logo"),
    ],
)
def test_a_broken_record_says_so(text: str, code: str) -> None:
    record = parse_bimi(text)

    assert not record.valid
    assert [finding.code for finding in record.findings] == [f"bimi_{code}"]


def test_exactly_one_record_counts() -> None:
    assert select_bimi(["v=spf1 -all"]) is None
    assert select_bimi(["x", f"v=BIMI1; l={LOGO}"]) == Bimi(valid=True, logo=LOGO)
    twice = select_bimi([f"v=BIMI1; l={LOGO}"] * 2)
    assert twice is not None
    assert not twice.valid


@pytest.mark.parametrize(
    ("tags", "permitted"),
    [
        ("p=reject", True),
        ("p=quarantine; sp=reject", True),
        ("p=none", False),
        ("p=reject; sp=none", False),
        ("p=reject; t=y", False),
        ("p=bogus", False),
        ("p=quarantine; pct=50", False),
        ("p=reject; pct=50", True),
        ("p=reject; sp=quarantine", True),
    ],
)
def test_a_logo_needs_an_enforced_policy(tags: str, permitted: bool) -> None:
    def look(name: str, rrtype: RRType) -> Answer:
        if name == "_dmarc.contoso.com":
            return Answer(name, rrtype, Outcome.FOUND, (f"v=DMARC1; {tags}",))
        return Answer(name, rrtype, Outcome.NXDOMAIN)

    assert dmarc_permits_bimi(discover("contoso.com", look)) is permitted


@pytest.mark.parametrize(
    ("organisation", "permitted"),
    [("p=reject", True), ("p=none", False), ("p=reject; sp=none", False), ("p=reject; t=y", False)],
)
def test_a_logo_of_a_subdomain_needs_its_organisation_enforced_too(
    organisation: str, permitted: bool
) -> None:
    def look(name: str, rrtype: RRType) -> Answer:
        tags = {"_dmarc.contoso.com": organisation, "_dmarc.mail.contoso.com": "p=reject"}.get(name)
        if tags is None:
            return Answer(name, rrtype, Outcome.NXDOMAIN)
        return Answer(name, rrtype, Outcome.FOUND, (f"v=DMARC1; {tags}",))

    assert dmarc_permits_bimi(discover("mail.contoso.com", look)) is permitted


@given(st.text())
def test_any_text_can_be_parsed(text: str) -> None:
    record = parse_bimi(f"v=BIMI1; {text}")

    assert record.valid is (record.findings == ())
    assert not parse_bimi(f"x{text}").valid
