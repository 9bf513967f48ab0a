"""The model that says where the mailboxes are."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.facts import Identity
from hunter.core.identity import Guess, guess, market_of, without, word
from hunter.core.judgement import Evidence
from hunter.knowledge.load import load_knowledge

PROOF = (Evidence("contoso.com TXT", "found", "x"),)
CLASSES = ("gateway", "own", "unknown", "hoster", "forwarder")
FEATURES = ("autodiscover", "spf", "dkim", "addon", "account", "federation", "mx_target")
SUITES = ("microsoft365", "google_workspace", "onprem_exchange", "zoho_mail")

features = st.dictionaries(st.sampled_from(SUITES), st.sets(st.sampled_from(FEATURES)), max_size=4)


@pytest.fixture(scope="module")
def model() -> Identity:
    return load_knowledge().rules.identity


def ask(
    mx_class: str,
    proved: dict[str, set[str]],
    silent: dict[str, set[str]] | None = None,
    *,
    suite: str | None = None,
    market: str = "com",
) -> Guess:
    return guess(
        load_knowledge().rules.identity,
        mx_class=mx_class,
        mx_suite=suite,
        proved={name: dict.fromkeys(found, PROOF) for name, found in proved.items()},
        silent=silent or {},
        market=market,
    )


def test_filter_with_autodiscover_is_microsoft_for_sure() -> None:
    found = ask("gateway", {"microsoft365": {"autodiscover", "spf"}})
    assert found.suite == "microsoft365"
    assert found.probability >= 0.95


def test_filter_without_any_sign_names_nobody() -> None:
    found = ask("gateway", {})
    assert found.suite is None
    assert found.best < 0.5


def test_spf_alone_on_a_hosting_companys_mx_is_never_microsoft() -> None:
    assert ask("hoster", {"microsoft365": {"spf"}}).suite is None


def test_own_mx_of_a_suite_decides() -> None:
    found = ask("hoster", {"microsoft365": {"spf", "autodiscover"}}, suite="google_workspace")
    assert found.suite == "google_workspace"


def test_market_shifts_the_prior_where_the_mx_names_no_suite() -> None:
    low, high = (
        ask("gateway", {"microsoft365": {"spf"}}, market=market).probability
        for market in ("ch", "at")
    )
    assert low < high
    same = [ask("hoster", {}, suite="microsoft365", market=market) for market in ("ch", "at")]
    assert same[0].probability == same[1].probability


def test_what_one_market_says_of_unknown_operators_is_not_said_of_another() -> None:
    named = {"microsoft365": {"autodiscover", "spf"}}
    best = {
        market: ask("unknown", named, market=market).best for market in ("at", "ch", "it", "global")
    }
    assert best["it"] == best["global"] > 0.55
    assert max(best["at"], best["ch"]) < 0.3
    elsewhere = [ask("own", named, market=market).best for market in ("at", "it")]
    assert elsewhere[0] == elsewhere[1]
    google = {"google_workspace": {"spf"}}
    others = [ask("unknown", google, market=market) for market in ("at", "it")]
    totals = [
        next(c.total for c in each.candidates if c.suite == "google_workspace") for each in others
    ]
    assert totals[0] == totals[1]


def test_silence_that_could_turn_the_answer_leaves_it_open() -> None:
    assert ask("gateway", {}, {"microsoft365": {"autodiscover"}}).is_open
    assert ask(
        "gateway",
        {"google_workspace": {"spf", "dkim"}},
        {"microsoft365": {"autodiscover", "spf", "dkim"}},
    ).is_open
    assert not ask("hoster", {}, {"microsoft365": {"autodiscover"}}).is_open


def test_taking_the_strongest_sign_away_lowers_the_number() -> None:
    found = ask("gateway", {"microsoft365": {"autodiscover", "spf"}})
    assert without(found, "autodiscover") < found.probability


@given(st.sampled_from(CLASSES), features, features)
def test_silence_never_raises_the_probability(
    mx_class: str, proved: dict[str, set[str]], silenced: dict[str, set[str]]
) -> None:
    known = ask(mx_class, proved)
    left = {suite: found - silenced.get(suite, set()) for suite, found in proved.items()}
    taken = {suite: found & silenced.get(suite, set()) for suite, found in proved.items()}
    assert ask(mx_class, left, taken).probability <= known.probability + 1e-9


@given(st.sampled_from(CLASSES), features, st.sampled_from(FEATURES))
def test_more_signs_of_a_suite_never_make_it_less_likely(
    mx_class: str, proved: dict[str, set[str]], feature: str
) -> None:
    def chance(found: dict[str, set[str]]) -> float:
        outcome = ask(mx_class, found)
        return outcome.probability if outcome.suite == "microsoft365" else 0.0

    more = {**proved, "microsoft365": proved.get("microsoft365", set()) | {feature}}
    assert chance(more) >= chance(proved)


@pytest.mark.parametrize(
    ("probability", "text"),
    [(None, "unknown"), (0.95, "sure"), (0.949, "likely"), (0.75, "likely"), (0.74, "unsure")],
)
def test_numbers_have_words(model: Identity, probability: float | None, text: str) -> None:
    assert word(probability, model) == text


@given(st.sampled_from(CLASSES), features, features)
def test_the_terms_of_every_candidate_add_up_to_its_log_odds(
    mx_class: str, proved: dict[str, set[str]], silenced: dict[str, set[str]]
) -> None:
    found = ask(mx_class, proved, silenced, market="at")
    for each in found.candidates:
        assert each.total == pytest.approx(
            each.prior + each.shift + sum(weight for _, weight in each.weights)
        )
        assert each.silence == pytest.approx(sum(weight for _, weight in each.silent))
        assert {name for name, _ in each.silent}.isdisjoint(proved.get(each.suite, set()))


@given(st.sampled_from(CLASSES), features)
def test_probabilities_of_the_suites_and_of_the_rest_add_up_to_one(
    mx_class: str, proved: dict[str, set[str]]
) -> None:
    found = ask(mx_class, proved)
    rest = 1 / (1 + sum(math.exp(each.total) for each in found.candidates))
    assert sum(each.probability for each in found.candidates) + rest == pytest.approx(1)


@pytest.mark.parametrize(
    ("domain", "market"),
    [("firma.com.tr", "tr"), ("wien.at", "at"), ("contoso.com", "global"), ("localhost", "global")],
)
def test_the_market_is_the_country_code_of_the_name(domain: str, market: str) -> None:
    assert market_of(domain) == market


def test_silence_that_keeps_the_best_suite_from_being_named_leaves_the_answer_open() -> None:
    named = {"microsoft365": {"autodiscover", "spf"}}
    assert ask("unknown", named).suite == "microsoft365"
    found = ask("unknown", named, {"onprem_exchange": {"autodiscover"}})
    assert (found.suite, found.is_open) == (None, True)
