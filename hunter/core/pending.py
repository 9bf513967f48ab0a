"""Answers that contradict what is known of a domain, held back until a second look agrees."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Final

import msgspec

from hunter.core.answers import Answer, Outcome, RRType, Survey

#: records a change can be read from; addresses, serials and TTLs change by themselves
_WATCHED: Final = frozenset(
    {RRType.MX, RRType.TXT, RRType.NS, RRType.CNAME, RRType.SRV, RRType.CAA, RRType.DS, RRType.TLSA}
)
_MX, _TXT = RRType.MX, RRType.TXT
_NXDOMAIN = Outcome.NXDOMAIN
#: seconds by which two looks at one cached copy may differ from the time between them
_COPY_SLACK_S: Final = 2.0
#: an answer that was another one so often in a row hides nothing else any more
RESTLESS: Final = 3


class Doubt(msgspec.Struct, frozen=True, omit_defaults=True):
    """A new answer to one question, seen and not yet believed."""

    answer: Answer
    #: ISO 8601 instant of the look that saw it first
    since: str
    #: looks before that which saw something else again
    restarts: int = 0


class Settled(msgspec.Struct, frozen=True):
    """What is believed of a domain after a look, and what is not yet."""

    #: the merged survey, with the earlier answer wherever the new one is held back
    survey: Survey
    #: by question
    doubts: dict[str, Doubt]


def settle(
    previous: Survey,
    merged: Survey,
    doubts: Mapping[str, Doubt],
    at: dt.datetime,
    *,
    wait_s: float,
    second: frozenset[str] = frozenset(),
    is_held: bool = False,
) -> Settled:
    """Believe what agrees with what was known, or was seen before by a look of its own.

    `merged` is this look over `previous` (`hunter.core.merge`). An answer that differs from a known
    one is held back; the same one `wait_s` later, not out of the same copy in a cache, or at once
    where one of the two looks was through the name servers `second`, is believed, unless
    `is_held`. The earlier answer come back refutes a doubt; silence
    neither confirms nor refutes it.
    """
    held: dict[str, Doubt] = {}
    partly: dict[str, Answer] = {}
    for question, new in merged.answers.items():
        if not _is_watched(new, merged.domain):
            continue
        old, doubt = previous.answers.get(question), doubts.get(question)
        if new.stale_since or not new.outcome.is_known:
            if doubt is not None:
                held[question] = doubt
        elif old is None or not old.outcome.is_known or says_same(old, new):
            continue
        elif doubt is None or (
            is_held or (not _is_seconded(doubt, new, second) and _is_early(doubt, new, at, wait_s))
        ):
            held[question] = _doubted(doubt, new, at)
        elif not says_same(doubt.answer, new):
            held[question] = _doubted(doubt, new, at)
            if (agreed := _agreed(old, doubt.answer, new)) is not None:
                partly[question] = agreed
    if not held:
        return Settled(merged, {})
    if f"{merged.domain} {_MX}" in held and is_gone(previous) != is_gone(merged):
        # nothing else was asked about a name that may be gone
        return Settled(_kept(previous, merged), held)
    return Settled(_without(merged, previous, held, partly), held)


def differing(before: Survey, after: Survey) -> list[str]:
    """Watched questions answered on both sides, by different things."""
    return [
        question
        for question, new in after.answers.items()
        if (old := before.answers.get(question)) is not None
        and _is_watched(new, after.domain)
        and old.outcome.is_known
        and new.outcome.is_known
        and not says_same(old, new)
    ]


def says_same(one: Answer, other: Answer) -> bool:
    """True when two known answers say the same: order, TTL and kind of absence aside."""
    if one.chain != other.chain or sorted(one.records) != sorted(other.records):
        return False
    is_missing = one.rrtype is _MX and not one.chain
    return not is_missing or (one.outcome is _NXDOMAIN) == (other.outcome is _NXDOMAIN)


def is_gone(survey: Survey) -> bool:
    """True when the domain does not exist (RFC 8020)."""
    mx = survey.get(_MX)
    return mx is not None and mx.outcome is _NXDOMAIN and not mx.chain


def look_again_s(
    doubts: Mapping[str, Doubt],
    at: dt.datetime,
    *,
    wait_s: float,
    second: frozenset[str] = frozenset(),
) -> float:
    """Seconds after `at` at which a second look can tell something.

    At once where another resolver can be asked; when the wait is over; after that, when caches have let go of what was seen first. Twice as long
    after each look that saw something else again.
    """
    now = at.isoformat()
    if second and any(
        doubt.since == now and not doubt.restarts and doubt.answer.server not in second
        for doubt in doubts.values()
    ):
        return 0.0
    return min(_pause_s(doubt, at, wait_s) for doubt in doubts.values())


def _pause_s(doubt: Doubt, at: dt.datetime, wait_s: float) -> float:
    elapsed_s = (at - dt.datetime.fromisoformat(doubt.since)).total_seconds()
    if elapsed_s < wait_s:
        return float(wait_s * 2**doubt.restarts - elapsed_s)
    return max(wait_s, doubt.answer.ttl - elapsed_s + _COPY_SLACK_S)


def _is_watched(answer: Answer, domain: str) -> bool:
    """True for records that the domain's own zone holds."""
    if answer.rrtype not in _WATCHED:
        return False
    return answer.name == domain or answer.name.endswith("." + domain)


def _doubted(doubt: Doubt | None, new: Answer, at: dt.datetime) -> Doubt:
    if doubt is None:
        return Doubt(new, at.isoformat())
    if says_same(doubt.answer, new):
        return doubt
    return Doubt(new, at.isoformat(), min(doubt.restarts + 1, 10))


def _is_seconded(doubt: Doubt, new: Answer, second: frozenset[str]) -> bool:
    """True when the two looks went through different resolvers."""
    return (doubt.answer.server in second) != (new.server in second)


def _is_early(doubt: Doubt, new: Answer, at: dt.datetime, wait_s: float) -> bool:
    """True when this look is no second one: too soon, or at the copy a cache kept of the first."""
    elapsed_s = (at - dt.datetime.fromisoformat(doubt.since)).total_seconds()
    left_s = doubt.answer.ttl - elapsed_s
    is_copy = elapsed_s > _COPY_SLACK_S and left_s > 0 and abs(left_s - new.ttl) <= _COPY_SLACK_S
    return elapsed_s < wait_s or is_copy


def _agreed(old: Answer, doubted: Answer, new: Answer) -> Answer | None:
    """Of TXT records, what two of three looks saw: one that is another each time hides no other.

    None where that is nothing, or what was known.
    """
    if new.rrtype is not _TXT or new.chain != old.chain:
        return None
    known, once, now = set(old.records), set(doubted.records), set(new.records)
    records = sorted((now & (known | once)) | (known & once))
    if not records or set(records) == known:
        return None
    return msgspec.structs.replace(new, records=tuple(records))


def _kept(previous: Survey, merged: Survey) -> Survey:
    return msgspec.structs.replace(previous, queries=merged.queries, duration_ms=merged.duration_ms)


def _without(
    merged: Survey, previous: Survey, held: Mapping[str, Doubt], partly: Mapping[str, Answer]
) -> Survey:
    """`merged` with earlier answers in place of those held back.

    What was asked for the first time came of answers not believed yet, and waits with them.
    """
    waits = any(each.restarts < RESTLESS for each in held.values())
    answers = {}
    for question, new in merged.answers.items():
        if question in partly:
            answers[question] = partly[question]
        elif question in held:
            # silence is not held back: it says since when nobody answered
            is_heard = new.outcome.is_known and not new.stale_since
            answers[question] = previous.answers[question] if is_heard else new
        elif not waits or question in previous.answers:
            answers[question] = new
    return msgspec.structs.replace(merged, answers=answers)
