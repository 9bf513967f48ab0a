"""Runs that judge every lead anew: begun, measured, held or let go, and worked off slice by slice."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final, LiteralString
from uuid import UUID

import msgspec

from hunter.core.errors import NotFound
from hunter.store import registrations
from hunter.store.database import LONG_S, Connection
from hunter.store.identifiers import uuid7
from hunter.store.judged import Standing, standing_from_row

#: leads in one slice
SLICE: Final = 2000
#: any number, the same in every process: whoever holds it decides which run is the latest
_LOCK_KEY: Final = 7_201_133_905


class Run(msgspec.Struct, frozen=True):
    """One run over all leads."""

    id: UUID
    #: rules or decay
    kind: str
    rules_version: str
    as_of: dt.date
    #: measuring, held, running, done or superseded
    state: str
    #: leads judged to see how many providers would change, and how many did
    measured: int
    would_change: int
    rejudged: int
    changed: int
    created_at: dt.datetime
    confirmed_at: dt.datetime | None
    finished_at: dt.datetime | None


class Stored(msgspec.Struct, frozen=True):
    """A lead as it stands, with what is needed to judge it anew."""

    domain: str
    standing: Standing
    rules_version: str
    judged_on: dt.date | None
    decays: bool
    digest: int | None
    #: the fields whose change is told: provider, gateway, …
    told: dict[str, object]


TOLD: Final = ("provider", "gateway", "tenant_state", "segment", "priority", "score")

_LATEST: Final[LiteralString] = "SELECT pg_advisory_xact_lock($1)"
_NEWEST: Final[LiteralString] = """
    SELECT rules_version FROM rejudge_run
    WHERE kind = 'rules' AND state <> 'superseded' ORDER BY created_at DESC, id DESC LIMIT 1
"""
_SUPERSEDE: Final[LiteralString] = """
    WITH old AS (
        UPDATE rejudge_run SET state = 'superseded', finished_at = now()
        WHERE kind = $1 AND state IN ('measuring', 'held', 'running') RETURNING id
    )
    DELETE FROM rejudge_slice WHERE run_id IN (SELECT id FROM old)
"""
_BEGIN: Final[LiteralString] = """
    INSERT INTO rejudge_run (id, kind, rules_version, as_of, state)
    VALUES ($1, $2, $3, (now() AT TIME ZONE 'UTC')::date, $4)
    ON CONFLICT DO NOTHING RETURNING as_of
"""


async def begin_rules(conn: Connection, version: str) -> bool:
    """Begin a run to `version` unless the latest has it; an open run to other rules is given up."""
    await conn.execute(_LATEST, _LOCK_KEY)
    if await conn.fetchval(_NEWEST) == version:
        return False
    await conn.execute(_SUPERSEDE, "rules")
    run_id = uuid7()
    await conn.execute(_BEGIN, run_id, "rules", version, "measuring")
    await conn.execute(_CUT, run_id, SLICE, END, timeout=LONG_S)
    return True


_DECAYED: Final[LiteralString] = """
    SELECT NOT EXISTS (
        SELECT FROM rejudge_run WHERE kind = 'decay' AND rules_version = $1
            AND as_of = (now() AT TIME ZONE 'UTC')::date
    ) AND EXISTS (
        SELECT FROM lead WHERE decays AND rules_version = $1
            AND judged_on < (now() AT TIME ZONE 'UTC')::date
    )
"""


async def begin_decay(conn: Connection, version: str) -> bool:
    """Begin the run of this day over leads with dated lines; False when there are none left."""
    await conn.execute(_LATEST, _LOCK_KEY)
    if not await conn.fetchval(_DECAYED, version):
        return False
    await conn.execute(_SUPERSEDE, "decay")
    run_id = uuid7()
    if await conn.fetchval(_BEGIN, run_id, "decay", version, "running") is None:
        return False
    await conn.execute(_CUT_DECAYING, run_id, SLICE, END, timeout=LONG_S)
    return True


#: behind every domain
END: Final = "~"
#: Slices of $2 names each, the last one open at its end
_CUT: Final[LiteralString] = """
    INSERT INTO rejudge_slice (run_id, number, position, upto)
    SELECT $1::uuid, row_number() OVER w, coalesce(lag(upto) OVER w, ''), upto
    FROM (
        SELECT domain AS upto FROM (
            SELECT domain, row_number() OVER (ORDER BY domain) AS n FROM lead
        ) AS numbered WHERE n % $2::integer = 0
        UNION ALL SELECT $3::text
    ) AS cut WINDOW w AS (ORDER BY upto COLLATE "C")
"""
_CUT_DECAYING: Final[LiteralString] = """
    INSERT INTO rejudge_slice (run_id, number, position, upto)
    SELECT $1::uuid, row_number() OVER w, coalesce(lag(upto) OVER w, ''), upto
    FROM (
        SELECT domain AS upto FROM (
            SELECT domain, row_number() OVER (ORDER BY domain) AS n FROM lead WHERE decays
        ) AS numbered WHERE n % $2::integer = 0
        UNION ALL SELECT $3::text
    ) AS cut WINDOW w AS (ORDER BY upto COLLATE "C")
"""
_COLUMNS: Final[LiteralString] = """
    id, kind, rules_version, as_of, state, measured, would_change, rejudged, changed, created_at,
    confirmed_at, finished_at
"""
_OPEN: Final[LiteralString] = f"""
    SELECT {_COLUMNS} FROM rejudge_run
    WHERE state IN ('measuring', 'running') AND rules_version = $1 ORDER BY kind DESC
"""  # noqa: S608  # of constants
_RUNS: Final[LiteralString] = f"""
    SELECT {_COLUMNS} FROM rejudge_run ORDER BY created_at DESC, id DESC LIMIT $1
"""  # noqa: S608  # of constants


async def open_runs(conn: Connection, version: str) -> list[Run]:
    """Runs to work on by these rules, those for other rules before those for decay."""
    return [_run(row) for row in await conn.fetch(_OPEN, version)]


async def latest(conn: Connection, limit: int) -> list[Run]:
    """The latest runs, newest first."""
    return [_run(row) for row in await conn.fetch(_RUNS, limit)]


def _run(row: Any) -> Run:  # a Record reads by name
    return Run(**dict(row))


_TAKE_MEASURE: Final[LiteralString] = """
    SELECT id FROM rejudge_run WHERE id = $1 AND state = 'measuring' FOR UPDATE SKIP LOCKED
"""
_SLICES: Final[LiteralString] = """
    SELECT position, upto FROM rejudge_slice WHERE run_id = $1 ORDER BY number
"""
_MEASURED: Final[LiteralString] = """
    UPDATE rejudge_run SET state = $2, measured = $3, would_change = $4 WHERE id = $1
"""


async def take_measure(conn: Connection, run_id: UUID) -> list[tuple[str, str]] | None:
    """Lock a run to measure it; its slices, or None when somebody else does."""
    if await conn.fetchval(_TAKE_MEASURE, run_id) is None:
        return None
    return [(row["position"], row["upto"]) for row in await conn.fetch(_SLICES, run_id)]


async def set_measure(
    conn: Connection, run_id: UUID, *, measured: int, would_change: int, is_held: bool
) -> None:
    """Say what a run would change, and hold it or let it go."""
    state = "held" if is_held else "running"
    await conn.execute(_MEASURED, run_id, state, measured, would_change)


_SELECT: Final[LiteralString] = f"""
    SELECT l.domain, l.last_scanned_at, l.segment, l.score, l.provider, l.seen, l.fingerprint,
        l.observation_id, l.pending, o.evidence, o.observed_to,
        l.rules_version, l.judged_on, l.decays, l.judgement_digest, l.gateway, l.tenant_state,
        l.priority, {registrations.COLUMNS}
    FROM lead l JOIN observation o ON o.id = l.observation_id
        LEFT JOIN registration r ON r.domain = l.domain
"""  # noqa: S608  # of constants
_PEEK: Final[LiteralString] = f"""
    {_SELECT}
    WHERE l.domain > $1 AND l.domain <= $2 AND l.rules_version IS DISTINCT FROM $3
    ORDER BY l.domain LIMIT $4
"""
_OLDER: Final[LiteralString] = f"""
    {_SELECT}
    WHERE l.domain = ANY($1::text[])
"""
_TAKE_SLICE: Final[LiteralString] = """
    SELECT s.number, s.position, s.upto FROM rejudge_slice s JOIN rejudge_run r ON r.id = s.run_id
    WHERE s.run_id = $1 AND r.state = 'running'
    ORDER BY s.number LIMIT 1 FOR UPDATE OF s SKIP LOCKED
"""
_BATCH: Final[LiteralString] = f"""
    {_SELECT}
    WHERE l.domain > $1 AND l.domain <= $2 AND l.rules_version IS DISTINCT FROM $3
    ORDER BY l.domain LIMIT $4 FOR UPDATE OF l
"""
_BATCH_DECAYED: Final[LiteralString] = f"""
    {_SELECT}
    WHERE l.domain > $1 AND l.domain <= $2 AND l.rules_version = $3 AND l.decays
        AND l.judged_on < $5
    ORDER BY l.domain LIMIT $4 FOR UPDATE OF l
"""


class Batch(msgspec.Struct, frozen=True):
    """Leads locked to be judged anew, and the slice they are of."""

    number: int
    #: for `stored`, one at a time: a survey that waits for its turn leaves the processor's caches
    rows: Sequence[Any]
    #: True when nothing of the slice is left behind them
    is_last: bool


async def peek(
    conn: Connection, version: str, position: str, upto: str, limit: int
) -> Sequence[Any]:
    """Rows, for `stored`, of leads of a stretch that other rules have judged, not locked."""
    rows: Sequence[Any] = await conn.fetch(_PEEK, position, upto, version, limit)
    return rows


async def standing(conn: Connection, domains: Sequence[str]) -> list[Stored]:
    """Leads as they stand, those that have an observation."""
    return [stored(row) for row in await conn.fetch(_OLDER, domains)]


async def take(conn: Connection, run: Run, limit: int) -> Batch | None:
    """Lock a slice that nobody works on and the next leads of it; None when there is none.

    The locks are the fence: nobody else judges these leads, and what a worker that dies had taken
    is free again with nothing of it written.
    """
    row = await conn.fetchrow(_TAKE_SLICE, run.id)
    if row is None:
        return None
    stretch = (row["position"], row["upto"], run.rules_version, limit)
    if run.kind == "decay":
        rows = await conn.fetch(_BATCH_DECAYED, *stretch, run.as_of)
    else:
        rows = await conn.fetch(_BATCH, *stretch)
    return Batch(row["number"], rows, len(rows) < limit)


def stored(row: Any) -> Stored:  # a Record reads by name
    """A lead as it stands, decoded."""
    return Stored(
        domain=row["domain"],
        standing=standing_from_row(row),
        rules_version=row["rules_version"],
        judged_on=row["judged_on"],
        decays=row["decays"],
        digest=row["judgement_digest"],
        told={name: row[name] for name in TOLD},
    )


_TOUCH: Final[LiteralString] = """
    UPDATE lead SET rules_version = $1, judged_on = $2, judgement_digest = n.digest
    FROM unnest($3::text[], $4::bigint[]) AS n(domain, digest) WHERE lead.domain = n.domain
"""


async def touch(
    conn: Connection, version: str, judged_on: dt.date, leads: Sequence[tuple[str, int]]
) -> None:
    """Say of leads whose judgement is the same by which rules and of which day it is now."""
    if leads:
        domains, digests = zip(*leads, strict=True)
        await conn.execute(_TOUCH, version, judged_on, domains, digests)


_MOVE: Final[LiteralString] = """
    UPDATE rejudge_slice SET position = $3 WHERE run_id = $1 AND number = $2
"""
_DROP: Final[LiteralString] = "DELETE FROM rejudge_slice WHERE run_id = $1 AND number = $2"
_ADD_UP: Final[LiteralString] = """
    UPDATE rejudge_run SET rejudged = rejudged + $2, changed = changed + $3 WHERE id = $1
"""


async def advance(conn: Connection, run: Run, batch: Batch, *, changed: int) -> None:
    """Move the slice on behind a batch that is written, and count it."""
    if batch.is_last:
        await conn.execute(_DROP, run.id, batch.number)
    else:
        await conn.execute(_MOVE, run.id, batch.number, batch.rows[-1]["domain"])
    if batch.rows:
        await conn.execute(_ADD_UP, run.id, len(batch.rows), changed)


_LOCK_RUN: Final[LiteralString] = """
    SELECT is_last_pass FROM rejudge_run
    WHERE id = $1 AND state = 'running' AND NOT EXISTS (
        SELECT FROM rejudge_slice WHERE run_id = $1
    ) FOR UPDATE SKIP LOCKED
"""
_IS_UNIFORM: Final[LiteralString] = """
    SELECT NOT EXISTS (
        SELECT FROM worker_process WHERE seen_at > now() - make_interval(secs => $2::float8)
            AND rules_version IS DISTINCT FROM $1
    )
"""
_CALL_LAST: Final[LiteralString] = "UPDATE rejudge_run SET is_last_pass = true WHERE id = $1"
_FINISH: Final[LiteralString] = """
    UPDATE rejudge_run SET state = 'done', finished_at = now() WHERE id = $1
"""


class End(StrEnum):
    """How a run goes on of which nothing is left."""

    #: others work on the last of it, or not all workers have its rules
    WAIT = "wait"
    #: another pass has begun
    AGAIN = "again"
    DONE = "done"


async def finish(conn: Connection, run: Run, *, alive_s: float) -> End:
    """End a run of which nothing is left.

    Leads that a worker with the earlier rules wrote behind a pass are found by another one, which
    begins once all workers seen within `alive_s` have these rules.
    """
    is_last_pass = await conn.fetchval(_LOCK_RUN, run.id)
    if is_last_pass is None:
        return End.WAIT
    if is_last_pass or run.kind == "decay":
        await conn.execute(_FINISH, run.id)
        return End.DONE
    if not await conn.fetchval(_IS_UNIFORM, run.rules_version, alive_s):
        return End.WAIT
    await conn.execute(_CALL_LAST, run.id)
    await conn.execute(_CUT, run.id, SLICE, END, timeout=LONG_S)
    return End.AGAIN


_CONFIRM: Final[LiteralString] = f"""
    UPDATE rejudge_run SET state = 'running', confirmed_at = now()
    WHERE id = $1 AND state = 'held' RETURNING {_COLUMNS}
"""  # noqa: S608  # of constants
_HELD: Final[LiteralString] = f"SELECT {_COLUMNS} FROM rejudge_run WHERE state = 'held'"  # noqa: S608  # of constants


async def held(conn: Connection) -> Run | None:
    """The run that waits for an operator, None without one."""
    row = await conn.fetchrow(_HELD)
    return _run(row) if row else None


async def confirm(conn: Connection, run_id: UUID) -> Run:
    """Let a held run go on. Raises NotFound when it is not held any more."""
    row = await conn.fetchrow(_CONFIRM, run_id)
    if row is None:
        raise NotFound(f"no held run {run_id}")
    return _run(row)


_WORKERS: Final[LiteralString] = """
    SELECT coalesce(rules_version, 'unknown') AS version, count(*) AS n FROM worker_process
    WHERE seen_at > now() - make_interval(secs => $1::float8) GROUP BY 1 ORDER BY 1
"""


async def workers(conn: Connection, *, alive_s: float) -> dict[str, int]:
    """How many workers judge by which rules."""
    return {row["version"]: row["n"] for row in await conn.fetch(_WORKERS, alive_s)}
