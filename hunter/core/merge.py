"""What is known of a domain after a scan: new answers, and the last known ones where nobody answered."""

from __future__ import annotations

import datetime as dt

import msgspec

from hunter.core.answers import Outcome, PolicyFile, PolicyState, RRType, Survey

#: an inherited answer older than this is dropped: nobody should sell on it any more
KEEP_DAYS = 180


def merge(previous: Survey | None, current: Survey, observed_at: str) -> Survey:
    """`current`, with the last known answer wherever this scan has none.

    `observed_at` is when `previous` was observed (ISO 8601); an inherited answer carries it as
    `stale_since`, or keeps the earlier one it has. Answers that `previous` had and this scan did
    not ask for (another depth, other selectors) are inherited too. A domain that is gone
    (NXDOMAIN without a CNAME, RFC 8020) inherits nothing.

    Who does not know the MX asks for selectors that the known one would not have brought up. When
    nobody answers those either, they are left out: not to know more must not make us know less.
    """
    if previous is None or previous.domain != current.domain or _is_gone(current):
        return current
    answers = dict(current.answers)
    if _knows_mx(previous) and not _knows_mx(current):
        answers = {
            question: answer
            for question, answer in answers.items()
            if answer.outcome.is_known or question in previous.answers
        }
    for question, old in previous.answers.items():
        new = answers.get(question)
        if new is not None and new.outcome.is_known:
            continue
        if not old.outcome.is_known:
            continue
        since = old.stale_since or observed_at
        if _age(since, observed_at) <= KEEP_DAYS:
            answers[question] = msgspec.structs.replace(old, stale_since=since)
    policy = _policy(previous, current, observed_at)
    if answers == current.answers and policy is current.policy:
        return current
    return msgspec.structs.replace(current, answers=answers, policy=policy)


def _policy(previous: Survey, current: Survey, observed_at: str) -> PolicyFile | None:
    """The policy file as last known, unless this scan knows it or the record that calls for it is gone."""
    new, old = current.policy, previous.policy
    record = current.get(RRType.TXT, "_mta-sts")
    if old is None or old.state is PolicyState.UNKNOWN or (record and record.outcome.is_absent):
        return new
    if new is not None and new.state is not PolicyState.UNKNOWN:
        return new
    since = old.stale_since or observed_at
    if _age(since, observed_at) > KEEP_DAYS:
        return new
    return msgspec.structs.replace(old, stale_since=since)


def _is_gone(survey: Survey) -> bool:
    mx = survey.get(RRType.MX)
    return mx is not None and mx.outcome is Outcome.NXDOMAIN and not mx.chain


def _knows_mx(survey: Survey) -> bool:
    mx = survey.get(RRType.MX)
    return mx is not None and mx.outcome.is_known


def _age(since: str, until: str) -> int:
    """Whole days between two ISO 8601 instants; 0 when one of them is not an instant."""
    try:
        return (dt.datetime.fromisoformat(until) - dt.datetime.fromisoformat(since)).days
    except (TypeError, ValueError):
        return 0
