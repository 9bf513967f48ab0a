"""Answers seen and not believed yet, as callers read them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from hunter.core.pending import Doubt


class PendingView(msgspec.Struct, frozen=True):
    """An answer seen and not believed yet: a second look confirms it or takes it back."""

    domain: str
    question: str
    #: found, nodata or nxdomain
    outcome: str
    records: tuple[str, ...]
    since: str


def pending_views(domain: str, doubts: Mapping[str, Doubt]) -> list[PendingView]:
    """What waits for a second look, by question."""
    return [
        PendingView(domain, question, doubt.answer.outcome.value, doubt.answer.records, doubt.since)
        for question, doubt in sorted(doubts.items())
    ]
