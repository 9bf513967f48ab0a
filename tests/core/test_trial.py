"""A fit on rows it has not seen: what is told of it, and when it may not go live."""

from __future__ import annotations

import datetime as dt
import random

import msgspec
import pytest

from hunter.core.answers import Depth, survey_of
from hunter.core.calibration import ENOUGH_LABELS, Platt
from hunter.core.corpus import StudyRow, survey_from
from hunter.core.errors import InvalidInput
from hunter.core.fit import MARKET, PRIOR, Example, digest_of, with_values
from hunter.core.judge import judge
from hunter.core.judgement import NO_HISTORY
from hunter.core.trial import (
    FOLDS,
    Calibration,
    ClassRow,
    Coefficient,
    Trial,
    class_rows,
    confidence_basis,
    probability,
    publish,
    refusals,
    try_out,
    with_platt,
)
from hunter.knowledge.load import load_knowledge

KNOWLEDGE = load_knowledge()
HAND = KNOWLEDGE.hand
MS = "microsoft365"


def rows(
    n: int, label: str, *features: str, mx: str = "gateway", market: str = "at"
) -> list[Example]:
    proved = ((MS, tuple(sorted(features))),) if features else ()
    name = f"{label or 'rest'}-{mx}-{'-'.join(features)}"
    return [
        Example(f"{name}{i}.{market}", market, mx, None, proved, label, (f"{name}{i}",), False)
        for i in range(n)
    ]


TRUE = [
    *rows(100, MS, "autodiscover", "spf"),
    *rows(60, "", mx="unknown"),
    *rows(40, "", mx="own"),
    *rows(20, "", "spf", mx="own"),
]
#: labels against everything the hand-set model says
REVERSED = [
    *rows(60, "", "autodiscover", "spf"),
    *rows(60, MS, "autodiscover", "spf", mx="unknown"),
    *rows(90, MS, mx="own"),
]


@pytest.fixture(scope="module")
def trial() -> Trial:
    return try_out(TRUE, HAND)


def published(trial: Trial, market: str = "at") -> Calibration:
    return publish(
        trial,
        version="1",
        date="2026-11-24",
        corpus=f"public corpus {market.upper()}",
        source="a study",
        licence="MIT",
        digest=digest_of(TRUE),
        choose=random.Random(1).randrange,
    )


def test_each_row_is_scored_once_by_a_model_that_has_not_seen_it(trial: Trial) -> None:
    assert [each.name for each in trial.scored] == [each.domain for each in TRUE]
    assert published(trial).folds == FOLDS


def test_labels_that_agree_with_the_model_make_a_better_one(trial: Trial) -> None:
    told = published(trial)
    assert told.held_out.log_loss < told.by_hand.log_loss
    assert refusals(trial, TRUE, HAND, None) == []
    assert told.named.precision == told.named.recall == 1.0


def test_too_few_rows_of_one_kind_are_no_corpus() -> None:
    with pytest.raises(InvalidInput, match="19 usable domains of microsoft365"):
        try_out([*rows(19, MS, "spf"), *rows(60, "")], HAND)


def test_few_labels_never_go_live() -> None:
    few = [*rows(30, MS, "autodiscover", "spf"), *rows(30, "", mx="own")]
    (reason,) = refusals(try_out(few, HAND), few, HAND, None)
    assert reason == f"60 labels; a new version needs {ENOUGH_LABELS}"


def test_a_higher_hold_out_log_loss_is_refused(trial: Trial) -> None:
    sharp = with_values(
        HAND, {(MS, PRIOR, "own"): -9.0, (MS, PRIOR, "unknown"): -9.0, (MS, "spf", "own"): 0.0}
    )
    (reason,) = refusals(trial, TRUE, sharp, None)
    assert reason.startswith("hold-out log loss rises from 0.0")


def test_the_same_rows_again_are_compared_with_what_was_recorded(trial: Trial) -> None:
    told = published(trial)
    assert refusals(trial, TRUE, told.applied(HAND), told) == []
    better = msgspec.structs.replace(
        told, held_out=msgspec.structs.replace(told.held_out, log_loss=0.0001)
    )
    assert refusals(trial, TRUE, told.applied(HAND), better)


def test_a_class_of_operators_that_loses_precision_is_refused(trial: Trial) -> None:
    told = published(trial)
    worse = msgspec.structs.replace(trial, classes=(ClassRow("gateway", 100, 100, 0.96),))
    assert refusals(worse, TRUE, HAND, told) == [
        "precision where the MX is gateway falls from 1.000 to 0.960"
    ]
    enough = msgspec.structs.replace(trial, classes=(ClassRow("gateway", 100, 100, 0.98),))
    assert refusals(enough, TRUE, HAND, told) == []


def test_scaling_goes_in_only_where_it_helps_on_held_out_rows() -> None:
    honest = [
        *rows(79, MS, "spf"),
        *rows(21, "", "spf"),
        *rows(195, "", mx="own"),
        *rows(5, MS, mx="own"),
    ]
    assert try_out(honest, HAND).platt == Platt()
    assert try_out(REVERSED, HAND).platt != Platt()


def test_scaled_reasons_still_add_up(trial: Trial) -> None:
    model = with_platt(HAND, MS, Platt(0.5, -0.25))
    before, after = (TRUE[0].guess(each).candidates for each in (HAND, model))
    one, other = (next(c for c in each if c.suite == MS) for each in (before, after))
    assert other.total == pytest.approx(0.5 * one.total - 0.25)
    assert other.total == pytest.approx(other.prior + sum(value for _, value in other.weights))


def test_a_suite_nobody_proved_has_no_probability() -> None:
    assert probability(TRUE[0], HAND, "zoho_mail") == 0.0


def test_classes_count_who_was_named_and_how_often_rightly() -> None:
    wrong = rows(2, "", "autodiscover", "spf")
    found = class_rows([*TRUE, *wrong], [HAND] * (len(TRUE) + 2))
    assert [(each.mx, each.n, each.named) for each in found] == [
        ("gateway", 102, 102),
        ("own", 60, 0),
        ("unknown", 60, 0),
    ]
    assert found[0].precision == pytest.approx(100 / 102)
    assert found[1].precision is None


def test_below_two_hundred_labels_a_market_is_called_uncalibrated(trial: Trial) -> None:
    told = published(trial)
    assert told.basis("at") == "calibrated on 220 labels of market at"
    assert told.basis("tr") == "uncalibrated, from public corpus AT; 0 labels of market tr"
    assert told.basis("global") == "uncalibrated, from public corpus AT"


def test_what_was_fitted_takes_the_place_of_the_hand_set_values(trial: Trial) -> None:
    told = published(trial)
    assert told.applied(HAND) == with_platt(trial.fitted.model, MS, trial.platt)
    assert told.values == trial.fitted.values


def test_a_number_set_by_hand_since_the_fit_goes_before_the_fitted_one(trial: Trial) -> None:
    told = msgspec.structs.replace(published(trial), platt=Platt())
    mine = with_values(HAND, {(MS, PRIOR, "own"): -1.0})
    assert told.applied(mine).suites[MS].prior["own"] == -1.0
    assert (
        told.applied(mine).suites[MS].prior["unknown"] == trial.fitted.values[MS, PRIOR, "unknown"]
    )


def test_a_market_shift_is_applied(trial: Trial) -> None:
    told = msgspec.structs.replace(
        published(trial), coefficients=(Coefficient(MARKET, "tr", "", 0.0, -0.2, 50),)
    )
    assert told.applied(HAND).markets["tr"] == -0.2


@pytest.mark.parametrize(
    ("domain", "mx", "mail_state", "basis"),
    [
        ("firma.at", "firma-at.mail.protection.outlook.com", "mail", "calibrated on 220 labels"),
        ("firma.at", "mx.firma.at", "mail", "calibrated on 220 labels of market at"),
        ("firma.com", "mx.firma.com", "mail", "uncalibrated, from public corpus AT"),
        ("firma.com.tr", "mx-in01.natrohost.com", "mail", "uncalibrated, from public corpus AT; 0"),
        ("firma.at", "smtp.google.com", "mail", "uncalibrated, set by hand: no labels of Google"),
        (
            "firma.at",
            "park-mx.above.com",
            "parked",
            "uncalibrated, set by hand: it rests on the MX",
        ),
    ],
)
def test_a_confidence_says_what_it_rests_on(
    trial: Trial, domain: str, mx: str, mail_state: str, basis: str
) -> None:
    survey = survey_from(StudyRow(domain, "x", [mx]))
    found = judge(survey, NO_HISTORY, KNOWLEDGE.rules, dt.date(2026, 11, 24))
    assert found.mail_state == mail_state
    said = confidence_basis(found, published(trial), KNOWLEDGE.rules)
    assert (said or "").startswith(basis)


def test_no_confidence_rests_on_nothing(trial: Trial) -> None:
    survey = survey_of("firma.at", Depth.QUICK, [])
    found = judge(survey, NO_HISTORY, KNOWLEDGE.rules, dt.date(2026, 11, 24))
    assert found.confidence is None
    assert confidence_basis(found, published(trial), KNOWLEDGE.rules) is None
