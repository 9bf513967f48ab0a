"""Where the mailboxes are: a multinomial logistic model over proved records, every weight readable."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import msgspec

from hunter.core.facts import Identity, Suite
from hunter.core.judgement import Evidence

MICROSOFT = "microsoft365"
GOOGLE = "google_workspace"
EXCHANGE = "onprem_exchange"
WORKMAIL = "amazon_workmail"

#: feature → the records that prove it
Features = Mapping[str, tuple[Evidence, ...]]


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """One suite with the log-odds that speak for it."""

    suite: str
    #: prior plus the weights of what is proved
    total: float
    #: what the unanswered questions could still add
    silence: float
    #: (feature, log-odds) of what is proved
    weights: tuple[tuple[str, float], ...] = ()


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
    candidates = tuple(
        _candidate(
            suite,
            model,
            mx_class=mx_class,
            mx_suite=mx_suite,
            features=proved.get(suite, {}),
            silent=silent.get(suite, ()),
            shift=shift,
        )
        for suite in sorted(
            {MICROSOFT, GOOGLE, *proved, *silent, *([mx_suite] if mx_suite else [])}
        )
    )
    best = max(candidates, key=lambda each: each.total)
    chance = _share(best, candidates)
    if best.total > 0 and chance >= model.name_from:
        is_open = any(
            each.total + each.silence >= best.total for each in candidates if each is not best
        )
        return Guess(best.suite, chance, chance, is_open=is_open, candidates=candidates)
    rest = 1.0 / (1.0 + sum(math.exp(each.total + each.silence) for each in candidates))
    is_open = any(each.silence and each.total + each.silence >= 0 for each in candidates)
    return Guess(None, rest, chance, is_open=is_open, candidates=candidates)


def _candidate(
    suite: str,
    model: Identity,
    *,
    mx_class: str,
    mx_suite: str | None,
    features: Features,
    silent: Iterable[str],
    shift: float,
) -> Candidate:
    table: Suite = model.suites.get(suite, model.default)
    looks = mx_class if mx_suite is None else "suite" if suite == mx_suite else "other_suite"
    weights = tuple((name, table.weight(name, looks)) for name in sorted(features))
    missing = {name for name in silent if name not in features}
    return Candidate(
        suite=suite,
        total=table.prior[looks] + shift + sum(weight for _, weight in weights),
        silence=sum(table.weight(name, looks) for name in missing),
        weights=tuple(pair for pair in weights if pair[1] > 0),
    )


def _share(best: Candidate, candidates: Iterable[Candidate]) -> float:
    """Probability of `best`, the others given everything that silence could add."""
    others = sum(math.exp(each.total + each.silence) for each in candidates if each is not best)
    own = math.exp(best.total)
    return own / (1.0 + own + others)


def without(model: Identity, outcome: Guess, feature: str) -> float:
    """Probability of the answer had its proved `feature` been absent (every word can be argued with)."""
    changed = tuple(
        msgspec.structs.replace(
            each, total=each.total - sum(value for name, value in each.weights if name == feature)
        )
        if each.suite == outcome.suite
        else each
        for each in outcome.candidates
    )
    own = next(each for each in changed if each.suite == outcome.suite)
    return _share(own, changed)


def word(probability: float | None, model: Identity) -> str:
    """sure, likely or unsure; unknown without a number."""
    if probability is None:
        return "unknown"
    if probability >= model.sure:
        return "sure"
    return "likely" if probability >= model.likely else "unsure"
