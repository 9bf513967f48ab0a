"""Dated events: only what a proved absence, or an announced end, makes one."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest

from hunter.core.judge import judge
from hunter.core.judgement import NO_HISTORY, SignalDates
from hunter.core.registration import Registration, RegistrationState
from tests.core.zones import (
    APPEARED,
    AS_OF,
    FILTER_MX,
    MICROSOFT_MX,
    MICROSOFT_SPF,
    NATRO_MX,
    OLD,
    OWN_MX,
    RECENT,
    RULES,
    TENANT,
    codes,
    seen,
)


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


def registered(expires: dt.date | None, observed_at: str = "2026-11-20T08:00:00Z") -> Registration:
    return Registration(
        domain="contoso.com",
        state=RegistrationState.REGISTERED,
        registrar="Fabrikam Registrar",
        expires=expires,
        source="rdap",
        server="rdap.example.net",
        observed_at=observed_at,
    )


@pytest.mark.parametrize(
    ("days", "worth"), [(0, 8), (21, 4), (42, 2), (89, 0), (91, 0), (400, 0), (-100, 0)]
)
def test_end_of_the_registration_presses_when_it_is_near(
    make_survey: Any, days: int, worth: int
) -> None:
    ends = registered(AS_OF + dt.timedelta(days), "2026-11-23T08:00:00Z")
    found = judge(make_survey({"MX": NATRO_MX}), NO_HISTORY, RULES, AS_OF, ends)
    assert found.urgency == worth
    if worth:
        (line,) = (each for each in found.lines if each.code == "expires_soon")
        assert "Fabrikam Registrar" in line.reason
        assert line.evidence[0].question == "contoso.com RDAP"


def test_registration_that_ended_since_it_was_seen_may_be_renewed(make_survey: Any) -> None:
    yesterday = AS_OF - dt.timedelta(1)
    survey = make_survey({"MX": NATRO_MX})
    before = judge(survey, NO_HISTORY, RULES, AS_OF, registered(yesterday))
    assert "expires_soon" not in codes(before)
    after = judge(survey, NO_HISTORY, RULES, AS_OF, registered(yesterday, "2026-11-23T08:00:00Z"))
    assert "expires_soon" in codes(after)


@pytest.mark.parametrize(
    "silence",
    [
        registered(None),
        registered(AS_OF, "long ago"),
        msgspec.structs.replace(registered(AS_OF), state=RegistrationState.UNKNOWN),
    ],
)
def test_registration_that_is_not_known_makes_no_event(
    make_survey: Any, silence: Registration
) -> None:
    survey = make_survey({"MX": NATRO_MX})
    assert judge(survey, NO_HISTORY, RULES, AS_OF, silence) == judge(
        survey, NO_HISTORY, RULES, AS_OF
    )
