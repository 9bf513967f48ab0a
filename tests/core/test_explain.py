"""A judgement explained: every link of the chain is there, with its record, and says what was judged."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.advice import Language
from hunter.core.answers import Answer, Depth, Outcome, RRType, Survey, survey_of
from hunter.core.explain import Explanation, explain
from hunter.core.explain_text import explain_lines, printable
from hunter.core.explain_words import WORDS
from hunter.core.judge import judge
from hunter.core.judgement import NO_HISTORY, Evidence, History, Segment
from hunter.core.tables import FactTable
from hunter.knowledge.load import load_knowledge
from tests.core.zones import (
    APPEARED,
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
    seen,
)

ZONES: dict[str, dict[str, Any]] = {
    "microsoft": {"MX": MICROSOFT_MX, "TXT": [MICROSOFT_SPF]},
    "hosting": {"MX": NATRO_MX, "TXT": [TENANT, "hubspot-domain-verification=a"]},
    "filter": {"MX": FILTER_MX, "TXT": [MICROSOFT_SPF], "CNAME autodiscover": AUTODISCOVER},
    "filter, silent": {"MX": FILTER_MX, "CNAME autodiscover": "timeout", "TXT": "servfail"},
    "own": {"MX": OWN_MX, "A autodiscover": ["192.0.2.1"], "A": ["192.0.2.2"]},
    "stranger": {"MX": ["10 mx.stranger.net"]},
    "pattern": {"MX": ["10 esva1.contoso.net"]},
    "faulty": {"MX": ["10 192.0.2.1"]},
    "mixed": {"MX": ["1 smtp.google.com", *MICROSOFT_MX]},
    "null": {"MX": ["0 ."]},
    "missing": {"MX": "nxdomain"},
    "parked": {"NS": ["ns1.bodis.com"]},
    "silent": {"MX": "timeout", "TXT": "timeout"},
    "dkim": {"MX": FILTER_MX, "TXT selector1._domainkey": DKIM_MICROSOFT},
    "china": {"MX": ["0 fabrikam-com.mail.protection.partner.outlook.cn"]},
    "wildcard": {
        "MX": OWN_MX,
        "CNAME *": ["hosting.example.net"],
        "CNAME autodiscover": ["hosting.example.net"],
    },
    "hostile": {"MX": NATRO_MX, "TXT": ["MS=ms12345678\x1b[2J", "\u202eabc\r\nx\x07", "a" * 900]},
}


@pytest.fixture
def explained(make_survey: Any) -> Any:
    def run(zone: dict[str, Any], history: History = NO_HISTORY) -> Explanation:
        return explain(make_survey(zone), history, RULES, AS_OF)

    return run


@pytest.mark.parametrize("zone", ZONES.values(), ids=ZONES)
def test_explanation_says_what_was_judged(make_survey: Any, zone: dict[str, Any]) -> None:
    survey = make_survey(zone)
    judged = judge(survey, NO_HISTORY, RULES, AS_OF)
    why = explain(survey, NO_HISTORY, RULES, AS_OF)
    assert (why.score, why.fit, why.urgency) == (judged.score, judged.fit, judged.urgency)
    assert sum(line.points for line in why.lines) == judged.score
    assert (why.verdict.segment, why.verdict.row) == (judged.segment, judged.reason_code)
    assert (why.priority.priority, why.verdict.reason) == (judged.priority, judged.reason)
    assert (why.operator, why.gateway) == (judged.mx_operator, judged.gateway)
    assert (why.mailboxes.provider, why.mailboxes.confidence) == (
        judged.provider,
        judged.confidence,
    )
    assert why.tenant.state == judged.tenant_state
    assert why.products == judged.products


def _evidence(value: object) -> Iterator[Evidence]:
    if isinstance(value, Evidence):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _evidence(each)
    elif isinstance(value, tuple):
        for each in value:
            yield from _evidence(each)
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _evidence(getattr(value, name))


@pytest.mark.parametrize("zone", ZONES.values(), ids=ZONES)
def test_no_record_is_invented(make_survey: Any, zone: dict[str, Any]) -> None:
    survey = make_survey(zone)
    for each in _evidence(explain(survey, NO_HISTORY, RULES, AS_OF)):
        answer = survey.answers.get(each.question)
        if answer is None:
            assert each.outcome == "not_asked"
        elif each.record:
            assert each.record in (*answer.records, *answer.chain)


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("zone", ZONES.values(), ids=ZONES)
def test_text_fits_a_terminal_and_commands_it_nothing(
    explained: Any, zone: dict[str, Any], language: Language
) -> None:
    lines = explain_lines(explained(zone), language)
    assert max(map(len, lines)) <= 100
    assert all(line.isprintable() for line in lines)
    steps = [line[0] for line in lines if re.match(r"\d\. ", line)]
    assert steps == list("12345678")


@given(st.lists(st.text(max_size=200), max_size=4), st.integers(0, 200))
def test_any_record_is_told_within_the_width(records: list[str], width: int) -> None:
    answers = [
        Answer("contoso.com", RRType.MX, Outcome.FOUND, ("10 mx-in01.natrohost.com",)),
        Answer("contoso.com", RRType.TXT, Outcome.FOUND, tuple(records)),
    ]
    why = explain(survey_of("contoso.com", Depth.QUICK, answers), NO_HISTORY, RULES, AS_OF)
    lines = explain_lines(why, Language.TR, width)
    assert all(line.isprintable() and len(line) <= max(width, 40) for line in lines)


def test_both_languages_have_the_same_words_with_the_same_holes() -> None:
    english, turkish = WORDS[Language.EN], WORDS[Language.TR]
    assert english.keys() == turkish.keys()

    def holes(text: str) -> set[str | None]:
        return {name for _, name, _, _ in string.Formatter().parse(text)} - {None}

    for key, text in english.items():
        assert holes(text) == holes(turkish[key]), key


@pytest.mark.parametrize(
    ("zone", "by", "match"),
    [
        ("hosting", "suffix", "natrohost.com"),
        ("own", "own_name", "contoso.com"),
        ("stranger", "no_row", "stranger.net"),
        ("pattern", "pattern", "esva1.contoso.net"),
        ("faulty", "faulty", "192.0.2.1"),
    ],
)
def test_receiver_is_told_with_what_matched(explained: Any, zone: str, by: str, match: str) -> None:
    (receiver,) = explained(ZONES[zone]).receivers
    assert (receiver.by, receiver.match) == (by, match)
    assert receiver.evidence[0].record == ZONES[zone]["MX"][0]


def test_suites_add_up_and_name_what_proves_each_summand(explained: Any) -> None:
    why = explained(ZONES["filter"])
    first = why.mailboxes.suites[0]
    assert (why.mailboxes.by, first.suite) == ("model", "microsoft365")
    assert {term.feature for term in first.proved} == {"autodiscover", "spf"}
    assert all(term.evidence for term in first.proved)
    total = first.prior + first.shift + sum(term.log_odds for term in first.proved)
    assert first.total == pytest.approx(total, abs=0.01)
    chances = [suite.probability for suite in why.mailboxes.suites]
    assert chances == sorted(chances, reverse=True)


def test_unanswered_summand_has_its_size_and_no_record(explained: Any) -> None:
    why = explained({"MX": FILTER_MX, "TXT": [MICROSOFT_SPF], "CNAME autodiscover": "timeout"})
    (term,) = why.mailboxes.suites[0].unanswered
    assert (term.feature, term.evidence) == ("autodiscover", ())
    assert [each.question for each in why.mailboxes.unanswered] == [
        "autodiscover.contoso.com CNAME"
    ]
    assert [each.question for each in why.unanswered] == ["autodiscover.contoso.com CNAME"]


def test_certainty_about_a_stranger_is_told_of_the_stranger(explained: Any) -> None:
    lines = explain_lines(explained(ZONES["stranger"]), Language.EN)
    head = next(line for line in lines if line.startswith("3."))
    assert head.startswith(
        "3. Where the mailboxes are: at stranger.net or out of sight, likely (0."
    )


def test_mx_that_decides_alone_weighs_no_suite(explained: Any) -> None:
    found = explained(ZONES["null"]).mailboxes
    assert (found.by, found.fact, found.suites) == ("mx", "null_mx", ())


def test_tenant_is_told_with_its_signs_its_name_and_other_domains(explained: Any) -> None:
    found = explained(ZONES["dkim"]).tenant
    assert (found.state, found.name) == ("m365_mail", "contoso")
    assert [sign.signal for sign in found.signs] == ["dkim_microsoft"]
    china = explained(ZONES["china"]).tenant
    assert (china.cloud, list(china.other_domains)) == ("china", ["fabrikam.com"])


def test_tenant_nobody_answered_about_names_the_questions(explained: Any) -> None:
    found = explained({"MX": NATRO_MX, "TXT": "timeout"}).tenant
    assert found.state == "unknown"
    assert "contoso.com TXT" in {each.question for each in found.unanswered}


def test_row_of_the_priority_table_is_named_with_its_conditions(explained: Any) -> None:
    found = explained({"MX": NATRO_MX, "TXT": [TENANT]}).priority
    row = RULES.priorities[found.row - 1]
    assert (row.priority, found.priority) == (1, 1)
    assert [each.fact for each in found.conditions] == ["tenant_without_mail"]
    assert found.conditions[0].evidence[0].record == TENANT
    text = "\n".join(explain_lines(explained({"MX": NATRO_MX}), Language.EN))
    assert "Priority 2" in text
    assert "score from 20" in text
    urgent = explained({"MX": NATRO_MX}, seen(mx_microsoft=APPEARED, mx__natrohost__com=APPEARED))
    assert urgent.priority.row is not None
    unsure = "\n".join(explain_lines(explained(ZONES["faulty"]), Language.EN))
    assert "confidence below 0.55" in unsure


def test_segment_kept_through_silence_is_told_so(explained: Any) -> None:
    why = explained(ZONES["silent"], History(segment=Segment.MIGRATION))
    assert why.verdict.is_kept
    text = "\n".join(explain_lines(why, Language.EN))
    assert "the segment of before stands" in text
    assert "not decided" in text


def test_priority_that_no_row_fits_is_told(make_survey: Any) -> None:
    rules = msgspec.structs.replace(RULES, priorities=())
    why = explain(make_survey({"MX": NATRO_MX}), NO_HISTORY, rules, AS_OF)
    assert (why.priority.priority, why.priority.row) == (6, None)
    assert "no row of the priorities fits" in "\n".join(explain_lines(why, Language.EN))


def test_row_without_conditions_is_told_as_the_last_resort(make_survey: Any) -> None:
    rules = msgspec.structs.replace(RULES, verdicts=FactTable(RULES.verdicts.rows[-1:]))
    text = explain_lines(
        explain(make_survey({"MX": NATRO_MX}), NO_HISTORY, rules, AS_OF), Language.EN
    )
    assert any("no other row holds" in line for line in text)


def test_urgency_that_made_a_priority_is_told(make_survey: Any) -> None:
    rows = tuple(row for row in RULES.priorities if row.urgency_from)
    rules = msgspec.structs.replace(RULES, priorities=rows)
    history = seen(mx_microsoft=APPEARED, **{"mx__natrohost.com": APPEARED})
    zone = {"MX": NATRO_MX, "TXT": [MICROSOFT_SPF]}
    text = explain_lines(explain(make_survey(zone), history, rules, AS_OF), Language.EN)
    assert any("urgency from 20" in line for line in text)


def test_answer_of_a_wildcard_and_a_stale_one_are_marked(make_survey: Any) -> None:
    survey: Survey = make_survey(ZONES["wildcard"])
    question = "contoso.com MX"
    stale = msgspec.structs.replace(survey.answers[question], stale_since="2026-10-01T00:00:00Z")
    survey = msgspec.structs.replace(survey, answers=survey.answers | {question: stale})
    text = "\n".join(explain_lines(explain(survey, NO_HISTORY, RULES, AS_OF), Language.EN, 200))
    assert (
        "autodiscover.contoso.com CNAME: hosting.example.net (every name gets this answer" in text
    )
    assert "last answered 2026-10-01" in text


def test_survey_without_an_answer_is_explained(make_survey: Any) -> None:
    empty = survey_of("contoso.com", Depth.QUICK, [])
    text = "\n".join(explain_lines(explain(empty, NO_HISTORY, RULES, AS_OF), Language.EN))
    assert "nothing: no question was answered" in text
    assert "Who receives the mail: not known" in text


def test_text_of_strangers_stands_as_escapes() -> None:
    assert printable("a\x1b[0m\u202eb") == "a\\x1b[0m\\u202eb"
    assert printable("plain") == "plain"


def test_rules_and_tables_are_told_in_turkish_too(make_survey: Any) -> None:
    survey = make_survey({"MX": FILTER_MX, "TXT": [TENANT]})
    wording = load_knowledge().wording
    why = explain(survey, NO_HISTORY, RULES, AS_OF, wording=wording, language=Language.TR)
    english = explain(survey, NO_HISTORY, RULES, AS_OF, wording=wording)
    assert why.verdict.reason != english.verdict.reason
    assert [each.points for each in why.lines] == [each.points for each in english.lines]
    assert all(a.reason != b.reason for a, b in zip(why.lines, english.lines, strict=True))
    (turkish,), (plain,) = why.tenant.signs, english.tenant.signs
    assert (turkish.evidence, turkish.says != plain.says) == (plain.evidence, True)
    text = "\n".join(explain_lines(why, Language.TR))
    assert "Call first" not in text
    assert "Mimecast" in text


def test_reason_without_a_record_stays_as_it_was_judged(make_survey: Any) -> None:
    survey = make_survey({"MX": NATRO_MX}, domain="gmail.com")
    wording = load_knowledge().wording
    why = explain(survey, NO_HISTORY, RULES, AS_OF, wording=wording, language=Language.TR)
    assert why.verdict.row == "not_a_company"
    assert why.verdict.reason
