"""The calibration in docs/scoring.md is written from calibration.yaml: `python tests/docs/test_scoring.py`."""

from __future__ import annotations

from pathlib import Path

from hunter.core.trial import SCARCE, Calibration
from hunter.knowledge.load import load_knowledge

PAGE = Path(__file__).parents[2] / "docs" / "scoring.md"
_BEGIN = "<!-- calibration: python tests/docs/test_scoring.py -->"
_END = "<!-- end of calibration -->"
_SCORES = {
    "brier": "Brier score",
    "log_loss": "log loss",
    "ece": "expected calibration error, 10 bins of equal count",
    "precision_top": "precision of the 20 most probable",
}


def section(found: Calibration) -> str:
    """What stands between the marks."""
    lines = [
        f"Version {found.version}, fitted {found.date} on {found.held_out.n:,} domains whose MX does not say where the",
        f"mailboxes are, {found.held_out.positives} of them labelled {found.suite}: {found.source} (licence: {found.licence}).",
        "",
        "| Log-odds | By hand | Fitted | Domains |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {each.suite}, {each.feature}, MX {each.mx} | {each.hand:.2f} | {each.fitted:.2f} | {each.rows} |"
        for each in found.coefficients
    ]
    scaled = found.platt.slope != 1.0 or found.platt.shift != 0.0
    lines += [
        "",
        f"Platt scaling: slope {found.platt.slope}, shift {found.platt.shift}."
        if scaled
        else "Platt scaling: none; on held-out folds it does not lower the log loss.",
        "",
        "| Score | By hand | Held out | 95 % of bootstraps | A tenth positive |",
        "|---|---|---|---|---|",
    ]
    for name, span in found.intervals.items():
        hand, now, few = (
            getattr(each, name) for each in (found.by_hand, found.held_out, found.scarce)
        )
        lines.append(
            f"| {_SCORES[name]} | {hand:.4f} | {now:.4f} | {span.low:.4f} to {span.high:.4f} | {few:.4f} |"
        )
    named, scarce = found.named, found.scarce_named
    lines += [
        "",
        f"Named from 0.50 on: precision {named.precision:.3f}, recall {named.recall:.3f}; {named.false_share:.3f} of the others are named.",
        f"At a base rate of {SCARCE:.0%}: precision {scarce.precision:.3f}, recall {scarce.recall:.3f}.",
    ]
    for table in found.markets:
        lines += ["", f"Market {table.market}, {found.basis(table.market)}:", ""]
        lines += ["| Bin | Domains | Said | Labelled |", "|---|---|---|---|"]
        lines += [
            f"| {row.low:.3f}–{row.high:.3f} | {row.n} | {row.said:.3f} | {row.labelled:.3f} |"
            for row in table.bins
        ]
    lines += ["", f"Every other market: {found.basis('')}."]
    return "\n".join(["", *lines, ""])


def test_the_page_shows_the_calibration_in_force() -> None:
    text = PAGE.read_text(encoding="utf-8")

    shown = text.partition(_BEGIN)[2].partition(_END)[0]

    assert shown == section(load_knowledge().calibration), "run: python tests/docs/test_scoring.py"


def test_the_calibration_names_its_source_and_enough_labels_to_be_one() -> None:
    found = load_knowledge().calibration

    assert found.source
    assert found.licence == "MIT"
    assert sum(each.metrics.n for each in found.markets) == found.held_out.n >= 1000


if __name__ == "__main__":
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(_BEGIN)
    after = rest.partition(_END)[2]
    PAGE.write_text(
        before + _BEGIN + section(load_knowledge().calibration) + _END + after, encoding="utf-8"
    )
