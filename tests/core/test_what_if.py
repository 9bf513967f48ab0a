"""What would change a judgement: each answer is a judgement of its own, never an estimate."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hunter.core.answers import Answer, Depth, Outcome, RRType, survey_of
from hunter.core.judge import judge, reason
from hunter.core.judgement import NO_HISTORY, Segment
from hunter.core.what_if import ALL, WhatIf, what_if
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
)


@pytest.fixture
def tried(make_survey: Any) -> Any:
    def run(zone: dict[str, Any]) -> tuple[WhatIf, ...]:
        survey = make_survey(zone)
        return what_if(survey, reason(survey, NO_HISTORY, RULES, AS_OF), None)

    return run


def test_record_that_carries_the_verdict_is_named_with_what_is_left(tried: Any) -> None:
    found = tried({"MX": NATRO_MX, "TXT": [TENANT]})
    (claim,) = [each for each in found if each.records == (TENANT,)]
    assert (claim.change, claim.question, claim.turns) == ("without", "contoso.com TXT", True)
    assert (claim.segment, claim.priority) == (Segment.MIGRATION, 2)
    assert claim.tenant_state == "no_microsoft"


def test_outcome_is_that_of_judging_the_changed_survey(make_survey: Any, tried: Any) -> None:
    found = tried({"MX": FILTER_MX, "TXT": [MICROSOFT_SPF], "CNAME autodiscover": AUTODISCOVER})
    (alias,) = [each for each in found if each.question.startswith("autodiscover")]
    judged = judge(make_survey({"MX": FILTER_MX, "TXT": [MICROSOFT_SPF]}), NO_HISTORY, RULES, AS_OF)
    assert (alias.score, alias.confidence, alias.tenant_state, alias.provider) == (
        judged.score,
        judged.confidence,
        judged.tenant_state,
        judged.provider,
    )


def test_hosts_of_one_operator_go_together(tried: Any) -> None:
    hosts = ["1 aspmx.l.google.com", "5 alt1.aspmx.l.google.com"]
    found = tried({"MX": [*hosts, *MICROSOFT_MX]})
    gone = [each.records for each in found if each.question == "contoso.com MX"]
    assert tuple(sorted(hosts)) in gone
    assert tuple(MICROSOFT_MX) in gone


def test_name_servers_that_park_a_name_go_together(tried: Any) -> None:
    servers = ["ns1.bodis.com", "ns2.bodis.com"]
    (found,) = [each for each in tried({"NS": servers}) if each.question == "contoso.com NS"]
    assert (found.records, found.segment) == (tuple(servers), Segment.COLD)


def test_alias_behind_an_answer_can_be_taken_out(tried: Any) -> None:
    found = tried({"MX": FILTER_MX, "TXT selector1._domainkey": DKIM_MICROSOFT})
    (key,) = [each for each in found if "_domainkey" in each.question]
    assert (key.change, key.segment) == ("without", Segment.COLD)


def test_strongest_record_is_told_when_none_turns_the_judgement(tried: Any) -> None:
    zone = {
        "MX": [*MICROSOFT_MX, "10 eu-smtp-inbound-1.mimecast.com"],
        "TXT": [MICROSOFT_SPF, TENANT],
        "CNAME autodiscover": AUTODISCOVER,
        "TXT selector1._domainkey": DKIM_MICROSOFT,
        "TXT _dmarc": ["v=DMARC1; p=reject"],
    }
    found = tried(zone)
    still = [each for each in found if not each.turns]
    turned = [each for each in found if each.turns and each.change == "without"]
    assert len(still) == (0 if turned else 1)


def test_unanswered_question_is_answered_either_way(tried: Any) -> None:
    zone = {"MX": FILTER_MX, "TXT": [MICROSOFT_SPF], "CNAME autodiscover": "timeout"}
    found = {each.change: each for each in tried(zone) if each.question.startswith("autodiscover")}
    assert found["absent"].tenant_state == "m365_mail_probable"
    assert found["with"].records == ("autodiscover.outlook.com",)
    assert found["with"].tenant_state == "m365_mail"


def test_several_unanswered_questions_are_answered_together_too(tried: Any) -> None:
    found = tried({"MX": FILTER_MX, "TXT": "timeout", "CNAME autodiscover": "timeout"})
    together = {each.change: each for each in found if each.question == ALL}
    assert together["absent"].segment is Segment.COLD
    assert together["with"].tenant_state == "m365_mail"


@pytest.mark.parametrize(
    ("question", "record"),
    [
        ("MX", "0 contoso-com.mail.protection.outlook.com"),
        ("TXT", TENANT),
    ],
)
def test_microsofts_answer_is_what_its_setup_asks_for(
    tried: Any, question: str, record: str
) -> None:
    zone = {"MX": NATRO_MX, "TXT": []} | {question: "timeout"}
    shown = [each.records for each in tried(zone) if each.change == "with"]
    assert any(record in records for records in shown)


def test_selector_nobody_answered_is_answered_with_microsofts_key(tried: Any) -> None:
    zone = {"MX": NATRO_MX, "TXT selector1._domainkey": "timeout"}
    (found,) = [each for each in tried(zone) if each.change == "with"]
    assert found.records == ("selector1-contoso-com._domainkey.tenant.onmicrosoft.com",)
    assert found.tenant_state == "tenant_without_mail"


def test_question_that_says_nothing_of_microsoft_is_only_answered_with_an_absence(
    tried: Any,
) -> None:
    found = tried({"MX": OWN_MX, "A mail": "timeout", "TXT google._domainkey": "timeout"})
    assert not any(
        each.change == "with" and each.question.startswith(("mail.", "google.")) for each in found
    )


def test_evidence_of_a_question_that_was_never_asked_takes_nothing_out() -> None:
    answers = [Answer("contoso.com", RRType.MX, Outcome.FOUND, ("10 mail.contoso.com",))]
    survey = survey_of("contoso.com", Depth.QUICK, answers)
    found = what_if(survey, reason(survey, NO_HISTORY, RULES, AS_OF), None)
    assert {each.change for each in found if each.question == ALL} == {"absent", "with"}
    assert all(each.question == ALL or each.question.endswith(" MX") for each in found)


def test_number_of_trials_is_bounded(make_survey: Any) -> None:
    texts = [f"v=spf1 include:spf{number}.hubspotemail.net -all" for number in range(100)]
    survey = make_survey({"MX": FILTER_MX, "TXT": texts})
    found = what_if(survey, reason(survey, NO_HISTORY, RULES, AS_OF), None)
    assert len(found) <= 33
    assert msgspec.json.encode(found)
