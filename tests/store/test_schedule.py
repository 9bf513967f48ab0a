"""Due leads taken up as jobs: each once, never too many, and not while somebody says no."""

from __future__ import annotations

import asyncio
from uuid import UUID

from hunter.core.health import Trust
from hunter.store import dispatch, judged, processes, schedule
from hunter.store.database import Connection, Database

DUE = "SELECT count(*) FROM lead WHERE next_scan_at <= now()"


async def _seed(conn: Connection, count: int) -> None:
    names = [f"d{number:06}.example" for number in range(count)]
    await judged.insert_missing(conn, names, names, names)
    await conn.execute(
        "UPDATE lead SET next_scan_at = now() - random() * interval '1 day', "
        "scan_depth = CASE WHEN domain LIKE '%7.example' THEN 'full' END"
    )
    await conn.execute("ANALYZE lead")


async def _take(db: Database, *, open_max: int = 10, chunk_size: int = 100) -> list[UUID]:
    async def work(conn: Connection) -> list[UUID]:
        return await schedule.take_due(conn, open_max=open_max, chunk_size=chunk_size)

    return await db.transact(work)


async def test_a_storm_of_due_leads_becomes_a_queue_of_bounded_length(db: Database) -> None:
    async with db.acquire() as conn:
        await _seed(conn, 5000)

    jobs = await _take(db, open_max=10)
    again = await _take(db, open_max=10)

    async with db.acquire() as conn:
        taken = await conn.fetch("SELECT unnest(domains) AS domain FROM scan_chunk")
        kinds = await conn.fetch(
            "SELECT lane, depth, purpose, status, caller FROM scan_job ORDER BY depth"
        )
        left = await conn.fetchval(DUE)
    assert (len(jobs), again) == (2, []), "one job a depth, and no room for more"
    assert len({row["domain"] for row in taken}) == len(taken) == 1000
    assert left == 4000
    assert [tuple(row) for row in kinds] == [
        ("bulk", "full", "watch", "pending", "schedule"),
        ("bulk", "quick", "watch", "pending", "schedule"),
    ]


async def test_of_workers_at_once_none_takes_a_lead_twice(db: Database) -> None:
    async with db.acquire() as conn:
        await _seed(conn, 600)

    await asyncio.gather(*[_take(db, open_max=1000, chunk_size=50) for _ in range(4)])
    while await _take(db, open_max=1000, chunk_size=50):
        pass

    async with db.acquire() as conn:
        counts = await conn.fetchrow(
            "SELECT count(*), count(DISTINCT d) FROM scan_chunk, unnest(domains) AS d"
        )
    assert tuple(counts or ()) == (600, 600)


async def test_due_leads_are_found_through_their_index(db: Database) -> None:
    async with db.acquire() as conn, conn.transaction():
        await _seed(conn, 6000)
        # of so few rows reading all is cheaper
        await conn.execute("SET LOCAL enable_seqscan = off")
        rows = await conn.fetch(f"EXPLAIN {schedule._TAKE}", 200, 60.0)

    plan = "\n".join(row[0] for row in rows)
    assert "lead_due" in plan
    assert "Seq Scan" not in plan
    assert "Sort" not in plan


async def test_a_paused_schedule_takes_nothing_up(db: Database) -> None:
    async with db.acquire() as conn:
        await _seed(conn, 10)
        await schedule.pause(conn)
    assert await _take(db) == []

    async with db.acquire() as conn:
        await schedule.resume(conn)
    assert len(await _take(db)) == 2


async def test_callers_go_first_and_the_schedule_goes_on(db: Database) -> None:
    async with db.acquire() as conn:
        await _seed(conn, 1000)
        worker = UUID(int=1)
        await processes.register(conn, worker, slots=8, interactive_slots=2)
    await _take(db, open_max=50)

    async with db.acquire() as conn:
        nothing_left = await dispatch.room_for_schedule(conn, left=0, alive_s=60, stale_s=60)
        plenty = await dispatch.room_for_schedule(conn, left=100, alive_s=60, stale_s=60)
        asked = await dispatch.pick(conn, "bulk", limit=100, stale_s=60)
        picked = await dispatch.pick(conn, "bulk", limit=plenty, stale_s=60, by_schedule=True)
        more = await dispatch.room_for_schedule(conn, left=100, alive_s=60, stale_s=60)

    assert (nothing_left, plenty) == (1, 4), "half the slots, and one at least"
    assert (asked, len(picked) + more) == ([], 4)
    assert picked


async def test_of_processes_that_notice_the_same_one_tells_it(db: Database) -> None:
    trust = Trust(is_held=True)
    async with db.acquire() as conn:
        told = [await schedule.set_trust(conn, trust, "51 of 1,000 moved") for _ in range(2)]
        assert (await schedule.trust(conn)).is_held
        await schedule.release(conn, for_s=60)
        state = await schedule.state(conn)

    assert told == [True, False]
    assert (state.held_at, state.reason) == (None, None)
    assert state.released_until is not None
