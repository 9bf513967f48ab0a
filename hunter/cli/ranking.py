"""Leads as a salesperson reads them: best first, one plain sentence each."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from hunter.cli.terminal import harmless
from hunter.core.judgement import Judgement

_COLOURS = {1: "bold green", 2: "green", 3: "cyan", 4: "blue"}


def rank(judgement: Judgement) -> tuple[int, int, float]:
    """Greater is better: priority, then score, then confidence, as the lists of the API sort."""
    return -judgement.priority, judgement.score, judgement.confidence or 0.0


class Ranking:
    """Keeps the best `size` judgements of any number."""

    def __init__(self, size: int) -> None:
        self._size = max(size, 0)
        self._heap: list[tuple[tuple[int, int, float], int, Judgement]] = []
        self._numbers = itertools.count()
        self.left_out = 0

    def add(self, judgement: Judgement) -> None:
        """Take one more; the worst goes when there are too many."""
        # a number of its own makes equal ranks comparable; the earlier one stays
        row = (rank(judgement), -next(self._numbers), judgement)
        if len(self._heap) < self._size:
            heapq.heappush(self._heap, row)
            return
        self.left_out += 1
        if self._heap:
            heapq.heappushpop(self._heap, row)

    def best(self) -> list[Judgement]:
        """The best first."""
        return [judgement for _, _, judgement in sorted(self._heap, reverse=True)]


def _rows(leads: Iterable[Judgement]) -> Iterable[tuple[str, ...]]:
    for lead in leads:
        mail = lead.provider_name or lead.mx_operator_name or "not known"
        if lead.gateway and lead.mx_operator_name:
            mail += f" (behind {lead.mx_operator_name})"
        yield (
            f"P{lead.priority}",
            str(lead.score),
            lead.domain,
            mail,
            lead.segment,
            lead.confidence_word,
            lead.reason,
        )


def lead_table(leads: Sequence[Judgement]) -> Table:
    """One line a lead: priority, score, domain, who has the mail, segment, how sure, why."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, settings in _COLUMNS.items():
        table.add_column(name, **settings)
    for lead, row in zip(leads, _rows(leads), strict=True):
        # as Text: a record in a reason may hold what rich takes for markup
        table.add_row(
            *(Text(harmless(cell)) for cell in row), style=_COLOURS.get(lead.priority, "dim")
        )
    return table


_COLUMNS: dict[str, dict[str, Any]] = {
    "": {"no_wrap": True},
    "score": {"justify": "right"},
    "domain": {"overflow": "fold"},
    "mail": {"overflow": "fold", "max_width": 40},
    "segment": {},
    "sure": {},
    "why": {"overflow": "fold"},
}
