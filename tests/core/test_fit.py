"""Coefficients out of labels: the optimum, its limits, and what must never move it."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hunter.core.answers import Answer, Depth, Outcome, RRType, survey_of
from hunter.core.corpus import Labelled, StudyRow, survey_from
from hunter.core.errors import InvalidInput
from hunter.core.fit import (
    MARKET,
    PRIOR,
    SPREAD,
    Example,
    Key,
    digest_of,
    examples_of,
    fit,
    folds,
    held_out,
    with_values,
)
from hunter.knowledge.load import load_knowledge

KNOWLEDGE = load_knowledge()
HAND = KNOWLEDGE.hand
MS = "microsoft365"
AUTODISCOVER = "autodiscover: autodiscover CNAME → autodiscover.outlook.com"
SPF = "v=spf1 include:spf.protection.outlook.com -all"


def examples(
    n: int,
    label: str,
    *features: str,
    mx: str = "gateway",
    market: str = "at",
    tie: str = "",
    suite: str = MS,
) -> list[Example]:
    proved = ((suite, tuple(sorted(features))),) if features else ()
    name = f"{mx}-{market}-{label or 'rest'}-{'-'.join(features)}"
    return [
        Example(
            f"{name}{number}.{market}",
            market,
            mx,
            None,
            proved,
            label,
            (tie or f"{name}{number}",),
            False,
        )
        for number in range(n)
    ]


SOME = [
    *examples(60, MS, "autodiscover", "spf"),
    *examples(30, "", mx="unknown"),
    *examples(25, "", "spf", mx="unknown"),
    *examples(22, "", mx="own"),
]


def labelled(domain: str, label: str | None, mx: str, spf: str = "", *signals: str) -> Labelled:
    row = StudyRow(domain, "x", [mx], spf, list(signals))
    return Labelled(domain, label, survey_from(row), by_rule=True)


def slope(values: dict[Key, float], key: Key, rows: list[Example]) -> float:
    """Derivative of the penalised likelihood, by hand and by differences."""

    def loss(at: float) -> float:
        model = with_values(HAND, {**values, key: at})
        total = 0.0
        for each in rows:
            chances = {one.suite: one.probability for one in each.guess(model).candidates}
            total -= math.log(chances.get(each.label) or 1 - sum(chances.values()))
        return total

    step = 1e-4
    here = values[key]
    return (loss(here + step) - loss(here - step)) / (2 * step)


def test_at_the_optimum_labels_pull_as_much_as_the_hand_set_values() -> None:
    found = fit(SOME, HAND)
    assert (MS, PRIOR, "gateway") in found.values
    for key, value in found.values.items():
        pull = (value - found.hand[key]) / SPREAD**2
        if value > 0 or key[1] == PRIOR:
            assert slope(found.values, key, SOME) + pull == pytest.approx(0, abs=0.02)


def test_weights_never_go_below_nothing() -> None:
    rows = [*examples(400, "", mx="unknown"), *examples(900, "", "dkim", mx="unknown"), *SOME]
    found = fit(rows, msgspec.structs.replace(HAND, local={}))
    assert min(value for key, value in found.values.items() if key[1] != PRIOR) >= 0
    assert found.values[MS, "dkim", "unknown"] == 0


def test_without_enough_rows_everything_stays_as_set_by_hand() -> None:
    assert fit(examples(19, MS, "spf"), HAND).values == {}
    assert fit([], HAND).model == HAND
    rare = fit([*SOME, *examples(5, MS, "dkim")], HAND)
    assert (MS, "dkim", "gateway") not in rare.values
    assert rare.rows[MS, "spf", "unknown"] == 25


def test_suites_nobody_labelled_stay_as_set_by_hand() -> None:
    rows = [*SOME, *examples(30, "", "spf", suite="google_workspace")]
    assert {key[0] for key in fit(rows, HAND).values} == {MS}


def test_the_order_of_rows_changes_nothing() -> None:
    shuffled = random.Random(3).sample(SOME, len(SOME))
    assert fit(shuffled, HAND) == fit(SOME, HAND)
    assert digest_of(shuffled) == digest_of(SOME) != digest_of(SOME[1:])


def test_more_labels_move_further_from_the_hand_set_values() -> None:
    moved = [
        fit([*SOME, *examples(n, "", mx="hoster")], HAND).values[MS, PRIOR, "hoster"]
        for n in (20, 80, 400)
    ]
    assert all(other < one for one, other in pairwise([HAND.suites[MS].prior["hoster"], *moved]))


def test_a_few_sweeps_reach_the_optimum() -> None:
    assert fit(SOME, HAND, 60) == fit(SOME, HAND)
    assert fit(SOME, HAND, 1) != fit(SOME, HAND)


def test_one_market_alone_has_no_shift() -> None:
    assert not any(key[0] == MARKET for key in fit(SOME, HAND).values)


def test_markets_are_drawn_to_the_global_prior_the_more_the_fewer_their_rows() -> None:
    at = [*SOME, *examples(60, MS, "spf")]
    few, many = (
        fit(
            [*at, *examples(n, "", "spf", market="ch"), *examples(n // 2, MS, "spf", market="ch")],
            HAND,
        )
        for n in (20, 200)
    )
    assert many.values[MARKET, "ch", ""] < few.values[MARKET, "ch", ""] < 0
    assert few.values[MARKET, "at", ""] > 0
    assert few.model.markets["ch"] == few.values[MARKET, "ch", ""]


def test_circular_rows_and_suites_own_mx_teach_nothing() -> None:
    circular = [msgspec.structs.replace(each, is_circular=True) for each in examples(90, "", "spf")]
    visible = [msgspec.structs.replace(each, mx_suite=MS) for each in examples(90, MS, "spf")]
    assert fit([*SOME, *circular, *visible], HAND) == fit(SOME, HAND)


def test_a_model_nobody_could_read_is_refused() -> None:
    looks = ("gateway", "own", "unknown", "hoster", "forwarder")
    rows = [
        each
        for mx in looks
        for each in examples(30, MS, "autodiscover", "spf", "dkim", "addon", "mx_target", mx=mx)
    ]
    with pytest.raises(InvalidInput, match="30 coefficients"):
        fit(rows, HAND)


def test_a_suite_of_the_default_row_gets_a_row_of_its_own() -> None:
    found = fit(examples(40, "zoho_mail", "spf", suite="zoho_mail"), HAND)
    assert found.values["zoho_mail", "spf", "gateway"] > HAND.default.weight("spf", "gateway")
    assert "zoho_mail" in found.model.suites


def test_a_feature_without_a_row_gets_one() -> None:
    changed = with_values(HAND, {(MS, "novel", "own"): 1.5})
    assert changed.suites[MS].weight("novel", "own") == 1.5
    assert changed.suites[MS].weight("novel", "gateway") == 0


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("uvwxyz")), max_size=40))
@settings(max_examples=60)
def test_whoever_shares_an_operator_or_a_tenant_shares_the_fold(
    ties: list[tuple[str, str]],
) -> None:
    rows = [
        Example(f"{n}.at", "at", "own", None, (), "", (f"mx {mx}", f"tenant {tenant}"), False)
        for n, (mx, tenant) in enumerate(ties)
    ]
    placed = folds(rows, 3)
    for one, first in zip(rows, placed, strict=True):
        for other, second in zip(rows, placed, strict=True):
            if set(one.ties) & set(other.ties):
                assert first == second


def test_folds_are_of_like_size() -> None:
    assert sorted(map(folds(SOME, 5).count, range(5))) == [27, 27, 27, 28, 28]


def test_no_model_has_seen_the_fold_it_is_tried_on() -> None:
    seen: list[set[str]] = []

    def spy(rows: list[Example], hand: object) -> object:
        seen.append({each.domain for each in rows})
        return fit(rows, HAND)

    _, places = held_out(SOME, HAND, 4, fitting=spy)  # type: ignore[arg-type]
    for number, learnt in enumerate(seen):
        tried = {e.domain for e, place in zip(SOME, places, strict=True) if place == number}
        assert tried
        assert tried.isdisjoint(learnt)


def test_a_domain_counts_once_and_people_go_before_rules() -> None:
    rule = labelled("gemeinde.at", MS, "x.mail.seppmail.cloud", SPF, AUTODISCOVER)
    person = msgspec.structs.replace(rule, label="", by_rule=False)
    found = examples_of(
        [rule, rule, person, labelled("stadt.at", None, "mx.stadt.at")], KNOWLEDGE.rules
    )
    assert [(each.domain, each.label) for each in found.inferred] == [("gemeinde.at", "")]
    assert found.left_out == {"domain given before with another label": 2, "label unknown": 1}


def test_the_same_label_twice_is_told_as_such() -> None:
    row = labelled("gemeinde.at", MS, "gemeinde-at.mail.protection.outlook.com", SPF)
    found = examples_of([row, row], KNOWLEDGE.rules)
    assert found.inferred == ()
    assert [each.mx_suite for each in found.visible] == [MS]
    assert found.left_out == {"domain given before": 1}


def test_domains_that_need_no_model_or_were_not_answered_are_left_out() -> None:
    silent = survey_of(
        "b.at",
        Depth.QUICK,
        [
            Answer("b.at", RRType.MX, Outcome.FOUND, ("10 x.mail.seppmail.cloud",)),
            Answer("b.at", RRType.TXT, Outcome.TIMEOUT),
        ],
    )
    rows = [
        Labelled("a.at", "", survey_of("a.at", Depth.QUICK, []), by_rule=False),
        Labelled("b.at", "", silent, by_rule=False),
        labelled("c.at", "", "."),
    ]
    found = examples_of(rows, KNOWLEDGE.rules)
    assert (found.inferred, found.visible) == ((), ())
    assert sum(found.left_out.values()) == 3


@pytest.mark.parametrize(
    ("mx", "signals", "is_circular"),
    [
        ("x.mail.seppmail.cloud", (), True),
        ("x.mail.seppmail.cloud", (AUTODISCOVER,), False),
        ("mail.gemeinde.at", (AUTODISCOVER,), True),
        ("mail.gemeinde.at", (), False),
        ("mx.stranger.at", (AUTODISCOVER,), True),
        ("mx.stranger.at", (), False),
    ],
)
def test_labels_that_rest_on_the_record_itself_are_circular(
    mx: str, signals: tuple[str, ...], is_circular: bool
) -> None:
    row = labelled("gemeinde.at", MS, mx, SPF, *signals)
    (found,) = examples_of([row], KNOWLEDGE.rules).inferred
    assert found.is_circular == is_circular
    person = msgspec.structs.replace(row, by_rule=False)
    assert not examples_of([person], KNOWLEDGE.rules).inferred[0].is_circular


def test_ties_are_the_operator_and_the_tenant() -> None:
    key = "dkim: DKIM selector1._domainkey.gemeinde.at CNAME → selector1-gemeinde-at._domainkey.gem.onmicrosoft.com"
    own = labelled("gemeinde.at", MS, "mail.gemeinde.at", "", key)
    other = labelled("stadt.at", "", "mx1.stranger.at")
    found = examples_of([own, other], KNOWLEDGE.rules).inferred
    assert [each.ties for each in found] == [
        ("mx gemeinde.at", "tenant gem"),
        ("mx unknown:stranger.at",),
    ]
