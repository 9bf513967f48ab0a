"""What callers get for what they sent: an accepted scan, file or company, with what was refused."""

from __future__ import annotations

from typing import Any

import msgspec

from hunter.core.domain import REASONS, Domain
from hunter.pipeline.accept import Accepted
from hunter.pipeline.ingest import Ingested, reason_in_words
from hunter.pipeline.pushes import Push
from hunter.store.ingests import RejectedRow
from hunter.store.jobs import Reject
from hunter.web.middleware import API


class Links(msgspec.Struct, frozen=True):
    """Where a job is followed."""

    self: str
    results: str
    rejects: str


class RejectView(msgspec.Struct, frozen=True):
    """A name that is no domain."""

    input: str
    #: code of hunter.core.domain.REASONS
    reason: str
    #: line of the body or place in the list, from 1
    line: int
    #: the reason in words, with the fix
    detail: str


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted scan: from here on it is Hunter's to finish."""

    job_id: str
    status: str
    #: domains that will be scanned, each once
    total: int
    accepted: int
    rejected_count: int
    #: at most 1,000; all of them are at links.rejects
    rejected: list[RejectView]
    duplicates: int
    links: Links


class BatchView(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted file."""

    batch_id: str
    status: str
    filename: str | None
    #: rows with something in them, below the heading
    row_count: int
    #: companies stored and queued, each domain once
    accepted: int
    rejected_count: int
    #: at most 1,000; all of them are at links.rejects
    rejected: list[RejectView]
    duplicates: int
    #: format, encoding, delimiter and columns found
    detected: dict[str, Any]
    #: the scan of its companies
    job_id: str
    links: Links


class CompanyView(msgspec.Struct, frozen=True, kw_only=True):
    """A company that was taken in."""

    domain: str
    display_name: str
    #: things worth knowing about the name, such as shared_domain
    warnings: tuple[str, ...]
    job_id: str
    status: str
    links: Links


class TakenView(msgspec.Struct, frozen=True):
    """A pushed lead that was taken."""

    domain: str
    display_name: str
    company_name: str | None


class PushView(msgspec.Struct, frozen=True, kw_only=True):
    """What became of pushed leads."""

    #: as its sender calls it: the same event is taken once
    event_id: str | None
    accepted: int
    leads: list[TakenView]
    rejected_count: int
    #: `line` is the place in the push, from 1
    rejected: list[RejectView]
    duplicates: int
    #: the scan of the leads; null when none was taken
    job_id: str | None
    links: Links | None


def push_view(done: Push, event: str | None) -> PushView:
    """The answer to pushed leads."""
    scan = done.scan
    return PushView(
        event_id=event,
        accepted=scan.accepted if scan else 0,
        leads=[TakenView(c.domain, c.display_name, c.company_name) for c in done.taken],
        rejected_count=len(done.refused),
        rejected=[RejectView(r.value, r.reason, r.line, r.detail) for r in done.refused],
        duplicates=scan.duplicates if scan else 0,
        job_id=scan.job_id if scan else None,
        links=links_of(scan.job_id) if scan else None,
    )


def links_of(job_id: str) -> Links:
    """The paths of a job."""
    base = f"{API}/scan/bulk/{job_id}"
    return Links(self=base, results=f"{base}/results", rejects=f"{base}/rejects")


def reject_view(reject: Reject) -> RejectView:
    """A refused name with its reason in words."""
    return RejectView(reject.input, reject.reason, reject.line, REASONS.get(reject.reason, ""))


def job_view(accepted: Accepted) -> JobView:
    """The answer to a scan request."""
    return JobView(
        job_id=accepted.job_id,
        status=accepted.status,
        total=accepted.total,
        accepted=accepted.accepted,
        rejected_count=accepted.rejected_count,
        rejected=[reject_view(each) for each in accepted.rejected],
        duplicates=accepted.duplicates,
        links=links_of(accepted.job_id),
    )


def company_view(domain: Domain, accepted: Accepted) -> CompanyView:
    """The answer to one company."""
    return CompanyView(
        domain=domain.name,
        display_name=domain.display,
        warnings=tuple(domain.warnings),
        job_id=accepted.job_id,
        status=accepted.status,
        links=Links(
            self=f"{API}/leads/{domain.name}",
            results=links_of(accepted.job_id).results,
            rejects=links_of(accepted.job_id).rejects,
        ),
    )


def batch_view(done: Ingested) -> BatchView:
    """The answer to a file."""
    base = f"{API}/ingest/batches/{done.batch_id}"
    return BatchView(
        batch_id=done.batch_id,
        status="accepted",
        filename=done.filename,
        row_count=done.row_count,
        accepted=done.scan.accepted,
        rejected_count=done.rejected_count,
        rejected=[RejectView(r.value, r.reason, r.line, r.detail) for r in done.rejected],
        duplicates=done.scan.duplicates,
        detected=done.detected,
        job_id=done.scan.job_id,
        links=Links(
            self=base,
            results=links_of(done.scan.job_id).results,
            rejects=f"{base}/rejects",
        ),
    )


def row_reject_view(row: RejectedRow) -> RejectView:
    """A refused row with its reason in words."""
    return RejectView(row.value, row.reason, row.line, reason_in_words(row.reason))
