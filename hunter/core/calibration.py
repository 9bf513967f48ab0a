"""How far probabilities can be trusted: scores, reliability tables, Platt scaling, bootstrap intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

#: bins of a reliability table, of equal count
BINS = 10
#: how many at the top a seller looks at first
TOP = 20
#: below this many labels a market's probabilities are called uncalibrated
ENOUGH_LABELS = 200
_RESAMPLES = 400
_EDGE = 1e-9
#: Platt scaling starts at, and is drawn to, leaving probabilities as they are (standard deviations)
_SLOPE_SPREAD = 0.25
_SHIFT_SPREAD = 0.5
_LEAST_SLOPE = 0.05
_HALVINGS = 30
#: a step that lowers the loss by less is none
_HELPS = 1e-9


class Scored(msgspec.Struct, frozen=True):
    """A probability that was said of an example the model had not seen, and what was labelled."""

    #: breaks ties
    name: str
    probability: float
    is_positive: bool
    #: examples of one group are drawn together
    group: str = ""
    #: how much the example counts
    weight: float = 1.0


class Bin(msgspec.Struct, frozen=True):
    """One row of a reliability table."""

    n: int
    #: smallest and largest probability said
    low: float
    high: float
    #: mean of what was said
    said: float
    #: share that was labelled so
    labelled: float


class Metrics(msgspec.Struct, frozen=True):
    """Scores of a set of probabilities; smaller is better but for precision."""

    n: int
    positives: int
    #: mean squared error
    brier: float
    #: mean negative log likelihood, natural logarithm
    log_loss: float
    #: expected calibration error over `BINS` bins of equal count
    ece: float
    #: share of positives among the `TOP` most probable
    precision_top: float


class Interval(msgspec.Struct, frozen=True):
    """The middle 95 % of a score over bootstrap samples of whole groups."""

    low: float
    high: float


def brier(scored: Sequence[Scored]) -> float:
    """Mean squared difference between what was said and what was labelled."""
    return _mean(scored, lambda each: (each.probability - each.is_positive) ** 2)


def log_loss(scored: Sequence[Scored]) -> float:
    """Mean of -log of the probability given to what was labelled."""
    return _mean(scored, _surprise)


def _surprise(each: Scored) -> float:
    chance = each.probability if each.is_positive else 1.0 - each.probability
    return -math.log(max(chance, _EDGE))


def reliability(scored: Sequence[Scored], bins: int = BINS) -> tuple[Bin, ...]:
    """What was said beside what was labelled, in bins of equal count; fewer where there are few rows."""
    return tuple(
        Bin(
            n=len(part),
            low=part[0].probability,
            high=part[-1].probability,
            said=_mean(part, lambda each: each.probability),
            labelled=_mean(part, lambda each: each.is_positive),
        )
        for part in _parts(scored, bins)
    )


def _parts(scored: Sequence[Scored], bins: int) -> Iterator[list[Scored]]:
    ranked = sorted(scored, key=lambda each: (each.probability, each.name))
    count = min(bins, len(ranked))
    for number in range(count):
        yield ranked[number * len(ranked) // count : (number + 1) * len(ranked) // count]


def _mean(scored: Sequence[Scored], value: Callable[[Scored], float]) -> float:
    return sum(each.weight * value(each) for each in scored) / _weight(scored)


def _weight(scored: Sequence[Scored]) -> float:
    return sum(each.weight for each in scored)


def calibration_error(scored: Sequence[Scored]) -> float:
    """Mean distance between said and labelled over bins of equal count."""
    distances = (
        _weight(part) * abs(_mean(part, lambda each: each.probability - each.is_positive))
        for part in _parts(scored, BINS)
    )
    return sum(distances) / _weight(scored)


def precision_at_top(scored: Sequence[Scored], top: int = TOP) -> float:
    """Share of positives among the most probable; ties by name."""
    ranked = sorted(scored, key=lambda each: (-each.probability, each.name))[:top]
    return sum(each.is_positive for each in ranked) / len(ranked)


SCORES: Mapping[str, Callable[[Sequence[Scored]], float]] = {
    "brier": brier,
    "log_loss": log_loss,
    "ece": calibration_error,
    "precision_top": precision_at_top,
}


def metrics(scored: Sequence[Scored]) -> Metrics:
    """Every score of a set that is not empty."""
    return Metrics(
        n=len(scored),
        positives=sum(each.is_positive for each in scored),
        **{name: score(scored) for name, score in SCORES.items()},
    )


def intervals(
    scored: Sequence[Scored], choose: Callable[[int], int], resamples: int = _RESAMPLES
) -> dict[str, Interval]:
    """Bootstrap intervals of every score; `choose(n)` draws one of 0 to n - 1.

    Whole groups are drawn, because the domains of one hosting company are no independent proof.
    """
    groups: dict[str, list[Scored]] = {}
    for each in scored:
        groups.setdefault(each.group, []).append(each)
    pool = [groups[name] for name in sorted(groups)]
    drawn: dict[str, list[float]] = {name: [] for name in SCORES}
    for _ in range(resamples):
        sample = [each for _ in pool for each in pool[choose(len(pool))]]
        for name, score in SCORES.items():
            drawn[name].append(score(sample))
    found = {}
    for name, values in drawn.items():
        values.sort()
        cut = int(0.025 * len(values))
        found[name] = Interval(values[cut], values[-1 - cut])
    return found


def at_base_rate(scored: Sequence[Scored], share: float) -> list[Scored]:
    """The same examples weighted so that positives are `share` of them: another market's base rate."""
    positives = sum(each.is_positive for each in scored)
    total = len(scored)
    return [
        msgspec.structs.replace(
            each,
            weight=share * total / positives
            if each.is_positive
            else (1.0 - share) * total / (total - positives),
        )
        for each in scored
    ]


class Named(msgspec.Struct, frozen=True):
    """How naming a suite at a threshold comes out."""

    #: of those named, the share labelled so; None when none was named
    precision: float | None
    #: of those labelled so, the share named; None when there are none
    recall: float | None
    #: of the others, the share named; None when there are none
    false_share: float | None


def named_at(scored: Sequence[Scored], threshold: float) -> Named:
    """Precision, recall and false share when a suite is named from `threshold` on."""
    said = [each for each in scored if each.probability >= threshold]
    right = sum(each.weight for each in said if each.is_positive)
    wrong = sum(each.weight for each in said if not each.is_positive)
    positives = sum(each.weight for each in scored if each.is_positive)
    negatives = sum(each.weight for each in scored if not each.is_positive)
    return Named(
        precision=right / (right + wrong) if right + wrong else None,
        recall=right / positives if positives else None,
        false_share=wrong / negatives if negatives else None,
    )


class Platt(msgspec.Struct, frozen=True):
    """Log-odds become slope · log-odds + shift (Platt 1999)."""

    slope: float = 1.0
    shift: float = 0.0

    def apply(self, probability: float) -> float:
        """The calibrated probability."""
        return _logistic(self.slope * _log_odds(probability) + self.shift)


def _log_odds(probability: float) -> float:
    held = min(max(probability, _EDGE), 1.0 - _EDGE)
    return math.log(held / (1.0 - held))


def _logistic(value: float) -> float:
    small = math.exp(-abs(value))
    return 1.0 / (1.0 + small) if value >= 0 else small / (1.0 + small)


def platt(scored: Sequence[Scored]) -> Platt:
    """Slope and shift that suit held-out probabilities best, drawn towards changing nothing.

    The targets are Platt's: (n₊ + 1) / (n₊ + 2) for positives and 1 / (n₋ + 2) for the others, so
    that no finite number of rows makes anything certain.
    """
    positives = sum(each.is_positive for each in scored)
    high, low = (positives + 1) / (positives + 2), 1 / (len(scored) - positives + 2)
    points = [(_log_odds(each.probability), high if each.is_positive else low) for each in scored]
    scaling = Platt()
    while (better := _improved(scaling, points)) is not None:
        scaling = better
    return scaling


def _improved(scaling: Platt, points: Sequence[tuple[float, float]]) -> Platt | None:
    """The scaling after one Newton step, halved until it helps; None at the optimum."""
    loss = _platt_loss(scaling, points)
    slope, shift = _platt_step(scaling, points)
    for halvings in range(_HALVINGS):
        part = 0.5**halvings
        tried = Platt(max(scaling.slope - part * slope, _LEAST_SLOPE), scaling.shift - part * shift)
        if _platt_loss(tried, points) < loss - _HELPS:
            return tried
    return None


def _platt_loss(scaling: Platt, points: Sequence[tuple[float, float]]) -> float:
    """Negative log likelihood and the pull towards changing nothing."""
    pull = ((scaling.slope - 1.0) / _SLOPE_SPREAD) ** 2 + (scaling.shift / _SHIFT_SPREAD) ** 2
    loss = pull / 2
    for odds, target in points:
        value = scaling.slope * odds + scaling.shift
        # log(1 + e^value) without overflow
        loss += max(value, 0.0) + math.log1p(math.exp(-abs(value))) - target * value
    return loss


def _platt_step(scaling: Platt, points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Newton's step in slope and shift, to be subtracted."""
    slope, shift = scaling.slope, scaling.shift
    g_slope, g_shift = (slope - 1.0) / _SLOPE_SPREAD**2, shift / _SHIFT_SPREAD**2
    h_slope, h_both, h_shift = _SLOPE_SPREAD**-2, 0.0, _SHIFT_SPREAD**-2
    for odds, target in points:
        chance = _logistic(slope * odds + shift)
        g_slope += (chance - target) * odds
        g_shift += chance - target
        curve = chance * (1.0 - chance)
        h_slope += curve * odds * odds
        h_both += curve * odds
        h_shift += curve
    volume = h_slope * h_shift - h_both * h_both
    return (
        (h_shift * g_slope - h_both * g_shift) / volume,
        (h_slope * g_shift - h_both * g_slope) / volume,
    )
