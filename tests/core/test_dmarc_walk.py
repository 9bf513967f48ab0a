"""The tree walk: who sets the policy for a name, and when nobody can say."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.answers import Answer, Outcome, RRType
from hunter.core.dmarc import Policy
from hunter.core.dmarc_walk import DmarcPosture, DmarcState, discover, walk_names

REJECT = "v=DMARC1; p=reject"
Zone = dict[str, str | Outcome | list[str]]


def _lookup(zone: Zone, *, asked_all: bool) -> Callable[[str, RRType], Answer | None]:
    def look(name: str, rrtype: RRType) -> Answer | None:
        held = zone.get(name)
        if held is None:
            return Answer(name, rrtype, Outcome.NXDOMAIN) if asked_all else None
        if isinstance(held, Outcome):
            return Answer(name, rrtype, held)
        records = (held,) if isinstance(held, str) else tuple(held)
        return Answer(name, rrtype, Outcome.FOUND, records)

    return look


def _discover(domain: str, zone: Zone, *, asked_all: bool = True) -> DmarcPosture:
    return discover(domain, _lookup(zone, asked_all=asked_all))


def _codes(posture: DmarcPosture) -> set[str]:
    return {finding.code for finding in posture.findings}


def test_a_walk_asks_at_most_eight_names() -> None:
    assert walk_names("contoso.com") == ["contoso.com", "com"]
    deep = "a.b.c.d.e.f.g.h.contoso.com"

    assert len(walk_names(deep)) == 8
    assert walk_names(deep)[:2] == [deep, "d.e.f.g.h.contoso.com"]


@pytest.mark.parametrize(
    ("domain", "holder", "org"),
    [
        ("a.b.c.d.e.f.g.h.i.example", "d.e.f.g.h.i.example", "c.d.e.f.g.h.i.example"),
        ("a.b.example", "example", "b.example"),
        ("b.example", "b.example", "b.example"),
    ],
)
def test_below_a_public_suffix_that_says_so_stands_the_organisation(
    domain: str, holder: str, org: str
) -> None:
    posture = _discover(domain, {f"_dmarc.{holder}": f"{REJECT}; psd=y"})

    assert (posture.org_domain, posture.policy_domain) == (org, holder)


def test_a_quick_scan_asks_one_question_and_its_silence_about_the_suffix_is_accepted() -> None:
    found = _discover("contoso.com", {"_dmarc.contoso.com": REJECT}, asked_all=False)
    absent = _discover("contoso.com", {"_dmarc.contoso.com": Outcome.NXDOMAIN}, asked_all=False)

    assert (found.state, found.policy, found.complete) == (DmarcState.FOUND, Policy.REJECT, False)
    assert (absent.state, absent.complete) == (DmarcState.ABSENT, False)


def test_a_parent_that_was_not_asked_leaves_a_subdomain_unknown() -> None:
    zone: Zone = {"_dmarc.mail.contoso.com": Outcome.NXDOMAIN}

    assert _discover("mail.contoso.com", zone, asked_all=False).state is DmarcState.UNKNOWN


def test_a_failure_above_leaves_the_own_record_valid() -> None:
    zone: Zone = {"_dmarc.contoso.com": REJECT, "_dmarc.com": Outcome.SERVFAIL}

    assert _discover("contoso.com", zone).state is DmarcState.FOUND


def test_several_records_are_all_discarded() -> None:
    posture = _discover("contoso.com", {"_dmarc.contoso.com": [REJECT, "v=DMARC1; p=none"]})

    assert posture.state is DmarcState.ABSENT
    assert _codes(posture) == {"dmarc_multiple_records"}


def test_a_hosted_record_that_is_gone_is_pointed_out() -> None:
    def look(name: str, rrtype: RRType) -> Answer:
        return Answer(name, rrtype, Outcome.NXDOMAIN, chain=("gone.vendor.net",))

    posture = discover("contoso.com", look)

    assert posture.state is DmarcState.ABSENT
    assert _codes(posture) == {"dmarc_dangling_cname"}


def test_a_record_that_only_looks_like_dmarc_is_pointed_out() -> None:
    posture = _discover("contoso.com", {"_dmarc.contoso.com": "p=reject; v=DMARC1"})

    assert posture.state is DmarcState.ABSENT
    assert _codes(posture) == {"dmarc_like_record_ignored"}


def test_a_record_at_the_name_itself_is_pointed_out() -> None:
    assert _codes(_discover("contoso.com", {"contoso.com": REJECT})) == {"dmarc_at_apex"}


def test_the_record_with_the_fewest_labels_is_the_organisation_s() -> None:
    zone: Zone = {
        "_dmarc.b.contoso.com": "v=DMARC1; p=none",
        "_dmarc.contoso.com": REJECT,
        "a.b.contoso.com": "x",
    }

    posture = _discover("a.b.contoso.com", zone)

    assert (posture.org_domain, posture.policy_domain) == ("contoso.com", "contoso.com")


def test_test_mode_is_shown_beside_the_declared_policy() -> None:
    posture = _discover("contoso.com", {"_dmarc.contoso.com": f"{REJECT}; t=y"})

    assert (posture.policy, posture.effective) == (Policy.REJECT, Policy.QUARANTINE)
    assert "dmarc_test_mode" in _codes(posture)


def test_the_older_reading_takes_the_registrable_domain_s_record() -> None:
    zone: Zone = {"_dmarc.contoso.com": f"{REJECT}; sp=quarantine; np=none; pct=20"}

    inherited = _discover("ghost.contoso.com", zone)
    own = _discover("contoso.com", zone)

    assert (inherited.policy, inherited.rfc7489_policy) == (Policy.NONE, Policy.QUARANTINE)
    assert (own.rfc7489_policy, own.rfc7489_pct) == (Policy.REJECT, 20)


def test_the_older_reading_of_nothing_is_nothing() -> None:
    assert _discover("com", {}).rfc7489_policy is None


@pytest.mark.parametrize(
    ("target", "consent", "warned"),
    [
        ("contoso.com", None, False),
        ("reports.contoso.com", None, False),
        ("fabrikam.net", Outcome.NXDOMAIN, True),
        ("fabrikam.net", "v=DMARC1", False),
        ("fabrikam.net", "hello", True),
        ("fabrikam.net", Outcome.TIMEOUT, False),
    ],
)
def test_reports_to_others_need_their_consent(
    target: str, consent: str | Outcome | None, warned: bool
) -> None:
    zone: Zone = {"_dmarc.contoso.com": f"{REJECT}; rua=mailto:x@{target},mailto:y@{target}"}
    if consent is not None:
        zone[f"contoso.com._report._dmarc.{target}"] = consent

    posture = _discover("contoso.com", zone)

    assert ("dmarc_rua_not_authorised" in _codes(posture)) is warned
    assert posture.policy is Policy.REJECT


def test_consent_nobody_asked_for_is_not_a_fault() -> None:
    zone: Zone = {
        "_dmarc.contoso.com": f"{REJECT}; rua=mailto:x@fabrikam.net,mailto:bad,https://h.net/"
    }

    assert _codes(_discover("contoso.com", zone, asked_all=False)) == {"dmarc_invalid_rua"}


def test_a_subdomain_s_reports_may_go_to_its_sister() -> None:
    zone: Zone = {"_dmarc.a.contoso.com": f"{REJECT}; psd=n; rua=mailto:x@b.contoso.com"}

    assert _codes(_discover("a.contoso.com", zone)) == set()


NAMES = st.sampled_from(["a.b.contoso.com", "b.contoso.com", "contoso.com", "com"])
RECORDS = st.sampled_from(
    [
        REJECT,
        "v=DMARC1; p=none; psd=y",
        "v=DMARC1; psd=n; p=none",
        "v=DMARC1",
        "hello",
        "v=DMARC1; p=x; rua=mailto:a@b.c",
    ]
)
HELD = RECORDS | st.sampled_from(list(Outcome)) | st.lists(RECORDS, max_size=2)


@given(NAMES, st.dictionaries(NAMES.map("_dmarc.{}".format) | NAMES, HELD), st.booleans())
def test_any_zone_can_be_walked(domain: str, zone: Zone, asked_all: bool) -> None:
    posture = _discover(domain, zone, asked_all=asked_all)

    assert (posture.state is DmarcState.FOUND) is (posture.policy is not None)
    assert len(posture.queries) <= 10
    assert domain == posture.org_domain or domain.endswith("." + posture.org_domain)
