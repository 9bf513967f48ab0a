"""A fit tried on domains it has not seen: what is published of it, and whether it may go live."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from hunter.core.calibration import (
    ENOUGH_LABELS,
    Bin,
    Interval,
    Metrics,
    Named,
    Platt,
    Scored,
    at_base_rate,
    intervals,
    log_loss,
    metrics,
    named_at,
    platt,
    reliability,
)
from hunter.core.errors import InvalidInput
from hunter.core.facts import Identity, Kind, Rules, Suite
from hunter.core.fit import (
    MIN_ROWS,
    Example,
    Fitted,
    Key,
    fit,
    hand_value,
    held_out,
    with_values,
)
from hunter.core.identity import EXCHANGE, GLOBAL, MICROSOFT, market_of
from hunter.core.judgement import Judgement
from hunter.core.provider import MIXED

#: folds that are held out in turn
FOLDS = 5
#: a base rate that a fit must bear as well: that of Swiss public bodies without a Microsoft MX
SCARCE = 0.1
#: most precision that a class of operators may lose to a new version
_MAX_LOSS = 0.03
#: log losses closer than the last digit of calibration.yaml are equal
_SAME = 1e-4
#: Platt scaling stays out unless it lowers the held-out log loss by this much
_WORTH_SCALING = 1e-3


class Coefficient(msgspec.Struct, frozen=True):
    """One fitted number, the hand-set one it was drawn towards, and the examples it rests on."""

    suite: str
    feature: str
    mx: str
    hand: float
    fitted: float
    rows: int


class MarketTable(msgspec.Struct, frozen=True):
    """Reliability in one market."""

    market: str
    metrics: Metrics
    bins: tuple[Bin, ...]


class ClassRow(msgspec.Struct, frozen=True):
    """How naming a suite comes out for one look of the MX."""

    mx: str
    n: int
    named: int
    #: share of the named that were labelled so; None when nothing was named
    precision: float | None


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of how far the identity model can be trusted."""

    version: str
    #: ISO date of the fit
    date: str
    #: "public corpus AT"
    corpus: str
    source: str
    licence: str
    #: of the examples: the same rows give the same digest
    digest: str
    #: the suite whose probability is scored
    suite: str
    #: folds by operator and tenant
    folds: int
    coefficients: tuple[Coefficient, ...]
    platt: Platt
    #: of probabilities said by models that had not seen the domain, its operator or its tenant
    held_out: Metrics
    intervals: dict[str, Interval]
    #: the hand-set model on the same domains
    by_hand: Metrics
    #: the same probabilities were positives as scarce as `SCARCE`
    scarce: Metrics
    scarce_named: Named
    named: Named
    markets: tuple[MarketTable, ...]
    classes: tuple[ClassRow, ...]

    @property
    def values(self) -> dict[Key, float]:
        """The coefficients as `hunter.core.fit.with_values` takes them."""
        return {(each.suite, each.feature, each.mx): each.fitted for each in self.coefficients}

    def applied(self, hand: Identity) -> Identity:
        """The hand-set model with what was fitted in its place.

        A number that somebody has set anew by hand since the fit goes before the fitted one.
        """
        values = {
            key: value
            for (key, value), each in zip(self.values.items(), self.coefficients, strict=True)
            if hand_value(key, hand) == each.hand
        }
        return with_platt(with_values(hand, values), self.suite, self.platt)

    def labels(self, market: str) -> int:
        """Labelled domains of a market."""
        return sum(each.metrics.n for each in self.markets if each.market == market)

    def basis(self, market: str) -> str:
        """What a probability in this market rests on, in words beside the number.

        "" is any market without labels.
        """
        labels = self.labels(market)
        if labels >= ENOUGH_LABELS:
            return f"calibrated on {labels:,} labels of market {market}"
        if market in {"", GLOBAL}:
            return f"uncalibrated, from {self.corpus}"
        return f"uncalibrated, from {self.corpus}; {labels} labels of market {market}"


def confidence_basis(found: Judgement, calibration: Calibration, rules: Rules) -> str | None:
    """What the confidence of a judgement rests on; None where there is none.

    Labels tell one suite from all else, so the probability of another suite is as set by hand, and
    so is a verdict that the MX record gives alone.
    """
    if found.confidence is None:
        return None
    if found.mail_state not in {"mail", "forwarding"} or found.provider == MIXED:
        return "uncalibrated, set by hand: it rests on the MX record alone"
    row = rules.providers.get(found.provider or "")
    is_suite = row is not None and (row.kind is Kind.SUITE or row.id == EXCHANGE)
    if row is not None and is_suite and row.family != calibration.suite:
        return f"uncalibrated, set by hand: no labels of {row.name}"
    return calibration.basis(market_of(found.domain))


class Trial(msgspec.Struct, frozen=True):
    """A fit, and what became of it on domains held out."""

    fitted: Fitted
    platt: Platt
    scored: tuple[Scored, ...]
    by_hand: tuple[Scored, ...]
    #: of each example: market
    markets: tuple[str, ...]
    classes: tuple[ClassRow, ...]


def with_platt(model: Identity, suite: str, scaling: Platt) -> Identity:
    """A model whose log-odds for one suite are scaled and shifted; reasons still add up to them."""
    table = model.suites.get(suite, model.default)
    scaled = Suite(
        {looks: scaling.slope * value + scaling.shift for looks, value in table.prior.items()},
        {
            feature: {looks: scaling.slope * value for looks, value in weights.items()}
            for feature, weights in table.weights.items()
        },
    )
    return msgspec.structs.replace(model, suites={**model.suites, suite: scaled})


def probability(example: Example, model: Identity, suite: str = MICROSOFT) -> float:
    """What a model says of a suite for one domain."""
    candidates = example.guess(model).candidates
    return next((each.probability for each in candidates if each.suite == suite), 0.0)


def try_out(examples: Sequence[Example], hand: Identity, suite: str = MICROSOFT) -> Trial:
    """Fit on all, and score every example by a model fitted without its operator and tenant.

    Raises InvalidInput when there is too little of either kind to say anything.
    """
    labels = Counter(each.label == suite for each in examples)
    if min(labels[True], labels[False]) < MIN_ROWS:
        raise InvalidInput(
            f"The corpus has {labels[True]} usable domains of {suite} behind another's MX and {labels[False]} others; a fit needs {MIN_ROWS} of each."
        )
    models, places = held_out(examples, hand, FOLDS)
    raw = _scored(examples, [models[place] for place in places], suite)
    # a scaling is learned on the folds that it is not tried on
    scalings = [
        platt([each for each, place in zip(raw, places, strict=True) if place != number])
        for number in range(FOLDS)
    ]
    scaled_models = [
        with_platt(model, suite, scaling) for model, scaling in zip(models, scalings, strict=True)
    ]
    scaled = _scored(examples, [scaled_models[place] for place in places], suite)
    is_worth_it = log_loss(scaled) < log_loss(raw) - _WORTH_SCALING
    scaling = _rounded(platt(raw)) if is_worth_it else Platt()
    final = scaled_models if is_worth_it else models
    return Trial(
        fitted=fit(examples, hand),
        platt=scaling,
        scored=tuple(scaled if is_worth_it else raw),
        by_hand=score_with(examples, hand, suite),
        markets=tuple(each.market for each in examples),
        classes=class_rows(examples, [final[place] for place in places]),
    )


def _rounded(scaling: Platt) -> Platt:
    return Platt(round(scaling.slope, 3), round(scaling.shift, 3))


def _scored(examples: Sequence[Example], models: Sequence[Identity], suite: str) -> list[Scored]:
    return [
        Scored(each.domain, probability(each, model, suite), each.label == suite, each.ties[0])
        for each, model in zip(examples, models, strict=True)
    ]


def score_with(
    examples: Sequence[Example], model: Identity, suite: str = MICROSOFT
) -> tuple[Scored, ...]:
    """What one model says of each example; worth something only on rows it was not fitted on."""
    return tuple(_scored(examples, [model] * len(examples), suite))


def class_rows(examples: Sequence[Example], models: Sequence[Identity]) -> tuple[ClassRow, ...]:
    """Per look of the MX, how often the suite that was named is the one labelled."""
    rows = []
    looks = [
        (each.mx_class, each.guess(model).suite, each.label)
        for each, model in zip(examples, models, strict=True)
    ]
    for name in sorted({mx for mx, _, _ in looks}):
        said = [(suite, label) for mx, suite, label in looks if mx == name]
        named = [(suite, label) for suite, label in said if suite is not None]
        right = sum(suite == label for suite, label in named)
        rows.append(ClassRow(name, len(said), len(named), right / len(named) if named else None))
    return tuple(rows)


def refusals(
    trial: Trial, examples: Sequence[Example], live: Identity, recorded: Calibration | None
) -> list[str]:
    """Why a fit must not go live, a sentence each; empty when it may.

    `live` is the model in use; `recorded` is given when that was fitted on these very rows: then it
    is compared by what it was recorded to do on rows held out, because on rows it has seen every
    model looks good.
    """
    found = []
    if len(examples) < ENOUGH_LABELS:
        found.append(f"{len(examples)} labels; a new version needs {ENOUGH_LABELS}")
    if recorded is not None:
        before, classes = recorded.held_out.log_loss, recorded.classes
    else:
        before = log_loss(score_with(examples, live))
        classes = class_rows(examples, [live] * len(examples))
    now = log_loss(trial.scored)
    if now > before + _SAME:
        found.append(f"hold-out log loss rises from {before:.4f} to {now:.4f}")
    precision = {each.mx: each.precision for each in trial.classes}
    for row in classes:
        after = precision.get(row.mx)
        if row.precision is not None and after is not None and row.precision - after > _MAX_LOSS:
            found.append(
                f"precision where the MX is {row.mx} falls from {row.precision:.3f} to {after:.3f}"
            )
    return found


def publish(
    trial: Trial,
    *,
    version: str,
    date: str,
    corpus: str,
    source: str,
    licence: str,
    digest: str,
    choose: Callable[[int], int],
) -> Calibration:
    """Everything that is told of a fit."""
    scarce = at_base_rate(trial.scored, SCARCE)
    markets = sorted(set(trial.markets))
    tables = []
    for market in markets:
        part = [
            each for each, where in zip(trial.scored, trial.markets, strict=True) if where == market
        ]
        tables.append(MarketTable(market, metrics(part), reliability(part)))
    fitted = trial.fitted
    return Calibration(
        version=version,
        date=date,
        corpus=corpus,
        source=source,
        licence=licence,
        digest=digest,
        suite=MICROSOFT,
        folds=FOLDS,
        coefficients=tuple(
            Coefficient(*key, fitted.hand[key], fitted.values[key], fitted.rows[key])
            for key in sorted(fitted.values)
        ),
        platt=trial.platt,
        held_out=metrics(trial.scored),
        intervals=intervals(trial.scored, choose),
        by_hand=metrics(trial.by_hand),
        scarce=metrics(scarce),
        scarce_named=named_at(scarce, 0.5),
        named=named_at(trial.scored, 0.5),
        markets=tuple(tables),
        classes=trial.classes,
    )
