"""How far the probabilities can be trusted: the reliability table and what it rests on."""

from __future__ import annotations

import msgspec
from aiohttp import web

from hunter.core.calibration import Bin, Interval, Metrics, Named, Platt
from hunter.core.trial import Calibration, ClassRow, Coefficient
from hunter.web.keys import RULES
from hunter.web.requests import CalibrationQuery
from hunter.web.schema import read_query, render


class MarketView(msgspec.Struct, frozen=True, kw_only=True):
    """Reliability in one market: a country code, or global for names under no country's."""

    market: str
    #: labelled domains whose MX does not say where the mailboxes are
    labels: int
    #: "calibrated on …", or "uncalibrated, from public corpus …" below 200 labels
    basis: str
    #: null without labels
    metrics: Metrics | None
    bins: tuple[Bin, ...]


class CalibrationView(msgspec.Struct, frozen=True, kw_only=True):
    """The identity model on domains it had not seen, nor their MX operator or tenant."""

    version: str
    date: str
    corpus: str
    source: str
    licence: str
    #: the suite whose probability is scored
    suite: str
    #: words for probabilities from this on; below, unsure
    words: dict[str, float]
    folds: int
    #: of all markets together
    held_out: Metrics
    #: 95 % of bootstrap samples of whole operators
    intervals: dict[str, Interval]
    #: the hand-set model on the same domains
    by_hand: Metrics
    #: the same domains weighted so that a tenth are positive
    scarce: Metrics
    named: Named
    scarce_named: Named
    classes: tuple[ClassRow, ...]
    markets: tuple[MarketView, ...]
    #: what holds for every market that is not listed
    other_markets: str
    coefficients: tuple[Coefficient, ...]
    platt: Platt


async def show(request: web.Request) -> web.Response:
    """GET /calibration"""
    query = read_query(request, CalibrationQuery)
    knowledge = request.app[RULES].current
    words = {"sure": knowledge.hand.sure, "likely": knowledge.hand.likely}
    return render(calibration_view(knowledge.calibration, words, query.market))


def calibration_view(
    found: Calibration, words: dict[str, float], market: str | None = None
) -> CalibrationView:
    """The table of every market with labels, or of one market, with labels or without."""
    tables = {each.market: each for each in found.markets}
    markets = []
    for name in sorted(tables) if market is None else [market]:
        table = tables.get(name)
        markets.append(
            MarketView(
                market=name,
                labels=found.labels(name),
                basis=found.basis(name),
                metrics=table.metrics if table else None,
                bins=table.bins if table else (),
            )
        )
    same = set(CalibrationView.__struct_fields__) & set(Calibration.__struct_fields__) - {"markets"}
    return CalibrationView(
        **{name: getattr(found, name) for name in same},
        words=words,
        markets=tuple(markets),
        other_markets=found.basis(""),
    )
