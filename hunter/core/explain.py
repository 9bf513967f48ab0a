"""A judgement explained: the chain from records to segment and priority, each link with its record."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Literal

import msgspec

from hunter.core import provider
from hunter.core.advice import Language
from hunter.core.answers import Answer, Survey
from hunter.core.brief import brief
from hunter.core.case import Case
from hunter.core.exchange_online import cloud_of, other_domains
from hunter.core.facts import PriorityRow, Rules
from hunter.core.identity import Candidate, Features, word
from hunter.core.judge import Reasoning, reason
from hunter.core.judgement import (
    Axis,
    Evidence,
    History,
    MailHost,
    Product,
    ScoreLine,
    Segment,
    State,
)
from hunter.core.placement import is_gateway
from hunter.core.registration import Registration
from hunter.core.score import total
from hunter.core.voice import Voice
from hunter.core.what_if import WhatIf, what_if
from hunter.core.wording import Wording

#: English words of the tables in the language of the explanation
Phrase = Callable[[str], str]
#: records of one answer that are shown; the survey has them all
_MAX_RECORDS = 50


class Answered(msgspec.Struct, frozen=True):
    """One question and what DNS said."""

    question: str
    #: `hunter.core.answers.Outcome`
    outcome: str
    records: tuple[str, ...]
    #: CNAME targets followed on the way
    chain: tuple[str, ...] = ()
    #: of the last real answer, when this scan got none
    stale_since: str = ""
    #: True where every name gets this answer, so that it says nothing about this one
    is_wildcard: bool = False


class Receiver(msgspec.Struct, frozen=True):
    """One MX host, and how it is known who runs it."""

    preference: int
    host: str
    #: row of providers.yaml, self_hosted, broken or unknown:<domain>
    operator: str
    operator_name: str
    #: suffix and pattern: of the row; own_name: under the company's own domain; no_row; faulty
    by: Literal["suffix", "pattern", "own_name", "no_row", "faulty"]
    #: the suffix that matched, or the registrable domain
    match: str
    #: what the operator does, "" without a row
    kind: str = ""
    evidence: tuple[Evidence, ...] = ()


class Term(msgspec.Struct, frozen=True):
    """One summand of a suite's log-odds."""

    feature: str
    log_odds: float
    #: what proves the feature; for an unanswered one, empty
    evidence: tuple[Evidence, ...] = ()


class Suite(msgspec.Struct, frozen=True):
    """One mail suite weighed: total = prior + shift + the sum of proved."""

    suite: str
    name: str
    #: by the way the MX looks
    prior: float
    #: by the market
    shift: float
    proved: tuple[Term, ...]
    #: what a question nobody answered could still add
    unanswered: tuple[Term, ...]
    total: float
    probability: float


class Mailboxes(msgspec.Struct, frozen=True):
    """Where the mailboxes are."""

    #: model: suites were weighed; mx: the MX answer alone decides
    by: Literal["model", "mx"]
    #: fact of placement, such as mail_hosting; "" while that is open
    fact: str
    provider: str | None
    provider_name: str | None
    confidence: float | None
    confidence_word: str
    suites: tuple[Suite, ...]
    evidence: tuple[Evidence, ...]
    #: deciding questions that nobody answered
    unanswered: tuple[Evidence, ...]


class Sign(msgspec.Struct, frozen=True):
    """One record that proves a Microsoft tenant."""

    signal: str
    says: str
    evidence: tuple[Evidence, ...]


class Tenant(msgspec.Struct, frozen=True):
    """Whether there is a Microsoft tenant, and what for."""

    state: str
    name: str | None
    cloud: str | None
    signs: tuple[Sign, ...]
    #: other domains whose Exchange Online label stands in a record of this one
    other_domains: dict[str, Evidence]
    #: questions that would show a tenant and were not answered
    unanswered: tuple[Evidence, ...]


class Condition(msgspec.Struct, frozen=True):
    """A fact that a row of a table asks for, with what proves it."""

    fact: str
    what: str
    evidence: tuple[Evidence, ...]


class Verdict(msgspec.Struct, frozen=True):
    """The row of the verdict table that named the segment."""

    row: str
    segment: Segment
    #: True when nobody answered this time and the segment of before stands
    is_kept: bool
    conditions: tuple[Condition, ...]
    reason: str


class Priority(msgspec.Struct, frozen=True):
    """The row of the priority table that fits first."""

    priority: int
    #: from 1, in the order of rules.yaml; None when no row fits
    row: int | None
    score_from: int
    urgency_from: int
    #: None: whatever the confidence
    confidence_below: float | None
    conditions: tuple[Condition, ...]


class Explanation(msgspec.Struct, frozen=True):
    """Everything that led to a judgement, in the order in which it was concluded."""

    domain: str
    as_of: dt.date
    rules_version: str
    answers: tuple[Answered, ...]
    unanswered: tuple[Answered, ...]
    receivers: tuple[Receiver, ...]
    operator: str | None
    operator_name: str | None
    gateway: str | None
    mail_state: str
    mailboxes: Mailboxes
    tenant: Tenant
    products: tuple[Product, ...]
    lines: tuple[ScoreLine, ...]
    fit: int
    urgency: int
    score: int
    verdict: Verdict
    priority: Priority
    what_if: tuple[WhatIf, ...]


def explain(
    survey: Survey,
    history: History,
    rules: Rules,
    as_of: dt.date,
    registration: Registration | None = None,
    *,
    wording: Wording | None = None,
    language: Language = Language.EN,
) -> Explanation:
    """The chain of reasoning of `hunter.core.judge.judge`, for the same arguments.

    With `wording` the sentences of rules and tables are told in `language`; ids stay as they are.
    """
    why = reason(survey, history, rules, as_of, registration)
    lines, words, phrase = why.lines, why.reason, _as_it_is
    if wording is not None and language is not Language.EN:
        told = brief(why, wording, language)
        lines, words = told.lines, told.reason.text if told.reason is not None else words
        phrase = Voice(language, wording.turkish, as_of).phrase
    case = why.case
    answers = sorted(survey.answers.values(), key=lambda each: each.question)
    fit, urgency = total(lines, Axis.FIT), total(lines, Axis.URGENCY)
    return Explanation(
        domain=survey.domain,
        as_of=as_of,
        rules_version=rules.version,
        answers=tuple(_answered(each, case) for each in answers if each.outcome.is_known),
        unanswered=tuple(_answered(each, case) for each in answers if not each.outcome.is_known),
        receivers=_receivers(case, phrase),
        operator=case.operator,
        operator_name=_name(case.operator, rules, phrase),
        gateway=case.operator if is_gateway(case.operator, rules) else None,
        mail_state=case.place.mail_state,
        mailboxes=_mailboxes(case, phrase),
        tenant=_tenant(case, phrase),
        products=case.products,
        lines=lines,
        fit=fit,
        urgency=urgency,
        score=fit + urgency,
        verdict=Verdict(
            row=why.verdict.id,
            segment=why.segment,
            is_kept=why.segment is not why.verdict.segment,
            conditions=_conditions(case, why.verdict.when, phrase),
            reason=words,
        ),
        priority=_priority(why, phrase),
        what_if=what_if(survey, why, registration),
    )


def _as_it_is(text: str) -> str:
    return text


def _name(operator: str | None, rules: Rules, phrase: Phrase) -> str | None:
    name = provider.operator_name(operator, rules)
    return None if name is None else phrase(name)


def _answered(answer: Answer, case: Case) -> Answered:
    read = case.seen.survey.answers.get(answer.question)
    return Answered(
        answer.question,
        answer.outcome.value,
        tuple(sorted(answer.records)[:_MAX_RECORDS]),
        answer.chain,
        answer.stale_since,
        is_wildcard=read is None or (read.records, read.chain) != (answer.records, answer.chain),
    )


def _receivers(case: Case, phrase: Phrase) -> tuple[Receiver, ...]:
    mail, mx = case.seen.mail, case.seen.mx
    if mail is None or mx is None:
        return ()
    records = {
        each.strip().rpartition(" ")[2].lower().removesuffix("."): each for each in mx.records
    }
    return tuple(
        _receiver(
            host, Evidence(mx.question, mx.outcome.value, records.get(host.host, "")), case, phrase
        )
        for host in mail.hosts
    )


def _receiver(host: MailHost, evidence: Evidence, case: Case, phrase: Phrase) -> Receiver:
    """How it is known who runs an MX host."""
    rules = case.rules
    row = rules.providers.get(host.operator)
    suffix = rules.mx.suffix_of(host.host)
    by: Literal["suffix", "pattern", "own_name", "no_row", "faulty"] = "no_row"
    match = host.operator.removeprefix(provider.UNKNOWN)
    if suffix is not None:
        by, match = "suffix", suffix
    elif row is not None and host.operator != provider.BROKEN:
        by, match = "pattern", host.host
    elif host.operator == provider.SELF_HOSTED:
        by, match = "own_name", case.seen.survey.domain
    elif host.operator == provider.BROKEN:
        by, match = "faulty", host.host
    return Receiver(
        preference=host.preference,
        host=host.host,
        operator=host.operator,
        operator_name=_name(host.operator, rules, phrase) or host.operator,
        by=by,
        match=match,
        kind=row.kind.value if row is not None else "",
        evidence=(evidence,),
    )


def _mailboxes(case: Case, phrase: Phrase) -> Mailboxes:
    place, rules = case.place, case.rules
    guess = place.guess
    suites = () if guess is None else guess.candidates
    ranked = sorted(suites, key=lambda each: (-each.probability, each.suite))
    return Mailboxes(
        by="mx" if guess is None else "model",
        fact=place.fact,
        provider=place.provider,
        provider_name=_name(place.provider, rules, phrase),
        confidence=None if place.confidence is None else round(place.confidence, 3),
        confidence_word=word(place.confidence, rules.identity),
        suites=tuple(
            _suite(each, case.seen.proved.get(each.suite, {}), rules, phrase) for each in ranked
        ),
        evidence=place.evidence,
        unanswered=place.missing,
    )


def _suite(candidate: Candidate, proofs: Features, rules: Rules, phrase: Phrase) -> Suite:
    return Suite(
        suite=candidate.suite,
        name=_name(candidate.suite, rules, phrase) or candidate.suite,
        prior=round(candidate.prior, 3),
        shift=round(candidate.shift, 3),
        proved=tuple(
            Term(feature, round(weight, 3), proofs.get(feature, ()))
            for feature, weight in candidate.weights
        ),
        unanswered=tuple(
            Term(feature, round(weight, 3)) for feature, weight in candidate.silent if weight
        ),
        total=round(candidate.total, 3),
        probability=round(candidate.probability, 3),
    )


def _tenant(case: Case, phrase: Phrase) -> Tenant:
    silent = case.facts.get("tenant_unanswered")
    return Tenant(
        state=case.tenant_state,
        name=case.seen.tenant_name,
        cloud=cloud_of(case.seen, case.rules),
        signs=tuple(
            Sign(name, phrase(says), signal.evidence)
            for name, (says, signal) in sorted(case.tenant.items())
            if signal.state is State.PRESENT
        ),
        other_domains=other_domains(case.seen),
        unanswered=() if silent is None else silent.evidence,
    )


def _conditions(case: Case, facts: tuple[str, ...], phrase: Phrase) -> tuple[Condition, ...]:
    return tuple(
        Condition(name, phrase(case.facts[name].what), case.facts[name].evidence)
        for name in facts
        if name in case.facts
    )


def _priority(why: Reasoning, phrase: Phrase) -> Priority:
    case, row = why.case, why.priority_row
    if row is None:
        return Priority(why.priority, None, 0, 0, None, ())
    return Priority(
        priority=why.priority,
        row=1 + case.rules.priorities.index(row),
        score_from=row.score_from,
        urgency_from=row.urgency_from,
        confidence_below=row.confidence_below if row.confidence_below <= 1 else None,
        conditions=_conditions(case, _asked_for(row, case), phrase),
    )


def _asked_for(row: PriorityRow, case: Case) -> tuple[str, ...]:
    """Facts that made a row of the priority table fit: all of one list, any of the other."""
    return (*row.all_of, *(name for name in row.any_of if name in case.facts))
