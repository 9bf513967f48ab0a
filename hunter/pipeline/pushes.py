"""Pushed leads in: those with a domain stored and queued for a scan, the others told why not."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Final

import msgspec

from hunter.core.errors import InvalidDomain, InvalidInput
from hunter.core.refusals import refusal
from hunter.ops.metrics import Metrics
from hunter.pipeline.accept import Accepted, Idempotency, Line, accept_scan
from hunter.pipeline.companies import NAME_MAX, ROW_REASONS, VALUE_SHOWN, Refusal
from hunter.pipeline.ingest import LeadsOfScan, Settings, first_domain
from hunter.pipeline.pushed import PushedLead
from hunter.queue.hints import Hints
from hunter.store import ingests
from hunter.store.database import Database
from hunter.store.suppressions import REDACTED

#: leads of one push
LEADS_MAX: Final = 1000


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """How a push came out; `scan` is None when no lead of it has a domain."""

    taken: list[ingests.Company]
    refused: list[Refusal]
    scan: Accepted | None


async def ingest_push(
    db: Database,
    hints: Hints,
    metrics: Metrics,
    pushed: Sequence[PushedLead],
    *,
    settings: Settings,
    idempotency: Idempotency | None = None,
) -> Push:
    """Store pushed leads and queue one scan of them all, in one transaction."""
    taken: list[ingests.Company] = []
    refused: list[Refusal] = []
    lines: list[Line] = []
    for place, lead in enumerate(pushed, start=1):
        try:
            company = _company(lead, settings)
        except (InvalidDomain, InvalidInput) as error:
            refused.append(_refusal(place, lead, error))
        else:
            taken.append(company)
            lines.append(Line(place, company.domain))
    if not taken:
        return Push(taken=taken, refused=refused, scan=None)
    scan = await accept_scan(
        db,
        hints,
        lines,
        lane="bulk",
        depth=settings.depth,
        caller=settings.caller,
        idempotency=idempotency,
        companion=LeadsOfScan(taken),
        allow_test_names=settings.allow_test_names,
        registrable=True,
        chunk_size=settings.chunk_size,
    )
    gone = {each.line for each in scan.rejected if each.reason == "suppressed"}
    names = {line.text for line in lines if line.number in gone}
    suppressed = refusal("suppressed")
    refused += [
        Refusal(line.number, REDACTED, suppressed.reason, str(suppressed))
        for line in lines
        if line.text in names
    ]
    taken = [each for each in taken if each.domain not in names]
    if not scan.replayed:
        metrics.leads_ingested_total.add({}, len(taken))
    return Push(taken=taken, refused=sorted(refused, key=attrgetter("line")), scan=scan)


def _company(lead: PushedLead, settings: Settings) -> ingests.Company:
    domain = first_domain(lead.addresses, allow_test_names=settings.allow_test_names)
    return ingests.Company(
        domain=domain.name,
        display_name=domain.display,
        company_name=lead.company_name[:NAME_MAX] or None,
        source=settings.source,
    )


def _refusal(place: int, lead: PushedLead, error: InvalidDomain | InvalidInput) -> Refusal:
    shown = next(iter(lead.addresses), "")[:VALUE_SHOWN]
    if isinstance(error, InvalidDomain):
        return Refusal(place, shown, error.reason, str(error))
    return Refusal(place, shown, "no_address", ROW_REASONS["no_address"])
