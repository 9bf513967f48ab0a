"""A survey judged: lines, reasons, and what must hold for all of them."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.answers import Answer, Depth, Outcome, RRType, Survey
from hunter.core.judge import judge
from hunter.core.judgement import (
    MAX_EVIDENCE,
    MAX_RECORD,
    NO_HISTORY,
    Evidence,
    History,
    Segment,
    SignalDates,
)
from tests.core.zones import (
    APPEARED,
    AS_OF,
    AUTODISCOVER,
    DKIM_MICROSOFT,
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


def test_fingerprint_that_is_known_from_before_makes_the_same_judgement(make_survey: Any) -> None:
    survey = make_survey({"MX": NATRO_MX, "TXT": [TENANT]})
    found = judge(survey, NO_HISTORY, RULES, AS_OF)
    assert judge(survey, NO_HISTORY, RULES, AS_OF, known_fingerprint=found.fingerprint) == found
    assert (
        judge(survey, NO_HISTORY, RULES, AS_OF, known_fingerprint="a" * 32).fingerprint == "a" * 32
    )


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


def test_hostile_domain_is_quoted_in_part(make_survey: Any) -> None:
    """64 KiB in every answer, and thousands of records, make a judgement of bounded size."""
    long = "x" * 65_000
    tokens = [f"docusign={number}" for number in range(1500)]
    survey = make_survey(
        {
            "MX": [f"{number} mx{number}.mimecast.com" for number in range(3000)],
            "TXT": [*tokens, TENANT + long, "v=spf1 " + "ip4:192.0.2.1 " * 4000, long],
            "TXT _dmarc": ["v=DMARC1; p=none; rua=mailto:a@b.example; x=" + long],
            "TXT selector1._domainkey": ["v=DKIM1; p=" + long] * 40,
            "NS": [f"ns{number}.fabrikam-{number}.net" for number in range(2000)],
            "CNAME autodiscover": [f"a{number}.outlook.com" for number in range(2000)],
            "TXT _mta-sts": ["v=STSv1; id=" + long],
            "A": [f"192.0.2.{number % 256}" for number in range(4000)],
        },
        depth=Depth.FULL,
    )
    found = judge(survey, NO_HISTORY, RULES, AS_OF)
    quotes: list[tuple[Evidence, ...]] = [
        *(signal.evidence for signal in (found.mx, found.spf, found.dkim)),
        *(signal.evidence for signal in found.signals.values()),
        *(line.evidence for line in found.lines),
        *(product.evidence for product in found.products),
    ]
    assert all(len(each) <= MAX_EVIDENCE for each in quotes)
    assert all(len(one.record) <= MAX_RECORD for each in quotes for one in each)
    assert len(msgspec.json.encode(found)) < 200_000
