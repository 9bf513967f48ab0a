"""Show how far the probabilities of the identity model can be trusted, and what they rest on."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping

from hunter.cli.terminal import harmless
from hunter.config import Config
from hunter.core.calibration import Bin, Named
from hunter.core.trial import SCARCE, Calibration, ClassRow
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
    yield f"  named from 0.50 on: {named_in_words(found.named)}"
    yield f"  at a base rate of {SCARCE:.0%}: {named_in_words(found.scarce_named)}"
    yield from _markets(found, market)
    yield ""
    yield from class_lines(found.classes)


def _markets(found: Calibration, market: str | None) -> Iterator[str]:
    tables = {each.market: each for each in found.markets}
    for name in sorted(tables) if market is None else [market]:
        yield ""
        yield f"market {name}: {found.basis(name)}"
        if name in tables:
            yield from bin_lines(tables[name].bins)
    if market is None:
        yield ""
        yield f"every other market: {found.basis('')}"


def _scaling(found: Calibration) -> str:
    if found.platt.slope == 1.0 and found.platt.shift == 0.0:
        return "Platt scaling: none; on held-out folds it does not lower the log loss"
    return f"Platt scaling: slope {found.platt.slope}, shift {found.platt.shift}"


def bin_lines(bins: Iterable[Bin]) -> Iterator[str]:
    """A reliability table."""
    yield "  bin              n     said  labelled"
    for row in bins:
        yield f"  {row.low:.3f}-{row.high:.3f} {row.n:6d} {row.said:8.3f} {row.labelled:9.3f}"


def class_lines(rows: Iterable[ClassRow]) -> Iterator[str]:
    """Precision by the way the MX looks."""
    yield "precision by look of the MX"
    for row in rows:
        shown = "-" if row.precision is None else f"{row.precision:.3f}"
        yield f"  {row.mx:10} {row.n:6d} domains {row.named:6d} named  {shown}"


def named_in_words(named: Named) -> str:
    """Precision, recall and false share, a dash where there is none."""
    parts = {
        "precision": named.precision,
        "recall": named.recall,
        "false among the others": named.false_share,
    }
    return ", ".join(
        f"{name} {'-' if value is None else format(value, '.3f')}" for name, value in parts.items()
    )
