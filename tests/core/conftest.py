"""Surveys written in a line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hunter.core.answers import Answer, Depth, Outcome, RRType, Survey, survey_of
from hunter.core.judge import judge
from hunter.core.judgement import NO_HISTORY, History, Judgement
from tests.core.zones import AS_OF, RULES

Zone = dict[str, list[str] | str]
MakeSurvey = Callable[..., Survey]


def _answer(domain: str, question: str, said: list[str] | str) -> Answer:
    """`said` is the records, or the name of an outcome; "→ name" stands for a CNAME on the way."""
    rrtype, _, label = question.partition(" ")
    name = f"{label}.{domain}" if label else domain
    if isinstance(said, str):
        return Answer(name, RRType(rrtype), Outcome(said))
    chain = tuple(each.removeprefix("→ ") for each in said if each.startswith("→ "))
    records = tuple(each for each in said if not each.startswith("→ "))
    absent = Outcome.NXDOMAIN if label else Outcome.NODATA
    return Answer(name, RRType(rrtype), Outcome.FOUND if records else absent, records, chain)


@pytest.fixture(scope="session")
def make_survey() -> MakeSurvey:
    """A quick survey out of {"MX": […], "TXT _dmarc": "timeout"}; the other quick questions are absent."""

    def make(zone: Zone, domain: str = "contoso.com", depth: Depth = Depth.QUICK) -> Survey:
        asked: Zone = {
            "MX": [],
            "TXT": [],
            "NS": ["ns1.example.net"],
            "TXT _dmarc": [],
            "CNAME autodiscover": [],
            "CNAME enterpriseregistration": [],
        }
        asked |= zone
        answers = [_answer(domain, question, said) for question, said in asked.items()]
        return survey_of(domain, depth, answers)

    return make


@pytest.fixture(scope="session")
def judged(make_survey: MakeSurvey) -> Callable[..., Judgement]:
    """The judgement of such a survey with the packaged rules."""

    def run(zone: Zone, history: History = NO_HISTORY, **options: Any) -> Judgement:
        return judge(make_survey(zone, **options), history, RULES, AS_OF)

    return run
