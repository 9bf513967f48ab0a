"""What is to be written about one domain: its survey merged, judged and encoded, or why not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from time import thread_time
from typing import Final, TypeAlias
from uuid import UUID

import msgspec

from hunter.core.answers import Survey
from hunter.core.changes import Found
from hunter.core.decay import decays
from hunter.core.facts import Rules
from hunter.core.idn import to_unicode
from hunter.core.judgement import Judgement, ScanStatus
from hunter.core.merge import merge
from hunter.core.pending import is_gone, look_again_s
from hunter.core.schedule import Watch, next_scan_at
from hunter.core.suffixes import registrable_domain
from hunter.ops.stages import StageClock
from hunter.pipeline.belief import Belief, believe
from hunter.store.changes import Change
from hunter.store.identifiers import uuid7
from hunter.store.ingests import search_text
from hunter.store.judged import JudgedLead, Observed, Standing, Waiting
from hunter.store.results import NewResult

_REASON_CHARS: Final = 300
_MISSING: Final = "domain_missing"
_WATCH: Final = Watch()

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
    #: what became different since the observation before
    changes: list[Change] = []
    #: where the mailboxes are was known before; now it is another place, or silence
    is_known: bool = False
    is_moved: bool = False
    is_silent: bool = False


def verdict_on(
    at: dt.datetime,
    seen: Survey,
    standing: Standing,
    rules: Rules,
    clock: StageClock,
    *,
    watch: Watch = _WATCH,
) -> Verdict:
    """Judge one domain, surveyed from `at` on, and encode what is to be written about it."""
    began = thread_time()
    merged = merge(standing.previous, seen, standing.observed_at)
    belief = believe(at, merged, standing, rules, watch=watch)
    judged_at = thread_time()
    clock.charge("judge", judged_at - began)
    is_late = standing.last_scanned_at is not None and standing.last_scanned_at > at
    if is_late:  # a later survey was written already: keep its state
        verdict = Verdict(_result(seen, belief.seen, _json(belief.seen), survey=_json(seen)))
    else:
        verdict = _current(at, seen, belief, standing, rules=rules, watch=watch)
    clock.charge("encode", thread_time() - judged_at)
    return verdict


def _current(
    at: dt.datetime,
    seen: Survey,
    belief: Belief,
    standing: Standing,
    *,
    rules: Rules,
    watch: Watch,
) -> Verdict:
    """The verdict of the latest survey: what is believed of it becomes the lead's."""
    judgement, encoded = belief.judgement, _json(belief.judgement)
    is_same = judgement.fingerprint == standing.fingerprint
    earlier = standing.observation_id if is_same else None
    observed = Observed(
        id=earlier or uuid7(),
        domain=seen.domain,
        fingerprint=judgement.fingerprint,
        rules_version=judgement.rules_version,
        score=judgement.score,
        evidence=_json(belief.survey)
        if earlier is None or _is_news(standing, belief.survey)
        else None,
    )
    is_own = belief.survey.answers == seen.answers and belief.survey.policy == seen.policy
    result = _result(
        seen,
        belief.seen,
        encoded if belief.seen is judgement else _json(belief.seen),
        survey=None if is_own else _json(seen),
        observation_id=observed.id,
    )
    return Verdict(
        result,
        _lead(at, belief, encoded, observed.id, standing, rules=rules, watch=watch),
        observed,
        is_new=earlier is None,
        is_by_other_rules=standing.rules_version not in {None, judgement.rules_version},
        changes=[_change(found, belief, standing, observed.id) for found in belief.changes],
        is_known=standing.history.provider is not None,
        is_moved=_is_moved(belief.seen, standing),
        is_silent=judgement.scan_status is ScanStatus.UNKNOWN,
    )


def _is_moved(seen: Judgement, standing: Standing) -> bool:
    """True when the mailboxes are seen elsewhere, or the domain nowhere; believed or not."""
    if standing.previous is not None and is_gone(standing.previous):
        return False
    if seen.mail_state == _MISSING:
        return True
    return seen.provider is not None and seen.provider != standing.history.provider


def _lead(
    at: dt.datetime,
    belief: Belief,
    encoded: str,
    observation_id: UUID,
    standing: Standing,
    *,
    rules: Rules,
    watch: Watch,
) -> JudgedLead:
    judgement, doubts, waiting = belief.judgement, belief.doubts, None
    as_of = at.astimezone(dt.UTC).date()
    if doubts:
        since = min(dt.datetime.fromisoformat(each.since) for each in doubts.values())
        waiting = Waiting(_json(doubts), since, belief.seen.fingerprint)
    return JudgedLead(
        judgement,
        encoded,
        belief.history,
        observation_id,
        as_of,
        decays(judgement, rules, as_of, standing.registration),
        waiting,
        next_scan_at(
            judgement.domain,
            judgement.priority,
            at,
            watch,
            is_unknown=judgement.scan_status is ScanStatus.UNKNOWN,
            again_s=look_again_s(doubts, at, wait_s=watch.confirm_s, second=watch.second)
            if doubts
            else None,
        ),
        belief.survey.depth.value,
    )


def _change(found: Found, belief: Belief, standing: Standing, observation_id: UUID) -> Change:
    judgement = belief.judgement
    return Change(
        domain=judgement.domain,
        kind=found.kind.value,
        before=found.before,
        after=found.after,
        observation_before=standing.observation_id,
        observation_after=observation_id,
        segment=judgement.segment.value,
        provider=judgement.provider,
        score=judgement.score,
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


def counts_of(verdicts: Sequence[Verdict], *, is_sample: bool = True) -> dict[str, int]:
    """How many ended ok, failed and unknown; of those known before, how many moved or fell silent.

    Domains scanned because they seem to have moved are no sample of all.
    """
    outcomes = [verdict.result.outcome for verdict in verdicts]
    ends = (ScanStatus.OK, ScanStatus.FAILED, ScanStatus.UNKNOWN)
    known = [verdict for verdict in verdicts if is_sample and verdict.is_known]
    return {status.value: outcomes.count(status) for status in ends} | {
        "known": len(known),
        "moved": sum(verdict.is_moved for verdict in known),
        "silent": sum(verdict.is_silent for verdict in known),
    }
