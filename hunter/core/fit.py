"""Coefficients of the identity model out of labelled domains: penalised towards the hand-set ones, signs kept."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

import msgspec

from hunter.core.corpus import REST, Labelled
from hunter.core.errors import InvalidInput
from hunter.core.facts import Identity, Rules, Suite
from hunter.core.identity import MICROSOFT, Guess, guess, market_of
from hunter.core.judge import reason
from hunter.core.judgement import NO_HISTORY
from hunter.core.placement import features_of, mx_looks
from hunter.core.provider import SELF_HOSTED

#: standard deviation of a coefficient around its hand-set value, in log-odds
SPREAD = 0.5
#: and of a market's shift around the global prior: markets differ less than we can measure in one
MARKET_SPREAD = 0.5
#: a coefficient seen in fewer rows keeps its hand-set value, a suite or market with fewer labels too
MIN_ROWS = 20
#: more than this many fitted coefficients nobody reads
MAX_FITTED = 25
#: and fewer markets than this tell nothing of how markets differ
_MARKETS = 2
PRIOR = "prior"
MARKET = "market"
_TOLERANCE = 1e-10
_MAX_STEP = 1.0
#: any day does: nothing of where the mailboxes are is dated
_A_DAY = dt.date(2026, 1, 1)

#: (suite, "prior" or feature, how the MX looks), or ("market", country code, "")
Key = tuple[str, str, str]


class Example(msgspec.Struct, frozen=True):
    """A labelled domain as the model sees it."""

    domain: str
    market: str
    mx_class: str
    #: the suite whose MX it is, None where the model has to infer
    mx_suite: str | None
    #: (suite, its proved features)
    proved: tuple[tuple[str, tuple[str, ...]], ...]
    #: suite id, "" for none of the suites
    label: str
    #: who runs the MX, and the tenant: examples that share one are not independent
    ties: tuple[str, ...]
    #: True when a rule gave the label out of the very record whose weight it would teach
    is_circular: bool

    def guess(self, model: Identity) -> Guess:
        """What a model says of this domain."""
        return guess(
            model,
            mx_class=self.mx_class,
            mx_suite=self.mx_suite,
            proved={suite: dict.fromkeys(features, ()) for suite, features in self.proved},
            silent={},
            market=self.market,
        )


class Fitted(msgspec.Struct, frozen=True):
    """A fitted model, and what each coefficient rests on."""

    model: Identity
    values: dict[Key, float]
    #: the hand-set values they were drawn towards
    hand: dict[Key, float]
    #: examples that bear on each coefficient
    rows: dict[Key, int]


class Examples(msgspec.Struct, frozen=True):
    """Labelled domains in three heaps, none of them twice."""

    #: the model infers these; fits and calibrations are over them
    inferred: tuple[Example, ...]
    #: the MX is a suite's own and decides
    visible: tuple[Example, ...]
    #: why the others are of no use → how many
    left_out: dict[str, int]


def examples_of(rows: Iterable[Labelled], rules: Rules) -> Examples:
    """The rows as examples: one a domain, those of people before those of studies."""
    best: dict[str, Labelled] = {}
    left_out: Counter[str] = Counter()
    for row in sorted(rows, key=lambda each: each.by_rule):
        if row.label is None:
            left_out["label unknown"] += 1
        elif row.domain not in best:
            best[row.domain] = row
        elif best[row.domain].label == row.label:
            left_out["domain given before"] += 1
        else:
            left_out["domain given before with another label"] += 1
    found: list[Example] = []
    for row in best.values():
        example = _example(row, rules)
        if example is None:
            left_out["MX says mixed, parked, none or nothing: no model needed"] += 1
        else:
            found.append(example)
    found.sort(key=lambda each: each.domain)
    return Examples(
        tuple(each for each in found if each.mx_suite is None),
        tuple(each for each in found if each.mx_suite is not None),
        dict(sorted(left_out.items())),
    )


def digest_of(examples: Iterable[Example]) -> str:
    """Which domains with which labels: the same rows in any order give the same digest."""
    rows = sorted(f"{each.domain} {each.label}" for each in examples)
    return sha256("\n".join(rows).encode()).hexdigest()[:32]


def _example(row: Labelled, rules: Rules) -> Example | None:
    case = reason(row.survey, NO_HISTORY, rules, _A_DAY).case
    if case.place.guess is None or case.place.missing or case.operator is None:
        return None
    mx_class, mx_suite = mx_looks(case.seen, case.operator, rules)
    named = features_of(case.seen, case.operator, rules)
    proved = {suite: set(found) for suite, found in named.items()}
    owner = row.domain if case.operator == SELF_HOSTED else case.operator
    tenant = case.seen.tenant_name
    return Example(
        domain=row.domain,
        market=market_of(row.domain),
        mx_class=mx_class,
        mx_suite=mx_suite,
        proved=tuple((suite, tuple(sorted(proved[suite]))) for suite in sorted(proved)),
        label=row.label or REST,
        ties=(f"mx {owner}", *((f"tenant {tenant}",) if tenant else ())),
        is_circular=row.by_rule and _is_circular(mx_class, proved.get(MICROSOFT, set())),
    )


def _is_circular(mx_class: str, features: set[str]) -> bool:
    """True where rules label by the only record that speaks.

    Behind a filter SPF alone makes the label Microsoft; at an own server or an operator in no table
    the MX alone makes it another, whatever autodiscover and SPF say (hybrid, a filter nobody knows,
    half a move: to be asked).
    """
    if mx_class == "gateway":
        return features == {"spf"}
    return mx_class in {"own", "unknown"} and {"autodiscover", "spf"} <= features


class _Pattern:
    """Examples that look the same to the model."""

    __slots__ = ("labels", "n", "suites", "totals")

    def __init__(self, suites: list[str], totals: list[float]) -> None:
        self.suites = suites
        self.totals = totals
        self.n = 0
        #: how many are labelled with each suite
        self.labels = [0] * len(suites)

    def share(self, which: Sequence[int]) -> float:
        """Probability of these suites together."""
        odds = [math.exp(total) for total in self.totals]
        return sum(odds[place] for place in which) / (1.0 + sum(odds))


class _Coefficient:
    """One number to be found, and the patterns it has a part in."""

    def __init__(self, hand: float, spread: float, floor: float) -> None:
        self.hand = self.value = hand
        self.spread = spread
        self.floor = floor
        self.bears_on: list[tuple[_Pattern, list[int]]] = []

    @property
    def rows(self) -> int:
        return sum(pattern.n for pattern, _ in self.bears_on)

    def improve(self) -> float:
        """One Newton step on this number alone, the others held; gives how far it went."""
        precision = self.spread**-2
        slope, curve = (self.value - self.hand) * precision, precision
        for pattern, which in self.bears_on:
            share = pattern.share(which)
            slope += pattern.n * share - sum(pattern.labels[place] for place in which)
            curve += pattern.n * share * (1.0 - share)
        step = max(-_MAX_STEP, min(_MAX_STEP, -slope / curve))
        step = max(self.value + step, self.floor) - self.value
        self.value += step
        for pattern, which in self.bears_on:
            for place in which:
                pattern.totals[place] += step
        return abs(step)


def fit(examples: Iterable[Example], hand: Identity, max_sweeps: int = 2000) -> Fitted:
    """The hand-set model moved to where labelled examples want it.

    Maximises the likelihood of the labels under the model of `hunter.core.identity`, less
    (value - hand)² / 2σ² for every coefficient; weights stay at or above 0. What fewer than
    `MIN_ROWS` examples bear on stays as set by hand. The optimum is one, whatever the order; a few
    dozen sweeps over the coefficients reach it.
    Raises InvalidInput when more than `MAX_FITTED` coefficients have data.
    """
    used = [each for each in examples if each.mx_suite is None and not each.is_circular]
    labels = Counter(each.label for each in used)
    suites = {suite for suite, n in labels.items() if suite and n >= MIN_ROWS}
    coefficients = _coefficients(used, hand, suites)
    if len(coefficients) > MAX_FITTED:
        raise InvalidInput(
            f"The corpus would fit {len(coefficients)} coefficients; a model that people read has {MAX_FITTED} at most."
        )
    order = sorted(coefficients)
    for _ in range(max_sweeps):
        if max((coefficients[key].improve() for key in order), default=0.0) < _TOLERANCE:
            break
    values = {key: round(coefficients[key].value, 3) for key in order}
    return Fitted(
        model=with_values(hand, values),
        values=values,
        hand={key: coefficients[key].hand for key in order},
        rows={key: coefficients[key].rows for key in order},
    )


def _coefficients(
    used: Sequence[Example], hand: Identity, suites: set[str]
) -> dict[Key, _Coefficient]:
    markets = Counter(each.market for each in used)
    enough = {name for name, n in markets.items() if n >= MIN_ROWS}
    if len(enough) < _MARKETS:
        # one market alone cannot be told from the global prior
        enough = set()
    shifts = {name: value for name, value in hand.markets.items() if name not in enough}
    bare = msgspec.structs.replace(hand, markets=shifts)
    patterns: dict[tuple[object, ...], _Pattern] = {}
    bears_on: dict[Key, list[tuple[_Pattern, list[int]]]] = defaultdict(list)
    for each in used:
        shape = (each.market, each.mx_class, each.proved)
        pattern = patterns.get(shape)
        if pattern is None:
            candidates = each.guess(bare).candidates
            pattern = patterns[shape] = _Pattern(
                [one.suite for one in candidates], [one.total for one in candidates]
            )
            for place, suite in enumerate(pattern.suites):
                if suite in suites:
                    features = dict(each.proved).get(suite, ())
                    for name in (PRIOR, *features):
                        bears_on[suite, name, each.mx_class].append((pattern, [place]))
            everyone = list(range(len(pattern.suites)))
            bears_on[MARKET, each.market, ""].append((pattern, everyone))
        pattern.n += 1
        if each.label in pattern.suites:
            pattern.labels[pattern.suites.index(each.label)] += 1
    found: dict[Key, _Coefficient] = {}
    for key, where in bears_on.items():
        coefficient = _coefficient(key, hand)
        coefficient.bears_on = where
        if key[0] == MARKET and key[1] not in enough:
            continue
        if coefficient.rows >= MIN_ROWS and suites:
            found[key] = coefficient
    return found


def hand_value(key: Key, hand: Identity) -> float:
    """What a coefficient is drawn towards; a market's shift towards none."""
    owner, name, mx_class = key
    if owner == MARKET:
        return 0.0
    table = hand.suites.get(owner, hand.default)
    return table.prior[mx_class] if name == PRIOR else table.weight(name, mx_class)


def _coefficient(key: Key, hand: Identity) -> _Coefficient:
    owner, name, _ = key
    return _Coefficient(
        hand_value(key, hand),
        MARKET_SPREAD if owner == MARKET else SPREAD,
        -math.inf if name == PRIOR or owner == MARKET else 0.0,
    )


def with_values(model: Identity, values: dict[Key, float]) -> Identity:
    """A model with these coefficients in the place of its own."""
    suites = dict(model.suites)
    markets = dict(model.markets)
    for (owner, name, mx_class), value in values.items():
        if owner == MARKET:
            markets[name] = value
            continue
        table = suites.get(owner, model.default)
        if name == PRIOR:
            changed = Suite({**table.prior, mx_class: value}, table.weights)
        else:
            weights = {**table.weights.get(name, {"default": 0.0}), mx_class: value}
            changed = Suite(table.prior, {**table.weights, name: weights})
        suites[owner] = changed
    return msgspec.structs.replace(model, suites=suites, markets=markets)


def folds(examples: Sequence[Example], count: int) -> list[int]:
    """A fold for each example; whoever shares a tenant or an MX operator shares the fold.

    Groups go to the fold with the fewest examples, the largest first; the same examples give the
    same folds.
    """
    parents: dict[str, str] = {}

    def root(tie: str) -> str:
        while parents.setdefault(tie, tie) != tie:
            tie = parents[tie]
        return tie

    for each in examples:
        for tie in each.ties:
            first, other = sorted((root(each.ties[0]), root(tie)))
            parents[other] = first
    sizes = Counter(root(each.ties[0]) for each in examples)
    loads = [0] * count
    place: dict[str, int] = {}
    for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
        place[name] = loads.index(min(loads))
        loads[place[name]] += sizes[name]
    return [place[root(each.ties[0])] for each in examples]


def held_out(
    examples: Sequence[Example], hand: Identity, count: int, *, fitting: Callable[..., Fitted] = fit
) -> tuple[list[Identity], list[int]]:
    """Per fold the model fitted on all others, and the fold of each example."""
    places = folds(examples, count)
    models = [
        fitting(
            [each for each, place in zip(examples, places, strict=True) if place != number], hand
        ).model
        for number in range(count)
    ]
    return models, places
