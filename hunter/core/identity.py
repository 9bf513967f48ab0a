"""Where the mailboxes are: a multinomial logistic model over proved records, every weight readable."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from hunter.core.facts import Identity, Suite
from hunter.core.judgement import Evidence

MICROSOFT = "microsoft365"
GOOGLE = "google_workspace"
EXCHANGE = "onprem_exchange"
WORKMAIL = "amazon_workmail"
#: market of a name whose top-level domain is no country's
GLOBAL = "global"

#: feature → the records that prove it
Features = Mapping[str, tuple[Evidence, ...]]
#: (feature, log-odds)
Weights = tuple[tuple[str, float], ...]


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """One suite with the log-odds that speak for it: total = prior + shift + the sum of weights."""

    suite: str
    #: log-odds by the way the MX looks
    prior: float
    #: what the market adds to the prior
    shift: float
    total: float
    #: what the unanswered questions could still add
    silence: float
    #: the others given everything that silence could add
    probability: float
    #: of what is proved, and above zero
    weights: Weights = ()
    #: what each unanswered question could add; integrated out, so no part of `total`
    silent: Weights = ()


class Guess(msgspec.Struct, frozen=True, gc=False):
    """The model's answer."""

    #: suite id; None when the MX operator itself, or nobody visible, is likelier
    suite: str | None
    #: of the answer, everything unanswered taken the worse way
    probability: float
    #: probability of the best suite, whether it is the answer or not
    best: float
    #: True when an answer that is missing could turn the result over
    is_open: bool
    candidates: tuple[Candidate, ...]


class Pillar(msgspec.Struct, frozen=True, gc=False):
    """The proved feature that an answer rests on most."""

    feature: str
    #: probability of the answer had it been absent
    without: float


def pillar_of(outcome: Guess) -> Pillar | None:
    """What the answer rests on most; None when it rests on the MX alone, or nothing is answered."""
    if outcome.suite is None:
        return None
    mine = next(each for each in outcome.candidates if each.suite == outcome.suite)
    if not mine.weights:
        return None
    feature, _ = max(mine.weights, key=lambda pair: pair[1])
    return Pillar(feature, without(outcome, feature))


def market_of(domain: str) -> str:
    """The country code a name is under, "global" for any other top-level domain."""
    last = domain.rpartition(".")[2]
    return last if len(last) == 2 else GLOBAL


def guess(
    model: Identity,
    *,
    mx_class: str,
    mx_suite: str | None,
    proved: Mapping[str, Features],
    silent: Mapping[str, Iterable[str]],
    market: str,
) -> Guess:
    """Who has the mailboxes.

    `mx_class` is how the MX looks (gateway, own, unknown, hoster, forwarder, or suite with
    `mx_suite`); `proved` holds the proved features of each suite, `silent` the features that a
    question without an answer could have proved.
    """
    shift = 0.0 if mx_suite else model.markets.get(market, 0.0)
    local = 0.0 if mx_suite else model.local.get(market, {}).get(mx_class, 0.0)
    named = {MICROSOFT, GOOGLE, *proved, *silent}
    if mx_suite:
        named.add(mx_suite)
    sums = [
        _summed(
            suite,
            model,
            looks=mx_class if mx_suite is None else "suite" if suite == mx_suite else "other_suite",
            features=proved.get(suite, {}),
            silent=silent.get(suite, ()),
            shift=shift + local if suite == MICROSOFT else shift,
        )
        for suite in sorted(named)
    ]
    chances = _chances([(each.total, each.silence) for each in sums])
    candidates = tuple(
        Candidate(
            each.suite,
            each.prior,
            each.shift,
            each.total,
            each.silence,
            chance,
            each.weights,
            each.silent,
        )
        for each, chance in zip(sums, chances, strict=True)
    )
    best = max(candidates, key=lambda each: each.total)
    chance = best.probability
    if best.total > 0 and chance >= model.name_from:
        is_open = any(
            each.total + each.silence >= best.total for each in candidates if each is not best
        )
        return Guess(best.suite, chance, chance, is_open=is_open, candidates=candidates)
    rest = 1.0 / (1.0 + sum(math.exp(each.total + each.silence) for each in candidates))
    is_ahead = (
        best.total > 0
        and _chances([(each.total, 0.0) for each in sums])[candidates.index(best)]
        >= model.name_from
    )
    # open too where silence alone keeps the best one from being named
    is_open = is_ahead or any(
        each.silence and each.total + each.silence >= 0 for each in candidates
    )
    return Guess(None, rest, chance, is_open=is_open, candidates=candidates)


class _Sum(NamedTuple):
    suite: str
    prior: float
    shift: float
    total: float
    silence: float
    weights: Weights
    silent: Weights


def _summed(
    suite: str,
    model: Identity,
    *,
    looks: str,
    features: Features,
    silent: Iterable[str],
    shift: float,
) -> _Sum:
    table: Suite = model.suites.get(suite, model.default)
    prior = table.prior[looks]
    weights = tuple((name, table.weight(name, looks)) for name in sorted(features))
    missing = tuple(
        (name, table.weight(name, looks)) for name in sorted(silent) if name not in features
    )
    return _Sum(
        suite,
        prior,
        shift,
        prior + shift + sum(weight for _, weight in weights),
        sum(weight for _, weight in missing),
        tuple(pair for pair in weights if pair[1] > 0),
        missing,
    )


def _chances(sums: Sequence[tuple[float, float]]) -> list[float]:
    """Probability of each (total, silence), the others given everything that silence could add."""
    worst = [math.exp(total + silence) for total, silence in sums]
    rest = 1.0 + sum(worst)
    own = [math.exp(total) for total, _ in sums]
    return [each / (rest - most + each) for each, most in zip(own, worst, strict=True)]


def without(outcome: Guess, feature: str) -> float:
    """Probability of the answer had its proved `feature` been absent (every word can be argued with)."""
    sums = []
    place = 0
    for number, each in enumerate(outcome.candidates):
        total = each.total
        if each.suite == outcome.suite:
            place = number
            total -= sum(value for name, value in each.weights if name == feature)
        sums.append((total, each.silence))
    return _chances(sums)[place]


def word(probability: float | None, model: Identity) -> str:
    """sure, likely or unsure; unknown without a number."""
    if probability is None:
        return "unknown"
    if probability >= model.sure:
        return "sure"
    return "likely" if probability >= model.likely else "unsure"
