"""A survey and what was known before, judged: pure, dated by its argument, every word with its record."""

from __future__ import annotations

import datetime as dt

import msgspec

from hunter.core import identity
from hunter.core.answers import RRType, Survey
from hunter.core.case import Case
from hunter.core.dated import add_dated
from hunter.core.exchange_online import cloud_finding, cloud_of
from hunter.core.facts import PriorityRow, Rules, VerdictRow
from hunter.core.history import fingerprint
from hunter.core.judgement import Axis, History, Judgement, ScoreLine, Segment
from hunter.core.placement import add_placement, is_gateway, place_mail, scan_status
from hunter.core.posture import add_posture, grade
from hunter.core.products import add_products, find_products
from hunter.core.provider import is_local, operator_name
from hunter.core.registration import Registration
from hunter.core.score import fill, priority_row, score_lines, total, verdict
from hunter.core.sender import read_dmarc
from hunter.core.shown import dkim_signal, findings_of, mx_signal, spf_signal, would_change
from hunter.core.signals import mark_addons, read_survey
from hunter.core.tenant import add_silence, add_tenant, tenant_signals, tenant_state
from hunter.core.transport import read_transport

#: read once: at each use Python 3.11 takes longer for Enum.MEMBER than for a dictionary
_TXT = RRType.TXT
_FIT, _URGENCY = Axis.FIT, Axis.URGENCY
_CALL_FIRST = 1
_NO_PRIORITY = 6
#: the probability of the best suite must be this far from where it is named to move a segment
_MARGIN = 0.05
#: segments between which that decides
_ADDRESSABLE = frozenset({Segment.MIGRATION, Segment.EXISTING, Segment.COLD})


class Reasoning(msgspec.Struct, frozen=True, gc=False):
    """The way from the records to the words of one judgement."""

    case: Case
    #: what sentences call the place of the mailboxes and the receiver of the mail
    names: dict[str, str]
    lines: tuple[ScoreLine, ...]
    #: the row of the verdict table that gave segment and reason
    verdict: VerdictRow
    #: of the row; the one of before where nothing was answered
    segment: Segment
    reason: str
    #: the row of the priority table that fits, None when none does
    priority_row: PriorityRow | None
    #: True when the segment is the one of before
    segment_is_kept: bool = False

    @property
    def priority(self) -> int:
        """1 (call first) to 6 (none)."""
        return _NO_PRIORITY if self.priority_row is None else self.priority_row.priority


def reason(
    survey: Survey,
    history: History,
    rules: Rules,
    as_of: dt.date,
    registration: Registration | None = None,
) -> Reasoning:
    """Everything that `judge` concludes, step by step; the arguments are those of `judge`."""
    case = _read_case(survey, history, rules, as_of, registration)
    facts = case.facts
    add_placement(case)
    add_tenant(case)
    add_silence(case)
    add_products(case)
    add_posture(case)
    add_dated(case)
    names = {
        "provider": operator_name(case.place.provider, rules) or "an unknown place",
        "operator": operator_name(case.operator, rules) or "nobody",
    }
    lines = score_lines(facts, rules, names, as_of)
    row = verdict(facts, rules)
    segment, kept_because = _segment(row.segment, case)
    words = f"{kept_because}{fill(row.sentence, facts, names, as_of)}"
    urgency = total(lines, _URGENCY)
    rank = priority_row(
        rules.priorities,
        facts,
        segment=segment,
        score=total(lines, _FIT) + urgency,
        urgency=urgency,
        confidence=case.place.confidence,
    )
    if rank is not None and rank.priority == _CALL_FIRST:
        words = f"{words} Call first."
    return Reasoning(case, names, lines, row, segment, words, rank, bool(kept_because))


def _segment(found: Segment, case: Case) -> tuple[Segment, str]:
    """The segment, and why it is the one of before when it is.

    A lead once known stays what it was while nobody answers, and while the model of the mailboxes
    has not made up its mind: a verdict on the edge would flip with every small record.
    """
    before = case.history.segment
    if before is None or before in {Segment.UNKNOWN, found}:
        return found, ""
    if found is Segment.UNKNOWN:
        return before, "Not answered this time, so nothing has changed. "
    guess = case.place.guess
    is_close = guess is not None and abs(guess.best - case.rules.identity.name_from) < _MARGIN
    if is_close and {before, found} <= _ADDRESSABLE:
        return before, "Too close to call, so nothing has changed. "
    return found, ""


def _read_case(
    survey: Survey,
    history: History,
    rules: Rules,
    as_of: dt.date,
    registration: Registration | None,
) -> Case:
    seen = read_survey(survey, rules)
    dmarc = read_dmarc(survey)
    products = find_products(seen, dmarc, rules)
    mark_addons(seen, rules)
    operator = seen.mail.operator if seen.mail is not None else None
    place = place_mail(seen, operator, rules)
    tenant = tenant_signals(seen, rules)
    return Case(
        seen=seen,
        dmarc=dmarc,
        products=products,
        operator=operator,
        place=place,
        tenant=tenant,
        tenant_state=tenant_state(seen, place, tenant, history=history, rules=rules, as_of=as_of),
        history=history,
        rules=rules,
        as_of=as_of,
        registration=registration,
    )


def judge(
    survey: Survey,
    history: History,
    rules: Rules,
    as_of: dt.date,
    registration: Registration | None = None,
    *,
    known_fingerprint: str | None = None,
) -> Judgement:
    """Everything concluded about a domain on a day; the same input gives the same judgement.

    `survey` is the merged one (`hunter.core.merge`), `registration` what a registry said, if it was
    asked, `known_fingerprint` that of a survey judged before. Answers that nobody gave earn nothing,
    cost nothing and never raise confidence.
    """
    why = reason(survey, history, rules, as_of, registration)
    case = why.case
    seen, place, operator, dmarc = case.seen, case.place, case.operator, case.dmarc
    fit, urgency = total(why.lines, _FIT), total(why.lines, _URGENCY)
    txt = survey.get(_TXT)
    cloud = cloud_of(seen, rules)
    mail_hosts = seen.mail.hosts if seen.mail is not None else ()
    transport = read_transport(survey, [each.host for each in mail_hosts])
    return Judgement(
        domain=survey.domain,
        provider=place.provider,
        provider_name=operator_name(place.provider, rules),
        mx_operator=operator,
        mx_operator_name=operator_name(operator, rules),
        gateway=operator if is_gateway(operator, rules) else None,
        tenant_state=case.tenant_state,
        tenant_name=seen.tenant_name,
        mail_state=place.mail_state,
        local_provider=is_local(place.provider, rules),
        segment=why.segment,
        priority=why.priority,
        score=fit + urgency,
        fit=fit,
        urgency=urgency,
        confidence=None if place.confidence is None else round(place.confidence, 3),
        confidence_word=identity.word(place.confidence, rules.identity),
        posture=grade(
            seen.spf,
            txt,
            dmarc,
            has_key=any(key.is_valid for key in seen.keys),
            is_transport_broken=transport.is_broken,
        ),
        reason=why.reason,
        mx=mx_signal(seen),
        mx_hosts=mail_hosts,
        spf=spf_signal(seen, txt),
        dkim=dkim_signal(seen),
        dmarc_policy=dmarc.policy,
        signals=dict(sorted((seen.signals | transport.signals).items())),
        products=case.products,
        lines=why.lines,
        findings=findings_of(seen, dmarc, [*cloud_finding(cloud), *transport.findings]),
        would_change=would_change(case, why.names, why.segment, why.priority),
        scan_status=scan_status(case),
        rules_version=rules.version,
        fingerprint=known_fingerprint or fingerprint(survey),
        reason_code=why.verdict.id,
        segment_is_kept=why.segment_is_kept,
        cloud=cloud,
    )
