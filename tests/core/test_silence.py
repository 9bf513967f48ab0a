"""What nobody answered: no claim, no denial, no loss of what was known."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hunter.core.answers import Depth, Outcome, Survey
from hunter.core.history import next_history
from hunter.core.judge import judge
from hunter.core.judgement import NO_HISTORY, History, ScanStatus, Segment, State
from hunter.core.products import SERVICE_NAMES
from tests.core.zones import (
    AS_OF,
    DKIM_MICROSOFT,
    FILTER_MX,
    MICROSOFT_MX,
    NATRO_MX,
    OWN_MX,
    RULES,
    TENANT,
    codes,
)


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


def test_record_of_a_tenant_earns_nothing_while_nobody_says_where_mail_goes(judged: Any) -> None:
    entra = {
        "TXT": ["MS=ms12345678"],
        "CNAME enterpriseregistration": ["enterpriseregistration.windows.net"],
    }
    assert judged({"MX": "timeout", **entra}).lines == ()
    assert "existing_microsoft_paid" not in codes(judged({"MX": NATRO_MX, **entra}))


def test_silent_selector_that_could_decide_leaves_the_verdict_open(judged: Any) -> None:
    found = judged({"MX": FILTER_MX, "TXT selector1._domainkey": "timeout"})
    assert (found.confidence, found.provider, found.segment) == (None, None, Segment.UNKNOWN)
    assert found.scan_status is ScanStatus.UNKNOWN


def test_lead_once_known_keeps_its_segment(judged: Any) -> None:
    history = History(segment=Segment.MIGRATION, score=40)
    found = judged({"MX": "timeout"}, history)
    assert found.segment is Segment.MIGRATION
    assert found.segment_is_kept
    assert found.reason.startswith("Not answered this time")
    assert found.priority == 5
    assert not judged({"MX": NATRO_MX}, history).segment_is_kept


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


@pytest.mark.parametrize("label", SERVICE_NAMES)
def test_a_silent_portal_makes_no_lead_to_call_first(judged: Any, label: str) -> None:
    zone = {"MX": NATRO_MX, "TXT": [TENANT]}
    full = judged(zone)
    part = judged(zone | {f"CNAME {label}": "servfail"})
    assert (full.priority, full.scan_status) == (1, ScanStatus.OK)
    assert (part.priority, part.scan_status) == (3, ScanStatus.UNKNOWN)
    assert (part.segment, part.score) == (full.segment, full.score)
    assert any("Dynamics" in each for each in part.would_change)


def test_a_silent_portal_changes_nothing_of_a_customer(judged: Any) -> None:
    zone = {"MX": MICROSOFT_MX}
    full = judged(zone)
    part = judged(zone | {"CNAME portal": "servfail"})
    assert (part.priority, part.scan_status) == (full.priority, full.scan_status)
