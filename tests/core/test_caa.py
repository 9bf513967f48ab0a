"""CAA: who may issue, and where the governing set is found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.answers import Answer, Outcome, RRType
from hunter.core.caa import CaaRecord, find_caa, parse_caa
from hunter.core.judgement import State


def test_a_property_is_read_with_its_parameters() -> None:
    caa = parse_caa(['128 Issue "CA.example; accounturi=https://a/1; validationmethods=dns-01;"'])

    assert caa.records == (
        CaaRecord(
            critical=True,
            tag="issue",
            value="ca.example",
            parameters=(("accounturi", "https://a/1"), ("validationmethods", "dns-01")),
        ),
    )


@pytest.mark.parametrize(
    ("records", "tag", "issuers"),
    [
        (["0 issue letsencrypt.org", "0 issue pki.goog"], "issue", ("letsencrypt.org", "pki.goog")),
        (["0 issue ;"], "issue", ()),
        (["0 issue ;", "0 issue pki.goog"], "issue", ("pki.goog",)),
        (["0 iodef mailto:a@contoso.com"], "issue", None),
        (["0 issue pki.goog"], "issuewild", ("pki.goog",)),
        (["0 issue pki.goog", "0 issuewild ;"], "issuewild", ()),
        (["0 issue pki.goog"], "issuemail", None),
        (["0 issue pki.goog", "128 tbs x"], "issue", ()),
        (["0 issue pki.goog", "0 tbs x"], "issue", ("pki.goog",)),
        ([], "issuewild", None),
        # RFC 9495: mail certificates are a question of their own
        (["0 issue ;", "0 issuemail pki.goog"], "issuemail", ("pki.goog",)),
        (["0 issuemail ;"], "issuemail", ()),
        (["0 issuewild pki.goog"], "issue", None),
        # RFC 8659 section 4.2: what cannot be read allows nobody
        (['0 issue "%%%%%"'], "issue", ()),
        (['0 issue "ca.example; bare"'], "issue", ()),
        (['0 issue "ca_example"'], "issue", ()),
        (['0 issue "%%%%%"', "0 issue pki.goog"], "issue", ("pki.goog",)),
        (['0 issue ""'], "issue", ()),
        # a flag other than critical means nothing
        (["1 tbs x", "0 issue pki.goog"], "issue", ("pki.goog",)),
        (["129 tbs x", "0 issue pki.goog"], "issue", ()),
        (["128 issue pki.goog"], "issue", ("pki.goog",)),
        (["128 tbs x", "0 issuemail pki.goog"], "issuemail", ()),
    ],
)
def test_a_set_says_who_may_issue(
    records: list[str], tag: str, issuers: tuple[str, ...] | None
) -> None:
    assert parse_caa(records).issuers(tag) == issuers


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ("hello", "caa_unreadable"),
        ("256 issue x", "caa_unreadable"),
        ("128 tbs x", "caa_unknown_critical"),
        ('0 issuemail "a b"', "caa_malformed_issuer"),
        ('0 issue "a; b=c d"', "caa_malformed_issuer"),
    ],
)
def test_a_fault_is_named(record: str, code: str) -> None:
    assert [finding.code for finding in parse_caa([record]).findings] == [code]


@pytest.mark.parametrize(
    ("held", "state", "holder"),
    [
        ({}, State.ABSENT, ""),
        ({"contoso.com": Outcome.FOUND}, State.PRESENT, "contoso.com"),
        ({"www.contoso.com": Outcome.NODATA, "com": Outcome.FOUND}, State.PRESENT, "com"),
        ({"contoso.com": Outcome.SERVFAIL, "com": Outcome.FOUND}, State.UNKNOWN, ""),
        ({"contoso.com": None}, State.UNKNOWN, ""),
    ],
)
def test_the_parents_are_asked_until_a_set_is_found(
    held: dict[str, Outcome | None], state: State, holder: str
) -> None:
    def look(name: str, rrtype: RRType) -> Answer | None:
        outcome = held.get(name, Outcome.NODATA)
        return None if outcome is None else Answer(name, rrtype, outcome, ("0 issue pki.goog",))

    found = find_caa("www.contoso.com", look)

    assert (found.state, found.holder) == (state, holder)
    assert (found.caa is not None) is (state is State.PRESENT)


@given(st.text())
def test_any_record_can_be_parsed(text: str) -> None:
    caa = parse_caa([text, f"0 issue {text}"])

    assert len(caa.records) + len(caa.findings) >= 2
