"""What a judgement shows of the records themselves, and what would change it."""

from __future__ import annotations

from collections.abc import Iterable

from hunter.core import identity
from hunter.core.answers import Answer, Outcome, RRType
from hunter.core.case import Case
from hunter.core.exchange_online import label_findings
from hunter.core.facts import ChangeRow, Promise
from hunter.core.judgement import MAX_EVIDENCE, Finding, Segment, Signal, State
from hunter.core.score import Fact, fill, priority_row
from hunter.core.seen import Seen, not_asked, proof, signal_of
from hunter.core.sender import DmarcView

#: read once: at each use Python 3.11 takes longer for Enum.MEMBER than for a dictionary
_PRESENT, _ABSENT, _UNKNOWN = State.PRESENT, State.ABSENT, State.UNKNOWN
_MX, _TXT = RRType.MX, RRType.TXT
_NXDOMAIN = Outcome.NXDOMAIN
_MAX_FINDINGS = 100
#: feature of the identity model → what would be missing without it
FEATURES = {
    "autodiscover": "the autodiscover record",
    "spf": "the SPF entry",
    "dkim": "the DKIM record",
    "mx_target": "where the MX host leads",
    "addon": "the signature or security add-on",
    "account": "the ownership proof",
    "federation": "the Exchange federation proof",
}


def mx_signal(seen: Seen) -> Signal:
    if seen.mx is None:
        return Signal(_UNKNOWN, "", (not_asked(seen.survey, _MX),))
    records = seen.mx_records[:MAX_EVIDENCE]
    if not records:
        return signal_of(seen.mx)
    more = len(seen.mx_records) - len(records)
    return Signal(
        _PRESENT,
        ", ".join(records) + (f" and {more} more" if more else ""),
        seen.mx_evidence,
        seen.mx.stale_since,
    )


def spf_signal(seen: Seen, txt: Answer | None) -> Signal:
    if txt is None:
        return Signal(_UNKNOWN, "", (not_asked(seen.survey, _TXT),))
    return signal_of(txt, seen.spf.record, seen.spf.record)


def dkim_signal(seen: Seen) -> Signal:
    """Present with its selectors; absent only where nothing exists below _domainkey (RFC 8020)."""
    keys = [key for key in seen.keys if key.is_valid]
    if keys:
        return Signal(
            _PRESENT,
            " ".join(sorted(key.selector for key in keys)),
            tuple(key.evidence for key in keys),
        )
    above = seen.survey.get(_TXT, "_domainkey")
    if above is not None and above.outcome is _NXDOMAIN:
        return Signal(_ABSENT, "", (proof(above),))
    below = "._domainkey." + seen.survey.domain
    asked = [each for each in seen.survey.answers.values() if each.name.endswith(below)]
    asked.sort(key=lambda answer: answer.name)
    return Signal(_UNKNOWN, "", tuple(proof(answer) for answer in asked))


def findings_of(seen: Seen, dmarc: DmarcView, others: Iterable[Finding]) -> tuple[Finding, ...]:
    """Faults of the mail set-up, each with how to put it right."""
    found = [*(seen.mail.findings if seen.mail is not None else ()), *seen.spf.findings]
    found += dmarc.findings
    found += [finding for key in seen.keys for finding in key.findings]
    found += label_findings(seen)
    found += others
    return tuple(dict.fromkeys(found))[:_MAX_FINDINGS] if found else ()


def open_changes(case: Case, segment: Segment, priority: int) -> list[ChangeRow]:
    """Rows of the table of changes that hold and promise what is not there yet."""
    return [
        row
        for row in case.rules.changes.holding(case.facts)
        if row.promise is None or _can_come(row.promise, case, segment, priority)
    ]


def _can_come(promise: Promise, case: Case, segment: Segment, priority: int) -> bool:
    confidence = case.place.confidence
    if promise is Promise.CERTAIN:
        return identity.word(confidence, case.rules.identity) != "sure"
    if segment in {Segment.EXISTING, Segment.SKIP}:
        return False
    if promise is Promise.EXISTING:
        return True
    then = priority_row(
        case.rules.priorities,
        {**case.facts, "tenant_without_mail": Fact(())},
        segment=Segment.MIGRATION,
        score=0,
        urgency=0,
        confidence=1.0 if confidence is None else confidence,
    )
    return priority != 1 and then is not None and then.priority == 1


def would_change(
    case: Case, names: dict[str, str], segment: Segment, priority: int
) -> tuple[str, ...]:
    """What would turn the judgement, in sentences."""
    place, facts, rules = case.place, case.facts, case.rules
    found = []
    pillar = place.pillar
    if pillar is not None and place.fact:
        chance = pillar.without
        found.append(
            f"Without {FEATURES[pillar.feature]}, {names['provider']} would be {identity.word(chance, rules.identity)} ({chance:.2f})."
        )
    found += [
        fill(row.sentence, facts, names, case.as_of)
        for row in open_changes(case, segment, priority)
    ]
    return tuple(found)
