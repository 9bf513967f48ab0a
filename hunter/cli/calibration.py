"""Show how far the probabilities of the identity model can be trusted, and what they rest on."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping

from hunter.cli.terminal import harmless
from hunter.config import Config
from hunter.core.calibration import Named
from hunter.core.trial import SCARCE, Calibration
from hunter.knowledge.load import load_own


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Of which market."""
    parser.add_argument("--market", metavar="CC", help="only this market: at, tr, global")


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Print it."""
    found = load_own(Config.from_env(environ).rules_dir).calibration
    print(harmless(f"version {found.version}, {found.date}: {found.source} ({found.licence})"))
    market = arguments.market.lower() if arguments.market else None
    for line in calibration_lines(found, market):
        print(harmless(line))
    return 0


def calibration_lines(found: Calibration, market: str | None = None) -> Iterator[str]:
    """What a person decides by, a line each; of one market, or of all that have labels."""
    yield "coefficients (log-odds)                     by hand   fitted     rows"
    for each in found.coefficients:
        name = f"{each.suite} {each.feature} {each.mx}"
        yield f"  {name:40} {each.hand:8.3f} {each.fitted:8.3f} {each.rows:8d}"
    yield "  every other coefficient stays as set by hand: too few rows"
    yield _scaling(found)
    yield ""
    yield f"held out in {found.folds} folds by operator and tenant, suite {found.suite}"
    yield "  score            by hand   held out   95 % of bootstraps   positives a tenth"
    for name, span in found.intervals.items():
        hand, now, few = (
            getattr(each, name) for each in (found.by_hand, found.held_out, found.scarce)
        )
        yield f"  {name:14} {hand:9.4f} {now:10.4f}     {span.low:.4f} to {span.high:.4f} {few:19.4f}"
    yield f"  named from 0.50 on: {_named(found.named)}"
    yield f"  at a base rate of {SCARCE:.0%}: {_named(found.scarce_named)}"
    yield from _markets(found, market)
    yield ""
    yield "precision by look of the MX"
    for row in found.classes:
        shown = "-" if row.precision is None else f"{row.precision:.3f}"
        yield f"  {row.mx:10} {row.n:6d} domains {row.named:6d} named  {shown}"


def _markets(found: Calibration, market: str | None) -> Iterator[str]:
    tables = {each.market: each for each in found.markets}
    for name in sorted(tables) if market is None else [market]:
        yield ""
        yield f"market {name}: {found.basis(name)}"
        if name in tables:
            yield "  bin              n     said  labelled"
            for row in tables[name].bins:
                yield f"  {row.low:.3f}-{row.high:.3f} {row.n:6d} {row.said:8.3f} {row.labelled:9.3f}"
    if market is None:
        yield ""
        yield f"every other market: {found.basis('')}"


def _scaling(found: Calibration) -> str:
    if found.platt.slope == 1.0 and found.platt.shift == 0.0:
        return "Platt scaling: none; on held-out folds it does not lower the log loss"
    return f"Platt scaling: slope {found.platt.slope}, shift {found.platt.shift}"


def _named(named: Named) -> str:
    parts = {
        "precision": named.precision,
        "recall": named.recall,
        "false among the others": named.false_share,
    }
    return ", ".join(
        f"{name} {'-' if value is None else format(value, '.3f')}" for name, value in parts.items()
    )
