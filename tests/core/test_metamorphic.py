"""One piece of evidence more, less, or unknown: which way a judgement may move."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest

from hunter.core import identity
from hunter.core.answers import Answer, Depth, Outcome, Survey
from hunter.core.judge import Reasoning, judge, reason
from hunter.core.judgement import NO_HISTORY, Evidence, Judgement, Segment
from hunter.core.shown import open_changes
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

MX_SETS: dict[str, list[str]] = {
    "Microsoft": MICROSOFT_MX,
    "hosting": NATRO_MX,
    "own": OWN_MX,
    "filter": FILTER_MX,
    "suite": ["5 mx.zoho.eu"],
    "stranger": ["1 mx.stranger.net"],
    "mixed": ["1 smtp.google.com", *MICROSOFT_MX],
    "forwarder": ["1 mx1.improvmx.com"],
    "nothing": [],
}
TOKENS = ["docusign=1", "slack-domain-verification=1", "intercom-domain-validation=1"]
TEXTS: dict[str, list[str]] = {
    "no text": [],
    "token": [TENANT],
    "spf": [MICROSOFT_SPF],
    "all": [TENANT, MICROSOFT_SPF, *TOKENS],
}
NAMES: dict[str, dict[str, Any]] = {
    "no names": {"TXT selector1._domainkey": []},
    "names": {
        "CNAME autodiscover": AUTODISCOVER,
        "CNAME enterpriseregistration": ["enterpriseregistration.windows.net"],
        "TXT selector1._domainkey": DKIM_MICROSOFT,
        "TXT _dmarc": ["v=DMARC1; p=none; rua=mailto:a@contoso.com"],
    },
}
ZONES = [
    pytest.param({"MX": mx, "TXT": txt, **names}, id=f"{who}, {what}, {how}")
    for (who, mx), (what, txt), (how, names) in itertools.product(
        MX_SETS.items(), TEXTS.items(), NAMES.items()
    )
]
HISTORY = seen(txt_ms=APPEARED)


def judged_now(survey: Survey) -> Judgement:
    return judge(survey, HISTORY, RULES, AS_OF)


def silenced(survey: Survey, *questions: str) -> Survey:
    quiet = {
        name: Answer(old.name, old.rrtype, Outcome.TIMEOUT)
        for name, old in survey.answers.items()
        if name in questions
    }
    return msgspec.structs.replace(survey, answers=survey.answers | quiet)


def without(survey: Survey, found: Evidence) -> Survey:
    """The survey, had this record not been there."""
    old = survey.answers[found.question]
    records = tuple(each for each in old.records if each != found.record)
    chain = () if found.record in old.chain else old.chain
    outcome = old.outcome if records else Outcome.NODATA
    less = Answer(old.name, old.rrtype, outcome, records, chain)
    return msgspec.structs.replace(survey, answers=survey.answers | {found.question: less})


def with_text(survey: Survey, *texts: str) -> Survey:
    old = survey.answers["contoso.com TXT"]
    more = Answer(old.name, old.rrtype, Outcome.FOUND, (*old.records, *texts))
    return msgspec.structs.replace(survey, answers=survey.answers | {more.question: more})


@pytest.mark.parametrize("zone", ZONES)
def test_one_silence_neither_earns_nor_makes_surer_nor_makes_a_skip(
    make_survey: Any, zone: dict[str, Any]
) -> None:
    survey = make_survey(zone)
    before = judged_now(survey)
    for questions in itertools.chain(
        itertools.combinations(survey.answers, 1), itertools.combinations(survey.answers, 2)
    ):
        after = judged_now(silenced(survey, *questions))
        assert after.score <= before.score, questions
        assert after.segment is not Segment.SKIP, questions
        assert (after.confidence or 0) <= (before.confidence or 0), questions


@pytest.mark.parametrize("zone", ZONES)
def test_silence_costs_no_line_but_those_it_was_the_proof_of(
    make_survey: Any, zone: dict[str, Any]
) -> None:
    """Unless the verdict is open for it: then nothing is said of where the mailboxes are."""
    survey = make_survey(zone)
    before = judged_now(survey)
    for question in survey.answers:
        why = reason(silenced(survey, question), HISTORY, RULES, AS_OF)
        if not why.case.place.fact:
            continue
        left = {line.code for line in why.lines}
        for line in before.lines:
            rests_on_it = any(each.question == question for each in line.evidence)
            assert rests_on_it or line.code in left, (question, line.code)


def worth(why: Reasoning) -> int:
    return sum(line.points for line in why.lines)


@pytest.mark.parametrize("zone", ZONES)
def test_record_that_earned_a_line_takes_its_points_along(
    make_survey: Any, zone: dict[str, Any]
) -> None:
    """Where mail goes is another question: taking an MX record away makes another company."""
    survey = make_survey(zone)
    before = reason(survey, HISTORY, RULES, AS_OF)
    for line in before.lines:
        group = next(rule.group for rule in RULES.rules.rows if rule.id == line.code)
        proofs = [each for each in line.evidence if each.record and "v=spf1" not in each.record]
        if group not in {"tenant", "products", "company", "dated"} or any(
            each.question.endswith(" MX") for each in proofs
        ):
            continue
        for each in proofs:
            less = reason(without(survey, each), HISTORY, RULES, AS_OF)
            same = {one.code: one.evidence for one in less.lines}
            assert each not in same.get(line.code, ())
            if less.case.place.fact == before.case.place.fact:
                assert worth(less) <= worth(before)


@pytest.mark.parametrize("zone", ZONES)
def test_probability_without_the_strongest_record_is_the_one_that_was_told(
    make_survey: Any, zone: dict[str, Any]
) -> None:
    survey = make_survey(zone)
    why = reason(survey, NO_HISTORY, RULES, AS_OF)
    pillar, place = why.case.place.pillar, why.case.place
    if pillar is None:
        return
    proofs = why.case.seen.proved[place.provider or ""][pillar.feature]
    weaker = survey
    for each in proofs:
        weaker = without(weaker, each)
    after = reason(weaker, NO_HISTORY, RULES, AS_OF).case
    assert after.place.guess is not None
    chances = {each.suite: each.probability for each in after.place.guess.candidates}
    assert chances[place.provider or ""] == pytest.approx(pillar.without)
    assert chances[place.provider or ""] <= (place.guess.best if place.guess else 0)


@pytest.mark.parametrize("zone", ZONES)
def test_trace_of_one_more_product_never_lowers_the_score(
    make_survey: Any, zone: dict[str, Any]
) -> None:
    survey = make_survey(zone)
    before = judged_now(survey).score
    for token in [*TOKENS, "hubspot-developer-verification=1"]:
        assert judged_now(with_text(survey, token)).score >= before, token


@pytest.mark.parametrize("zone", ZONES)
def test_publishing_p_none_never_ranks_below_publishing_nothing(
    make_survey: Any, zone: dict[str, Any]
) -> None:
    nothing, none = (
        judged_now(make_survey({**zone, "TXT _dmarc": records}))
        for records in ([], ["v=DMARC1; p=none"])
    )
    assert none.score >= nothing.score
    assert none.priority <= nothing.priority
    assert none.segment is nothing.segment
    assert (none.posture or "F") <= (nothing.posture or "F")


@pytest.mark.parametrize("zone", ZONES)
def test_deeper_look_that_finds_nothing_more_changes_nothing(
    make_survey: Any, zone: dict[str, Any]
) -> None:
    quick = judged_now(make_survey(zone))
    empty: dict[str, list[str]] = {
        f"CNAME {label}": [] for label in ("enterpriseenrollment", "sip", "lyncdiscover", "msoid")
    }
    full = judged_now(make_survey({**zone, **empty}, depth=Depth.FULL))
    assert (full.segment, full.score, full.confidence) == (
        quick.segment, quick.score, quick.confidence,
    )  # fmt: skip


@pytest.mark.parametrize("zone", ZONES)
def test_promise_of_a_change_is_not_there_yet_and_comes_with_it(
    make_survey: Any, zone: dict[str, Any]
) -> None:
    survey = make_survey(zone)
    for history in (NO_HISTORY, HISTORY):
        why = reason(survey, history, RULES, AS_OF)
        told = {row.id for row in open_changes(why.case, why.segment, why.priority)}
        if told & {"mail_hosting", "mail_competitor_suite"}:
            entra = {"CNAME enterpriseregistration": ["enterpriseregistration.windows.net"]}
            then = reason(make_survey({**zone, **entra}), history, RULES, AS_OF)
            assert (why.priority > 1, then.priority) == (True, 1)
        if told & {"tenant_without_mail", "migrating_in"}:
            then = reason(make_survey({**zone, "MX": MICROSOFT_MX}), history, RULES, AS_OF)
            assert why.segment is not Segment.EXISTING
            assert then.segment is Segment.EXISTING
        if "mail_microsoft_probable" in told:
            assert identity.word(why.case.place.confidence, RULES.identity) != "sure"
