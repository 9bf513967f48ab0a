"""A survey judged: every state, every segment, and what must hold for all of them."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.answers import Answer, Depth, Outcome, RRType, Survey
from hunter.core.history import fingerprint, next_history
from hunter.core.judge import judge
from hunter.core.judgement import (
    NO_HISTORY,
    History,
    Judgement,
    ScanStatus,
    Segment,
    SignalDates,
    State,
)
from hunter.core.tables import SuffixIndex
from hunter.knowledge.load import load_knowledge

RULES = load_knowledge().rules
AS_OF = dt.date(2026, 11, 23)
OLD = dt.date(2026, 9, 1)
RECENT = dt.date(2026, 11, 3)

MICROSOFT_MX = ["0 contoso-com.mail.protection.outlook.com"]
NATRO_MX = ["10 mx-in01.natrohost.com"]
OWN_MX = ["10 mail.contoso.com"]
FILTER_MX = ["10 eu-smtp-inbound-1.mimecast.com"]
MICROSOFT_SPF = "v=spf1 include:spf.protection.outlook.com -all"
TENANT = "MS=ms12345678"
AUTODISCOVER = ["autodiscover.outlook.com"]
DKIM_MICROSOFT = ["→ selector1-contoso-com._domainkey.contoso.onmicrosoft.com"]


@pytest.fixture
def judged(make_survey: Any) -> Any:
    def run(zone: dict[str, Any], history: History = NO_HISTORY, **options: Any) -> Judgement:
        return judge(make_survey(zone, **options), history, RULES, AS_OF)

    return run


def codes(judgement: Judgement) -> set[str]:
    return {line.code for line in judgement.lines}


def seen(**dates: SignalDates) -> History:
    return History(seen={name.replace("__", ":"): each for name, each in dates.items()})


APPEARED = SignalDates(first_absent=OLD, first_present=RECENT, last_present=RECENT)


# segments and states


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


def test_reason_of_a_tenant_without_mail_can_be_read_aloud(judged: Any) -> None:
    found = judged({"MX": NATRO_MX, "TXT": [TENANT]})
    assert found.reason == (
        "Mail at Natro, and a Microsoft tenant has claimed this domain: "
        "ask what it is used for. Call first."
    )
    assert found.provider == "natro"
    assert found.local_provider is True


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


def test_domain_proved_by_mx_has_a_tenant(judged: Any) -> None:
    found = judged({"MX": ["32767 ms12345678.msv1.invalid"]})
    assert (found.tenant_state, found.mail_state) == ("tenant_without_mail", "no_mail_likely")


def test_tenant_is_named_by_its_dkim_records(judged: Any) -> None:
    assert judged({"MX": NATRO_MX, "TXT selector1._domainkey": DKIM_MICROSOFT}).tenant_name == (
        "contoso"
    )


def test_tenant_bought_through_godaddy_is_told(judged: Any) -> None:
    assert "reseller_tenant" in codes(judged({"MX": MICROSOFT_MX, "TXT": ["NETORGFT123456"]}))


def test_label_of_another_domain_is_a_finding(judged: Any) -> None:
    found = judged({"MX": ["0 fabrikam-com.mail.protection.outlook.com"]})
    (finding,) = [each for each in found.findings if each.code == "eop_label_mismatch"]
    assert "fabrikam.com" in finding.message
    for host in ("contoso-com.mail.protection.outlook.com", "contoso.mail.protection.outlook.com"):
        codes_here = {each.code for each in judged({"MX": [f"0 {host}"]}).findings}
        assert "eop_label_mismatch" not in codes_here


# silence


@pytest.mark.parametrize("question", ["MX", "TXT", "CNAME autodiscover"])
def test_unanswered_deciding_question_gives_no_number(judged: Any, question: str) -> None:
    found = judged({"MX": FILTER_MX, question: "servfail"})
    assert found.confidence is None
    assert found.confidence_word == "unknown"
    assert found.segment is Segment.UNKNOWN
    assert found.scan_status is ScanStatus.UNKNOWN
    assert found.tenant_state == "unknown"


def test_deciding_question_that_was_not_asked_gives_no_number(make_survey: Any) -> None:
    survey = make_survey({"MX": FILTER_MX})
    del survey.answers["contoso.com TXT"]
    del survey.answers["autodiscover.contoso.com CNAME"]
    found = judge(survey, NO_HISTORY, RULES, AS_OF)
    assert (found.confidence, found.spf.state) == (None, State.UNKNOWN)


def test_empty_survey_is_unknown(make_survey: Any) -> None:
    survey = Survey("contoso.com", Depth.QUICK, {})
    found = judge(survey, NO_HISTORY, RULES, AS_OF)
    assert (found.segment, found.scan_status, found.score) == (
        Segment.UNKNOWN,
        ScanStatus.UNKNOWN,
        0,
    )
    assert found.mx.state is State.UNKNOWN
    assert found.posture is None
    assert found.dmarc_policy == "unknown"


@pytest.mark.parametrize(
    "question",
    ["TXT", "CNAME autodiscover", "CNAME enterpriseregistration", "TXT selector1._domainkey"],
)
def test_tenant_nobody_answered_about_is_neither_claimed_nor_denied(
    judged: Any, question: str
) -> None:
    found = judged({"MX": NATRO_MX, question: "timeout"})
    assert (found.segment, found.scan_status) == (Segment.MIGRATION, ScanStatus.UNKNOWN)
    assert found.tenant_state == "unknown"
    assert "whether they have a Microsoft tenant was not answered" in found.reason
    assert any("about a Microsoft tenant" in each for each in found.would_change)


SILENCE_ZONES = {
    "hosting": NATRO_MX,
    "own": OWN_MX,
    "filter": FILTER_MX,
    "rival": ["5 mx.zoho.eu"],
    "hosted_exchange": ["5 ex1.serverdata.net"],
    "stranger": ["5 mx.stranger.net"],
    "forwarded": ["1 mx1.improvmx.com"],
    "application": ["1 mxa.mailgun.org"],
    "mixed": ["1 smtp.google.com", *NATRO_MX],
    "none": [],
    "microsoft": MICROSOFT_MX,
}


@pytest.mark.parametrize("mx", SILENCE_ZONES.values(), ids=SILENCE_ZONES)
def test_one_silence_neither_denies_a_tenant_nor_cools_a_lead(
    make_survey: Any, mx: list[str]
) -> None:
    tenant = {
        "TXT": [TENANT],
        "CNAME enterpriseregistration": ["enterpriseregistration.windows.net"],
        "TXT selector1._domainkey": DKIM_MICROSOFT,
    }
    for trace in ("", *tenant):
        shown = {trace: tenant[trace]} if trace else {}
        survey = make_survey({"MX": mx, **{each: [] for each in tenant}, **shown})
        full = judge(survey, NO_HISTORY, RULES, AS_OF)
        for question, answer in survey.answers.items():
            silent = msgspec.structs.replace(answer, outcome=Outcome.TIMEOUT, records=(), chain=())
            answers = {**survey.answers, question: silent}
            found = judge(
                msgspec.structs.replace(survey, answers=answers), NO_HISTORY, RULES, AS_OF
            )
            if found.tenant_state == "unknown":
                assert "no Microsoft" not in found.reason
                assert "nothing points to Microsoft" not in found.reason
                assert "no sign of Microsoft" not in found.reason
            if found.segment in {Segment.COLD, Segment.SKIP}:
                assert full.segment is found.segment, question
            if full.priority == 1 and question != "contoso.com MX":
                assert found.priority < 5 or found.segment is Segment.UNKNOWN, question


def test_silent_selector_that_could_decide_leaves_the_verdict_open(judged: Any) -> None:
    found = judged({"MX": FILTER_MX, "TXT selector1._domainkey": "timeout"})
    assert (found.confidence, found.provider, found.segment) == (None, None, Segment.UNKNOWN)


def test_lead_once_known_keeps_its_segment(judged: Any) -> None:
    history = History(segment=Segment.MIGRATION, score=40)
    found = judged({"MX": "timeout"}, history)
    assert found.segment is Segment.MIGRATION
    assert found.reason.startswith("Not answered this time")
    assert found.priority == 5


def test_stale_answer_is_used_and_told(make_survey: Any) -> None:
    survey = make_survey({"MX": NATRO_MX})
    old = msgspec.structs.replace(
        survey.answers["contoso.com MX"], stale_since="2026-11-01T00:00:00Z"
    )
    survey.answers["contoso.com MX"] = old
    found = judge(survey, NO_HISTORY, RULES, AS_OF)
    assert (found.segment, found.scan_status) == (Segment.MIGRATION, ScanStatus.UNKNOWN)
    assert found.mx.stale_since == "2026-11-01T00:00:00Z"
    assert next_history(NO_HISTORY, found, AS_OF).seen.keys() & {"mx:natrohost.com"} == set()


# DKIM and signals


def test_dkim_absent_is_said_only_where_nothing_can_be(judged: Any) -> None:
    unknown = judged({"MX": NATRO_MX, "TXT selector1._domainkey": []})
    assert unknown.dkim.state is State.UNKNOWN
    absent = judged({"MX": NATRO_MX, "TXT _domainkey": "nxdomain"})
    assert absent.dkim.state is State.ABSENT


def test_wildcard_is_no_evidence(judged: Any) -> None:
    wild = ["→ hosting.zendesk.com", "anything"]
    found = judged(
        {
            "MX": OWN_MX,
            "TXT *._domainkey": wild,
            "TXT selector1._domainkey": wild,
            "TXT google._domainkey": [],
        }
    )
    assert found.products == ()
    assert found.dkim.state is State.UNKNOWN


def test_service_record_counts_as_autodiscover(judged: Any) -> None:
    zone = {"MX": FILTER_MX, "SRV _autodiscover._tcp": ["0 0 443 autodiscover.outlook.com"]}
    found = judged(zone)
    assert found.signals["autodiscover_microsoft"].state is State.PRESENT
    assert found.provider == "microsoft365"


def test_half_of_a_signal_unanswered_leaves_it_open(judged: Any) -> None:
    found = judged({"MX": NATRO_MX, "SRV _autodiscover._tcp": "timeout"})
    assert found.signals["autodiscover_microsoft"].state is State.UNKNOWN


def test_records_at_labels_are_signals(judged: Any) -> None:
    found = judged({"MX": NATRO_MX, "TXT _mta-sts": ["v=STSv1; id=1"], "TXT _smtp._tls": ["x"]})
    assert found.signals["mta_sts"].state is State.PRESENT
    assert found.signals["tls_rpt"].state is State.ABSENT


def test_name_servers_are_a_signal_and_a_trace(judged: Any) -> None:
    hosts = ["ns-1.awsdns-01.org", "ana.ns.cloudflare.com", "ns1.natrohost.com"]
    found = judged({"MX": NATRO_MX, "NS": hosts})
    assert "cloudflare" in {each.id for each in found.products}
    assert "aws_route53" in {each.id for each in found.products}
    assert found.signals["ns"].state is State.PRESENT


def test_old_skype_records_are_one_signal(judged: Any) -> None:
    both = judged({"MX": NATRO_MX, "CNAME sip": [], "CNAME lyncdiscover": []})
    assert both.signals["sip_microsoft"].state is State.ABSENT
    one = judged(
        {"MX": NATRO_MX, "CNAME sip": [], "CNAME lyncdiscover": ["webdir.online.lync.com"]}
    )
    assert one.signals["sip_microsoft"].state is State.PRESENT
    assert one.tenant_state == "tenant_without_mail"


def test_silent_selector_of_a_sending_service_says_nothing_of_mailboxes(judged: Any) -> None:
    found = judged({"MX": FILTER_MX, "TXT k1._domainkey": "timeout"})
    assert found.confidence is not None


def test_key_without_a_row_in_the_table_is_a_key_all_the_same(judged: Any) -> None:
    key = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    found = judged({"MX": NATRO_MX, "TXT made-up._domainkey": [key]})
    assert (found.dkim.state, found.dkim.value) == (State.PRESENT, "made-up")


KEY = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="


def test_key_at_a_selector_called_after_its_operator_names_it(judged: Any) -> None:
    zone = {"MX": FILTER_MX, "TXT": ["v=spf1 include:_spf.google.com ~all"]}
    named = judged({**zone, "TXT google._domainkey": [KEY]})
    assert (named.provider, named.tenant_state) == ("google_workspace", "no_microsoft")
    assert named.signals["dkim_google"].state is State.PRESENT


@pytest.mark.parametrize("selector", ["s1", "1522905413783", "selector1", "mail"])
def test_key_at_any_other_selector_names_nobody(judged: Any, selector: str) -> None:
    assert judged({"MX": FILTER_MX, f"TXT {selector}._domainkey": [KEY]}).provider is None


def test_old_host_names_of_microsoft_have_no_label(judged: Any) -> None:
    found = judged({"MX": ["10 mail.contoso.frontbridge.com"]})
    assert found.provider == "microsoft365"
    assert "eop_label_mismatch" not in {each.code for each in found.findings}


def test_mail_host_that_is_no_alias_stays_with_its_owner(judged: Any) -> None:
    assert judged({"MX": OWN_MX, "A mail": ["192.0.2.1"]}).provider == "self_hosted"


def test_hidden_senders_are_neither_yes_nor_no(judged: Any) -> None:
    found = judged({"MX": NATRO_MX, "TXT": ["v=spf1 include:%{d}.spf.example.net -all"]})
    assert found.signals["spf_microsoft"].state is State.UNKNOWN


def test_autodiscover_address_that_nobody_gave_is_open(judged: Any) -> None:
    found = judged({"MX": FILTER_MX, "A autodiscover": "timeout"})
    assert found.signals["autodiscover_own"].state is State.UNKNOWN
    assert found.confidence is None or found.confidence <= 0.5


# products


def test_products_make_lines_with_their_records(judged: Any) -> None:
    zone = {
        "MX": MICROSOFT_MX,
        "TXT": ["hubspot-domain-verification=a", "v=spf1 include:_spf.salesforce.com ~all"],
    }
    found = judged(zone)
    (line,) = [each for each in found.lines if each.code == "crm_rival"]
    assert "HubSpot and Salesforce" in line.reason
    assert len(line.evidence) == 2


def test_many_products_show_a_company_that_buys_software(judged: Any) -> None:
    tokens = [
        "docusign=1",
        "zoom_verify_x",
        "slack-domain-verification=",
        "asana=1",
        "miro-verification=",
    ]
    assert "software_breadth" in codes(judged({"MX": NATRO_MX, "TXT": tokens}))


# dated events


def test_new_tenant_is_a_migration_under_way(judged: Any) -> None:
    found = judged({"MX": NATRO_MX, "TXT": [TENANT]}, seen(txt_ms=APPEARED))
    assert found.tenant_state == "migrating_in"
    assert "tenant_appeared" in codes(found)
    assert "20 days ago" in found.reason
    assert found.priority == 1


def test_tenant_seen_on_the_first_scan_is_no_event(judged: Any) -> None:
    first = SignalDates(first_present=RECENT, last_present=RECENT)
    found = judged({"MX": NATRO_MX, "TXT": [TENANT]}, seen(txt_ms=first))
    assert (found.tenant_state, found.urgency) == ("tenant_without_mail", 0)


def test_tenant_that_came_long_ago_is_no_migration_under_way(judged: Any) -> None:
    old = SignalDates(first_absent=dt.date(2026, 1, 1), first_present=dt.date(2026, 2, 1))
    found = judged({"MX": NATRO_MX, "TXT": [TENANT]}, seen(txt_ms=old))
    assert found.tenant_state == "tenant_without_mail"


def test_presence_before_the_absence_is_no_appearance(judged: Any) -> None:
    gone = SignalDates(first_absent=RECENT, first_present=OLD)
    found = judged({"MX": NATRO_MX, "TXT": [TENANT]}, seen(txt_ms=gone))
    assert "tenant_appeared" not in codes(found)


def test_lost_microsoft_customer_is_a_win_back(judged: Any) -> None:
    was = SignalDates(first_present=OLD, last_present=RECENT)
    found = judged({"MX": NATRO_MX, "TXT": [MICROSOFT_SPF]}, seen(mx_microsoft=was))
    assert found.tenant_state == "migrating_out"
    assert "microsoft_lost" in codes(found)
    assert "win them back" in found.reason
    gone = judged({"MX": NATRO_MX}, seen(mx_microsoft=was))
    assert gone.tenant_state == "no_microsoft"


def test_move_of_mail_dns_and_filter_are_dated(judged: Any) -> None:
    history = seen(
        **{"mx__natrohost.com": APPEARED},
        ns__cloudflare=SignalDates(),
        **{"ns__example.net": APPEARED},
        gateway__mimecast=SignalDates(first_present=OLD, last_present=RECENT),
        gateway__retired=SignalDates(first_present=OLD, last_present=RECENT),
    )
    assert {"mx_moved", "dns_host_moved", "gateway_gone"} <= codes(
        judged({"MX": NATRO_MX}, history)
    )


def test_microsoft_first_with_an_old_server_behind_is_a_customer_to_clean_up(judged: Any) -> None:
    zone = {"MX": [*MICROSOFT_MX, "10 mail.contoso.com"]}
    found = judged(zone)
    if found.tenant_state == "migrating_in":
        assert "clean-up" in found.reason
    mixed = judged({"MX": [*MICROSOFT_MX, "10 mx-in01.natrohost.com"]})
    assert (mixed.segment, mixed.tenant_state) == (Segment.EXISTING, "migrating_in")
    assert "clean-up" in mixed.reason


def test_move_between_two_systems_is_under_way_only_with_a_date(judged: Any) -> None:
    zone = {"MX": ["1 smtp.google.com", "10 contoso-com.mail.protection.outlook.com"]}
    assert "ask which way" in judged(zone).reason
    dated = judged(zone, seen(mx__mixed=APPEARED))
    assert "Since 20 days" in dated.reason
    assert "under way" in dated.reason


def test_tenant_in_use_ranks_above_a_claim(judged: Any) -> None:
    claim = judged({"MX": NATRO_MX, "TXT": [TENANT]})
    entra = {"CNAME enterpriseregistration": ["enterpriseregistration.windows.net"]}
    used = judged({"MX": NATRO_MX, "TXT": [TENANT], **entra})
    assert used.fit > claim.fit
    assert "a Microsoft tenant is set up" in used.reason
    assert "moving" not in claim.reason + used.reason
    dated = judged({"MX": NATRO_MX, "TXT": [TENANT]}, seen(txt_ms=APPEARED))
    assert "somebody there is moving" in dated.reason


def test_claim_on_a_name_without_mail_is_not_called_first(judged: Any) -> None:
    found = judged({"TXT": [TENANT]})
    assert (found.tenant_state, found.priority) == ("tenant_without_mail", 5)
    entra = {"CNAME enterpriseregistration": ["enterpriseregistration.windows.net"]}
    assert judged(entra).priority == 1


def test_record_that_proves_the_tenant_earns_nothing_as_a_product(judged: Any) -> None:
    entra = {"CNAME enterpriseregistration": ["enterpriseregistration.windows.net"]}
    assert "existing_microsoft_paid" not in codes(judged({"MX": NATRO_MX, **entra}))
    assert "existing_microsoft_paid" in codes(judged({"MX": MICROSOFT_MX, **entra}))


def test_mail_hosts_that_do_not_exist_are_a_faulty_record(judged: Any) -> None:
    full = {"depth": Depth.FULL}
    found = judged({"MX": OWN_MX, "A mail": [], "AAAA mail": []}, **full)
    assert (found.segment, found.priority) == (Segment.COLD, 5)
    assert "its hosts are missing" in found.reason
    two = [*OWN_MX, "20 mail2.contoso.com"]
    half = judged({"MX": two, "A mail": "nxdomain", "A mail2": ["192.0.2.1"]}, **full)
    assert half.provider == "self_hosted"


def test_quick_depth_leaves_the_verdict_on_missing_hosts_to_full_depth(judged: Any) -> None:
    found = judged({"MX": OWN_MX, "A mail": "nxdomain"})
    assert (found.provider, found.segment) == ("self_hosted", Segment.MIGRATION)
    assert found.tenant_state == "no_microsoft"


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


def test_parked_name_servers_park_a_name_without_mail(judged: Any) -> None:
    servers = ["ns1.sedoparking.com", "ns2.sedoparking.com"]
    found = judged({"NS": servers})
    assert (found.mail_state, found.segment) == ("parked", Segment.SKIP)
    assert judged({"NS": servers, "MX": NATRO_MX}).segment is Segment.MIGRATION
    assert judged({"NS": [*servers, "ns1.example.net"]}).mail_state == "no_mail_likely"


@pytest.mark.parametrize("host", ["park-mx.above.com", "mx0.hotmail.com"])
def test_names_that_nobody_sells_to_earn_no_posture(judged: Any, host: str) -> None:
    assert judged({"MX": [f"10 {host}"]}).score == 0


@pytest.mark.parametrize(
    ("token", "told"),
    [
        ("hubspot-domain-verification=a", "HubSpot"),
        ("NETORGFT123456", "GoDaddy"),
    ],
)
def test_existing_customer_is_told_what_to_talk_about(judged: Any, token: str, told: str) -> None:
    found = judged({"MX": MICROSOFT_MX, "TXT": [token]})
    assert (found.segment, found.priority) == (Segment.EXISTING, 3)
    assert told in found.reason


def test_mixed_mail_is_dated(judged: Any) -> None:
    zone = {"MX": ["1 smtp.google.com", *MICROSOFT_MX]}
    assert "mixed_since" in codes(judged(zone, seen(mx__mixed=APPEARED)))
    assert "mixed_since" not in codes(judged(zone))


def test_filter_still_there_is_not_gone(judged: Any) -> None:
    was = SignalDates(first_present=OLD, last_present=RECENT)
    assert "gateway_gone" not in codes(judged({"MX": FILTER_MX}, seen(gateway__mimecast=was)))


def test_name_servers_unknown_give_no_event(judged: Any, make_survey: Any) -> None:
    survey = make_survey({"MX": NATRO_MX})
    del survey.answers["contoso.com NS"]
    assert judge(survey, NO_HISTORY, RULES, AS_OF).urgency == 0


def test_support_that_ended_is_told_in_the_past_and_for_whom(make_survey: Any) -> None:
    survey = make_survey({"MX": OWN_MX, "TXT": [f"{'A' * 86}=="]})
    (past,) = [
        each for each in judge(survey, NO_HISTORY, RULES, AS_OF).lines if each.code == "product_end"
    ]
    assert past.reason == (
        "Support for Exchange Server 2016 and 2019 ended on 2025-10-14; "
        "if theirs is one of these, they have to move."
    )
    before = judge(survey, NO_HISTORY, RULES, dt.date(2025, 9, 1))
    assert any("2019 ends on 2025-10-14" in each.reason for each in before.lines)


def test_end_that_presses_most_is_told_with_the_record_of_its_product(judged: Any) -> None:
    zone = {
        "MX": ["10 inbound-smtp.eu-west-1.amazonaws.com"],
        "CNAME autodiscover": ["autodiscover.mail.eu-west-1.awsapps.com"],
        "TXT": ["workplace-domain-verification=abc"],
    }
    (line,) = [each for each in judged(zone).lines if each.code == "product_end"]
    assert "WorkMail ends on 2027-03-31" in line.reason
    assert all("TXT" not in each.question for each in line.evidence)


def test_announced_end_of_a_product_is_urgent(judged: Any) -> None:
    zone = {
        "MX": ["10 inbound-smtp.eu-west-1.amazonaws.com"],
        "CNAME autodiscover": ["autodiscover.mail.eu-west-1.awsapps.com"],
    }
    found = judged(zone)
    (line,) = [each for each in found.lines if each.code == "product_end"]
    assert "2027-03-31" in line.reason


def test_silence_makes_no_event(judged: Any) -> None:
    assert judged({"MX": "timeout"}, seen(txt_ms=APPEARED)).urgency == 0


# history


def test_history_remembers_absence_then_presence(judged: Any) -> None:
    first = next_history(NO_HISTORY, judged({"MX": NATRO_MX}), OLD)
    assert first.seen["txt_ms"] == SignalDates(first_absent=OLD)
    assert first.seen["mx:natrohost.com"].first_absent is None
    assert (first.segment, first.provider) == (Segment.MIGRATION, "natro")
    second = next_history(first, judged({"MX": NATRO_MX, "TXT": [TENANT]}), RECENT)
    assert second.seen["txt_ms"] == APPEARED
    third = next_history(second, judged({"MX": NATRO_MX}), AS_OF)
    assert third.seen["txt_ms"] == SignalDates(AS_OF, None, RECENT)
    assert next_history(third, judged({"MX": NATRO_MX}), AS_OF).seen["txt_ms"].first_absent == AS_OF


def test_new_operator_was_absent_while_another_was_there(judged: Any) -> None:
    first = next_history(NO_HISTORY, judged({"MX": NATRO_MX}), OLD)
    second = next_history(first, judged({"MX": MICROSOFT_MX}), RECENT)
    assert second.seen["mx:microsoft365"] == APPEARED
    assert second.seen["mx:natrohost.com"] == SignalDates(RECENT, None, OLD)
    assert second.seen["mx_microsoft"] == APPEARED


def test_unanswered_scan_changes_no_date(judged: Any) -> None:
    before = History(seen={}, segment=Segment.MIGRATION, score=30, provider="natro")
    nothing = dict.fromkeys(("MX", "TXT", "NS", "TXT _dmarc"), "timeout")
    rest = dict.fromkeys(("CNAME autodiscover", "CNAME enterpriseregistration"), "timeout")
    assert next_history(before, judged(nothing | rest, before), AS_OF) == before


def test_new_row_in_the_provider_table_is_no_move_of_mail(judged: Any, make_survey: Any) -> None:
    mx = ["10 mx1.stranger.net"]
    first = next_history(NO_HISTORY, judged({"MX": mx}), OLD)
    named = msgspec.structs.replace(RULES, mx=SuffixIndex({"stranger.net": "natro"}))
    found = judge(make_survey({"MX": mx}), first, named, AS_OF)
    assert found.mx_operator == "natro"
    second = next_history(first, found, AS_OF)
    assert "mx_moved" not in codes(judge(make_survey({"MX": mx}), second, named, AS_OF))


def test_filter_is_remembered_by_itself(judged: Any) -> None:
    first = next_history(NO_HISTORY, judged({"MX": FILTER_MX}), OLD)
    second = next_history(first, judged({"MX": NATRO_MX}), RECENT)
    assert second.seen["gateway:mimecast"] == SignalDates(RECENT, None, OLD)
    assert "gateway_gone" in codes(judged({"MX": NATRO_MX}, second))


def test_microsofts_new_host_names_are_no_move(judged: Any) -> None:
    first = next_history(NO_HISTORY, judged({"MX": MICROSOFT_MX}), OLD)
    second = next_history(first, judged({"MX": ["0 contoso-com.a-v1.mx.microsoft"]}), RECENT)
    assert second.seen["mx:microsoft365"] == SignalDates(None, OLD, RECENT)


def test_domain_without_mail_is_remembered(judged: Any) -> None:
    assert "mx:none" in next_history(NO_HISTORY, judged({}), OLD).seen


# properties

ZONES: list[dict[str, Any]] = [
    {"MX": mx, "TXT": txt, "CNAME autodiscover": auto, "TXT selector1._domainkey": dkim}
    for mx in (MICROSOFT_MX, NATRO_MX, OWN_MX, FILTER_MX, ["5 mx.zoho.eu"], ["1 mx.stranger.net"])
    for txt in (
        [],
        [TENANT],
        [MICROSOFT_SPF],
        [TENANT, MICROSOFT_SPF, "docusign=1", "slack-domain-verification="],
    )
    for auto in ([], AUTODISCOVER)
    for dkim in ([], DKIM_MICROSOFT)
]
histories = st.sampled_from(
    [NO_HISTORY, seen(txt_ms=APPEARED), seen(mx_microsoft=SignalDates(OLD, OLD, RECENT))]
)
silences = st.sampled_from([Outcome.TIMEOUT, Outcome.SERVFAIL, Outcome.REFUSED, Outcome.BUDGET])


def silenced(survey: Survey, question: str, outcome: Outcome) -> Survey:
    answers = dict(survey.answers)
    old = answers[question]
    answers[question] = Answer(old.name, old.rrtype, outcome)
    return msgspec.structs.replace(survey, answers=answers)


@given(st.sampled_from(ZONES), histories, st.data(), silences)
def test_silence_earns_nothing_adds_no_line_and_never_raises_confidence(
    make_survey: Any, zone: dict[str, Any], history: History, data: st.DataObject, outcome: Outcome
) -> None:
    """Turning answers into silence only takes lines away whose evidence is gone."""
    survey = make_survey(zone)
    before = judge(survey, history, RULES, AS_OF)
    quieter = survey
    for question in data.draw(st.sets(st.sampled_from(sorted(survey.answers)), min_size=1)):
        quieter = silenced(quieter, question, outcome)
    after = judge(quieter, history, RULES, AS_OF)
    assert after.score <= before.score
    if after.confidence is not None:
        assert before.confidence is not None
        assert after.confidence <= before.confidence
    for line in after.lines:
        assert any(
            Outcome(each.outcome).is_known for each in line.evidence if each.outcome != "not_asked"
        )


@given(st.sampled_from(ZONES), histories)
def test_no_line_without_evidence_and_the_lines_add_up(
    make_survey: Any, zone: dict[str, Any], history: History
) -> None:
    found = judge(make_survey(zone), history, RULES, AS_OF)
    assert 0 <= found.score <= 100
    assert found.score == sum(line.points for line in found.lines) == found.fit + found.urgency
    assert all(line.evidence for line in found.lines)
    assert "{" not in found.reason
    assert found.reason.endswith(".")
    assert found.reason.endswith("Call first.") is (found.priority == 1)


def test_judgement_that_no_row_of_the_priority_table_fits_is_called_last(make_survey: Any) -> None:
    rules = msgspec.structs.replace(RULES, priorities=())
    assert judge(make_survey({"MX": NATRO_MX}), NO_HISTORY, rules, AS_OF).priority == 6


@given(st.sampled_from(ZONES), st.integers(0, 2**16))
def test_order_of_records_and_answers_never_matters(
    make_survey: Any, zone: dict[str, Any], seed: int
) -> None:
    survey = make_survey({**zone, "NS": ["ns1.example.net", "ns2.natrohost.com"]})
    dice = random.Random(seed)
    questions = dice.sample(sorted(survey.answers), len(survey.answers))
    shuffled = {
        name: msgspec.structs.replace(
            survey.answers[name],
            records=tuple(
                dice.sample(survey.answers[name].records, len(survey.answers[name].records))
            ),
        )
        for name in questions
    }
    other = msgspec.structs.replace(survey, answers=shuffled)
    assert judge(other, NO_HISTORY, RULES, AS_OF) == judge(survey, NO_HISTORY, RULES, AS_OF)


@given(st.sampled_from(ZONES))
def test_publishing_p_none_never_scores_below_publishing_nothing(
    make_survey: Any, zone: dict[str, Any]
) -> None:
    nothing, none = (
        judge(make_survey({**zone, "TXT _dmarc": records}), NO_HISTORY, RULES, AS_OF).score
        for records in ([], ["v=DMARC1; p=none"])
    )
    assert none >= nothing


@given(st.sampled_from(ZONES), histories)
def test_same_input_gives_the_same_judgement(
    make_survey: Any, zone: dict[str, Any], history: History
) -> None:
    survey = make_survey(zone)
    assert judge(survey, history, RULES, AS_OF) == judge(survey, history, RULES, AS_OF)


_records = st.lists(st.text(max_size=40), max_size=4).map(tuple)


@given(
    st.dictionaries(
        st.sampled_from(["", "_dmarc", "autodiscover", "selector1._domainkey", "sip", "_mta-sts"]),
        st.tuples(
            st.sampled_from(list(RRType)), st.sampled_from(list(Outcome)), _records, _records
        ),
    )
)
def test_judging_never_raises_whatever_dns_says(
    answers: dict[str, tuple[RRType, Outcome, tuple[str, ...], tuple[str, ...]]],
) -> None:
    found = {}
    for label, (rrtype, outcome, records, chain) in answers.items():
        name = f"{label}.contoso.com" if label else "contoso.com"
        kept = records if outcome is Outcome.FOUND else ()
        each = Answer(
            name,
            rrtype,
            Outcome.NODATA if outcome is Outcome.FOUND and not kept else outcome,
            kept,
            chain,
        )
        found[each.question] = each
    judged_one = judge(Survey("contoso.com", Depth.FULL, found), NO_HISTORY, RULES, AS_OF)
    assert judged_one.score == sum(line.points for line in judged_one.lines)


# fingerprint


def test_fingerprint_ignores_order_ttl_addresses_and_silence(make_survey: Any) -> None:
    survey = make_survey({"MX": ["10 a.contoso.com", "20 b.contoso.com"], "A": ["192.0.2.1"]})
    answers = dict(survey.answers)
    mx = answers["contoso.com MX"]
    answers["contoso.com MX"] = msgspec.structs.replace(mx, records=mx.records[::-1], ttl=5)
    answers["contoso.com A"] = Answer("contoso.com", RRType.A, Outcome.FOUND, ("192.0.2.7",))
    answers["sip.contoso.com CNAME"] = Answer("sip.contoso.com", RRType.CNAME, Outcome.TIMEOUT)
    answers["_spf.example.net TXT"] = Answer("_spf.example.net", RRType.TXT, Outcome.FOUND, ("x",))
    other = msgspec.structs.replace(survey, answers=answers)
    assert fingerprint(other) == fingerprint(survey)


def test_fingerprint_changes_with_what_is_published(make_survey: Any) -> None:
    answers: list[Any] = [OWN_MX, NATRO_MX, [], "nxdomain"]
    assert len({fingerprint(make_survey({"MX": said})) for said in answers}) == 4
