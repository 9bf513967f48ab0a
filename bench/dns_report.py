"""The tables of bench/dns.py as text and as Markdown, and the figures that were wanted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness import Row

#: heading, metric, digits after the point
COLUMNS = (
    ("questions/s", "questions", 0),
    ("domains/s quick", "domains quick", 0),
    ("domains/s full", "domains full", 0),
    ("p50 ms", "p50", 1),
    ("p99 ms", "p99", 1),
    ("lost", "lost", 0),
    ("wrong", "wrong", 0),
    ("peak MiB", "peak memory", 0),
    ("CPU us/question", "processor time per question", 1),
    ("client busy %", "client busy", 0),
    ("server busy %", "server busy", 0),
    ("× aiodns", "ratio to aiodns", 2),
    ("× massdns", "ratio to massdns", 2),
    ("× dnsperf", "ratio to dnsperf", 2),
)
_NETWORK = " (network)"
_WIDTH = 44


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the report; `name` is what the wanted figures know it by."""

    name: str
    title: str
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A figure that was asked for, beside what was measured; None: could not be measured."""

    text: str
    value: float | None
    least: float
    unit: str = "times"
    #: True: no more than, False: at least
    is_limit: bool = False

    @property
    def verdict(self) -> str:
        """Met, not met, or not measured."""
        if self.value is None:
            return "not measured"
        good = self.value <= self.least if self.is_limit else self.value >= self.least
        return "met" if good else "not met"

    @property
    def measured(self) -> str:
        """The measured value as a person reads it."""
        return "–" if self.value is None else f"{self.value:,.2f}".rstrip("0").rstrip(".")


def best(rows: Iterable[Row], begin: str) -> float | None:
    """Most questions a second of the rows whose title begins so."""
    rates = [r.value for r in rows if r.metric == "questions" and r.row.startswith(begin)]
    return max(rates, default=None)


def ratios(rows: Sequence[Row]) -> list[Row]:
    """Every row's questions a second as a multiple of each peer's best in the same table."""
    found = []
    for peer in ("aiodns", "massdns", "dnsperf"):
        theirs = best(rows, peer)
        if theirs:
            found += [
                Row(row.row, f"ratio to {peer}", row.value / theirs, "times")
                for row in rows
                if row.metric == "questions" and not row.row.startswith("checkdmarc")
            ]
    return found


def wanted(first: Sequence[Row], second: Sequence[Row], memory: Sequence[Row]) -> list[Wanted]:
    """What issue and design ask of the engine, from the tables of this run."""
    # the compiled rows where there are any: what runs is what counts
    own = [row for row in first if row.row.startswith("Hunter")]
    fast = [row for row in own if "interpreted" not in row.row] or own
    rate = best(fast, "Hunter")
    values = {(row.row, row.metric): row.value for row in fast}
    full = next((r.row for r in fast if "10,000" in r.row and r.metric == "questions"), "")
    rows = (*first, *second, *memory)
    steps = [row.value for row in memory if row.metric.startswith("memory after")]
    network = [row for row in second if row.row.startswith("Hunter")]
    return [
        Wanted("best rate, of aiodns' best", _part(rate, best(first, "aiodns")), 5),
        Wanted("best rate, of dnspython's best", _part(rate, best(first, "dnspython")), 40),
        Wanted("best rate, of massdns'", _part(rate, best(first, "massdns")), 0.5),
        Wanted("10,000 in flight, of the best", _part(values.get((full, "questions")), rate), 0.6),
        Wanted("10,000 in flight, lost", values.get((full, "lost")), 0, "questions", is_limit=True),
        Wanted("lost or wrong in our rows", bad(rows), 0, "questions", is_limit=True),
        Wanted("lost or wrong in the peers'", bad(rows, ours=False), 0, "questions", is_limit=True),
        Wanted(
            "memory after the last 100,000, of the first",
            _part(steps[-1], steps[0]) if steps else None,
            1.05,
            is_limit=True,
        ),
        Wanted(
            f"network: window of its own (a fixed one of 500: {_rate(network, 'Hunter, window fixed')})",
            best([row for row in network if "fixed" not in row.row], "Hunter"),
            15_000,
            "questions/s",
        ),
    ]


def bad(rows: Iterable[Row], *, ours: bool = True) -> float:
    """Answers that were lost or wrong in our rows, or in the peers'."""
    return sum(
        row.value
        for row in rows
        if row.metric in {"lost", "wrong"} and row.row.startswith("Hunter") == ours
    )


def _part(value: float | None, whole: float | None) -> float | None:
    return value / whole if value is not None and whole else None


def _rate(rows: Sequence[Row], begin: str) -> str:
    rate = best(rows, begin)
    return "–" if rate is None else f"{rate:,.0f}"


# ── how it looks ──


def _cells(rows: Sequence[Row]) -> tuple[list[str], dict[str, list[str]]]:
    """The headings in use, and the cells of every title."""
    there = {row.metric for row in rows}
    columns = [column for column in COLUMNS if column[1] in there]
    values = {(row.row, row.metric): row.value for row in rows}
    return [heading for heading, *_ in columns], {
        title: [
            f"{values[title, metric]:,.{digits}f}" if (title, metric) in values else ""
            for _, metric, digits in columns
        ]
        for title in dict.fromkeys(row.row for row in rows)
    }


def _others(rows: Sequence[Row]) -> list[Row]:
    """Figures that have no column."""
    known = {metric for _, metric, _ in COLUMNS} | {"domains"}
    return [row for row in rows if row.metric not in known]


def as_text(table: Table) -> str:
    """A table for a terminal."""
    headings, cells = _cells(table.rows)
    widths = [max(len(h), *(len(c[n]) for c in cells.values())) for n, h in enumerate(headings)]
    lines = [f"\n{table.title}"]
    for title, values in ({"": headings} | cells).items():
        padded = (value.rjust(width) for value, width in zip(values, widths, strict=True))
        lines.append(f"{title.removesuffix(_NETWORK):{_WIDTH}}" + "  ".join(padded))
    lines += [
        f"{r.row:{_WIDTH}}{r.metric:32}{r.value:>12,.1f} {r.unit}" for r in _others(table.rows)
    ]
    return "\n".join(lines)


def as_markdown(table: Table) -> str:
    """The same table for a document."""
    headings, cells = _cells(table.rows)
    lines = [f"### {table.title}", ""]
    if headings:
        lines += [f"| | {' | '.join(headings)} |", f"|---|{'---:|' * len(headings)}"]
        for title, values in cells.items():
            lines.append(f"| {title.removesuffix(_NETWORK)} | {' | '.join(values)} |")
        lines.append("")
    others = _others(table.rows)
    if others:
        lines += ["| | | |", "|---|---|---:|"]
        lines += [f"| {r.row} | {r.metric} | {r.value:,.1f} {r.unit} |" for r in others]
        lines.append("")
    return "\n".join(lines)


def wanted_as_text(figures: Sequence[Wanted]) -> str:
    """The wanted figures for a terminal."""
    lines = ["\nWanted"]
    for each in figures:
        bound = f"{'≤' if each.is_limit else '≥'} {each.least:,g} {each.unit}"
        lines.append(f"{each.text:72}{bound:>24}{each.measured:>12}  {each.verdict}")
    return "\n".join(lines)


def wanted_as_markdown(figures: Sequence[Wanted]) -> str:
    """The wanted figures for a document."""
    lines = ["### Wanted", "", "| | wanted | measured | |", "|---|---:|---:|---|"]
    for each in figures:
        bound = f"{'≤' if each.is_limit else '≥'} {each.least:,g} {each.unit}"
        lines.append(f"| {each.text} | {bound} | {each.measured} | {each.verdict} |")
    return "\n".join([*lines, ""])
