"""Change cases: what is stored of a difference, what waits, and who hears of it."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import msgspec

from hunter.core.answers import Answer, Depth, Outcome, RRType, Survey, survey_of
from hunter.core.changes import INTERNAL, Found, Kind, Side, compare, is_told
from hunter.core.health import Sample, Trust, weigh
from hunter.core.judge import judge
from hunter.core.judgement import NO_HISTORY, Segment
from hunter.core.merge import merge
from hunter.core.schedule import Watch
from hunter.knowledge.load import load_knowledge
from hunter.pipeline.belief import Belief, believe
from hunter.pipeline.effects import effects
from hunter.store.identifiers import uuid7
from hunter.store.judged import NOTHING, Standing
from hunter.store.rejudge import TOLD, Stored

CASES = {"test_what_is_stored_and_who_is_told": ("change_cases.yml", "cases")}
RULES = load_knowledge().rules
NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
WATCH = Watch()
DOMAIN = "example.com"
#: what shows that the mailboxes behind a gateway are Microsoft's
MICROSOFT = {
    "autodiscover CNAME": "autodiscover.outlook.com",
    "selector1._domainkey CNAME": "selector1-example-com._domainkey.example.onmicrosoft.com",
}
#: kinds that follow from others; a case names them only where it is about them
FOLLOW = {Kind.SCORE_CHANGED, Kind.SEGMENT_CHANGED, Kind.TENANT_STATE_CHANGED}


def _survey(side: dict[str, Any]) -> Survey:
    """One side of a case as a survey; everything it does not name is proved absent."""
    mx = side.get("mx", [])
    outcome = Outcome(mx.lower()) if isinstance(mx, str) else Outcome.FOUND
    records = () if isinstance(mx, str) else tuple(mx)
    answers = [Answer(DOMAIN, RRType.MX, outcome, records)]
    if outcome is Outcome.NXDOMAIN:
        return survey_of(DOMAIN, Depth.QUICK, answers)
    has_microsoft = side.get("suite") == "microsoft365" or any(
        "outlook" in each for each in records
    )
    texts = ("v=spf1 include:spf.protection.outlook.com -all",) if has_microsoft else ()
    answers.append(_answer(DOMAIN, RRType.TXT, texts))
    answers.append(_answer(DOMAIN, RRType.NS, ("ns1.example.net",)))
    answers.append(_answer(f"_dmarc.{DOMAIN}", RRType.TXT, ()))
    for question, target in MICROSOFT.items():
        label, rrtype = question.split()
        answers.append(
            _answer(f"{label}.{DOMAIN}", RRType(rrtype), (target,) if has_microsoft else ())
        )
    for selector, said in side.get("dkim", {}).items():
        key = () if said == "absent" else (f"v=DKIM1; k=rsa; {said.replace('present', 'p=MIGf')}",)
        answers.append(_answer(f"{selector}._domainkey.{DOMAIN}", RRType.TXT, key))
    return survey_of(DOMAIN, Depth.QUICK, answers)


def _is_at_microsoft(side: dict[str, Any]) -> bool:
    return side.get("suite") == "microsoft365" or "outlook" in str(side.get("mx"))


def _answer(name: str, rrtype: RRType, records: tuple[str, ...]) -> Answer:
    return Answer(name, rrtype, Outcome.FOUND if records else Outcome.NODATA, records)


def _look(standing: Standing, survey: Survey, at: dt.datetime) -> tuple[Standing, Belief]:
    belief = believe(
        at, merge(standing.previous, survey, standing.observed_at), standing, RULES, watch=WATCH
    )
    after = Standing(
        last_scanned_at=at,
        history=belief.history,
        fingerprint=belief.judgement.fingerprint,
        observation_id=uuid7(),
        previous=belief.survey,
        observed_at=at.isoformat(),
        rules_version=RULES.version,
        doubts=belief.doubts,
    )
    return after, belief


def _watched(case: dict[str, Any]) -> list[str]:
    """Events of two observations, through the rules of a second look."""
    before, after = case["before"], dict(case["after"])
    standing, _ = _look(NOTHING, _survey(before), NOW)
    if before.get("selector_table") != after.get("selector_table"):
        standing = msgspec.structs.replace(standing, rules_version=str(before["selector_table"]))
    at = NOW + dt.timedelta(days=1)
    changed = _survey({"suite": "microsoft365" if _is_at_microsoft(before) else ""} | after)
    standing, first = _look(standing, changed, at)
    found = list(first.changes)
    if any(each.startswith("pending:") for each in case["events"]):
        side = (judge(each, NO_HISTORY, RULES, at.date()) for each in (_survey(before), changed))
        old, new = (
            Side(survey, judged, judged)
            for survey, judged in zip((_survey(before), changed), side, strict=True)
        )
        assert first.doubts
        return [f"pending:{each}" for each in _named(compare(old, new))] + _named(found)
    again = _survey(before) if "back_within_hours" in after else changed
    _, second = _look(standing, again, at + dt.timedelta(hours=after.get("back_within_hours", 1)))
    return _named(found + second.changes)


def _named(found: list[Found]) -> list[str]:
    named = []
    for each in found:
        if each.kind in FOLLOW:
            continue
        sides = [each.before.get("gateway"), each.after.get("gateway")]
        shown = "->".join(str(side) for side in sides if side)
        named.append(f"{each.kind}:{shown}" if "gateway" in each.after else str(each.kind))
    return named


def _scored(case: dict[str, Any]) -> list[Found]:
    """Two judgements of a score and segment; the records are beside the point."""
    sides = []
    for side in (case["before"], case["after"]):
        judged = judge(_survey({}), NO_HISTORY, RULES, NOW.date())
        segment = Segment(side.get("segment", "migration").lower())
        judged = msgspec.structs.replace(judged, score=side["score"], segment=segment)
        sides.append(Side(_survey({}), judged, judged))
    return compare(*sides)


def _reclassified(case: dict[str, Any]) -> list[str]:
    """The same records by other rules."""
    survey = _survey({"suite": "microsoft365", "mx": ["10 mail.example.com"]})
    standing, belief = _look(NOTHING, survey, NOW)
    told = {name: getattr(belief.judgement, name) for name in TOLD}
    stored = Stored(
        domain=DOMAIN,
        standing=standing,
        rules_version=case["before"]["rules"],
        judged_on=NOW.date(),
        decays=False,
        digest=None,
        told=told | {"tenant_state": case["before"]["state"]},
    )
    return [each.kind for each in effects(stored, belief.judgement, None, RULES, NOW.date())]


def test_what_is_stored_and_who_is_told(case: dict[str, Any]) -> None:
    before = case["before"]
    if "fleet" in before:
        known = int(re.findall(r"\d+", before["fleet"])[0])
        share = int(re.findall(r"\d+", case["after"]["fleet"])[0])
        trust = weigh(Sample(known, 0, known * share // 100), Trust())
        assert (trust.is_silent, case["events"]) == (True, ["scan_health_degraded"])
        assert Kind.SCAN_HEALTH_DEGRADED in INTERNAL, "the operator is told, no customer"
        return
    if "expires_in_days" in before:
        # days alone tell of an end that is known, see hunter/store/expiries.py
        assert (case["after"]["expires_in_days"], case["events"]) == (None, [])
        return
    if "score" in before:
        found = _scored(case)
        assert [str(each.kind) for each in found] == case["events"]
        assert any(is_told(each.kind, each.before, each.after) for each in found) is case["alert"]
        return
    events = _reclassified(case) if "rules" in before else _watched(case)
    assert events == case["events"]
    kinds = [Kind(each.split(":")[0]) for each in events if not each.startswith("pending:")]
    assert any(is_told(kind, {}, {}) for kind in kinds) is case["alert"]
