"""The golden cases as values, judged the way a scan and those before it would be."""

from __future__ import annotations

import datetime as dt
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec
import yaml

from hunter.core.answers import Depth, Survey
from hunter.core.history import next_history
from hunter.core.judge import Reasoning, judge, reason
from hunter.core.judgement import NO_HISTORY, History, Judgement, Segment
from hunter.core.merge import merge
from hunter.core.registration import Registration, RegistrationState
from hunter.knowledge.load import load_knowledge
from tests.golden.zone_text import survey_zone

FOLDER = Path(__file__).parent
AS_OF = dt.date(2026, 11, 23)


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a case argues about; only segment and priority must be said."""

    segment: Segment
    priority: int
    provider: str | msgspec.UnsetType | None = msgspec.UNSET
    mx_operator: str | msgspec.UnsetType | None = msgspec.UNSET
    gateway: str | msgspec.UnsetType | None = msgspec.UNSET
    mail_state: str | msgspec.UnsetType = msgspec.UNSET
    tenant_state: str | msgspec.UnsetType = msgspec.UNSET
    tenant_name: str | msgspec.UnsetType | None = msgspec.UNSET
    confidence_word: Literal["sure", "likely", "unsure", "unknown"] | msgspec.UnsetType = (
        msgspec.UNSET
    )
    posture: str | msgspec.UnsetType | None = msgspec.UNSET
    dmarc_policy: str | msgspec.UnsetType = msgspec.UNSET
    scan_status: str | msgspec.UnsetType = msgspec.UNSET
    #: id of the verdict row that gave segment and reason
    reason_code: str | msgspec.UnsetType = msgspec.UNSET
    #: ids of all products seen
    products: list[str] | msgspec.UnsetType = msgspec.UNSET
    #: rules that must have a line, and rules that must not
    lines: list[str] = []
    no_lines: list[str] = []
    #: codes that must be among the findings
    findings: list[str] = []


class Earlier(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An earlier scan."""

    scanned: dt.date
    zone: str


class Registered(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the registry said."""

    expires: dt.date
    observed: dt.date
    registrar: str = "Natro"


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Records in, judgement out, and why."""

    name: str
    zone: str
    expect: Expected
    because: str
    domain: str = "contoso.example"
    depth: Depth = Depth.FULL
    as_of: dt.date = AS_OF
    before: list[Earlier] = []
    registration: Registered | None = None
    #: why Hunter does not answer so yet
    xfail: str = ""


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One theme."""

    about: str
    cases: list[Case]


@cache
def load_cases() -> dict[str, list[Case]]:
    """Every case by the name of its file."""
    found = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        found[path.stem] = msgspec.convert(content, File).cases
    return found


class Situation(msgspec.Struct, frozen=True):
    """What a case gives to `judge`."""

    survey: Survey
    history: History
    as_of: dt.date
    registration: Registration | None = None


@cache
def situation(case_name: str) -> Situation:
    """The merged survey of a case and the history that its earlier scans leave."""
    case = next(each for cases in load_cases().values() for each in cases if each.name == case_name)
    history, merged, observed_at = NO_HISTORY, None, ""
    for earlier in case.before:
        merged = merge(merged, _survey(case, earlier.zone), observed_at)
        judgement = judge(merged, history, load_knowledge().rules, earlier.scanned)
        history = next_history(history, judgement, earlier.scanned)
        observed_at = f"{earlier.scanned.isoformat()}T08:00:00+00:00"
    survey = merge(merged, _survey(case, case.zone), observed_at)
    return Situation(survey, history, case.as_of, _registration(case))


def _survey(case: Case, zone: str) -> Survey:
    return survey_zone(case.domain, zone, case.depth, load_knowledge())


def _registration(case: Case) -> Registration | None:
    found = case.registration
    if found is None:
        return None
    return Registration(
        domain=case.domain,
        state=RegistrationState.REGISTERED,
        registrar=found.registrar,
        expires=found.expires,
        source="rdap",
        observed_at=f"{found.observed.isoformat()}T08:00:00+00:00",
    )


def reason_about(given: Situation) -> Reasoning:
    """How Hunter comes to what it says of a situation."""
    rules = load_knowledge().rules
    return reason(given.survey, given.history, rules, given.as_of, given.registration)


def reasoned(case: Case) -> Reasoning:
    """How Hunter comes to what it says."""
    return reason_about(situation(case.name))


def judged(case: Case) -> Judgement:
    """What Hunter says."""
    given = situation(case.name)
    rules = load_knowledge().rules
    return judge(given.survey, given.history, rules, given.as_of, given.registration)
