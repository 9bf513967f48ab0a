"""A survey and what was known before, judged: pure, dated by its argument, every word with its record."""

from __future__ import annotations

import datetime as dt

from hunter.core import identity, provider
from hunter.core.answers import RRType, Survey
from hunter.core.dated import add_dated
from hunter.core.facts import Rules
from hunter.core.history import fingerprint
from hunter.core.judgement import Axis, History, Judgement, Segment
from hunter.core.placement import facts_of_placement, is_gateway, place_mail, scan_status
from hunter.core.posture import add_posture, grade
from hunter.core.products import add_products, find_products
from hunter.core.score import fill, priority, score_lines, total, verdict
from hunter.core.sender import read_dmarc
from hunter.core.shown import dkim_signal, findings_of, mx_signal, spf_signal, would_change
from hunter.core.signals import mark_addons, read_survey
from hunter.core.tenant import add_silence, add_tenant, tenant_signals, tenant_state

#: read once: at each use Python 3.11 takes longer for Enum.MEMBER than for a dictionary
_TXT = RRType.TXT
_FIT, _URGENCY = Axis.FIT, Axis.URGENCY
_CALL_FIRST = 1


def judge(survey: Survey, history: History, rules: Rules, as_of: dt.date) -> Judgement:
    """Everything concluded about a domain on a day; the same input gives the same judgement.

    `survey` is the merged one (`hunter.core.merge`). Answers that nobody gave earn nothing, cost
    nothing and never raise confidence.
    """
    seen = read_survey(survey, rules)
    dmarc = read_dmarc(survey)
    products = find_products(seen, dmarc, rules)
    mark_addons(seen, rules)
    operator = seen.mail.operator if seen.mail is not None else None
    place = place_mail(seen, operator, rules)
    facts = facts_of_placement(seen, place, operator, rules)
    tenant = tenant_signals(seen, rules)
    state = tenant_state(seen, place, tenant, history=history, rules=rules, as_of=as_of)
    add_tenant(facts, seen, state, place, tenant, rules=rules)
    if not tenant:
        add_silence(facts, seen, state, place, rules)
    add_products(facts, products, rules)
    add_posture(facts, seen, dmarc)
    add_dated(
        facts,
        seen,
        place,
        operator=operator,
        products=products,
        tenant=tenant,
        history=history,
        rules=rules,
        as_of=as_of,
    )
    provider_name = provider.operator_name(place.provider, rules)
    operator_name = provider.operator_name(operator, rules)
    names = {
        "provider": provider_name or "an unknown place",
        "operator": operator_name or "nobody",
    }
    lines = score_lines(facts, rules, names, as_of)
    fit, urgency = total(lines, _FIT), total(lines, _URGENCY)
    row = verdict(facts, rules)
    segment, reason = row.segment, fill(row.sentence, facts, names, as_of)
    if segment is Segment.UNKNOWN and history.segment not in {None, Segment.UNKNOWN}:
        segment = history.segment or segment
        reason = f"Not answered this time, so nothing has changed. {reason}"
    rank = priority(
        rules.priorities,
        facts,
        segment=segment,
        score=fit + urgency,
        urgency=urgency,
        confidence=place.confidence,
    )
    if rank == _CALL_FIRST:
        reason = f"{reason} Call first."
    txt = survey.get(_TXT)
    return Judgement(
        domain=survey.domain,
        provider=place.provider,
        provider_name=provider_name,
        mx_operator=operator,
        mx_operator_name=operator_name,
        gateway=operator if is_gateway(operator, rules) else None,
        tenant_state=state,
        tenant_name=seen.tenant_name,
        mail_state=place.mail_state,
        local_provider=provider.is_local(place.provider, rules),
        segment=segment,
        priority=rank,
        score=fit + urgency,
        fit=fit,
        urgency=urgency,
        confidence=None if place.confidence is None else round(place.confidence, 3),
        confidence_word=identity.word(place.confidence, rules.identity),
        posture=grade(seen.spf, txt, dmarc, has_key=any(key.is_valid for key in seen.keys)),
        reason=reason,
        mx=mx_signal(seen),
        mx_hosts=seen.mail.hosts if seen.mail is not None else (),
        spf=spf_signal(seen, txt),
        dkim=dkim_signal(seen),
        dmarc_policy=dmarc.policy,
        signals=dict(sorted(seen.signals.items())),
        products=products,
        lines=lines,
        findings=findings_of(seen, dmarc),
        would_change=would_change(place, facts, names, rules, as_of),
        scan_status=scan_status(seen, operator, facts, rules),
        rules_version=rules.version,
        fingerprint=fingerprint(survey),
    )
