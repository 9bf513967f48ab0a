"""What is to be written about one domain: its survey merged, judged and encoded, or why not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from time import thread_time
from typing import Final, TypeAlias
from uuid import UUID

import msgspec

from hunter.core.answers import Survey
from hunter.core.decay import decays
from hunter.core.facts import Rules
from hunter.core.history import next_history
from hunter.core.idn import to_unicode
from hunter.core.judge import judge
from hunter.core.judgement import History, Judgement, ScanStatus
from hunter.core.merge import merge
from hunter.core.suffixes import registrable_domain
from hunter.ops.stages import StageClock
from hunter.store.identifiers import uuid7
from hunter.store.ingests import search_text
from hunter.store.judged import JudgedLead, Observed, Standing
from hunter.store.results import NewResult

_REASON_CHARS: Final = 300

#: what a survey ended with: the answers, or why Hunter has none
Seen: TypeAlias = "Survey | str"


class Verdict(msgspec.Struct, frozen=True):
    """What is to be written about one domain."""

    result: NewResult
    lead: JudgedLead | None = None
    #: what was seen, new or the same as before
    observed: Observed | None = None
    is_new: bool = False
    #: True when the lead was last judged by other rules
    is_by_other_rules: bool = False


def verdict_on(
    at: dt.datetime, seen: Survey, standing: Standing, rules: Rules, clock: StageClock
) -> Verdict:
    """Judge one domain, surveyed from `at` on, and encode what is to be written about it."""
    began = thread_time()
    merged = merge(standing.previous, seen, standing.observed_at)
    as_of = at.astimezone(dt.UTC).date()
    judgement = judge(merged, standing.history, rules, as_of, standing.registration)
    history = next_history(standing.history, judgement, as_of)
    judged_at = thread_time()
    clock.charge("judge", judged_at - began)
    is_late = standing.last_scanned_at is not None and standing.last_scanned_at > at
    if is_late:  # a later survey was written already: keep its state
        verdict = Verdict(_result(seen, judgement, _json(judgement), survey=_json(seen)))
    else:
        verdict = _current(
            seen,
            merged,
            judgement,
            history,
            standing,
            judged_on=as_of,
            is_decaying=decays(judgement, rules, as_of, standing.registration),
        )
    clock.charge("encode", thread_time() - judged_at)
    return verdict


def _current(
    seen: Survey,
    merged: Survey,
    judgement: Judgement,
    history: History,
    standing: Standing,
    *,
    judged_on: dt.date,
    is_decaying: bool,
) -> Verdict:
    """The verdict of the latest survey, which becomes the lead's."""
    is_same = judgement.fingerprint == standing.fingerprint
    earlier = standing.observation_id if is_same else None
    observed = Observed(
        id=earlier or uuid7(),
        domain=seen.domain,
        fingerprint=judgement.fingerprint,
        rules_version=judgement.rules_version,
        score=judgement.score,
        evidence=_json(merged) if earlier is None or _is_news(standing, merged) else None,
    )
    encoded = _json(judgement)
    is_own = merged.answers == seen.answers and merged.policy == seen.policy
    result = _result(
        seen,
        judgement,
        encoded,
        survey=None if is_own else _json(seen),
        observation_id=observed.id,
    )
    lead = JudgedLead(judgement, encoded, history, observed.id, judged_on, is_decaying)
    return Verdict(
        result,
        lead,
        observed,
        is_new=earlier is None,
        is_by_other_rules=standing.rules_version not in {None, judgement.rules_version},
    )


def _result(
    seen: Survey,
    judgement: Judgement,
    encoded: str,
    *,
    survey: str | None,
    observation_id: UUID | None = None,
) -> NewResult:
    return NewResult(
        domain=seen.domain,
        outcome=judgement.scan_status.value,
        reason=None,
        judgement=encoded,
        survey=survey,
        observation_id=observation_id,
    )


def _is_news(standing: Standing, merged: Survey) -> bool:
    """True when the stored evidence does not say the same: other values, questions or ages.

    TTLs alone are no news; an inherited answer is, or its age would be lost at the next merge.
    """
    before = standing.previous
    if before is None:
        return True
    if before.policy != merged.policy or before.answers.keys() != merged.answers.keys():
        return True
    return any(answer.stale_since for each in (before, merged) for answer in each.answers.values())


def failed(domain: str, reason: str) -> Verdict:
    """Hunter itself failed on a domain."""
    return Verdict(NewResult(domain, ScanStatus.FAILED.value, reason, None, None, None))


def reason_of(step: str, error: Exception) -> str:
    """Why Hunter failed, in text PostgreSQL can hold."""
    text = f"{step}: {type(error).__name__}: {error}"[:_REASON_CHARS].replace("\0", "")
    return text.encode("utf-8", "replace").decode()


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def registrable_of(verdicts: Sequence[Verdict]) -> list[str]:
    """The leads among these that a registry knows: names below one are not registered by themselves."""
    domains = [verdict.result.domain for verdict in verdicts if verdict.lead]
    return [domain for domain in domains if registrable_domain(domain) == domain]


def names_of(domains: Sequence[str]) -> tuple[list[str], list[str]]:
    """For new leads: the names as people read them, and what search looks at."""
    shown = [to_unicode(domain) for domain in domains]
    return shown, [search_text(*names) for names in zip(domains, shown, strict=True)]


def counts_of(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """How many ended ok, failed and unknown."""
    outcomes = [verdict.result.outcome for verdict in verdicts]
    ends = (ScanStatus.OK, ScanStatus.FAILED, ScanStatus.UNKNOWN)
    return {status.value: outcomes.count(status) for status in ends}
