"""A whole survey, judged: what the parsers make of strangers' records when all of them come together."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

from hunter.core.answers import Depth, Survey, survey_of
from hunter.core.dmarc import without_mailboxes
from hunter.core.facts import Rules
from hunter.core.judge import judge
from hunter.core.judgement import NO_HISTORY, Judgement, ScanStatus, Segment
from hunter.knowledge.load import load_knowledge
from hunter.resolver.survey import kept
from tests.fuzz.inputs import Zone
from tests.fuzz.rules import hold, hold_findings

_DAY = dt.date(2026, 11, 24)
_DOMAIN = "contoso.com"
_MOST_FINDINGS = 100
_MOST_HOSTS = 50


@lru_cache(maxsize=1)
def _rules() -> Rules:
    return load_knowledge().rules


def _judged(survey: Survey) -> Judgement:
    return judge(survey, NO_HISTORY, _rules(), _DAY)


def check_judgement(data: bytes) -> None:
    """Any survey is judged, the sum is the sum of its lines, and order says nothing."""
    zone = Zone(data)
    for depth in Depth:
        said = _judged(survey_of(_DOMAIN, depth, [kept(each) for each in zone.answers()]))
        _check(said, len(data))
        backwards = [kept(each) for each in zone.answers(backwards=True)]
        other = _judged(survey_of(_DOMAIN, depth, backwards))
        assert other.fingerprint == said.fingerprint
        assert (other.score, other.segment, other.provider) == (
            said.score,
            said.segment,
            said.provider,
        ), "the order of records says nothing"
        assert other.signals.keys() == said.signals.keys()
        assert {each.code for each in other.findings} == {each.code for each in said.findings}


def _check(said: Judgement, size: int) -> None:
    hold(said, 100 * size + 1000)
    hold_findings(said.findings, 2 * size, "")
    assert len(said.findings) <= _MOST_FINDINGS
    assert len(said.mx.evidence) <= _MOST_HOSTS
    assert said.score == said.fit + said.urgency == sum(line.points for line in said.lines)
    assert said.confidence is None or 0 <= said.confidence <= 1
    assert 1 <= said.priority <= 6
    assert said.posture is None or said.posture in tuple("ABCDEF")
    assert said.segment is not Segment.UNKNOWN or said.scan_status is ScanStatus.UNKNOWN
    assert all(line.reason.strip() for line in said.lines)
    shown = [each for line in said.lines for each in line.evidence]
    shown += [each for signal in said.signals.values() for each in signal.evidence]
    for each in shown:
        if each.question.startswith("_dmarc."):
            assert without_mailboxes(each.record) == each.record, "a mailbox is a person's"
