"""The sales brief: what is told, in which order, and what is left out."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest

from hunter.core.advice import Language
from hunter.core.brief import Brief, brief
from hunter.core.brief_text import brief_lines
from hunter.core.judge import reason
from hunter.core.judgement import NO_HISTORY, History, Segment
from hunter.core.wording import Section
from hunter.knowledge.load import load_knowledge
from tests.core.zones import (
    AS_OF,
    AUTODISCOVER,
    DKIM_MICROSOFT,
    FILTER_MX,
    MICROSOFT_MX,
    NATRO_MX,
    TENANT,
)

KNOWLEDGE = load_knowledge()


@pytest.fixture
def told(make_survey: Any) -> Any:
    def run(
        zone: dict[str, Any], history: History = NO_HISTORY, as_of: dt.date = AS_OF, **how: Any
    ) -> Brief:
        domain = how.pop("domain", "contoso.com")
        why = reason(make_survey(zone, domain=domain), history, KNOWLEDGE.rules, as_of)
        return brief(why, how.pop("wording", KNOWLEDGE.wording), **how)

    return run


def codes(found: Brief, section: Section) -> list[str]:
    return [each.code for each in found.section(section)]


def test_microsoft_behind_a_filter_is_told_with_filter_and_tenant(told: Any) -> None:
    found = told(
        {
            "MX": FILTER_MX,
            "CNAME autodiscover": AUTODISCOVER,
            "TXT selector1._domainkey": DKIM_MICROSOFT,
        }
    )
    assert codes(found, Section.RUNS) == ["runs_microsoft", "runs_gateway", "runs_tenant_name"]
    assert found.runs[1].text == "Mimecast filters their incoming mail."
    assert found.runs[2].text == "Their Microsoft tenant is named contoso."
    assert [each.record for each in found.runs[1].evidence] == FILTER_MX


def test_turkish_brief_tells_the_same_sentences(told: Any) -> None:
    zone = {"MX": NATRO_MX, "TXT": [TENANT]}
    english, turkish = (told(zone, language=each) for each in Language)
    assert turkish.reason.text == (
        "E-posta Natro üzerinde ve bu alan adını bir Microsoft kiracısı sahiplenmiş: "
        "ne için kullanıldığını sorun. Önce bunu arayın."
    )
    for section in Section:
        assert codes(english, section) == codes(turkish, section)
    assert [line.points for line in english.lines] == [line.points for line in turkish.lines]
    assert turkish.lines[0].reason.startswith("E-posta Natro üzerinde")
    assert turkish.would_change != english.would_change


def test_enforced_policy_is_told_and_no_gap(told: Any) -> None:
    zone = {
        "MX": MICROSOFT_MX,
        "TXT": ["v=spf1 include:spf.protection.outlook.com -all"],
        "TXT _dmarc": ["v=DMARC1; p=reject"],
    }
    found = told(zone)
    assert "runs_protected" in codes(found, Section.RUNS)
    assert found.why_now == ()
    assert codes(found, Section.OFFER) == ["copilot"]


def test_products_at_work_and_accounts_are_two_sentences(told: Any) -> None:
    tokens = ["docusign=1", "atlassian-domain-verification=1"]
    found = told({"MX": NATRO_MX, "TXT": ["v=spf1 include:mail.zendesk.com -all", *tokens]})
    texts = {each.code: each.text for each in found.runs}
    assert texts["runs_products"] == "Also seen at work: Zendesk."
    assert "Atlassian Cloud and DocuSign" in texts["runs_accounts"]


def test_price_is_told_only_when_it_is_configured(told: Any) -> None:
    zone = {"MX": NATRO_MX}
    prices = {"microsoft365_start": {Language.EN: "From 6 a user a month.", Language.TR: "…"}}
    plain, priced = told(zone), told(zone, prices=prices)
    assert plain.offer[0].text == "Microsoft 365 with the move of the mailboxes."
    assert priced.offer[0].text == f"{plain.offer[0].text} From 6 a user a month."
    assert priced.offer[1:] == plain.offer[1:]


@pytest.mark.parametrize(
    ("zone", "domain", "segment"),
    [
        ({"MX": ["0 ."]}, "contoso.com", Segment.SKIP),
        ({"MX": NATRO_MX}, "contoso.gov.tr", Segment.SKIP),
        ({"MX": "timeout"}, "contoso.com", Segment.UNKNOWN),
    ],
)
def test_nothing_is_sold_where_there_is_no_lead(
    told: Any, zone: dict[str, Any], domain: str, segment: Segment
) -> None:
    found = told(zone, domain=domain)
    assert found.segment is segment
    assert found.reason is not None
    assert not (*found.why_now, *found.say, *found.ask, *found.offer)


def test_sentence_without_a_record_is_left_out(told: Any) -> None:
    found = told({"MX": ["5 gmail-smtp-in.l.google.com"]}, domain="gmail.com")
    assert found.reason is None  # the name itself says it, no record does


def test_lead_known_before_keeps_its_segment_in_words(told: Any) -> None:
    history = History(segment=Segment.MIGRATION, score=40)
    found = told({"MX": "timeout"}, history, language=Language.TR)
    assert found.segment is Segment.MIGRATION
    assert found.reason.text.startswith("Bu kez yanıt alınamadı")


def test_end_that_presses_no_longer_is_not_why_now(told: Any) -> None:
    zone = {
        "MX": ["10 inbound-smtp.eu-west-1.amazonaws.com"],
        "CNAME autodiscover": ["autodiscover.mail.eu-west-1.awsapps.com"],
    }
    near, far = (told(zone, as_of=dt.date(year, 3, 1)) for year in (2027, 2030))
    assert near.why_now[0].text == "Amazon WorkMail ends on 31 March 2027: they have to move."
    assert "why_product_end" not in codes(far, Section.WHY_NOW)


def test_rule_without_turkish_is_told_in_english(told: Any) -> None:
    bare = msgspec.structs.replace(KNOWLEDGE.wording.turkish, rules={}, verdicts={}, changes={})
    wording = msgspec.structs.replace(KNOWLEDGE.wording, turkish=bare)
    zone = {"MX": NATRO_MX}
    english, turkish = (told(zone, wording=wording, language=each) for each in Language)
    assert turkish.lines == english.lines
    assert turkish.would_change == english.would_change
    assert turkish.reason == english.reason


def test_section_tells_no_more_than_it_may(told: Any) -> None:
    most = dict.fromkeys(Section, 1)
    wording = msgspec.structs.replace(KNOWLEDGE.wording, most=most)
    found = told({"MX": NATRO_MX, "TXT": [TENANT]}, wording=wording)
    assert [len(found.section(each)) for each in Section] == [1, 1, 1, 1, 1]


def test_brief_is_read_from_top_to_bottom(told: Any) -> None:
    zone = {"MX": NATRO_MX, "TXT": [TENANT]}
    english, turkish = (
        [*brief_lines(told(zone, language=each), KNOWLEDGE.wording)] for each in Language
    )
    assert english[0] == "contoso.com: P1, migration, sure"
    assert english[1].endswith("Call first.")
    assert english[2:4] == ["", "What they run"]
    assert turkish[0] == "contoso.com: P1, geçiş, kesin"
    assert turkish[2:4] == ["", "Ne kullanıyorlar"]
    assert "What would change it" in english


def test_records_stand_under_their_sentences(told: Any) -> None:
    lines = [*brief_lines(told({"MX": ["0 ."]}), KNOWLEDGE.wording, records=True)]
    assert lines == [
        "contoso.com: P6, no lead, sure",
        "The domain states that it takes no mail (null MX): look for the name they really use.",
        "    contoso.com MX: 0 .",
    ]


def test_brief_without_a_sentence_is_its_first_line(told: Any) -> None:
    zone = {"MX": ["5 gmail-smtp-in.l.google.com"]}
    assert [*brief_lines(told(zone, domain="gmail.com"), KNOWLEDGE.wording)] == [
        "gmail.com: P6, no lead, sure"
    ]
    silent = [*brief_lines(told({"MX": "timeout"}), KNOWLEDGE.wording)]
    assert silent[0] == "contoso.com: P6, not known yet"


def test_what_would_change_begins_with_the_record_that_carries_most(told: Any) -> None:
    zone = {"MX": FILTER_MX, "CNAME autodiscover": AUTODISCOVER}
    english, turkish = (told(zone, language=each).would_change for each in Language)
    assert english[0].startswith(
        "Without the autodiscover record, Microsoft 365 would be unsure (0."
    )
    assert turkish[0].startswith(
        "Autodiscover kaydı olmasaydı sonuç şöyle olurdu: Microsoft 365, kesin değil (0,"
    )
    assert len(english) == len(turkish) > 1
