"""One table of what was wanted and what was measured, and the same as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chaos_alerts import Alerts
from chaos_audit import Verdict
from chaos_edits import Edited
from chaos_load import Ledger
from chaos_recovery import RECOVERIES

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Line:
    """One figure; `wanted` None where nothing is promised."""

    what: str
    measured: float
    unit: str
    wanted: float | None = None

    @property
    def is_met(self) -> bool:
        """No more than wanted."""
        return self.wanted is None or self.measured <= self.wanted


def counted(verdict: Verdict) -> list[Line]:
    """What must be zero."""
    return [
        Line("domains lost", verdict.lost, "", 0),
        Line("domains duplicated", verdict.duplicated, "", 0),
        Line("results nobody asked for", verdict.never_asked, "", 0),
        Line("results after a cancel", verdict.after_cancel, "", 0),
        Line("requests accepted twice", verdict.accepted_twice, "", 0),
        Line("observations written twice", verdict.observed_twice, "", 0),
        Line("results without a lead", verdict.without_lead, "", 0),
        Line("jobs with wrong counters", verdict.wrong_counters, "", 0),
        Line("jobs not completed", verdict.incomplete_jobs, "", 0),
    ]


def alerted(alerts: Alerts) -> list[Line]:
    """What must be zero of alerts and messages; that some come again is allowed."""
    return [
        Line("alerts or messages missing", alerts.missing, "", 0),
        Line("alerts or messages doubled", alerts.doubled, "", 0),
        Line("messages taken and never received", alerts.not_received, "", 0),
        Line("messages received with another text", alerts.other_text, "", 0),
        Line("messages not delivered", alerts.open, "", 0),
        Line("messages received again", alerts.received_again, ""),
    ]


def edited(edits: Edited) -> list[Line]:
    """What must be zero of changes."""
    return [
        Line("edits that held without their change", edits.missing, "", 0),
        Line("changes doubled", edits.doubled, "", 0),
        Line("changes of nothing that was edited for good", edits.untrue, "", 0),
        Line("edits not confirmed or refuted", edits.unsettled, "", 0),
        Line("changes there and back of edits taken back", edits.believed_too_long, ""),
    ]


def measured(
    ledger: Ledger,
    verdict: Verdict,
    stall: tuple[float, float],
    recoveries: dict[str, list[float]],
    repeated: float | None,
) -> list[Line]:
    """What should be small. Recoveries are the worst of their rounds."""
    lines = [
        Line(what, round(max(recoveries[name]), 2), "s", wanted)
        for name, (what, _, wanted) in RECOVERIES.items()
        if recoveries.get(name)
    ]
    for phase, wanted in (("calm", 2.0), ("storm", None)):
        took = sorted(s for at, s in ledger.latencies if at == phase)
        if took:
            lines.append(
                Line(f"single scan beside the bulk, p95, {phase}", _p95(took), "s", wanted)
            )
    if repeated is not None:
        lines.append(Line("work repeated in the storm", round(100 * repeated, 1), "%", 20.0))
    lines += [
        Line("longest stall", round(stall[0], 2), "s"),
        Line("longest stall with all servers there", round(stall[1], 2), "s"),
        Line("longest request to the API", round(ledger.longest_request_s, 2), "s", 40.0),
        Line("wrong answers of the API", sum(ledger.wrong.values()), "", 0),
        Line("domains given up (dead)", verdict.dead, ""),
        Line("domains failed", verdict.failed, ""),
        Line("domains unknown", verdict.unknown, ""),
    ]
    return lines


def _p95(took: list[float]) -> float:
    return round(took[min(len(took) - 1, int(0.95 * len(took)))], 3)


def table(lines: list[Line]) -> str:
    """Fit for a terminal and for Markdown."""
    rows = [("what", "wanted", "measured", "")]
    for line in lines:
        wanted = "" if line.wanted is None else f"≤ {line.wanted:g} {line.unit}".strip()
        if line.wanted == 0:
            wanted = "0"
        verdict = "" if line.wanted is None else ("ok" if line.is_met else "MISSED")
        rows.append((line.what, wanted, f"{line.measured:g} {line.unit}".strip(), verdict))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    text = [_row(rows[0], widths), "|" + "|".join("-" * (w + 2) for w in widths) + "|"]
    return "\n".join(text + [_row(row, widths) for row in rows[1:]])


def _row(cells: tuple[str, ...], widths: list[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"


def write(run: dict[str, Any], lines: list[Line], verdict: Verdict) -> Path:
    """Keep it as bench/results/chaos.json."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "chaos.json"
    rows = [asdict(line) | {"met": line.is_met} for line in lines]
    told = run | {"rows": rows, "violations": verdict.told}
    path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    return path
