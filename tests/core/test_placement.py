"""Where the mailboxes are: every state, every segment, and the evidence for it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hunter.core.answers import Answer, Depth, Outcome, RRType, Survey
from hunter.core.facts import Rules
from hunter.core.judge import judge, reason
from hunter.core.judgement import NO_HISTORY, History, ScanStatus, Segment
from tests.core.zones import (
    AS_OF,
    AUTODISCOVER,
    DKIM_MICROSOFT,
    FILTER_MX,
    MICROSOFT_MX,
    MICROSOFT_SPF,
    NATRO_MX,
    OWN_MX,
    RULES,
    TENANT,
    codes,
)


@pytest.mark.parametrize(
    ("zone", "state", "mail", "segment", "priority"),
    [
        ({"MX": MICROSOFT_MX}, "m365_mail", "mail", Segment.EXISTING, 3),
        ({"MX": NATRO_MX}, "no_microsoft", "mail", Segment.MIGRATION, 2),
        ({"MX": NATRO_MX, "TXT": [TENANT]}, "tenant_without_mail", "mail", Segment.MIGRATION, 1),
        ({"MX": OWN_MX}, "no_microsoft", "mail", Segment.MIGRATION, 2),
        ({"MX": OWN_MX, "TXT": [TENANT]}, "tenant_without_mail", "mail", Segment.MIGRATION, 1),
        ({"MX": ["5 mx.zoho.eu"]}, "no_microsoft", "mail", Segment.MIGRATION, 2),
        ({"MX": ["5 ex1.serverdata.net"]}, "no_microsoft", "mail", Segment.MIGRATION, 2),
        ({"MX": ["5 mx.stranger.net"]}, "no_microsoft", "mail", Segment.MIGRATION, 2),
        ({"MX": FILTER_MX}, "unknown", "mail", Segment.COLD, 5),
        ({"MX": ["1 mx1.improvmx.com"]}, "no_microsoft", "forwarding", Segment.COLD, 5),
        ({"MX": ["1 mxa.mailgun.org"]}, "no_microsoft", "forwarding", Segment.COLD, 5),
        ({}, "no_microsoft", "no_mail_likely", Segment.COLD, 5),
        ({"MX": ["10 192.0.2.1"]}, "unknown", "unknown", Segment.COLD, 5),
        ({"MX": ["0 ."]}, "no_microsoft", "no_mail", Segment.SKIP, 6),
        ({"MX": "nxdomain"}, "unknown", "domain_missing", Segment.SKIP, 6),
        ({"MX": ["10 park-mx.above.com"]}, "no_microsoft", "parked", Segment.SKIP, 6),
        ({"MX": ["10 x.cscdns.net"]}, "no_microsoft", "parked", Segment.SKIP, 6),
        ({"MX": ["10 mx0.hotmail.com"]}, "no_microsoft", "consumer", Segment.SKIP, 6),
        ({"MX": ["10 mail.muhtar.gov.tr"]}, "no_microsoft", "mail", Segment.COLD, 5),
        ({"MX": "timeout"}, "unknown", "unknown", Segment.UNKNOWN, 6),
        (
            {"MX": ["1 smtp.google.com", *MICROSOFT_MX]},
            "migrating_in",
            "mail",
            Segment.EXISTING,
            3,
        ),
        (
            {"MX": ["0 smtp.google.com", *MICROSOFT_MX]},
            "migrating_in",
            "mail",
            Segment.MIGRATION,
            1,
        ),
        ({"MX": ["1 smtp.google.com", *NATRO_MX]}, "no_microsoft", "mail", Segment.MIGRATION, 2),
    ],
)
def test_state_segment_and_priority(
    judged: Any, zone: dict[str, Any], state: str, mail: str, *, segment: Segment, priority: int
) -> None:
    found = judged(zone)
    got = (found.tenant_state, found.mail_state, found.segment, found.priority)
    assert got == (state, mail, segment, priority)


def test_null_mx_domain_is_not_a_lead(judged: Any) -> None:
    found = judged({"MX": ["0 ."]})
    assert "takes no mail" in found.reason
    assert found.confidence == 0.99


def test_free_mail_domain_is_not_a_company(judged: Any) -> None:
    found = judged({"MX": ["5 gmail-smtp-in.l.google.com"]}, domain="gmail.com")
    assert found.segment is Segment.SKIP
    assert found.reason.startswith("Gmail.com belongs to")


def test_mail_hosts_that_do_not_exist_are_a_faulty_record(judged: Any) -> None:
    full = {"depth": Depth.FULL}
    found = judged({"MX": OWN_MX, "A mail": [], "AAAA mail": []}, **full)
    assert (found.segment, found.priority) == (Segment.COLD, 5)
    assert "its hosts are missing" in found.reason
    two = [*OWN_MX, "20 mail2.contoso.com"]
    half = judged({"MX": two, "A mail": "nxdomain", "A mail2": ["192.0.2.1"]}, **full)
    assert half.provider == "self_hosted"


def test_own_host_that_does_not_exist_is_told_at_quick_depth_too(judged: Any) -> None:
    found = judged({"MX": OWN_MX, "A mail": "nxdomain"})
    assert (found.provider, found.reason_code) == (None, "faulty")
    no_ipv4 = judged({"MX": OWN_MX, "A mail": "nodata"})
    assert no_ipv4.provider == "self_hosted"
    one_more = judged({"MX": [*OWN_MX, "20 mail2.contoso.com"], "A mail": "nxdomain"})
    assert one_more.provider == "self_hosted"


@pytest.mark.parametrize(
    ("target", "operator", "reason"),
    [
        ("→ eu-smtp-inbound-1.mimecast.com", "mimecast", "gateway_unseen"),
        ("→ mx1.improvmx.com", "improvmx", "forwarded"),
    ],
)
def test_filter_or_forwarder_behind_an_own_host_name_is_who_receives(
    judged: Any, target: str, operator: str, reason: str
) -> None:
    found = judged({"MX": OWN_MX, "A mail": [target, "192.0.2.1"]})
    assert (found.mx_operator, found.provider, found.reason_code) == (operator, None, reason)
    proofs = [each.record for each in found.lines[0].evidence]
    assert {"10 mail.contoso.com", target.removeprefix("→ ")} <= set(proofs)
    ipv6 = judged({"MX": OWN_MX, "AAAA mail": [target, "2001:db8::1"]})
    assert ipv6.mx_operator == operator


def test_alias_that_a_failure_cut_short_leaves_the_verdict_open(make_survey: Any) -> None:
    survey = make_survey({"MX": OWN_MX})
    cut = Answer("mail.contoso.com", RRType.A, Outcome.TIMEOUT, chain=("host.fabrikam.net",))
    answers = {**survey.answers, cut.question: cut}
    found = judge(msgspec.structs.replace(survey, answers=answers), NO_HISTORY, RULES, AS_OF)
    assert (found.provider, found.segment) == (None, Segment.UNKNOWN)


def test_an_own_mail_host_nobody_answered_for_is_asked_again(judged: Any) -> None:
    found = judged({"MX": OWN_MX, "A mail": "timeout"})
    assert found.segment is Segment.UNKNOWN
    assert found.scan_status is ScanStatus.UNKNOWN


def test_name_with_an_address_and_no_mx_may_still_take_mail(judged: Any) -> None:
    assert "RFC 5321 section 5.1" in judged({"A": ["192.0.2.1"]}).reason


def test_own_name_claims_no_own_server(judged: Any) -> None:
    found = judged({"MX": OWN_MX})
    assert "their own server or a hosting package; ask which" in found.reason


@pytest.mark.parametrize("domain", ["ornek.bel.tr", "okul.k12.tr", "stadt.gv.at", "agency.gov"])
def test_public_body_is_left_out_by_its_name(judged: Any, domain: str) -> None:
    found = judged({"MX": ["10 mail.stranger.net"]}, domain=domain)
    assert (found.segment, found.priority) == (Segment.SKIP, 6)
    assert "government opt-out" in found.reason


@pytest.mark.parametrize("host", ["park-mx.above.com", "mx0.hotmail.com"])
def test_names_that_nobody_sells_to_earn_no_posture(judged: Any, host: str) -> None:
    assert judged({"MX": [f"10 {host}"]}).score == 0


@pytest.mark.parametrize(
    ("zone", "provider", "state"),
    [
        ({"CNAME autodiscover": AUTODISCOVER}, "microsoft365", "m365_mail"),
        ({"TXT selector1._domainkey": DKIM_MICROSOFT}, "microsoft365", "m365_mail"),
        ({"TXT": [MICROSOFT_SPF]}, "microsoft365", "m365_mail_probable"),
        ({"TXT": [TENANT]}, None, "tenant_without_mail"),
        ({"TXT": [TENANT, "v=spf1 include:%{ir}.spf.has.pphosted.com -all"]}, None, "unknown"),
        (
            {"CNAME autodiscover": ["autodiscover.emailsrvr.com"]},
            "rackspace_email",
            "no_microsoft",
        ),
        (
            {"A autodiscover": ["192.0.2.9"], "TXT": ["v=spf1 ip4:192.0.2.9 -all"]},
            "onprem_exchange",
            "no_microsoft",
        ),
    ],
)
def test_platform_behind_a_filter_is_inferred(
    judged: Any, zone: dict[str, Any], provider: str | None, state: str
) -> None:
    found = judged({"MX": FILTER_MX, **zone})
    assert (found.gateway, found.mx_operator) == ("mimecast", "mimecast")
    assert (found.provider, found.tenant_state) == (provider, state)


def test_filter_in_front_of_a_visible_microsoft_mx_is_certain(judged: Any) -> None:
    found = judged({"MX": [*FILTER_MX, "20 contoso-com.mail.protection.outlook.com"]})
    assert (found.provider, found.gateway, found.confidence_word) == (
        "microsoft365",
        "mimecast",
        "sure",
    )


def test_own_server_with_autodiscover_and_spf_is_probably_microsoft(judged: Any) -> None:
    found = judged({"MX": OWN_MX, "TXT": [MICROSOFT_SPF], "CNAME autodiscover": AUTODISCOVER})
    assert found.tenant_state == "m365_mail_probable"
    assert any("Without" in each for each in found.would_change)


def test_signature_add_on_speaks_for_microsoft_behind_a_filter(judged: Any) -> None:
    spf = "v=spf1 include:spf.protection.outlook.com include:spf.exclaimer.net -all"
    plain, with_addon = (
        judged({"MX": FILTER_MX, "TXT": [text]}).confidence for text in (MICROSOFT_SPF, spf)
    )
    assert with_addon > plain


def test_exchange_federation_on_an_own_server_is_exchange(judged: Any) -> None:
    found = judged({"MX": OWN_MX, "TXT": [f"{'A' * 86}=="]})
    assert found.provider == "onprem_exchange"
    assert "mail_exchange_onprem" in codes(found)


def test_unverified_operator_is_a_hint(judged: Any) -> None:
    found = judged({"MX": ["10 mx.markum.net"]})
    assert found.provider == "markum"
    assert (found.confidence, found.confidence_word) == (0.75, "likely")
    assert found.priority == 2


def test_unverified_suite_named_by_other_records_stays_off_the_call_list(make_survey: Any) -> None:
    providers = dict(RULES.providers)
    providers["rackspace_email"] = msgspec.structs.replace(
        providers["rackspace_email"], verified="no"
    )
    rules = msgspec.structs.replace(RULES, providers=providers)
    zone = {"MX": FILTER_MX, "CNAME autodiscover": ["autodiscover.emailsrvr.com"]}
    found = judge(make_survey(zone), NO_HISTORY, rules, AS_OF)
    assert (found.provider, found.confidence, found.priority) == ("rackspace_email", 0.5, 5)


@pytest.mark.parametrize(
    ("records", "told"),
    [
        ([], "there is no record"),
        (["v=DMARC1; p=none"], "the policy is none"),
        (["v=DMARC1; p=none", "v=DMARC1; p=reject"], "several records"),
        (["v=DMARC1; p=rejct"], "the record is faulty"),
        (["v=dmarc1 p=reject"], "the record is faulty"),
        (["v=DMARC1; p=quarantine; t=y"], "it is in test mode"),
    ],
)
def test_dmarc_is_told_as_it_is(judged: Any, records: list[str], told: str) -> None:
    found = judged({"MX": NATRO_MX, "TXT _dmarc": records})
    (line,) = [each for each in found.lines if each.code == "dmarc_not_enforced"]
    assert told in line.reason


def test_dmarc_in_force_is_no_gap(judged: Any) -> None:
    for policy in ("reject", "quarantine"):
        found = judged({"MX": NATRO_MX, "TXT _dmarc": [f"v=DMARC1; p={policy}"]})
        assert "dmarc_not_enforced" not in codes(found)


def test_spf_left_over_is_told_without_claiming_mail(judged: Any) -> None:
    found = judged({"MX": NATRO_MX, "TXT": [MICROSOFT_SPF]})
    assert (found.tenant_state, found.provider) == ("no_microsoft", "natro")
    assert "spf_names_microsoft" in codes(found)


def test_mail_host_that_is_an_alias_is_followed(judged: Any) -> None:
    zone = {"MX": OWN_MX, "A mail": ["→ aspmx.l.google.com", "192.0.2.1"]}
    found = judged(zone)
    assert (found.mx_operator, found.provider) == ("self_hosted", "google_workspace")
    assert "mx_cname" in {each.code for each in found.findings}
    elsewhere = judged({"MX": OWN_MX, "A mail": ["→ host.example.net", "192.0.2.1"]})
    assert elsewhere.provider == "self_hosted"


def on_the_edge(survey: Survey, above: float) -> Rules:
    """The rules, with the suite of this survey named from just below or above its probability."""
    guess = reason(survey, NO_HISTORY, RULES, AS_OF).case.place.guess
    assert guess is not None
    model = msgspec.structs.replace(RULES.identity, name_from=guess.best - above)
    return msgspec.structs.replace(RULES, identity=model)


@pytest.mark.parametrize(("above", "is_kept"), [(0.04, True), (-0.04, True), (0.06, False)])
def test_segment_moves_only_when_the_model_has_made_up_its_mind(
    make_survey: Any, above: float, is_kept: bool
) -> None:
    survey = make_survey({"MX": FILTER_MX, "TXT": [MICROSOFT_SPF]})
    rules = on_the_edge(survey, above)
    first = judge(survey, NO_HISTORY, rules, AS_OF)
    before = Segment.MIGRATION if is_kept else first.segment
    found = judge(survey, History(segment=Segment.MIGRATION, score=30), rules, AS_OF)
    assert (found.segment, found.segment_is_kept) == (before, is_kept)
    assert found.lines == first.lines
    assert found.reason.startswith("Too close to call") is is_kept


def test_what_a_record_proves_moves_the_segment_at_once(judged: Any) -> None:
    history = History(segment=Segment.MIGRATION, score=30)
    assert judged({"MX": ["0 ."]}, history).segment is Segment.SKIP
    assert judged({"MX": MICROSOFT_MX}, history).segment is Segment.EXISTING
