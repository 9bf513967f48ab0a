"""Whoever stores names stands behind a deletion before it locks anything the deletion wants."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from hunter.core.answers import Depth
from hunter.store import chunks, deliveries, jobs, judged, poison, schedule, suppressions
from hunter.store.database import Connection, Database
from hunter.store.identifiers import uuid7
from tests.alerting import change

NAME = "gone.example"
#: whoever waits for a deletion to end
_WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
_NAMED = "SELECT count(*) FROM scan_chunk WHERE domains @> ARRAY[$1]"


async def _due(conn: Connection) -> None:
    await judged.insert_missing(conn, [NAME], [NAME], [NAME])
    await conn.execute("UPDATE lead SET next_scan_at = now() - interval '1 day'")


async def _condemned(conn: Connection) -> None:
    job_id = uuid7()
    await jobs.create(conn, job_id, lane="bulk", depth=Depth.QUICK, caller="test")
    await chunks.add(conn, job_id, "bulk", [["a.example", NAME]])
    await jobs.grow(conn, job_id, total=2, rejected=0, duplicates=0)
    await jobs.accept(conn, job_id, rejected=0, duplicates=0)
    await judged.insert_missing(conn, [NAME], [NAME], [NAME])
    await conn.execute("UPDATE scan_chunk SET losses = 3")


async def _left(conn: Connection) -> None:
    await judged.insert_missing(conn, [NAME], [NAME], [NAME])
    await conn.execute("INSERT INTO unraised_change VALUES ($1)", await change(conn, NAME))


async def _raise_left(conn: Connection) -> None:
    await deliveries.raise_left(conn)


async def _take_due(conn: Connection) -> None:
    await schedule.take_due(conn, open_max=10, chunk_size=100)


async def _condemn(conn: Connection) -> None:
    await poison.condemn(conn)


@pytest.mark.parametrize(
    ("prepare", "store"),
    [(_due, _take_due), (_condemned, _condemn), (_left, _raise_left)],
    ids=["schedule", "poison", "alerts"],
)
async def test_a_deletion_under_way_finds_its_rows_free_and_none_made_after_it(
    db: Database,
    prepare: Callable[[Connection], Awaitable[None]],
    store: Callable[[Connection], Awaitable[None]],
) -> None:
    await db.transact(prepare)
    async with db.acquire() as conn, conn.transaction():
        await conn.execute("SELECT pg_advisory_xact_lock(4851)")
        storing = asyncio.create_task(db.transact(store))
        async with asyncio.timeout(10):
            while not await conn.fetchval(_WAITING):  # locks tell nobody
                await asyncio.sleep(0.01)
        await conn.fetch("SELECT FROM lead FOR UPDATE NOWAIT")
        await conn.fetch("SELECT FROM scan_chunk FOR UPDATE NOWAIT")
        await suppressions.suppress(conn, NAME, reason="asked for", caller="test")

    await storing

    async with db.acquire() as conn:
        assert await conn.fetchval(_NAMED, NAME) == 0
        assert await conn.fetchval("SELECT count(*) FROM lead WHERE domain = $1", NAME) == 0
