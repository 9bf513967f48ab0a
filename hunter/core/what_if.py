"""What would change a judgement: it is judged again without a record, and with an unanswered question answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from hunter.core.answers import Answer, Outcome, RRType, Survey
from hunter.core.case import Case
from hunter.core.eop_label import encode_label
from hunter.core.judge import Reasoning, reason
from hunter.core.judgement import Axis, Evidence, Segment
from hunter.core.registration import Registration
from hunter.core.score import total

#: a judgement takes a tenth of a millisecond: this many of each kind are tried
_MAX_TRIES = 30
_MICROSOFT_TXT = ("MS=ms12345678", "v=spf1 include:spf.protection.outlook.com -all")
_DKIM_TARGET = "{selector}-{label}._domainkey.tenant.onmicrosoft.com"
#: what Microsoft's set-up would put there: the answer that says most
_MICROSOFT_ANSWERS = {
    "CNAME autodiscover": "autodiscover.outlook.com",
    "CNAME enterpriseregistration": "enterpriseregistration.windows.net",
    "CNAME enterpriseenrollment": "enterpriseenrollment-s.manage.microsoft.com",
    "CNAME lyncdiscover": "webdir.online.lync.com",
    "CNAME sip": "sipdir.online.lync.com",
    "CNAME msoid": "clientconfig.microsoftonline-p.net",
    "SRV _sipfederationtls._tcp": "100 1 5061 sipfed.online.lync.com",
    "SRV _autodiscover._tcp": "0 0 443 autodiscover.outlook.com",
}
#: stands for every question without an answer
ALL = "*"


class WhatIf(msgspec.Struct, frozen=True):
    """One change of what DNS says, and the judgement it would lead to."""

    #: without: the record were not there; with: the answer were this record; absent: it proved an absence
    change: Literal["without", "with", "absent"]
    #: "contoso.com MX"; "*" stands for every question without an answer
    question: str
    #: taken out, or put in; "" for an absence
    records: tuple[str, ...]
    segment: Segment
    priority: int
    score: int
    provider: str | None
    tenant_state: str
    confidence: float | None
    #: True when segment, priority, provider or tenant state would be another
    turns: bool


def what_if(
    survey: Survey, why: Reasoning, registration: Registration | None
) -> tuple[WhatIf, ...]:
    """What would turn a judgement, those that turn it first, and the record that carries most.

    Each is a judgement of its own over the changed survey: nothing is estimated.
    """
    trials = [*_removals(survey, why), *_answers(survey, why)]
    found = [_judged(change, changed, why, registration) for change, changed in trials]
    turning = [each for each in found if each.turns]
    kept = [each for each in found if not each.turns and each.change == "without"]
    strongest = min(kept, key=lambda each: (each.confidence or 0, each.score), default=None)
    if strongest is not None and not any(each.change == "without" for each in turning):
        turning.append(strongest)
    return tuple(turning)


#: kind of change, question, records
_Change = tuple[Literal["without", "with", "absent"], str, tuple[str, ...]]


def _judged(
    change: _Change, changed: Survey, why: Reasoning, registration: Registration | None
) -> WhatIf:
    case = why.case
    new = reason(changed, case.history, case.rules, case.as_of, registration)
    return WhatIf(
        *change,
        segment=new.segment,
        priority=new.priority,
        score=total(new.lines, Axis.FIT) + total(new.lines, Axis.URGENCY),
        provider=new.case.place.provider,
        tenant_state=new.case.tenant_state,
        confidence=_rounded(new.case.place.confidence),
        turns=_decided(new) != _decided(why),
    )


def _rounded(confidence: float | None) -> float | None:
    return None if confidence is None else round(confidence, 3)


def _decided(why: Reasoning) -> tuple[object, ...]:
    return why.segment, why.priority, why.case.place.provider, why.case.tenant_state


def _removals(survey: Survey, why: Reasoning) -> Iterator[tuple[_Change, Survey]]:
    """The survey without each record that something rests on; the hosts of one operator go together."""
    case = why.case
    tried = 0
    for question, records in _grounds(case):
        answer = survey.answers.get(question)
        if answer is None or tried >= _MAX_TRIES:
            continue
        tried += 1
        yield ("without", question, records), _changed(survey, [_without(answer, records, case)])


def _grounds(case: Case) -> list[tuple[str, tuple[str, ...]]]:
    """Records that facts rest on, as (question, records taken out together)."""
    proofs: list[Evidence] = [*case.place.evidence]
    proofs += [each for fact in case.facts.values() for each in fact.evidence]
    proofs += [
        each for suite in case.seen.proved.values() for found in suite.values() for each in found
    ]
    proofs += [each for _, signal in case.tenant.values() for each in signal.evidence]
    single = dict.fromkeys(
        (each.question, each.record)
        for each in proofs
        if each.record and not each.question.endswith((" MX", " NS"))
    )
    found = [(question, (record,)) for question, record in single]
    return [*_mx_groups(case), *_name_servers(case), *found]


def _mx_groups(case: Case) -> list[tuple[str, tuple[str, ...]]]:
    mx, mail = case.seen.mx, case.seen.mail
    if mx is None or mail is None:
        return []
    operators = {host.host: host.operator for host in mail.hosts}
    groups: dict[str, list[str]] = {}
    for record in sorted(mx.records):
        host = record.strip().rpartition(" ")[2].lower().removesuffix(".")
        groups.setdefault(operators.get(host, host), []).append(record)
    return [(mx.question, tuple(records)) for records in groups.values()]


def _name_servers(case: Case) -> list[tuple[str, tuple[str, ...]]]:
    """The name servers together, where a fact of placement rests on them."""
    found = [each for each in case.place.evidence if each.question.endswith(" NS")]
    return [(found[0].question, tuple(each.record for each in found))] if found else []


def _without(answer: Answer, records: tuple[str, ...], case: Case) -> Answer:
    """The answer had these records, or the alias that led to them, not been there."""
    left = tuple(each for each in answer.records if each not in records)
    if left and not set(records) & set(answer.chain):
        return msgspec.structs.replace(answer, records=left)
    return _absent(answer.name, answer.rrtype, case.seen.survey.domain)


def _answers(survey: Survey, why: Reasoning) -> Iterator[tuple[_Change, Survey]]:
    """The survey with each unanswered question answered either way, and with all of them at once."""
    open_questions = _open(survey, why.case)[:_MAX_TRIES]
    no = [_absent(name, rrtype, survey.domain) for name, rrtype in open_questions]
    yes = [_microsoft(name, rrtype, survey.domain) for name, rrtype in open_questions]
    for absent, present in zip(no, yes, strict=True):
        yield ("absent", absent.question, ()), _changed(survey, [absent])
        if present is not None:
            shown = (*present.chain, *present.records)
            yield ("with", present.question, shown), _changed(survey, [present])
    if len(no) > 1:
        yield ("absent", ALL, ()), _changed(survey, no)
        yield ("with", ALL, ()), _changed(survey, [*no, *(each for each in yes if each)])


def _open(survey: Survey, case: Case) -> list[tuple[str, RRType]]:
    """Questions about the domain without an answer, the deciding ones first."""
    silent = case.facts.get("tenant_unanswered")
    deciding = [*case.place.missing, *(silent.evidence if silent is not None else ())]
    names = [each.question for each in deciding]
    names += sorted(each.question for each in survey.answers.values() if not each.outcome.is_known)
    pairs = dict.fromkeys(names)
    return [(name, RRType(rrtype)) for name, _, rrtype in (each.partition(" ") for each in pairs)]


def _absent(name: str, rrtype: RRType, domain: str) -> Answer:
    """Proof that a record is not there: the domain itself exists all the same."""
    outcome = Outcome.NODATA if name == domain else Outcome.NXDOMAIN
    return Answer(name, rrtype, outcome)


def _microsoft(name: str, rrtype: RRType, domain: str) -> Answer | None:
    """What the question would bring from a domain set up at Microsoft 365; None for other questions."""
    label = name.removesuffix(domain).removesuffix(".")
    if rrtype is RRType.MX and not label:
        host = f"0 {encode_label(domain)}.mail.protection.outlook.com"
        return Answer(name, rrtype, Outcome.FOUND, (host,))
    if rrtype is RRType.TXT and not label:
        return Answer(name, rrtype, Outcome.FOUND, _MICROSOFT_TXT)
    selector, _, rest = label.partition("._domainkey")
    if rrtype is RRType.TXT and selector in {"selector1", "selector2"} and not rest:
        target = _DKIM_TARGET.format(selector=selector, label=encode_label(domain))
        return Answer(name, rrtype, Outcome.NXDOMAIN, (), (target,))
    record = _MICROSOFT_ANSWERS.get(f"{rrtype} {label}")
    return None if record is None else Answer(name, rrtype, Outcome.FOUND, (record,))


def _changed(survey: Survey, answers: Iterable[Answer]) -> Survey:
    new = {each.question: each for each in answers}
    return msgspec.structs.replace(survey, answers=survey.answers | new)
