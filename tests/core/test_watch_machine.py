"""Random edits and outages: what is told is what held until a second look; and a fleet that flaps tells nothing."""

from __future__ import annotations

import datetime as dt
import random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hunter.core.answers import Answer, Depth, Outcome, RRType, Survey, survey_of
from hunter.core.merge import merge
from hunter.core.pending import Doubt, differing, settle

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
DOMAIN = "contoso.com"
QUESTIONS = (RRType.MX, RRType.TXT, RRType.NS)
FAILURES = (Outcome.SERVFAIL, Outcome.TIMEOUT, Outcome.REFUSED, Outcome.MALFORMED)


def _survey(zone: dict[RRType, str], silent: dict[RRType, Outcome]) -> Survey:
    return survey_of(
        DOMAIN,
        Depth.QUICK,
        [
            Answer(DOMAIN, rrtype, silent[rrtype])
            if rrtype in silent
            else Answer(DOMAIN, rrtype, Outcome.FOUND, (value,))
            for rrtype, value in zone.items()
        ],
    )


class Watched(RuleBasedStateMachine):
    """A company whose zone is edited, whose name servers fail, and who is looked at now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.at = NOW
        self.zone = dict.fromkeys(QUESTIONS, "0")
        self.silent: dict[RRType, Outcome] = {}
        self.believed = _survey(self.zone, {})
        self.observed_at = NOW.isoformat()
        self.doubts: dict[str, Doubt] = {}
        #: the model: question → what is told of it, and the value waiting with its first sight
        self.known = dict(self.zone)
        self.waiting: dict[RRType, tuple[str, dt.datetime]] = {}
        self.told: list[str] = []
        self.expected: list[str] = []

    @rule(question=st.sampled_from(QUESTIONS), value=st.sampled_from("0123"))
    def edit(self, question: RRType, value: str) -> None:
        self.zone[question] = value

    @rule(question=st.sampled_from(QUESTIONS), outcome=st.sampled_from(FAILURES))
    def fail(self, question: RRType, outcome: Outcome) -> None:
        self.silent[question] = outcome

    @rule()
    def heal(self) -> None:
        self.silent.clear()

    @rule(minutes=st.integers(1, 60))
    def look(self, minutes: int) -> None:
        self.at += dt.timedelta(minutes=minutes)
        merged = merge(self.believed, _survey(self.zone, self.silent), self.observed_at)
        settled = settle(self.believed, merged, self.doubts, self.at, wait_s=600)
        self.told += sorted(
            f"{question}={settled.survey.answers[question].records[0]}"
            for question in differing(self.believed, settled.survey)
        )
        self.believed, self.doubts = settled.survey, settled.doubts
        self.observed_at = self.at.isoformat()
        self.expected += sorted(self._confirmed())

    def _confirmed(self) -> list[str]:
        """By the words of the rule alone: two agreeing looks, ten minutes apart."""
        found = []
        for question, value in self.zone.items():
            if question in self.silent:
                continue
            if value == self.known[question]:
                self.waiting.pop(question, None)
                continue
            seen, since = self.waiting.get(question, ("", self.at))
            if seen != value:
                self.waiting[question] = (value, self.at)
            elif self.at - since >= dt.timedelta(minutes=10):
                self.known[question] = value
                del self.waiting[question]
                found.append(f"{DOMAIN} {question}={value}")
        return found

    @invariant()
    def what_is_told_is_what_held(self) -> None:
        told = [each for each in self.told if " TXT=" not in each]
        assert told == [each for each in self.expected if " TXT=" not in each]

    @invariant()
    def what_is_believed_was_confirmed_or_known_first(self) -> None:
        for question in (RRType.MX, RRType.NS):
            answer = self.believed.answers[f"{DOMAIN} {question}"]
            assert answer.records == (self.known[question],)
            assert bool(answer.stale_since) or answer.outcome is Outcome.FOUND


TestWatched = Watched.TestCase
TestWatched.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_ten_thousand_companies_of_which_one_in_a_hundred_flaps_tell_nothing() -> None:
    chance = random.Random(7)
    calm = _survey(dict.fromkeys(QUESTIONS, "0"), {})
    changes = 0
    for number in range(10_000):
        believed, observed_at = calm, NOW.isoformat()
        doubts: dict[str, Doubt] = {}
        flaps = number % 100 == 0
        for look in range(1, 5):
            zone = dict.fromkeys(QUESTIONS, "0")
            if flaps and look % 2:
                zone[chance.choice(QUESTIONS)] = "1"
            at = NOW + dt.timedelta(hours=look)
            merged = merge(believed, _survey(zone, {}), observed_at)
            settled = settle(believed, merged, doubts, at, wait_s=600)
            changes += len(differing(believed, settled.survey))
            believed, doubts, observed_at = settled.survey, settled.doubts, at.isoformat()
    assert changes == 0


def test_with_a_third_of_all_answers_missing_nothing_changes_and_each_field_says_since_when() -> (
    None
):
    chance = random.Random(3)
    calm = _survey(dict.fromkeys(QUESTIONS, "0"), {})
    for _ in range(500):
        believed, observed_at = calm, NOW.isoformat()
        doubts: dict[str, Doubt] = {}
        for look in range(1, 6):
            silent = {
                question: chance.choice(FAILURES) for question in QUESTIONS if chance.random() < 0.3
            }
            seen = _survey(dict.fromkeys(QUESTIONS, "0"), silent)
            merged = merge(believed, seen, observed_at)
            at = NOW + dt.timedelta(hours=look)
            settled = settle(believed, merged, doubts, at, wait_s=600)
            assert not differing(believed, settled.survey)
            for question in QUESTIONS:
                answer = settled.survey.answers[f"{DOMAIN} {question}"]
                assert (bool(answer.stale_since), answer.records) == (question in silent, ("0",))
            believed, doubts, observed_at = settled.survey, settled.doubts, at.isoformat()
