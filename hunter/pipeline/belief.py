"""What is believed of a domain after a survey: what agrees, what waits, and what became different."""

from __future__ import annotations

import datetime as dt
from typing import Final

import msgspec

from hunter.core.answers import RRType, Survey
from hunter.core.changes import Found, Kind, find_changes
from hunter.core.facts import Rules
from hunter.core.history import next_history
from hunter.core.judge import judge
from hunter.core.judgement import History, Judgement, ScanStatus
from hunter.core.pending import Doubt, differing, settle
from hunter.core.schedule import Watch
from hunter.store.judged import Standing

_TLSA: Final = RRType.TLSA


class Belief(msgspec.Struct, frozen=True):
    """A survey weighed against what was known."""

    #: what is believed, and what is concluded from it
    survey: Survey
    judgement: Judgement
    #: history after it
    history: History
    #: what is concluded from all that was seen, answers not believed yet included
    seen: Judgement
    doubts: dict[str, Doubt]
    changes: list[Found]


def believe(
    at: dt.datetime,
    merged: Survey,
    standing: Standing,
    rules: Rules,
    *,
    watch: Watch,
) -> Belief:
    """Weigh the merged survey of a domain, surveyed from `at` on."""
    as_of = at.astimezone(dt.UTC).date()
    registration = standing.registration

    def judge_now(survey: Survey, history: History = standing.history) -> Judgement:
        return judge(survey, history, rules, as_of, registration)

    seen = judge_now(merged)
    previous = standing.previous
    if previous is None or _says_nothing_new(seen, merged, previous, standing):
        history = next_history(standing.history, seen, as_of)
        return Belief(merged, seen, history, seen, {}, _failure(seen, merged, previous))
    settled = settle(
        previous,
        merged,
        standing.doubts,
        at,
        wait_s=watch.confirm_s,
        second=watch.second,
        is_held=standing.is_held,
    )
    survey, judgement = settled.survey, seen
    if survey is not merged:
        judgement = judge_now(survey)
    history = next_history(standing.history, judgement, as_of)
    changes = _failure(judgement, survey, previous)
    other_rules = standing.rules_version != rules.version
    if differing(previous, survey):
        # what moved counts at once as what moved today
        judgement = judge_now(survey, history)
        changes += find_changes(
            previous,
            survey,
            (judge_now, lambda each: judge_now(each, history)),
            judgement=judgement,
            other_rules=other_rules,
        )
    elif other_rules:
        changes += find_changes(previous, survey, (judge_now, judge_now), other_rules=True)
    return Belief(survey, judgement, history, seen, settled.doubts, changes)


def _says_nothing_new(
    seen: Judgement, merged: Survey, previous: Survey, standing: Standing
) -> bool:
    """True for nearly every scan: what is published is what was, and nothing waits."""
    if seen.fingerprint != standing.fingerprint or standing.doubts:
        return False
    # the one kind of watched record that no fingerprint covers
    return not any(
        answer.rrtype is _TLSA and answer.records != old.records
        for question, answer in merged.answers.items()
        if (old := previous.answers.get(question)) is not None
    )


def _failure(judgement: Judgement, merged: Survey, previous: Survey | None) -> list[Found]:
    """That a deciding question went unanswered, told when it begins and not at every scan."""
    if previous is None or judgement.scan_status is not ScanStatus.UNKNOWN:
        return []
    silent = sorted(
        question
        for question, answer in merged.answers.items()
        if answer.stale_since
        and (old := previous.answers.get(question)) is not None
        and not old.stale_since
    )
    had_silence = any(answer.stale_since for answer in previous.answers.values())
    if not silent or had_silence:
        return []
    return [
        Found(
            Kind.OBSERVATION_FAILED,
            {"answered": silent[:_TOLD]},
            {"answered": []},
        )
    ]


#: unanswered questions named in one event
_TOLD: Final = 10
