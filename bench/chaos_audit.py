"""What was sent against what is in the tables and what the API says; SQL of its own, none of Hunter's."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
from chaos_cluster import Cluster
from chaos_load import Callers, Submission

_DOMAINS = "SELECT domain, outcome FROM scan_result WHERE job_id = $1"
_DEAD = """
    SELECT unnest(domains) FROM scan_chunk WHERE job_id = $1 AND state = 'dead'
"""
_JOBS = """
    SELECT id, status, total, n_ok, n_failed, n_unknown, n_dead, coalesce(mismatch, 0) AS mismatch
    FROM scan_job WHERE id = ANY($1::uuid[])
"""
_CHUNKS = """
    SELECT job_id, coalesce(sum(size) FILTER (WHERE state <> 'split'), 0) AS size,
        sum(n_ok) AS ok, sum(n_failed) AS failed, sum(n_unknown) AS unknown,
        count(*) FILTER (WHERE state IN ('ready', 'leased')) AS open
    FROM scan_chunk WHERE job_id = ANY($1::uuid[]) GROUP BY job_id
"""
_STRANGERS = """
    SELECT count(*) FROM scan_job
    WHERE status <> 'receiving' AND purpose = 'asked' AND id <> ALL($1::uuid[])
"""
#: the same observation written twice: a new row is due only when the fingerprint changes
_OBSERVED_TWICE = """
    SELECT count(*) FROM (
        SELECT fingerprint = lag(fingerprint) OVER (PARTITION BY domain ORDER BY observed_from, id)
            AS same FROM observation
    ) o WHERE same
"""
_WITHOUT_LEAD = """
    SELECT count(*) FROM (SELECT DISTINCT domain FROM scan_result) r
    WHERE NOT EXISTS (SELECT FROM lead l WHERE l.domain = r.domain)
"""
#: a chunk's commit, and when the work on it could have begun
_COMMITS = """
    SELECT extract(epoch FROM c.done_at)::float8 AS done,
        extract(epoch FROM j.accepted_at)::float8 AS accepted
    FROM scan_chunk c JOIN scan_job j ON j.id = c.job_id
    WHERE c.done_at IS NOT NULL ORDER BY c.done_at
"""


#: the API's list of results is read for jobs of up to so many names; larger ones by SQL alone
_LISTED = 20_000
_WORK = """
    SELECT coalesce(sum(epoch * size), 0)::bigint AS claimed,
        coalesce(sum(size) FILTER (WHERE state = 'done'), 0)::bigint AS done,
        coalesce(sum(size) FILTER (WHERE state = 'leased'), 0)::bigint AS held
    FROM scan_chunk WHERE lane = 'bulk' AND state <> 'cancelled'
"""


@dataclass(frozen=True, slots=True)
class Work:
    """Names of bulk lists until now: claimed (again and again), done, and held at this moment."""

    claimed: int
    done: int
    held: int


async def work_done(cluster: Cluster) -> Work:
    """Look into the tables now."""
    async with cluster.connection() as conn:
        (row,) = await conn.fetch(_WORK)
    return Work(row["claimed"], row["done"], row["held"])


def repeated(before: Work, after: Work) -> float | None:
    """Names claimed in vain between two looks, over those done in between; None when none were."""
    done = after.done - before.done
    if done <= 0:
        return None
    claimed = after.claimed - before.claimed
    # what was held at first was claimed before; what is held now may still be done
    return max(0, claimed + before.held - after.held - done) / done


@dataclass(slots=True)
class Verdict:
    """What does not add up, and how much was gone through to say so."""

    accepted: int = 0
    results: int = 0
    lost: int = 0
    duplicated: int = 0
    never_asked: int = 0
    after_cancel: int = 0
    accepted_twice: int = 0
    wrong_counters: int = 0
    incomplete_jobs: int = 0
    observed_twice: int = 0
    without_lead: int = 0
    dead: int = 0
    unknown: int = 0
    failed: int = 0
    jobs: int = 0
    cancelled_jobs: int = 0
    #: one line for each job that is wrong
    told: list[str] = field(default_factory=list)

    @property
    def violations(self) -> int:
        """Zero, or the run has failed."""
        return (
            self.lost
            + self.duplicated
            + self.never_asked
            + self.after_cancel
            + self.accepted_twice
            + self.wrong_counters
            + self.incomplete_jobs
            + self.observed_twice
            + self.without_lead
        )


def compare(sent: Sequence[str], rows: Sequence[str], dead: Sequence[str]) -> tuple[int, int, int]:
    """How many of `sent` have no row, how many rows there are too many, how many nobody asked for."""
    wanted, found = set(sent), Counter(rows)
    lost = len(wanted - found.keys() - set(dead))
    # a domain given up is settled: a result beside that is one too many
    twice = sum(found.values()) - len(found) + len(found.keys() & set(dead))
    return lost, twice, len(found.keys() - wanted)


async def audit(
    cluster: Cluster, callers: Callers, *, with_books: bool = True, with_api: bool = True
) -> Verdict:
    """Go through everything that was accepted; `with_books` also Hunter's own counters."""
    verdict = Verdict()
    async with cluster.connection() as conn:
        for sent in callers.ledger.accepted():
            await _one(conn, sent, verdict)
        if with_books:
            await _books(conn, callers.ledger.accepted(), verdict)
            ids = [UUID(job) for s in callers.ledger.submissions for job in s.job_ids]
            unfinished = sum(not s.job_ids for s in callers.ledger.submissions)
            verdict.accepted_twice += max(0, await conn.fetchval(_STRANGERS, ids) - unfinished)
            verdict.observed_twice = await conn.fetchval(_OBSERVED_TWICE)
            verdict.without_lead = await conn.fetchval(_WITHOUT_LEAD)
    if with_api:
        await _api(callers, verdict)
    return verdict


async def _one(conn: asyncpg.Connection, sent: Submission, verdict: Verdict) -> None:
    assert sent.job_id
    rows = await conn.fetch(_DOMAINS, UUID(sent.job_id))
    dead = [row[0] for row in await conn.fetch(_DEAD, UUID(sent.job_id))]
    lost, twice, strangers = compare(sent.names, [row["domain"] for row in rows], dead)
    verdict.jobs += 1
    verdict.accepted_twice += len(sent.job_ids) - 1
    verdict.results += len(rows)
    verdict.duplicated += twice
    verdict.never_asked += strangers
    if sent.rows_at_cancel is None:
        verdict.accepted += len(sent.names)
        verdict.lost += lost
    else:
        lost = 0
        late = abs(len(rows) - sent.rows_at_cancel)
        verdict.cancelled_jobs += 1
        verdict.after_cancel += late
        if late:
            verdict.told.append(f"job {sent.job_id}: {late} rows after its cancel")
    outcomes = Counter(row["outcome"] for row in rows)
    verdict.unknown += outcomes["unknown"]
    verdict.failed += outcomes["failed"]
    verdict.dead += len(dead)
    if lost or twice or strangers:
        verdict.told.append(
            f"job {sent.job_id} ({len(sent.names)} {sent.lane}): "
            f"{lost} lost, {twice} too many, {strangers} never asked for"
        )


async def _books(
    conn: asyncpg.Connection, accepted: Sequence[Submission], verdict: Verdict
) -> None:
    """Jobs and chunks against what was sent."""
    ids = [UUID(s.job_id) for s in accepted if s.job_id]
    jobs = {str(row["id"]): row for row in await conn.fetch(_JOBS, ids)}
    sums = {str(row["job_id"]): row for row in await conn.fetch(_CHUNKS, ids)}
    for sent in accepted:
        job, chunks = jobs.get(sent.job_id or ""), sums.get(sent.job_id or "")
        if job is None or chunks is None:
            verdict.wrong_counters += 1
            verdict.told.append(f"job {sent.job_id} was accepted and is not there")
            continue
        if sent.rows_at_cancel is None:
            if job["status"] != "completed" or chunks["open"]:
                verdict.incomplete_jobs += 1
                verdict.told.append(
                    f"job {sent.job_id}: {job['status']}, {chunks['open']} open chunks"
                )
        elif job["status"] != "cancelled" or chunks["open"]:
            verdict.incomplete_jobs += 1
            verdict.told.append(f"job {sent.job_id}: cancelled, and is {job['status']}")
        if not _adds_up(sent, job, chunks):
            verdict.wrong_counters += 1
            verdict.told.append(f"job {sent.job_id}: {dict(job)} over {dict(chunks)}")


def _adds_up(sent: Submission, job: Any, chunks: Any) -> bool:
    names = len(sent.names)
    if job["total"] != names or chunks["size"] != names or job["mismatch"]:
        return False
    if job["status"] not in {"completed", "cancelled"}:
        return True  # told elsewhere
    counted = (job["n_ok"], job["n_failed"], job["n_unknown"])
    if counted != (chunks["ok"], chunks["failed"], chunks["unknown"]):
        return False
    return job["status"] == "cancelled" or bool(sum(counted) + job["n_dead"] == names)


async def _api(callers: Callers, verdict: Verdict) -> None:
    """The API tells the same: progress of every bulk, and every domain of its results once."""
    for sent in callers.ledger.accepted():
        if sent.lane != "bulk" or sent.rows_at_cancel is not None:
            continue
        assert sent.job_id
        progress = await callers.progress(sent.job_id)
        if progress["processed"] != len(sent.names) or progress["status"] != "completed":
            verdict.wrong_counters += 1
            verdict.told.append(f"job {sent.job_id}: the API says {progress}")
        if progress["status"] == "completed" and len(sent.names) <= _LISTED:
            listed = await callers.results(sent.job_id)
            if sorted(listed) != sorted(set(sent.names)):
                verdict.wrong_counters += 1
                verdict.told.append(f"job {sent.job_id}: the API lists {len(listed)} results")


async def longest_stall(cluster: Cluster) -> tuple[float, float]:
    """Seconds without a commit while work was open; and the same less the time a server was away."""
    async with cluster.connection() as conn:
        rows = [(row["done"], row["accepted"]) for row in await conn.fetch(_COMMITS)]
    outages = [(o.begin, o.end) for o in cluster.outages]
    return await asyncio.to_thread(stalls, rows, outages)


def stalls(
    commits: Sequence[tuple[float, float]], outages: Sequence[tuple[float, float]]
) -> tuple[float, float]:
    """Longest gap between commits (done, accepted; in order of done) in which work was open."""
    longest = longest_own = 0.0
    waiting_since = float("inf")
    for at in range(len(commits) - 1, -1, -1):
        done, accepted = commits[at]
        # what is committed from here on was accepted at the earliest then
        waiting_since = min(waiting_since, accepted)
        before = commits[at - 1][0] if at else waiting_since
        begin = max(before, waiting_since)
        longest = max(longest, done - begin)
        longest_own = max(longest_own, _outside(begin, done, outages))
    return longest, longest_own


def _outside(begin: float, end: float, outages: Sequence[tuple[float, float]]) -> float:
    """How long the longest piece of [begin, end] is in which nothing was away."""
    longest, at = 0.0, begin
    for start, stop in sorted(outages):
        if stop <= at or start >= end:
            continue
        longest = max(longest, start - at)
        at = max(at, stop)
    return max(longest, end - at)
