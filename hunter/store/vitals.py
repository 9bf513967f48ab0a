"""How the work stands, for whoever is on call: workers, chunks, leases, hints, connections."""

from __future__ import annotations

from datetime import datetime
from typing import Final, LiteralString

import msgspec

from hunter.store import chunks, completion
from hunter.store.database import Connection, server_connections


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """One look at the tables; ages in seconds, None where there is nothing to have one."""

    #: PostgreSQL's clock at the look
    clock: datetime
    #: worker processes with a heartbeat of late, and their slots for bulk chunks
    workers: int
    slots: int
    ready: int
    leased: int
    dead: int
    oldest_ready_s: float
    #: chunks whose lease ran out and that nobody has taken over, and the age of the longest
    expired_leases: int
    longest_expired_s: float
    #: since a hint was given last, whichever chunk it was for
    last_dispatch_s: float | None
    #: open jobs
    jobs: int
    #: jobs whose counts do not add up; must be 0
    mismatched: int
    connections: int
    connections_max: int
    #: messages due for a minute and not sent, of endpoints that are in order, and given up ones
    late_messages: int
    dead_messages: int
    #: since the last backup that was restored and found whole
    backup_s: float | None


_LOOK: Final[LiteralString] = """
    SELECT clock_timestamp() AS clock, w.workers, w.slots, e.expired, e.longest_s,
        (SELECT extract(epoch FROM now() - max(last_dispatch))::float8 FROM scan_job) AS dispatch_s,
        (SELECT count(*) FROM scan_job WHERE status IN ('pending', 'running')) AS jobs,
        (SELECT count(*) FROM delivery
            WHERE state = 'ready' AND due_at < now() - interval '1 minute') AS late_messages,
        (SELECT count(*) FROM delivery WHERE state = 'dead') AS dead_messages,
        (SELECT extract(epoch FROM now() - max(finished_at))::float8
            FROM backup_run WHERE verified) AS backup_s
    FROM (
        SELECT count(*) AS workers, coalesce(sum(slots), 0) AS slots
        FROM worker_process WHERE seen_at > now() - make_interval(secs => $1::float8)
    ) w, (
        SELECT count(*) AS expired,
            coalesce(extract(epoch FROM now() - min(lease_until))::float8, 0) AS longest_s
        FROM scan_chunk WHERE state = 'leased' AND lease_until < now()
    ) e
"""


async def look(conn: Connection, *, alive_s: float) -> Vitals:
    """Read it all; a worker counts that was seen within `alive_s`."""
    row = await conn.fetchrow(_LOOK, alive_s)
    assert row is not None  # noqa: S101  # aggregates always give a row
    by_state, oldest_s = await chunks.counts(conn)
    used, limit = await server_connections(conn)
    return Vitals(
        clock=row["clock"],
        workers=row["workers"],
        slots=row["slots"],
        ready=by_state["ready"],
        leased=by_state["leased"],
        dead=by_state["dead"],
        oldest_ready_s=oldest_s,
        expired_leases=row["expired"],
        longest_expired_s=row["longest_s"],
        last_dispatch_s=row["dispatch_s"],
        jobs=row["jobs"],
        mismatched=await completion.mismatched(conn),
        connections=used,
        connections_max=limit,
        late_messages=row["late_messages"],
        dead_messages=row["dead_messages"],
        backup_s=row["backup_s"],
    )
