"""What is kept of a domain between two scans, and the fingerprint of what it publishes."""

from __future__ import annotations

from typing import Any

import msgspec

from hunter.core.answers import Answer, Outcome, RRType
from hunter.core.history import fingerprint, next_history
from hunter.core.judge import judge
from hunter.core.judgement import NO_HISTORY, History, Segment, SignalDates
from hunter.core.tables import SuffixIndex
from tests.core.zones import (
    APPEARED,
    AS_OF,
    FILTER_MX,
    MICROSOFT_MX,
    NATRO_MX,
    OLD,
    OWN_MX,
    RECENT,
    RULES,
    TENANT,
    codes,
)


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
