"""Every golden zone while nobody answers one of its questions, or all of one kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import pytest

from hunter.core.answers import Answer, Outcome, RRType, Survey
from hunter.core.judge import judge
from hunter.core.judgement import NO_HISTORY, Judgement, ScanStatus, Segment, State
from hunter.knowledge.load import load_knowledge
from tests.golden.cases import Case, load_cases, situation

RULES = load_knowledge().rules
#: a first look, so that nothing known from before answers for the silence
CASES = [case for cases in load_cases().values() for case in cases if not case.before]
_TAKEOVER = 2
Silent = Callable[[Answer], bool]
#: what speaks against a call: nobody can know of it while it is not answered
_AGAINST = "is_msp"


def _silences(survey: Survey) -> Iterator[tuple[str, Silent]]:
    for rrtype in RRType:
        yield f"every {rrtype}", lambda each, kind=rrtype: each.rrtype is kind  # type: ignore[misc]
    yield "every name below", lambda each: each.name != survey.domain
    yield "everything but the MX", lambda each: each.rrtype is not RRType.MX
    yield "every key", lambda each: "_domainkey" in each.name
    for question in survey.answers:
        yield question, lambda each, one=question: each.question == one  # type: ignore[misc]


def _silenced(survey: Survey, is_silent: Silent) -> Survey:
    answers = {
        question: Answer(each.name, each.rrtype, Outcome.SERVFAIL) if is_silent(each) else each
        for question, each in survey.answers.items()
    }
    return msgspec.structs.replace(survey, answers=answers)


def _faults(full: Judgement, part: Judgement) -> Iterator[str]:
    """What a partial answer says that it must not."""
    if part.segment is Segment.SKIP is not full.segment:
        yield "skipped"
    if None not in {part.provider, full.provider} and part.provider != full.provider:
        yield f"{part.provider} in the place of {full.provider}"
    if part.provider == full.provider and (part.confidence or 0) > (full.confidence or 1):
        yield f"surer: {full.confidence} to {part.confidence}"
    for name, signal in part.signals.items():
        before = full.signals.get(name)
        if before and before.state is State.PRESENT and signal.state is State.ABSENT:
            yield f"denies {name}"
    if None not in {part.posture, full.posture} and str(part.posture) < str(full.posture):
        yield f"better posture: {full.posture} to {part.posture}"
    codes = {line.code for line in full.lines}
    if _AGAINST in codes:
        return
    if part.score > full.score:
        yield f"earns {part.score - full.score}"
    # a customer of Dynamics whose trace is hidden is a migration until it shows: scanned again soon
    # for that, and no lead to call first
    is_hidden = "existing_dynamics" in codes and part.scan_status is ScanStatus.UNKNOWN
    if part.priority < (_TAKEOVER if is_hidden and _is_open(part) else full.priority):
        yield f"called earlier: {full.priority} to {part.priority}"
    known = {part.segment, full.segment} - {Segment.UNKNOWN}
    if len(known) > 1 and not is_hidden:
        yield f"{part.segment} in the place of {full.segment}"


def _is_open(judged: Judgement) -> bool:
    """True when the reason says that nobody answered about Microsoft: then priority 2 is argued."""
    return judged.reason_code.startswith("open_")


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_partial_outage_claims_denies_and_earns_nothing(case: Case) -> None:
    given = situation(case.name)
    full = judge(given.survey, NO_HISTORY, RULES, given.as_of)
    for what, is_silent in _silences(given.survey):
        part = judge(_silenced(given.survey, is_silent), NO_HISTORY, RULES, given.as_of)
        assert [*_faults(full, part)] == [], what
